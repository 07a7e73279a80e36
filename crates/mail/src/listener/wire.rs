//! Bytes to command lines and to message bytes. Only CRLF ends a line and only CRLF.CRLF ends DATA (RFC 5321 2.3.8,
//! 4.1.1.4), whatever the pieces the bytes arrive in: the answer depends on the bytes alone.
//!
//! # SMTP smuggling
//!
//! Servers that disagree about what ends a mail can be made to see two mails where there is one. So a command line with a
//! bare CR or LF ends the session, and a mail with a lone dot between line ends of any other kind than CRLF is refused,
//! after reading to its true end. Other bare CR and LF in a mail are bytes like any other and are kept.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memmem};

/// Longest command line with its CRLF. RFC 5321 wants 512 and RFC 6531 ten more; long addresses exist.
pub const MAX_LINE: usize = 2048;

const END: &[u8] = b"\r\n.\r\n";

/// What stands at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line, without its CRLF.
    Whole(Bytes),
    /// More bytes are needed.
    Partial,
    /// A bare CR or LF.
    BareEnd,
    TooLong,
}

/// Takes the next command line off the front of `input`.
pub fn take_line(input: &mut BytesMut) -> Line {
    let window = &input[..input.len().min(MAX_LINE)];
    let Some(end) = memchr(b'\n', window) else {
        return if input.len() >= MAX_LINE { Line::TooLong } else { Line::Partial };
    };
    if memchr(b'\r', &window[..end]).is_none_or(|cr| cr + 1 != end) {
        return Line::BareEnd;
    }
    let line = input.split_to(end + 1).freeze();
    Line::Whole(line.slice(..end - 1))
}

/// How a mail sent with DATA ended.
#[derive(Debug, PartialEq, Eq)]
pub enum DataEnd {
    /// The bytes as the client meant them: dots unstuffed, the final CRLF kept.
    Whole(Bytes),
    /// A lone dot between line ends that are not both CRLF.
    Smuggling,
    TooLarge,
    /// [`DataReader::give_up`] was called.
    GivenUp,
}

/// Reads one mail off the front of an input that grows. After too much it goes on to the end, keeping nothing.
#[derive(Debug)]
pub struct DataReader {
    /// Largest mail, dots unstuffed.
    limit: u64,
    /// The input still begins where the mail does.
    at_start: bool,
    /// Up to here there is no end.
    searched: usize,
    /// Set once bytes were thrown away.
    lost: Option<DataEnd>,
}

impl DataReader {
    pub fn new(limit: u64) -> Self {
        DataReader { limit, at_start: true, searched: 0, lost: None }
    }

    /// Looks again after bytes were added to `input`. `None`: more are needed. After `Some`, `input` begins with the
    /// byte after the mail.
    pub fn take(&mut self, input: &mut BytesMut) -> Option<DataEnd> {
        let Some((content, whole)) = self.find_end(input) else {
            self.searched = input.len();
            if self.lost.is_none() && self.is_over(input.len().saturating_sub(END.len())) {
                self.lost = Some(DataEnd::TooLarge);
            }
            self.forget(input);
            return None;
        };
        if let Some(lost) = self.lost.take() {
            input.advance(whole);
            return Some(lost);
        }
        let mut mail = input.split_to(whole);
        mail.truncate(content);
        if self.is_over(content) {
            return Some(DataEnd::TooLarge);
        }
        if has_lone_dot(&mail) {
            return Some(DataEnd::Smuggling);
        }
        unstuff(&mut mail);
        if mail.len() as u64 > self.limit {
            return Some(DataEnd::TooLarge);
        }
        Some(DataEnd::Whole(mail.freeze()))
    }

    /// Reads on to the end, but keeps nothing more.
    pub fn give_up(&mut self, input: &mut BytesMut) {
        self.lost.get_or_insert(DataEnd::GivenUp);
        self.forget(input);
    }

    /// Where the message ends, and where what follows begins.
    fn find_end(&self, input: &[u8]) -> Option<(usize, usize)> {
        // DATA's own CRLF counts: a mail may be empty.
        if self.at_start && input.starts_with(&END[2..]) {
            return Some((0, 3));
        }
        let from = self.searched.saturating_sub(END.len() - 1);
        memmem::find(&input[from..], END).map(|found| (from + found + 2, from + found + END.len()))
    }

