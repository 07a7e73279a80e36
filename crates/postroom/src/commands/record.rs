//! `postroom record …`

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use postroom_core::{Code, Fault, Record, RecordRef, Value};
use postroom_embedded::json;
use postroom_embedded::schema::{Schema, Table};
use postroom_operations::{ImportReport, Rejected, to_json};
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
    }
}

async fn import(app: &App, arguments: &ImportRecordsArgs, out: &mut Output) -> Result<Exit, CliError> {
    let schema = app.embedded.schema().await?;
    let mut report = ImportReport::default();
    let mut lot: Vec<(u64, Record)> = Vec::new();
    for (place, line) in open(&arguments.file)?.lines().enumerate() {
        let line = line.map_err(|error| unreadable(&arguments.file, &error))?;
        let number = place as u64 + 1;
        if line.trim().is_empty() {
            continue;
        }
        match read(&schema, &line) {
            Ok(record) => lot.push((number, record)),
            Err(fault) => {
                report.rejected.push(Rejected { line: number, record: None, reason: fault.to_string() })
            }
        }
        if lot.len() == LOT && !arguments.dry_run.dry_run {
            app.operations.import_records(&actor(), std::mem::take(&mut lot), &mut report).await?;
        }
    }
    if !arguments.dry_run.dry_run {
        app.operations.import_records(&actor(), lot, &mut report).await?;
    } else {
        out.note(&format!("{} lines can be read; nothing was written", lot.len()))?;
    }
    report.rejected.sort_by_key(|rejected| rejected.line);
    out.item(&report)?;
    Ok(if report.rejected.is_empty() { Exit::Done } else { Exit::PartlyDone })
}

fn read(schema: &Schema, line: &str) -> Result<Record, Fault> {
    let line = serde_json::from_str(line)
        .map_err(|error| Fault::reject(Code::API_INPUT, format!("the line is not JSON: {error}")))?;
    json::record(schema, &line)
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
    let set = record.columns.iter().filter(|(_, value)| *value != Value::Null);
    let columns: serde_json::Map<String, serde_json::Value> =
        set.map(|(name, value)| (name.clone(), to_json(value))).collect();
    let names = ["name", "fullname", "title", "subject", "topic", "listname"];
    let name = names.iter().find_map(|name| record.text(name));
    document!({ "table": record.at.table, "id": record.at.id, "name": name, "columns": columns })
}
