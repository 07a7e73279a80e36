//! Text to elements one by one, for readers that want no tree of a large message; [`super::read`] makes its tree of them.
//!
//! Every limit is checked before memory is taken, names are resolved in their scope, a DTD is refused: all of it however an
//! element is read, also one that is skipped. What a start tag means depends on its own text and on the namespaces around it
//! alone, and messages repeat a few tags in the same order over and over: a tag is resolved once and known again by its text,
//! and the one that came behind a tag before is the first that is looked for behind it. Longer stretches that repeat are known
//! again as a whole ([`again`]). Tags that are known, end tags and plain text are found here; whatever else there may be in
//! XML (attributes, references, comments, CDATA) is quick-xml's to read.
//!
//! Not here: trees, values. Source: XML 1.0 fifth edition, Namespaces in XML 1.0.

pub(crate) mod again;

use std::borrow::Cow;
use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, BytesText, Event};
use quick_xml::parser::{ElementParser, Parser};

use self::again::Skipped;
use super::read::{attributes, declared, predefined, resolve, syntax};
use super::{Attribute, Element, Error, Limits, Name, Ns, XML, XSI};

/// More bindings in force at once than any real message has; each name is looked up among them.
const BINDINGS: usize = 256;
/// Tags that are remembered. What does not fit is resolved anew: it costs time alone.
const REMEMBERED: usize = 512;
/// A start tag that is longer is not remembered.
const LONGEST: usize = 512;

/// The elements of a text, in their order.
pub(crate) struct Pull<'t> {
    text: &'t str,
    at: usize,
    limits: Limits,
    nodes: usize,
    open: Vec<Rc<Tag>>,
    /// The newest scope: no two have the same number, and that of the text itself is 0.
    newest: u32,
    known: Vec<Option<Rc<Tag>>>,
    /// For each place in `known`: where the tag is that was opened behind it.
    behind: Vec<usize>,
    /// Where the tag is that was opened last.
    last: usize,
    skipped: Skipped,
    /// The open element was written as an empty one: its end comes next.
    empty: bool,
    begun: bool,
}

/// A start tag, resolved.
#[derive(Debug)]
pub(crate) struct Tag {
    pub name: Name,
    /// `xsi:type`.
    pub kind: Option<Name>,
    /// `xsi:nil`.
    pub nil: bool,
    attributes: Vec<Attribute>,
    /// What stands between the angle brackets; its name comes first.
    raw: Box<str>,
    name_length: usize,
    /// The scopes that it stands in and that it opens.
    outer: u32,
    inner: u32,
    declares: Vec<(Box<str>, Ns)>,
    /// Itself and everything in it that counts.
    nodes: usize,
}

/// What comes next.
pub(crate) enum Token<'t> {
    Open(Rc<Tag>),
    Text(Cow<'t, str>),
    Close,
    End,
}

impl Tag {
    /// The local name: what tells the members of a class apart.
    pub(crate) fn local(&self) -> &str {
        &self.name.local
    }

    pub(crate) fn is(&self, ns: &str, local: &str) -> bool {
        self.name.is(ns, local)
    }
}

impl<'t> Pull<'t> {
    pub(crate) fn new(text: &'t str, limits: &Limits) -> Result<Self, Error> {
        if text.len() > limits.bytes {
            return Err(Error::Bytes(limits.bytes));
        }
        Ok(Pull {
            text: text.trim_start_matches('\u{feff}'),
            at: 0,
            limits: *limits,
            nodes: 0,
            open: Vec::new(),
            newest: 0,
            known: vec![None; REMEMBERED],
            behind: vec![0; REMEMBERED],
            last: 0,
            skipped: Skipped::default(),
            empty: false,
            begun: false,
        })
    }

