//! The query string: what stands behind the question mark, as trees that know nothing of any table (dataverse.md A7).
//!
//! `+` is a space and every name and value is percent-decoded once; `%24filter` is `$filter`. Unknown options with a `$`
//! are refused, unknown plain parameters are kept. Parameter aliases are put in where they are used.

mod apply;
mod clause;
mod expr;
mod lex;
mod literal;

pub use apply::{Aggregation, Apply};
pub use clause::{Expand, OrderBy, Wanted};
pub(crate) use expr::Parser;
pub use expr::{Aliases, Expr, Match, Names, Operand, Sign};
pub(crate) use lex::Token;
pub(crate) use literal::number;
pub use literal::{Literal, date, guid, time};
use uuid::Uuid;

use super::text::decode_query;
use super::{Error, MAX_TEXT};

/// Everything a query string can say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    pub wanted: Wanted,
    pub apply: Option<Apply>,
    pub skip_token: Option<String>,
    pub delta_token: Option<String>,
    pub fetch_xml: Option<String>,
    pub saved_query: Option<Uuid>,
    pub user_query: Option<Uuid>,
    pub sql: Option<String>,
    /// A word for plug-ins.
    pub tag: Option<String>,
    /// `$format`: `json`, or a media type of JSON.
    pub format: Option<String>,
    /// `$id`: the reference to take out of a collection (A4).
    pub id: Option<String>,
    /// `@p1=…` without the sign, as text.
    pub aliases: Aliases,
    /// Plain parameters that are none of these, in their order.
    pub others: Vec<(String, String)>,
}

impl Options {
    /// Reads a query string, without its question mark.
    ///
    /// # Errors
    /// Text that cannot be read, unknown or repeated options, `$skip`, and anything longer than [`MAX_TEXT`].
    pub fn parse(query: &str) -> Result<Options, Error> {
        if query.len() > MAX_TEXT {
            return Err(Error::too_long("query string"));
        }
        let mut options = Options::default();
        let mut system: Vec<(String, String)> = Vec::new();
        for pair in pairs(query) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode_query(name)?, decode_query(value)?);
            match name.chars().next() {
                Some('@') => options.aliases.push((name[1..].to_owned(), value)),
                Some('$') if system.iter().any(|(known, _)| *known == name) => return Err(repeated(&name)),
                Some('$') => system.push((name, value)),
                _ => options.plain(name, value)?,
            }
        }
        for (name, value) in system {
            options.system(&name, value)?;
        }
        Ok(options)
    }

    /// What the parameter alias stands for; `None` when it was not given.
    ///
    /// # Errors
    /// When its text is no value.
    pub fn alias(&self, name: &str) -> Result<Option<Literal>, Error> {
        let found = self.aliases.iter().find(|(alias, _)| alias == name);
        let Some((_, text)) = found else { return Ok(None) };
        let mut parser = Parser::new(text, &[])?;
        let literal = parser.literal()?;
        parser.end().map(|()| Some(literal))
    }

    fn plain(&mut self, name: String, value: String) -> Result<(), Error> {
        let slot = match name.to_ascii_lowercase().as_str() {
            "fetchxml" => &mut self.fetch_xml,
            "sql" => &mut self.sql,
            "tag" => &mut self.tag,
            "savedquery" => return set(&mut self.saved_query, &name, id(&name, &value)?),
            "userquery" => return set(&mut self.user_query, &name, id(&name, &value)?),
            _ => {
                self.others.push((name, value));
                return Ok(());
            }
        };
        set(slot, &name, value)
    }

    fn system(&mut self, name: &str, value: String) -> Result<(), Error> {
        match name {
            "$skip" => return Err(Error::bad("Skip Clause is not supported in CRM")),
            "$skiptoken" => self.skip_token = Some(value),
            "$deltatoken" => self.delta_token = Some(value),
            "$id" => self.id = Some(value),
            "$format" if value == "json" || value.starts_with("application/json") => {
                self.format = Some(value);
            }
            "$format" => {
                return Err(Error::bad(format!("The format '{value}' is not supported: only json is.")));
            }
            "$apply" => {
                let mut parser = Parser::new(&value, &self.aliases)?;
                self.apply = Some(Apply::parse(&mut parser)?);
                parser.end()?;
            }
            _ => {
                let mut parser = Parser::new(&value, &self.aliases)?;
                if !self.wanted.option(name, &mut parser)? {
                    let name = super::error::clipped(name);
                    return Err(Error::bad(format!("The query parameter '{name}' is not supported.")));
                }
                parser.end()?;
            }
        }
        Ok(())
    }
}

/// Cuts at `&`. The request lines of batches come unescaped (Microsoft's own SDK): a `&` between quotes that close again is
/// part of a text.
fn pairs(query: &str) -> impl Iterator<Item = &str> {
    let closed = query.matches('\'').count().is_multiple_of(2);
    let mut quoted = false;
    let pairs = query.split(move |c| {
        quoted ^= c == '\'' && closed;
        c == '&' && !quoted
    });
    pairs.filter(|pair| !pair.is_empty())
}

fn repeated(name: &str) -> Error {
    let name = super::error::clipped(name);
    let text = "was specified more than once, but it must be specified at most once.";
    Error::bad(format!("Query option '{name}' {text}"))
}

fn set<T>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), Error> {
    match slot.replace(value) {
        Some(_) => Err(repeated(name)),
        None => Ok(()),
    }
}

fn id(name: &str, value: &str) -> Result<Uuid, Error> {
    let value = value.trim().trim_matches('\'');
    guid(value).ok_or_else(|| Error::bad(format!("The value of '{name}' is not a GUID.")))
}

#[cfg(test)]
mod tests;
