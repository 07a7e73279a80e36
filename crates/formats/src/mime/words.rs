//! RFC 2047 encoded words, as sent rather than as specified.
//!
//! Adjacent words of one charset are joined as bytes before they are decoded, because many senders cut characters (and
//! even base64 groups) in two. Words are also taken inside quotes, with spaces in them, without their closing `?=`, with
//! a language behind the charset, and encoded twice.

use super::charset;
use super::encoding;

/// Decodes the encoded words of an unfolded header text. Line ends, tabs and NULs that come out of words become spaces or
/// nothing, so that the result never carries a header of its own.
pub fn decode(text: &str) -> String {
    let mut text = std::borrow::Cow::Borrowed(text);
    // "=?utf-8?B?PT91dGYt…": some gateways encode what is encoded already. Twice is seen, more is an attack.
    for _ in 0..3 {
        if !text.contains("=?") {
            break;
        }
        match pass(&text) {
            Some(decoded) => text = decoded.into(),
            None => break,
        }
    }
    clean(&text)
}

fn clean(text: &str) -> String {
    let kept = text.chars().filter_map(|c| match c {
        '\t' | '\r' | '\n' => Some(' '),
        c if c.is_control() => None,
        c => Some(c),
    });
    kept.collect()
}

/// One encoded word.
struct Word<'a> {
    charset: &'a str,
    base64: bool,
    text: &'a str,
}

/// Words that follow each other with only white space between them.
#[derive(Default)]
struct Run<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
    /// Base64 text whose last group is not complete yet: the next word may bring the rest.
    pending: String,
    open: bool,
}

impl<'a> Run<'a> {
    fn add(&mut self, word: &Word<'a>, out: &mut String) {
        if self.open && !self.charset.eq_ignore_ascii_case(word.charset) {
            self.flush(out);
        }
        (self.charset, self.open) = (word.charset, true);
        if word.base64 {
            self.pending.push_str(word.text);
            let digits = self.pending.bytes().filter(|byte| encoding::is_base64(*byte)).count();
            if digits % 4 == 0 || word.text.ends_with('=') {
                self.settle();
            }
        } else {
            self.settle();
            encoding::q_word(word.text.as_bytes(), &mut self.bytes);
        }
    }

    fn settle(&mut self) {
        encoding::base64_lenient(self.pending.as_bytes(), &mut self.bytes);
        self.pending.clear();
    }

    fn flush(&mut self, out: &mut String) {
        self.settle();
        if self.open {
            out.push_str(&charset::decode_with(&self.bytes, Some(self.charset), None));
        }
        self.bytes.clear();
        self.open = false;
    }
}

/// Decodes every word once; `None` when there was none.
fn pass(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut run = Run::default();
    let mut found = false;
    let mut rest = text;
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        match Word::read(from) {
            Some((word, length)) => {
                if !run.open || !before.trim().is_empty() {
                    run.flush(&mut out);
                    out.push_str(before);
                }
                run.add(&word, &mut out);
                found = true;
                rest = &from[length..];
            }
            None => {
                run.flush(&mut out);
                out.push_str(before);
                out.push_str("=?");
                rest = &from[2..];
            }
        }
    }
    run.flush(&mut out);
    out.push_str(rest);
    found.then_some(out)
}

impl<'a> Word<'a> {
    /// Reads the word at the start of `from` (which is at `=?`); gives it and its length.
    fn read(from: &'a str) -> Option<(Word<'a>, usize)> {
        let after = &from[2..];
        let question = after.bytes().take(64).position(|byte| byte == b'?')?;
        let charset = &after[..question];
        if !charset.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        // "=?UTF-8? Q?…": folded inside the word.
        let spaces = after[question + 1..].bytes().take_while(|byte| *byte == b' ').count();
        let encoding = question + 1 + spaces;
        let base64 = match after.as_bytes().get(encoding..encoding + 2)? {
            b"B?" | b"b?" => true,
            b"Q?" | b"q?" => false,
            _ => return None,
        };
        let start = 2 + encoding + 2;
        let (text, end) = extent(from, start, base64);
        Some((Word { charset, base64, text }, end))
    }
}

/// The encoded text from `start` and where the word ends.
fn extent(from: &str, start: usize, base64: bool) -> (&str, usize) {
    let bytes = from.as_bytes();
    let mut at = start;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'?', Some(b'=')) if !base64 && is_question_in_q(bytes, at) => at += 1,
            (b'?', Some(b'=')) => return (&from[start..at], at + 2),
            // The next word begins and this one never closed ("=" before "?=" is padding, not a beginning).
            (b'=', Some(b'?')) if bytes.get(at + 2) != Some(&b'=') => {
                return (from[start..at].trim_end(), at);
            }
            _ => at += 1,
        }
    }
    unclosed(from, start, base64)
}

