//! Tables, columns and keys made, changed and deleted at run time: what the definitions become. Pure, but for the types of
//! statements; [`registry::revise`](crate::schema::registry::revise) puts it down.

use postroom_core::metadata::{ColumnInfo, KeyInfo, TableInfo};

use super::{Problem, accept, links, naming, tables};
use crate::rules::Refusal;
use crate::schema::registry::Revision;
use crate::schema::{Column, Key, Kind, Link, Schema, Table, Targets, names, standard_columns};

/// Columns in one key, and the characters that their texts may hold together: what an index of the platform takes.
const KEY_COLUMNS: usize = 16;
const KEY_TEXT: u32 = 850;

pub(super) fn create_tables(schema: &Schema, infos: &[TableInfo]) -> Result<Revision, Refusal> {
    let mut revision = Revision::default();
    for info in infos {
        let table = accept::table(schema, info)?;
        let twice = |other: &Table| other.name == table.name || other.entity_set == table.entity_set;
        let set = table.entity_set.clone().unwrap_or_default();
        if revision.tables.iter().any(twice) || set_is_taken(schema, &set) {
            return Err(Problem::Taken { what: "table or entity set", name: table.name }.into());
        }
        revision.tables.push(table);
    }
    let noted: Vec<String> =
        revision.tables.iter().filter(|table| table.has_notes).map(|table| table.name.clone()).collect();
    if let Some(notes) = noting(schema, &noted) {
        revision.tables.push(notes);
    }
    Ok(revision)
}

fn set_is_taken(schema: &Schema, set: &str) -> bool {
    schema.tables().any(|table| tables::entity_set(table) == set)
}

/// The entity set of a new table, when its rule gives one that is free.
pub(super) fn free_set(schema: &Schema, name: &str) -> Result<String, Problem> {
    let set = names::entity_set(name);
    match set_is_taken(schema, &set) {
        true => Err(Problem::Taken { what: "entity set", name: set }),
        false => Ok(set),
    }
}

/// Notes may be about rows of these tables, too.
fn noting(schema: &Schema, tables: &[String]) -> Option<Table> {
    let mut notes = Table::clone(schema.table("annotation").ok()?);
    let place = notes.place("objectid")?;
    let column = &mut notes.columns[place];
    let Targets::Named(targets) = &mut column.targets else { return None };
    let new: Vec<&String> = tables.iter().filter(|table| !targets.contains(table)).collect();
    for table in &new {
        targets.push((*table).clone());
        column.links.push(Link {
            target: (*table).clone(),
            schema_name: format!("{table}_Annotations"),
            navigation: format!("objectid_{table}"),
            collection: format!("{table}_Annotations"),
            // Parental, but for merging: these rows are not merged.
            cascade: ["Cascade", "Cascade", "NoCascade", "Cascade", "Cascade", "Cascade"]
                .map(str::to_owned)
                .into(),
        });
    }
    column.changed = true;
    (!new.is_empty()).then_some(notes)
}

/// Labels, description, change tracking; notes and activities once allowed stay so.
pub(super) fn update_table(schema: &Schema, info: &TableInfo) -> Result<Revision, Refusal> {
    let mut table = Table::clone(schema.table(&info.logical_name)?);
    for (texts, given) in [
        (&mut table.labels, &info.label),
        (&mut table.plural, &info.collection_label),
        (&mut table.description, &info.description),
    ] {
        if !given.0.is_empty() {
            *texts = accept::texts(given);
        }
    }
    let notes = (info.has_notes && !table.has_notes).then(|| noting(schema, &[table.name.clone()])).flatten();
    table.untracked = !info.change_tracking;
    table.has_notes |= info.has_notes;
    table.has_activities |= info.has_activities && !table.activity;
    table.changed = true;
    Ok(Revision { tables: notes.into_iter().chain([table]).collect(), ..Revision::default() })
}

/// Drops a table and its rows. Lookups that lose their link with a deleted row lose this table, and go when it was their
/// last; tables of pairs with it go; other lookups that name it refuse.
pub(super) fn delete_table(schema: &Schema, name: &str) -> Result<Revision, Refusal> {
    let table = schema.table(name)?;
    if !tables::is_custom(table) {
        return Err(Problem::Standard { what: "table", name: name.to_owned() }.into());
    }
    let mut revision = Revision { gone: vec![name.to_owned()], ..Revision::default() };
    for other in schema.tables().filter(|other| other.name != name) {
        if other
            .intersect
            .as_ref()
            .is_some_and(|sides| sides.first.table == name || sides.second.table == name)
        {
            revision.gone.push(other.name.clone());
            continue;
        }
        let mut changed = Table::clone(other);
        let mut touched = false;
        for column in other.columns.iter().filter(|column| column.kind == Kind::Lookup) {
            match &column.targets {
                Targets::AnyWithActivities if table.has_activities => {
                    revision.rows.push(links::emptied(other, &column.name, name, false));
                }
                Targets::Named(targets) if targets.iter().any(|target| target == name) => {
                    let note = other.name == "annotation";
                    if !note && !links::lets_go(schema, other, column, name) {
                        let by = format!("{}.{}", other.name, column.name);
                        return Err(Problem::InUse { what: "table", name: name.to_owned(), by }.into());
                    }
                    revision.rows.extend(links::unlink(&mut changed, &column.name, name)?);
                    touched = true;
                }
                _ => {}
            }
        }
        if touched {
            revision.tables.push(changed);
        }
    }
    Ok(revision)
}

