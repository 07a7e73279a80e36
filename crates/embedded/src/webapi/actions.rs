//! Functions and actions: the messages in the Web API's forms (dataverse.md A18).
//!
//! Functions are asked with GET, with or without parentheses, their parameters inline or behind aliases. Actions are POSTs
//! with a JSON body, which may be absent. Bound ones stand behind a row or a set, with their namespace. A message is
//! prepared as any other write, so it can be part of a change set; what it does at once ([`Definition::at_once`]) is not
//! taken back with it.

mod answer;
mod parameter;
mod query;

use http::Method;
use postroom_core::RecordRef;
use postroom_formats::odata::options::Literal;
use postroom_formats::odata::path::Segment;
use serde_json::{Map, Value as Json};

use super::call::Call;
use super::write::{Prepared, Then};
use super::{Problem, Reply, dispatch, value};
use crate::messages::{self, Bound, Definition, Message, Shape};

/// A message that a path names.
pub(crate) struct Asked<'c> {
    definition: &'static Definition,
    target: Option<RecordRef>,
    segment: &'c Segment,
}

/// The message that the path names; `None` when it names something else.
pub(crate) async fn find<'c>(call: &'c Call<'_>) -> Result<Option<Asked<'c>>, Problem> {
    let Some((definition, segment, bound)) = named(call) else { return Ok(None) };
    let target = match bound {
        true => target(call, definition).await?,
        false => unbound(definition)?,
    };
    Ok(Some(Asked { definition, target, segment }))
}

/// The message, where the path has its name, and whether it is bound to what stands before.
pub(crate) fn named<'c>(call: &'c Call<'_>) -> Option<(&'static Definition, &'c Segment, bool)> {
    let (segment, bound) = match call.path.segments.as_slice() {
        [segment @ (Segment::Name { name, .. } | Segment::Qualified { name, .. })]
            if call.metadata.by_entity_set(name).is_none() =>
        {
            (segment, false)
        }
        [_, .., segment @ Segment::Qualified { .. }] => (segment, true),
        _ => return None,
    };
    let (Segment::Name { name, .. } | Segment::Qualified { name, .. }) = segment else { return None };
    let definition = messages::find(name).filter(|known| known.name == name)?;
    if !call.door.settings.knows(name) {
        return None;
    }
    Some((definition, segment, bound))
}

/// A bound message without its row has it as a parameter, where the platform takes that.
fn unbound(definition: &Definition) -> Result<Option<RecordRef>, Problem> {
    let named = definition.target.and_then(|name| definition.parameter(name));
    match (definition.bound, named) {
        (Bound::No, _) | (_, Some((_, Shape::Entity(Some(_))))) => Ok(None),
        _ => Err(Problem::no_resource(definition.name)),
    }
}

async fn target(call: &Call<'_>, definition: &Definition) -> Result<Option<RecordRef>, Problem> {
    let place = dispatch::place(call)?;
    let table = place.table.logical_name.as_str();
    let fits = match (definition.bound, &place.row) {
        (Bound::Row(wanted), Some(_)) | (Bound::Set(wanted), None) => table == wanted,
        (Bound::Rows(wanted), Some(_)) => wanted.contains(&table),
        _ => false,
    };
    if !fits || place.tail.len() != 1 {
        return Err(Problem::no_resource(definition.name));
    }
    match place.row {
        None => Ok(None),
        Some(_) => {
            let id = place.id(call).await?.ok_or_else(|| place.missing())?;
            Ok(Some(RecordRef::new(table, id)))
        }
    }
}

/// A function.
pub(crate) async fn answer(call: &Call<'_>, asked: &Asked<'_>) -> Result<Reply, Problem> {
    if !asked.definition.function {
        return Err(Problem::method(&call.method));
    }
    let message = asked.message(call, arguments(call, asked.segment)?).await?;
    let done = messages::prepare(&call.session, &call.door.ids, message).await?;
    answer::reply(call, asked.definition, done.results)
}

/// An action.
pub(crate) async fn prepare(call: &Call<'_>, asked: &Asked<'_>) -> Result<Prepared, Problem> {
    if asked.definition.function || call.method != Method::POST {
        return Err(Problem::method(&call.method));
    }
    let message = asked.message(call, body(call)?).await?;
    let done = messages::prepare(&call.session, &call.door.ids, message).await?;
    let reply = answer::reply(call, asked.definition, done.results)?;
    Ok(Prepared { changes: done.changes, share: done.share, made: None, then: Then::Reply(reply) })
}

impl Asked<'_> {
    async fn message(&self, call: &Call<'_>, members: Map<String, Json>) -> Result<Message, Problem> {
        let mut parameters = Vec::new();
        for (name, json) in members.iter().filter(|(name, _)| !name.contains('@')) {
            let known = self.definition.parameters.iter().find(|(known, _)| known == name);
            let Some((_, shape)) = known else {
                return Err(Problem::payload(format!(
                    "The parameter '{}' in the request payload is not a valid parameter for the operation '{}'.",
                    value::clipped(name),
                    self.definition.name
                )));
            };
            parameters.push((name.clone(), parameter::read(call, name, *shape, json).await?));
        }
        let name = self.definition.name.to_owned();
        Ok(Message { name, target: self.target.clone(), parameters })
    }
}

/// The object in the body; none at all is an empty one.
fn body(call: &Call<'_>) -> Result<Map<String, Json>, Problem> {
    match call.body.iter().all(u8::is_ascii_whitespace) {
        true => Ok(Map::new()),
        false => super::input::object(call),
    }
}

/// What stands in a function's parentheses, as JSON.
fn arguments(call: &Call<'_>, segment: &Segment) -> Result<Map<String, Json>, Problem> {
    let mut members = Map::new();
    for argument in segment.arguments().unwrap_or_default() {
        let Some(name) = &argument.name else {
            return Err(Problem::bad("A function's parameters are named: F(Name=value)."));
        };
        members.insert(name.clone(), json(call, &argument.value)?);
    }
    Ok(members)
}

fn json(call: &Call<'_>, literal: &Literal) -> Result<Json, Problem> {
    Ok(match literal {
        Literal::Null => Json::Null,
        Literal::Bool(value) => Json::Bool(*value),
        Literal::Int(number) => Json::from(*number),
        Literal::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.as_str())),
        Literal::Text(text) => Json::from(text.as_str()),
        Literal::Guid(id) => Json::from(id.to_string()),
        Literal::Time(time) => Json::from(time.to_string()),
        Literal::Date(date) => Json::from(date.to_string()),
        Literal::Enum(_, member) => Json::from(member.as_str()),
        Literal::List(items) => {
            Json::Array(items.iter().map(|item| json(call, item)).collect::<Result<_, _>>()?)
        }
        Literal::Json(text) => serde_json::from_str(text)
            .map_err(|error| Problem::bad(format!("A parameter is not valid JSON: {error}")))?,
        // An alias that stands for nothing is null; one behind another alias is not looked up again.
        Literal::Alias(name) => match call.options.alias(name)? {
            None | Some(Literal::Alias(_)) => Json::Null,
            Some(literal) => json(call, &literal)?,
        },
    })
}
