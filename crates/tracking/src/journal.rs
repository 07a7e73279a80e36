//! Mail that a journal mailbox holds: the mail server copied it there for everybody's sake, inside a report or with its
//! envelope in headers. It is stored as the mail that it is a copy of.
//!
//! Only mailboxes that an administrator marked as journals are opened: anybody can write such a report.

use postroom_core::{Direction, Envelope, Incoming, address};
use postroom_formats::journal::{self, JournalKind};
use postroom_formats::mime::{parse_addresses, scan_headers};

use crate::rules::Rules;

/// The mail inside, when this one came into a journal; else the mail itself.
pub(crate) fn opened(mail: Incoming, rules: &Rules) -> Incoming {
    if !is_journal(&mail, rules) {
        return mail;
    }
    let Some(mut inner) = journal::unwrap(&mail.raw) else { return addressed(mail, rules) };
    // Servers note on each copy that it was delivered here, which says nothing of whom the mail was for.
    inner.to.retain(|to| !is_a_journals(to, rules));
    if inner.kind == JournalKind::Copy && inner.to.is_empty() {
        return addressed(mail, rules);
    }
    let raw = match inner.raw {
        std::borrow::Cow::Borrowed(bytes) => mail.raw.slice_ref(bytes),
        std::borrow::Cow::Owned(bytes) => bytes.into(),
    };
    let from = inner.from.or_else(|| author(&raw));
    let ours = from.as_deref().is_some_and(|from| is_ours(from, rules));
    let direction = if ours { Direction::Outgoing } else { Direction::Incoming };
    let envelope = Envelope { from, to: inner.to };
    // Whose mail it is the envelope says; the journal is nobody's.
    Incoming { mailbox: None, folder: None, direction, envelope, raw, ..mail }
}

/// Neither kind of copy: its own headers say whose it is. One that names nobody of ours stays the journal's.
fn addressed(mail: Incoming, rules: &Rules) -> Incoming {
    let from = author(&mail.raw);
    let mut to = named(&mail.raw, &["To", "Cc", "Delivered-To"]);
    to.retain(|to| !is_a_journals(to, rules));
    let is_users = |address: &String| !is_a_journals(address, rules) && is_ours(address, rules);
    let ours = from.as_ref().is_some_and(is_users);
    if !ours && !to.iter().any(is_users) {
        return mail;
    }
    let direction = if ours { Direction::Outgoing } else { Direction::Incoming };
    Incoming { mailbox: None, folder: None, direction, envelope: Envelope { from, to }, ..mail }
}

fn is_journal(mail: &Incoming, rules: &Rules) -> bool {
    let named = mail.mailbox.as_deref().and_then(|name| rules.mailbox_named(name));
    match named {
        Some(mailbox) => mailbox.journal,
        // By SMTP and LMTP the recipients say where it goes.
        None => mail
            .envelope
            .to
            .iter()
            .any(|to| rules.mailbox_of([to.as_str()]).is_some_and(|found| found.journal)),
    }
}

/// Who wrote it, by its header.
fn author(raw: &[u8]) -> Option<String> {
    named(raw, &["From"]).into_iter().next()
}

/// The addresses in these fields.
fn named(raw: &[u8], names: &[&str]) -> Vec<String> {
    let fields = scan_headers(raw);
    let named = fields.headers.iter();
    let named = named.filter(|header| names.iter().any(|name| header.name.eq_ignore_ascii_case(name)));
    named.flat_map(|header| parse_addresses(&header.text())).map(|address| address.address).collect()
}

/// Whether it is the address of a journal, and so nobody's.
fn is_a_journals(address: &str, rules: &Rules) -> bool {
    rules.mailbox_of([address]).is_some_and(|mailbox| mailbox.journal)
}

