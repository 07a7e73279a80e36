//! Rows in JSON straight into records: no tree is built, and no name is looked up twice.
//!
//! A [`Shape`] says once for a query which property is which column and of what kind. Rows of a page name the same properties
//! in the same order, so the one that came behind a property before is the first that is looked for behind it, and most
//! names are found without a hash or an allocation. Lookups that may name several tables need the annotation [`LOOKUP`].

mod row;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use postroom_core::metadata::{ColumnInfo, ColumnKind, Metadata, TableInfo};
use postroom_core::query::Link;
use postroom_core::{ColumnName, Content, Query, Record, RecordRef, Value};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use self::row::{RowSeed, Scratch};
use crate::promises::{is_file, is_lookup};

/// The annotation that says which table a lookup names.
pub(crate) const LOOKUP: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";

/// What the rows of an answer hold.
pub(crate) struct Shape {
    table: String,
    key: String,
    /// Where the key stands among the record's columns, when it was asked for.
    key_place: Option<usize>,
    /// The names of the record's columns.
    names: Vec<ColumnName>,
    properties: Vec<(String, Place)>,
    /// Where each name is in `properties`.
    known: HashMap<String, usize>,
    /// Columns that were named are answered when null, too.
    named: bool,
    /// Some lookup may name several tables.
    pub annotated: bool,
}

#[derive(Debug, Clone)]
enum Place {
    Column(usize, Form),
    /// The annotation of the lookup at this place.
    TableOf(usize),
    Key,
    /// Of a row that went: its id, and that it was deleted.
    Gone,
    Reason,
    /// What every row says and nobody asked for.
    Other,
}

/// How a value stands in JSON.
#[derive(Debug, Clone)]
enum Form {
    Bool,
    Int,
    Float,
    Decimal,
    Text,
    Guid,
    Time,
    Bytes,
    /// With the table, when there is only one.
    Lookup(Option<String>),
    /// A computed value: a number, a text, whatever it is.
    Any,
}

/// One page.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub records: Vec<Record>,
    /// Of a run through changes: rows that went.
    pub gone: Vec<Uuid>,
    pub next_link: Option<String>,
    pub delta_link: Option<String>,
    pub fetch_cookie: Option<String>,
    pub more: bool,
}

impl Shape {
    /// For the rows of this query.
    pub(crate) fn of(metadata: &Metadata, table: &TableInfo, query: &Query) -> Shape {
        let mut shape = Shape {
            table: table.logical_name.clone(),
            key: table.primary_id.clone(),
            key_place: None,
            names: Vec::new(),
            properties: Vec::new(),
            known: HashMap::new(),
            named: query.columns.is_some() || query.computes(),
            annotated: false,
        };
        shape.put(&table.primary_id, Place::Key);
        if query.computes() {
            let aliases = query.groups.iter().map(|group| (&group.alias, Some(&group.column)));
            for (alias, column) in aliases.chain(query.aggregates.iter().map(|one| (&one.alias, None))) {
                let grouped = column.and_then(|column| table.column(column));
                shape.add(alias, alias, grouped.map_or(Form::Any, |column| form(table, column)));
                // OData answers a grouped lookup under its own property.
                if let Some(column) = grouped.filter(|column| is_lookup(column)) {
                    shape.add(alias, &format!("_{}_value", column.logical_name), form(table, column));
                }
            }
        } else {
            for column in columns(table, &query.columns) {
                shape.column(table, column, "");
            }
            shape.links(metadata, &query.links);
        }
        for (name, place) in [("@odata.etag", Place::Other), ("id", Place::Gone), ("reason", Place::Reason)] {
            if !shape.known.contains_key(name) {
                shape.put(name, place);
            }
        }
        shape.key_place = shape.names.iter().position(|name| *name == shape.key);
        shape
    }

    /// Says what a property is; the last word counts.
    fn put(&mut self, property: &str, place: Place) {
        match self.known.get(property) {
            Some(&at) => self.properties[at].1 = place,
            None => {
                self.known.insert(property.to_owned(), self.properties.len());
                self.properties.push((property.to_owned(), place));
            }
        }
    }

