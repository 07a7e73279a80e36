//! The paging cookie: where a page ended.
//!
//! Raw: `<cookie page="1"><contactid last="{GUID}" first="{GUID}" /></cookie>`, the columns of the order first, then the
//! key. SOAP carries it once escaped. The Web API wraps it, twice URL-encoded, in an annotation whose page is the *next*
//! one: `<cookie pagenumber="2" pagingcookie="%253ccookie…" istracking="False" />`. Source: dataverse.md A9 and A10.

use super::Error;
use crate::xml::{self, Element, Limits};

/// How often a cookie may be encoded: escaped once by SOAP or twice as an URL, and once more by a client that forgot.
const ENCODINGS: usize = 4;

/// A place between two pages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cookie {
    /// The page that it was answered with.
    pub page: u32,
    pub keys: Vec<Key>,
}

/// One column of the order at the ends of the page, as text; `None` is null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub column: String,
    pub last: Option<String>,
    pub first: Option<String>,
}

impl Cookie {
    /// Reads the raw form; one that is still escaped or URL-encoded is taken as well, because clients forget a step.
    pub fn parse(text: &str) -> Result<Cookie, Error> {
        let mut text = text.trim().to_owned();
        for _ in 0..ENCODINGS {
            if text.starts_with('<') {
                break;
            }
            let decoded = match text.starts_with('%') {
                true => decode(&text),
                false => text
                    .replace("&lt;", "<")
                    .replace("&gt;", ">")
                    .replace("&quot;", "\"")
                    .replace("&amp;", "&"),
            };
            if decoded.len() >= text.len() {
                return Err(Error::Value {
                    attribute: "paging-cookie",
                    value: text.chars().take(80).collect(),
                });
            }
            text = decoded;
        }
        Cookie::of(&xml::read(&text, &Limits { bytes: 1 << 16, nodes: 1_000, depth: 4 })?)
    }

    fn of(root: &Element) -> Result<Cookie, Error> {
        if root.name.local != "cookie" {
            return Err(Error::Element {
                found: root.name.local.chars().take(40).collect(),
                wanted: "cookie",
            });
        }
        let page = root.get("page").unwrap_or("1").trim();
        let wrong = || Error::Value { attribute: "page", value: page.chars().take(40).collect() };
        let page = page.parse().map_err(|_| wrong())?;
        let keys = root.children.iter().map(|child| Key {
            column: child.name.local.clone(),
            last: child.get("last").map(str::to_owned),
            first: child.get("first").map(str::to_owned),
        });
        Ok(Cookie { page, keys: keys.collect() })
    }

    /// The raw form. GUIDs are written by the caller: in braces, upper case.
    pub fn write(&self) -> String {
        let mut root = Element::new("", "cookie").attribute("page", self.page.to_string());
        // A name that no column has would break the element; it is left out.
        for key in self.keys.iter().filter(|key| is_name(&key.column)) {
            let at = Element::new("", key.column.as_str());
            let at = end(at, "last", "lastnull", key.last.as_deref());
            root = root.with(end(at, "first", "firstnull", key.first.as_deref()));
        }
        xml::write(&root).replace("/>", " />")
    }

    /// The Web API's annotation `Microsoft.Dynamics.CRM.fetchxmlpagingcookie`.
    pub fn annotation(&self) -> String {
        let twice = encode(&encode(&self.write()));
        let next = self.page.saturating_add(1);
        format!("<cookie pagenumber=\"{next}\" pagingcookie=\"{twice}\" istracking=\"False\" />")
    }
}

/// Reads the Web API's annotation: the number of the next page and the cookie for it.
pub fn from_annotation(text: &str) -> Result<(u32, Cookie), Error> {
    let root = xml::read(text.trim(), &Limits { bytes: 1 << 17, nodes: 100, depth: 4 })?;
    let missing = |attribute| Error::Missing { element: "cookie", attribute };
    let page = root.get("pagenumber").ok_or(missing("pagenumber"))?.trim();
    let wrong = || Error::Value { attribute: "pagenumber", value: page.chars().take(40).collect() };
    let cookie = root.get("pagingcookie").ok_or(missing("pagingcookie"))?;
    Ok((page.parse().map_err(|_| wrong())?, Cookie::parse(cookie)?))
}

fn end(at: Element, name: &str, null: &str, value: Option<&str>) -> Element {
    match value {
        Some(value) => at.attribute(name, value),
        None => at.attribute(null, "1"),
    }
}

fn is_name(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// URL-encoded with lower-case digits, as the service writes it.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

/// What is no escape stays; bytes that are not UTF-8 become U+FFFD.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], digits) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
