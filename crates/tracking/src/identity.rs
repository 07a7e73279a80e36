//! When two copies are one mail (`mail-tracking.md` 3.3).
//!
//! Gateways refold headers, encode subjects anew, add footers and rewrite bodies, so the raw bytes say nothing. A mail is
//! known by its Message-ID together with From, Date and Subject: an id alone is reused by broken programs, and Domino's bounces
//! carry the id of the mail that failed. Without an id, the recipients and the first words stand in for it.

use std::borrow::Cow;

use jiff::Timestamp;
use postroom_core::address;
use postroom_formats::mime::{self, Mail, PartKind};
use sha2::{Digest, Sha256};

use crate::token::{find_tokens, visible, without_tokens};

/// Changing what goes into a key makes every stored mail a stranger: this number changes with it.
const VERSION: &[u8] = b"postroom identity 2";
/// Of the first text part only so much counts: footers and disclaimers are added at the end.
const TEXT_CHARS: usize = 200;

/// Who a mail is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Unique among stored mails; take it before anything is written to the CRM.
    pub key: [u8; 32],
    /// Normalised; the same id under another key is a reused id, which is worth a flag.
    pub message_id: Option<String>,
}

/// What the identity is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    /// Normalised (`mime::normal_message_id`).
    pub message_id: Option<String>,
    /// The first author's address.
    pub from: String,
    pub date: Sent,
    /// Decoded.
    pub subject: String,
    pub to: Vec<String>,
    /// The start of the first text part; only looked at when there is no Message-ID.
    pub text: String,
}

/// The Date header, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sent {
    /// Second precision is all that counts.
    At(Timestamp),
    /// A date nobody can read still tells two mails apart.
    Odd(String),
    #[default]
    Missing,
}

impl Fields {
    pub fn of(mail: &Mail<'_>) -> Fields {
        let text = match mail.message_id {
            Some(_) => String::new(),
            None => first_text(mail),
        };
        Fields {
            message_id: mail.message_id.clone(),
            from: mail.from.first().map(|from| from.address.clone()).unwrap_or_default(),
            date: Sent::of(mail.date, mail.header("Date")),
            subject: mail.subject.clone(),
            to: mail.to.iter().map(|to| to.address.clone()).collect(),
            text,
        }
    }

    pub fn identity(&self) -> Identity {
        Identity { key: key(self), message_id: self.message_id.clone() }
    }
}

impl Sent {
    fn of(read: Option<Timestamp>, written: Option<String>) -> Sent {
        match (read, written) {
            (Some(at), _) => Sent::At(at),
            (None, Some(odd)) if !odd.trim().is_empty() => Sent::Odd(odd),
            _ => Sent::Missing,
        }
    }

    fn text(&self) -> String {
        match self {
            Sent::At(at) => at.as_second().to_string(),
            Sent::Odd(odd) => visible(odd).collect(),
            Sent::Missing => String::new(),
        }
    }
}

/// The identity of a raw mail, the same as [`Fields::of`] the parsed one gives. Mostly the headers are enough; the body
/// is read when there is no Message-ID, and when its charset may be needed to read the headers.
pub fn identify(raw: &[u8], limits: &mime::Limits) -> Identity {
    let headers = mime::scan_headers(raw);
    match headers.message_id.is_some() && headers.headers.iter().all(is_plain) {
        true => of_headers(headers).identity(),
        false => Fields::of(&Mail::parse(raw, limits)).identity(),
    }
}

/// Whether a header that the key needs can be read without knowing the mail's charset.
fn is_plain(header: &mime::Header<'_>) -> bool {
    let needed =
        ["From", "Subject", "Date", "Message-ID"].iter().any(|name| header.name.eq_ignore_ascii_case(name));
    !needed || header.value.iter().all(|byte| byte.is_ascii() && *byte != ESCAPE)
}

/// Begins a change of character set in ISO-2022-JP, which is all ASCII bytes.
const ESCAPE: u8 = 0x1b;

fn of_headers(headers: mime::Fields<'_>) -> Fields {
    let date = headers.headers.iter().find(|header| header.name.eq_ignore_ascii_case("Date"));
    Fields {
        from: headers.from.first().map(|from| from.address.clone()).unwrap_or_default(),
        date: Sent::of(headers.date, date.map(mime::Header::text)),
        to: headers.to.iter().map(|to| to.address.clone()).collect(),
        message_id: headers.message_id,
        subject: headers.subject,
        text: String::new(),
    }
}

