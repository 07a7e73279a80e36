//! Text to tree: one pass, no recursion, every limit checked before memory is taken.

use std::sync::Arc;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Attribute, Element, Error, Limits, Name, Ns, XML, XSI};

/// Reads the one element that the text holds.
pub fn read(text: &str, limits: &Limits) -> Result<Element, Error> {
    if text.len() > limits.bytes {
        return Err(Error::Bytes(limits.bytes));
    }
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut tree = Tree::new(limits);
    loop {
        let event = reader.read_event();
        let at = reader.buffer_position();
        let event = event.map_err(|error| Error::Syntax { at, what: error.to_string() })?;
        match tree.take(event, at)? {
            Step::On => {}
            Step::End => return tree.root.ok_or_else(|| syntax(at, "there is no element")),
        }
    }
}

pub(super) fn syntax(at: u64, what: &str) -> Error {
    Error::Syntax { at, what: what.to_owned() }
}

enum Step {
    On,
    End,
}

/// Which prefix stands for which namespace, innermost last.
pub(super) struct Scope {
    bound: Vec<(String, Ns)>,
    /// How many bindings each open element found.
    marks: Vec<usize>,
}

impl Scope {
    pub(super) fn new() -> Self {
        Scope { bound: vec![("xml".to_owned(), Ns::Known(XML))], marks: Vec::new() }
    }

    pub(super) fn open(&mut self) {
        self.marks.push(self.bound.len());
    }

    pub(super) fn bind(&mut self, prefix: &str, ns: &str) {
        let ns = match ns {
            "" => Ns::Known(""),
            ns => Ns::Read(Arc::from(ns)),
        };
        self.bound.push((prefix.to_owned(), ns));
    }

    pub(super) fn close(&mut self) {
        if let Some(mark) = self.marks.pop() {
            self.bound.truncate(mark);
        }
    }

    pub(super) fn look_up(&self, prefix: &str) -> Option<Ns> {
        let bound = self.bound.iter().rev().find(|(known, _)| known == prefix);
        match bound {
            Some((_, ns)) => Some(ns.clone()),
            None => prefix.is_empty().then_some(Ns::Known("")),
        }
    }

    /// The name behind a name with a prefix; without one, in the default namespace.
    pub(super) fn name(&self, qualified: &str) -> Result<Name, Error> {
        let (prefix, local) = qualified.split_once(':').unwrap_or(("", qualified));
        let ns = self.look_up(prefix).ok_or_else(|| Error::Prefix(prefix.chars().take(40).collect()))?;
        Ok(Name { ns, local: local.to_owned() })
    }

    /// Bindings that are in force; each costs something to look through.
    fn len(&self) -> usize {
        self.bound.len()
    }
}

struct Tree<'l> {
    limits: &'l Limits,
    nodes: usize,
    scope: Scope,
    open: Vec<Element>,
    root: Option<Element>,
}

/// More bindings in force at once than any real message has; each name is looked up among them.
const BINDINGS: usize = 256;

impl<'l> Tree<'l> {
    fn new(limits: &'l Limits) -> Self {
        Tree { limits, nodes: 0, scope: Scope::new(), open: Vec::new(), root: None }
    }

    fn take(&mut self, event: Event<'_>, at: u64) -> Result<Step, Error> {
        match event {
            Event::Start(start) => self.start(&start, at)?,
            Event::Empty(start) => {
                self.start(&start, at)?;
                self.end();
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content(), at)?,
            Event::CData(text) => self.text(&text.xml10_content(), at)?,
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c,
                    Ok(None) => predefined(&reference.xml10_content()).ok_or(Error::Dtd)?,
                    Err(error) => return Err(Error::Syntax { at, what: error.to_string() }),
                };
                self.text(c.encode_utf8(&mut [0; 4]), at)?;
            }
            Event::DocType(_) => return Err(Error::Dtd),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if self.open.is_empty() => return Ok(Step::End),
            Event::Eof => return Err(syntax(at, "the text ends within an element")),
        }
        Ok(Step::On)
    }

    fn count(&mut self) -> Result<(), Error> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes { Err(Error::Nodes(self.limits.nodes)) } else { Ok(()) }
    }

    fn start(&mut self, start: &BytesStart<'_>, at: u64) -> Result<(), Error> {
        if self.open.len() >= self.limits.depth {
            return Err(Error::Depth(self.limits.depth));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(syntax(at, "there is a second element behind the first"));
        }
        self.count()?;
        self.scope.open();
        let mut others = Vec::new();
        for (name, value) in attributes(start, at)? {
            self.count()?;
            match declared(&name) {
                Some(prefix) => self.scope.bind(prefix, &value),
                None => others.push((name, value)),
            }
        }
        if self.scope.len() > BINDINGS {
            return Err(Error::Nodes(BINDINGS));
        }
        let name = self.scope.name(start.name().as_ref())?;
        let mut element = Element::new("", "");
        element.name = name;
        for (name, value) in others {
            self.attribute(&mut element, &name, value)?;
        }
        self.open.push(element);
        Ok(())
    }

    fn attribute(&self, element: &mut Element, qualified: &str, value: String) -> Result<(), Error> {
        // The default namespace is not for attributes.
        let name = match qualified.contains(':') {
            true => self.scope.name(qualified)?,
            false => Name::new("", qualified),
        };
        if name.is(XSI, "type") {
            element.kind = Some(self.scope.name(value.trim())?);
        } else if name.is(XSI, "nil") {
            element.nil = matches!(value.trim(), "true" | "1");
        } else {
            element.attributes.push(Attribute { name, value });
        }
        Ok(())
    }

    fn text(&mut self, text: &str, at: u64) -> Result<(), Error> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(syntax(at, "there is text outside of the element")),
        }
        Ok(())
    }

    fn end(&mut self) {
        self.scope.close();
        let Some(mut done) = self.open.pop() else { return };
        if !done.children.is_empty() && done.text.trim().is_empty() {
            done.text = String::new();
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(done),
            None => self.root = Some(done),
        }
    }
}

/// The prefix that an attribute declares, the empty one for the default namespace.
pub(super) fn declared(attribute: &str) -> Option<&str> {
    match attribute {
        "xmlns" => Some(""),
        name => name.strip_prefix("xmlns:"),
    }
}

/// The attributes of a start tag, names as they stand, values resolved.
pub(super) fn attributes(start: &BytesStart<'_>, at: u64) -> Result<Vec<(String, String)>, Error> {
    let mut read: Vec<(String, String)> = Vec::new();
    let mut attributes = start.attributes();
    // The library's own look for repeats goes on, however many there are.
    for attribute in attributes.with_checks(false) {
        let attribute = attribute.map_err(|error| Error::Syntax { at, what: error.to_string() })?;
        let name: &str = attribute.key.as_ref();
        if read.len() == ATTRIBUTES {
            return Err(Error::Nodes(ATTRIBUTES));
        }
        if read.iter().any(|(known, _)| known == name) {
            let name: String = name.chars().take(40).collect();
            return Err(Error::Syntax { at, what: format!("the attribute {name} stands twice") });
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| Error::Syntax { at, what: error.to_string() })?;
        read.push((name.to_owned(), value.into_owned()));
    }
    Ok(read)
}

/// Attributes that one element may have; each is compared with those before it.
const ATTRIBUTES: usize = 1000;

pub(super) fn predefined(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => None,
    }
}
