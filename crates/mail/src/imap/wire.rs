//! The server's bytes to responses (RFC 3501 section 7), whatever its manners: no socket, no commands.
//!
//! A response is a line with literals in it. Lines and literals are cut out first, by length alone, so a line that makes
//! no sense never takes the place of the next one. Then the line is split into [`Token`]s without asking for a grammar:
//! Domino puts parentheses where none belong, and what we ask for can be found without them.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr;

/// How much a server may say at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest line, in bytes, literals not counted.
    pub line: usize,
    /// The largest literal, in bytes.
    pub literal: usize,
    /// The most that one response may hold, literals and all.
    pub response: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // A SEARCH over a hundred thousand messages is a line of 800 kB.
        Limits { line: 2 << 20, literal: 16 << 20, response: 24 << 20 }
    }
}

/// A server that cannot be followed. The connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the server sent a line of more than {0} bytes")]
    Line(usize),
    #[error("the server announced a literal of {0} bytes, more than allowed")]
    Literal(u64),
    #[error("the server sent a response of more than {0} bytes")]
    Response(usize),
}

/// One word of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// An atom, number, flag or section such as `BODY[]<0>`.
    Atom(Bytes),
    /// A quoted string, its escapes resolved.
    Quoted(Bytes),
    Literal(Bytes),
    Open,
    Close,
}

impl Token {
    /// The bytes of a string or atom.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Token::Atom(bytes) | Token::Quoted(bytes) | Token::Literal(bytes) => Some(bytes),
            Token::Open | Token::Close => None,
        }
    }

    /// The text of a string or atom; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }

    /// True for this atom in any case.
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Token::Atom(atom) if atom.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The number that an atom (or, with some servers, a quoted string) holds.
    pub fn number(&self) -> Option<u64> {
        std::str::from_utf8(self.bytes()?).ok()?.parse().ok()
    }
}

/// How a status response ends or warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

/// `OK`, `NO` and their like, with or without a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// `None` for an untagged one.
    pub tag: Option<String>,
    pub condition: Condition,
    /// What stands in brackets, as words; the first is the code's name in upper case.
    pub code: Vec<String>,
    /// For people, on one line.
    pub text: String,
}

impl Status {
    /// The code's name, upper case, or nothing.
    pub fn code_name(&self) -> &str {
        self.code.first().map_or("", String::as_str)
    }

    /// The number behind a code of this name.
    pub fn code_number(&self, name: &str) -> Option<u64> {
        (self.code_name() == name).then(|| self.code.get(1)?.parse().ok())?
    }
}

/// One response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// `+`: the server waits for the rest of a command.
    Continue(String),
    Status(Status),
    /// Untagged data, without the star.
    Data(Vec<Token>),
    /// A line that is nothing of these. Told, and passed over.
    Junk,
}

/// Cuts responses out of a stream. Feed it the same buffer again and again.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    /// The finished parts of the response being read, alternately lines and literals.
    parts: Vec<Part>,
    size: usize,
    /// How far the buffer was searched for a line end.
    searched: usize,
    /// The literal being waited for.
    wanted: Option<usize>,
}

#[derive(Debug)]
enum Part {
    Line(Bytes),
    Literal(Bytes),
}

impl Reader {
    pub fn new(limits: Limits) -> Self {
        Reader { limits, parts: Vec::new(), size: 0, searched: 0, wanted: None }
    }

    /// Takes the next response out of `input`, or `None` when more bytes are needed.
    pub fn take(&mut self, input: &mut BytesMut) -> Result<Option<Response>, Malformed> {
        loop {
            if let Some(wanted) = self.wanted {
                if input.len() < wanted {
                    return Ok(None);
                }
                self.parts.push(Part::Literal(input.split_to(wanted).freeze()));
                self.wanted = None;
            }
            let Some(line) = self.line(input)? else { return Ok(None) };
            self.grow(line.len())?;
            let announced = if self.has_literals(&line) { literal_at_end(&line) } else { None };
            let Some((keep, length)) = announced else {
                self.parts.push(Part::Line(line));
                self.size = 0;
                return Ok(Some(understand(std::mem::take(&mut self.parts))));
            };
            let wanted = usize::try_from(length).unwrap_or(usize::MAX);
            if wanted > self.limits.literal {
                return Err(Malformed::Literal(length));
            }
            self.grow(wanted)?;
            self.parts.push(Part::Line(line.slice(..keep)));
            self.wanted = Some(wanted);
        }
    }

    /// How many bytes are still missing of the literal being read; lets the driver make room at once.
    pub fn missing(&self, input: &BytesMut) -> usize {
        self.wanted.map_or(0, |wanted| wanted.saturating_sub(input.len()))
    }

    fn grow(&mut self, by: usize) -> Result<(), Malformed> {
        self.size = self.size.saturating_add(by);
        if self.size > self.limits.response { Err(Malformed::Response(self.limits.response)) } else { Ok(()) }
    }

