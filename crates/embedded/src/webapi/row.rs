//! Rows as JSON: property names, value shapes and annotations (dataverse.md A8).
//!
//! A [`Shape`] says once for an answer what stands in each column of its records; writing a row then looks nothing up.

use std::collections::HashMap;

use postroom_core::metadata::{ColumnInfo, ColumnKind, DateTimeBehavior, Metadata, OptionSet, TableInfo};
use postroom_core::{Record, RecordRef, Value};

use super::format;
use super::json::Json;

pub(crate) const FORMATTED: &str = "@OData.Community.Display.V1.FormattedValue";
pub(crate) const LOOKUP: &str = "@Microsoft.Dynamics.CRM.lookuplogicalname";
pub(crate) const NAVIGATION: &str = "@Microsoft.Dynamics.CRM.associatednavigationproperty";

/// Which annotations a caller asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Annotations {
    pub formatted: bool,
    pub lookup: bool,
    pub navigation: bool,
}

impl Annotations {
    /// Names of looked-up rows are needed.
    pub(crate) fn names(self) -> bool {
        self.formatted
    }
}

/// The primary names of rows that lookups name.
pub(crate) type Names = HashMap<RecordRef, String>;

/// What the columns of an answer's records are, in their order.
pub(crate) struct Shape<'m> {
    fields: Vec<Field<'m>>,
    /// Where the key and the version stand, for `@odata.etag`.
    version: Option<usize>,
}

struct Field<'m> {
    /// The name in JSON; `None` is not shown.
    property: Option<String>,
    what: What<'m>,
}

enum What<'m> {
    Column {
        table: &'m TableInfo,
        column: &'m ColumnInfo,
        metadata: &'m Metadata,
    },
    /// A computed number or text.
    Plain,
}

impl<'m> Shape<'m> {
    /// For records whose columns are `columns` of `table`, those of links as `alias.column`. A version that was not asked
    /// for is not shown. `aliases` say which table an alias means.
    pub(crate) fn new(
        metadata: &'m Metadata,
        table: &'m TableInfo,
        columns: &[String],
        aliases: &HashMap<String, &'m TableInfo>,
        hidden: &[&str],
    ) -> Self {
        let fields: Vec<Field> = columns
            .iter()
            .map(|name| {
                let field = field(metadata, table, aliases, name);
                let shown = !hidden.contains(&name.as_str());
                Field { property: field.property.filter(|_| shown), ..field }
            })
            .collect();
        let version = columns.iter().position(|name| name == "versionnumber");
        Shape { fields, version }
    }

    /// The same with columns under other names: `columns` are those of [`Shape::new`].
    pub(crate) fn renamed(mut self, columns: &[String], names: &[(String, String)]) -> Self {
        for (field, column) in self.fields.iter_mut().zip(columns) {
            if let Some((_, name)) = names.iter().find(|(renamed, _)| renamed == column) {
                field.property = Some(name.clone());
            }
        }
        self
    }

    /// For the answer of a computed query: every column by the name it has.
    pub(crate) fn computed(
        metadata: &'m Metadata,
        columns: &[(String, Option<(&'m TableInfo, &'m ColumnInfo)>)],
    ) -> Self {
        let fields = columns.iter().map(|(name, of)| Field {
            property: Some(name.clone()),
            what: of.map_or(What::Plain, |(table, column)| What::Column { table, column, metadata }),
        });
        Shape { fields: fields.collect(), version: None }
    }

    /// Writes the members of one row, without the braces: expanded rows may follow.
    pub(crate) fn write(&self, json: &mut Json, record: &Record, ask: Annotations, names: &Names) {
        let version = self.version.and_then(|at| record.columns[at].1.as_int());
        if let Some(version) = version {
            json.key("@odata.etag").value(&etag(version));
        }
        for (field, (_, value)) in self.fields.iter().zip(&record.columns) {
            let Some(property) = &field.property else { continue };
            match &field.what {
                What::Column { table, column, metadata } => {
                    if *value != Value::Null {
                        annotate(json, property, metadata, table, column, value, ask, names);
                    }
                    json.key(property);
                    put(json, column, value);
                }
                What::Plain => {
                    if ask.formatted && *value != Value::Null {
                        json.key_of(property, FORMATTED).value(&format::plain(value));
                    }
                    json.key(property);
                    bare(json, value);
                }
            }
        }
    }

