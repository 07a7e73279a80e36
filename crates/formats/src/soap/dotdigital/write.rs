//! JSON to messages, by the types of the contract.

use serde_json::Value;

use super::contract::{Kind, Member, Operation, nillable};
use super::{DATA, SERVICE};
use crate::soap::envelope::{Headers, Soap, around};
use crate::soap::names::{ARRAYS, XSD};
use crate::soap::{Error, wrong};
use crate::xml::Writer;
use crate::xml::sink::{Sink, Start};

/// The word for what this version has no word for.
const UNNAMED: &str = "NotAvailableInThisVersion";

/// What becomes of a word that the contract does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stranger {
    Refused,
    /// As the service does for words that are newer than this API.
    Unnamed,
}

/// The message that calls an operation; the members of `arguments` are its parameters, found without regard to case. What is
/// absent or null is left out.
///
/// # Errors
/// [`Error::Value`] for a value that is none of its type.
pub fn request(operation: &'static Operation, arguments: &Value) -> Result<String, Error> {
    message(|to| {
        let start = Start::new(SERVICE, operation.name).plain().declares(&[DATA]);
        to.open(start);
        members(to, SERVICE, operation.parameters, arguments, Stranger::Refused)?;
        to.close();
        Ok(())
    })
}

/// The message that answers an operation; `result` is not looked at when the operation answers nothing.
///
/// # Errors
/// [`Error::Value`] for a value that is none of its type.
pub fn answer(operation: &'static Operation, result: &Value) -> Result<String, Error> {
    message(|to| {
        to.open(Start::new(SERVICE, &format!("{}Response", operation.name)).plain());
        if let Some(kind) = operation.result {
            let name = format!("{}Result", operation.name);
            let start = Start::new(SERVICE, &name).declares(&[DATA]);
            member(to, start, kind, Some(result), true, Stranger::Unnamed)?;
        }
        to.close();
        Ok(())
    })
}

fn message(body: impl FnOnce(&mut Writer) -> Result<(), Error>) -> Result<String, Error> {
    let mut outcome = Ok(());
    let text = around(Soap::V11, &Headers::default(), |to| outcome = body(to));
    outcome.map(|()| text)
}

fn members(
    to: &mut Writer,
    ns: &'static str,
    members: &'static [Member],
    object: &Value,
    stranger: Stranger,
) -> Result<(), Error> {
    for Member { name, kind, required } in members {
        let value = object.as_object().and_then(|object| {
            object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        });
        member(to, Start::new(ns, name), kind, value, *required, stranger)?;
    }
    Ok(())
}

fn member(
    to: &mut Writer,
    start: Start<'_>,
    kind: &'static str,
    value: Option<&Value>,
    required: bool,
    stranger: Stranger,
) -> Result<(), Error> {
    match value.filter(|value| !value.is_null()) {
        Some(value) => put(to, start, Kind::of(kind), value, stranger),
        None if required && nillable(kind) => {
            to.maybe(start, None);
            Ok(())
        }
        None if required => Err(wrong("a value that may not be left out", "nothing")),
        // An empty value is said only where somebody said it.
        None if value.is_some() && nillable(kind) => {
            to.maybe(start, None);
            Ok(())
        }
        None => Ok(()),
    }
}

fn put(
    to: &mut Writer,
    start: Start<'_>,
    kind: Kind,
    value: &Value,
    stranger: Stranger,
) -> Result<(), Error> {
    match kind {
        Kind::Int => to.leaf(start, &int(value)?.to_string()),
        Kind::Double => to.leaf(start, &number(value)?),
        Kind::Boolean => to.leaf(start, flag(value)?),
        Kind::Text => to.leaf(start, &text(value)?),
        Kind::Word(known) => to.leaf(start, word(known.words, &text(value)?, stranger)?),
        Kind::Any => any(to, start, value)?,
        Kind::Object(of) => {
            to.open(start);
            members(to, DATA, of.members, value, stranger)?;
            to.close();
        }
        Kind::List(item) => {
            let rows = value.as_array().ok_or_else(|| wrong("a list", &value.to_string()))?;
            let ns = if item == "int" { ARRAYS } else { DATA };
            to.open(if rows.is_empty() || item != "int" { start } else { start.declares(&[ARRAYS]) });
            for row in rows {
                member(to, Start::new(ns, item), item, Some(row), true, stranger)?;
            }
            to.close();
        }
    }
    Ok(())
}

/// A number of 32 bits.
fn int(value: &Value) -> Result<i32, Error> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_i64(),
    };
    number
        .and_then(|number| i32::try_from(number).ok())
        .ok_or_else(|| wrong("a number of 32 bits", &value.to_string()))
}

fn number(value: &Value) -> Result<String, Error> {
    match value {
        Value::Number(number) => Ok(number.to_string()),
        value => Err(wrong("a number", &value.to_string())),
    }
}

fn flag(value: &Value) -> Result<&'static str, Error> {
    let word = |text: &str| value.as_str().is_some_and(|word| word.eq_ignore_ascii_case(text));
    match value {
        Value::Bool(true) => Ok("true"),
        Value::Bool(false) => Ok("false"),
        _ if word("true") => Ok("true"),
        _ if word("false") => Ok("false"),
        value => Err(wrong("true or false", &value.to_string())),
    }
}

fn text(value: &Value) -> Result<String, Error> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        value => Err(wrong("text", &value.to_string())),
    }
}

fn word(known: &[&'static str], text: &str, stranger: Stranger) -> Result<&'static str, Error> {
    let found = known.iter().find(|known| known.eq_ignore_ascii_case(text));
    match (found, stranger) {
        (Some(word), _) => Ok(word),
        (None, Stranger::Unnamed) => Ok(UNNAMED),
        (None, Stranger::Refused) => Err(wrong("a word that the service knows", text)),
    }
}

/// A value that says its own type.
fn any(to: &mut Writer, start: Start<'_>, value: &Value) -> Result<(), Error> {
    let kind = match value {
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => "int",
        Value::Number(_) => "decimal",
        _ => "string",
    };
    to.leaf(start.kind(XSD, kind), &text(value)?);
    Ok(())
}
