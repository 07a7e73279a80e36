//! Elements to text. Prefixes are the letters `a`, `b`, `c`… in the order in which namespaces are met, as WCF's writer hands
//! them out: scripts of the time look for `a:Entity` by that prefix.
//!
//! A [`Writer`] takes a tree, or elements one by one ([`Sink`]): the rows of a large answer are written without a tree of
//! them. Nothing is allocated for an element but what it says.

use std::borrow::Cow;

use super::sink::{Sink, Start};
use super::{Attribute, Element, Ns, XML, XSI};

/// The text of an element, on one line and without an XML declaration.
pub fn write(element: &Element) -> String {
    let mut writer = Writer::default();
    writer.element(element);
    writer.finish()
}

/// Text that grows.
#[derive(Default)]
pub(crate) struct Writer {
    out: String,
    /// Prefix and namespace, innermost last; the empty prefix is the default namespace.
    bound: Vec<(Cow<'static, str>, Ns)>,
    open: Vec<Open>,
    /// The start tag that stands last has no end yet: nothing was said in its element.
    bare: bool,
    /// The attributes of the tag that is being written: they come behind its declarations.
    late: String,
}

/// An element that has not ended.
struct Open {
    /// Where its name stands in the text: an end tag repeats it.
    name: (usize, usize),
    /// Bindings around it.
    bound: usize,
}

/// The parts of a start tag.
struct Parts<'e> {
    ns: &'e Ns,
    local: &'e str,
    kind: Option<(&'e Ns, &'e str)>,
    nil: bool,
    plain: bool,
    attributes: &'e [Attribute],
}

/// Namespaces whose prefix everyone knows.
fn usual(ns: &str) -> Option<&'static str> {
    match ns {
        XSI => Some("i"),
        XML => Some("xml"),
        "http://schemas.xmlsoap.org/soap/envelope/" | "http://www.w3.org/2003/05/soap-envelope" => Some("s"),
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" => Some("o"),
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" => Some("u"),
        "http://docs.oasis-open.org/ws-sx/ws-trust/200512" => Some("trust"),
        "http://schemas.xmlsoap.org/ws/2004/09/policy" => Some("wsp"),
        "http://www.w3.org/2001/04/xmlenc#" => Some("xenc"),
        "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd" => Some("k"),
        "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher" => Some("w"),
        _ => None,
    }
}

/// The letters that are handed out; the ones with a usual meaning are left out.
const LETTERS: [&str; 20] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "j", "l", "m", "n", "p", "q", "r", "t", "v", "x", "y", "z"];

impl Sink for Writer {
    fn open(&mut self, start: Start<'_>) {
        let kind = start.kind.map(|(ns, local)| (Ns::Known(ns), local));
        let parts = Parts {
            ns: &Ns::Known(start.ns),
            local: start.local,
            kind: kind.as_ref().map(|(ns, local)| (ns, *local)),
            nil: start.nil,
            plain: start.plain,
            attributes: &[],
        };
        self.start(&parts, start.declares.iter().map(|ns| Ns::Known(ns)));
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.filled();
            escape(text, false, &mut self.out);
        }
    }

    fn close(&mut self) {
        let open = self.open.pop().expect("no more elements end than begin");
        if std::mem::take(&mut self.bare) {
            self.out.push_str("/>");
        } else {
            self.out.push_str("</");
            self.out.extend_from_within(open.name.0..open.name.1);
            self.out.push('>');
        }
        self.bound.truncate(open.bound);
    }

    fn tree(&mut self, ns: &Ns, local: &str, element: &Element) {
        let parts = Parts {
            ns,
            local,
            kind: element.kind.as_ref().map(|kind| (&kind.ns, kind.local.as_str())),
            nil: element.nil,
            plain: element.plain,
            attributes: &element.attributes,
        };
        self.start(&parts, element.declares.iter().cloned());
        self.text(&element.text);
        for child in &element.children {
            self.element(child);
        }
        self.close();
    }
}

impl Writer {
    /// The text, when every element has ended.
    pub(crate) fn finish(self) -> String {
        self.out
    }

    /// What comes now stands in the open element.
    fn filled(&mut self) {
        if std::mem::take(&mut self.bare) {
            self.out.push('>');
        }
    }

    fn start(&mut self, parts: &Parts<'_>, declares: impl Iterator<Item = Ns>) {
        self.filled();
        let bound = self.bound.len();
        self.out.push('<');
        let from = self.out.len();
        let own = match parts.plain || *parts.ns == *"" {
            true => (self.find("").map_or("", Ns::as_str) != parts.ns.as_str()).then_some("".into()),
            false => self.qualify(parts.ns),
        };
        self.out.push_str(parts.local);
        self.open.push(Open { name: (from, self.out.len()), bound });
        if let Some(prefix) = own {
            self.declare(prefix, parts.ns.clone());
        }
        for ns in declares {
            self.prefix(&ns);
        }
        self.attributes(parts);
        self.bare = true;
    }

