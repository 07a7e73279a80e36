//! What FETCH says about a message (RFC 3501 section 7.4.2), with Domino's ways.

use bytes::Bytes;

use super::Quirks;
use super::state::Message;
use super::syntax::Token;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Uid,
    Flags,
    InternalDate,
    Size,
    Envelope,
    /// `BODY` or `BODYSTRUCTURE`.
    Structure(&'static str),
    Body(Body),
}

/// A part of the message's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    /// As the answer names it, without the part that was asked for.
    name: String,
    section: Section,
    /// Offset and length.
    partial: Option<(usize, usize)>,
    /// Whether it marks the message as seen.
    marks: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Section {
    All,
    Header,
    Text,
    Fields(Vec<String>),
    NotFields(Vec<String>),
}

/// Whom the answer is for.
pub(super) struct Request<'a> {
    pub number: usize,
    pub uid: u32,
    pub reader: &'a str,
    pub writable: bool,
    pub quirks: Quirks,
}

/// The items asked for; `None` when one is not known.
pub(super) fn items(token: &Token) -> Option<Vec<Item>> {
    let words = match token {
        Token::List(items) => items.iter().map(Token::text).collect::<Option<Vec<_>>>()?,
        token => vec![token.text()?],
    };
    let mut items = Vec::new();
    for word in words {
        match word.to_uppercase().as_str() {
            "FAST" => items.extend([Item::Flags, Item::InternalDate, Item::Size]),
            "ALL" => items.extend([Item::Flags, Item::InternalDate, Item::Size, Item::Envelope]),
            "FULL" => items.extend([
                Item::Flags,
                Item::InternalDate,
                Item::Size,
                Item::Envelope,
                Item::Structure("BODY"),
            ]),
            "UID" => items.push(Item::Uid),
            "FLAGS" => items.push(Item::Flags),
            "INTERNALDATE" => items.push(Item::InternalDate),
            "RFC822.SIZE" => items.push(Item::Size),
            "ENVELOPE" => items.push(Item::Envelope),
            "BODY" => items.push(Item::Structure("BODY")),
            "BODYSTRUCTURE" => items.push(Item::Structure("BODYSTRUCTURE")),
            "RFC822" => items.push(Item::Body(Body::old("RFC822", Section::All, true))),
            "RFC822.HEADER" => items.push(Item::Body(Body::old("RFC822.HEADER", Section::Header, false))),
            "RFC822.TEXT" => items.push(Item::Body(Body::old("RFC822.TEXT", Section::Text, true))),
            word => items.push(Item::Body(Body::parse(word)?)),
        }
    }
    Some(items)
}

impl Body {
    fn old(name: &str, section: Section, marks: bool) -> Body {
        Body { name: name.to_owned(), section, partial: None, marks }
    }

    /// `BODY.PEEK[HEADER.FIELDS (A B)]<0.100>`, in capitals.
    fn parse(word: &str) -> Option<Body> {
        let (start, rest) = word.split_once('[')?;
        let (section, partial) = rest.split_once(']')?;
        let marks = match start {
            "BODY" => true,
            "BODY.PEEK" => false,
            _ => return None,
        };
        let fields = |text: &str| -> Option<Vec<String>> {
            let names = text.trim().strip_prefix('(')?.strip_suffix(')')?;
            Some(names.split_whitespace().map(|name| name.trim_matches('"').to_owned()).collect())
        };
        let parsed = match section {
            "" => Section::All,
            "HEADER" => Section::Header,
            "TEXT" => Section::Text,
            section => match section.strip_prefix("HEADER.FIELDS.NOT") {
                Some(names) => Section::NotFields(fields(names)?),
                None => Section::Fields(fields(section.strip_prefix("HEADER.FIELDS")?)?),
            },
        };
        let partial = match partial {
            "" => None,
            range => {
                let (offset, length) = range.strip_prefix('<')?.strip_suffix('>')?.split_once('.')?;
                Some((offset.parse().ok()?, length.parse().ok()?))
            }
        };
        Some(Body { name: format!("BODY[{section}]"), section: parsed, partial, marks })
    }

    fn answer(&self, raw: &[u8], out: &mut Vec<u8>) {
        let bytes = self.section.of(raw);
        let (origin, bytes) = match self.partial {
            None => (String::new(), &bytes[..]),
            Some((offset, length)) => {
                let start = offset.min(bytes.len());
                (format!("<{offset}>"), &bytes[start..start.saturating_add(length).min(bytes.len())])
            }
        };
        out.extend_from_slice(format!("{}{origin} {{{}}}\r\n", self.name, bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
    }
}

impl Section {
    fn of(&self, raw: &[u8]) -> Vec<u8> {
        let end = raw.windows(4).position(|four| four == b"\r\n\r\n").map_or(raw.len(), |at| at + 4);
        let (header, text) = raw.split_at(end);
        match self {
            Section::All => raw.to_vec(),
            Section::Header => header.to_vec(),
            Section::Text => text.to_vec(),
            Section::Fields(names) => fields(header, |name| names.contains(name)),
            Section::NotFields(names) => fields(header, |name| !names.contains(name)),
        }
    }
}

/// The fields whose name, in capitals, is wanted, with the blank line at the end.
fn fields(header: &[u8], wanted: impl Fn(&String) -> bool) -> Vec<u8> {
    let (mut kept, mut keeping) = (Vec::new(), false);
    for line in header.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            keeping = line != b"\r\n" && wanted(&String::from_utf8_lossy(name).trim().to_uppercase());
        }
        if keeping {
            kept.extend_from_slice(line);
        }
    }
    kept.extend_from_slice(b"\r\n");
    kept
}

