//! What the CRM says of itself in Dataverse's words, made from the [`Schema`], and how definitions are changed.
//!
//! The doors read [`metadata`]; nothing here knows a wire format. Ids are UUIDv5 of names, so every process and every
//! database says the same of the same table.
//!
//! # Names
//!
//! Standard tables bear their published names. What a table made at run time is called is settled when it is made and
//! stays. Activity tables name their own lookups as other tables do (`ownerid`), not by the platform's second form
//! (`ownerid_email`).

mod accept;
pub(crate) mod cascades;
mod change;
mod columns;
pub(crate) mod draft;
pub(crate) mod labels;
mod links;
mod manage;
pub(crate) mod messages;
mod naming;
mod options;
mod problem;
mod relations;
pub(crate) mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use postroom_core::metadata::{Metadata, OptionSet, TableInfo};
use postroom_core::{Filter, Query, Value};
use uuid::Uuid;

pub use options::Options;
pub use problem::Problem;
pub(crate) use relations::{many_to_many, one_to_many};

use crate::rules::Refusal;
use crate::schema::{Key, Schema, Table};
use crate::seed::NAMESPACE;

/// Every definition, made once for each version of the schema.
pub fn metadata(schema: &Schema) -> Arc<Metadata> {
    schema.metadata.get_or_init(|| Arc::new(describe(schema))).clone()
}

fn describe(schema: &Schema) -> Metadata {
    let one_to_many = relations::one_to_many(schema);
    Metadata {
        version: schema.version,
        tables: schema.tables().map(|table| tables::describe(schema, table)).collect(),
        one_to_many,
        many_to_many: relations::many_to_many(schema),
        option_sets: schema.option_sets.iter().map(columns::global).collect(),
        managed: schema.managed.clone(),
    }
}

/// One table of [`metadata`].
pub(crate) fn table(schema: &Schema, name: &str) -> Option<TableInfo> {
    schema.find(name).map(|place| tables::describe(schema, schema.at(place)))
}

/// One global option set of [`metadata`], whatever the case of its name.
pub(crate) fn option_set(schema: &Schema, name: &str) -> Option<OptionSet> {
    let set = schema.option_sets.iter().find(|set| set.name.eq_ignore_ascii_case(name))?;
    Some(columns::global(set))
}

/// The `MetadataId` of what is called so: `table:contact`, `column:contact.firstname`.
pub(crate) fn id(kind: &str, name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{kind}:{name}").as_bytes())
}

/// The key of a table over exactly these columns, in any order.
pub fn key_of<'t>(table: &'t Table, columns: &[&str]) -> Option<&'t Key> {
    table.keys.iter().find(|key| {
        key.columns.len() == columns.len()
            && key.columns.iter().all(|column| columns.contains(&column.as_str()))
    })
}

/// The id of the row of an intersect table that ties two rows together: the same pair has the same id.
pub fn association(relationship: &str, first: Uuid, second: Uuid) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("association:{relationship}:{first}:{second}").as_bytes())
}

/// The query that finds the row with these values of a key; `None` when one of them is missing, as such rows are free.
pub fn key_query(table: &Table, key: &Key, value_of: impl Fn(&str) -> Option<Value>) -> Option<Query> {
    let equal = |column: &String| match value_of(column)? {
        Value::Null => None,
        value => Some(Filter::eq(column.as_str(), value)),
    };
    let all: Option<Vec<Filter>> = key.columns.iter().map(equal).collect();
    let mut query = Query::of(&table.name).filter(Filter::All(all?));
    query.columns = Some(Vec::new());
    query.top = Some(1);
    Some(query)
}

/// What a write says that would give two rows the same values of a key.
pub fn key_taken(table: &Table, key: &Key) -> Refusal {
    Refusal::DuplicateKey {
        table: table.name.clone(),
        key: key.name.clone(),
        columns: key.columns.join(", "),
    }
}