pub(super) fn add_column(schema: &Schema, table: &str, info: &ColumnInfo) -> Result<Revision, Refusal> {
    let mut table = Table::clone(schema.table(table)?);
    let column = accept::column(schema, &table, info)?;
    table.columns.push(column);
    Ok(Revision { tables: vec![table], ..Revision::default() })
}

pub(super) fn update_column(schema: &Schema, table: &str, info: &ColumnInfo) -> Result<Revision, Refusal> {
    let mut table = Table::clone(schema.table(table)?);
    let place = table.known_place(&info.logical_name)?;
    table.columns[place] = accept::changed(&table.columns[place], &table, info)?;
    Ok(Revision { tables: vec![table], ..Revision::default() })
}

pub(super) fn delete_column(schema: &Schema, table: &str, name: &str) -> Result<Revision, Refusal> {
    let mut table = Table::clone(schema.table(table)?);
    let place = table.known_place(name)?;
    unused(&table, name)?;
    table.columns.remove(place);
    Ok(Revision { tables: vec![table], ..Revision::default() })
}

/// Whether a column may go: it was made at run time, and neither a key nor the table itself rests on it.
pub(super) fn unused(table: &Table, name: &str) -> Result<(), Problem> {
    let shown = || format!("{}.{name}", table.name);
    let standard = standard_columns().iter().any(|column| column.name == name) || name == table.primary_key;
    let custom = table.column(name).is_some_and(|column| tables::is_custom_column(table, column));
    if standard || !custom || table.primary_name.as_deref() == Some(name) {
        return Err(Problem::Standard { what: "column", name: shown() });
    }
    let by = table.keys.iter().find(|key| key.columns.iter().any(|column| column == name));
    match by {
        Some(key) => Err(Problem::InUse { what: "column", name: shown(), by: format!("key {}", key.name) }),
        None => Ok(()),
    }
}

pub(super) fn create_key(schema: &Schema, table: &str, info: &KeyInfo) -> Result<Revision, Refusal> {
    let mut table = Table::clone(schema.table(table)?);
    let (schema_name, name) = naming::agreed(&info.schema_name, &info.logical_name)?;
    if table.keys.iter().any(|key| key.name == name) {
        return Err(Problem::Taken { what: "key", name }.into());
    }
    let mut length = 0;
    let mut columns: Vec<String> = Vec::new();
    for column in &info.columns {
        let column = &table.columns[table.known_place(column)?];
        if !fits_key(column) || columns.contains(&column.name) {
            let why =
                "a key is made of texts, whole numbers, decimals, choices, times and lookups, each once";
            return Err(Problem::unfit("key", &name, why).into());
        }
        if column.kind == Kind::Text {
            length += column.max_length.unwrap_or(u32::MAX / 32);
        }
        columns.push(column.name.clone());
    }
    if columns.is_empty() || columns.len() > KEY_COLUMNS || length > KEY_TEXT {
        let why = "a key has 1 to 16 columns, whose texts hold 850 characters at most";
        return Err(Problem::unfit("key", &name, why).into());
    }
    table.keys.push(Key { name, schema_name, labels: accept::texts(&info.label), columns });
    Ok(Revision { tables: vec![table], ..Revision::default() })
}

fn fits_key(column: &Column) -> bool {
    matches!(
        column.kind,
        Kind::Text
            | Kind::Integer
            | Kind::BigInteger
            | Kind::Decimal
            | Kind::Choice
            | Kind::Time
            | Kind::Lookup
            | Kind::Guid
    )
}

pub(super) fn delete_key(schema: &Schema, table: &str, name: &str) -> Result<Revision, Refusal> {
    let mut table = Table::clone(schema.table(table)?);
    let before = table.keys.len();
    table.keys.retain(|key| key.name != name);
    match table.keys.len() == before {
        true => Err(Problem::missing("key", name).into()),
        false => Ok(Revision { tables: vec![table], ..Revision::default() }),
    }
}