    /// What comes next: texts stand in pieces, and comments and instructions nowhere.
    pub(crate) fn next(&mut self) -> Result<Token<'t>, Error> {
        if std::mem::take(&mut self.empty) {
            self.open.pop();
            return Ok(Token::Close);
        }
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let text = match rest {
                [] if self.open.is_empty() => return Ok(Token::End),
                [] => return Err(self.syntax("the text ends within an element")),
                [b'<', b'/', ..] => return self.close(),
                [b'<', b'!' | b'?', ..] | [b'&', ..] | [b'<'] => match self.other()? {
                    Some(text) => text,
                    None => continue,
                },
                [b'<', ..] => return self.open().map(Token::Open),
                _ => self.piece(),
            };
            match self.open.is_empty() {
                false => return Ok(Token::Text(text)),
                true if text.trim().is_empty() => {}
                true => return Err(self.syntax("there is text outside of the element")),
            }
        }
    }

    /// Plain text, up to a tag or whatever else is written in signs.
    fn piece(&mut self) -> Cow<'t, str> {
        let text = &self.text[self.at..];
        // Most texts have no end of a line that would have to be made one of XML's.
        let found = memchr::memchr3(b'<', b'&', b'\r', text.as_bytes());
        let length = match found {
            Some(length) if text.as_bytes()[length] == b'\r' => {
                let rest = &text.as_bytes()[length..];
                length + memchr::memchr2(b'<', b'&', rest).unwrap_or(rest.len())
            }
            length => length.unwrap_or(text.len()),
        };
        self.at += length;
        match found.is_some_and(|found| found < length) {
            true => BytesText::from_escaped(&text[..length]).xml10_content(),
            false => Cow::Borrowed(&text[..length]),
        }
    }

    /// The text of the open element, when it holds nothing but plain text; its end comes next.
    fn plain(&mut self) -> Option<&'t str> {
        let text = &self.text[self.at..];
        let length = memchr::memchr3(b'<', b'&', b'\r', text.as_bytes())?;
        let ends = !self.empty && text.as_bytes()[length..].starts_with(b"</");
        ends.then(|| {
            self.at += length;
            &text[..length]
        })
    }

    fn syntax(&self, what: &str) -> Error {
        syntax(self.at as u64, what)
    }

    /// What is neither a tag nor plain text: what it says as text, or nothing.
    fn other(&mut self) -> Result<Option<Cow<'t, str>>, Error> {
        let mut reader = Reader::from_str(&self.text[self.at..]);
        let event = reader.read_event();
        self.at += usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        Ok(match event.map_err(|error| self.syntax(&error.to_string()))? {
            Event::CData(text) => Some(text.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(c)) => Some(c.to_string().into()),
                Ok(None) => {
                    let c = predefined(&reference.xml10_content()).ok_or(Error::Dtd)?;
                    Some(c.to_string().into())
                }
                Err(error) => return Err(self.syntax(&error.to_string())),
            },
            Event::DocType(_) => return Err(Error::Dtd),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => None,
            _ => return Err(self.syntax("there is no tag behind <")),
        })
    }

    fn open(&mut self) -> Result<Rc<Tag>, Error> {
        if self.open.len() >= self.limits.depth {
            return Err(Error::Depth(self.limits.depth));
        }
        if self.open.is_empty() && std::mem::replace(&mut self.begun, true) {
            return Err(self.syntax("there is a second element behind the first"));
        }
        let tag = match self.guess() {
            Some(tag) => tag,
            None => self.tag()?,
        };
        self.nodes += tag.nodes;
        if self.nodes > self.limits.nodes {
            return Err(Error::Nodes(self.limits.nodes));
        }
        self.open.push(Rc::clone(&tag));
        Ok(tag)
    }

    fn inside(&self) -> u32 {
        self.open.last().map_or(0, |tag| tag.inner)
    }

    /// The tag that came behind the last one before, when it is this one again.
    fn guess(&mut self) -> Option<Rc<Tag>> {
        let place = self.behind[self.last];
        let tag = self.known[place].as_ref().filter(|tag| tag.outer == self.inside())?;
        let rest = self.text.as_bytes()[self.at + 1..].strip_prefix(tag.raw.as_bytes())?;
        let end = match rest {
            [b'>', ..] => 1,
            [b'/', b'>', ..] => 2,
            _ => return None,
        };
        self.empty = end == 2;
        self.at += 1 + tag.raw.len() + end;
        self.last = place;
        Some(Rc::clone(tag))
    }

    /// The tag that stands here, known or not.
    fn tag(&mut self) -> Result<Rc<Tag>, Error> {
        let rest = &self.text[self.at + 1..];
        let Some(end) = ElementParser::default().feed(rest.as_bytes()) else {
            return Err(self.syntax("a tag has no end"));
        };
        let raw = &rest[..end];
        self.at += end + 2;
        let stripped = raw.strip_suffix('/');
        self.empty = stripped.is_some();
        let raw = stripped.unwrap_or(raw);
        let outer = self.inside();
        let first = place(outer, raw);
        let known = |place: &usize| {
            self.known[*place].as_ref().is_some_and(|tag| tag.outer == outer && *tag.raw == *raw)
        };
        let found = [first, first ^ 1].into_iter().find(known);
        if let Some(place) = found {
            self.follow(place);
        }
        if let Some(tag) = found.and_then(|place| self.known[place].clone()) {
            return Ok(tag);
        }
        let tag = Rc::new(self.resolved(raw)?);
        // A slash at the end would be taken for that of an empty element.
        if raw.len() <= LONGEST && !raw.ends_with('/') {
            let beside = self.known[first].is_some() && self.known[first ^ 1].is_none();
            let place = first ^ usize::from(beside);
            self.known[place] = Some(Rc::clone(&tag));
            self.follow(place);
        }
        Ok(tag)
    }

    fn follow(&mut self, place: usize) {
        self.behind[self.last] = place;
        self.last = place;
    }

    fn close(&mut self) -> Result<Token<'t>, Error> {
        let Some(tag) = self.open.pop() else {
            return Err(self.syntax("there is an end tag without a start tag"));
        };
        let rest = &self.text.as_bytes()[self.at + 2..];
        let name = &tag.raw.as_bytes()[..tag.name_length];
        let length = match rest.strip_prefix(name) {
            Some([b'>', ..]) => name.len(),
            _ => {
                let Some(length) = memchr::memchr(b'>', rest) else {
                    return Err(self.syntax("a tag has no end"));
                };
                let white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
                let kept = rest[..length].iter().rposition(|byte| !white(byte)).map_or(length, |at| at + 1);
                if rest[..kept] != *name {
                    return Err(self.syntax("an end tag has another name than its start tag"));
                }
                length
            }
        };
        self.at += length + 3;
        Ok(Token::Close)
    }

    /// What a tag means where it stands.
    fn resolved(&mut self, raw: &str) -> Result<Tag, Error> {
        let at = self.at as u64;
        let left = self.limits.nodes.saturating_sub(self.nodes);
        if left == 0 {
            return Err(Error::Nodes(self.limits.nodes));
        }
        let name_length = raw.find([' ', '\t', '\r', '\n']).unwrap_or(raw.len());
        let (mut declares, mut others) = (Vec::new(), Vec::new());
        for (name, value) in attributes(&BytesStart::from_content(raw, name_length), at)? {
            match declared(&name) {
                Some(prefix) => declares.push((Box::from(prefix), Ns::read(&value))),
                None => others.push((name, value)),
            }
        }
        let nodes = 1 + declares.len() + others.len();
        if nodes > left {
            return Err(Error::Nodes(self.limits.nodes));
        }
        let around: usize = self.open.iter().map(|tag| tag.declares.len()).sum();
        // One binding is that of the prefix xml.
        if 1 + around + declares.len() > BINDINGS {
            return Err(Error::Nodes(BINDINGS));
        }
        let outer = self.inside();
        let inner = match declares.is_empty() {
            true => outer,
            false => {
                // A number each, also when a tag was forgotten and is resolved again: each is some bytes of the text.
                self.newest += 1;
                self.newest
            }
        };
        let name = resolve(&raw[..name_length], |prefix| self.look_up(&declares, prefix))?;
        let mut tag = Tag {
            name,
            kind: None,
            nil: false,
            attributes: Vec::new(),
            raw: Box::from(raw),
            name_length,
            outer,
            inner,
            declares,
            nodes,
        };
        for (name, value) in others {
            self.attribute(&mut tag, &name, value)?;
        }
        Ok(tag)
    }

    /// What a prefix stands for in a tag that declares these.
    fn look_up(&self, declares: &[(Box<str>, Ns)], prefix: &str) -> Option<Ns> {
        let around = self.open.iter().rev().flat_map(|tag| tag.declares.iter().rev());
        let mut all = declares.iter().rev().chain(around);
        match all.find(|(known, _)| **known == *prefix) {
            Some((_, ns)) => Some(ns.clone()),
            None if prefix == "xml" => Some(Ns::Known(XML)),
            None => prefix.is_empty().then_some(Ns::Known("")),
        }
    }

    fn attribute(&self, tag: &mut Tag, qualified: &str, value: String) -> Result<(), Error> {
        let resolve = |name: &str| resolve(name, |prefix| self.look_up(&tag.declares, prefix));
        // The default namespace is not for attributes.
        let name = match qualified.contains(':') {
            true => resolve(qualified)?,
            false => Name::new("", qualified),
        };
        if name.is(XSI, "type") {
            tag.kind = Some(resolve(value.trim())?);
        } else if name.is(XSI, "nil") {
            tag.nil = matches!(value.trim(), "true" | "1");
        } else {
            tag.attributes.push(Attribute { name, value });
        }
        Ok(())
    }

    /// The one element that the text holds.
    pub(crate) fn root(&mut self) -> Result<Rc<Tag>, Error> {
        match self.next()? {
            Token::Open(tag) => Ok(tag),
            _ => Err(self.syntax("there is no element")),
        }
    }

    /// Up to the end of the text, when all that is wanted of it is known.
    pub(crate) fn rest(&mut self) -> Result<(), Error> {
        while !matches!(self.next()?, Token::End) {}
        Ok(())
    }

    /// The open element's next child; `None` when it ends. Text that stands directly in it is left out.
    pub(crate) fn child(&mut self) -> Result<Option<Rc<Tag>>, Error> {
        loop {
            match self.next()? {
                Token::Open(tag) => return Ok(Some(tag)),
                Token::Text(_) => {}
                Token::Close | Token::End => return Ok(None),
            }
        }
    }

    /// All the text that stands directly in the open element, up to its end; as [`Element::text`].
    pub(crate) fn text(&mut self) -> Result<Cow<'t, str>, Error> {
        if let Some(text) = self.plain() {
            self.close()?;
            return Ok(Cow::Borrowed(text));
        }
        let mut text = Cow::Borrowed("");
        let mut leaf = true;
        loop {
            match self.next()? {
                Token::Text(piece) if text.is_empty() => text = piece,
                Token::Text(piece) => text.to_mut().push_str(&piece),
                Token::Open(_) => {
                    leaf = false;
                    self.skip()?;
                }
                Token::Close | Token::End => break,
            }
        }
        match leaf || !text.trim().is_empty() {
            true => Ok(text),
            false => Ok(Cow::Borrowed("")),
        }
    }

    /// The open element as a tree.
    pub(crate) fn element(&mut self, tag: &Tag) -> Result<Element, Error> {
        let mut open = vec![Element::of(tag)];
        loop {
            let token = self.next()?;
            let at = open.last_mut().expect("the loop ends with the outermost element");
            match token {
                Token::Open(tag) => open.push(Element::of(&tag)),
                Token::Text(piece) => at.text.push_str(&piece),
                Token::Close | Token::End => {
                    if !at.children.is_empty() && at.text.trim().is_empty() {
                        at.text = String::new();
                    }
                    let done = open.pop().expect("it was just looked at");
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Ok(done),
                    }
                }
            }
        }
    }
}

