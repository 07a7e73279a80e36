//! Every other message of the platform: its parameters and results in no wire form and back (see [`crate::messages`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::{Record, RecordRef};
use postroom_formats::soap::names::{ARRAYS, CRM, GENERIC, XRM};
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::{Any, Entity, EntityCollection, EntityReference};
use postroom_formats::xml::Element;
use uuid::Uuid;

use super::call::Call;
use super::stop::Stop;
use super::write::{Prepared, Then};
use super::{input, output};
use crate::messages::{self, Message, Parameter, Shape};

pub(super) async fn prepare(call: &Call<'_>, request: &Request) -> Result<Prepared, Stop> {
    let definition = messages::find(&request.name).ok_or_else(|| Stop::no_message(&request.name))?;
    let mut parameters = Vec::with_capacity(request.parameters.len());
    for (name, any) in &request.parameters {
        parameters.push((name.clone(), parameter(call, any).await?));
    }
    let message = Message { name: request.name.clone(), target: None, parameters };
    let prepared = messages::prepare(call.session, &call.door.ids, message).await?;
    let results = prepared.results.into_iter().map(|(name, value)| {
        let shape = definition.results.iter().find(|(known, _)| *known == name).map(|(_, shape)| *shape);
        let any = result(call, value, shape);
        (name, any)
    });
    Ok(Prepared { changes: prepared.changes, share: prepared.share, then: Then::Results(results.collect()) })
}

/// Whether a message is done while it is read, so that no transaction can take it back.
pub(super) fn at_once(name: &str) -> bool {
    messages::find(name).is_some_and(|message| message.at_once)
}

fn parameter<'f>(call: &'f Call<'_>, any: &'f Any) -> BoxFuture<'f, Result<Parameter, Stop>> {
    async move {
        Ok(match any {
            Any::Null => Parameter::Null,
            Any::String(text) => Parameter::Text(text.clone()),
            Any::Int(number) | Any::OptionSetValue(number) => Parameter::Int(i64::from(*number)),
            Any::Long(number) => Parameter::Int(*number),
            Any::Decimal(text) | Any::Money(text) => Parameter::Decimal(text.clone()),
            Any::Double(number) => Parameter::Float(*number),
            Any::Boolean(value) => Parameter::Bool(*value),
            Any::DateTime(time) => Parameter::Time(*time),
            Any::Guid(id) => Parameter::Guid(*id),
            Any::Binary(bytes) => Parameter::Binary(bytes.clone().into()),
            Any::EntityReference(to) => Parameter::Reference(call.row(to).await?),
            Any::Entity(entity) => Parameter::Entity(record(call, entity).await?),
            Any::EntityCollection(rows) => Parameter::Entities(records(call, &rows.entities).await?),
            Any::Entities(rows) => Parameter::Entities(records(call, rows).await?),
            Any::References(rows) => {
                let mut list = Vec::with_capacity(rows.len());
                for row in rows {
                    list.push(Parameter::Reference(call.row(row).await?));
                }
                Parameter::List(list)
            }
            Any::Strings(texts) => Parameter::List(texts.iter().cloned().map(Parameter::Text).collect()),
            Any::Guids(ids) => Parameter::List(ids.iter().copied().map(Parameter::Guid).collect()),
            Any::Ints(numbers) | Any::OptionSetCollection(numbers) => {
                Parameter::List(numbers.iter().map(|number| Parameter::Int(i64::from(*number))).collect())
            }
            Any::Values(values) => {
                let mut list = Vec::with_capacity(values.len());
                for value in values {
                    list.push(parameter(call, value).await?);
                }
                Parameter::List(list)
            }
            Any::Aliased(aliased) => parameter(call, &aliased.value).await?,
            Any::Query(query) => Parameter::Query(Box::new(query.get().query.clone())),
            Any::Raw(element) => members(element),
            _ => return Err(Stop::bad("A parameter of the message has a type that no message takes")),
        })
    }
    .boxed()
}

async fn records(call: &Call<'_>, rows: &[Entity]) -> Result<Vec<Record>, Stop> {
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(record(call, row).await?);
    }
    Ok(all)
}

/// A row as it was given: what the message does not take, it refuses itself.
async fn record(call: &Call<'_>, entity: &Entity) -> Result<Record, Stop> {
    let table = call.table(&entity.logical_name)?;
    let id = input::own_id(table, entity).unwrap_or(Uuid::nil());
    let mut record = Record::new(RecordRef::new(&table.logical_name, id));
    for (name, any) in &entity.attributes {
        if table.column(name).is_none() {
            return Err(Stop::no_column(&table.logical_name, name));
        }
        if any.rows().is_none() {
            let value = input::value(call, table, name, any).await?;
            input::put(&mut record, name, value);
        }
    }
    Ok(record)
}

/// A class that has no type of its own: named members, a list, a reference, or a text.
fn members(element: &Element) -> Parameter {
    if element.nil {
        return Parameter::Null;
    }
    if element.children.is_empty() {
        let text = element.text.trim();
        return match (Uuid::try_parse(text), text) {
            (Ok(id), _) => Parameter::Guid(id),
            (_, "true") => Parameter::Bool(true),
            (_, "false") => Parameter::Bool(false),
            (_, text) => Parameter::Text(text.to_owned()),
        };
    }
    if let (Some(id), Some(table)) = (element.text_of("Id"), element.text_of("LogicalName")) {
        let id = Uuid::try_parse(id.trim()).unwrap_or_default();
        return Parameter::Reference(RecordRef::new(table, id));
    }
    let class = element.kind.as_ref().map_or("", |kind| kind.local.as_str());
    match class.starts_with("ArrayOf") || class.ends_with("Collection") {
        true => Parameter::List(element.children.iter().map(members).collect()),
        false => {
            let named = |child: &Element| (child.name.local.clone(), members(child));
            Parameter::Members(element.children.iter().map(named).collect())
        }
    }
}