/// The key under which a mail is known: equal for copies of one mail, however they travelled.
pub fn key(fields: &Fields) -> [u8; 32] {
    let mut hash = Sha256::new();
    put(&mut hash, VERSION);
    put(&mut hash, fields.message_id.as_deref().unwrap_or_default().as_bytes());
    put(&mut hash, address::normal(&fields.from).as_bytes());
    put(&mut hash, fields.date.text().as_bytes());
    // White space comes and goes where encoded words and folds meet.
    put(&mut hash, visible(&subject(fields)).collect::<String>().as_bytes());
    if fields.message_id.is_none() {
        let mut to: Vec<String> = fields.to.iter().map(|to| address::normal(to)).collect();
        to.sort();
        put(&mut hash, to.join("\n").as_bytes());
        put(&mut hash, visible(&fields.text).take(TEXT_CHARS).collect::<String>().as_bytes());
    }
    hash.finalize().into()
}

/// A mail that was stamped on its way and its unstamped copy in Sent are one mail: the token does not count, as long as a
/// Message-ID tells mails apart.
fn subject(fields: &Fields) -> Cow<'_, str> {
    match fields.message_id {
        Some(_) if !find_tokens(&fields.subject).is_empty() => without_tokens(&fields.subject).into(),
        _ => fields.subject.as_str().into(),
    }
}

/// The length first, so that no two lists of values give one text.
fn put(hash: &mut Sha256, value: &[u8]) {
    hash.update((value.len() as u64).to_be_bytes());
    hash.update(value);
}

