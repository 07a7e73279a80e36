//! Where elements go one by one: text ([`super::write`]), or a [`Tree`] for whoever wants to look at what would be written.
//!
//! What is written has one description, which knows only [`Sink`]; so the text and the tree cannot differ.

use super::{Element, Name, Ns};

/// A start tag. Its names are borrowed, as most are constants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'t> {
    pub ns: &'static str,
    pub local: &'t str,
    /// `xsi:type`.
    pub kind: Option<(&'static str, &'t str)>,
    /// `xsi:nil`.
    pub nil: bool,
    /// Written with its namespace as the default one.
    pub plain: bool,
    /// Namespaces that its descendants use; they get their prefixes here, in this order.
    pub declares: &'static [&'static str],
}

impl<'t> Start<'t> {
    pub(crate) const fn new(ns: &'static str, local: &'t str) -> Self {
        Start { ns, local, kind: None, nil: false, plain: false, declares: &[] }
    }

    pub(crate) fn kind(self, ns: &'static str, local: &'t str) -> Self {
        Start { kind: Some((ns, local)), ..self }
    }

    pub(crate) fn plain(self) -> Self {
        Start { plain: true, ..self }
    }

    pub(crate) fn declares(self, declares: &'static [&'static str]) -> Self {
        Start { declares, ..self }
    }

    /// The element with nothing in it.
    pub(crate) fn element(self) -> Element {
        let mut element = Element::new(self.ns, self.local);
        element.kind = self.kind.map(|(ns, local)| Name::new(ns, local));
        element.nil = self.nil;
        element.plain = self.plain;
        element.declares = self.declares.iter().map(|ns| Ns::Known(ns)).collect();
        element
    }
}

/// Takes elements in their order.
pub(crate) trait Sink: Sized {
    fn open(&mut self, start: Start<'_>);

    /// Text of the open element; it stands in front of its children.
    fn text(&mut self, text: &str);

    fn close(&mut self);

    /// A whole element, under another name.
    fn tree(&mut self, ns: &Ns, local: &str, element: &Element);

    /// A whole element.
    fn element(&mut self, element: &Element) {
        self.tree(&element.name.ns, &element.name.local, element);
    }

    /// An element with what `content` says in it.
    fn within(&mut self, start: Start<'_>, content: impl FnOnce(&mut Self)) {
        self.open(start);
        content(self);
        self.close();
    }

    /// An element that holds only text.
    fn leaf(&mut self, start: Start<'_>, text: &str) {
        self.within(start, |to| to.text(text));
    }

    /// A leaf, or a null when there is no text.
    fn maybe(&mut self, start: Start<'_>, text: Option<&str>) {
        match text {
            Some(text) => self.leaf(start, text),
            None => self.leaf(Start { nil: true, ..start }, ""),
        }
    }
}

/// A tree that grows.
#[derive(Default)]
pub(crate) struct Tree {
    open: Vec<Element>,
    done: Vec<Element>,
}

/// The elements that `say` says.
pub(crate) fn elements(say: impl FnOnce(&mut Tree)) -> Vec<Element> {
    let mut tree = Tree::default();
    say(&mut tree);
    tree.done
}

/// The one element that `say` says.
pub(crate) fn element(say: impl FnOnce(&mut Tree)) -> Element {
    elements(say).pop().expect("one element was said")
}

impl Tree {
    fn put(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.done.push(element),
        }
    }
}

impl Sink for Tree {
    fn open(&mut self, start: Start<'_>) {
        self.open.push(start.element());
    }

    fn text(&mut self, text: &str) {
        self.open.last_mut().expect("text stands in an element").text.push_str(text);
    }

    fn close(&mut self) {
        let done = self.open.pop().expect("no more elements end than begin");
        self.put(done);
    }

    fn tree(&mut self, ns: &Ns, local: &str, element: &Element) {
        self.put(element.clone().renamed(ns.clone(), local));
    }
}
