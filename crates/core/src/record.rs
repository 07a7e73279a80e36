//! CRM rows: a table, an id, and named values. The words are Dataverse's.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::Content;

/// One row of a CRM table: `incident/0f3c…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordRef {
    /// Logical name of the table, singular and lower case: `incident`.
    pub table: String,
    pub id: Uuid,
}

impl RecordRef {
    pub fn new(table: impl Into<String>, id: Uuid) -> Self {
        RecordRef { table: table.into(), id }
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table, self.id)
    }
}

/// A text that is not `TABLE/GUID`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} does not name a record: write TABLE/GUID, for instance incident/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11"
)]
pub struct RecordRefError(String);

impl FromStr for RecordRef {
    type Err = RecordRefError;

    fn from_str(text: &str) -> Result<Self, RecordRefError> {
        let fail = || RecordRefError(text.chars().take(80).collect());
        let (table, id) = text.split_once('/').ok_or_else(fail)?;
        let id = Uuid::parse_str(id.trim_matches(['{', '}'])).map_err(|_| fail())?;
        match table.is_empty() {
            true => Err(fail()),
            false => Ok(RecordRef::new(table.to_ascii_lowercase(), id)),
        }
    }
}

/// A column's value. Choices and states are `Int`, money and decimals are text so that no digit is lost.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A decimal or money amount in plain notation.
    Decimal(String),
    Text(String),
    Guid(Uuid),
    Time(Timestamp),
    Lookup(RecordRef),
    /// A body kept elsewhere (`description`, an attachment's `body`).
    Content(Content),
}

impl Value {
    pub fn text(value: impl Into<String>) -> Self {
        Value::Text(value.into())
    }

    pub fn lookup(table: impl Into<String>, id: Uuid) -> Self {
        Value::Lookup(RecordRef::new(table, id))
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Decimal(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_lookup(&self) -> Option<&RecordRef> {
        match self {
            Value::Lookup(record) => Some(record),
            _ => None,
        }
    }
}

/// A column's logical name. Names of up to 24 bytes lie in the value itself: a page of rows has one for each cell, and reading
/// it would otherwise be mostly allocation.
pub type ColumnName = compact_str::CompactString;

/// A row, or the part of it that was asked for or is to be written. Column order is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub at: RecordRef,
    pub columns: Vec<(ColumnName, Value)>,
}

impl Record {
    pub fn new(at: RecordRef) -> Self {
        Record { at, columns: Vec::new() }
    }

    /// The same record with one more column.
    pub fn with(mut self, column: impl Into<ColumnName>, value: impl Into<Value>) -> Self {
        self.columns.push((column.into(), value.into()));
        self
    }

    pub fn get(&self, column: &str) -> Option<&Value> {
        self.columns.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }

    /// A text column; `None` when absent, null or of another type.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.get(column).and_then(Value::as_str)
    }

    pub fn int(&self, column: &str) -> Option<i64> {
        self.get(column).and_then(Value::as_int)
    }

    pub fn lookup(&self, column: &str) -> Option<&RecordRef> {
        self.get(column).and_then(Value::as_lookup)
    }
}

/// Lookups as `table/guid`, times as RFC 3339, money and decimals as text. Of a body only its handle, or `bytes:SIZE`: what it
/// says is read through the port, where the opening can be audited.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => to.serialize_none(),
            Value::Bool(value) => to.serialize_bool(*value),
            Value::Int(number) => to.serialize_i64(*number),
            Value::Float(number) => to.serialize_f64(*number),
            Value::Decimal(text) | Value::Text(text) => to.serialize_str(text),
            Value::Guid(id) => id.serialize(to),
            Value::Time(time) => time.serialize(to),
            Value::Lookup(at) => to.collect_str(at),
            Value::Content(Content::Bytes(bytes)) => to.collect_str(&format_args!("bytes:{}", bytes.len())),
            Value::Content(content) => content.handle().serialize(to),
        }
    }
}

/// `{"table","id","columns"}`; a column without a value is left out.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut row = to.serialize_struct("Record", 3)?;
        row.serialize_field("table", &self.at.table)?;
        row.serialize_field("id", &self.at.id)?;
        row.serialize_field("columns", &Columns(&self.columns))?;
        row.end()
    }
}

struct Columns<'r>(&'r [(ColumnName, Value)]);

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let set = self.0.iter().filter(|(_, value)| *value != Value::Null);
        to.collect_map(set.map(|(name, value)| (name, value)))
    }
}

macro_rules! from {
    ($($type:ty => $make:expr),+ $(,)?) => {
        $(impl From<$type> for Value { fn from(value: $type) -> Self { $make(value) } })+
    };
}
from! {
    bool => Value::Bool,
    i64 => Value::Int,
    i32 => |number| Value::Int(i64::from(number)),
    f64 => Value::Float,
    String => Value::Text,
    &str => |text: &str| Value::Text(text.to_owned()),
    Uuid => Value::Guid,
    Timestamp => Value::Time,
    RecordRef => Value::Lookup,
    Content => Value::Content,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: impl Into<Value>, expected: &str) {
        assert_eq!(serde_json::to_string(&value.into()).unwrap(), expected);
    }

    #[test]
    fn values_in_json() {
        let id = Uuid::from_u128(7);
        check(Value::Null, "null");
        check(true, "true");
        check(-3, "-3");
        check(Value::Decimal("12.50".into()), "\"12.50\"");
        check("Anna", "\"Anna\"");
        check(id, "\"00000000-0000-0000-0000-000000000007\"");
        check(RecordRef::new("lead", id), "\"lead/00000000-0000-0000-0000-000000000007\"");
        check("2026-11-02T10:00:00Z".parse::<Timestamp>().unwrap(), "\"2026-11-02T10:00:00Z\"");
    }

    #[test]
    fn a_body_never_stands_in_a_row_s_json() {
        check(Content::Bytes("secret".into()), "\"bytes:6\"");
        let mail = crate::BodyHash([0xab; 32]);
        check(Content::MailBody { mail }, &format!("\"body:{mail}\""));
    }

    #[test]
    fn a_row_in_json_has_what_is_set() {
        let row = Record::new(RecordRef::new("lead", Uuid::nil()))
            .with("subject", "x")
            .with("telephone1", Value::Null);
        let expected = serde_json::json!({"table": "lead", "id": Uuid::nil(), "columns": {"subject": "x"}});
        assert_eq!(serde_json::to_value(&row).unwrap(), expected);
    }

    #[test]
    fn record_refs_read_back() {
        let at = RecordRef::new("incident", Uuid::from_u128(7));
        assert_eq!(at.to_string().parse(), Ok(at.clone()));
        assert_eq!("Incident/{00000000-0000-0000-0000-000000000007}".parse(), Ok(at));
        for bad in ["incident", "/", "incident/7", "/00000000-0000-0000-0000-000000000007"] {
            assert!(bad.parse::<RecordRef>().is_err(), "{bad}");
        }
    }
}
