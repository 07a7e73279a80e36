//! Entities to records. A [`Shape`] says once for a query which attribute is which column; columns without a value are
//! absent on this wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_core::metadata::{ColumnKind, Metadata, TableInfo};
use postroom_core::query::{Join, Link};
use postroom_core::{Content, Query, Record, RecordRef, Value};
use postroom_formats::soap::value::{Any, Entity, boolean};

use crate::promises::is_file;

/// What the rows of an answer hold.
pub(super) struct Shape {
    table: String,
    key: String,
    /// The names of the record's columns, and whether one holds a file.
    fields: Vec<(String, bool)>,
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
            fields.extend(aliases.map(|alias| (alias.clone(), false)));
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

    /// The record of an entity.
    pub(super) fn record(&self, mut entity: Entity) -> Record {
        let key = entity.get(&self.key).and_then(Any::as_guid);
        let id = if entity.id.is_nil() { key.unwrap_or_default() } else { entity.id };
        let mut record = Record::new(RecordRef::new(self.table.as_str(), id));
        record.columns.reserve_exact(self.fields.len());
        for (name, file) in &self.fields {
            let place = entity.attributes.iter().position(|(known, _)| known == name);
            // Columns mostly come in the order in which they were asked for; what is taken need not be searched again.
            let any = place.map(|place| entity.attributes.swap_remove(place).1);
            match any.and_then(|any| value(any, *file)) {
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
) -> impl Iterator<Item = (String, bool)> {
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
        "" => name.to_owned(),
        alias => format!("{alias}.{name}"),
    };
    names.into_iter().map(|name| (full(name), is_file(table, name))).collect::<Vec<_>>().into_iter()
}

fn links(metadata: &Metadata, of: &[Link], fields: &mut Vec<(String, bool)>) {
    for link in of.iter().filter(|link| matches!(link.join, Join::Inner | Join::Outer)) {
        if let Some(table) = metadata.table(&link.table) {
            fields.extend(columns(table, link.columns.as_deref(), &link.alias));
        }
        links(metadata, &link.links, fields);
    }
}

/// A value as the port has it; party lists are no values of a row.
fn value(any: Any, file: bool) -> Option<Value> {
    match any {
        Any::String(text) if file => {
            let packed: String = text.split_ascii_whitespace().collect();
            match BASE64.decode(packed) {
                Ok(bytes) => Some(Value::Content(Content::Bytes(bytes.into()))),
                Err(_) => Some(Value::Text(text)),
            }
        }
        Any::String(text) => Some(Value::Text(text)),
        Any::Binary(bytes) => Some(Value::Content(Content::Bytes(bytes.into()))),
        Any::Aliased(aliased) => value(aliased.value, file),
        // BooleanManagedProperty
        Any::Raw(element) if !element.children.is_empty() => {
            element.text_of("Value").and_then(|text| boolean(text).ok()).map(Value::Bool)
        }
        any => any.to_value(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn check(any: Any, file: bool, expected: Option<Value>) {
        assert_eq!(value(any, file), expected);
    }

    #[test]
    fn values() {
        let bytes = |text: &'static str| Some(Value::Content(Content::Bytes(text.into())));
        check(Any::String("aGVs\r\nbG8=".into()), true, bytes("hello"));
        check(Any::Binary(b"hello".to_vec()), false, bytes("hello"));
        check(Any::String("aGVsbG8=".into()), false, Some(Value::text("aGVsbG8=")));
        check(Any::Money("9.50".into()), false, Some(Value::Decimal("9.50".into())));
        check(Any::OptionSetValue(3), false, Some(Value::Int(3)));
        check(Any::Entities(Vec::new()), false, None);
        let shape = Shape {
            table: "contact".into(),
            key: "contactid".into(),
            fields: ["contactid", "b", "a"].map(|name| (name.to_owned(), false)).into(),
            named: true,
        };
        let entity = Entity::new("contact", Uuid::from_u128(7)).with("a", Any::Int(1));
        let record = shape.record(entity);
        assert_eq!(record.get("contactid"), Some(&Value::Guid(Uuid::from_u128(7))));
        assert_eq!((record.get("a"), record.get("b")), (Some(&Value::Int(1)), Some(&Value::Null)));
    }
}