    /// Writes the prefix of a name, when it needs one; answers the prefix that is still to be declared.
    fn qualify(&mut self, ns: &Ns) -> Option<Cow<'static, str>> {
        if self.is_default(ns) {
            return None;
        }
        let (prefix, new) = match self.bound_to(ns) {
            Some(at) => (self.bound[at].0.clone(), false),
            None => self.new_prefix(ns),
        };
        self.out.push_str(&prefix);
        self.out.push(':');
        new.then_some(prefix)
    }

    fn attributes(&mut self, parts: &Parts<'_>) {
        if parts.kind.is_none() && !parts.nil && parts.attributes.is_empty() {
            return;
        }
        let mut late = std::mem::take(&mut self.late);
        if let Some((ns, local)) = parts.kind {
            // A name without a namespace cannot be written while there is a default one; no type of ours is such.
            let inherits = *ns == *"" || self.is_default(ns);
            let prefix = if inherits { Cow::Borrowed("") } else { self.prefix(ns) };
            self.named(&Ns::Known(XSI), "type", &mut late);
            if !prefix.is_empty() {
                late.push_str(&prefix);
                late.push(':');
            }
            escape(local, true, &mut late);
            late.push('"');
        }
        if parts.nil {
            self.named(&Ns::Known(XSI), "nil", &mut late);
            late.push_str("true\"");
        }
        for attribute in parts.attributes {
            self.named(&attribute.name.ns, &attribute.name.local, &mut late);
            escape(&attribute.value, true, &mut late);
            late.push('"');
        }
        self.out.push_str(&late);
        late.clear();
        self.late = late;
    }

    /// The beginning of an attribute, up to its value.
    fn named(&mut self, ns: &Ns, local: &str, late: &mut String) {
        late.push(' ');
        if *ns != *"" {
            late.push_str(&self.prefix(ns));
            late.push(':');
        }
        late.push_str(local);
        late.push_str("=\"");
    }

    fn find(&self, prefix: &str) -> Option<&Ns> {
        self.bound.iter().rev().find(|(known, _)| known == prefix).map(|(_, ns)| ns)
    }

    fn is_default(&self, ns: &Ns) -> bool {
        self.find("").is_some_and(|default| default == ns)
    }

    /// The prefix of a namespace, declared here when none is in force.
    fn prefix(&mut self, ns: &Ns) -> Cow<'static, str> {
        if let Some(at) = self.bound_to(ns) {
            return self.bound[at].0.clone();
        }
        let (prefix, new) = self.new_prefix(ns);
        if new {
            self.declare(prefix.clone(), ns.clone());
        }
        prefix
    }

    /// Where a prefix of this namespace is bound, when it is in force.
    fn bound_to(&self, ns: &Ns) -> Option<usize> {
        let at = self.bound.iter().rposition(|(prefix, bound)| !prefix.is_empty() && bound == ns)?;
        let hidden = self.bound[at + 1..].iter().any(|(prefix, _)| *prefix == self.bound[at].0);
        (!hidden).then_some(at)
    }

    /// A prefix for a namespace that has none, and whether it is to be declared.
    fn new_prefix(&self, ns: &Ns) -> (Cow<'static, str>, bool) {
        match usual(ns.as_str()) {
            Some("xml") => ("xml".into(), false),
            Some(prefix) => (prefix.into(), true),
            None => (self.letter(), true),
        }
    }

    fn declare(&mut self, prefix: Cow<'static, str>, ns: Ns) {
        self.out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
        self.out.push_str(&prefix);
        self.out.push_str("=\"");
        escape(ns.as_str(), true, &mut self.out);
        self.out.push('"');
        self.bound.push((prefix, ns));
    }

    /// The next letter that stands for nothing here.
    fn letter(&self) -> Cow<'static, str> {
        let free = LETTERS.iter().find(|letter| self.find(letter).is_none());
        free.map_or_else(|| format!("n{}", self.bound.len()).into(), |letter| Cow::Borrowed(*letter))
    }
}

/// Escapes text. What XML cannot hold at all (NUL, other control characters) becomes U+FFFD: strict readers refuse the
/// whole message for one such character in a mail's body.
pub(super) fn escape(text: &str, attribute: bool, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let c = special.chars().next().expect("a special byte begins a character");
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\n' if attribute => out.push_str("&#xA;"),
            '\t' if attribute => out.push_str("&#x9;"),
            '\t' | '\n' => out.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
        rest = &special[c.len_utf8()..];
    }
    out.push_str(rest);
}

/// The first byte of what may have to be escaped. 0xef begins U+F000 to U+FFFF.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'&' | b'<' | b'>' | b'"' | 0..=0x1f | 0xef)
}
