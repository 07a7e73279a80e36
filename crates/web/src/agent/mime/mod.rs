//! Writing mail: RFC 5322 lines, RFC 2047 words, RFC 2231 parameters, RFC 2045 bodies.
//!
//! Only writing, only from text that was checked for control characters. Boundaries are hashes of what they part, so the
//! same content makes the same bytes, and no content can hold its own boundary.

pub(super) mod address;
mod body;
mod param;
mod words;

pub(super) use body::{Entity, body};

/// RFC 5322 section 2.1.1: lines end here where they can be broken.
const LINE: usize = 78;

/// Fields that hold addresses: their display names are encoded, their addresses are not.
const ADDRESSES: [&str; 16] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "resent-from",
    "resent-sender",
    "resent-to",
    "resent-cc",
    "resent-reply-to",
    "disposition-notification-to",
    "return-receipt-to",
    "errors-to",
    "mail-followup-to",
    "mail-reply-to",
    "delivered-to",
];
/// Fields with a grammar in which encoded words mean nothing. Non-ASCII stands there as it is (RFC 6532).
const STRUCTURED: [&str; 12] = [
    "message-id",
    "in-reply-to",
    "references",
    "date",
    "received",
    "return-path",
    "resent-date",
    "resent-message-id",
    "dkim-signature",
    "authentication-results",
    "autocrypt",
    "list-id",
];

/// Appends one header field, encoded and folded.
pub(super) fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    let lower = name.to_ascii_lowercase();
    let value = value.trim();
    let text = if value.is_ascii() || STRUCTURED.contains(&lower.as_str()) {
        value.to_owned()
    } else if ADDRESSES.contains(&lower.as_str()) {
        address::encoded(value)
    } else {
        words::encode(value)
    };
    let mut line = format!("{name}:");
    for word in text.split([' ', '\t']) {
        // A line of white space alone would end the header.
        if !word.is_empty() && line.len() + 1 + word.len() > LINE && line.trim() != format!("{name}:") {
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    out.extend_from_slice(line.trim_end().as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, expected: &str) {
        let mut out = Vec::new();
        header(&mut out, name, value);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn fields() {
        check("Subject", "Hello", "Subject: Hello\r\n");
        check("Subject", "", "Subject:\r\n");
        check("Subject", "Grüße", "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n");
        check("From", "Jörg <j@x.example>", "From: =?utf-8?B?SsO2cmc=?= <j@x.example>\r\n");
        check("Message-ID", "<ü@x.example>", "Message-ID: <ü@x.example>\r\n");
    }

    #[test]
    fn long_fields_fold_at_spaces() {
        let ids = ["<0123456789012345678901234567890@mail.example>"; 3].join(" ");
        let mut out = Vec::new();
        header(&mut out, "References", &ids);
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.len() <= LINE), "{text}");
        assert_eq!(text.lines().count(), 3);
    }
}
