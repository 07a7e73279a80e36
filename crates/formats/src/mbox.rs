//! Mailbox files: many mails in one file, each behind a line `From sender date` (RFC 4155).
//!
//! Streaming: one message is held at a time, and no more of it than the limit. A separator is a `From ` line with a date
//! behind a blank line, or with a complete date anywhere: writers that forget the blank line exist, and so do bodies with
//! an unquoted `From `. Line ends stay as they are.

use std::io::{self, BufRead, Read};

/// How a writer hid body lines that start with `From `.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quoting {
    /// Any number of `>` before `From ` is one more than in the mail: mboxrd, what good writers use.
    #[default]
    Mboxrd,
    /// Only `>From ` is quoted; `>>From ` stood in the mail: mboxo.
    Mboxo,
}

/// A message of a mailbox file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where its separator line starts in the file: an import can start again here, see [`Mbox::resume`].
    pub offset: u64,
    /// The mail, without its separator line and unquoted.
    pub raw: Vec<u8>,
}

/// Why a message could not be given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading goes on with the next message.
    #[error(
        "the message at byte {offset} of the mailbox file has {size} bytes and the limit is {limit}: raise the limit, \
         or take this message out of the file and import it alone"
    )]
    TooLarge { offset: u64, size: u64, limit: usize },
    /// Nothing more comes; resume at `offset` when the file can be read again.
    #[error(
        "the mailbox file cannot be read on from the message at byte {offset}: check the file, then resume there"
    )]
    Read { offset: u64, source: io::Error },
}

/// Reads the messages of a mailbox file one by one.
pub struct Mbox<R> {
    reader: R,
    quoting: Quoting,
    limit: usize,
    /// Where the next unread byte is.
    position: u64,
    /// Where the message to be read starts, once its separator is consumed.
    start: Option<u64>,
    line: Vec<u8>,
    done: bool,
}

/// A line is read in pieces of this size, so that a file without line ends costs no memory.
const PIECE: u64 = 64 * 1024;

impl<R: BufRead> Mbox<R> {
    /// Reads from the start of a file; messages larger than `limit` bytes become [`Error::TooLarge`].
    pub fn new(reader: R, quoting: Quoting, limit: usize) -> Mbox<R> {
        Mbox::resume(reader, quoting, limit, 0)
    }

    /// Reads on in a file whose reader stands at `offset`, an offset that an earlier run gave.
    pub fn resume(reader: R, quoting: Quoting, limit: usize, offset: u64) -> Mbox<R> {
        Mbox { reader, quoting, limit, position: offset, start: None, line: Vec::new(), done: false }
    }

    /// The next line or piece of one into `self.line`; gives its offset, `None` at the end.
    fn piece(&mut self) -> io::Result<Option<u64>> {
        self.line.clear();
        let offset = self.position;
        let read = self.reader.by_ref().take(PIECE).read_until(b'\n', &mut self.line)?;
        self.position += read as u64;
        Ok((read > 0).then_some(offset))
    }

    /// Reads up to the next separator or the end; `Ok(None)` when there was nothing.
    fn message(&mut self) -> io::Result<Option<Result<Message, Error>>> {
        let mut body = Body { raw: Vec::new(), size: 0, limit: self.limit, blank: self.start.is_none() };
        let mut line_start = true;
        let next = loop {
            let Some(offset) = self.piece()? else { break None };
            if line_start && is_separator(&self.line, body.blank) {
                if self.start.is_none() && body.size == 0 {
                    self.start = Some(offset);
                    body.blank = false;
                    continue;
                }
                break Some(offset);
            }
            // Blank lines before the first separator belong to nothing; other text is a message without one.
            let before_any = self.start.is_none();
            if before_any && self.line.trim_ascii().is_empty() {
                continue;
            }
            self.start.get_or_insert(offset);
            body.push(unquoted(&self.line, self.quoting, line_start), line_start);
            line_start = self.line.ends_with(b"\n");
        };
        let start = std::mem::replace(&mut self.start, next);
        self.done |= next.is_none();
        Ok(start.map(|offset| body.finish(offset)))
    }
}

impl<R: BufRead> Iterator for Mbox<R> {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        self.message().unwrap_or_else(|source| {
            self.done = true;
            Some(Err(Error::Read { offset: self.start.unwrap_or(self.position), source }))
        })
    }
}

/// The message that is being read.
struct Body {
    raw: Vec<u8>,
    size: u64,
    limit: usize,
    /// The line before was blank.
    blank: bool,
}

impl Body {
    fn push(&mut self, piece: &[u8], line_start: bool) {
        self.size += piece.len() as u64;
        self.blank = line_start && matches!(piece, b"\n" | b"\r\n");
        if self.is_too_large() {
            self.raw = Vec::new();
        } else {
            self.raw.extend_from_slice(piece);
        }
    }

    /// The blank line before the next separator does not count.
    fn is_too_large(&self) -> bool {
        self.size > self.limit as u64 + 2
    }

    fn finish(mut self, offset: u64) -> Result<Message, Error> {
        if self.is_too_large() {
            return Err(Error::TooLarge { offset, size: self.size, limit: self.limit });
        }
        if self.blank {
            // The blank line before a separator is the mailbox's, not the mail's.
            self.raw.pop();
            if self.raw.ends_with(b"\r") {
                self.raw.pop();
            }
        }
        match self.raw.len() > self.limit {
            true => Err(Error::TooLarge { offset, size: self.raw.len() as u64, limit: self.limit }),
            false => Ok(Message { offset, raw: self.raw }),
        }
    }
}

