//! A small tree of XML elements for SOAP and FetchXML: read with hard limits, written with everything escaped.
//!
//! Names are compared by namespace, never by prefix; a `type` or `nil` attribute of XML Schema instance is resolved when
//! it is read, because its value is a name too. Not here: documents (mixed content keeps its text but not its place),
//! schemas, DTDs (refused: no entity of theirs is ever looked up). Source: XML 1.0 fifth edition, Namespaces in XML 1.0,
//! Exclusive XML Canonicalization 1.0.

mod canonical;
pub(crate) mod pull;
mod read;
pub(crate) mod sink;
mod write;

use std::sync::Arc;

pub use canonical::canonical;
pub use read::read;
pub(crate) use write::Writer;
pub use write::write;

/// `xsi`: the namespace of `type` and `nil`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The namespace of the prefix `xml`.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Why a text is not XML that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the XML has a document type definition or an entity of its own; send it without")]
    Dtd,
    #[error("the XML is nested more than {0} deep; make it flatter")]
    Depth(usize),
    #[error("the XML has more than {0} elements and attributes; send less at once")]
    Nodes(usize),
    #[error("the XML is larger than {0} bytes; send less at once")]
    Bytes(usize),
    #[error("the XML uses the prefix {0:?} without declaring it; declare its namespace")]
    Prefix(String),
    #[error("the XML is not well formed at byte {at}: {what}; correct it")]
    Syntax { at: u64, what: String },
}

/// What a reader takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub bytes: usize,
    /// Elements and attributes together.
    pub nodes: usize,
    pub depth: usize,
}

impl Default for Limits {
    /// Enough for a thousand wide rows or a solution in base64.
    fn default() -> Self {
        Limits { bytes: 128 << 20, nodes: 1_000_000, depth: 64 }
    }
}

/// A namespace name. One text is shared by all elements that were read with it.
#[derive(Debug, Clone)]
pub enum Ns {
    Known(&'static str),
    Read(Arc<str>),
}

impl Ns {
    /// The namespace of a declaration.
    pub(crate) fn read(text: &str) -> Ns {
        match text {
            "" => Ns::Known(""),
            text => Ns::Read(Arc::from(text)),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Ns::Known(text) => text,
            Ns::Read(text) => text,
        }
    }
}

impl PartialEq for Ns {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Ns {}

impl PartialEq<str> for Ns {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl From<&'static str> for Ns {
    fn from(text: &'static str) -> Self {
        Ns::Known(text)
    }
}

/// A name in a namespace; the empty namespace is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub ns: Ns,
    pub local: String,
}

impl Name {
    pub fn new(ns: impl Into<Ns>, local: impl Into<String>) -> Self {
        Name { ns: ns.into(), local: local.into() }
    }

    pub fn is(&self, ns: &str, local: &str) -> bool {
        self.local == local && self.ns == *ns
    }
}

/// An attribute that is neither a declaration of a namespace nor `xsi:type` nor `xsi:nil`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub name: Name,
    pub value: String,
}

/// An element. Two are equal when they mean the same: how the prefixes are to be written does not count.
#[derive(Debug, Clone)]
pub struct Element {
    pub name: Name,
    pub attributes: Vec<Attribute>,
    pub children: Vec<Element>,
    /// All the text that stands directly in it; white space between children is dropped.
    pub text: String,
    /// `xsi:type`.
    pub kind: Option<Name>,
    /// `xsi:nil`.
    pub nil: bool,
    /// Writing: its namespace becomes the default one instead of getting a prefix.
    plain: bool,
    /// Writing: namespaces that its descendants use; they get their prefixes here, in this order.
    declares: Vec<Ns>,
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.attributes == other.attributes
            && self.children == other.children
            && self.text == other.text
            && self.kind == other.kind
            && self.nil == other.nil
    }
}

impl Element {
    pub fn new(ns: impl Into<Ns>, local: impl Into<String>) -> Self {
        Element {
            name: Name::new(ns, local),
            attributes: Vec::new(),
            children: Vec::new(),
            text: String::new(),
            kind: None,
            nil: false,
            plain: false,
            declares: Vec::new(),
        }
    }

    /// An element that holds only text.
    pub fn leaf(ns: impl Into<Ns>, local: impl Into<String>, text: impl Into<String>) -> Self {
        let mut leaf = Element::new(ns, local);
        leaf.text = text.into();
        leaf
    }

    /// An element that says that there is nothing (`xsi:nil`).
    pub fn null(ns: impl Into<Ns>, local: impl Into<String>) -> Self {
        let mut null = Element::new(ns, local);
        null.nil = true;
        null
    }

    /// A leaf, or a null when there is no text.
    pub fn maybe(ns: impl Into<Ns>, local: impl Into<String>, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => Element::leaf(ns, local, text),
            None => Element::null(ns, local),
        }
    }

    pub fn with(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    pub fn with_all(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// With one more child in front of the others.
    pub fn first(mut self, child: Element) -> Self {
        self.children.insert(0, child);
        self
    }

    /// With an attribute in no namespace.
    pub fn attribute(self, local: &str, value: impl Into<String>) -> Self {
        self.attribute_in("", local, value)
    }

    pub fn attribute_in(mut self, ns: &'static str, local: &str, value: impl Into<String>) -> Self {
        self.attributes.push(Attribute { name: Name::new(ns, local), value: value.into() });
        self
    }

    /// With an `xsi:type`.
    pub fn kind(mut self, ns: impl Into<Ns>, local: impl Into<String>) -> Self {
        self.kind = Some(Name::new(ns, local));
        self
    }

    /// Written with its namespace as the default one.
    pub fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Declares a prefix for `ns` here, for the descendants that use it.
    pub fn declare(mut self, ns: impl Into<Ns>) -> Self {
        self.declares.push(ns.into());
        self
    }

    /// The same element under another name.
    pub fn renamed(mut self, ns: impl Into<Ns>, local: impl Into<String>) -> Self {
        self.name = Name::new(ns, local);
        self
    }

    pub fn is(&self, ns: &str, local: &str) -> bool {
        self.name.is(ns, local)
    }

    /// The first child of that name, in whatever namespace: member names are unlike each other, and the namespaces of
    /// members vary between writers.
    pub fn child(&self, local: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name.local == local)
    }

    /// Every child of that local name.
    pub fn each<'e>(&'e self, local: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name.local == local)
    }

    /// The text of a child without the white space around it; `None` when it is absent or null.
    pub fn text_of(&self, local: &str) -> Option<&str> {
        self.child(local).filter(|child| !child.nil).map(|child| child.text.trim())
    }

    /// The value of an attribute in no namespace.
    pub fn get(&self, local: &str) -> Option<&str> {
        let at = self.attributes.iter().find(|attribute| attribute.name.is("", local));
        at.map(|attribute| attribute.value.as_str())
    }

    /// The first descendant of that name, itself included, in the order of the text.
    pub fn find(&self, ns: &str, local: &str) -> Option<&Element> {
        if self.is(ns, local) {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(ns, local))
    }
}
