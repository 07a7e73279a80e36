//! Exclusive canonical form (without comments) of one element, straight from the text: what an XML signature is made over.
//!
//! Enough for the headers that WS-Security signs: no InclusiveNamespaces list, and no attributes of the `xml` prefix are
//! taken from ancestors (the exclusive form does not take them). Source: xml-exc-c14n section 3.

use std::collections::HashMap;
use std::fmt::Write;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::read::{Scope, attributes, declared, predefined, syntax};
use super::{Error, Limits, Ns};

/// The canonical form of the first element of that name; `None` when there is none.
///
/// The text must be one that [`super::read`] has taken with these limits: only what could change the form is checked again.
pub fn canonical(text: &str, ns: &str, local: &str, limits: &Limits) -> Result<Option<String>, Error> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut form = Form { scope: Scope::new(), rendered: Vec::new(), depth: 0, out: String::new() };
    let mut open = 0;
    loop {
        let event = reader.read_event();
        let at = reader.buffer_position();
        let event = event.map_err(|error| Error::Syntax { at, what: error.to_string() })?;
        match event {
            Event::Start(start) => {
                open += 1;
                if open > limits.depth {
                    return Err(Error::Depth(limits.depth));
                }
                form.start(&start, (ns, local), at)?;
            }
            Event::Empty(start) => {
                form.start(&start, (ns, local), at)?;
                if form.end(start.name().as_ref()) {
                    return Ok(Some(form.out));
                }
            }
            Event::End(end) => {
                open -= 1;
                if form.end(end.name().as_ref()) {
                    return Ok(Some(form.out));
                }
            }
            Event::Text(text) => form.text(&text.xml10_content()),
            Event::CData(text) => form.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let c = reference.resolve_char_ref().map_err(|_| syntax(at, "a bad character reference"))?;
                let c = c.or_else(|| predefined(&reference.xml10_content())).ok_or(Error::Dtd)?;
                form.text(c.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err(Error::Dtd),
            Event::PI(instruction) if form.depth > 0 => {
                let _ = write!(form.out, "<?{}?>", instruction.into_inner());
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return Ok(None),
        }
    }
}

struct Form {
    scope: Scope,
    /// For each element written: the prefixes that are declared in the output so far.
    rendered: Vec<HashMap<String, String>>,
    /// How deep within the wanted element; 0 is outside.
    depth: usize,
    out: String,
}

impl Form {
    fn start(&mut self, start: &BytesStart<'_>, wanted: (&str, &str), at: u64) -> Result<(), Error> {
        self.scope.open();
        let all = attributes(start, at)?;
        for (name, value) in &all {
            if let Some(prefix) = declared(name) {
                self.scope.bind(prefix, Ns::read(value));
            }
        }
        let qualified: &str = start.name().into_inner();
        if self.depth == 0 && !self.scope.name(qualified)?.is(wanted.0, wanted.1) {
            return Ok(());
        }
        self.depth += 1;
        let others = all.into_iter().filter(|(name, _)| declared(name).is_none()).collect();
        self.tag(qualified, others)
    }

    fn tag(&mut self, qualified: &str, others: Vec<(String, String)>) -> Result<(), Error> {
        let mut rendered = self.rendered.last().cloned().unwrap_or_default();
        let mut used: Vec<&str> = vec![prefix_of(qualified)];
        used.extend(others.iter().map(|(name, _)| prefix_of(name)).filter(|prefix| !prefix.is_empty()));
        used.sort_unstable();
        used.dedup();
        let _ = write!(self.out, "<{qualified}");
        for prefix in used.into_iter().filter(|prefix| *prefix != "xml") {
            let ns = self.scope.look_up(prefix).ok_or_else(|| Error::Prefix(prefix.to_owned()))?;
            let before = rendered.get(prefix).map_or("", String::as_str);
            if before != ns.as_str() {
                let colon = if prefix.is_empty() { "" } else { ":" };
                let _ = write!(self.out, " xmlns{colon}{prefix}=\"");
                escape(ns.as_str(), true, &mut self.out);
                self.out.push('"');
                rendered.insert(prefix.to_owned(), ns.as_str().to_owned());
            }
        }
        let mut sorted = Vec::with_capacity(others.len());
        for (name, value) in others {
            let ns = match name.contains(':') {
                true => self.scope.name(&name)?.ns.as_str().to_owned(),
                false => String::new(),
            };
            let local = name.rsplit(':').next().unwrap_or(&name).to_owned();
            sorted.push((ns, local, name, value));
        }
        sorted.sort();
        for (_, _, name, value) in sorted {
            let _ = write!(self.out, " {name}=\"");
            escape(&value, true, &mut self.out);
            self.out.push('"');
        }
        self.out.push('>');
        self.rendered.push(rendered);
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if self.depth > 0 {
            escape(text, false, &mut self.out);
        }
    }

    /// Closes an element; true when it was the wanted one.
    fn end(&mut self, qualified: &str) -> bool {
        self.scope.close();
        if self.depth == 0 {
            return false;
        }
        let _ = write!(self.out, "</{qualified}>");
        self.rendered.pop();
        self.depth -= 1;
        self.depth == 0
    }
}

fn prefix_of(qualified: &str) -> &str {
    qualified.split_once(':').map_or("", |(prefix, _)| prefix)
}

/// The escapes of canonical XML, which are not those that one would choose: `>` stays in attributes, `"` in text.
fn escape(text: &str, attribute: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' if !attribute => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\t' if attribute => out.push_str("&#x9;"),
            '\n' if attribute => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}