    fn links(&mut self, metadata: &Metadata, links: &[Link]) {
        for link in links.iter().filter(|link| link.join.answers()) {
            if let Some(table) = metadata.table(&link.table) {
                for column in columns(table, &link.columns) {
                    self.column(table, column, &link.alias);
                }
            }
            self.links(metadata, &link.links);
        }
    }

    fn column(&mut self, table: &TableInfo, column: &ColumnInfo, alias: &str) {
        let form = form(table, column);
        let name = &column.logical_name;
        if alias.is_empty() {
            let property = if is_lookup(column) { format!("_{name}_value") } else { name.clone() };
            self.add(name, &property, form);
        } else {
            let named = format!("{alias}.{name}");
            self.add(&named, &named, form.clone());
            // How servers before 9 write the dot.
            let place = self.names.len() - 1;
            self.put(&format!("{alias}_x002e_{name}"), Place::Column(place, form));
        }
    }

    fn add(&mut self, name: &str, property: &str, form: Form) {
        let place = match self.names.iter().position(|known| known == name) {
            Some(place) => place,
            None => {
                self.names.push(name.into());
                self.names.len() - 1
            }
        };
        if let Form::Lookup(None) = form {
            self.annotated = true;
            self.put(&format!("{property}@{LOOKUP}"), Place::TableOf(place));
        }
        // The key stands in the record's place too.
        if property != self.key {
            self.put(property, Place::Column(place, form));
        }
    }

    /// Reads a page.
    ///
    /// # Errors
    /// What is no JSON, or holds a value that does not fit its column.
    pub(crate) fn read(&self, body: &[u8]) -> Result<Rows, serde_json::Error> {
        // Checked once for all, and not string by string.
        let body = std::str::from_utf8(body).map_err(<serde_json::Error as serde::de::Error>::custom)?;
        let mut json = serde_json::Deserializer::from_str(body);
        let rows = PageSeed(self).deserialize(&mut json)?;
        json.end()?;
        Ok(rows)
    }
}

fn columns<'t>(table: &'t TableInfo, wanted: &Option<Vec<String>>) -> Vec<&'t ColumnInfo> {
    match wanted {
        Some(names) => names.iter().filter_map(|name| table.column(name)).collect(),
        None => {
            let shown = |column: &&ColumnInfo| !column.is_primary_id && column.attribute_of.is_none();
            table.columns.iter().filter(shown).collect()
        }
    }
}

fn form(table: &TableInfo, column: &ColumnInfo) -> Form {
    use ColumnKind as Kind;
    if is_file(table, &column.logical_name) {
        return Form::Bytes;
    }
    match &column.kind {
        Kind::Boolean { .. } => Form::Bool,
        Kind::Integer { .. }
        | Kind::BigInt
        | Kind::Picklist { .. }
        | Kind::State { .. }
        | Kind::Status { .. } => Form::Int,
        Kind::Double { .. } => Form::Float,
        Kind::Decimal { .. } | Kind::Money { .. } => Form::Decimal,
        Kind::DateTime { .. } => Form::Time,
        Kind::Uniqueidentifier => Form::Guid,
        Kind::Image { .. } => Form::Bytes,
        Kind::Lookup { targets } | Kind::Customer { targets } | Kind::Owner { targets } => {
            match targets.as_slice() {
                [one] => Form::Lookup(Some(one.clone())),
                _ => Form::Lookup(None),
            }
        }
        _ => Form::Text,
    }
}

struct PageSeed<'s>(&'s Shape);

impl<'de> DeserializeSeed<'de> for PageSeed<'_> {
    type Value = Rows;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Rows, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_> {
    type Value = Rows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::default();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            match &*name {
                "value" => members.next_value_seed(ListSeed(self.0, &mut rows))?,
                "@odata.nextLink" => rows.next_link = members.next_value()?,
                "@odata.deltaLink" => rows.delta_link = members.next_value()?,
                "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie" => rows.fetch_cookie = members.next_value()?,
                "@Microsoft.Dynamics.CRM.morerecords" => rows.more = members.next_value()?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(rows)
    }
}

