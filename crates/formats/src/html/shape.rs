//! Keeps the known elements of a page and bounds what a parser behind it must hold: nesting, open formatting elements,
//! attributes.
//!
//! A tree builder scans its stack of open elements for nearly every tag, and copies unclosed formatting elements into
//! every later paragraph (WHATWG HTML 13.2.4.3), so nesting makes it quadratic or worse. What comes out here is balanced:
//! each end tag closes the innermost element, so the builder never holds more than the model does. Honest mail keeps its
//! shape; past the limits tags are dropped and the text stays.

use super::scan::{Attributes, Piece, Scanner};

/// Open elements; the deepest honest newsletters nest some sixty.
const DEPTH: usize = 200;
/// Open formatting elements.
const FORMATTING: usize = 32;
/// Bytes of one attribute value; only inline images may be longer.
const VALUE: usize = 8 * 1024;

/// Elements that are kept in a cleaned page, sorted.
pub(super) const KEPT: [&str; 74] = [
    "a",
    "abbr",
    "address",
    "article",
    "aside",
    "b",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "dfn",
    "dir",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "font",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "main",
    "mark",
    "nav",
    "nobr",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "wbr",
];
const VOID: [&str; 5] = ["br", "hr", "img", "col", "wbr"];
const FORMAT: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
/// Elements whose content is not for reading.
const UNREAD: [&str; 8] = ["script", "style", "title", "xml", "noembed", "noframes", "iframe", "object"];
/// Elements whose content a browser takes as text, whatever stands in it.
const RAW: [&str; 9] =
    ["script", "style", "title", "noembed", "noframes", "iframe", "textarea", "xmp", "plaintext"];
const TABLE: [&str; 10] =
    ["table", "tbody", "thead", "tfoot", "tr", "td", "th", "caption", "col", "colgroup"];
/// Elements that begin a line of their own: when one must be dropped, a line break takes its place.
const BLOCK: [&str; 28] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "dd",
    "dir",
    "div",
    "dl",
    "dt",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tr",
    "ul",
];

/// A page to be cleaned: known elements with known attributes.
pub(super) fn page(html: &str) -> String {
    Shaper::new(false).run(html)
}

/// A page to be read as text: as [`page`], with table rows as lines; laying out tables costs more than their size.
pub(super) fn prose(html: &str) -> String {
    Shaper::new(true).run(html)
}

struct Shaper {
    out: String,
    /// Open elements: canonical names.
    stack: Vec<&'static str>,
    /// How many of them are formatting elements.
    formatting: usize,
    /// How many of them are paragraphs: nearly every start tag asks.
    paragraphs: usize,
    reads_as_text: bool,
    /// Text stands on the line that a dropped block would end.
    in_line: bool,
}

impl Shaper {
    fn new(reads_as_text: bool) -> Self {
        Shaper {
            out: String::new(),
            stack: Vec::new(),
            formatting: 0,
            paragraphs: 0,
            reads_as_text,
            in_line: false,
        }
    }

    fn run(mut self, html: &str) -> String {
        let mut scanner = Scanner::new(html);
        while let Some(piece) = scanner.next() {
            match piece {
                Piece::Text(text) => self.text(text),
                Piece::Start { name, attributes } => {
                    let name = name.to_ascii_lowercase();
                    self.start(&name, &attributes);
                    if RAW.contains(&name.as_str()) {
                        let raw = scanner.skip_raw(&name);
                        self.text(if UNREAD.contains(&name.as_str()) { "" } else { raw });
                    }
                }
                Piece::End { name } => self.end(&name.to_ascii_lowercase()),
            }
        }
        self.close_to(0);
        self.out
    }

    fn text(&mut self, text: &str) {
        self.in_line |= !text.trim().is_empty();
        let mut rest = text;
        while let Some(place) = rest.find('<') {
            self.out.push_str(&rest[..place]);
            self.out.push_str("&lt;");
            rest = &rest[place + 1..];
        }
        self.out.push_str(rest);
    }