    /// Stuffed dots do not count (RFC 1870 section 4); how many there are is known only at the end, so a sixty-fourth
    /// is allowed for them while reading.
    fn is_over(&self, raw: usize) -> bool {
        raw as u64 > self.limit.saturating_add(self.limit / 64)
    }

    /// Keeps what an end may begin with.
    fn forget(&mut self, input: &mut BytesMut) {
        if self.lost.is_some() && input.len() >= END.len() {
            input.advance(input.len() - (END.len() - 1));
            self.at_start = false;
            self.searched = input.len();
        }
    }
}

/// A dot that is alone between two line ends, at least one of them not CRLF. (Where both are, the mail has ended.)
fn has_lone_dot(mail: &[u8]) -> bool {
    let is_end = |byte: Option<&u8>| matches!(byte, Some(b'\r' | b'\n'));
    let after = |start: &[u8]| memmem::find_iter(mail, start).any(|found| is_end(mail.get(found + 2)));
    mail.first() == Some(&b'.') && is_end(mail.get(1)) || after(b"\n.") || after(b"\r.")
}

/// Takes away the dot that the client put before each line that begins with one, in place.
fn unstuff(mail: &mut BytesMut) {
    let mut stuffed = if mail.first() == Some(&b'.') { Some(0) } else { stuffed_dot(mail, 0) };
    let Some(mut to) = stuffed else { return };
    while let Some(dot) = stuffed {
        stuffed = stuffed_dot(mail, dot + 1);
        let end = stuffed.unwrap_or(mail.len());
        mail.copy_within(dot + 1..end, to);
        to += end - dot - 1;
    }
    mail.truncate(to);
}

