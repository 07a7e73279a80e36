//! Tree to text. Prefixes are the letters `a`, `b`, `c`… in the order in which namespaces are met, as WCF's writer hands
//! them out: scripts of the time look for `a:Entity` by that prefix.

use std::fmt::Write;

use super::{Element, Ns, XML, XSI};

/// The text of an element, on one line and without an XML declaration.
pub fn write(element: &Element) -> String {
    let mut writer = Writer { out: String::new(), bound: Vec::new() };
    writer.element(element);
    writer.out
}

struct Writer {
    out: String,
    /// Prefix and namespace, innermost last; the empty prefix is the default namespace.
    bound: Vec<(String, Ns)>,
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

impl Writer {
    fn element(&mut self, element: &Element) {
        let mark = self.bound.len();
        let mut head = String::new();
        let name = self.open(element, &mut head);
        let _ = write!(self.out, "<{name}{head}");
        if element.text.is_empty() && element.children.is_empty() {
            self.out.push_str("/>");
        } else {
            self.out.push('>');
            escape(&element.text, false, &mut self.out);
            for child in &element.children {
                self.element(child);
            }
            let _ = write!(self.out, "</{name}>");
        }
        self.bound.truncate(mark);
    }

    /// The element's name with its prefix; `head` gets the declarations and attributes.
    fn open(&mut self, element: &Element, head: &mut String) -> String {
        let ns = &element.name.ns;
        let name = if element.plain || *ns == *"" {
            self.default(ns, head);
            element.name.local.clone()
        } else {
            self.qualified(ns, &element.name.local, head)
        };
        for ns in &element.declares {
            self.prefix(ns, head);
        }
        let mut attributes = String::new();
        if let Some(kind) = &element.kind {
            // A name without a namespace cannot be written while there is a default one; no type of ours is such.
            let kind = match kind.ns == *"" {
                true => kind.local.clone(),
                false => self.qualified(&kind.ns, &kind.local, head),
            };
            self.attribute(&Ns::Known(XSI), "type", &kind, head, &mut attributes);
        }
        if element.nil {
            self.attribute(&Ns::Known(XSI), "nil", "true", head, &mut attributes);
        }
        for attribute in &element.attributes {
            self.attribute(
                &attribute.name.ns,
                &attribute.name.local,
                &attribute.value,
                head,
                &mut attributes,
            );
        }
        head.push_str(&attributes);
        name
    }

    fn attribute(&mut self, ns: &Ns, local: &str, value: &str, head: &mut String, out: &mut String) {
        let name = match ns == "" {
            true => local.to_owned(),
            false => format!("{}:{local}", self.prefix(ns, head)),
        };
        let _ = write!(out, " {name}=\"");
        escape(value, true, out);
        out.push('"');
    }

    fn find(&self, prefix: &str) -> Option<&Ns> {
        self.bound.iter().rev().find(|(known, _)| known == prefix).map(|(_, ns)| ns)
    }

    /// Makes `ns` the default namespace here.
    fn default(&mut self, ns: &Ns, head: &mut String) {
        let now = self.find("").map_or("", Ns::as_str);
        if now != ns.as_str() {
            declare("", ns, head);
            self.bound.push((String::new(), ns.clone()));
        }
    }

    fn qualified(&mut self, ns: &Ns, local: &str, head: &mut String) -> String {
        match self.find("").is_some_and(|default| default == ns) {
            true => local.to_owned(),
            false => format!("{}:{local}", self.prefix(ns, head)),
        }
    }

    /// The prefix of a namespace, declared in `head` when none is in force.
    fn prefix(&mut self, ns: &Ns, head: &mut String) -> String {
        let bound = self.bound.iter().rev().find(|(prefix, bound)| bound == ns && !prefix.is_empty());
        if let Some((prefix, bound)) = bound
            && self.find(prefix) == Some(bound)
        {
            return prefix.clone();
        }
        let prefix = match usual(ns.as_str()) {
            Some("xml") => return "xml".to_owned(),
            Some(prefix) => prefix.to_owned(),
            None => self.letter(),
        };
        declare(&prefix, ns, head);
        self.bound.push((prefix.clone(), ns.clone()));
        prefix
    }

    /// The next letter that stands for nothing here; the ones with a usual meaning are left out.
    fn letter(&self) -> String {
        let letters = ('a'..='z').filter(|letter| !matches!(letter, 'i' | 's' | 'o' | 'u' | 'k' | 'w'));
        let mut free = letters.map(|letter| letter.to_string()).filter(|letter| self.find(letter).is_none());
        free.next().unwrap_or_else(|| format!("n{}", self.bound.len()))
    }
}

fn declare(prefix: &str, ns: &Ns, head: &mut String) {
    head.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
    head.push_str(prefix);
    head.push_str("=\"");
    escape(ns.as_str(), true, head);
    head.push('"');
}

/// Escapes text. What XML cannot hold at all (NUL, other control characters) becomes U+FFFD: strict readers refuse the
/// whole message for one such character in a mail's body.
pub(super) fn escape(text: &str, attribute: bool, out: &mut String) {
    for c in text.chars() {
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
    }
}
