//! Typed values: what stands in an `anyType` (dataverse.md E3).
//!
//! Decimals and money stay text so that no digit is lost. Times are UTC; one without an offset is taken for UTC, as the
//! service means it. What has no shape of its own here (metadata, enumerations, rarely used classes) stays the element it was.

mod read;
mod write;

use jiff::Timestamp;
use postroom_core::{Content, Value};
use uuid::Uuid;

pub(crate) use read::{Scalar, decimal, pairs, scalar};
pub use read::{boolean, guid, int, time};
pub(crate) use write::{guid as say_guid, members, pairs as say_pairs};

use super::query::{AnyQuery, ColumnSet};
use super::request::{Request, Response, ResponseItem, Settings};
use crate::xml::Element;

/// A value with its type.
#[derive(Debug, Clone, PartialEq)]
pub enum Any {
    Null,
    String(String),
    Int(i32),
    Long(i64),
    Decimal(String),
    Double(f64),
    Boolean(bool),
    DateTime(Timestamp),
    Guid(Uuid),
    Binary(Vec<u8>),
    EntityReference(EntityReference),
    OptionSetValue(i32),
    Money(String),
    OptionSetCollection(Vec<i32>),
    Aliased(Box<Aliased>),
    Entity(Box<Entity>),
    EntityCollection(EntityCollection),
    /// `ArrayOfEntity`: how the .NET SDK writes party lists.
    Entities(Vec<Entity>),
    /// `EntityReferenceCollection`.
    References(Vec<EntityReference>),
    Relationship(Relationship),
    Strings(Vec<String>),
    Guids(Vec<Uuid>),
    Ints(Vec<i32>),
    Values(Vec<Any>),
    ColumnSet(ColumnSet),
    Query(Box<AnyQuery>),
    Request(Box<Request>),
    Requests(Vec<Request>),
    /// The answers of `ExecuteTransaction`.
    Responses(Vec<Response>),
    /// The answers of `ExecuteMultiple`.
    ResponseItems(Vec<ResponseItem>),
    Settings(Settings),
    /// Anything else, with its type in `kind`; its name counts for nothing. Enumerations have text alone.
    Raw(Element),
}

/// A row that something names: by id, or by an alternate key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntityReference {
    pub table: String,
    /// Nil when `keys` name the row.
    pub id: Uuid,
    /// The primary name, where the server says it.
    pub name: Option<String>,
    pub keys: Vec<(String, Any)>,
    pub row_version: Option<String>,
}

/// A column of a linked table, or a computed one.
#[derive(Debug, Clone, PartialEq)]
pub struct Aliased {
    pub table: String,
    pub column: String,
    pub value: Any,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entity {
    pub logical_name: String,
    /// Nil in a row that the server shall number.
    pub id: Uuid,
    pub attributes: Vec<(String, Any)>,
    /// What a person sees, by column.
    pub formatted: Vec<(String, String)>,
    pub keys: Vec<(String, Any)>,
    /// Rows by the schema name of the relationship that leads to them; more of them may be left to ask for.
    pub related: Vec<(String, EntityCollection)>,
    pub row_version: Option<String>,
    /// `Created`, `Changed` or `Unchanged`.
    pub state: Option<String>,
}

impl Entity {
    pub fn new(logical_name: impl Into<String>, id: Uuid) -> Self {
        Entity { logical_name: logical_name.into(), id, ..Entity::default() }
    }

    pub fn with(mut self, column: impl Into<String>, value: Any) -> Self {
        self.attributes.push((column.into(), value));
        self
    }

    pub fn get(&self, column: &str) -> Option<&Any> {
        self.attributes.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }
}

/// Rows with where they stand among all that were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityCollection {
    pub entities: Vec<Entity>,
    pub table: Option<String>,
    pub min_row_version: Option<String>,
    pub more: bool,
    pub cookie: Option<String>,
    /// -1 when nobody asked.
    pub total: i32,
    pub total_exceeded: bool,
}

impl EntityCollection {
    pub fn of(table: impl Into<String>, entities: Vec<Entity>) -> Self {
        EntityCollection {
            entities,
            table: Some(table.into()),
            min_row_version: Some("-1".to_owned()),
            more: false,
            cookie: None,
            total: -1,
            total_exceeded: false,
        }
    }
}

