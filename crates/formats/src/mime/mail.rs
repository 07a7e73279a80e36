//! A mail and its fields.

use jiff::Timestamp;
use postroom_core::Address;

use super::charset::{self, Charset};
use super::header::{Header, Lines};
use super::{Limit, Limits, Part, PartKind, address, body, date, id, params, structure};

/// A parsed mail: a view on raw bytes. Parsing never fails; what cannot be understood is kept as text or bytes.
#[derive(Debug, Clone)]
pub struct Mail<'x> {
    /// Every field of the mail's own header, in order.
    pub headers: Vec<Header<'x>>,
    /// Decoded, on one line; empty when there is none.
    pub subject: String,
    /// In the normal form of [`normal_message_id`](super::normal_message_id).
    pub message_id: Option<String>,
    pub in_reply_to: Vec<String>,
    /// Oldest first, all of them.
    pub references: Vec<String>,
    pub from: Vec<Address>,
    pub sender: Option<Address>,
    pub reply_to: Vec<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    /// The Date field, `None` when it cannot be read. Not checked against any clock.
    pub date: Option<Timestamp>,
    /// In document order, the root first, containers included.
    pub parts: Vec<Part<'x>>,
    pub truncated: Option<Limit>,
    hint: Option<Charset>,
}

/// The fields of a mail's header without its body: see [`scan_headers`].
#[derive(Debug, Clone)]
pub struct Fields<'x> {
    pub headers: Vec<Header<'x>>,
    pub subject: String,
    pub message_id: Option<String>,
    pub in_reply_to: Vec<String>,
    pub references: Vec<String>,
    pub from: Vec<Address>,
    pub sender: Option<Address>,
    pub reply_to: Vec<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub date: Option<Timestamp>,
    pub truncated: Option<Limit>,
}

/// Reads the header of a mail and nothing behind it, within the default [`Limits`]. The fields are those that
/// [`Mail::parse`] gives, except that raw 8-bit text can be understood otherwise: the charset of the first text part is
/// known here only when the mail has a single part.
pub fn scan_headers(raw: &[u8]) -> Fields<'_> {
    let limits = Limits::default();
    let lines = Lines::of(raw);
    let block = lines.block(lines.skip_preface(0), limits.header_bytes, |_| false);
    let typed = block.headers.iter().find(|header| header.name.eq_ignore_ascii_case("Content-Type"));
    let typed = typed.map(|header| params::parse(&header.unfolded(), None)).unwrap_or_default();
    let hint = typed.param("charset").and_then(charset::for_label);
    Fields::read(block.headers, hint, block.cut.then_some(Limit::HeaderBytes))
}

/// The header of a mail with the empty line behind it: all of it that is no body, as it stands.
pub fn header_block(raw: &[u8]) -> &[u8] {
    let lines = Lines::of(raw);
    &raw[..lines.block(lines.skip_preface(0), Limits::default().header_bytes, |_| false).body]
}

impl<'x> Fields<'x> {
    fn read(mut all: Vec<Header<'x>>, hint: Option<Charset>, truncated: Option<Limit>) -> Fields<'x> {
        for header in &mut all {
            header.hint = hint;
        }
        let headers = all.as_slice();
        let first = |name| named(headers, name).next().map(Header::text);
        let ids =
            |name| named(headers, name).flat_map(|header| id::message_ids(&header.unfolded())).collect();
        let addresses = |name| -> Vec<Address> {
            named(headers, name).flat_map(|h| address::parse(&h.unfolded())).collect()
        };
        let fields = Fields {
            subject: first("Subject").unwrap_or_default(),
            message_id: named(headers, "Message-ID").find_map(|h| id::normal_message_id(&h.unfolded())),
            in_reply_to: ids("In-Reply-To"),
            references: ids("References"),
            from: addresses("From"),
            sender: addresses("Sender").into_iter().next(),
            reply_to: addresses("Reply-To"),
            to: addresses("To"),
            cc: addresses("Cc"),
            bcc: addresses("Bcc"),
            date: named(headers, "Date").find_map(|header| date::parse(&header.text())),
            truncated,
            headers: Vec::new(),
        };
        Fields { headers: all, ..fields }
    }
}

fn named<'a, 'x>(headers: &'a [Header<'x>], name: &'a str) -> impl Iterator<Item = &'a Header<'x>> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name))
}

impl<'x> Mail<'x> {
    /// Reads a mail. Never fails and never panics; memory stays within a small multiple of `raw`.
    pub fn parse(raw: &'x [u8], limits: &Limits) -> Mail<'x> {
        let lines = Lines::of(raw);
        let block = lines.block(lines.skip_preface(0), limits.header_bytes, |_| false);
        let (parts, truncated) = structure::parts(lines, &block.headers, block.body, limits);
        let truncated = block.cut.then_some(Limit::HeaderBytes).or(truncated);
        let hint = parts.iter().find_map(structure::text_charset);
        let fields = Fields::read(block.headers, hint, truncated);
        Mail {
            headers: fields.headers,
            subject: fields.subject,
            message_id: fields.message_id,
            in_reply_to: fields.in_reply_to,
            references: fields.references,
            from: fields.from,
            sender: fields.sender,
            reply_to: fields.reply_to,
            to: fields.to,
            cc: fields.cc,
            bcc: fields.bcc,
            date: fields.date,
            parts,
            truncated: fields.truncated,
            hint,
        }
    }

    /// The first field of this name (any case), decoded and unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        named(&self.headers, name).next().map(Header::text)
    }

    /// All fields of this name (any case), decoded and unfolded, in order.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        named(&self.headers, name).map(Header::text)
    }

    /// What to show as plain text: the `text/plain` bodies in order, or HTML made readable where there is no plain one.
    pub fn text_body(&self) -> Option<String> {
        body::text(self)
    }

    /// The HTML to show, uncleaned; `None` when the mail has none. Plain bodies beside HTML ones are escaped into it.
    pub fn html_body(&self) -> Option<String> {
        body::html(self)
    }

    /// The leaf parts that are shown as body, in document order.
    pub fn body_parts(&self) -> Vec<u32> {
        body::parts(self)
    }

    /// Every other leaf and every attached mail, in document order.
    pub fn attachments(&self) -> Vec<body::Attachment> {
        body::attachments(self)
    }

    /// A leaf's content as text, wrong or missing charset labels repaired; empty for containers and unknown numbers.
    pub fn part_text(&self, part: u32) -> String {
        let Some(part) = self.part(part).filter(|part| part.kind == PartKind::Leaf) else {
            return String::new();
        };
        // The mail's label wins over the page's own, as long as it fits.
        let hint = body::meta_charset(part).and_then(|label| charset::for_label(&label)).or(self.hint);
        charset::without_nul(charset::decode_with(&part.body, part.charset.as_deref(), hint))
    }

    /// The raw bytes of an attached mail, `None` when the part is something else.
    pub fn embedded(&self, part: u32) -> Option<&[u8]> {
        self.part(part).filter(|part| part.kind == PartKind::Message).map(|part| part.body.as_ref())
    }

    pub(super) fn part(&self, index: u32) -> Option<&Part<'x>> {
        self.parts.get(usize::try_from(index).ok()?)
    }
}
