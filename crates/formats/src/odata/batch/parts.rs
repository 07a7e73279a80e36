//! multipart/mixed: bytes to parts and headers (RFC 2046 section 5.1).

use crate::odata::Error;

/// Header fields in their order.
pub(super) type Headers = Vec<(String, String)>;

/// More fields than this in one part are refused.
const MAX_FIELDS: usize = 100;

/// One part: its own header fields, and the rest.
#[derive(Debug)]
pub(super) struct Part<'b> {
    pub headers: Headers,
    pub body: &'b [u8],
}

/// The parts of a multipart, one by one.
#[derive(Debug)]
pub(super) struct Multipart<'b> {
    /// With its two hyphens.
    delimiter: Vec<u8>,
    rest: &'b [u8],
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    Part,
    Done,
}

/// A boundary found: where its line starts (the line end before it taken off), where the next line starts.
struct Found {
    before: usize,
    after: usize,
    closes: bool,
}

/// The boundary of a content type; `None` when it is no multipart or has none.
pub(super) fn boundary_of(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let mut found = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let (_, value) = found.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty() && value.len() <= 200).then(|| value.to_owned())
}

impl<'b> Multipart<'b> {
    pub fn new(boundary: String, body: &'b [u8]) -> Self {
        Multipart { delimiter: format!("--{boundary}").into_bytes(), rest: body, state: State::Preamble }
    }

    /// The next line that is a boundary.
    fn next_boundary(&self) -> Option<Found> {
        let finder = memchr::memmem::Finder::new(&self.delimiter);
        finder.find_iter(self.rest).find_map(|at| self.boundary(at))
    }

    /// The boundary at `at`, when it has its line to itself.
    fn boundary(&self, at: usize) -> Option<Found> {
        let before = match &self.rest[..at] {
            [] => 0,
            [.., b'\r', b'\n'] => at - 2,
            [.., b'\n'] => at - 1,
            _ => return None,
        };
        let tail = &self.rest[at + self.delimiter.len()..];
        let (closes, tail) = match tail.strip_prefix(b"--") {
            Some(tail) => (true, tail),
            None => (false, tail),
        };
        let end = memchr::memchr(b'\n', tail).unwrap_or(tail.len());
        let blank = tail[..end].iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        let after = self.rest.len() - tail.len() + (end + 1).min(tail.len());
        blank.then_some(Found { before, after, closes })
    }

    fn part(&mut self) -> Result<Option<Part<'b>>, Error> {
        loop {
            let Some(found) = self.next_boundary() else {
                return Err(Error::bad("The batch ends before its closing boundary."));
            };
            let content = &self.rest[..found.before];
            let state = self.state;
            self.rest = &self.rest[found.after..];
            self.state = if found.closes { State::Done } else { State::Part };
            match state {
                State::Preamble if found.closes => return Ok(None),
                State::Preamble => {}
                State::Part | State::Done => {
                    let (headers, body) = headers(content)?;
                    return Ok(Some(Part { headers, body }));
                }
            }
        }
    }
}

impl<'b> Iterator for Multipart<'b> {
    type Item = Result<Part<'b>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Done {
            return None;
        }
        let part = self.part().transpose();
        if matches!(part, Some(Err(_))) {
            self.state = State::Done;
        }
        part
    }
}

/// The first line without its end, and what follows.
pub(super) fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let rest = &bytes[(end + 1).min(bytes.len())..];
    let line = &bytes[..end];
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

/// Header fields up to the blank line, and what is behind it. The end of the bytes ends them too: clients may leave the
/// blank line out when there is no body.
pub(super) fn headers(mut bytes: &[u8]) -> Result<(Headers, &[u8]), Error> {
    let mut found = Headers::new();
    while !bytes.is_empty() {
        let (field, rest) = line(bytes);
        bytes = rest;
        if field.is_empty() {
            break;
        }
        let field = std::str::from_utf8(field).ok().and_then(|field| field.split_once(':'));
        let valid = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        let Some((name, value)) = field.filter(|(name, _)| valid(name.trim())) else {
            return Err(Error::bad("A part of the batch has a header field that cannot be read."));
        };
        found.push((name.trim().to_owned(), value.trim().to_owned()));
        if found.len() > MAX_FIELDS {
            return Err(Error::bad(format!("A part of the batch has more than {MAX_FIELDS} header fields.")));
        }
    }
    Ok((found, bytes))
}

/// The first field of that name.
pub(super) fn header<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Starts a part.
pub(super) fn open(body: &mut Vec<u8>, boundary: &str) {
    body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
}

/// Ends the last part.
pub(super) fn close(body: &mut Vec<u8>, boundary: &str) {
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
}