/// A relationship by its schema name; the role tells the two ends of one between rows of the same table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relationship {
    pub schema_name: String,
    /// `Referencing` or `Referenced`.
    pub role: Option<String>,
}

impl Any {
    /// A member of an enumeration, such as `md:EntityFilters`.
    pub fn enumeration(ns: &'static str, kind: &str, text: impl Into<String>) -> Any {
        Any::Raw(Element::leaf("", "value", text).kind(ns, kind))
    }

    /// The party rows of a party list, in either of its forms.
    pub fn rows(&self) -> Option<&[Entity]> {
        match self {
            Any::EntityCollection(collection) => Some(&collection.entities),
            Any::Entities(entities) => Some(entities),
            _ => None,
        }
    }

    /// The text of a string or of an enumeration's member.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Any::String(text) => Some(text),
            Any::Raw(element) if element.children.is_empty() => Some(element.text.trim()),
            _ => None,
        }
    }

    pub fn as_guid(&self) -> Option<Uuid> {
        match self {
            Any::Guid(id) => Some(*id),
            Any::EntityReference(reference) => Some(reference.id),
            Any::String(text) => guid(text).ok(),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Any::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The value as the CRM port has it; `None` for what is no single value (rows, queries, requests).
    pub fn to_value(&self) -> Option<Value> {
        Some(match self {
            Any::Null => Value::Null,
            Any::String(text) => Value::Text(text.clone()),
            Any::Int(number) | Any::OptionSetValue(number) => Value::Int(i64::from(*number)),
            Any::Long(number) => Value::Int(*number),
            Any::Decimal(text) | Any::Money(text) => Value::Decimal(text.clone()),
            Any::Double(number) => Value::Float(*number),
            Any::Boolean(value) => Value::Bool(*value),
            Any::DateTime(time) => Value::Time(*time),
            Any::Guid(id) => Value::Guid(*id),
            Any::EntityReference(at) => Value::lookup(at.table.as_str(), at.id),
            // The Web API's form of several choices.
            Any::OptionSetCollection(choices) => {
                let choices: Vec<String> = choices.iter().map(i32::to_string).collect();
                Value::Text(choices.join(","))
            }
            Any::Aliased(aliased) => return aliased.value.to_value(),
            Any::Raw(element) if element.children.is_empty() => Value::text(element.text.trim()),
            _ => return None,
        })
    }

    /// The same of a value that is a column's: with files and managed properties, and without a copy of its text.
    pub fn into_value(self) -> Option<Value> {
        match self {
            Any::String(text) => Some(Value::Text(text)),
            Any::Decimal(text) | Any::Money(text) => Some(Value::Decimal(text)),
            Any::EntityReference(at) => Some(Value::lookup(at.table, at.id)),
            Any::Binary(bytes) => Some(Value::Content(Content::Bytes(bytes.into()))),
            Any::Aliased(aliased) => aliased.value.into_value(),
            // BooleanManagedProperty
            Any::Raw(element) if !element.children.is_empty() => {
                element.text_of("Value").and_then(|text| boolean(text).ok()).map(Value::Bool)
            }
            any => any.to_value(),
        }
    }

    /// A value of the CRM port in its nearest type. A choice and money need their column's kind: the caller makes those.
    pub fn of_value(value: &Value) -> Any {
        match value {
            Value::Null | Value::Content(_) => Any::Null,
            Value::Bool(value) => Any::Boolean(*value),
            Value::Int(number) => match i32::try_from(*number) {
                Ok(number) => Any::Int(number),
                Err(_) => Any::Long(*number),
            },
            Value::Float(number) => Any::Double(*number),
            Value::Decimal(text) => Any::Decimal(text.clone()),
            Value::Text(text) => Any::String(text.clone()),
            Value::Guid(id) => Any::Guid(*id),
            Value::Time(time) => Any::DateTime(*time),
            Value::Lookup(at) => Any::EntityReference(EntityReference::new(at.table.as_str(), at.id)),
        }
    }
}

impl EntityReference {
    pub fn new(table: impl Into<String>, id: Uuid) -> Self {
        EntityReference { table: table.into(), id, ..EntityReference::default() }
    }
}