/// Whether a sender is one of us: a tracked mailbox, or an address in an internal domain.
fn is_ours(from: &str, rules: &Rules) -> bool {
    rules.mailbox_of([from]).is_some() || rules.never.is_internal(&address::normal(from))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;
    use postroom_core::Source;
    use postroom_core::mail::Authentication;

    use super::*;
    use crate::rules::Mailbox;

    const REPORT: &str = "From: postmaster@demo.example\r\nTo: journal@demo.example\r\nX-MS-Journal-Report: \r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nSender: ines@demo.example\r\nMessage-ID: <1@demo.example>\r\nTo: anna@customer.example\r\n\
        \r\n--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: ines@demo.example\r\nTo: anna@customer.example\r\nMessage-ID: <1@demo.example>\r\n\
        Subject: Offer\r\n\r\nHello\r\n--b--\r\n";

    fn rules() -> Rules {
        let mailbox = |name: &str, journal| Mailbox {
            name: name.into(),
            addresses: vec![format!("{name}@demo.example")],
            journal,
            ..Mailbox::default()
        };
        Rules {
            mailboxes: vec![mailbox("journal", true), mailbox("ines", false)],
            ..Rules::new(uuid::Uuid::nil())
        }
    }

    fn incoming(mailbox: Option<&str>, to: &str) -> Incoming {
        Incoming {
            source: Source::Imap,
            direction: Direction::Incoming,
            mailbox: mailbox.map(str::to_owned),
            folder: None,
            envelope: Envelope { from: None, to: vec![to.to_owned()] },
            source_id: None,
            peer: None,
            authentication: Authentication::Unknown,
            received_at: Timestamp::UNIX_EPOCH,
            raw: Bytes::from_static(REPORT.as_bytes()),
        }
    }

    #[test]
    fn a_journal_report_is_the_mail_inside() {
        for (mailbox, to) in [(Some("journal"), ""), (None, "journal@demo.example")] {
            let mail = opened(incoming(mailbox, to), &rules());
            assert!(mail.raw.starts_with(b"From: ines@demo.example"), "{:?}", mail.raw);
            assert_eq!((mail.direction, mail.mailbox), (Direction::Outgoing, None));
            assert_eq!(mail.envelope.from.as_deref(), Some("ines@demo.example"));
            assert_eq!(mail.envelope.to, ["anna@customer.example"]);
        }
    }

    /// A plain copy: whose mail it is, which way it went, and to whom.
    #[track_caller]
    fn check(heads: &str, from: &str, to: &str, expected: (Direction, &str, &[&str])) {
        let raw = format!("{heads}From: {from}\r\nTo: {to}\r\nSubject: Offer\r\n\r\nHello\r\n");
        let copy = Incoming { raw: raw.clone().into(), ..incoming(Some("journal"), "journal@demo.example") };
        let mail = opened(copy, &rules());
        assert_eq!(mail.mailbox, None, "{raw}");
        let from = mail.envelope.from.unwrap_or_default();
        assert_eq!((mail.direction, from.as_str()), (expected.0, expected.1), "{raw}");
        assert_eq!(mail.envelope.to, expected.2, "{raw}");
    }

    #[test]
    fn a_plain_copy_is_for_those_it_names_but_for_the_journal() {
        use Direction::{Incoming, Outgoing};
        let (ines, anna) = ("ines@demo.example", "anna@customer.example");
        let journal = "X-Original-To: journal@demo.example\r\nDelivered-To: journal@demo.example\r\n";
        check(journal, anna, ines, (Incoming, anna, &[ines]));
        check(journal, ines, anna, (Outgoing, ines, &[anna]));
        let both = format!("{journal}X-Envelope-To: {ines}\r\n");
        check(&both, anna, "list:;", (Incoming, anna, &[ines]));
        // Nothing tells who sent it but the mail itself.
        check(&format!("X-Envelope-To: {anna}\r\n"), ines, "list:;", (Outgoing, ines, &[anna]));
        check("", anna, ines, (Incoming, anna, &[ines]));
    }

    #[test]
    fn a_report_that_comes_elsewhere_is_a_mail_like_any_other() {
        for (mailbox, to) in [(Some("ines"), ""), (None, "ines@demo.example"), (None, "")] {
            let mail = opened(incoming(mailbox, to), &rules());
            assert_eq!(mail.raw, REPORT.as_bytes());
        }
    }
}
