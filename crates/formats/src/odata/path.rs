//! The path behind `/api/data/vX.Y/`: sets, keys, properties, functions (OData URL conventions section 4; dataverse.md A4,
//! A5, A12, A18).
//!
//! Names are not looked up here: whether `x` is a set, a property or a function only the definitions know, and
//! `x(name='a')` may be a key or a call. [`Segment::key`] reads the parentheses as the one, [`Segment::arguments`] as the
//! other.

use std::borrow::Cow;

use uuid::Uuid;

use super::options::{Literal, Parser, Token};
use super::text::{decode, encode, quoted};
use super::{Error, MAX_TEXT, NAMESPACE};

/// Longer paths mean nothing.
const MAX_SEGMENTS: usize = 20;

/// A resource path, segment by segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    pub segments: Vec<Segment>,
}

/// What stands between two slashes.
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    /// A set, a property, a navigation property or an unbound function.
    Name { name: String, arguments: Option<Vec<Argument>> },
    /// `Microsoft.Dynamics.CRM.name`, without the namespace: a cast, or a bound function or action.
    Qualified { name: String, arguments: Option<Vec<Argument>> },
    /// `$value`
    Value,
    /// `$ref`
    Ref,
    /// `$count`
    Count,
    /// `$metadata`
    Metadata,
    /// `$batch`
    Batch,
    /// `$1`: the row made by the request of that Content-ID.
    Content(String),
}

/// One thing in parentheses; the name is `None` for `(guid)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    pub name: Option<String>,
    pub value: Literal,
}

/// Which row of a set.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    Id(Uuid),
    /// Columns of an alternate key, or `LogicalName='contact'` of a definition; never empty.
    Named(Vec<(String, Literal)>),
}

/// A URL of the Web API, cut in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'u> {
    /// `9.2`; `None` in a URL that is relative to the version.
    pub version: Option<&'u str>,
    /// What [`Path::parse`] reads.
    pub path: &'u str,
    /// What [`super::options::Options::parse`] reads.
    pub query: &'u str,
}

/// Cuts an absolute URL, an absolute path (with or without the organisation in front) or a relative one.
pub fn resource(url: &str) -> Resource<'_> {
    const ROOT: &str = "/api/data/v";
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    // Quotes start no root: a key's text may say anything.
    let end = place.find(['\'', '(']).unwrap_or(place.len());
    let Some(root) = place[..end].find(ROOT) else {
        return Resource { version: None, path: place.strip_prefix('/').unwrap_or(place), query };
    };
    let rest = &place[root + ROOT.len()..];
    let (version, path) = rest.split_once('/').unwrap_or((rest, ""));
    Resource { version: Some(version), path, query }
}

/// The name without the namespace (or its alias `mscrm`); `None` when it is not in it.
pub fn unqualified(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(NAMESPACE).or_else(|| name.strip_prefix("mscrm"))?;
    rest.strip_prefix('.').filter(|name| !name.is_empty() && !name.contains('.'))
}

impl Path {
    /// Reads a path as it stands in a URL, behind the version. The empty path is the service document.
    ///
    /// # Errors
    /// Text that cannot be read, more than 20 segments, anything longer than [`MAX_TEXT`].
    pub fn parse(text: &str) -> Result<Path, Error> {
        if text.len() > MAX_TEXT {
            return Err(Error::too_long("path"));
        }
        // Decoded before it is cut: a slash within quotes is part of the text, escaped or not.
        let text = decode(text)?;
        let text = bare_guids(text.strip_suffix('/').unwrap_or(&text));
        let text = text.as_ref();
        let mut segments = Vec::new();
        let mut parser = Parser::new(text, &[])?;
        while parser.token != Token::End {
            if !segments.is_empty() {
                parser.expect('/')?;
            }
            segments.push(segment(&mut parser)?);
            if segments.len() > MAX_SEGMENTS {
                return Err(Error::bad(format!("The path has more than {MAX_SEGMENTS} segments.")));
            }
        }
        Ok(Path { segments })
    }
}

/// Some clients write ids in braces: `contacts({guid})`.
fn bare_guids(text: &str) -> Cow<'_, str> {
    const LENGTH: usize = 36;
    let braced = |at: usize| {
        let id = text.get(at + 2..at + 2 + LENGTH)?;
        (text[at + 2 + LENGTH..].starts_with("})") && Uuid::try_parse(id).is_ok()).then_some(id)
    };
    match text.find("({").and_then(|at| Some((at, braced(at)?))) {
        Some((at, id)) => Cow::Owned(format!("{}({id}){}", &text[..at], &text[at + LENGTH + 4..])),
        None => Cow::Borrowed(text),
    }
}