/// A result in the type that the message's definition says.
fn result(call: &Call<'_>, value: Parameter, shape: Option<Shape>) -> Any {
    match (value, shape) {
        (Parameter::Text(text), Some(Shape::Enum(class))) => Any::enumeration(CRM, class, flags(text)),
        (Parameter::List(list), shape) => listed(call, list, shape),
        (Parameter::Members(list), shape) => {
            let class = match shape {
                Some(Shape::Complex(class)) => class,
                _ => "anyType",
            };
            Any::Raw(complex(Element::new(GENERIC, "value"), list).kind(CRM, class))
        }
        (value, _) => plain(call, value),
    }
}

fn plain(call: &Call<'_>, value: Parameter) -> Any {
    match value {
        Parameter::Bool(value) => Any::Boolean(value),
        Parameter::Int(number) => match i32::try_from(number) {
            Ok(number) => Any::Int(number),
            Err(_) => Any::Long(number),
        },
        Parameter::Float(number) => Any::Double(number),
        Parameter::Decimal(text) => Any::Decimal(text),
        Parameter::Text(text) => Any::String(text),
        Parameter::Guid(id) => Any::Guid(id),
        Parameter::Time(time) => Any::DateTime(time),
        Parameter::Binary(bytes) => Any::Binary(bytes.into()),
        Parameter::Reference(at) => Any::EntityReference(EntityReference::new(at.table, at.id)),
        Parameter::Entity(record) => Any::Entity(Box::new(output::loose(call, &record))),
        Parameter::Entities(records) => {
            let table = records.first().map(|record| record.at.table.clone()).unwrap_or_default();
            let rows = records.iter().map(|record| output::loose(call, record)).collect();
            Any::EntityCollection(EntityCollection::of(table, rows))
        }
        // No message answers a query.
        Parameter::Null | Parameter::List(_) | Parameter::Members(_) | Parameter::Query(_) => Any::Null,
    }
}

fn listed(call: &Call<'_>, list: Vec<Parameter>, shape: Option<Shape>) -> Any {
    let guid = |value: &Parameter| match value {
        Parameter::Guid(id) => Some(*id),
        _ => None,
    };
    let text = |value: &Parameter| match value {
        Parameter::Text(text) => Some(text.clone()),
        _ => None,
    };
    match shape {
        Some(Shape::Guids) => Any::Guids(list.iter().filter_map(guid).collect()),
        Some(Shape::Texts) => Any::Strings(list.iter().filter_map(text).collect()),
        Some(Shape::Bools) => {
            let items = list.into_iter().filter_map(|value| match value {
                Parameter::Bool(value) => Some(Element::leaf(ARRAYS, "boolean", value.to_string())),
                _ => None,
            });
            Any::Raw(Element::new(GENERIC, "value").kind(ARRAYS, "ArrayOfboolean").with_all(items))
        }
        Some(Shape::ComplexList(class)) => {
            let items = list.into_iter().filter_map(|value| match value {
                Parameter::Members(members) => Some(complex(Element::new(CRM, class), members)),
                _ => None,
            });
            Any::Raw(Element::new(GENERIC, "value").kind(CRM, format!("ArrayOf{class}")).with_all(items))
        }
        _ => Any::Values(list.into_iter().map(|value| plain(call, value)).collect()),
    }
}

/// Members of an enumeration that stand together are a list of XML Schema: no commas between them.
fn flags(text: String) -> String {
    text.replace(',', "")
}

/// `EntityReference`, whose members are of another contract than the class that it stands in.
fn reference(at: Element, to: &RecordRef) -> Element {
    at.with_all([
        Element::leaf(XRM, "Id", to.id.to_string()),
        Element::leaf(XRM, "LogicalName", to.table.clone()),
        Element::null(XRM, "Name"),
    ])
}

/// The members of a class, in the order of their names.
fn complex(at: Element, mut members: Vec<(String, Parameter)>) -> Element {
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    at.with_all(members.into_iter().map(|(name, value)| member(name, value)))
}

fn member(name: String, value: Parameter) -> Element {
    let text = match value {
        Parameter::Text(text) if name == "AccessMask" => flags(text),
        Parameter::Members(members) => return complex(Element::new(CRM, name), members),
        Parameter::List(list) => {
            let items = list.into_iter().map(|value| member("anyType".to_owned(), value));
            return Element::new(CRM, name).with_all(items);
        }
        Parameter::Bool(value) => value.to_string(),
        Parameter::Int(number) => number.to_string(),
        Parameter::Float(number) => number.to_string(),
        Parameter::Decimal(text) | Parameter::Text(text) => text,
        Parameter::Guid(id) => id.to_string(),
        Parameter::Time(time) => time.to_string(),
        Parameter::Binary(bytes) => BASE64.encode(bytes),
        Parameter::Reference(at) => return reference(Element::new(CRM, name), &at),
        Parameter::Null | Parameter::Entity(_) | Parameter::Entities(_) | Parameter::Query(_) => {
            return Element::null(CRM, name);
        }
    };
    Element::leaf(CRM, name, text)
}