fn unquoted(line: &[u8], quoting: Quoting, line_start: bool) -> &[u8] {
    let marks = line.iter().take_while(|byte| **byte == b'>').count();
    let quoted = line_start && marks > 0 && line[marks..].starts_with(b"From ");
    if quoted && (quoting == Quoting::Mboxrd || marks == 1) { &line[1..] } else { line }
}

/// Whether a line separates messages. After a blank line a sender and something like a time are enough; else the whole
/// `Www Mmm dd hh:mm:ss yyyy` must be there.
fn is_separator(line: &[u8], blank_before: bool) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let rest = String::from_utf8_lossy(&rest[..rest.len().min(500)]);
    let words: Vec<&str> = rest.split_whitespace().collect();
    let time = |word: &&str| word.split(':').take(2).filter(|piece| is_number(piece, 1..=2)).count() == 2;
    let year = |word: &&str| is_number(word, 4..=4);
    let month = |word: &&str| MONTHS.contains(word);
    let timed = words.iter().any(time);
    if blank_before {
        return timed || matches!(words[..], [sender] if sender.contains('@') || sender == "-");
    }
    timed && words.iter().any(year) && words.iter().any(month)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn is_number(text: &str, width: std::ops::RangeInclusive<usize>) -> bool {
    width.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Tells a mailbox file from a single message by its first bytes (some hundred are enough).
pub fn is_mbox(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    is_separator(line, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as `offset:raw`, errors as `offset!size`.
    fn read(file: &str, quoting: Quoting, limit: usize) -> Vec<String> {
        let item = |item| match item {
            Ok(Message { offset, raw }) => format!("{offset}:{}", String::from_utf8(raw).unwrap()),
            Err(Error::TooLarge { offset, size, .. }) => format!("{offset}!{size}"),
            Err(Error::Read { .. }) => "unreadable".to_owned(),
        };
        // A tiny buffer shows that nothing depends on where the buffer ends.
        Mbox::new(io::BufReader::with_capacity(3, file.as_bytes()), quoting, limit).map(item).collect()
    }

    #[track_caller]
    fn check(file: &str, expected: &[&str]) {
        assert_eq!(read(file, Quoting::Mboxrd, 1000), expected);
    }

    const A: &str = "From a@b Thu Jan  1 00:00:00 1970\n";

    #[test]
    fn messages_and_offsets() {
        check("", &[]);
        check("\n\n", &[]);
        check(&format!("{A}X: 1\n\nbody\n\n{A}X: 2\n\nbody\n"), &["0:X: 1\n\nbody\n", "46:X: 2\n\nbody\n"]);
        check(&format!("{A}X: 1\n\nno end"), &["0:X: 1\n\nno end"]);
        check(&format!("\n{A}X: 1\n"), &["1:X: 1\n"]);
        check(A, &["0:"]);
    }

    #[test]
    fn line_ends_stay() {
        let file = format!("{A}X: 1\n\nbody\n\n{A}X: 2\n").replace('\n', "\r\n");
        check(&file, &["0:X: 1\r\n\r\nbody\r\n", "51:X: 2\r\n"]);
    }

    #[test]
    fn quoting() {
        let file = format!("{A}X: 1\n\n>From x\n>>From y\n>Fromage\n");
        assert_eq!(read(&file, Quoting::Mboxrd, 1000), ["0:X: 1\n\nFrom x\n>From y\n>Fromage\n"]);
        assert_eq!(read(&file, Quoting::Mboxo, 1000), ["0:X: 1\n\nFrom x\n>>From y\n>Fromage\n"]);
    }

    #[test]
    fn what_separates() {
        check(&format!("{A}X: 1\n\nFrom here on it is text\n"), &["0:X: 1\n\nFrom here on it is text\n"]);
        check(&format!("{A}X: 1\n\n\nFrom here on\n"), &["0:X: 1\n\n\nFrom here on\n"]);
        check(&format!("{A}X: 1\n\nbody\n{A}X: 2\n"), &["0:X: 1\n\nbody\n", "45:X: 2\n"]);
        check("X: 1\n\nno separator\n", &["0:X: 1\n\nno separator\n"]);
        check("From x@y\nX: 1\n\nFrom - \nX: 2\n", &["0:X: 1\n", "15:X: 2\n"]);
    }

    #[test]
    fn too_large_is_skipped() {
        let file = format!("{A}{}\n\n{A}X: 2\n", "x".repeat(200_000));
        assert_eq!(read(&file, Quoting::Mboxrd, 100), ["0!200002", "200036:X: 2\n"]);
    }

    #[test]
    fn resumes_at_an_offset() {
        let file = format!("{A}X: 1\n\nbody\n\n{A}X: 2\n\nbody\n");
        let mut rest = Mbox::resume(&file.as_bytes()[46..], Quoting::Mboxrd, 1000, 46);
        assert_eq!(rest.next().unwrap().unwrap(), Message { offset: 46, raw: b"X: 2\n\nbody\n".to_vec() });
        assert!(rest.next().is_none());
    }

    #[test]
    fn a_broken_file_ends_the_reading() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("bad sector"))
            }
        }
        let reader = io::BufReader::new(A.as_bytes().chain(&b"X: 1\n"[..]).chain(Broken));
        let mut mbox = Mbox::new(reader, Quoting::Mboxrd, 1000);
        assert!(matches!(mbox.next(), Some(Err(Error::Read { offset: 0, .. }))));
        assert!(mbox.next().is_none());
    }

    #[test]
    fn mailbox_or_message() {
        assert!(is_mbox(A.as_bytes()));
        assert!(is_mbox(b"\xef\xbb\xbf\nFrom - Tue Mar 04 10:00:00 2008\nX: 1\n"));
        assert!(!is_mbox(b"From: a@b\n\n"));
        assert!(!is_mbox(b"From here on it is text\n"));
        assert!(!is_mbox(b""));
    }
}