fn segment(parser: &mut Parser<'_>) -> Result<Segment, Error> {
    match parser.take()? {
        Token::Word(word) => {
            let arguments = if parser.sign('(')? { Some(arguments(parser)?) } else { None };
            match unqualified(word) {
                Some(name) => Ok(Segment::Qualified { name: name.to_owned(), arguments }),
                None if word.contains('.') => Err(Error::no_segment(word)),
                None => Ok(Segment::Name { name: word.to_owned(), arguments }),
            }
        }
        Token::Dollar("$value") => Ok(Segment::Value),
        Token::Dollar("$ref") => Ok(Segment::Ref),
        Token::Dollar("$count") => Ok(Segment::Count),
        Token::Dollar("$metadata") => Ok(Segment::Metadata),
        Token::Dollar("$batch") => Ok(Segment::Batch),
        Token::Dollar(word) if word[1..].bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Segment::Content(word[1..].to_owned()))
        }
        Token::Dollar(word) => Err(Error::no_segment(word)),
        _ => Err(parser.syntax()),
    }
}

fn arguments(parser: &mut Parser<'_>) -> Result<Vec<Argument>, Error> {
    let mut found: Vec<Argument> = Vec::new();
    while !parser.sign(')')? {
        if !found.is_empty() {
            parser.expect(',')?;
        }
        let name = match parser.token {
            Token::Word(word) => {
                parser.take()?;
                parser.expect('=')?;
                Some(word.to_owned())
            }
            _ => None,
        };
        if name.is_some() && found.iter().any(|other| other.name == name) {
            return Err(Error::bad("A key or parameter is given twice."));
        }
        found.push(Argument { name, value: parser.literal()? });
    }
    Ok(found)
}

impl Segment {
    pub fn name(name: impl Into<String>) -> Segment {
        Segment::Name { name: name.into(), arguments: None }
    }

    /// What stands in its parentheses; `None` without any.
    pub fn arguments(&self) -> Option<&[Argument]> {
        match self {
            Segment::Name { arguments, .. } | Segment::Qualified { arguments, .. } => arguments.as_deref(),
            _ => None,
        }
    }

    /// The parentheses read as a key; `None` without any. Keys may stand behind an alias only in what `alias` knows.
    ///
    /// # Errors
    /// When they are empty, or a mixture of names and bare values, or the bare value is not a guid.
    pub fn key(&self) -> Result<Option<Key>, Error> {
        let Some(arguments) = self.arguments() else { return Ok(None) };
        let wrong = || Error::bad("Bad Request - Error in query syntax.");
        if let [Argument { name: None, value }] = arguments {
            return value.as_guid().map(|id| Some(Key::Id(id))).ok_or_else(wrong);
        }
        let named = arguments.iter().map(|argument| Some((argument.name.clone()?, argument.value.clone())));
        let named: Option<Vec<_>> = named.collect();
        named.filter(|named| !named.is_empty()).map(|named| Some(Key::Named(named))).ok_or_else(wrong)
    }
}

impl Key {
    /// The parentheses, escaped for a URL: `(guid)` or `(name='O''Brien',n=2)`.
    pub fn to_url(&self) -> String {
        match self {
            Key::Id(id) => format!("({id})"),
            Key::Named(named) => {
                let one =
                    |(name, value): &(String, Literal)| format!("{name}={}", encode(&value.to_string()));
                format!("({})", named.iter().map(one).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// As it stands in a URL, before percent-encoding.
impl std::fmt::Display for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Literal::Null => f.write_str("null"),
            Literal::Bool(value) => value.fmt(f),
            Literal::Int(number) => number.fmt(f),
            Literal::Number(text) | Literal::Json(text) => f.write_str(text),
            Literal::Text(text) => f.write_str(&quoted(text)),
            Literal::Guid(id) => id.fmt(f),
            Literal::Time(time) => time.fmt(f),
            Literal::Date(date) => date.fmt(f),
            Literal::Enum(name, member) => write!(f, "{name}{}", quoted(member)),
            Literal::Alias(name) => write!(f, "@{name}"),
            Literal::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { "," })?;
                    match item {
                        Literal::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_str()))?,
                        item => item.fmt(f)?,
                    }
                }
                f.write_str("]")
            }
        }
    }
}

#[cfg(test)]
mod tests;
