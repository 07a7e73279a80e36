//! Transfer encodings (RFC 2045 section 6), undone without ever giving up: what is no code stays as it is.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;

/// How a body was made fit for transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// `7bit`, `8bit`, `binary`, and whatever else stands there (`7-bit`, `text/html`).
    Identity,
    Base64,
    QuotedPrintable,
    Uuencode,
}

impl Transfer {
    /// Reads a Content-Transfer-Encoding, with the quotes, comments and semicolons that some add.
    pub(super) fn of(value: &str) -> Transfer {
        let separator = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '(' | ',');
        let word = value.split(separator).find(|word| !word.is_empty()).unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            "base64" | "base-64" | "b64" | "b" => Transfer::Base64,
            "quoted-printable" | "quotedprintable" | "quoted_printable" | "quoted" | "qp" => {
                Transfer::QuotedPrintable
            }
            "x-uuencode" | "uuencode" | "x-uue" | "uue" => Transfer::Uuencode,
            _ => Transfer::Identity,
        }
    }

    /// What it is once the body is known: prose that only claims to be base64 is prose.
    pub(super) fn seen(self, body: &[u8]) -> Transfer {
        match self {
            Transfer::Base64 if is_prose(body) => Transfer::Identity,
            Transfer::QuotedPrintable if memchr::memchr(b'=', body).is_none() => Transfer::Identity,
            Transfer::Uuencode if uuencode(body).is_none() => Transfer::Identity,
            other => other,
        }
    }

    /// How many bytes the body decodes to, where that can be told without decoding it.
    pub(super) fn decoded_len(self, body: &[u8]) -> Option<usize> {
        match self {
            Transfer::Identity => Some(body.len()),
            Transfer::Base64 => base64_len(body),
            Transfer::QuotedPrintable | Transfer::Uuencode => None,
        }
    }

    pub(super) fn decode<'x>(self, body: &'x [u8]) -> Cow<'x, [u8]> {
        match self {
            Transfer::Identity => Cow::Borrowed(body),
            Transfer::Base64 => base64(body),
            Transfer::QuotedPrintable => quoted_printable(body),
            Transfer::Uuencode => uuencode(body).map_or(Cow::Borrowed(body), Cow::Owned),
        }
    }
}

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

/// `None` unless the body is digits and white space, ended by the padding that belongs there.
fn base64_len(body: &[u8]) -> Option<usize> {
    let body = body.trim_ascii_end();
    let digits_end = body.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let (digits, padding) = body.split_at(digits_end);
    // Sums of bytes, not early returns: the compiler makes vectors of these.
    let count: usize = digits.chunks(128).map(|piece| usize::from(count_of(piece, is_base64))).sum();
    let spaces: usize = digits
        .chunks(128)
        .map(|piece| usize::from(count_of(piece, |byte| matches!(byte, b'\r' | b'\n' | b' ' | b'\t'))))
        .sum();
    let whole = count % 4 == (4 - padding.len() % 4) % 4 && padding.len() < 3;
    (whole && count + spaces == digits.len()).then(|| count / 4 * 3 + (count % 4).saturating_sub(1))
}

fn count_of(piece: &[u8], what: impl Fn(u8) -> bool) -> u8 {
    piece.iter().map(|byte| u8::from(what(*byte))).sum()
}

fn base64(body: &[u8]) -> Cow<'_, [u8]> {
    if is_prose(body) {
        return Cow::Borrowed(body);
    }
    let strict = base64_decode(body);
    Cow::Owned(strict.unwrap_or_else(|| {
        // Junk between the digits: advertisements, list footers.
        let mut bytes = Vec::with_capacity(body.len() / 4 * 3);
        base64_lenient(body, &mut bytes);
        bytes
    }))
}

/// Plain text that only claims to be base64: short words with spaces between them on most lines.
fn is_prose(body: &[u8]) -> bool {
    let head = &body[..body.len().min(1000)];
    let lines = || head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let spaced = lines().filter(|line| line.contains(&b' ')).count();
    let words = head.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
    spaced * 2 > lines().count() && head.len() < words * 30
}

/// Base64 with anything between its digits and with padding wherever it likes (pieces encoded one by one).
pub(super) fn base64_lenient(text: &[u8], out: &mut Vec<u8>) {
    let (mut group, mut digits) = (0_u32, 0);
    for &byte in text {
        let Some(value) = base64_value(byte) else {
            if byte == b'=' {
                finish_group(&mut group, &mut digits, out);
            }
            continue;
        };
        group = group << 6 | value;
        digits += 1;
        if digits == 4 {
            finish_group(&mut group, &mut digits, out);
        }
    }
    finish_group(&mut group, &mut digits, out);
}

fn finish_group(group: &mut u32, digits: &mut u32, out: &mut Vec<u8>) {
    let whole = *group << (6 * (4 - *digits));
    let bytes = whole.to_be_bytes();
    match digits {
        2 => out.push(bytes[1]),
        3 => out.extend_from_slice(&bytes[1..3]),
        4 => out.extend_from_slice(&bytes[1..4]),
        // One digit is six bits: no byte.
        _ => {}
    }
    (*group, *digits) = (0, 0);
}

fn base64_value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