    fn start(&mut self, name: &str, attributes: &Attributes<'_>) {
        let Some(name) = self.known(name) else { return self.broken_line(name) };
        if VOID.contains(&name) {
            self.in_line &= name != "br" && name != "hr";
            return self.write_tag(name, attributes);
        }
        self.imply_end(name);
        let formats = FORMAT.contains(&name);
        let is_full = self.stack.len() >= DEPTH || (formats && self.formatting >= FORMATTING);
        if is_full || self.is_out_of_place(name, attributes) {
            return self.broken_line(name);
        }
        self.in_line &= !BLOCK.contains(&name);
        self.write_tag(name, attributes);
        self.formatting += usize::from(formats);
        self.paragraphs += usize::from(name == "p");
        self.stack.push(name);
    }

    /// Start tags that a tree builder ignores, or takes for an end: parts of a table outside of one, links in links.
    fn is_out_of_place(&self, name: &str, attributes: &Attributes<'_>) -> bool {
        match name {
            "a" => {
                self.stack.contains(&"a")
                    || !attributes.iter().any(|(name, _)| name.eq_ignore_ascii_case("href"))
            }
            "nobr" => self.stack.contains(&"nobr"),
            "table" => false,
            _ => TABLE.contains(&name) && !self.stack.contains(&"table"),
        }
    }

    fn known(&self, name: &str) -> Option<&'static str> {
        let known = KEPT[KEPT.binary_search(&name).ok()?];
        (!self.reads_as_text || !(known == "a" || TABLE.contains(&known))).then_some(known)
    }

    /// Keeps the lines apart where a block is dropped, once per line of text; and the cells.
    fn broken_line(&mut self, name: &str) {
        if self.in_line && BLOCK.contains(&name) {
            self.out.push_str("<br>");
            self.in_line = false;
        } else if matches!(name, "td" | "th") {
            self.out.push(' ');
        }
    }

    /// The end tags that people leave out (13.1.2.4).
    fn imply_end(&mut self, name: &str) {
        let place = match name {
            "a" => self.innermost(&["a"], &BLOCK),
            "li" => self.innermost(&["li"], &["ul", "ol", "dir", "table", "td", "th"]),
            "dd" | "dt" => self.innermost(&["dd", "dt"], &["dl", "table", "td", "th"]),
            "td" | "th" => self.innermost(&["td", "th", "caption", "colgroup"], &["table", "tr"]),
            "tr" => self.outermost(&["td", "th", "tr", "caption", "colgroup"], "table"),
            "caption" | "colgroup" | "tbody" | "tfoot" | "thead" => self.outermost(&TABLE[1..], "table"),
            _ if self.paragraphs > 0 && BLOCK.contains(&name) => {
                self.innermost(&["p"], &["table", "td", "th", "caption"])
            }
            _ => None,
        };
        if let Some(place) = place {
            self.close_to(place);
        }
    }

    /// The innermost open element of these, inside the innermost of the others.
    fn innermost(&self, names: &[&str], inside: &[&str]) -> Option<usize> {
        let place = self.stack.iter().rposition(|open| names.contains(open) || inside.contains(open))?;
        names.contains(&self.stack[place]).then_some(place)
    }

    /// The outermost open element of these, inside the innermost of the other.
    fn outermost(&self, names: &[&str], inside: &str) -> Option<usize> {
        let start = self.stack.iter().rposition(|open| *open == inside).map_or(0, |place| place + 1);
        self.stack[start..].iter().position(|open| names.contains(open)).map(|place| start + place)
    }

    /// Closes the element and what is open in it. An end tag in a cell closes nothing around the table; the end tag of
    /// nothing open is dropped (`</p>` alone would make a paragraph).
    fn end(&mut self, name: &str) {
        let Some(name) = self.known(name).filter(|name| !VOID.contains(name)) else {
            return self.broken_line(name);
        };
        let inside: &[&str] = match name {
            "table" => &[],
            "li" => &["ul", "ol", "dir", "table", "td", "th", "caption"],
            _ if TABLE.contains(&name) => &["table"],
            _ => &["table", "td", "th", "caption"],
        };
        if let Some(place) = self.innermost(&[name], inside) {
            self.close_to(place);
            self.in_line &= !BLOCK.contains(&name);
        }
    }

    fn close_to(&mut self, place: usize) {
        while self.stack.len() > place
            && let Some(name) = self.stack.pop()
        {
            self.formatting -= usize::from(FORMAT.contains(&name));
            self.paragraphs -= usize::from(name == "p");
            self.out.extend(["</", name, ">"]);
        }
    }

    fn write_tag(&mut self, name: &str, attributes: &Attributes<'_>) {
        self.out.extend(["<", name]);
        for (attribute, value) in attributes {
            let attribute = attribute.to_ascii_lowercase();
            let limit = if name == "img" && attribute == "src" { usize::MAX } else { VALUE };
            let is_ours = name == "a" && matches!(attribute.as_str(), "target" | "rel");
            if value.len() <= limit && is_plain_name(&attribute) && !is_ours {
                self.out.extend([" ", &attribute, "=\"", &value.replace('"', "&quot;"), "\""]);
            }
        }
        // Written here and not by ammonia, which puts them in varying order: the same mail gives the same bytes.
        self.out.push_str(if name == "a" { LINK } else { "" });
        self.out.push('>');
    }
}

