//! A fetched message as the store wants it: what the transport knew is read from the fields that mail servers add on
//! delivery. The bytes stay as they came.

use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::mail::Authentication;
use postroom_core::{Direction, Envelope, Incoming, Source};
use sha2::{Digest as _, Sha256};

/// Fields in which servers note whom a mail was delivered to.
const DELIVERED: [&str; 4] = ["delivered-to", "x-original-to", "envelope-to", "x-envelope-to"];
/// The most of a mail that is searched for fields.
const LONGEST_HEAD: usize = 256 << 10;

/// Where a message was seen.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    pub mailbox: &'a str,
    pub host: &'a str,
    /// As the server names it, decoded.
    pub folder: &'a str,
    /// As it is configured: what the rules know it by.
    pub called: &'a str,
    pub uid_validity: u32,
    pub uid: u32,
    pub direction: Direction,
    pub at: Timestamp,
}

/// Makes the mail that is handed over.
pub fn incoming(seen: Sighting<'_>, raw: Bytes) -> Incoming {
    Incoming {
        source: Source::Imap,
        direction: seen.direction,
        mailbox: Some(seen.mailbox.to_owned()),
        folder: Some(seen.called.to_owned()),
        envelope: envelope(&raw),
        source_id: Some(format!("{}/{}/{}/{}", seen.host, seen.folder, seen.uid_validity, seen.uid)),
        peer: None,
        authentication: Authentication::Unknown,
        received_at: seen.at,
        raw,
    }
}

fn envelope(raw: &[u8]) -> Envelope {
    let mut envelope = Envelope::default();
    for (name, value) in fields(raw) {
        if name == "return-path" && envelope.from.is_none() {
            envelope.from = Some(address(&value));
        } else if DELIVERED.contains(&name.as_str()) {
            for to in value.split(',').map(address).filter(|to| !to.is_empty()) {
                if !envelope.to.contains(&to) {
                    envelope.to.push(to);
                }
            }
        }
    }
    envelope
}

fn address(text: &str) -> String {
    let inside =
        text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(text, |(inside, _)| inside);
    inside.trim().to_owned()
}

/// A short name of a message, from the fields that a server does not touch: to notice that a UID now names another one.
pub fn fingerprint(head: &[u8]) -> String {
    let mut digest = Sha256::new();
    for wanted in ["message-id", "date", "from"] {
        let value = fields(head).find(|(name, _)| name == wanted).map(|(_, value)| value).unwrap_or_default();
        let words: Vec<&str> = value.split_whitespace().collect();
        digest.update(words.join(" ").as_bytes());
        digest.update([0]);
    }
    let digest = digest.finalize();
    digest[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Header fields: name in lower case, value unfolded. Ends at the empty line.
fn fields(raw: &[u8]) -> impl Iterator<Item = (String, String)> {
    let mut rest = &raw[..raw.len().min(LONGEST_HEAD)];
    std::iter::from_fn(move || {
        let mut field = line(&mut rest)?;
        if field.is_empty() {
            rest = &[];
            return None;
        }
        let mut value = String::new();
        let at = field.iter().position(|byte| *byte == b':').unwrap_or(0);
        let name = String::from_utf8_lossy(&field[..at]).trim().to_ascii_lowercase();
        field = &field[(at + 1).min(field.len())..];
        value.push_str(&String::from_utf8_lossy(field));
        while matches!(rest.first(), Some(b' ' | b'\t')) {
            value.push_str(&String::from_utf8_lossy(line(&mut rest)?));
        }
        Some((name, value.trim().to_owned()))
    })
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let line = &rest[..end];
    *rest = &rest[(end + 1).min(rest.len())..];
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mail: &str, from: Option<&str>, to: &[&str]) {
        for mail in [mail.to_owned(), mail.replace('\n', "\r\n")] {
            let found = envelope(mail.as_bytes());
            assert_eq!(found.from.as_deref(), from, "{mail}");
            assert_eq!(found.to, to, "{mail}");
        }
    }

    #[test]
    fn envelopes() {
        check(
            "Return-Path: <a@b.example>\nDelivered-To: c@d.example\n\nx",
            Some("a@b.example"),
            &["c@d.example"],
        );
        check("Return-Path: <>\n\n", Some(""), &[]);
        check("Subject: x\n\nReturn-Path: <a@b.example>\n", None, &[]);
        check(
            "X-Original-To: a@b\nDelivered-To: a@b\nEnvelope-To: c@d, e@f\n\n",
            None,
            &["a@b", "c@d", "e@f"],
        );
        check("Delivered-To:\n <a@b>\nno field\n: x\n\n", None, &["a@b"]);
        check("", None, &[]);
    }

    #[test]
    fn fingerprints_ignore_folding_and_other_fields() {
        let whole = b"Received: x\r\nMessage-ID: <1@a>\r\nDate: today\r\nFrom: A\r\n <a@b>\r\n\r\nbody";
        assert_eq!(fingerprint(whole), fingerprint(b"From:  A <a@b>\nDate: today\nMessage-Id: <1@a>\n\n"));
        assert_ne!(fingerprint(whole), fingerprint(b"Message-ID: <2@a>\n\n"));
    }
}
