//! Text to elements one by one, for readers that want no tree of a large message; [`super::read`] makes its tree of them.
//!
//! Every limit is checked before memory is taken, names are resolved in their scope, a DTD is refused: all of it however an
//! element is read, also one that is skipped. What a start tag means depends on its own text and on the namespaces around it
//! alone, and messages repeat a few tags over and over: a tag is resolved once and known again by its text.
//!
//! Not here: trees, values. Source: XML 1.0 fifth edition, Namespaces in XML 1.0.

use std::borrow::Cow;
use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::read::{Scope, attributes, declared, predefined, syntax};
use super::{Attribute, Element, Error, Limits, Name, Ns, XSI};

/// More bindings in force at once than any real message has; each name is looked up among them.
const BINDINGS: usize = 256;
/// Tags that are remembered. What does not fit is resolved anew: it costs time alone.
const REMEMBERED: usize = 512;
/// A start tag that is longer is not remembered.
const LONGEST: usize = 512;

/// The elements of a text, in their order.
pub(crate) struct Pull<'t> {
    reader: Reader<&'t [u8]>,
    limits: Limits,
    nodes: usize,
    scope: Scope,
    /// The scopes around the open elements, outermost first.
    around: Vec<u32>,
    /// The scope that the next tag stands in, and the newest there is.
    inside: u32,
    newest: u32,
    known: Vec<Option<Rc<Tag>>>,
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
    raw: Box<str>,
    /// The scopes that it stands in and that it opens.
    outer: u32,
    inner: u32,
    declares: Vec<(Rc<str>, Ns)>,
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
            reader: Reader::from_str(text.trim_start_matches('\u{feff}')),
            limits: *limits,
            nodes: 0,
            scope: Scope::new(),
            around: Vec::new(),
            inside: 0,
            newest: 0,
            known: vec![None; REMEMBERED],
            empty: false,
            begun: false,
        })
    }

    /// What comes next: texts stand in pieces, and comments and instructions nowhere.
    pub(crate) fn next(&mut self) -> Result<Token<'t>, Error> {
        if std::mem::take(&mut self.empty) {
            self.close();
            return Ok(Token::Close);
        }
        loop {
            let event = self.reader.read_event();
            let at = self.reader.buffer_position();
            let text = match event.map_err(|error| Error::Syntax { at, what: error.to_string() })? {
                Event::Start(start) => return self.open(&start, at).map(Token::Open),
                Event::Empty(start) => {
                    let tag = self.open(&start, at)?;
                    self.empty = true;
                    return Ok(Token::Open(tag));
                }
                Event::End(_) => {
                    self.close();
                    return Ok(Token::Close);
                }
                Event::Text(text) => text.xml10_content(),
                Event::CData(text) => text.xml10_content(),
                Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string().into(),
                    Ok(None) => predefined(&reference.xml10_content()).ok_or(Error::Dtd)?.to_string().into(),
                    Err(error) => return Err(Error::Syntax { at, what: error.to_string() }),
                },
                Event::DocType(_) => return Err(Error::Dtd),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
                Event::Eof if self.around.is_empty() => return Ok(Token::End),
                Event::Eof => return Err(syntax(at, "the text ends within an element")),
            };
            match self.around.is_empty() {
                false => return Ok(Token::Text(text)),
                true if text.trim().is_empty() => {}
                true => return Err(syntax(at, "there is text outside of the element")),
            }
        }
    }

    fn open(&mut self, start: &BytesStart<'_>, at: u64) -> Result<Rc<Tag>, Error> {
        if self.around.len() >= self.limits.depth {
            return Err(Error::Depth(self.limits.depth));
        }
        if self.around.is_empty() && self.begun {
            return Err(syntax(at, "there is a second element behind the first"));
        }
        self.begun = true;
        let place = place(self.inside, start);
        let known = |tag: &&Rc<Tag>| tag.outer == self.inside && *tag.raw == **start;
        let found = self.known[place].as_ref().filter(known);
        let tag = match found.or(self.known[place ^ 1].as_ref().filter(known)) {
            Some(tag) => Rc::clone(tag),
            None => {
                let tag = Rc::new(self.resolve(start, at)?);
                if start.len() <= LONGEST {
                    let free = self.known[place].is_some() && self.known[place ^ 1].is_none();
                    self.known[place ^ usize::from(free)] = Some(Rc::clone(&tag));
                }
                tag
            }
        };
        self.nodes += tag.nodes;
        if self.nodes > self.limits.nodes {
            return Err(Error::Nodes(self.limits.nodes));
        }
        self.around.push(self.inside);
        self.inside = tag.inner;
        self.scope.open();
        for (prefix, ns) in &tag.declares {
            self.scope.bind(Rc::clone(prefix), ns.clone());
        }
        Ok(tag)
    }

    fn close(&mut self) {
        self.scope.close();
        if let Some(around) = self.around.pop() {
            self.inside = around;
        }
    }

    /// What a tag means where it stands.
    fn resolve(&mut self, start: &BytesStart<'_>, at: u64) -> Result<Tag, Error> {
        let mut nodes = 1;
        let left = self.limits.nodes.saturating_sub(self.nodes);
        if left == 0 {
            return Err(Error::Nodes(self.limits.nodes));
        }
        let (mut declares, mut others) = (Vec::new(), Vec::new());
        for (name, value) in attributes(start, at)? {
            nodes += 1;
            match declared(&name) {
                Some(prefix) => declares.push((Rc::from(prefix), Ns::read(&value))),
                None => others.push((name, value)),
            }
        }
        if nodes > left {
            return Err(Error::Nodes(self.limits.nodes));
        }
        self.scope.open();
        declares.iter().for_each(|(prefix, ns)| self.scope.bind(Rc::clone(prefix), Ns::clone(ns)));
        let mut tag = match self.scope.len() > BINDINGS {
            true => return Err(Error::Nodes(BINDINGS)),
            false => Tag {
                name: self.scope.name(start.name().as_ref())?,
                kind: None,
                nil: false,
                attributes: Vec::new(),
                raw: Box::from(&**start),
                outer: self.inside,
                inner: self.inside,
                declares,
                nodes,
            },
        };
        for (name, value) in others {
            self.attribute(&mut tag, &name, value)?;
        }
        self.scope.close();
        if !tag.declares.is_empty() {
            // No two scopes have the same number, not even when a tag was forgotten and is resolved again. Each tag that opens
            // one is some bytes of the text.
            self.newest += 1;
            tag.inner = self.newest;
        }
        Ok(tag)
    }

    fn attribute(&self, tag: &mut Tag, qualified: &str, value: String) -> Result<(), Error> {
        // The default namespace is not for attributes.
        let name = match qualified.contains(':') {
            true => self.scope.name(qualified)?,
            false => Name::new("", qualified),
        };
        if name.is(XSI, "type") {
            tag.kind = Some(self.scope.name(value.trim())?);
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
            _ => Err(syntax(self.reader.buffer_position(), "there is no element")),
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

    /// Up to the end of the open element.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        let mut depth = 1;
        while depth > 0 {
            match self.next()? {
                Token::Open(_) => depth += 1,
                Token::Close => depth -= 1,
                Token::Text(_) => {}
                Token::End => break,
            }
        }
        Ok(())
    }

    /// All the text that stands directly in the open element, up to its end; as [`Element::text`].
    pub(crate) fn text(&mut self) -> Result<Cow<'t, str>, Error> {
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
