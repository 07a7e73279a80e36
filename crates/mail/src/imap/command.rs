//! Commands to bytes. The only place where text of ours meets IMAP syntax: strings become quoted strings or literals, so
//! nothing in a name, password or mail can turn into a command.

use bytes::{BufMut as _, Bytes, BytesMut};

/// A command without its tag: bytes, cut where a literal begins.
#[derive(Debug, Default)]
pub struct Command {
    pieces: Vec<Piece>,
}

/// A part of a command.
#[derive(Debug)]
pub enum Piece {
    Bytes(BytesMut),
    Literal(Bytes),
}

/// A string of at most so many bytes is quoted; longer ones become literals.
const LONGEST_QUOTED: usize = 500;

impl Command {
    /// Words of the protocol itself.
    pub fn new(words: &'static str) -> Self {
        Command::default().word(words)
    }

    /// Further words of the protocol, after a blank.
    pub fn word(mut self, words: &'static str) -> Self {
        self.blank();
        self.last().put_slice(words.as_bytes());
        self
    }

    /// A number.
    pub fn number(mut self, number: u64) -> Self {
        self.blank();
        self.last().put_slice(number.to_string().as_bytes());
        self
    }

    /// UIDs, each run of neighbours as a range.
    pub fn uids(mut self, uids: &[u32]) -> Self {
        self.blank();
        self.last().put_slice(sequence_set(uids).as_bytes());
        self
    }

    /// `low:high`.
    pub fn range(mut self, low: u32, high: u32) -> Self {
        self.blank();
        self.last().put_slice(format!("{low}:{high}").as_bytes());
        self
    }

    /// The parameter of SELECT and EXAMINE that asks what became of these messages (RFC 7162, section 3.2.5).
    pub fn resync(mut self, uid_validity: u32, mod_seq: u64, uids: &[u32]) -> Self {
        self.blank();
        let known = sequence_set(uids);
        self.last().put_slice(format!("(QRESYNC ({uid_validity} {mod_seq} {known}))").as_bytes());
        self
    }

    /// `BODY.PEEK[]<offset.length>`.
    pub fn part(mut self, offset: u64, length: u64) -> Self {
        self.blank();
        self.last().put_slice(format!("(UID BODY.PEEK[]<{offset}.{length}>)").as_bytes());
        self
    }

    /// A string of ours.
    pub fn string(mut self, text: &[u8]) -> Self {
        self.blank();
        let plain = |byte: &u8| (b' '..=b'~').contains(byte);
        if text.len() > LONGEST_QUOTED || !text.iter().all(plain) {
            return self.literal(Bytes::copy_from_slice(text));
        }
        let out = self.last();
        out.put_u8(b'"');
        for byte in text {
            if matches!(byte, b'"' | b'\\') {
                out.put_u8(b'\\');
            }
            out.put_u8(*byte);
        }
        out.put_u8(b'"');
        self
    }

    /// Bytes that may be anything, after a blank was written.
    pub fn literal(mut self, bytes: Bytes) -> Self {
        self.pieces.push(Piece::Literal(bytes));
        self
    }

    /// A mail to append.
    pub fn mail(mut self, raw: Bytes) -> Self {
        self.blank();
        self.literal(raw)
    }

    pub fn into_pieces(self) -> Vec<Piece> {
        self.pieces
    }

    fn blank(&mut self) {
        if !self.pieces.is_empty() {
            self.last().put_u8(b' ');
        }
    }

    fn last(&mut self) -> &mut BytesMut {
        if !matches!(self.pieces.last(), Some(Piece::Bytes(_))) {
            self.pieces.push(Piece::Bytes(BytesMut::new()));
        }
        match self.pieces.last_mut() {
            Some(Piece::Bytes(bytes)) => bytes,
            _ => unreachable!("pushed above: the last piece is bytes"),
        }
    }
}

/// `1:3,7`: sorted UIDs as a set (RFC 3501, `sequence-set`).
pub fn sequence_set(uids: &[u32]) -> String {
    let mut out = String::new();
    let mut index = 0;
    while let Some(&first) = uids.get(index) {
        let mut last = first;
        while uids.get(index + 1).is_some_and(|next| *next == last.saturating_add(1)) {
            index += 1;
            last = uids[index];
        }
        index += 1;
        let comma = if out.is_empty() { "" } else { "," };
        match first == last {
            true => out.push_str(&format!("{comma}{first}")),
            false => out.push_str(&format!("{comma}{first}:{last}")),
        }
    }
    out
}

/// Parts of one sequence set. Domino refuses longer ones.
const MOST_PARTS: usize = 32;

/// UIDs in lots that make sequence sets of bounded length.
pub fn lots(uids: &[u32]) -> impl Iterator<Item = &[u32]> {
    let mut runs = uids.chunk_by(|one, next| *next == one.saturating_add(1)).map(<[u32]>::len);
    let mut rest = uids;
    std::iter::from_fn(move || {
        let (lot, left) = rest.split_at(runs.by_ref().take(MOST_PARTS).sum());
        rest = left;
        (!lot.is_empty()).then_some(lot)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(command: Command, expected: &str) {
        let mut text = String::new();
        for piece in command.into_pieces() {
            match piece {
                Piece::Bytes(bytes) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
                Piece::Literal(bytes) => text.push_str(&format!("{{{}}}", bytes.len())),
            }
        }
        assert_eq!(text, expected);
    }

    #[test]
    fn commands() {
        check(Command::new("EXAMINE").string(b"Entw&APw-rfe"), "EXAMINE \"Entw&APw-rfe\"");
        check(Command::new("LIST").string(b"").string(b"Other\\*"), "LIST \"\" \"Other\\\\*\"");
        check(Command::new("LOGIN").string(b"a\"b").string("pä".as_bytes()), "LOGIN \"a\\\"b\" {3}");
        check(Command::new("EXAMINE").string(b"a\r\nb LOGOUT"), "EXAMINE {11}");
        check(Command::new("UID FETCH").range(1, 9).word("(UID)"), "UID FETCH 1:9 (UID)");
        check(Command::new("UID FETCH").number(7).part(0, 9), "UID FETCH 7 (UID BODY.PEEK[]<0.9>)");
        check(
            Command::new("APPEND").string(b"Sent").word("(\\Seen)").mail(Bytes::from_static(b"abc")),
            "APPEND \"Sent\" (\\Seen) {3}",
        );
    }

    #[test]
    fn sets() {
        assert_eq!(sequence_set(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
        assert_eq!(sequence_set(&[u32::MAX]), u32::MAX.to_string());
        assert_eq!(sequence_set(&[]), "");
    }

    #[test]
    fn sets_are_bounded() {
        let sparse: Vec<u32> = (1..=100).map(|number| number * 2).collect();
        let lengths = |uids: &[u32]| lots(uids).map(<[u32]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&sparse), [32, 32, 32, 4]);
        assert_eq!(lengths(&(1..=500).collect::<Vec<_>>()), [500]);
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lots(&sparse).flatten().copied().collect::<Vec<_>>(), sparse);
    }
}