/// `…what?=20is?=`: an unescaped question mark before an escape is not the end of a Q word.
fn is_question_in_q(bytes: &[u8], at: usize) -> bool {
    let escape = bytes.get(at + 2..at + 4).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    let word = bytes.get(at + 4..).unwrap_or_default();
    let word = &word[..word.iter().take(200).position(|byte| *byte == b' ').unwrap_or(word.len().min(200))];
    escape && memchr::memmem::find(word, b"?=").is_some()
}

/// A word without its `?=` (cut by a length limit): it reaches to the next space.
fn unclosed(from: &str, start: usize, base64: bool) -> (&str, usize) {
    let stop = |byte: u8| match base64 {
        true => !encoding::is_base64(byte) && byte != b'=',
        false => byte == b' ' || byte == b'"' || byte == b'>',
    };
    let length = from.as_bytes()[start..].iter().position(|byte| stop(*byte)).unwrap_or(from.len() - start);
    // In base64 the stop may be the lone question mark of a cut "?=".
    let end = start + length + usize::from(base64 && from.as_bytes().get(start + length) == Some(&b'?'));
    (from[start..start + length].trim_end_matches('?'), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(decode(text), expected);
    }

    #[test]
    fn as_specified() {
        check("no words at all", "no words at all");
        check("=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?= <x@y>", "Patrik Fältström <x@y>");
        check("=?utf-8?B?R3LDvMOfZQ==?=", "Grüße");
        check("a =?utf-8?q?b?= c", "a b c");
        check("=?utf-8?q?a?= =?utf-8?q?b?=", "ab");
        check("=?utf-8?q?a?=  \t =?iso-8859-1?q?=E9?=", "aé");
        check("(=?utf-8?q?a?=)", "(a)");
    }

    #[test]
    fn characters_cut_in_two() {
        check("=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=", "café");
        check("=?UTF-8?B?5p2x?= =?utf-8?B?5Q==?= =?utf-8?B?Lqw=?=", "東\u{fffd}.\u{fffd}");
        check("=?UTF-8?B?5p2x5A==?= =?utf-8?B?uqw=?=", "東京");
        check("=?UTF-8?B?5p2x5?= =?utf-8?B?Lqs?=", "東京"); // the base64 group itself is cut
        check("=?UTF-8?Q?a=C3?= =?utf-8?B?qQ==?=", "aé");
        check("=?iso-2022-jp?B?GyRCJDM=?= =?iso-2022-jp?B?JHMbKEI=?=", "こん");
    }

    #[test]
    fn without_closing() {
        check("=?utf-8?Q?Hello", "Hello");
        check("=?utf-8?Q?Hello?", "Hello");
        check("=?utf-8?B?SGVsbG8", "Hello");
        check("=?utf-8?B?SGVsbG8?", "Hello");
        check("=?utf-8?B?SGVsbG8= =?utf-8?B?V29ybGQ=?=", "HelloWorld");
        check("=?utf-8?Q?Hello and more", "Hello and more");
        check("=?", "=?");
        check("=?utf-8?", "=?utf-8?");
        check("=?utf-8?X?a?=", "=?utf-8?X?a?=");
        check("a =? b ?= c", "a =? b ?= c");
    }

    #[test]
    fn oddly_placed() {
        check("\"=?utf-8?Q?Doe=2C_J?=\" <a@b>", "\"Doe, J\" <a@b>");
        check("<=?utf-8?Q?a=40b?=>", "<a@b>");
        check("Re:=?utf-8?Q?_x?=y", "Re: xy");
        check("=?utf-8?Q?with spaces inside?=", "with spaces inside");
        check("=?utf-8? Q?folded_inside?=", "folded inside");
        check("=?utf-8?Q?a?==?utf-8?Q?b?=", "ab");
        check("=?utf-8?Q?what?=20is_it?=", "what? is it");
    }

    #[test]
    fn odd_charsets() {
        check("=?utf-8*en?Q?x=C3=A9?=", "xé");
        check("=?utf8?Q?=C3=A9?=", "é");
        check("=?x-unknown?Q?=C3=A9?=", "é");
        check("=??Q?=E9t=E9?=", "été");
        check("=?unicode-1-1-utf-7?Q?+AOk-?=", "é");
    }

    #[test]
    fn encoded_twice() {
        check("=?utf-8?B?PT91dGYtOD9RP2E9QzM9QTk/PQ==?=", "aé");
        check("=?utf-8?Q?=3D=3Futf-8=3FQ=3Fok=3F=3D?=", "ok");
    }

    #[test]
    fn cannot_inject_a_header() {
        check("=?utf-8?Q?a=0D=0ABcc:_x?=", "a  Bcc: x");
        check("=?utf-8?Q?a=00b?=", "ab");
    }
}
