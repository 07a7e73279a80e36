//! Just enough of Rust's grammar to look at code without its comments and texts: no parser, no types.
//!
//! [`Code`] holds the same bytes as the source, with comments and the inside of literals turned into spaces, so that
//! places and line numbers stay.

/// A source with and without its comments and literals.
pub struct Code {
    /// Comments and literals blanked; as long as the source.
    pub bare: String,
    /// The insides of text literals, as written, with their line (from 1).
    pub texts: Vec<(usize, String)>,
    /// For each line whether it belongs to a test module.
    pub tests: Vec<bool>,
}

/// A function: its name, first line (from 1) and number of lines.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

impl Code {
    pub fn of(source: &str) -> Code {
        let mut scan =
            Scan { source: source.as_bytes(), bare: Vec::with_capacity(source.len()), texts: Vec::new() };
        scan.run();
        let bare = String::from_utf8(scan.bare).expect("whole characters were copied or blanked");
        let texts = scan.texts.iter().map(|(from, to)| {
            // In a source that ends inside a text, the last character may be cut.
            (line_of(source, *from), String::from_utf8_lossy(&source.as_bytes()[*from..*to]).into_owned())
        });
        let texts = texts.collect();
        let tests = test_lines(&bare);
        Code { bare, texts, tests }
    }

    /// The lines of code (from 1), blanked.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.bare.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether this line (from 1) belongs to a `#[cfg(test)]` item.
    pub fn in_tests(&self, line: usize) -> bool {
        self.tests.get(line - 1).copied().unwrap_or(false)
    }

    /// Every function that has a body.
    pub fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (at, _) in self.bare.match_indices("fn ") {
            if at > 0 && is_word(self.bare.as_bytes()[at - 1]) {
                continue;
            }
            let name: String =
                self.bare[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some((_, end)) = (!name.is_empty()).then(|| block(&self.bare, at)).flatten() else {
                continue;
            };
            let line = line_of(&self.bare, at);
            found.push(Function { name, line, lines: line_of(&self.bare, end) - line + 1 });
        }
        found
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The line (from 1) of a byte.
pub fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The first `{` after `from` and its `}`, or `None` when a `;` at the same level comes first.
fn block(bare: &str, from: usize) -> Option<(usize, usize)> {
    let (mut round, mut depth, mut start) = (0_i64, 0_i64, 0);
    for (at, byte) in bare.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => round += 1,
            b')' | b']' => round -= 1,
            b';' if depth == 0 && round == 0 => return None,
            b'{' => {
                start = if depth == 0 { at } else { start };
                depth += 1;
            }
            b'}' => {
                depth -= 1;
                if depth <= 0 {
                    return Some((start, at));
                }
            }
            _ => {}
        }
    }
    None
}

fn test_lines(bare: &str) -> Vec<bool> {
    let mut tests = vec![false; bare.lines().count()];
    for (at, _) in bare.match_indices("#[cfg(test)]") {
        // An item without a block, such as `mod tests;`, is one line; its file is a test file by its name.
        let end = block(bare, at).map_or(at, |(_, end)| end);
        tests[line_of(bare, at) - 1..line_of(bare, end)].fill(true);
    }
    tests
}

struct Scan<'s> {
    source: &'s [u8],
    bare: Vec<u8>,
    texts: Vec<(usize, usize)>,
}

