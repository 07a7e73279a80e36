//! The parts of a mail, found in one pass (RFC 2046 section 5.1).
//!
//! A stack holds the multiparts and messages that are open. Each line that starts with `--` is compared with the
//! boundaries of all of them, so an outer boundary closes whatever inner part forgot to, and no byte is looked at twice.

use memchr::memmem::Finder;

use super::charset::{self, Charset};
use super::content::Body;
use super::encoding::Transfer;
use super::header::{Header, Lines};
use super::params::{self, Field};
use super::{Limit, Limits, Part, PartKind, words};

/// Reads the parts of the message whose header block was read already and ended at `body`.
pub(super) fn parts<'x>(
    lines: Lines<'x>,
    headers: &[Header<'x>],
    body: usize,
    limits: &Limits,
) -> (Vec<Part<'x>>, Option<Limit>) {
    read(lines, headers, body, limits, MAX_ENCODED)
}

/// Messages that are themselves transfer-encoded inside each other (illegal, and seen once or twice deep). Each level
/// needs a copy.
const MAX_ENCODED: usize = 3;

fn read<'x>(
    lines: Lines<'x>,
    headers: &[Header<'x>],
    body: usize,
    limits: &Limits,
    encoded: usize,
) -> (Vec<Part<'x>>, Option<Limit>) {
    let mut walk = Walk {
        lines,
        limits,
        encoded,
        dashes: Finder::new(if lines.end == b'\n' { b"\n--" } else { b"\r--" }),
        parts: Vec::new(),
        open: Vec::new(),
        truncated: None,
    };
    let mut next = walk.entity(headers, body, false, None);
    while let Some(start) = next {
        next = walk.next(start);
    }
    walk.close_from(0, lines.raw.len());
    (walk.parts, walk.truncated)
}

/// A multipart or message whose end was not reached yet.
struct Open {
    part: usize,
    /// Where its body starts.
    body: usize,
    /// `None` for a message.
    boundary: Option<Vec<u8>>,
    digest: bool,
    /// A boundary line of it was seen.
    begun: bool,
    transfer: Transfer,
}

/// A boundary line.
struct Delimiter {
    /// Which open multipart it belongs to.
    level: usize,
    /// Where the content before it ends: the line end before the boundary belongs to the boundary.
    content_end: usize,
    after: usize,
    last: bool,
}

/// Where reading goes on: a header block starts at `at`.
struct Next {
    at: usize,
    /// It is the header of a message, not of a part.
    message: bool,
}

struct Walk<'x, 'l> {
    lines: Lines<'x>,
    limits: &'l Limits,
    encoded: usize,
    dashes: Finder<'static>,
    parts: Vec<Part<'x>>,
    open: Vec<Open>,
    truncated: Option<Limit>,
}