/// A link opens in a window that cannot reach ours.
const LINK: &str = " target=\"_blank\" rel=\"noopener noreferrer\"";

fn is_plain_name(attribute: &str) -> bool {
    !attribute.is_empty() && attribute.len() <= 20 && attribute.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, expected: &str) {
        assert_eq!(page(html), expected);
    }

    #[test]
    fn honest_pages_pass() {
        check("<p>a <b>b</b></p>", "<p>a <b>b</b></p>");
        check("<ul><li>c<li>d</ul>", "<ul><li>c</li><li>d</li></ul>");
        check("<P ALIGN=left>x</P>", "<p align=\"left\">x</p>");
        check("a &amp; b < c", "a &amp; b &lt; c");
        check(
            "<table><tr><td>a<td>b<tr><td>c</table>",
            "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
        );
    }

    #[test]
    fn crossed_tags_are_set_right() {
        check("<b><i>x</b>y</i>", "<b><i>x</i></b>y");
        check("<div><table><tr><td>x</div>y", "<div><table><tr><td>xy</td></tr></table></div>");
        check("</p>x</div>", "x");
        check("<td>x</td>", " x");
        check("<a name=y><p>x</a>", "<p>x</p>");
    }

    #[test]
    fn unknown_elements_leave_their_text() {
        check("<html><head><title>t</title></head><body><o:p>x</o:p></body></html>", "x");
        check("<script>alert('<b>')</script>y<style>z</style>", "y");
        check("<textarea><b>x</textarea>", "&lt;b>x");
        check("a<form>b<button>c</button></form>d", "a<br>bc<br>d");
    }

    #[test]
    fn left_out_end_tags_do_not_pile_up() {
        for piece in ["<p>x", "<p><font size=2>x</p>", "<p><b>x", "<ul><li><div>x</ul>"] {
            assert_eq!(page(&piece.repeat(5 * DEPTH)), page(piece).repeat(5 * DEPTH), "{piece}");
        }
        let rows = page(&format!("<table>{}</table>", "<tr><td><div>x".repeat(5 * DEPTH)));
        assert_eq!(rows.matches("<tr><td><div>").count(), 5 * DEPTH);
    }

    #[test]
    fn kept_elements_are_sorted() {
        assert!(KEPT.is_sorted());
    }

    #[test]
    fn nesting_is_bounded() {
        let shaped = page(&"<div>".repeat(100_000));
        assert_eq!(shaped.len(), DEPTH * "<div></div>".len());
        let shaped = page(&"<div><table><tr><td></div>".repeat(10_000));
        assert!(shaped.matches("<table").count() <= DEPTH);
        let shaped = page(&(0..10_000).map(|n| format!("<font size={n}>")).collect::<String>());
        assert_eq!(shaped.matches("<font").count(), FORMATTING);
    }
}