struct ListSeed<'s, 'r>(&'s Shape, &'r mut Rows);

impl<'de> DeserializeSeed<'de> for ListSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut scratch = Scratch::of(self.0);
        while let Some(row) = list.next_element_seed(RowSeed(self.0, &mut scratch))? {
            match row {
                Row::There(record) => self.1.records.push(record),
                Row::Gone(id) => self.1.gone.push(id),
            }
        }
        Ok(())
    }
}

enum Row {
    There(Record),
    Gone(Uuid),
}

impl Shape {
    /// Takes the values of one row.
    fn record(&self, id: Option<Uuid>, values: &mut [Option<Value>]) -> Record {
        let mut record = Record::new(RecordRef::new(self.table.as_str(), id.unwrap_or_default()));
        record.columns.reserve_exact(values.len());
        for (name, value) in self.names.iter().zip(values) {
            match value.take() {
                Some(value) if self.named || value != Value::Null => {
                    record.columns.push((name.clone(), value))
                }
                None if self.named => record.columns.push((name.clone(), Value::Null)),
                _ => {}
            }
        }
        record
    }
}

impl<'de> DeserializeSeed<'de> for &Form {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        use serde::Deserialize;
        Ok(match self {
            Form::Bool => Option::<bool>::deserialize(json)?.into(),
            Form::Int => Option::<i64>::deserialize(json)?.into(),
            Form::Float => Option::<f64>::deserialize(json)?.into(),
            Form::Guid => Option::<Uuid>::deserialize(json)?.into(),
            Form::Text => Option::<String>::deserialize(json)?.into(),
            // The digits as they stand.
            Form::Decimal => match <&RawValue>::deserialize(json)?.get() {
                "null" => Value::Null,
                digits => Value::Decimal(plain(digits.trim_matches('"'))),
            },
            Form::Time => json.deserialize_option(TimeVisitor)?,
            Form::Bytes => match Option::<Cow<'de, str>>::deserialize(json)? {
                None => Value::Null,
                Some(text) => {
                    let bytes = BASE64.decode(text.as_bytes()).map_err(|_| wrong("base64", "a file"))?;
                    Value::Content(Content::Bytes(bytes.into()))
                }
            },
            Form::Lookup(table) => match Option::<Uuid>::deserialize(json)? {
                None => Value::Null,
                Some(id) => Value::lookup(table.as_deref().unwrap_or_default(), id),
            },
            Form::Any => any(<&RawValue>::deserialize(json)?.get()),
        })
    }
}

/// A time or nothing; its text is not kept.
struct TimeVisitor;

impl<'de> Visitor<'de> for TimeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_str(self)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        time(text).map(Value::Time).ok_or_else(|| wrong("a time", text))
    }
}

fn wrong<E: serde::de::Error>(wanted: &str, text: &str) -> E {
    E::custom(format_args!("{:?} is not {wanted}", text.chars().take(40).collect::<String>()))
}

/// Decimals have no exponents in the port's records.
fn plain(digits: &str) -> String {
    match digits.contains(['e', 'E']) {
        true => match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => number.to_string(),
            _ => digits.to_owned(),
        },
        false => digits.to_owned(),
    }
}

/// A time, or the midnight of a date in UTC.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(day.to_datetime(Default::default())).ok()
}

fn any(raw: &str) -> Value {
    if let Ok(number) = raw.parse::<i64>() {
        return Value::Int(number);
    }
    match serde_json::from_str::<serde_json::Value>(raw) {
        Ok(serde_json::Value::Bool(value)) => Value::Bool(value),
        Ok(serde_json::Value::Number(number)) => number.as_f64().map_or(Value::Null, Value::Float),
        Ok(serde_json::Value::String(text)) => Value::Text(text),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests;