impl<'x> Walk<'x, '_> {
    /// Reads the entity whose header block starts at `next.at`.
    fn next(&mut self, next: Next) -> Option<Next> {
        if self.parts.len() >= self.limits.parts {
            self.truncated = Some(Limit::Parts);
            return None;
        }
        let start = if next.message { self.lines.skip_preface(next.at) } else { next.at };
        let open = &self.open;
        let block = self.lines.block(start, self.limits.header_bytes, |line| owner(open, line).is_some());
        if block.cut {
            self.truncated.get_or_insert(Limit::HeaderBytes);
        }
        let digest = !next.message && self.open.last().is_some_and(|open| open.digest);
        let at_boundary = block.at_boundary.then_some(block.body);
        self.entity(&block.headers, block.body, digest, at_boundary)
    }

    /// Lists the entity with this header and says where the next one starts. `at_boundary`: it has no body, its header
    /// ran into the boundary line there.
    fn entity(
        &mut self,
        headers: &[Header<'x>],
        body: usize,
        digest: bool,
        at_boundary: Option<usize>,
    ) -> Option<Next> {
        let (mut part, head) = self.describe(headers, digest);
        let index = self.parts.len();
        let deep = self.open.len() >= self.limits.depth;
        let container = head.multipart || head.message;
        if deep && container {
            self.truncated.get_or_insert(Limit::Depth);
        }
        if head.multipart && !deep {
            part.kind = PartKind::Multipart;
            let boundary = head.boundary.or_else(|| self.guess_boundary(body)).unwrap_or_default();
            self.parts.push(part);
            let digest = self.parts[index].content_type == "multipart/digest";
            let boundary = Some(boundary.into_bytes());
            self.open.push(Open {
                part: index,
                body,
                boundary,
                digest,
                begun: false,
                transfer: head.transfer,
            });
            return self.seek(body, at_boundary.is_some()).1;
        }
        if head.message && !deep && head.transfer == Transfer::Identity {
            part.kind = PartKind::Message;
            self.parts.push(part);
            self.open.push(Open {
                part: index,
                body,
                boundary: None,
                digest: false,
                begun: true,
                transfer: head.transfer,
            });
            return Some(Next { at: body, message: true });
        }
        self.parts.push(part);
        let (end, next) = self.seek(body, at_boundary.is_some());
        let raw: &'x [u8] = self.lines.raw;
        self.parts[index].body = Body::encoded(&raw[body..end.max(body)], head.transfer);
        if head.message && !deep {
            self.unpack(index);
        }
        next
    }

    /// Finds the next boundary line at or behind `from`, closes what it closes, and skips the text behind closed
    /// multiparts. Gives the end of the content at `from`, and the next entity.
    fn seek(&mut self, from: usize, at_boundary: bool) -> (usize, Option<Next>) {
        let mut end = None;
        let mut from = from;
        // At a boundary line already: it must be seen, although its line end was taken for the header.
        let mut line_start = true;
        loop {
            let Some(found) = self.delimiter(from, line_start) else {
                return (end.unwrap_or(self.lines.raw.len()), None);
            };
            let content_end = found.content_end.max(from);
            end.get_or_insert(if at_boundary { from } else { content_end });
            self.close_from(found.level + 1, content_end);
            self.open[found.level].begun = true;
            if !found.last {
                return (end.unwrap_or(content_end), Some(Next { at: found.after, message: false }));
            }
            self.close_from(found.level, found.after);
            from = found.after;
            line_start = true;
        }
    }

    /// The first line from `from` on that is a boundary of an open multipart.
    fn delimiter(&self, from: usize, line_start: bool) -> Option<Delimiter> {
        let raw = self.lines.raw;
        if self.open.iter().all(|open| open.boundary.is_none()) {
            return None;
        }
        let mut at = from;
        let mut candidate = (line_start && raw[from..].starts_with(b"--")).then_some(from);
        loop {
            let line = match candidate.take() {
                Some(line) => line,
                None => at + self.dashes.find(&raw[at..])? + 1,
            };
            let after = self.lines.after(line);
            if let Some((level, last)) = owner(&self.open, self.lines.text(line, after)) {
                return Some(Delimiter { level, content_end: self.before(line), after, last });
            }
            // The line end stays in sight: the next line may start with dashes too.
            at = after.saturating_sub(1).max(line + 1);
            if after >= raw.len() {
                return None;
            }
        }
    }

    /// The position before the line end that comes before `line`.
    fn before(&self, line: usize) -> usize {
        let raw = &self.lines.raw[..line];
        let raw = raw.strip_suffix(&[self.lines.end]).unwrap_or(raw);
        raw.strip_suffix(b"\r").filter(|_| self.lines.end == b'\n').unwrap_or(raw).len()
    }

    /// Closes the open containers from `level` on; their content ends at `end`.
    fn close_from(&mut self, level: usize, end: usize) {
        let raw: &'x [u8] = self.lines.raw;
        for open in self.open.drain(level.min(self.open.len())..) {
            let body = &raw[open.body..end.max(open.body)];
            self.parts[open.part].body = Body::plain(body);
            if !open.begun && !body.trim_ascii().is_empty() {
                // No boundary ever came. Nothing was listed since, so the words follow their multipart.
                let index = number(self.parts.len());
                self.parts.push(words_of(&self.parts[open.part], index, Body::encoded(body, open.transfer)));
            }
        }
    }

    /// A multipart that names no boundary: the first line `--x` with a `Content-…` line behind it gives it away.
    fn guess_boundary(&self, body: usize) -> Option<String> {
        const FAR: usize = 64 * 1024;
        let raw = &self.lines.raw[..self.lines.raw.len().min(body + FAR)];
        let mut at = body;
        loop {
            let after = self.lines.after(at).min(raw.len());
            let line = self.lines.text(at, after).trim_ascii_end();
            let content = raw[after..].get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
            if line.starts_with(b"--") && line.len() > 2 && content {
                return std::str::from_utf8(&line[2..]).ok().map(str::to_owned);
            }
            at += self.dashes.find(&raw[at..])? + 1;
        }
    }

    /// Lists the parts of a message that was transfer-encoded; they own their bytes.
    fn unpack(&mut self, index: usize) {
        if self.encoded == 0 {
            self.truncated.get_or_insert(Limit::Depth);
            return;
        }
        self.parts[index].kind = PartKind::Message;
        let lines = Lines::of(&self.parts[index].body);
        let block = lines.block(lines.skip_preface(0), self.limits.header_bytes, |_| false);
        let limits = Limits {
            depth: self.limits.depth.saturating_sub(self.open.len() + 1),
            parts: self.limits.parts.saturating_sub(self.parts.len()).max(1),
            header_bytes: self.limits.header_bytes,
        };
        let (inner, truncated) = read(lines, &block.headers, block.body, &limits, self.encoded - 1);
        let base = number(index + 1);
        let inner: Vec<Part<'static>> = inner.into_iter().map(Part::into_owned).collect();
        for mut part in inner {
            part.index += base;
            part.parent = Some(part.parent.map_or(number(index), |parent| parent + base));
            self.parts.push(part);
        }
        self.truncated = self.truncated.or(truncated);
    }

    fn describe(&self, headers: &[Header<'x>], digest: bool) -> (Part<'x>, Head) {
        describe(
            headers,
            digest,
            self.hint(),
            number(self.parts.len()),
            self.open.last().map(|open| number(open.part)),
        )
    }

    /// The charset of the text before this part: attachments' raw names are in it.
    fn hint(&self) -> Option<Charset> {
        self.parts.iter().find_map(text_charset)
    }
}

/// The charset of a text part, when it names one that tells something.
pub(super) fn text_charset(part: &Part<'_>) -> Option<Charset> {
    let label = part.charset.as_deref().filter(|_| part.is_text())?;
    charset::for_label(label).filter(|_| !label.to_ascii_lowercase().contains("ascii"))
}

/// The open multipart whose boundary line this is (the longest boundary that fits, then the innermost), and whether it is
/// the last one. Text behind the boundary is allowed only after a space or the closing dashes, so that a boundary which
/// begins another one is not taken for it.
fn owner(open: &[Open], line: &[u8]) -> Option<(usize, bool)> {
    let line = line.strip_prefix(b"--")?;
    let mut found: Option<(usize, bool, usize)> = None;
    for (level, open) in open.iter().enumerate() {
        let Some(boundary) = open.boundary.as_deref().filter(|boundary| !boundary.is_empty()) else {
            continue;
        };
        let Some(rest) = line.strip_prefix(boundary) else { continue };
        let last = rest.starts_with(b"--");
        let fits = last || rest.is_empty() || matches!(rest[0], b' ' | b'\t');
        if fits && found.is_none_or(|(_, _, length)| length <= boundary.len()) {
            found = Some((level, last, boundary.len()));
        }
    }
    found.map(|(level, last, _)| (level, last))
}

/// The text of a multipart without boundaries, as a part of it (reports of broken mailers look like this).
fn words_of<'x>(multipart: &Part<'x>, index: u32, body: Body<'x>) -> Part<'x> {
    Part {
        index,
        parent: Some(multipart.index),
        kind: PartKind::Leaf,
        content_type: "text/plain".to_owned(),
        charset: multipart.charset.clone(),
        params: Vec::new(),
        disposition: None,
        file_name: None,
        content_id: None,
        content_location: None,
        body,
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("parts are limited to far fewer")
}

/// What the structure needs to know of a part's header.
struct Head {
    multipart: bool,
    message: bool,
    boundary: Option<String>,
    transfer: Transfer,
}

fn describe<'x>(
    headers: &[Header<'x>],
    digest: bool,
    hint: Option<Charset>,
    index: u32,
    parent: Option<u32>,
) -> (Part<'x>, Head) {
    let text =
        |name: &str| headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(with(hint));
    let typed = text("Content-Type").map(|text| params::parse(&text, hint)).unwrap_or_default();
    let disposed = text("Content-Disposition").map(|text| params::parse(&text, hint));
    let transfer = Transfer::of(&text("Content-Transfer-Encoding").unwrap_or_default());
    let file_name = file_name(disposed.as_ref(), &typed);
    let content_type = content_type(&typed.value, digest, transfer, file_name.is_some());
    let head = Head {
        multipart: content_type.starts_with("multipart/"),
        message: matches!(content_type.as_str(), "message/rfc822" | "message/global" | "message/news"),
        boundary: typed.param("boundary").filter(|boundary| !boundary.is_empty()).map(str::to_owned),
        transfer,
    };
    let part = Part {
        index,
        parent,
        kind: PartKind::Leaf,
        content_type,
        charset: typed.param("charset").filter(|label| !label.is_empty()).map(str::to_owned),
        params: typed.params,
        disposition: disposed.map(|field| field.value).filter(|value| !value.is_empty()),
        file_name,
        content_id: text("Content-ID").and_then(|text| content_id(&text)),
        content_location: text("Content-Location")
            .map(|text| words::decode(&text))
            .filter(|text| !text.is_empty()),
        body: Body::plain(&[]),
    };
    (part, head)
}

/// The value of a field as text, encoded words undecoded.
fn with(hint: Option<Charset>) -> impl Fn(&Header<'_>) -> String {
    move |header| Header { hint, ..*header }.unfolded()
}

fn file_name(disposed: Option<&Field>, typed: &Field) -> Option<String> {
    let named = disposed.and_then(|field| field.param("filename").or_else(|| field.param("name")));
    named
        .or_else(|| typed.param("name"))
        .or_else(|| typed.param("filename"))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}

fn content_id(text: &str) -> Option<String> {
    let decoded = words::decode(text);
    let id = decoded.trim().trim_start_matches('<').trim_end_matches('>').trim();
    (!id.is_empty()).then(|| id.to_owned())
}

/// The type as written if it is one; else the default of the place it stands in. An encoded body or one with a file name
/// is no text that somebody forgot to label.
fn content_type(value: &str, digest: bool, transfer: Transfer, named: bool) -> String {
    let token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte))
    };
    let value = value.split_whitespace().next().unwrap_or_default();
    match value.split_once('/') {
        Some((kind, sub)) if token(kind) && token(sub) => value.to_owned(),
        _ if value.is_empty() && digest => "message/rfc822".to_owned(),
        _ if named && transfer != Transfer::Identity => "application/octet-stream".to_owned(),
        // "Content-Type: html" and friends.
        _ if value == "html" => "text/html".to_owned(),
        Some(("multipart", _)) => "multipart/mixed".to_owned(),
        _ => "text/plain".to_owned(),
    }
}