    fn line(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
        let found = memchr(b'\n', &input[self.searched..]).map(|at| at + self.searched);
        let length = found.unwrap_or(input.len());
        if length > self.limits.line {
            return Err(Malformed::Line(self.limits.line));
        }
        let Some(end) = found else {
            self.searched = input.len();
            return Ok(None);
        };
        self.searched = 0;
        let mut line = input.split_to(end).freeze();
        input.advance(1);
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Ok(Some(line))
    }

    /// Human text may end in `{5}`; only data can have literals.
    fn has_literals(&self, line: &[u8]) -> bool {
        !self.parts.is_empty() || (line.starts_with(b"* ") && status(line).is_none())
    }
}

/// `… {n}`: where the line's own bytes end, and the length. `{n+}` and `~{n}` are understood.
fn literal_at_end(line: &[u8]) -> Option<(usize, u64)> {
    let inside = line.strip_suffix(b"}")?;
    let open = inside.iter().rposition(|byte| *byte == b'{')?;
    let digits = inside[open + 1..].strip_suffix(b"+").unwrap_or(&inside[open + 1..]);
    let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let keep = if line[..open].last() == Some(&b'~') { open - 1 } else { open };
    Some((keep, length))
}

fn understand(parts: Vec<Part>) -> Response {
    let Some(Part::Line(first)) = parts.first() else { return Response::Junk };
    if let Some(rest) = first.strip_prefix(b"+") {
        return Response::Continue(one_line(rest));
    }
    if parts.len() == 1
        && let Some(status) = status(first)
    {
        return Response::Status(status);
    }
    if !first.starts_with(b"* ") {
        return Response::Junk;
    }
    let mut tokens = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        match part {
            Part::Line(line) => split(&line.slice(if index == 0 { 2 } else { 0 }..), &mut tokens),
            Part::Literal(literal) => tokens.push(Token::Literal(literal)),
        }
    }
    Response::Data(tokens)
}

fn status(line: &[u8]) -> Option<Status> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (tag, word) = (words.next()?, words.next()?);
    let condition = match word.to_ascii_uppercase().as_slice() {
        b"OK" => Condition::Ok,
        b"NO" => Condition::No,
        b"BAD" => Condition::Bad,
        b"BYE" => Condition::Bye,
        b"PREAUTH" => Condition::Preauth,
        _ => return None,
    };
    let rest = one_line(words.next().unwrap_or_default());
    let (code, text) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((code, text)) => (code_words(code), text.trim().to_owned()),
        None => (Vec::new(), rest),
    };
    let tag = (tag != b"*").then(|| one_line(tag));
    Some(Status { tag, condition, code, text })
}

fn code_words(code: &str) -> Vec<String> {
    let mut words: Vec<String> = code.split_ascii_whitespace().map(str::to_owned).collect();
    if let Some(first) = words.first_mut() {
        first.make_ascii_uppercase();
    }
    words
}

/// Text for people and logs: UTF-8, no control characters, not endless.
fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim().chars().filter(|char| !char.is_control()).take(1000).collect()
}

/// Splits one line into words.
fn split(line: &Bytes, tokens: &mut Vec<Token>) {
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        match byte {
            b' ' | b'\t' => at += 1,
            b'(' => {
                tokens.push(Token::Open);
                at += 1;
            }
            b')' => {
                tokens.push(Token::Close);
                at += 1;
            }
            b'"' => {
                let (text, next) = quoted(line, at + 1);
                tokens.push(Token::Quoted(text));
                at = next;
            }
            _ => {
                let end = atom_end(line, at);
                tokens.push(Token::Atom(line.slice(at..end)));
                at = end;
            }
        }
    }
}

/// The quoted string that begins at `from`, and where it ends. One that never ends takes the rest of the line.
fn quoted(line: &Bytes, from: usize) -> (Bytes, usize) {
    let mut at = from;
    let mut resolved: Option<Vec<u8>> = None;
    while let Some(&byte) = line.get(at) {
        match byte {
            b'"' => {
                let text = resolved.map_or_else(|| line.slice(from..at), Bytes::from);
                return (text, at + 1);
            }
            b'\\' if at + 1 < line.len() => {
                resolved.get_or_insert_with(|| line[from..at].to_vec()).push(line[at + 1]);
                at += 2;
            }
            _ => {
                if let Some(resolved) = &mut resolved {
                    resolved.push(byte);
                }
                at += 1;
            }
        }
    }
    (resolved.map_or_else(|| line.slice(from..), Bytes::from), line.len())
}

/// An atom ends at a blank or parenthesis, but not inside brackets: `BODY[HEADER.FIELDS (DATE)]` is one word.
fn atom_end(line: &[u8], from: usize) -> usize {
    let mut depth = 0_usize;
    for (index, byte) in line[from..].iter().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'(' | b')' if depth == 0 => return from + index,
            _ => {}
        }
    }
    if depth == 0 {
        return line.len();
    }
    // A bracket that never closes is a character like any other.
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'(' | b')');
    line[from..].iter().position(blank).map_or(line.len(), |at| from + at)
}
