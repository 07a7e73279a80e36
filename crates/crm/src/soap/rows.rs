//! Rows to records. A [`Shape`] says once for a query which columns its records have, and once for a page where they stand
//! there; columns without a value are absent on this wire.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_core::metadata::{ColumnKind, Metadata, TableInfo};
use postroom_core::query::Link;
use postroom_core::{ColumnName, Content, Query, Record, RecordRef, Value};
use postroom_formats::soap::reply::{Row, Rows};
use uuid::Uuid;

use crate::promises::is_file;

/// What the rows of an answer hold.
pub(super) struct Shape {
    table: String,
    key: String,
    /// The names of the record's columns, and whether one holds a file.
    fields: Vec<(ColumnName, bool)>,
    /// Columns that were named are answered when null, too.
    named: bool,
}

impl Shape {
    /// For the rows of this query.
    pub(super) fn of(metadata: &Metadata, table: &TableInfo, query: &Query) -> Shape {
        let named = query.columns.is_some() || query.computes();
        let mut fields = Vec::new();
        if query.computes() {
            let aliases = query.groups.iter().map(|group| &group.alias);
            let aliases = aliases.chain(query.aggregates.iter().map(|one| &one.alias));
            fields.extend(aliases.map(|alias| (alias.as_str().into(), false)));
        } else {
            fields.extend(columns(table, query.columns.as_deref(), ""));
            links(metadata, &query.links, &mut fields);
        }
        Shape { table: table.logical_name.clone(), key: table.primary_id.clone(), fields, named }
    }

    /// Values in a row at most.
    pub(super) fn width(&self) -> usize {
        self.fields.len()
    }

    /// The records of a page.
    pub(super) fn records(&self, rows: Rows) -> Vec<Record> {
        let places = self.places(&rows.names);
        let key = rows.names.iter().position(|name| *name == self.key);
        let mut values = vec![None; self.fields.len()];
        let record = |row: Row| {
            let computed = row.id.is_nil().then_some(key).flatten();
            let id = computed.and_then(|key| guid(&row, key)).unwrap_or(row.id);
            for (at, value) in row.values {
                // Of two values the first counts.
                if let Some(place @ None) = places[at as usize].map(|place| &mut values[place]) {
                    *place = Some(value);
                }
            }
            self.record(id, &mut values)
        };
        rows.rows.into_iter().map(record).collect()
    }

    /// Which field each of these columns is.
    fn places(&self, names: &[String]) -> Vec<Option<usize>> {
        let mut fields = HashMap::with_capacity(self.fields.len());
        for (place, (name, _)) in self.fields.iter().enumerate() {
            fields.entry(name.as_str()).or_insert(place);
        }
        names.iter().map(|name| fields.get(name.as_str()).copied()).collect()
    }

    /// Takes the values of one row.
    fn record(&self, id: Uuid, values: &mut [Option<Value>]) -> Record {
        let mut record = Record::new(RecordRef::new(self.table.as_str(), id));
        record.columns.reserve_exact(self.fields.len());
        for ((name, file), value) in self.fields.iter().zip(values) {
            match value.take().map(|value| if *file { unpacked(value) } else { value }) {
                Some(value) if self.named || value != Value::Null => {
                    record.columns.push((name.clone(), value))
                }
                None if self.named && *name == self.key => record.columns.push((name.clone(), id.into())),
                None if self.named => record.columns.push((name.clone(), Value::Null)),
                _ => {}
            }
        }
        record
    }
}

fn columns(
    table: &TableInfo,
    wanted: Option<&[String]>,
    alias: &str,
) -> impl Iterator<Item = (ColumnName, bool)> {
    let names: Vec<&str> = match wanted {
        Some(names) => names.iter().map(String::as_str).collect(),
        None => table
            .columns
            .iter()
            .filter(|column| !column.is_primary_id && column.attribute_of.is_none())
            .filter(|column| !matches!(column.kind, ColumnKind::PartyList { .. }))
            .map(|column| column.logical_name.as_str())
            .collect(),
    };
    let full = |name: &str| match alias {
        "" => ColumnName::from(name),
        alias => format!("{alias}.{name}").into(),
    };
    names.into_iter().map(|name| (full(name), is_file(table, name))).collect::<Vec<_>>().into_iter()
}

fn links(metadata: &Metadata, of: &[Link], fields: &mut Vec<(ColumnName, bool)>) {
    for link in of.iter().filter(|link| link.join.answers()) {
        if let Some(table) = metadata.table(&link.table) {
            fields.extend(columns(table, link.columns.as_deref(), &link.alias));
        }
        links(metadata, &link.links, fields);
    }
}

/// The id of a row that says it in its key column alone.
fn guid(row: &Row, key: usize) -> Option<Uuid> {
    let (_, value) = row.values.iter().find(|(at, _)| *at as usize == key)?;
    match value {
        Value::Guid(id) => Some(*id),
        Value::Lookup(to) => Some(to.id),
        Value::Text(text) => postroom_formats::soap::value::guid(text).ok(),
        _ => None,
    }
}

/// A file, whose text is base64.
fn unpacked(value: Value) -> Value {
    let Value::Text(text) = value else { return value };
    let packed: String = text.split_ascii_whitespace().collect();
    match BASE64.decode(packed) {
        Ok(bytes) => Value::Content(Content::Bytes(bytes.into())),
        Err(_) => Value::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(&str, Value)], id: u128, expected: &[(&str, Value)]) {
        let shape = Shape {
            table: "contact".into(),
            key: "contactid".into(),
            fields: ["contactid", "b", "a", "file"].map(|name| (name.into(), name == "file")).into(),
            named: true,
        };
        let names = rows.iter().map(|(name, _)| (*name).to_owned()).collect();
        let values = (0..).zip(rows.iter().map(|(_, value)| value.clone())).collect();
        let row = Row { id: Uuid::from_u128(id), values };
        let record = shape.records(Rows { names, rows: vec![row], ..Rows::default() }).remove(0);
        assert_eq!(record.at.id, Uuid::from_u128(7));
        let found: Vec<(&str, Value)> =
            record.columns.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn records_have_the_columns_that_were_asked_for() {
        let seven = || Value::Guid(Uuid::from_u128(7));
        let file = Value::Content(Content::Bytes("hello".into()));
        check(
            &[("a", 1.into()), ("other", 2.into()), ("a", 3.into())],
            7,
            &[("contactid", seven()), ("b", Value::Null), ("a", 1.into()), ("file", Value::Null)],
        );
        check(
            &[("file", "aGVs\r\nbG8=".into()), ("contactid", seven()), ("b", "aGVsbG8=".into())],
            0,
            &[("contactid", seven()), ("b", "aGVsbG8=".into()), ("a", Value::Null), ("file", file)],
        );
    }
}
