//! One parameter out of JSON: by its type, entities by their definitions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::{Change, Record, RecordRef};
use postroom_formats::fetchxml;
use postroom_formats::odata::options;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::query;
use crate::messages::{Parameter, Shape};
use crate::webapi::call::Call;
use crate::webapi::{Problem, input, value};

pub(super) async fn read(
    call: &Call<'_>,
    name: &str,
    shape: Shape,
    json: &Json,
) -> Result<Parameter, Problem> {
    let wrong = |wanted: &str| Problem::payload(format!("The parameter '{name}' takes {wanted}."));
    if json.is_null() {
        return Ok(Parameter::Null);
    }
    Ok(match shape {
        Shape::Bool => {
            let text = json.as_str().and_then(|text| text.to_ascii_lowercase().parse().ok());
            Parameter::Bool(json.as_bool().or(text).ok_or_else(|| wrong("true or false"))?)
        }
        Shape::Int => {
            let text = json.as_str().and_then(|text| text.parse().ok());
            Parameter::Int(json.as_i64().or(text).ok_or_else(|| wrong("a whole number"))?)
        }
        Shape::Text => Parameter::Text(text(json).ok_or_else(|| wrong("text"))?),
        Shape::Guid => Parameter::Guid(guid(json).ok_or_else(|| wrong("a GUID"))?),
        Shape::Time => {
            let time = json.as_str().and_then(time);
            Parameter::Time(time.ok_or_else(|| wrong("a time such as 2026-01-31T08:00:00Z"))?)
        }
        Shape::Binary => {
            let bytes = json.as_str().and_then(|text| BASE64.decode(text).ok());
            Parameter::Binary(bytes.ok_or_else(|| wrong("bytes in base64"))?.into())
        }
        Shape::Enum(_) => match (json.as_i64(), json.as_str()) {
            (Some(number), _) => Parameter::Int(number),
            (None, Some(text)) => Parameter::Text(text.to_owned()),
            _ => return Err(wrong("a member of its enumeration")),
        },
        Shape::Texts | Shape::Guids => {
            let items = json.as_array().ok_or_else(|| wrong("a list"))?;
            let texts: Option<Vec<_>> = items.iter().map(|item| text(item).map(Parameter::Text)).collect();
            Parameter::List(texts.ok_or_else(|| wrong("a list of texts"))?)
        }
        Shape::Bools => {
            let items = json.as_array().ok_or_else(|| wrong("a list"))?;
            let flags: Option<Vec<_>> =
                items.iter().map(|item| item.as_bool().map(Parameter::Bool)).collect();
            Parameter::List(flags.ok_or_else(|| wrong("a list of true and false"))?)
        }
        Shape::Query => Parameter::Query(Box::new(query(json)?)),
        Shape::Queries => {
            let items = json.as_array().ok_or_else(|| wrong("a list of queries"))?;
            let queries = items.iter().map(|item| Ok(Parameter::Query(Box::new(query(item)?))));
            Parameter::List(queries.collect::<Result<_, Problem>>()?)
        }
        Shape::Entity(table) => match json {
            Json::Object(members) => entity(call, members, table).await?,
            _ => return Err(wrong("an object: an entity, or {\"@odata.id\": …}")),
        },
        Shape::Entities(table) => {
            let items = json.as_array().ok_or_else(|| wrong("a list of entities"))?;
            Parameter::Entities(entities(call, items, table).await?)
        }
        Shape::Complex(_) | Shape::ComplexList(_) => any(call, json).await?,
    })
}

fn query(json: &Json) -> Result<postroom_core::Query, Problem> {
    let xml = query::fetch(json)?;
    let mut fetch = fetchxml::parse(&xml)?;
    if fetch.query.top.is_none() {
        fetch.query.top = fetch.count.map(u64::from);
    }
    Ok(fetch.query)
}

fn text(json: &Json) -> Option<String> {
    json.as_str().map(str::to_owned)
}

fn guid(json: &Json) -> Option<Uuid> {
    json.as_str().and_then(options::guid)
}