/// The first text/plain part, else the first other text.
fn first_text(mail: &Mail<'_>) -> String {
    let texts = || {
        let leaves = mail.parts.iter().filter(|part| part.kind == PartKind::Leaf);
        leaves.filter(|part| part.disposition.as_deref() != Some("attachment"))
    };
    let plain = texts().find(|part| part.content_type == "text/plain");
    let part = plain.or_else(|| texts().find(|part| part.content_type.starts_with("text/")));
    part.map(|part| mail.part_text(part.index)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "From: Anna <anna@customer.example>\r\nTo: sales@crm.example\r\nDate: Mon, 6 Jan 2025 08:00:00 +0000\r\n\
        Subject: =?utf-8?B?UsOpY2xhbWF0aW9uIGFwcsOocyBsYSBkZXJuacOocmUgdmlzaXRl?=\r\nMessage-ID: <Abc.1@customer.example>\r\n\
        \r\nHello\r\n";

    fn identity(raw: &str) -> Identity {
        let limits = mime::Limits::default();
        let quick = identify(raw.as_bytes(), &limits);
        assert_eq!(quick, Fields::of(&Mail::parse(raw.as_bytes(), &limits)).identity(), "{raw}");
        quick
    }

    #[track_caller]
    fn check_same(raw: &str, from: &str, to: &str) {
        let changed = raw.replace(from, to);
        assert_ne!(raw, changed, "the mail holds {from:?}");
        assert_eq!(identity(raw).key, identity(&changed).key, "{changed}");
    }

    #[track_caller]
    fn check_other(raw: &str, from: &str, to: &str) {
        let changed = raw.replace(from, to);
        assert_ne!(identity(raw).key, identity(&changed).key, "{changed}");
    }

    const SUBJECT: &str = "=?utf-8?B?UsOpY2xhbWF0aW9uIGFwcsOocyBsYSBkZXJuacOocmUgdmlzaXRl?=";

    #[test]
    fn a_stamp_makes_no_other_mail() {
        let token = crate::token::make(uuid::Uuid::from_u128(7));
        let plain = PLAIN.replace(SUBJECT, "Offer");
        check_same(&plain, "Offer", &format!("Offer {token}"));
        let nameless = plain.replace("Message-ID: <Abc.1@customer.example>\r\n", "");
        check_other(&nameless, "Offer", &format!("Offer {token}"));
    }

    #[test]
    fn gateways_change_nothing() {
        check_same(PLAIN, "\r\n", "\n");
        check_same(PLAIN, SUBJECT, "=?iso-8859-1?Q?R=E9clamation_apr=E8s_la_derni=E8re_visite?=");
        check_same(PLAIN, SUBJECT, "Réclamation après la dernière visite");
        check_same(
            PLAIN,
            SUBJECT,
            "=?iso-8859-1?Q?R=E9clamation_apr=E8s?=\r\n =?iso-8859-1?Q?_la_?=\r\n\t=?iso-8859-1?Q?derni=E8re_visite?=",
        );
        check_same(
            PLAIN,
            SUBJECT,
            "=?utf-8?Q?R=C3=A9clamation_apr=C3=A8s__la_derni=C3=A8re_?= =?utf-8?Q?visi?=\r\n te",
        );
        check_same(PLAIN, "Subject: ", "Subject:\r\n\t");
        check_same(
            PLAIN,
            "Message-ID: <Abc.1@customer.example>",
            "Message-Id:\r\n  <Abc.1@CUSTOMER.example>",
        );
        check_same(PLAIN, "Anna <anna@customer.example>", "\"Adler, Anna\" <Anna@Customer.Example>");
        check_same(PLAIN, "Mon, 6 Jan 2025 08:00:00 +0000", "6 Jan 2025 09:00:00 +0100 (CET)");
        check_same(PLAIN, "sales@crm.example", "other@crm.example");
        check_same(PLAIN, "Hello", "Hello\r\n-- \r\nThis mail was checked.");
        check_same(
            PLAIN,
            "From: ",
            "Received: from a by b; Mon, 6 Jan 2025 08:00:01 +0000\r\nX-Spam: no\r\nFrom: ",
        );
    }

    #[test]
    fn a_reused_id_is_another_mail() {
        check_other(PLAIN, "anna@", "ben@");
        check_other(PLAIN, "08:00:00", "08:00:01");
        check_other(PLAIN, SUBJECT, "Something else");
        check_other(PLAIN, "Abc.1", "abc.1");
        check_other(PLAIN, "Abc.1", "Abc.2");
    }

    #[test]
    fn a_domino_bounce_is_not_the_mail_whose_id_it_carries() {
        let bounce = PLAIN.replace("anna@customer.example", "postmaster@customer.example");
        assert_ne!(identity(PLAIN).key, identity(&bounce).key);
        assert_eq!(identity(PLAIN).message_id, identity(&bounce).message_id);
    }

    #[test]
    fn without_an_id() {
        let raw = PLAIN.replace("Message-ID: <Abc.1@customer.example>\r\n", "");
        assert_eq!(identity(&raw).message_id, None);
        check_same(&raw, "\r\n", "\n");
        check_same(&raw, SUBJECT, "Réclamation après la dernière visite");
        check_same(&raw, "Hello", "  Hello  \r\n");
        check_other(&raw, "Hello", "Goodbye");
        check_other(&raw, "sales@", "service@");
        check_other(&raw, "08:00:00", "08:00:01");
        assert_ne!(identity(PLAIN).key, identity(&raw).key);
    }

    #[test]
    fn a_footer_behind_a_long_text_without_an_id() {
        let raw = PLAIN
            .replace("Message-ID: <Abc.1@customer.example>\r\n", "")
            .replace("Hello", &"Hello ".repeat(60));
        check_same(&raw, "Hello \r\n", "Hello \r\n-- \r\nThis mail was checked.\r\n");
    }

    #[test]
    fn the_charset_of_the_body_explains_a_raw_subject() {
        let raw = PLAIN.replace(SUBJECT, "R\u{E9}sum\u{E9}").replace(
            "\r\n\r\nHello",
            "\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-7\r\n\r\nHello",
        );
        let bytes: Vec<u8> = raw.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let limits = mime::Limits::default();
        assert_eq!(identify(&bytes, &limits), Fields::of(&Mail::parse(&bytes, &limits)).identity());
    }

    #[test]
    fn odd_dates_still_tell_apart() {
        check_other(&PLAIN.replace("Mon, 6 Jan 2025 08:00:00 +0000", "someday"), "someday", "another day");
        check_same(&PLAIN.replace("Mon, 6 Jan 2025 08:00:00 +0000", "some day"), "some day", "some\r\n day");
    }

    #[test]
    fn an_empty_mail_has_an_identity() {
        assert_eq!(identity("").key, identity("\r\n").key);
    }
}
