//! `postroom record …`

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

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
    let described = app.embedded.table(&table).await?;
    let mut filters = Vec::new();
    for condition in &arguments.conditions {
        let value = match condition.value.is_empty() {
            true => Value::Null,
            false => typed(&described, &condition.column, &condition.value)?,
        };
        filters.push((condition.column.clone(), value));
    }
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
