//! Text to tree, and what every reader of the text needs: scopes of prefixes, the attributes of a tag.

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;

use super::pull::Pull;
use super::{Element, Error, Limits, Name, Ns, XML};

/// Reads the one element that the text holds.
pub fn read(text: &str, limits: &Limits) -> Result<Element, Error> {
    let mut pull = Pull::new(text, limits)?;
    let root = pull.root()?;
    let root = pull.element(&root)?;
    pull.rest()?;
    Ok(root)
}

pub(super) fn syntax(at: u64, what: &str) -> Error {
    Error::Syntax { at, what: what.to_owned() }
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

    pub(super) fn bind(&mut self, prefix: &str, ns: Ns) {
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
        resolve(qualified, |prefix| self.look_up(prefix))
    }
}

/// The name behind a name with a prefix.
pub(super) fn resolve(qualified: &str, look_up: impl Fn(&str) -> Option<Ns>) -> Result<Name, Error> {
    let (prefix, local) = qualified.split_once(':').unwrap_or(("", qualified));
    let ns = look_up(prefix).ok_or_else(|| Error::Prefix(prefix.chars().take(40).collect()))?;
    Ok(Name { ns, local: local.to_owned() })
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
