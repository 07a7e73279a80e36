//! Rows to entities: typed values, what a person sees, and values of linked tables (dataverse.md E3, E4).
//!
//! A [`Shape`] says once for an answer what stands in each column of its records. Columns without a value are absent.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_core::metadata::{ColumnInfo, ColumnKind, TableInfo};
use postroom_core::{Content, Crm, Record, RecordRef, Value};
use postroom_formats::soap::value::{Aliased, Any, Entity, EntityReference};
use uuid::Uuid;

use super::Ability;
use super::call::Call;
use super::stop::Stop;
use crate::schema::Kind;
use crate::webapi::{formatted, money, plain};

/// The primary names of rows that lookups name.
pub(super) type Names = HashMap<RecordRef, String>;

/// What the columns of an answer's records are, in their order.
pub(super) struct Shape<'m> {
    table: &'m TableInfo,
    fields: Vec<Field<'m>>,
    version: Option<usize>,
}

struct Field<'m> {
    /// The key of the attribute; `None` is not shown.
    key: Option<String>,
    /// Table and column, where there is one behind the value.
    of: Option<(&'m TableInfo, &'m ColumnInfo)>,
    /// Stands as an `AliasedValue` of this table and column.
    aliased: Option<(String, String)>,
}

impl<'m> Shape<'m> {
    /// For records whose columns are `columns` of `table`, those of links as `alias.column`.
    pub(super) fn new(
        call: &'m Call<'_>,
        table: &'m TableInfo,
        columns: &[String],
        aliases: &HashMap<String, String>,
        hidden: &[String],
    ) -> Self {
        let field = |name: &String| {
            let key = Some(name.clone()).filter(|name| !hidden.contains(name));
            let Some((alias, column)) = name.split_once('.') else {
                return Field { key, of: table.column(name).map(|column| (table, column)), aliased: None };
            };
            let linked = aliases.get(alias).map_or(alias, String::as_str);
            let of = call.metadata.table(linked).and_then(|table| Some((table, table.column(column)?)));
            Field { key, of, aliased: Some((linked.to_owned(), column.to_owned())) }
        };
        let version = columns.iter().position(|name| name == "versionnumber");
        Shape { table, fields: columns.iter().map(field).collect(), version }
    }

    /// The same with columns under other names, as aliased values.
    pub(super) fn renamed(mut self, columns: &[String], names: &[(String, String)]) -> Self {
        for (field, column) in self.fields.iter_mut().zip(columns) {
            let Some((_, name)) = names.iter().find(|(renamed, _)| renamed == column) else { continue };
            let own = || (self.table.logical_name.clone(), column.clone());
            field.aliased = Some(field.aliased.take().unwrap_or_else(own));
            field.key = Some(name.clone());
        }
        self
    }

    /// For the answer of a computed query: aliases, with the columns behind them and whether they keep their type.
    pub(super) fn computed(
        call: &'m Call<'_>,
        table: &'m TableInfo,
        columns: Vec<(String, (String, String), bool)>,
    ) -> Self {
        let field = |(key, (of_table, of_column), same): (String, (String, String), bool)| Field {
            key: Some(key),
            of: call
                .metadata
                .table(&of_table)
                .and_then(|table| Some((table, table.column(&of_column)?)))
                .filter(|_| same),
            aliased: Some((of_table, of_column)),
        };
        Shape { table, fields: columns.into_iter().map(field).collect(), version: None }
    }

    /// The rows that lookups of these records name.
    pub(super) fn named<'r>(&self, records: impl Iterator<Item = &'r Record>) -> Vec<RecordRef> {
        let mut all = std::collections::HashSet::new();
        for record in records {
            for (field, (_, value)) in self.fields.iter().zip(&record.columns) {
                if let (Some(_), Value::Lookup(at)) = (&field.key, value) {
                    all.insert(at.clone());
                }
            }
        }
        all.into_iter().collect()
    }
}