fn stuffed_dot(mail: &[u8], from: usize) -> Option<usize> {
    memmem::find(&mail[from..], &END[..3]).map(|found| from + found + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `bytes` in pieces of the given sizes (the last one for the rest); gives the end and what follows it.
    fn read(bytes: &[u8], limit: u64, pieces: &[usize]) -> Option<(DataEnd, Vec<u8>)> {
        let (mut reader, mut input, mut rest) = (DataReader::new(limit), BytesMut::new(), bytes);
        let mut sizes = pieces.iter().copied();
        let mut end = None;
        while end.is_none() && !rest.is_empty() {
            let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
            input.extend_from_slice(&rest[..size]);
            rest = &rest[size..];
            end = reader.take(&mut input);
        }
        end.map(|end| (end, [&input[..], rest].concat()))
    }

    /// The same by the book, one byte after the other.
    fn read_slowly(bytes: &[u8]) -> Option<(DataEnd, Vec<u8>)> {
        let framed = [b"\r\n", bytes].concat();
        let end = (0..framed.len()).find(|at| framed[*at..].starts_with(END))?;
        let (content, follows) = (&framed[..end + 2], framed[end + END.len()..].to_vec());
        let is_end = |byte: u8| byte == b'\r' || byte == b'\n';
        if content.windows(3).any(|three| is_end(three[0]) && three[1] == b'.' && is_end(three[2])) {
            return Some((DataEnd::Smuggling, follows));
        }
        let mut plain = Vec::new();
        for (at, byte) in content.iter().enumerate().skip(2) {
            if *byte != b'.' || !content[..at].ends_with(b"\r\n") {
                plain.push(*byte);
            }
        }
        Some((DataEnd::Whole(plain.into()), follows))
    }

    #[track_caller]
    fn check(bytes: &str, expected: DataEnd) {
        let every_byte_alone = vec![1; bytes.len()];
        for pieces in [&[][..], &every_byte_alone[..]] {
            assert_eq!(
                read(bytes.as_bytes(), 1000, pieces),
                Some((expected_copy(&expected), b"QUIT".to_vec()))
            );
        }
    }

    fn expected_copy(end: &DataEnd) -> DataEnd {
        match end {
            DataEnd::Whole(bytes) => DataEnd::Whole(bytes.clone()),
            DataEnd::Smuggling => DataEnd::Smuggling,
            DataEnd::TooLarge => DataEnd::TooLarge,
            DataEnd::GivenUp => DataEnd::GivenUp,
        }
    }

    fn whole(bytes: &'static str) -> DataEnd {
        DataEnd::Whole(Bytes::from_static(bytes.as_bytes()))
    }

    #[test]
    fn mails_end_at_crlf_dot_crlf() {
        check("A: b\r\n\r\nx\r\n.\r\nQUIT", whole("A: b\r\n\r\nx\r\n"));
        check(".\r\nQUIT", whole(""));
        check("\r\n.\r\nQUIT", whole("\r\n"));
    }

    #[test]
    fn dots_are_unstuffed() {
        check("..\r\n.\r\nQUIT", whole(".\r\n"));
        check("...a\r\nb..\r\n..\r\n..\r\n.c\r\n.\r\nQUIT", whole("..a\r\nb..\r\n.\r\n.\r\nc\r\n"));
    }

    #[test]
    fn bare_line_ends_are_bytes() {
        check("a\nb\rc\n\r\n.\r\nQUIT", whole("a\nb\rc\n\r\n"));
        check("a\n.b\r.c\r\n.\r\nQUIT", whole("a\n.b\r.c\r\n"));
    }

    #[test]
    fn lone_dots_between_other_line_ends_are_refused() {
        for dot in
            ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r.\n", "\n.\r", "\r\r\n.\r\r\n"]
        {
            check(&format!("a{dot}MAIL FROM:<x@y>\r\n.\r\nQUIT"), DataEnd::Smuggling);
        }
        check(".\nx\r\n.\r\nQUIT", DataEnd::Smuggling);
        check(".\rx\r\n.\r\nQUIT", DataEnd::Smuggling);
    }

    #[test]
    fn the_limit_is_for_the_unstuffed_mail_and_the_end_is_still_found() {
        let lines = |count: usize| "..345678\r\n".repeat(count) + ".\r\nQUIT";
        let end = |count: usize, pieces: &[usize]| read(lines(count).as_bytes(), 900, pieces).unwrap();
        assert!(
            matches!(end(100, &[]), (DataEnd::TooLarge, rest) if rest == b"QUIT"),
            "1000 raw are over 900 and slack"
        );
        let (_, rest) = end(90, &[7; 200]);
        assert_eq!(rest, b"QUIT");
        for pieces in [&[][..], &[1; 2000], &[3; 700]] {
            assert!(matches!(end(91, pieces), (DataEnd::Whole(mail), _) if mail.len() == 819));
            assert!(matches!(end(500, pieces), (DataEnd::TooLarge, rest) if rest == b"QUIT"));
        }
    }

    #[test]
    fn a_reader_that_gave_up_still_finds_the_end() {
        for mail in ["", "x\r\n", "long enough to be forgotten\r\n"] {
            let (mut reader, mut input) = (DataReader::new(10), BytesMut::new());
            reader.give_up(&mut input);
            let mut end = None;
            for byte in format!("{mail}.\r\n").bytes() {
                assert_eq!(end, None);
                input.extend_from_slice(&[byte]);
                end = reader.take(&mut input);
            }
            assert_eq!((end, input.len()), (Some(DataEnd::GivenUp), 0));
        }
    }

    #[track_caller]
    fn line(input: &str, expected: Line, rest: &str) {
        let mut input = BytesMut::from(input);
        assert_eq!(take_line(&mut input), expected);
        assert_eq!(input, rest.as_bytes());
    }

    #[test]
    fn lines_end_at_crlf_only() {
        line("NOOP\r\nQUIT", Line::Whole("NOOP".into()), "QUIT");
        line("\r\n", Line::Whole("".into()), "");
        line("NOOP\r", Line::Partial, "NOOP\r");
        line("NOOP\nQUIT\r\n", Line::BareEnd, "NOOP\nQUIT\r\n");
        line("NO\rOP\r\n", Line::BareEnd, "NO\rOP\r\n");
        line("NOOP\r\r\n", Line::BareEnd, "NOOP\r\r\n");
        let long = "x".repeat(MAX_LINE);
        line(&long, Line::TooLong, &long);
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(&b"\r\n"[..]),
            Just(&b"."[..]),
            Just(&b"\r"[..]),
            Just(&b"\n"[..]),
            Just(&b"\r\n.\r\n"[..]),
            Just(&b"a"[..]),
            Just(&b".."[..]),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in hostile(), pieces in proptest::collection::vec(1usize..6, 0..40)) {
            let expected = read_slowly(&bytes);
            prop_assert_eq!(&read(&bytes, 1000, &pieces), &expected);
            prop_assert_eq!(&read(&bytes, 1000, &[]), &expected);
        }

        #[test]
        fn pieces_do_not_matter_to_the_limit(
            bytes in hostile(), pieces in proptest::collection::vec(1usize..6, 0..40), limit in 0u64..20,
        ) {
            prop_assert_eq!(read(&bytes, limit, &pieces), read(&bytes, limit, &[]));
        }
    }
}
