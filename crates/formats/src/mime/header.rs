//! The header block (RFC 5322 section 2.2): where fields begin and end, and where the body begins.
//!
//! Nothing is decoded here; [`Header::text`] does that on demand. Blocks in the wild miss their blank line, have one with
//! a space in it, lose the indent of folded lines or start with an mbox line; the rule is that no text is lost: what is no
//! field is the rest of a folded one or the start of the body.

use super::charset::{self, Charset};
use super::words;

/// A header field as it stands in the mail.
#[derive(Debug, Clone, Copy)]
pub struct Header<'x> {
    pub name: &'x str,
    /// All behind the colon, folds included, without the last line end.
    pub value: &'x [u8],
    /// What raw 8-bit text probably is, when it is no UTF-8.
    pub(super) hint: Option<Charset>,
}

impl Header<'_> {
    /// The value unfolded and decoded, on one line, with no space around.
    pub fn text(&self) -> String {
        words::decode(&self.unfolded())
    }

    /// The value unfolded, its raw bytes as text, but encoded words as they are: for parsing before decoding.
    pub(super) fn unfolded(&self) -> String {
        unfold(&charset::guess(self.value, self.hint))
    }
}

/// Joins folded lines (RFC 5322 section 2.2.3), drops NULs, trims.
pub(super) fn unfold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' | '\n' => {
                // Where the fold has lost its indent a space must keep the words apart.
                let more = chars.peek().is_none_or(|next| matches!(next, ' ' | '\t' | '\r' | '\n'));
                if !more {
                    out.push(' ');
                }
            }
            '\t' => out.push(' '),
            '\0' => {}
            c => out.push(c),
        }
    }
    out
}

/// A header block and what follows it.
pub(super) struct Block<'x> {
    pub headers: Vec<Header<'x>>,
    /// Where the value of the last field starts.
    last: usize,
    /// Where the body starts.
    pub body: usize,
    /// The block ran into a boundary line, which stands at `body`: there is no body.
    pub at_boundary: bool,
    /// Fields were skipped because the block is larger than the limit.
    pub cut: bool,
}

/// Reads lines of a mail. `end` is the line end of the whole mail: `\n`, or `\r` in a mail that has no other.
#[derive(Clone, Copy)]
pub(super) struct Lines<'x> {
    pub raw: &'x [u8],
    pub end: u8,
}

impl<'x> Lines<'x> {
    pub(super) fn of(raw: &'x [u8]) -> Lines<'x> {
        let only_cr = memchr::memchr(b'\n', raw).is_none() && memchr::memchr(b'\r', raw).is_some();
        Lines { raw, end: if only_cr { b'\r' } else { b'\n' } }
    }

    /// The position behind the line that starts at `at`.
    pub(super) fn after(&self, at: usize) -> usize {
        memchr::memchr(self.end, &self.raw[at..]).map_or(self.raw.len(), |length| at + length + 1)
    }

    /// The line from `at` to `after`, without its line end.
    pub(super) fn text(&self, at: usize, after: usize) -> &'x [u8] {
        let line = &self.raw[at..after];
        let line = line.strip_suffix(&[self.end]).unwrap_or(line);
        // "\r\r\n" comes from gateways that convert line ends twice.
        &line[..line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1)]
    }

    /// The start of the content when a mail begins with what is not mail: a byte order mark, an mbox line, blank lines.
    pub(super) fn skip_preface(&self, start: usize) -> usize {
        let mut at = start;
        if self.raw[at..].starts_with(b"\xef\xbb\xbf") {
            at += 3;
        }
        loop {
            let after = self.after(at);
            let line = self.text(at, after);
            if at == self.raw.len() || line.starts_with(b"--") {
                return start;
            } else if line.is_empty() || is_mbox_line(line) {
                at = after;
            } else {
                let field = field_name(line).is_some() || field_name(line.trim_ascii_start()).is_some();
                return if field { at } else { start };
            }
        }
    }

    /// Reads the header block at `start`. `boundary` knows the boundary lines of the multiparts around it.
    pub(super) fn block(&self, start: usize, limit: usize, boundary: impl Fn(&[u8]) -> bool) -> Block<'x> {
        let mut block =
            Block { headers: Vec::new(), last: start, body: start, at_boundary: false, cut: false };
        let mut at = start;
        let mut blank_before = false;
        while at < self.raw.len() {
            let after = self.after(at);
            let line = self.text(at, after);
            if line.is_empty() {
                block.body = after;
                return block;
            }
            if line.starts_with(b"--") && boundary(line) {
                block.body = at;
                block.at_boundary = true;
                return block;
            }
            match self.kind(line, &block, blank_before, after) {
                Kind::Field(_) | Kind::Continuation if after - start > limit => block.cut = true,
                Kind::Field(colon) => {
                    block.headers.push(self.field(at, after, colon));
                    block.last = at + colon + 1;
                }
                Kind::Continuation => self.extend(&mut block, after),
                Kind::Unnamed => {}
                Kind::Body => {
                    block.body = at;
                    return block;
                }
            }
            blank_before = line.trim_ascii().is_empty();
            at = after;
        }
        block.body = at;
        block
    }

    fn kind(&self, line: &[u8], block: &Block<'_>, blank_before: bool, after: usize) -> Kind {
        let begun = !block.headers.is_empty();
        if matches!(line[0], b' ' | b'\t') {
            // " From: x" as the very first line: the indent is an accident.
            let first = field_name(line.trim_ascii_start()).filter(|_| !begun);
            let indent = line.len() - line.trim_ascii_start().len();
            return match first {
                Some(colon) => Kind::Field(colon + indent),
                None if begun || block.cut => Kind::Continuation,
                None => Kind::Body,
            };
        }
        match field_name(line) {
            Some(colon) => Kind::Field(colon),
            None if begun && has_8bit_name(line) => Kind::Unnamed,
            // A fold without its indent, if real fields follow; else the blank line is missing, or has a space in it.
            None if begun && !blank_before && self.fields_follow(after) => Kind::Continuation,
            None => Kind::Body,
        }
    }

    /// Whether one of the next lines, before a blank one, is a field with a name that mail uses.
    fn fields_follow(&self, mut at: usize) -> bool {
        for _ in 0..5 {
            if at >= self.raw.len() {
                return false;
            }
            let after = self.after(at);
            let line = self.text(at, after);
            if line.is_empty() {
                return false;
            }
            if field_name(line).is_some_and(|colon| is_usual_name(line[..colon].trim_ascii())) {
                return true;
            }
            at = after;
        }
        false
    }

    fn field(&self, at: usize, after: usize, colon: usize) -> Header<'x> {
        let line = self.text(at, after);
        let name = std::str::from_utf8(&line[..colon]).expect("field_name takes ASCII only");
        Header { name: name.trim_ascii(), value: &line[colon + 1..], hint: None }
    }

    /// Makes the last field reach to the end of a continuation line.
    fn extend(&self, block: &mut Block<'x>, after: usize) {
        if let Some(last) = block.headers.last_mut() {
            last.value = self.text(block.last, after);
        }
    }
}

