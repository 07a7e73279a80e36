//! The bytes of a part: which transfer encoding, and undoing what a mail may not hold.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The longest line, without its end (RFC 5322 section 2.1.1).
const LINE: usize = 998;
/// Columns of a quoted-printable line (RFC 2045 section 6.7).
const QP_LINE: usize = 76;
/// Characters of a base64 line.
const B64_LINE: usize = 76;

/// Text with CRLF line ends, whatever it had before.
pub(super) fn crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push_str("\r\n");
            }
            '\n' => out.push_str("\r\n"),
            '\0' => {}
            c => out.push(c),
        }
    }
    out
}

/// Whether the bytes can stand in a mail as they are: ASCII lines of bearable length with CRLF ends, nothing that a
/// relay on the way would change, and nothing that looks like a boundary of ours.
pub(super) fn is_plain(bytes: &[u8], longest: usize) -> bool {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let last = lines.len() - 1;
    lines.iter().enumerate().all(|(place, line)| {
        let line = match (place == last, line.strip_suffix(b"\r")) {
            (true, None) => line,
            (false, Some(line)) => line,
            _ => return false,
        };
        let fits = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t');
        // Old relays write `>From ` into a line that begins with From, and take white space off its end.
        line.len() <= longest.min(LINE)
            && line.iter().all(fits)
            && !line.starts_with(b"From ")
            && !line.ends_with(b" ")
            && !line.ends_with(b"\t")
            && !line.starts_with(b"--=_")
    })
}

/// Quoted-printable with hard line ends where the text has CRLF.
pub(super) fn quoted_printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 5 / 4);
    for (place, line) in text.split("\r\n").enumerate() {
        if place > 0 {
            out.push_str("\r\n");
        }
        qp_line(&mut out, line);
    }
    out
}

fn qp_line(out: &mut String, line: &str) {
    let bytes = line.as_bytes();
    let mut column = 0;
    for (place, byte) in bytes.iter().enumerate() {
        let last = place + 1 == bytes.len();
        let plain = match byte {
            b'=' => false,
            b' ' | b'\t' => !last,
            b'F' => place > 0 || !line.starts_with("From "),
            b'.' => column > 0, // SMTP stuffs it, and old relays forget to undo that
            byte => byte.is_ascii_graphic(),
        };
        let width = if plain { 1 } else { 3 };
        if column + width > QP_LINE - usize::from(!last) {
            out.push_str("=\r\n");
            column = 0;
        }
        match plain {
            true => out.push(char::from(*byte)),
            false => out.push_str(&format!("={byte:02X}")),
        }
        column += width;
    }
}

/// Base64 in lines, each with its end.
pub(super) fn base64(bytes: &[u8]) -> String {
    let text = BASE64.encode(bytes);
    let mut out = String::with_capacity(text.len() + text.len() / 38 + 2);
    for line in text.as_bytes().chunks(B64_LINE) {
        out.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_crlf() {
        assert_eq!(crlf("a\nb\r\nc\rd\0"), "a\r\nb\r\nc\r\nd");
    }

    #[track_caller]
    fn check_qp(text: &str, expected: &str) {
        assert_eq!(quoted_printable(text), expected);
    }

    #[test]
    fn quoted_printable_lines() {
        check_qp("Gr\u{fc}\u{df}e = 1", "Gr=C3=BC=C3=9Fe =3D 1");
        check_qp("a \r\nb\t", "a=20\r\nb=09");
        check_qp("From me\r\n.\r\n", "=46rom me\r\n=2E\r\n");
        let long = quoted_printable(&"x".repeat(200));
        assert!(long.split("\r\n").all(|line| line.len() <= 76), "{long}");
        assert_eq!(long.replace("=\r\n", "").len(), 200);
    }

    #[test]
    fn what_may_stay_as_it_is() {
        assert!(is_plain(b"", 998) && is_plain(b"a\r\nb", 998));
        for bytes in [&b"a\nb"[..], b"a\r", b"\xff", b"a\0", b"From a\r\n", b"a \r\n", b"--=_x\r\n"] {
            assert!(!is_plain(bytes, 998), "{bytes:?}");
        }
        assert!(!is_plain(&[b'a'; 999], 5000));
    }
}