/// One row. `lists` are attributes that are not columns.
pub(super) fn entity(
    call: &Call<'_>,
    shape: &Shape<'_>,
    record: &Record,
    names: &Names,
    lists: Vec<(String, Any)>,
) -> Entity {
    let mut entity = Entity::new(shape.table.logical_name.as_str(), record.at.id);
    for (field, (_, value)) in shape.fields.iter().zip(&record.columns) {
        let Some(key) = field.key.as_ref().filter(|_| *value != Value::Null) else { continue };
        let any = match field.of {
            Some((_, column)) => of_column(column, value, names),
            None => Any::of_value(value),
        };
        let shown = match (field.of, value) {
            (_, Value::Lookup(at)) => names.get(at).cloned(),
            (Some((_, column)), value) => formatted(column, value),
            (None, value) => Some(plain(value)),
        };
        if let Some(text) = shown {
            entity.formatted.push((key.clone(), text));
        }
        let any = match &field.aliased {
            Some((table, column)) => {
                Any::Aliased(Box::new(Aliased { table: table.clone(), column: column.clone(), value: any }))
            }
            None => any,
        };
        entity.attributes.push((key.clone(), any));
    }
    entity.attributes.extend(lists);
    let version = shape.version.and_then(|at| record.columns.get(at)?.1.as_int());
    entity.row_version =
        version.filter(|_| call.has(Ability::Concurrency)).map(|version| version.to_string());
    entity
}

/// A value in the type of its column.
fn of_column(column: &ColumnInfo, value: &Value, names: &Names) -> Any {
    match (&column.kind, value) {
        (
            ColumnKind::Picklist { .. } | ColumnKind::State { .. } | ColumnKind::Status { .. },
            Value::Int(number),
        ) => match i32::try_from(*number) {
            Ok(number) => Any::OptionSetValue(number),
            Err(_) => Any::Long(*number),
        },
        (ColumnKind::MultiSelect { .. }, Value::Text(text)) => {
            let numbers = text.split(',').filter_map(|number| number.trim().parse().ok());
            Any::OptionSetCollection(numbers.collect())
        }
        (ColumnKind::Money { .. }, Value::Decimal(text)) => Any::Money(money(text)),
        (ColumnKind::BigInt, Value::Int(number)) => Any::Long(*number),
        (ColumnKind::Image { .. }, Value::Text(text)) => match BASE64.decode(text) {
            Ok(bytes) => Any::Binary(bytes),
            Err(_) => Any::String(text.clone()),
        },
        (_, Value::Lookup(at)) => Any::EntityReference(EntityReference {
            name: names.get(at).cloned(),
            ..EntityReference::new(at.table.as_str(), at.id)
        }),
        (_, value) => Any::of_value(value),
    }
}

/// Puts the bytes behind handles into the rows: text as text, files in base64.
pub(super) async fn bodies(call: &Call<'_>, records: &mut [Record]) -> Result<(), Stop> {
    for record in records {
        let table = call.schema.table(&record.at.table).ok().cloned();
        for (name, value) in &mut record.columns {
            let Value::Content(content) = value else { continue };
            let column = table.as_ref().and_then(|table| table.column(name));
            let file = column.is_some_and(|column| column.kind == Kind::File);
            let bytes = match content {
                Content::Bytes(bytes) => bytes.clone(),
                content => call.session.crm().read(content).await?,
            };
            *value = Value::Text(match file {
                true => BASE64.encode(&bytes),
                false => String::from_utf8_lossy(&bytes).into_owned(),
            });
        }
    }
    Ok(())
}

/// A row that no query answered, such as a message's result.
pub(super) fn loose(call: &Call<'_>, record: &Record) -> Entity {
    let at = &record.at;
    let Ok(table) = call.table(&at.table) else { return Entity::new(at.table.as_str(), at.id) };
    let columns: Vec<String> = record.columns.iter().map(|(name, _)| name.to_string()).collect();
    let shape = Shape::new(call, table, &columns, &HashMap::new(), &[]);
    let mut entity = entity(call, &shape, record, &Names::new(), Vec::new());
    if at.id != Uuid::nil() && entity.get(&table.primary_id).is_none() {
        entity.attributes.push((table.primary_id.clone(), Any::Guid(at.id)));
    }
    entity
}