impl Element {
    fn of(tag: &Tag) -> Self {
        let mut element = Element::new("", "");
        element.name = tag.name.clone();
        element.kind = tag.kind.clone();
        element.nil = tag.nil;
        element.attributes = tag.attributes.clone();
        element
    }
}

/// Where a tag with this text in this scope is remembered, or beside it.
fn place(scope: u32, raw: &str) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(ODD).rotate_left(29);
    let mut words = raw.as_bytes().chunks_exact(8);
    let mut hash = mix(u64::from(scope), raw.len() as u64);
    for word in &mut words {
        hash = mix(hash, word.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    let rest = words.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    (mix(hash, rest) % REMEMBERED as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many more tags than are remembered, in scopes that look alike: each means what it means where it stands.
    #[test]
    fn a_tag_means_what_it_means_in_its_scope() {
        let mut text = "<r>".to_owned();
        for number in 0..2000 {
            text.push_str(&format!("<s xmlns:p='urn:{}'><p:a n='{}'/></s>", number % 700, number % 3));
        }
        text.push_str("</r>");
        let limits = Limits::default();
        let mut pull = Pull::new(&text, &limits).unwrap();
        pull.root().unwrap();
        for number in 0..2000 {
            pull.child().unwrap().unwrap();
            let tag = pull.child().unwrap().unwrap();
            assert!(tag.is(&format!("urn:{}", number % 700), "a"), "{number}: {:?}", tag.name);
            assert_eq!(tag.attributes[0].value, (number % 3).to_string());
            pull.skip().unwrap();
            assert!(pull.child().unwrap().is_none());
        }
        pull.rest().unwrap();
    }
}
