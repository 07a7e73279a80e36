//! Bytes of SMTP without a socket: answers (RFC 5321 4.2), dot-stuffing (4.5.2), what an address may hold, and xtext
//! (RFC 3461 section 4).

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memmem};
use postroom_core::Answer;

/// Longest answer line taken; RFC 5321 allows 512, real servers write more.
const MAX_LINE: usize = 4096;
/// Most lines of one answer.
const MAX_LINES: usize = 200;
/// Characters of an answer's text that are kept.
const MAX_TEXT: usize = 1000;

/// What a server said, line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub code: u16,
    pub lines: Vec<String>,
}

/// What came is no answer of an SMTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign;

impl Reply {
    /// 2yz.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 530 (authentication or STARTTLS required), 534, 535 and 538 (RFC 4954): our configuration, not this mail.
    pub fn is_sign_in(&self) -> bool {
        matches!(self.code, 530 | 534 | 535 | 538)
    }

    /// As the port wants it: the enhanced code apart, the text on one line without control characters.
    pub fn answer(&self) -> Answer {
        let status = self.lines.first().and_then(|line| enhanced(line, self.code)).map(str::to_owned);
        let mut text = String::new();
        for line in &self.lines {
            let line = match &status {
                Some(status) => line.strip_prefix(status.as_str()).unwrap_or(line),
                None => line,
            };
            text.push(' ');
            text.extend(line.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ").chars().take(MAX_TEXT).collect();
        Answer { code: self.code, status, text }
    }
}

/// The enhanced code at the head of a line, when it is one and of the answer's class (RFC 2034 section 4).
fn enhanced(line: &str, code: u16) -> Option<&str> {
    let word = line.split(' ').next()?;
    let mut parts = word.split('.');
    let class = parts.next()?;
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let whole =
        parts.next().is_some_and(number) && parts.next().is_some_and(number) && parts.next().is_none();
    (whole && class == (code / 100).to_string()).then_some(word)
}

/// Puts an answer together from what came so far.
#[derive(Debug, Default)]
pub(crate) struct ReplyReader {
    code: Option<u16>,
    lines: Vec<String>,
}

impl ReplyReader {
    /// Takes whole lines off `input`; `None` while the answer is not complete.
    pub fn take(&mut self, input: &mut BytesMut) -> Result<Option<Reply>, Foreign> {
        while let Some(end) = memchr(b'\n', input) {
            let line = input.split_to(end + 1);
            if self.line(&line[..end])? {
                let code = self.code.take().expect("a line was read");
                return Ok(Some(Reply { code, lines: std::mem::take(&mut self.lines) }));
            }
        }
        if input.len() > MAX_LINE { Err(Foreign) } else { Ok(None) }
    }

    /// One line without its line feed; true when it is the last one.
    fn line(&mut self, line: &[u8]) -> Result<bool, Foreign> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > MAX_LINE || self.lines.len() >= MAX_LINES {
            return Err(Foreign);
        }
        let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit)).ok_or(Foreign)?;
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        if !(200..600).contains(&code) || self.code.is_some_and(|first| first != code) {
            return Err(Foreign);
        }
        let (more, text) = match line.get(3) {
            None | Some(b' ') => (false, line.get(4..).unwrap_or_default()),
            Some(b'-') => (true, &line[4..]),
            Some(_) => return Err(Foreign),
        };
        self.code = Some(code);
        self.lines.push(String::from_utf8_lossy(text).into_owned());
        Ok(!more)
    }
}

/// Whether every line end is CRLF. What is not must not be sent: servers disagree about where such a mail ends.
pub(crate) fn has_only_crlf(mail: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in mail {
        if (byte == b'\n') != (previous == b'\r') {
            return false;
        }
        previous = byte;
    }
    previous != b'\r'
}

/// The mail as DATA wants it: a dot before each line that begins with one, CRLF.CRLF at the end. A mail without such
/// lines is not copied; the pieces are written one after the other.
pub(crate) fn stuffed(mail: &Bytes) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    if mail.first() == Some(&b'.') {
        pieces.push(Bytes::from_static(b"."));
    }
    let mut start = 0;
    for found in memmem::find_iter(mail, b"\r\n.") {
        // The dot ends this piece and, doubled, begins the next.
        pieces.push(mail.slice(start..found + 3));
        start = found + 2;
    }
    pieces.push(mail.slice(start..));
    let end: &'static [u8] = match mail.is_empty() || mail.ends_with(b"\r\n") {
        true => b".\r\n",
        false => b"\r\n.\r\n",
    };
    pieces.push(Bytes::from_static(end));
    pieces
}

