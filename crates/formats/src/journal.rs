//! Journal copies: mail that a server sends to a journal mailbox so that one mailbox serves all users.
//!
//! Two kinds. A **journal report** is a mail of the server's own: a text part with `Sender:` and `Recipient:` lines, and the
//! mail itself attached (Exchange's envelope journaling, which other servers copy). A **plain copy** is the mail itself
//! with its envelope in `X-` headers that the transport put above the sender's own. Without either, To, Cc and
//! Delivered-To must do, which is the caller's business.
//!
//! Believing these lines is a matter of trust in the mailbox: anybody can write them. Only use this on mail that a
//! configured journal took in.

use std::borrow::Cow;

use crate::mime::{Fields, Header, Limits, Mail, PartKind, parse_addresses, scan_headers};

/// What a journal copy held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal<'x> {
    /// The reverse-path: `Some("")` for a null sender.
    pub from: Option<String>,
    /// The forward-paths, lists expanded, each once, in order.
    pub to: Vec<String>,
    /// The mail as it was sent.
    pub raw: Cow<'x, [u8]>,
    pub kind: JournalKind,
}

/// Which form a journal copy had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalKind {
    Report,
    Copy,
}

/// Words with which report lines name recipients; the part before a comma in `To, Expanded` counts.
const RECIPIENT: [&str; 6] = ["recipient", "to", "cc", "bcc", "on-behalf-of", "recipients"];
/// Headers that hold one or more forward-paths. `$`-headers are what Domino's router leaves of Notes items.
const COPY_TO: [&str; 9] = [
    "X-Original-To",
    "X-Envelope-To",
    "Envelope-To",
    "X-RCPT-To",
    "X-Real-To",
    "X-Notes-Recipients",
    "$JournalRecipients",
    "X-Journal-Recipients",
    "X-Envelope-Recipients",
];
/// Headers that hold the reverse-path.
const COPY_FROM: [&str; 5] =
    ["X-Envelope-From", "X-Original-From", "$JournalSender", "X-Journal-Sender", "X-Envelope-Sender"];

/// Unwraps a journal copy; `None` when the mail is neither kind.
pub fn unwrap(raw: &[u8]) -> Option<Journal<'_>> {
    let fields = scan_headers(raw);
    report(raw, &fields).or_else(|| copy(raw, &fields))
}

/// A report: a `message/rfc822` part beside a text of envelope lines. Exchange marks it with `X-MS-Journal-Report`; others
/// are known by their `Sender:` line.
fn report<'x>(raw: &'x [u8], fields: &Fields<'_>) -> Option<Journal<'x>> {
    let marked = has(fields, "X-MS-Journal-Report") || has(fields, "X-MS-Exchange-Generated-Message-Source");
    let typed = fields.headers.iter().find(|header| header.name.eq_ignore_ascii_case("Content-Type"));
    if !typed.is_some_and(|typed| typed.text().to_ascii_lowercase().starts_with("multipart/mixed")) {
        return None;
    }
    let mail = Mail::parse(raw, &Limits { depth: 3, ..Limits::default() });
    let [text, inner, ..] = &top_parts(&mail)[..] else { return None };
    let (text, inner) = (mail.part_text(*text), &mail.parts[*inner as usize]);
    if inner.kind != PartKind::Message {
        return None;
    }
    let envelope = lines(&text);
    let sound = envelope.from.is_some() && (marked || !envelope.to.is_empty());
    let kind = JournalKind::Report;
    // Some servers put the mail in base64, against RFC 2046 section 5.2.1: that one is a copy.
    let raw = inner.body.as_written().map_or_else(|| Cow::Owned(inner.body.to_vec()), Cow::Borrowed);
    sound.then_some(Journal { from: envelope.from, to: envelope.to, raw, kind })
}

/// The children of the root, text first.
fn top_parts(mail: &Mail<'_>) -> Vec<u32> {
    let top = mail.parts.iter().filter(|part| part.parent == Some(0));
    top.map(|part| part.index).collect()
}

#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

impl Envelope {
    fn add(&mut self, address: &str) {
        let known = self.to.iter().any(|to| to.eq_ignore_ascii_case(address));
        if !known && address.contains('@') {
            self.to.push(address.to_owned());
        }
    }
}

fn lines(text: &str) -> Envelope {
    let mut envelope = Envelope::default();
    for line in text.lines() {
        let Some((word, value)) = line.split_once(':') else { continue };
        let word = word.trim().trim_start_matches("\u{feff}").to_ascii_lowercase();
        match word.as_str() {
            "sender" if envelope.from.is_none() => envelope.from = Some(address_of(value)),
            // `Recipient: a@x.example, Expanded: list@x.example`: who got it, and why.
            word if RECIPIENT.contains(&word) => envelope.add(&address_of(value)),
            _ => {}
        }
    }
    envelope
}