enum Kind {
    /// A field whose colon is at this place of the line.
    Field(usize),
    Continuation,
    /// A field whose name is no name (8-bit characters in it): skipped.
    Unnamed,
    Body,
}

/// The place of the colon, when the line starts with a field name (RFC 5322 section 2.2, and spaces before the colon).
fn field_name(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|byte| !matches!(byte, b'!'..=b'9' | b';'..=b'~'))?;
    let spaces = line[colon..].iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    (colon > 0 && line[colon + spaces] == b':').then_some(colon + spaces)
}

fn has_8bit_name(line: &[u8]) -> bool {
    let end = line.iter().position(|byte| matches!(byte, b':' | b' ' | b'\t')).unwrap_or(0);
    !line[..end].is_ascii() && line[end] == b':'
}

fn is_usual_name(name: &[u8]) -> bool {
    const PLAIN: &[&str] = &[
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "sender",
        "received",
        "references",
        "comments",
        "keywords",
        "organization",
        "importance",
        "priority",
        "precedence",
        "lines",
        "status",
    ];
    name.contains(&b'-') || PLAIN.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

fn is_mbox_line(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields as `name=value|…`, then `#` and the body.
    fn read(raw: &str) -> String {
        let lines = Lines::of(raw.as_bytes());
        let start = lines.skip_preface(0);
        let block = lines.block(start, 1000, |line| line == b"--b");
        let fields: Vec<_> = block.headers.iter().map(|h| format!("{}={}", h.name, h.text())).collect();
        format!("{}#{}", fields.join("|"), &raw[block.body..])
    }

    #[track_caller]
    fn check(raw: &str, expected: &str) {
        assert_eq!(read(raw), expected);
        if !raw.contains('\r') {
            assert_eq!(read(&raw.replace('\n', "\r\n")), expected.replace('\n', "\r\n"), "with CRLF");
            assert_eq!(read(&raw.replace('\n', "\r")), expected.replace('\n', "\r"), "with CR");
        }
    }

    #[test]
    fn as_specified() {
        check("A: b\nC: d\n e\n\nbody\n", "A=b|C=d e#body\n");
        check("A:b\n\n", "A=b#");
        check("A: b", "A=b#");
        check("", "#");
        check("\nbody", "#body");
    }

    #[test]
    fn odd_fields() {
        check("A : b\nc-d:\n\n", "A=b|c-d=#");
        check("A: b\n\tc\n \n d\nE: f\n\nx", "A=b c  d|E=f#x");
        check("A: b\nNäme: c\nD: e\n\nx", "A=b|D=e#x");
        check("Subject: one\ntwo\nX-Y: z\n\nx", "Subject=one two|X-Y=z#x");
    }

    #[test]
    fn blank_line_missing_or_not_blank() {
        check("A: b\nHello you\nNote: c\n", "A=b#Hello you\nNote: c\n");
        check("A: b\n \nHello you\nX-Y: c\n", "A=b#Hello you\nX-Y: c\n");
        check("just text\nof a mail\n", "#just text\nof a mail\n");
        check("A: b\n--b\nx", "A=b#--b\nx");
    }

    #[test]
    fn prefaces() {
        check("From a@b Thu Jan  1 00:00:00 1970\nA: b\n\nx", "A=b#x");
        check("\n\nA: b\n\nx", "A=b#x");
        check("\u{feff}A: b\n\nx", "A=b#x");
        check(" From: a\nTo: b\n\nx", "From=a|To=b#x");
        check("From here on\ntext\n", "#From here on\ntext\n");
    }

    #[test]
    fn doubled_line_ends() {
        check("A: b\r\r\nC: d\r\r\n\r\r\nx", "A=b|C=d#x");
    }

    #[test]
    fn too_large() {
        let raw = format!("A: b\nB: {}\nC: c\n\nx", "b".repeat(2000));
        assert_eq!(read(&raw), "A=b#x");
    }
}