fn time(text: &str) -> Option<jiff::Timestamp> {
    let date = || {
        let date = options::date(text)?;
        date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    options::time(text).or_else(date)
}

/// A row: `{"@odata.id": …}`, or its columns with at least its type or key.
async fn entity(
    call: &Call<'_>,
    members: &Map<String, Json>,
    table: Option<&str>,
) -> Result<Parameter, Problem> {
    let mut all = rows(call, members, table).await?;
    Ok(match all.len() {
        1 => Parameter::Entity(all.remove(0)),
        _ => Parameter::Entities(all),
    })
}

async fn entities(call: &Call<'_>, items: &[Json], table: Option<&str>) -> Result<Vec<Record>, Problem> {
    let mut all = Vec::new();
    for item in items {
        let Json::Object(members) = item else {
            return Err(Problem::payload("A list of entities holds objects."));
        };
        all.push(rows(call, members, table).await?.remove(0));
    }
    Ok(all)
}

/// The row and those within it.
async fn rows(
    call: &Call<'_>,
    members: &Map<String, Json>,
    table: Option<&str>,
) -> Result<Vec<Record>, Problem> {
    if let Some(uri) = members.get("@odata.id").and_then(Json::as_str) {
        let at = input::target(call, uri).await?;
        fits(table, &at.table)?;
        return Ok(vec![Record::new(at)]);
    }
    let table = match members.get("@odata.type").and_then(Json::as_str).and_then(input::type_name) {
        Some(name) if name != "crmbaseentity" => call.table(name)?,
        _ => match table {
            Some(table) => call.table(table)?,
            None => guessed(call, members)?,
        },
    };
    let id = input::own_id(table, members)?.unwrap_or_default();
    let given = input::told_row(call, RecordRef::new(&table.logical_name, id), members).await?;
    let made = given.more.into_iter().filter_map(|change| match change {
        Change::Create(record) | Change::CreateNew(record) | Change::Upsert(record) => Some(record),
        _ => None,
    });
    Ok(std::iter::once(given.record).chain(given.parties.into_iter().flatten()).chain(made).collect())
}

fn fits(wanted: Option<&str>, table: &str) -> Result<(), Problem> {
    match wanted {
        Some(wanted) if wanted != table => {
            Err(Problem::payload(format!("A row of {wanted} is wanted, not of {table}.")))
        }
        _ => Ok(()),
    }
}

/// By the key among its members, when only one table has it.
fn guessed<'c>(
    call: &'c Call<'_>,
    members: &Map<String, Json>,
) -> Result<&'c postroom_core::metadata::TableInfo, Problem> {
    let mut found = call.metadata.tables.iter().filter(|table| members.contains_key(&table.primary_id));
    match (found.next(), found.next()) {
        (Some(table), None) => Ok(table),
        _ => Err(Problem::payload(
            "An entity needs \"@odata.type\":\"Microsoft.Dynamics.CRM.…\" when its key does not say its table.",
        )),
    }
}

/// A complex value: entities where they say so, objects else.
fn any<'a>(call: &'a Call<'_>, json: &'a Json) -> BoxFuture<'a, Result<Parameter, Problem>> {
    async move {
        Ok(match json {
            Json::Null => Parameter::Null,
            Json::Bool(value) => Parameter::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Parameter::Int(number),
                None => Parameter::Decimal(number.to_string()),
            },
            Json::String(text) => match options::guid(text) {
                Some(id) => Parameter::Guid(id),
                None => Parameter::Text(text.clone()),
            },
            Json::Array(items) => {
                let mut all = Vec::new();
                for item in items {
                    all.push(any(call, item).await?);
                }
                Parameter::List(all)
            }
            Json::Object(members) => object(call, members).await?,
        })
    }
    .boxed()
}

async fn object(call: &Call<'_>, members: &Map<String, Json>) -> Result<Parameter, Problem> {
    let named = members.get("@odata.type").and_then(Json::as_str).and_then(input::type_name);
    if members.contains_key("@odata.id") || named.is_some_and(|name| call.metadata.table(name).is_some()) {
        return entity(call, members, None).await;
    }
    if named.is_none()
        && members.keys().filter(|name| !name.contains('@')).count() == 1
        && guessed(call, members).is_ok()
    {
        return entity(call, members, None).await;
    }
    let mut all = Vec::new();
    for (name, json) in members {
        match name.split_once('@') {
            None => all.push((name.clone(), any(call, json).await?)),
            Some((property, "odata.bind")) => {
                let uri = json
                    .as_str()
                    .ok_or_else(|| Problem::payload(format!("'{}' takes a URI.", value::clipped(name))))?;
                all.push((property.to_owned(), Parameter::Reference(input::target(call, uri).await?)));
            }
            Some(_) => {}
        }
    }
    Ok(Parameter::Members(all))
}
