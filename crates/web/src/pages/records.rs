//! Records of the CRM: tables, rows, and a record with its timeline.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{Html, Response};
use http::StatusCode;
use postroom_core::{Record, RecordRef, Value};
use postroom_operations::OutgoingView;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::Opened;
use super::render::page;
use crate::api::{filter_value, table_name};
use crate::app::App;
use crate::auth::SignedIn;
use crate::download::file;
use crate::input::{self, Path, Query};
use crate::problem::{self, Problem};

const ROWS: u64 = 50;
/// Bytes of one column's text on the page.
const LONGEST: usize = 400;
/// Columns that name a row to a person, the first that has a text wins.
const NAMES: [&str; 6] = ["fullname", "name", "title", "subject", "topic", "emailaddress1"];
/// Tables beside those that mail can be filed at.
const ALSO: [&str; 3] = ["systemuser", "queue", "email"];

#[derive(Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    table: String,
    #[serde(default)]
    column: String,
    #[serde(default)]
    value: String,
}

#[derive(Serialize)]
struct RowView {
    id: Uuid,
    name: String,
    more: String,
    created: Option<Value>,
}

pub(super) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Problem> {
    let mut tables = app.operations.rules().tables.clone();
    tables.extend(ALSO.iter().map(|name| (*name).to_owned()));
    let table =
        if wanted.table.is_empty() { tables[0].clone() } else { table_name(&wanted.table)?.to_owned() };
    let column = wanted.column.trim().to_lowercase();
    let filters = match column.is_empty() {
        true => Vec::new(),
        false => vec![(column, filter_value(wanted.value.trim()))],
    };
    let (rows, refused) = match app.operations.records(&session.actor, &table, &filters, ROWS).await {
        Ok(rows) => (rows, None),
        // A misspelt column is a thing to correct in place, with the words still in the form.
        Err(fault) if problem::status(&fault) == StatusCode::BAD_REQUEST => (Vec::new(), Some(fault.message)),
        Err(fault) => return Err(fault.into()),
    };
    let rows: Vec<RowView> = rows.iter().map(row).collect();
    let full = rows.len() as u64 == ROWS;
    let values = json!({
        "here": "records", "tables": tables, "table": table, "rows": rows, "wanted": wanted, "refused": refused, "full": full,
    });
    page(&app, &session, "records.html", values)
}

fn row(record: &Record) -> RowView {
    let text = |column: &&str| record.text(column).filter(|text| !text.trim().is_empty());
    let mut texts = NAMES.iter().filter_map(text);
    RowView {
        id: record.at.id,
        name: texts.next().unwrap_or("(no name)").to_owned(),
        more: texts.next().or_else(|| record.text("ticketnumber")).unwrap_or_default().to_owned(),
        created: record.get("createdon").filter(|value| **value != Value::Null).cloned(),
    }
}

/// A column as the page shows it.
#[derive(Serialize)]
struct ColumnView<'a> {
    name: &'a str,
    text: String,
    /// The record that a lookup leads to.
    link: Option<RecordRef>,
    is_time: bool,
}

fn column<'a>((name, value): (&'a String, &serde_json::Value)) -> ColumnView<'a> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let is_time = value.is_string() && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok();
    let link = Some(&text).filter(|_| value.is_string()).and_then(|text| text.parse().ok());
    let cut = text.floor_char_boundary(LONGEST);
    let text = if cut < text.len() { format!("{}…", &text[..cut]) } else { text };
    ColumnView { name, text, link, is_time }
}

pub(super) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path((table, id)): Path<(String, String)>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let id = input::guid(&id)?;
    let at = RecordRef::new(table_name(&table)?, id);
    let (operations, actor) = (&app.operations, &session.actor);
    let record = operations.record(actor, &at).await?;
    let deliveries = operations.deliveries(actor, id, &record.activities).await?;
    let own = if at.table == "email" { operations.delivery(actor, id).await? } else { None };
    let text = |column: &&str| record.columns.get(*column).and_then(|value| value.as_str());
    let name = NAMES.iter().find_map(text).map(str::to_owned);
    let columns: Vec<ColumnView> = record.columns.iter().map(column).collect();
    // Other tables of activities and of settings take no mail.
    let takes_mail = at.table == "email" || operations.rules().tables.contains(&at.table);
    let deliveries: BTreeMap<String, OutgoingView> =
        deliveries.into_iter().map(|(activity, mail)| (activity.to_string(), mail)).collect();
    let values = json!({
        "here": "records", "record": record, "columns": columns, "name": name, "at": at.to_string(),
        "done": opened.sentence(),
        "deliveries": deliveries,
        "own": own,
        "takes_mail": takes_mail,
        "writing_refused": operations.writing_refused(),
    });
    page(&app, &session, "record.html", values)
}

/// An attachment on a record's timeline, always as a file.
pub(super) async fn attachment(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (shown, bytes) = app.operations.attachment(&session.actor, input::guid(&id)?).await?;
    Ok(file(&shown.name, bytes))
}