    /// The rows that lookups of these records name and whose names are wanted.
    pub(crate) fn named<'r>(&self, records: impl Iterator<Item = &'r Record>) -> Vec<RecordRef> {
        let mut all = std::collections::HashSet::new();
        for record in records {
            for (field, (_, value)) in self.fields.iter().zip(&record.columns) {
                if let (Some(_), Value::Lookup(at)) = (&field.property, value) {
                    all.insert(at.clone());
                }
            }
        }
        all.into_iter().collect()
    }
}

/// The weak tag of a row's version.
pub(crate) fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

fn field<'m>(
    metadata: &'m Metadata,
    table: &'m TableInfo,
    aliases: &HashMap<String, &'m TableInfo>,
    name: &str,
) -> Field<'m> {
    let (table, column, linked) = match name.split_once('.') {
        Some((alias, column)) => match aliases.get(alias) {
            Some(table) => (*table, column, true),
            None => return Field { property: Some(name.to_owned()), what: What::Plain },
        },
        None => (table, name, false),
    };
    match table.column(column) {
        Some(column) => {
            let own = if linked { name.to_owned() } else { property(column) };
            Field { property: Some(own), what: What::Column { table, column, metadata } }
        }
        None => Field { property: Some(name.to_owned()), what: What::Plain },
    }
}

/// A column's name in JSON: lookups show their value.
pub(crate) fn property(column: &ColumnInfo) -> String {
    match column.kind {
        ColumnKind::Lookup { .. } | ColumnKind::Customer { .. } | ColumnKind::Owner { .. } => {
            format!("_{}_value", column.logical_name)
        }
        _ => column.logical_name.clone(),
    }
}

#[expect(clippy::too_many_arguments, reason = "one value with all that may be said of it")]
fn annotate(
    json: &mut Json,
    property: &str,
    metadata: &Metadata,
    table: &TableInfo,
    column: &ColumnInfo,
    value: &Value,
    ask: Annotations,
    names: &Names,
) {
    if let Value::Lookup(at) = value {
        if let Some(name) = names.get(at).filter(|_| ask.formatted) {
            json.key_of(property, FORMATTED).value(name);
        }
        if ask.navigation {
            let relation = metadata.many_to_one_of(&table.logical_name).find(|relation| {
                relation.referencing_column == column.logical_name && relation.referenced_table == at.table
            });
            let owner = matches!(column.kind, ColumnKind::Owner { .. }).then_some("ownerid");
            let name = owner.or(relation.map(|relation| relation.referencing_navigation.as_str()));
            if let Some(name) = name {
                json.key_of(property, NAVIGATION).value(name);
            }
        }
        if ask.lookup {
            json.key_of(property, LOOKUP).value(&at.table);
        }
    } else if ask.formatted
        && let Some(text) = format::value(column, value)
    {
        json.key_of(property, FORMATTED).value(&text);
    }
}

/// A value in the shape of its column.
pub(crate) fn put(json: &mut Json, column: &ColumnInfo, value: &Value) {
    match (&column.kind, value) {
        (ColumnKind::DateTime { date_only, behavior }, Value::Time(time)) => {
            let date = *date_only && *behavior != DateTimeBehavior::UserLocal
                || *behavior == DateTimeBehavior::DateOnly;
            match date {
                true => json.plain(time.strftime("%Y-%m-%d")),
                false => json.plain(time.strftime("%Y-%m-%dT%H:%M:%SZ")),
            }
        }
        (ColumnKind::Money { .. }, Value::Decimal(text)) => json.number(&format::money(text)),
        _ => bare(json, value),
    }
}

fn bare(json: &mut Json, value: &Value) {
    match value {
        Value::Null => json.null(),
        Value::Bool(value) => json.value(value),
        Value::Int(number) => json.value(number),
        Value::Float(number) => json.value(number),
        Value::Decimal(text) => json.number(text),
        Value::Text(text) => json.value(text),
        Value::Guid(id) => json.plain(id),
        Value::Time(time) => json.plain(time.strftime("%Y-%m-%dT%H:%M:%SZ")),
        Value::Lookup(at) => json.plain(at.id),
        // Read before rows are written; what could not be read is empty.
        Value::Content(_) => json.null(),
    }
}

/// The options of a column that has some.
pub(crate) fn options(kind: &ColumnKind) -> Option<&OptionSet> {
    match kind {
        ColumnKind::Picklist { options, .. }
        | ColumnKind::MultiSelect { options }
        | ColumnKind::State { options }
        | ColumnKind::Status { options } => Some(options),
        _ => None,
    }
}
