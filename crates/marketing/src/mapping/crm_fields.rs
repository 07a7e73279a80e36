//! `esc_crmfield`: the columns that can be mapped, for people who choose one in the CRM: those of contacts, leads and accounts,
//! and of the rows that their lookups name, one step far (`ownerid/fullname`).

use std::collections::HashMap;

use postroom_core::metadata::{ColumnInfo, ColumnKind, Label, Metadata, TableInfo};
use postroom_core::{Change, ChangeSet, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::valid;
use crate::keys::Key;
use crate::people::TABLES;
use crate::sync::{Halt, Turn};

const TABLE: &str = "esc_crmfield";
/// Rows of one lot.
const LOT: usize = 500;
/// Columns of a row behind a lookup that say something of a person; all of them would be thousands.
const BEHIND: [&str; 8] = [
    "internalemailaddress",
    "emailaddress1",
    "telephone1",
    "mobilephone",
    "address1_city",
    "address1_country",
    "jobtitle",
    "title",
];

/// Writes what changed, and marks what has gone.
pub(super) async fn run(turn: &mut Turn, metadata: &Metadata) -> Result<(), Halt> {
    let columns = [
        "esc_name",
        "esc_externalkey",
        "esc_entityname",
        "esc_logicalname",
        "esc_displayname",
        "esc_description",
        "esc_attributetype",
        "esc_lookuptarget",
        "esc_maxlength",
        "esc_optionsjson",
        "esc_iswritable",
        "esc_ismissing",
    ];
    let known = turn.engine.crm.query(&Query::of(TABLE).select(&columns)).await?;
    let mut known: HashMap<Uuid, Record> = known.into_iter().map(|row| (row.at.id, row)).collect();
    let mut changes = Vec::new();
    for row in wanted(metadata) {
        turn.counts.read += 1;
        match known.remove(&row.at.id) {
            Some(before) if row.columns.iter().all(|(name, value)| same(before.get(name), value)) => {}
            _ => changes.push(Change::Upsert(row)),
        }
    }
    let there = |row: &Record| row.get("esc_ismissing").and_then(Value::as_bool) != Some(true);
    let gone = known.into_values().filter(there).map(|row| Record::new(row.at).with("esc_ismissing", true));
    changes.extend(gone.map(Change::Update));
    write(turn, changes).await
}

fn same(before: Option<&Value>, now: &Value) -> bool {
    before.unwrap_or(&Value::Null) == now
}

/// Writes rows of the CRM that are the connector's own; a refusal is a fault, as nobody else's data is in them.
pub(super) async fn write(turn: &mut Turn, changes: Vec<Change>) -> Result<(), Halt> {
    let number = changes.len() as u64;
    if !turn.dry {
        for some in changes.chunks(LOT) {
            let sets = some.iter().map(|change| ChangeSet { changes: vec![change.clone()] }).collect();
            for answer in turn.engine.crm.apply(sets).await {
                answer?;
            }
        }
    }
    turn.counts.to_crm.sent += number;
    turn.counts.to_crm.changed += number;
    Ok(())
}

fn wanted(metadata: &Metadata) -> Vec<Record> {
    let mut rows = Vec::new();
    for table in TABLES.iter().filter_map(|table| metadata.table(table)) {
        for column in table.columns.iter().filter(|column| is_shown(column)) {
            rows.push(row(table, column, None));
            for behind in behind(metadata, column) {
                rows.push(row(table, column, Some(behind)));
            }
        }
    }
    // Two tables that a lookup names may have a column of one name.
    let mut seen = std::collections::HashSet::new();
    rows.retain(|row| seen.insert(row.at.id));
    rows
}

fn is_shown(column: &ColumnInfo) -> bool {
    let hidden = matches!(
        column.kind,
        ColumnKind::PartyList { .. }
            | ColumnKind::File { .. }
            | ColumnKind::Image { .. }
            | ColumnKind::Virtual
            | ColumnKind::EntityName
    );
    column.valid_for_read && column.attribute_of.is_none() && !hidden
}

/// The columns of the rows that a lookup names: their names, and what is often wanted.
fn behind<'m>(metadata: &'m Metadata, column: &'m ColumnInfo) -> impl Iterator<Item = &'m ColumnInfo> {
    let tables = valid::targets(&column.kind).unwrap_or_default().iter();
    let columns = tables.filter_map(|target| metadata.table(target)).flat_map(|table| &table.columns);
    columns.filter(|column| column.is_primary_name || BEHIND.contains(&column.logical_name.as_str()))
}

fn row(table: &TableInfo, own: &ColumnInfo, behind: Option<&ColumnInfo>) -> Record {
    let path = match behind {
        Some(behind) => format!("{}/{}", own.logical_name, behind.logical_name),
        None => own.logical_name.clone(),
    };
    let shown = behind.unwrap_or(own);
    let text = |label: &Label, most: usize| -> String {
        label.text().unwrap_or_default().chars().take(most).collect()
    };
    let mut name = text(&own.label, 90);
    if let Some(behind) = behind {
        name = format!("{name}: {}", text(&behind.label, 90));
    }
    let name = if name.is_empty() { path.clone() } else { name };
    let key = Key::crm_field(&table.logical_name, &path);
    let length = match &shown.kind {
        ColumnKind::String { max_length, .. } | ColumnKind::Memo { max_length } => {
            Some(i64::from(*max_length))
        }
        _ => None,
    };
    let writable = behind.is_none() && own.valid_for_update;
    let some = |text: String| if text.is_empty() { Value::Null } else { Value::Text(text) };
    Record::new(RecordRef::new(TABLE, key.id(TABLE)))
        .with("esc_name", name.as_str())
        .with("esc_externalkey", key.as_str())
        .with("esc_entityname", table.logical_name.as_str())
        .with("esc_logicalname", path.as_str())
        .with("esc_displayname", name.as_str())
        .with("esc_description", some(text(&shown.description, 500)))
        .with("esc_attributetype", valid::type_name(&shown.kind))
        .with("esc_lookuptarget", behind.map(|_| path.clone()))
        .with("esc_maxlength", length.filter(|length| i32::try_from(*length).is_ok()))
        .with("esc_optionsjson", choices(&shown.kind))
        .with("esc_iswritable", writable)
        .with("esc_ismissing", false)
}

/// The choices of a column, value to label; none of more than the column here takes.
fn choices(kind: &ColumnKind) -> Option<String> {
    let (ColumnKind::Picklist { options, .. }
    | ColumnKind::MultiSelect { options }
    | ColumnKind::State { options }
    | ColumnKind::Status { options }) = kind
    else {
        return None;
    };
    let pairs = options.options.iter().map(|option| {
        (option.value.to_string(), serde_json::Value::from(option.label.text().unwrap_or_default()))
    });
    let text = serde_json::Value::Object(pairs.collect()).to_string();
    (text.len() <= 100_000).then_some(text)
}
