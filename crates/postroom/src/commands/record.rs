//! `postroom record …`

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use postroom_core::metadata::{ColumnKind, Metadata};
use postroom_core::{Code, Fault, Record, RecordRef, Value};
use postroom_embedded::json;
use postroom_embedded::schema::Table;
use postroom_operations::ImportReport;
use serde_json::json as document;

use crate::app::App;
use crate::cli::{ImportRecordsArgs, ListRecordsArgs, RecordCommand};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

/// Lines read before they are written.
const LOT: usize = 1000;

pub async fn run(app: &App, command: &RecordCommand, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        RecordCommand::Import(arguments) => import(app, arguments, out).await,
        RecordCommand::Show(arguments) => {
            let at = RecordRef::new(arguments.table.to_lowercase(), arguments.id);
            out.item(&app.operations.record(&actor(), &at).await?)?;
            Ok(Exit::Done)
        }
        RecordCommand::List(arguments) => list(app, arguments, out).await,
        RecordCommand::Find(arguments) => {
            let found = app.operations.find_records(&actor(), &arguments.words.join(" ")).await?;
            let columns = [
                Column::id("record", "/record"),
                Column::new("name", "/name"),
                Column::new("number or address", "/more"),
            ];
            out.list(&columns, &found)?;
            Ok(Exit::Done)
        }
    }
}

async fn import(app: &App, arguments: &ImportRecordsArgs, out: &mut Output) -> Result<Exit, CliError> {
    app.crm.needs_embedded("record import")?;
    let dry_run = arguments.dry_run.dry_run;
    let mut report = ImportReport::default();
    let mut lot: Vec<(u64, String)> = Vec::new();
    for (number, line) in (1..).zip(open(&arguments.file)?.lines()) {
        lot.push((number, line.map_err(|error| unreadable(&arguments.file, &error))?));
        // What is tried must see all that stands before it.
        if lot.len() == LOT && !dry_run {
            app.operations.import_records(&actor(), std::mem::take(&mut lot), false, &mut report).await?;
        }
    }
    app.operations.import_records(&actor(), lot, dry_run, &mut report).await?;
    if dry_run {
        out.note("nothing was written; without --dry-run it is")?;
    }
    out.item(&report)?;
    Ok(if report.rejected.is_empty() { Exit::Done } else { Exit::PartlyDone })
}

fn open(file: &Path) -> Result<Box<dyn BufRead>, CliError> {
    let source: Box<dyn Read> = match file.as_os_str() == "-" {
        true => Box::new(std::io::stdin()),
        false => Box::new(File::open(file).map_err(|error| unreadable(file, &error))?),
    };
    Ok(Box::new(BufReader::new(source)))
}

fn unreadable(file: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Code::API_INPUT, format!("{}: {error}", file.display()))
}

async fn list(app: &App, arguments: &ListRecordsArgs, out: &mut Output) -> Result<Exit, CliError> {
    let table = arguments.table.to_lowercase();
    let columns: Vec<(&str, &str)> =
        arguments.conditions.iter().map(|one| (one.column.as_str(), one.value.as_str())).collect();
    let filters = match app.crm.embedded() {
        Some(embedded) => {
            let table = embedded.table(&table).await?;
            filters(&columns, |column, text| typed(&table, column, text))?
        }
        None => {
            let described = if columns.is_empty() {
                Metadata::default()
            } else {
                app.filing.crm.metadata(&[&table]).await?
            };
            filters(&columns, |column, text| by_definition(&described, &table, column, text))?
        }
    };
    let rows = app.operations.records(&actor(), &table, &filters, u64::from(arguments.limit.limit)).await?;
    let rows: Vec<serde_json::Value> = rows.iter().map(shown).collect();
    let columns = [
        Column::id("id", "/id"),
        Column::new("name", "/name"),
        Column::new("changed", "/columns/modifiedon"),
    ];
    out.list(&columns, &rows)?;
    Ok(Exit::Done)
}

/// Conditions as columns and values; an empty text asks for an empty column.
fn filters(
    conditions: &[(&str, &str)],
    typed: impl Fn(&str, &str) -> Result<Value, CliError>,
) -> Result<Vec<(String, Value)>, CliError> {
    let one = |(column, text): &(&str, &str)| {
        let value = if text.is_empty() { Value::Null } else { typed(column, text)? };
        Ok(((*column).to_owned(), value))
    };
    conditions.iter().map(one).collect()
}

/// The value of a condition at a CRM outside, as its definitions have the column.
fn by_definition(metadata: &Metadata, table: &str, column: &str, text: &str) -> Result<Value, CliError> {
    let known = metadata.table(table).and_then(|table| table.column(column));
    let Some(known) = known else {
        return Err(Fault::reject(Code::CRM_UNKNOWN_COLUMN, format!("{table} has no column {column}")).into());
    };
    let value = match &known.kind {
        ColumnKind::Boolean { .. } => text.parse().ok().map(Value::Bool),
        ColumnKind::Integer { .. }
        | ColumnKind::BigInt
        | ColumnKind::Picklist { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => text.parse().ok().map(Value::Int),
        ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => Some(Value::Decimal(text.to_owned())),
        ColumnKind::Double { .. } => text.parse().ok().map(Value::Float),
        ColumnKind::DateTime { .. } => text.parse().ok().map(Value::Time),
        ColumnKind::Uniqueidentifier => text.parse().ok().map(Value::Guid),
        ColumnKind::Lookup { targets } | ColumnKind::Customer { targets } | ColumnKind::Owner { targets } => {
            let alone = || Some(RecordRef::new(targets.first()?.clone(), text.parse().ok()?));
            text.parse().ok().or_else(alone).map(Value::Lookup)
        }
        _ => Some(Value::text(text)),
    };
    let unfit =
        || CliError::usage(format!("{text:?} does not fit {table}.{column}; write it as the CRM keeps it"));
    value.ok_or_else(unfit)
}

/// The value of a condition, in the column's own type.
fn typed(table: &Table, column: &str, text: &str) -> Result<Value, CliError> {
    let unknown =
        || Fault::reject(Code::CRM_UNKNOWN_COLUMN, format!("{} has no column {column}", table.name));
    let column = table.column(column).ok_or_else(unknown)?;
    let given: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|_| document!(text));
    let read =
        json::value_of(table, column, &given).or_else(|_| json::value_of(table, column, &document!(text)));
    Ok(read.map_err(Fault::from)?)
}

fn shown(record: &Record) -> serde_json::Value {
    let mut shown = document!(record);
    shown["name"] = document!(name_of(record));
    shown
}

/// The column by which a person knows a record.
pub(super) fn name_of(record: &Record) -> Option<&str> {
    let names = ["name", "fullname", "title", "subject", "topic", "listname"];
    names.iter().find_map(|name| record.text(name))
}