/// The whole answer for one message. It marks the message as seen where it must.
pub(super) fn answer(request: &Request<'_>, items: &[Item], message: &mut Message) -> Vec<u8> {
    let marks = items.iter().any(|item| matches!(item, Item::Body(body) if body.marks));
    if marks && request.writable {
        message.seen_by.insert(request.reader.to_owned());
    }
    let raw = body(request, items, message);
    let mut out = format!("* {} FETCH (", request.number).into_bytes();
    let mut first = true;
    for item in items {
        // A message that cannot be converted is answered without its body, and with OK.
        if matches!(item, Item::Body(_)) && message.broken {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(b' ');
        }
        match item {
            Item::Body(body) => body.answer(&raw, &mut out),
            item => out.extend_from_slice(said(item, request, message).as_bytes()),
        }
    }
    out.extend_from_slice(b")\r\n");
    out
}

/// The bytes as they are this time.
fn body(request: &Request<'_>, items: &[Item], message: &mut Message) -> Bytes {
    if !request.quirks.changing_bodies || !items.iter().any(|item| matches!(item, Item::Body(_))) {
        return message.raw.clone();
    }
    message.fetched += 1;
    match message.fetched % 2 {
        1 => message.raw.clone(),
        _ => [&message.raw[..], b"\r\n"].concat().into(),
    }
}

fn said(item: &Item, request: &Request<'_>, message: &Message) -> String {
    match item {
        Item::Uid => format!("UID {}", request.uid),
        Item::Flags => format!("FLAGS ({})", flags(message, request.reader).join(" ")),
        Item::InternalDate => format!("INTERNALDATE \"{}\"", internal_date(request, message)),
        Item::Size => format!("RFC822.SIZE {}", message.raw.len()),
        Item::Envelope => {
            let envelope = "ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
            if request.quirks.extra_parentheses { format!("({envelope})") } else { envelope.to_owned() }
        }
        Item::Structure(name) => format!("{name} {}", structure(message)),
        Item::Body(body) => body.name.clone(),
    }
}

/// The structure of a text without length, whatever the message is; of a bounce, one that no grammar allows.
fn structure(message: &Message) -> &'static str {
    let is_report = message.raw.windows(16).any(|some| some.eq_ignore_ascii_case(b"multipart/report"));
    match is_report {
        true => {
            r#"(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 0 0 NIL)("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 0 () 0) "REPORT" NIL NIL NIL)"#
        }
        false => r#"("TEXT" "PLAIN" NIL NIL NIL "7BIT" 0 0 NIL)"#,
    }
}

fn internal_date(request: &Request<'_>, message: &Message) -> String {
    match request.quirks.dateless {
        Some(divisor) if request.uid.is_multiple_of(divisor) => "00-Jan-0000 00:00:00 +0000".to_owned(),
        _ => message.received.strftime("%d-%b-%Y %H:%M:%S +0000").to_string(),
    }
}

/// The flags as a reader sees them.
pub(super) fn flags(message: &Message, reader: &str) -> Vec<String> {
    let seen = message.seen_by.contains(reader).then(|| "\\Seen".to_owned());
    message.flags.iter().cloned().chain(seen).collect()
}

/// STORE: `FLAGS`, `+FLAGS` or `-FLAGS`.
pub(super) fn store(message: &mut Message, how: &str, flags: &[String], reader: &str) {
    if how == "FLAGS" {
        message.flags.clear();
        message.seen_by.remove(reader);
    }
    for flag in flags {
        let seen = flag.eq_ignore_ascii_case("\\seen");
        match (how == "-FLAGS", seen) {
            (true, true) => drop(message.seen_by.remove(reader)),
            (true, false) => message.flags.retain(|other| !other.eq_ignore_ascii_case(flag)),
            (false, true) => drop(message.seen_by.insert(reader.to_owned())),
            (false, false) => drop(message.flags.insert(system(flag))),
        }
    }
}

/// A system flag in the writing of the standard.
fn system(flag: &str) -> String {
    let known = ["\\Answered", "\\Flagged", "\\Deleted", "\\Draft"];
    known.iter().find(|known| known.eq_ignore_ascii_case(flag)).map_or(flag, |known| known).to_owned()
}