impl Scan<'_> {
    fn run(&mut self) {
        while self.bare.len() < self.source.len() {
            let at = self.bare.len();
            let rest = &self.source[at..];
            let starts_word = at == 0 || !is_word(self.source[at - 1]);
            match rest {
                [b'/', b'/', ..] => self.blank(until(rest, 0, b"\n")),
                [b'/', b'*', ..] => self.blank(comment(rest)),
                [b'"', ..] => self.text(1, quoted(rest, 1), 1),
                [b'b' | b'c', b'"', ..] if starts_word => self.text(2, quoted(rest, 2), 1),
                [b'r', b'"' | b'#', ..] if starts_word => self.raw(1),
                [b'b' | b'c', b'r', b'"' | b'#', ..] if starts_word => self.raw(2),
                [b'\'', ..] => self.character(),
                [byte, ..] => self.bare.push(*byte),
                [] => return,
            }
        }
    }

    /// Turns the next `count` bytes into spaces, but keeps the lines.
    fn blank(&mut self, count: usize) {
        let at = self.bare.len();
        let end = (at + count).min(self.source.len());
        self.bare.extend(self.source[at..end].iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
    }

    /// A text of `count` bytes with `open` bytes before and `close` bytes after its inside. The quotes stay.
    fn text(&mut self, open: usize, count: usize, close: usize) {
        let at = self.bare.len();
        let end = (at + count).min(self.source.len());
        let inside = at + open..end.saturating_sub(close).max(at + open);
        self.texts.push((inside.start, inside.end));
        self.bare.extend(&self.source[at..inside.start]);
        self.blank(inside.len());
        let done = self.bare.len();
        // In a source that ends inside a text, these may be half a character.
        self.bare
            .extend(self.source[done..end].iter().map(|byte| if byte.is_ascii() { *byte } else { b' ' }));
    }

    fn raw(&mut self, prefix: usize) {
        let rest = &self.source[self.bare.len()..];
        let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(prefix + hashes) != Some(&b'"') {
            // `r#type`: a raw name
            self.bare.push(rest[0]);
            return;
        }
        let end = [&b"\""[..], &vec![b'#'; hashes]].concat();
        let open = prefix + hashes + 1;
        let count = until(rest, open, &end) + end.len();
        self.text(open, count, end.len());
    }

    /// A character literal is blanked; a lifetime stays.
    fn character(&mut self) {
        let rest = &self.source[self.bare.len()..];
        let text = String::from_utf8_lossy(&rest[1..rest.len().min(16)]);
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some('\\'), _) => self.blank(until(rest, 3, b"'") + 1),
            (Some(first), Some('\'')) => self.blank(first.len_utf8() + 2),
            _ => self.bare.push(b'\''),
        }
    }
}

/// How many bytes stand before `end`, looked for from `from`.
fn until(rest: &[u8], from: usize, end: &[u8]) -> usize {
    let tail = rest.get(from..).unwrap_or_default();
    tail.windows(end.len()).position(|window| window == end).map_or(rest.len(), |place| from + place)
}

/// The length of a block comment; they nest.
fn comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

/// The length of a text literal whose inside begins at `from`.
fn quoted(rest: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, bare: &str) {
        assert_eq!(Code::of(source).bare, bare);
    }

    #[test]
    fn comments_and_texts_are_blanked() {
        check("a // {\nb", "a     \nb");
        check("a /* { /* } */ { */ b", "a                   b");
        check(r#"f("{ \" }")"#, r#"f("      ")"#);
        check("r#\"}\"}\"# r#type", "r#\"   \"# r#type");
        check("'{' '\\'' '\\u{7b}' 'ü' &'a str", &format!("{}&'a str", " ".repeat(23)));
        check("b\"{\" br\"{\"", "b\" \" br\" \"");
    }

    #[test]
    fn an_unclosed_text_ends_with_the_source() {
        check("\"abcü", "\"     ");
    }

    #[test]
    fn texts_are_kept_with_their_line() {
        let code = Code::of("a(\"one\");\nb(r\"two\")");
        assert_eq!(code.texts, [(1, "one".to_owned()), (2, "two".to_owned())]);
    }

    #[test]
    fn functions_are_measured() {
        let code =
            Code::of("trait T { fn none(&self) -> [u8; 4]; }\nfn two() {\n  \"}\"; }\nconst F: fn (u8) = g;");
        assert_eq!(code.functions(), [Function { name: "two".into(), line: 2, lines: 2 }]);
    }

    #[test]
    fn test_modules_are_known() {
        let code = Code::of("a\n#[cfg(test)]\nmod tests {\n  b\n}\nc");
        assert_eq!(code.tests, [false, true, true, true, true, false]);
    }
}
