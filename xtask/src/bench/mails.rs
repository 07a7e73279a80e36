//! Mails as they go over the wire.

use std::fmt::Write as _;

/// A mail with its envelope, ready for the wire.
#[derive(Debug, Clone)]
pub struct Mail {
    /// MAIL, RCPT and DATA.
    pub envelope: String,
    /// The text with leading dots doubled, and the dot that ends it (RFC 5321 section 4.5.2).
    pub wire: Vec<u8>,
}

impl Mail {
    /// From text with CRLF line ends.
    pub fn new(from: &str, to: &str, raw: &[u8]) -> Mail {
        let mut wire = Vec::with_capacity(raw.len() + 64);
        for line in raw.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
        }
        if !wire.ends_with(b"\r\n") {
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        Mail { envelope: format!("MAIL FROM:<{from}>\r\nRCPT TO:<{to}>\r\nDATA\r\n"), wire }
    }
}

const WORDS: [&str; 32] = [
    "account",
    "agree",
    "answer",
    "balance",
    "branch",
    "capacity",
    "change",
    "client",
    "contact",
    "delivery",
    "device",
    "discuss",
    "estimate",
    "evening",
    "extra",
    "figure",
    "general",
    "holiday",
    "install",
    "invoice",
    "level",
    "maintain",
    "meeting",
    "narrow",
    "notice",
    "order",
    "payment",
    "quarter",
    "repair",
    "sample",
    "warranty",
    "yesterday",
];

/// Words in an order that looks like none, the same on every machine.
struct Dice(u64);

impl Dice {
    fn word(&mut self) -> &'static str {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        WORDS[(self.0 >> 59) as usize]
    }
}

/// Mail `number` of a series: a reply with the token of a record, `size` bytes or a little more, its own Message-ID.
pub fn letter(series: &str, number: usize, size: usize, record: &str, from: &str, to: &str) -> Vec<u8> {
    let mut text = format!(
        "Received: from mx.customer.example (mx.customer.example [192.0.2.7])\r\n\tby mail.crm.example (Postfix) with \
         ESMTPS id {number:08X}\r\n\tfor <{to}>; Mon, 2 Nov 2026 10:00:00 +0000\r\nFrom: <{from}>\r\nTo: <{to}>\r\n\
         Subject: Re: Your order {number} CRM: {record}:MRC\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n\
         Message-ID: <{series}.{number}@customer.example>\r\nIn-Reply-To: <out.{series}.{number}@crm.example>\r\n\
         References: <out.{series}.{number}@crm.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\nNumber {number} of {series}\r\n"
    );
    let mut dice = Dice(number as u64 + 1);
    while text.len() < size {
        let line: Vec<&str> = (0..9).map(|_| dice.word()).collect();
        let _ = write!(text, "{}\r\n", line.join(" ")); // a String takes everything
    }
    text.into_bytes()
}

/// Paragraphs of about `size` bytes, the same each time.
pub fn html(size: usize) -> String {
    let (mut dice, mut text) = (Dice(1), String::new());
    while text.len() < size {
        let line: Vec<&str> = (0..40).map(|_| dice.word()).collect();
        let _ = write!(text, "<p>{}</p>", line.join(" ")); // a String takes everything
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, wire: &str) {
        let mail = Mail::new("", "b@y.example", raw.as_bytes());
        assert_eq!(mail.envelope, "MAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n");
        assert_eq!(String::from_utf8(mail.wire).unwrap(), wire);
    }

    #[test]
    fn dots_are_doubled_and_the_end_is_marked() {
        check("a\r\n", "a\r\n.\r\n");
        check(".\r\n..b\r\n", "..\r\n...b\r\n.\r\n");
        check("no end", "no end\r\n.\r\n");
    }

    #[test]
    fn letters_differ_and_have_their_size() {
        let letter = |number| letter("s", number, 9000, "0f", "a@x.example", "b@y.example");
        let (one, two) = (letter(1), letter(2));
        assert!((9000..9100).contains(&one.len()), "{}", one.len());
        assert_ne!(one, two);
        assert_eq!(one, letter(1));
        assert!(String::from_utf8(one).unwrap().contains("Message-ID: <s.1@customer.example>\r\n"));
    }
}