/// The address of a line: `"Name" <a@x>`, `<a@x>`, `a@x, Expanded: list@x`, `a@x; Forwarded: b@x`; empty for `<>`.
fn address_of(value: &str) -> String {
    let first = value.split([',', ';']).find(|part| part.contains('@')).unwrap_or_default();
    let inside = first.rsplit_once('<').map_or(first, |(_, inside)| inside);
    let address = inside.trim().trim_end_matches('>').trim();
    address.strip_prefix("SMTP:").or(address.strip_prefix("smtp:")).unwrap_or(address).to_owned()
}

fn copy<'x>(raw: &'x [u8], fields: &Fields<'_>) -> Option<Journal<'x>> {
    let mut envelope = Envelope::default();
    for header in transport(&fields.headers).filter(|header| one_of(header.name, &COPY_TO)) {
        parse_addresses(&header.text()).iter().for_each(|to| envelope.add(&to.address));
    }
    if envelope.to.is_empty() {
        return None;
    }
    let from = transport(&fields.headers).find(|header| one_of(header.name, &COPY_FROM));
    let from = from.map(|header| address_of(&header.text()));
    Some(Journal { from, to: envelope.to, raw: Cow::Borrowed(raw), kind: JournalKind::Copy })
}

/// What stands above the author's own fields: a transport writes at the top, so what comes after From is the sender's
/// word. A mail without From has no such line.
fn transport<'h, 'x>(headers: &'h [Header<'x>]) -> impl Iterator<Item = &'h Header<'x>> {
    headers.iter().take_while(|header| !header.name.eq_ignore_ascii_case("From"))
}

fn one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn has(fields: &Fields<'_>, name: &str) -> bool {
    fields.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INNER: &str =
        "From: Anna <anna@customer.example>\r\nTo: list@crm.example\r\nSubject: Order\r\n\r\nHi\r\n";

    fn exchange(lines: &str, mark: &str) -> String {
        format!(
            "From: <journal@crm.example>\r\nTo: <archive@crm.example>\r\nSubject: Order\r\n{mark}MIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
             {lines}\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n{INNER}\r\n--b--\r\n"
        )
    }

    #[track_caller]
    fn check(raw: &str, from: Option<&str>, to: &[&str], kind: JournalKind) {
        let found = unwrap(raw.as_bytes()).unwrap_or_else(|| panic!("a journal: {raw}"));
        assert_eq!((found.from.as_deref(), found.kind), (from, kind));
        assert_eq!(found.to, to);
        if kind == JournalKind::Report {
            assert_eq!(String::from_utf8_lossy(&found.raw).trim_end(), INNER.trim_end());
        }
    }

    #[track_caller]
    fn check_none(raw: &str) {
        assert_eq!(unwrap(raw.as_bytes()), None, "{raw}");
    }

    #[test]
    fn journal_reports() {
        let lines = "Sender: anna@customer.example\r\nSubject: Order\r\nMessage-Id: <1@x>\r\n\
            To: ben@crm.example, Expanded: list@crm.example\r\nCc: <eva@crm.example>\r\nBcc: hidden@crm.example\r\nTo: BEN@crm.example\r\n";
        let all = ["ben@crm.example", "eva@crm.example", "hidden@crm.example"];
        check(
            &exchange(lines, "X-MS-Journal-Report:\r\n"),
            Some("anna@customer.example"),
            &all,
            JournalKind::Report,
        );
        let old = "Sender: \"Anna, Adler\" <anna@customer.example>\r\nRecipient: ben@crm.example\r\n";
        check(&exchange(old, ""), Some("anna@customer.example"), &["ben@crm.example"], JournalKind::Report);
        let null = "Sender: <>\r\nRecipient: ben@crm.example, Forwarded: eva@crm.example\r\n";
        check(&exchange(null, ""), Some(""), &["ben@crm.example"], JournalKind::Report);
    }

    #[test]
    fn plain_copies() {
        let copy = |heads: &str| format!("{heads}{INNER}");
        check(
            &copy(
                "X-Envelope-From: <anna@customer.example>\r\nX-Envelope-To: ben@crm.example, eva@crm.example\r\n",
            ),
            Some("anna@customer.example"),
            &["ben@crm.example", "eva@crm.example"],
            JournalKind::Copy,
        );
        check(
            &copy("X-Original-To: ben@crm.example\r\nReceived: x\r\nX-Original-To: eva@crm.example\r\n"),
            None,
            &["ben@crm.example", "eva@crm.example"],
            JournalKind::Copy,
        );
        check(
            &copy("$JournalSender: a@x.example\r\n$JournalRecipients: b@x.example\r\n"),
            Some("a@x.example"),
            &["b@x.example"],
            JournalKind::Copy,
        );
    }

    #[test]
    fn other_mail_is_none() {
        check_none(INNER);
        check_none("");
        check_none(&exchange("Please find the mail attached.\r\n", ""));
        check_none(&exchange("Sender: anna@customer.example\r\n", ""));
        check_none(&format!("From: a@x.example\r\nX-Original-To: ben@crm.example\r\n{INNER}"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(raw in prop::collection::vec(any::<u8>(), 0..400)) {
            unwrap(&raw);
        }

        #[test]
        fn any_report_text_is_read(text in any::<String>()) {
            unwrap(exchange(&text, "X-MS-Journal-Report:\r\n").as_bytes());
        }
    }
}