fn quoted_printable(body: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'=', body).is_none() {
        return Cow::Borrowed(body);
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while !rest.is_empty() {
        let line_end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(line_end);
        // White space at the end of a line was added in transport (RFC 2045 section 6.7, rule 3).
        let text = line.trim_ascii_end();
        let end = &line[text.len()..];
        match text.strip_suffix(b"=") {
            Some(soft) => escapes(soft, &mut out),
            None => {
                escapes(text, &mut out);
                out.extend(end.iter().filter(|byte| matches!(byte, b'\r' | b'\n')));
            }
        }
        rest = after;
    }
    Cow::Owned(out)
}

/// Undoes `=XX`; an equals sign without two hexadecimal digits stands for itself.
fn escapes(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'=', text) {
        out.extend_from_slice(&text[..at]);
        match text.get(at + 1).zip(text.get(at + 2)).and_then(|(high, low)| hex_pair(*high, *low)) {
            Some(byte) => {
                out.push(byte);
                text = &text[at + 3..];
            }
            None => {
                out.push(b'=');
                text = &text[at + 1..];
            }
        }
    }
    out.extend_from_slice(text);
}

/// The byte that two hexadecimal digits of either case stand for.
pub(super) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// The Q encoding of RFC 2047 section 4.2.
pub(super) fn q_word(text: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    escapes(text, out);
    // An underscore is a space, but "=5F" is an underscore: go back over what came from the text itself.
    if memchr::memchr(b'_', text).is_some() {
        out.truncate(from);
        for (place, piece) in text.split(|byte| *byte == b'_').enumerate() {
            if place > 0 {
                out.push(b' ');
            }
            escapes(piece, out);
        }
    }
}

/// The file of a body labelled `x-uuencode`; `None` when it has no `begin` line.
fn uuencode(body: &[u8]) -> Option<Vec<u8>> {
    let mut lines = body.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end());
    lines.find(|line| line.starts_with(b"begin "))?;
    let mut out = Vec::with_capacity(body.len() / 4 * 3);
    for line in lines.take_while(|line| *line != b"end") {
        let Some((&length, digits)) = line.split_first() else { continue };
        let from = out.len();
        for group in digits.chunks(4) {
            let value =
                |place: usize| u32::from(group.get(place).map_or(0, |byte| byte.wrapping_sub(32) & 63));
            let bytes = (value(0) << 18 | value(1) << 12 | value(2) << 6 | value(3)).to_be_bytes();
            out.extend_from_slice(&bytes[1..]);
        }
        out.truncate(from + usize::from(length.wrapping_sub(32) & 63));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(label: &str, body: &str, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&Transfer::of(label).decode(body.as_bytes())), expected);
    }

    #[test]
    fn labels() {
        check("BASE64", "aGk=", "hi");
        check(" base64 (comment)", "aGk=", "hi");
        check("\"base64\";", "aGk=", "hi");
        check("7-bit", "a=41", "a=41");
        check("text/html", "a=41", "a=41");
        check("Quoted-Printable;", "a=41", "aA");
    }

    #[test]
    fn base64_bodies() {
        check("base64", "SGVs\r\nbG8=\r\n", "Hello");
        check("base64", "SGVsbG8", "Hello"); // padding missing
        check("base64", "SGVsbG8====", "Hello"); // and too much of it
        check("base64", "SGVsbG8=SGVsbG8=", "HelloHello"); // encoded in pieces
        check("base64", "SGVsbG8gd29y!bGQgYW5kIG1vcmU=", "Hello world and more");
        check("base64", "this is plain text, honestly.", "this is plain text, honestly.");
        check("base64", "some words\nwithout marks\nend\n", "some words\nwithout marks\nend\n");
        check("base64", "PGh0*bWw+Cg==", "<html>\n");
        check("base64", "", "");
    }

    #[test]
    fn quoted_printable_bodies() {
        check("quoted-printable", "a=3Db", "a=b");
        check("quoted-printable", "long=\r\n line", "long line");
        check("quoted-printable", "long=  \nline", "longline");
        check("quoted-printable", "pad =20 \t\r\nb=", "pad  \r\nb");
        check("quoted-printable", "=c3=A9 =ZZ =", "é =ZZ ");
        check("quoted-printable", "==41", "=A");
    }

    #[test]
    fn q_words() {
        let mut out = Vec::new();
        q_word(b"a_b=5Fc", &mut out);
        assert_eq!(out, b"a b_c");
    }

    #[test]
    fn lengths_without_decoding() {
        let long = "QUJD\r\n".repeat(500) + "QQ==\r\n";
        for (body, length) in [("aGk=", 2), ("SGVs\r\nbG8=\r\n", 5), ("QUJD", 3), ("", 0), (&long, 1501)] {
            assert_eq!(Transfer::Base64.decoded_len(body.as_bytes()), Some(length), "{body}");
        }
        for body in ["SGVsbG8", "SGVsbG8====", "SGVsbG8=SGVsbG8=", "SGVs!bG8=", "===="] {
            assert_eq!(Transfer::Base64.decoded_len(body.as_bytes()), None, "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_length_told_is_the_length_decoded(body in "[A-Za-z0-9+/= \r\n!-]{0,300}={0,3}[\r\n]{0,3}") {
            let body = body.as_bytes();
            let transfer = Transfer::Base64.seen(body);
            if let Some(length) = transfer.decoded_len(body) {
                proptest::prop_assert_eq!(length, transfer.decode(body).len());
            }
        }
    }

    #[test]
    fn uuencoded_bodies() {
        check("x-uuencode", "begin 644 a.txt\n#0V%T\n`\nend\n", "Cat");
        check("x-uuencode", "no begin", "no begin");
    }
}
