//! Mail that a journal mailbox holds: the mail server copied it there for everybody's sake, inside a report or with its
//! envelope in headers. It is stored as the mail that it is a copy of.
//!
//! Only mailboxes that an administrator marked as journals are opened: anybody can write such a report.

use postroom_core::{Direction, Envelope, Incoming, address};
use postroom_formats::journal;
use postroom_formats::mime::{parse_addresses, scan_headers};

use crate::rules::Rules;

/// The mail inside, when this one came into a journal; else the mail itself.
pub(crate) fn opened(mail: Incoming, rules: &Rules) -> Incoming {
    if !is_journal(&mail, rules) {
        return mail;
    }
    let Some(inner) = journal::unwrap(&mail.raw) else { return addressed(mail, rules) };
    let raw = match inner.raw {
        std::borrow::Cow::Borrowed(bytes) => mail.raw.slice_ref(bytes),
        std::borrow::Cow::Owned(bytes) => bytes.into(),
    };
    let ours = inner.from.as_deref().is_some_and(|from| is_ours(from, rules));
    let direction = if ours { Direction::Outgoing } else { Direction::Incoming };
    let envelope = Envelope { from: inner.from, to: inner.to };
    // Whose mail it is the envelope says; the journal is nobody's.
    Incoming { mailbox: None, folder: None, direction, envelope, raw, ..mail }
}

/// Neither kind of copy: its own headers say whose it is. One that names nobody of ours stays the journal's.
fn addressed(mail: Incoming, rules: &Rules) -> Incoming {
    let fields = scan_headers(&mail.raw);
    let of = |names: &[&str]| -> Vec<String> {
        let named = fields.headers.iter();
        let named = named.filter(|header| names.iter().any(|name| header.name.eq_ignore_ascii_case(name)));
        named.flat_map(|header| parse_addresses(&header.text())).map(|address| address.address).collect()
    };
    let (from, to) = (of(&["From"]).into_iter().next(), of(&["To", "Cc", "Delivered-To"]));
    let is_users = |address: &String| {
        let found = rules.mailbox_of([address.as_str()]);
        found.map_or_else(|| is_ours(address, rules), |mailbox| !mailbox.journal)
    };
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

    #[test]
    fn a_report_that_comes_elsewhere_is_a_mail_like_any_other() {
        for (mailbox, to) in [(Some("ines"), ""), (None, "ines@demo.example"), (None, "")] {
            let mail = opened(incoming(mailbox, to), &rules());
            assert_eq!(mail.raw, REPORT.as_bytes());
        }
    }
}
