//! Mappings: which column goes with which data label, whether each can work, and one record live on both sides.

use axum::Extension;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use postroom_core::RecordRef;
use postroom_operations::Session;
use postroom_operations::marketing::{CHOICES, DIRECTIONS, Duty, EMPTY, MappingOrder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{accounts, said};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::Query;
use crate::pages::render::page;
use crate::pages::{back, done_sentence, text};
use crate::problem::{Problem, Said};

/// Kinds of records that are mapped.
const TABLES: [&str; 3] = ["contact", "lead", "account"];

#[derive(Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Filters {
    #[serde(default)]
    account: String,
    /// `TABLE/GUID`, or words of a record's name or address.
    #[serde(default)]
    record: String,
    #[serde(default)]
    done: Option<String>,
}

pub(in crate::pages) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(filters): Query<Filters>,
) -> Result<Html<String>, Problem> {
    shown(&app, &session, filters, json!({})).await
}

async fn shown(
    app: &App,
    session: &Session,
    mut filters: Filters,
    form: Value,
) -> Result<Html<String>, Problem> {
    let names = accounts(app, session).await?;
    if filters.account.is_empty() {
        filters.account = names.first().cloned().unwrap_or_default();
    }
    let (mappings, fault) = match names.is_empty() {
        true => (Vec::new(), None),
        false => match app.operations.mappings(&session.actor, &filters.account, false).await {
            Ok(all) => (all, None),
            Err(fault) => (Vec::new(), Some(said(fault)?)),
        },
    };
    let sample = match filters.record.trim() {
        "" => json!({}),
        wanted => sample(app, session, &filters.account, wanted).await?,
    };
    let values = json!({
        "here": "mappings",
        "done": done_sentence(filters.done.as_deref()),
        "accounts": names,
        "mappings": mappings,
        "fault": fault,
        "sample": sample,
        "form": form,
        "filters": filters,
        "tables": TABLES,
        "directions": DIRECTIONS,
        "empties": EMPTY,
        "choices": CHOICES,
        "may_configure": app.operations.has_duty(&session.actor, Duty::Configure).await?,
    });
    page(app, session, "mappings.html", values)
}

/// The record that was named, or those that the words find.
async fn sample(app: &App, session: &Session, account: &str, wanted: &str) -> Result<Value, Problem> {
    if let Ok(at) = wanted.parse::<RecordRef>() {
        return match app.operations.mapping_sample(&session.actor, account, &at).await {
            Ok(found) => Ok(json!({ "found": found })),
            Err(fault) => Ok(json!({ "refused": said(fault)? })),
        };
    }
    let mut records = app.operations.find_records(&session.actor, wanted).await?;
    records.retain(|named| TABLES.contains(&named.record.table.as_str()));
    Ok(json!({ "records": records }))
}

fn url(account: &str) -> String {
    format!("/mappings?account={}", text::in_path(account))
}

/// Maps a column. What is wrong with it is said in place, with what was typed.
pub(in crate::pages) async fn set(State(app): State<App>, sent: Sent) -> Result<Response, Problem> {
    let field = |name: &str| sent.field(name).to_owned();
    let some = |name: &str| Some(field(name)).filter(|text| !text.is_empty());
    let order = MappingOrder {
        account: field("account"),
        table: field("table"),
        label: field("label"),
        path: field("path"),
        direction: some("direction"),
        empty: some("empty"),
        choices: some("choices"),
    };
    match app.operations.set_mapping(sent.actor(), &order, false).await {
        Ok(done) => {
            let word = if done.change == "unchanged" { "as-it-was" } else { "mapped" };
            Ok(back(&url(&order.account), word))
        }
        Err(fault) => {
            let form = json!({
                "table": order.table, "label": order.label, "path": order.path, "direction": order.direction,
                "empty": order.empty, "choices": order.choices, "wrong": said(fault)?,
            });
            let filters = Filters { account: order.account, ..Filters::default() };
            let page = shown(&app, sent.session(), filters, form).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Extension(Said), page).into_response())
        }
    }
}

pub(in crate::pages) async fn remove(State(app): State<App>, sent: Sent) -> Result<Response, Problem> {
    let (account, table, label) = (sent.field("account"), sent.field("table"), sent.field("label"));
    app.operations.remove_mapping(sent.actor(), account, table, label, false).await?;
    Ok(back(&url(account), "unmapped"))
}