/// Whether an address can stand between angle brackets without becoming something else.
pub(crate) fn is_safe_address(address: &str) -> bool {
    let mut quoted = false;
    let mut escaped = false;
    let fits = (1..=1000).contains(&address.len());
    let clean = address.chars().all(|c| {
        let was_escaped = std::mem::take(&mut escaped);
        match c {
            _ if c.is_control() || (!c.is_ascii() && c.is_whitespace()) => false,
            _ if was_escaped => true,
            '\\' if quoted => {
                escaped = true;
                true
            }
            '"' => {
                quoted = !quoted;
                true
            }
            ' ' | '<' | '>' => quoted,
            _ => true,
        }
    });
    fits && clean
        && !quoted
        && address.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains([' ', '"', '<', '>'])
        })
}

/// RFC 3461: printable ASCII as it is, the rest as `+` and two capital hexadecimal digits.
pub(crate) fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'+' | b'=' | 0..=b' ' | 127.. => out.push_str(&format!("+{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn reply(input: &str) -> Result<Option<(u16, Option<String>, String)>, Foreign> {
        let reply = ReplyReader::default().take(&mut BytesMut::from(input))?;
        Ok(reply.map(|reply| reply.answer()).map(|answer| (answer.code, answer.status, answer.text)))
    }

    #[test]
    fn answers_are_read() {
        let got = |input| reply(input).unwrap().unwrap();
        let some = |status: &str| Some(status.to_owned());
        assert_eq!(got("250 2.1.5 Ok\r\n"), (250, some("2.1.5"), "Ok".into()));
        assert_eq!(got("250-2.0.0 a\r\n250 2.0.0 b\r\n"), (250, some("2.0.0"), "a b".into()));
        assert_eq!(got("250\r\n"), (250, None, String::new()));
        assert_eq!(got("550 4.1.1 liar\n"), (550, None, "4.1.1 liar".into()));
        assert_eq!(got("550 5.1.1\r\n"), (550, some("5.1.1"), String::new()));
        assert_eq!(got("550 a\u{7}\x1b[31mb\r\n"), (550, None, "a [31mb".into()));
        assert_eq!(reply("250-a\r\n25"), Ok(None));
        for junk in ["HTTP/1.1 400\r\n", "2500 x\r\n", "250-a\r\n251 b\r\n", "999 x\r\n", "\r\n", "12\r\n"] {
            assert_eq!(reply(junk), Err(Foreign), "{junk:?}");
        }
        assert_eq!(reply(&"2".repeat(MAX_LINE + 1)), Err(Foreign));
        assert_eq!(reply(&"250-x\r\n".repeat(MAX_LINES + 1)), Err(Foreign));
    }

    #[test]
    fn addresses_that_would_say_more() {
        for good in [
            "a@b.example",
            "\"John Doe/Acme\"@b.example",
            "\u{e4}@b.example",
            "\"a\\\"b>\"@c",
            "x+y@[192.0.2.1]",
        ] {
            assert!(is_safe_address(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b\r\nRSET",
            "a@b> SIZE=1",
            "a b@c",
            "\"a@b",
            "a@b c",
            "a\u{2028}@b",
            "<a@b>",
        ] {
            assert!(!is_safe_address(bad), "{bad:?}");
        }
    }

    #[test]
    fn line_ends() {
        for good in ["", "a", "a\r\n", "a\r\n\r\nb\r\n"] {
            assert!(has_only_crlf(good.as_bytes()), "{good:?}");
        }
        for bad in ["\n", "\r", "a\nb", "a\r", "\r\r\n", "a\r\n\n", "a\n\r"] {
            assert!(!has_only_crlf(bad.as_bytes()), "{bad:?}");
        }
    }

    #[test]
    fn xtext_hides_what_would_end_it() {
        assert_eq!(xtext("a+b=c d\u{e4}"), "a+2Bb+3Dc+20d+C3+A4");
    }

    #[test]
    fn dots_are_doubled() {
        let all = |mail: &'static [u8]| stuffed(&Bytes::from_static(mail)).concat();
        assert_eq!(all(b""), b".\r\n");
        assert_eq!(all(b"."), b"..\r\n.\r\n");
        assert_eq!(all(b".a\r\n.\r\n.\r\nb."), b"..a\r\n..\r\n..\r\nb.\r\n.\r\n");
    }

    proptest! {
        #[test]
        fn what_is_stuffed_is_read_back(lines in proptest::collection::vec("[.a]{0,3}", 1..12)) {
            let mail = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
            let mut sent = BytesMut::from(&stuffed(&Bytes::from(mail.clone())).concat()[..]);
            let mut reader = crate::listener::DataReader::new(1 << 20);
            prop_assert_eq!(reader.take(&mut sent), Some(crate::listener::DataEnd::Whole(Bytes::from(mail))));
            prop_assert!(sent.is_empty());
        }

        #[test]
        fn any_bytes_as_an_answer(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ReplyReader::default().take(&mut BytesMut::from(&input[..]));
        }

        #[test]
        fn a_safe_address_stays_inside_its_brackets(address in "[a\"\\\\ <>@\r\n\u{e4}]{0,12}") {
            if is_safe_address(&address) {
                prop_assert!(!address.contains(['\r', '\n']));
            }
        }
    }
}
