//! Messages to JSON, by the types of the contract: straight from the text, without a tree of the rows.

use serde_json::Value;

use super::contract::{Kind, Member, Operation};
use super::{SERVICE, small};
use crate::soap::fault::Fault;
use crate::soap::names::{SOAP11, SOAP12};
use crate::soap::{Error, missing};
use crate::xml::Limits;
use crate::xml::pull::{Pull, Tag};

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// JSON; `null` for nothing, `[]` for an empty list.
    Result(String),
    Fault(Box<Fault>),
}

/// Reads the answer to an operation.
///
/// # Errors
/// What is no XML, no envelope, or the answer to something else.
pub fn read_answer(operation: &Operation, text: &str, limits: &Limits) -> Result<Answer, Error> {
    let mut pull = Pull::new(text, limits)?;
    let body = body(&mut pull)?;
    if body.local() == "Fault" {
        let fault = Fault::read(&pull.element(&body)?)?.ok_or_else(|| missing("Fault of SOAP"))?;
        pull.rest()?;
        return Ok(Answer::Fault(Box::new(fault)));
    }
    if body.local().strip_suffix("Response") != Some(operation.name) {
        return Err(missing(&format!("{}Response", operation.name)));
    }
    let mut json = None;
    while let Some(tag) = pull.child()? {
        match operation.result {
            Some(kind) if tag.local().strip_suffix("Result") == Some(operation.name) && json.is_none() => {
                let mut out = String::new();
                value(&mut pull, &tag, Kind::of(kind), &mut out)?;
                json = Some(out);
            }
            _ => pull.skip()?,
        }
    }
    pull.rest()?;
    let empty = match operation.result.map(Kind::of) {
        Some(Kind::List(_)) => "[]",
        _ => "null",
    };
    Ok(Answer::Result(json.filter(|json| json != "null").unwrap_or_else(|| empty.to_owned())))
}

/// Reads a call: the operation, and its parameters as a JSON object.
///
/// # Errors
/// What is no XML or no envelope, and [`Error::Operation`].
pub fn read_request(text: &str, limits: &Limits) -> Result<(&'static Operation, String), Error> {
    let mut pull = Pull::new(text, limits)?;
    let body = body(&mut pull)?;
    let named = || Error::Operation(body.local().chars().take(80).collect());
    let operation = Operation::of(body.local()).filter(|_| *body.name.ns.as_str() == *SERVICE);
    let operation = operation.ok_or_else(named)?;
    let mut json = String::new();
    object(&mut pull, operation.parameters, &mut json)?;
    pull.rest()?;
    Ok((operation, json))
}

/// The first element of the body.
fn body(pull: &mut Pull<'_>) -> Result<std::rc::Rc<Tag>, Error> {
    let root = pull.root()?;
    let ns = root.name.ns.as_str().to_owned();
    if root.local() != "Envelope" || ![SOAP11, SOAP12].contains(&ns.as_str()) {
        return Err(missing("Envelope"));
    }
    while let Some(tag) = pull.child()? {
        if tag.is(&ns, "Body") {
            return pull.child()?.ok_or_else(|| missing("content in Body"));
        }
        pull.skip()?;
    }
    Err(missing("Body"))
}

/// The open element's children as members.
fn object(pull: &mut Pull<'_>, members: &'static [Member], out: &mut String) -> Result<(), Error> {
    out.push('{');
    let mut seen = vec![false; members.len()];
    while let Some(tag) = pull.child()? {
        let place = members.iter().position(|member| member.name.eq_ignore_ascii_case(tag.local()));
        let Some(place) = place.filter(|place| !seen[*place]) else {
            pull.skip()?;
            continue;
        };
        if seen.contains(&true) {
            out.push(',');
        }
        seen[place] = true;
        quoted(&small(members[place].name), out);
        out.push(':');
        value(pull, &tag, Kind::of(members[place].kind), out)?;
    }
    out.push('}');
    Ok(())
}

/// The open element, up to its end. The types are not nested in themselves: it goes as deep as they do.
fn value(pull: &mut Pull<'_>, tag: &Tag, kind: Kind, out: &mut String) -> Result<(), Error> {
    if tag.nil {
        pull.skip()?;
        out.push_str("null");
        return Ok(());
    }
    match kind {
        Kind::Object(of) => return object(pull, of.members, out),
        Kind::List(item) => return list(pull, Kind::of(item), out),
        _ => {}
    }
    let text = pull.text()?;
    let local = tag.kind.as_ref().map(|kind| kind.local.as_str());
    match (kind, local) {
        (Kind::Int | Kind::Double, _) => number(&text, out),
        (Kind::Boolean, _) | (Kind::Any, Some("boolean")) => flag(&text, out),
        (
            Kind::Any,
            Some(
                "int" | "long" | "short" | "byte" | "integer" | "decimal" | "double" | "float"
                | "unsignedInt" | "unsignedLong" | "unsignedShort" | "unsignedByte",
            ),
        ) => number(&text, out),
        _ => quoted(&text, out),
    }
    Ok(())
}

fn list(pull: &mut Pull<'_>, item: Kind, out: &mut String) -> Result<(), Error> {
    out.push('[');
    let mut first = true;
    while let Some(tag) = pull.child()? {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        value(pull, &tag, item, out)?;
    }
    out.push(']');
    Ok(())
}

/// As it is written, when JSON would write it so; otherwise as text (`INF`, `007`).
fn number(text: &str, out: &mut String) {
    let text = text.trim();
    let begins = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    match begins && serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_number()) {
        true => out.push_str(text),
        false => quoted(text, out),
    }
}

fn flag(text: &str, out: &mut String) {
    match text.trim() {
        "true" | "1" => out.push_str("true"),
        "false" | "0" => out.push_str("false"),
        other => quoted(other, out),
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push_str(&Value::from(text).to_string());
}
