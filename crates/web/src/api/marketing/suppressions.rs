//! `/api/v1/marketing/suppressions`: who gets no marketing mail. Addresses stand in queries and bodies, never in paths.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::header;
use jiff::Timestamp;
use postroom_operations::marketing::{
    Asking, Checked, ExportForm, LiftReport, Lifting, SuppressReport, SuppressionsWanted,
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::api::messages::{Trial, limit};
use crate::api::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::download;
use crate::input::{self, Query};
use crate::problem::{Problem, ProblemView};

/// Bytes of a file of opt-outs.
pub(in crate::api) const IMPORT: usize = 64 << 20;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// A part of the address.
    #[serde(default)]
    q: String,
    /// Only this account.
    account: Option<String>,
    /// Also those that were lifted.
    #[serde(default)]
    all: bool,
    /// 1 to 200, default 50.
    limit: Option<u64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// What parts an address from its account in a cursor; neither can hold it.
const JOINT: char = '\n';

/// Where a page begins, as it was given.
pub(crate) fn after(cursor: Option<&str>) -> Result<Option<(String, String)>, Problem> {
    let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
    let parts = cursor.split_once(JOINT).map(|(address, account)| (address.to_owned(), account.to_owned()));
    parts.map(Some).ok_or_else(|| Problem::input("cursor: use the value of next as it was given"))
}

/// The cursor behind a row.
pub(crate) fn cursor(address: &str, account: &str) -> String {
    format!("{address}{JOINT}{account}")
}

/// Suppressed addresses.
#[utoipa::path(get, path = "/api/v1/marketing/suppressions", tag = "marketing_suppressions", params(Listing),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Suppressions), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(listing): Query<Listing>,
) -> Result<Json<Value>, Problem> {
    let page = limit(listing.limit)?;
    let wanted = SuppressionsWanted {
        part: listing.q,
        account: listing.account,
        active: (!listing.all).then_some(true),
        after: after(listing.cursor.as_deref())?,
        limit: page + 1,
    };
    let mut items = app.operations.suppressions(&actor, wanted).await?;
    let more = items.len() > page as usize;
    items.truncate(page as usize);
    let next = items.last().filter(|_| more).map(|last| cursor(&last.address, &last.account));
    Ok(Json(json!({ "items": items, "next": next })))
}

/// Whom it is about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppress {
    address: String,
    /// Left out, every account.
    account: Option<String>,
    /// The service's word; left out, `Unsubscribed`.
    reason: Option<String>,
}

/// Holds marketing mail to an address back, on both sides. What is suppressed already stays as it is.
#[utoipa::path(post, path = "/api/v1/marketing/suppressions", tag = "marketing_suppressions", params(Trial),
    extensions(("x-permission" = json!("marketing_suppress"))),
    responses((status = 200, body = schema::SuppressReport), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(body): input::Json<Suppress>,
) -> Result<Json<SuppressReport>, Problem> {
    let asking = Asking { address: body.address, account: body.account, reason: body.reason };
    Ok(Json(app.operations.suppress(&actor, &asking, trial.dry_run).await?))
}

/// Who wants mail again, and what shows it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    address: String,
    /// Left out, every account.
    account: Option<String>,
    /// A page, a document, a ticket.
    proof: String,
    /// When the person said so, RFC 3339. An opt-out that is as new or newer stands.
    at: String,
}

/// Lifts a suppression, with proof that the person wants mail again. The next exchange takes back what it marked in the CRM; the answer names what holds mail back until then.
#[utoipa::path(post, path = "/api/v1/marketing/suppressions/lift", tag = "marketing_suppressions", params(Trial),
    extensions(("x-permission" = json!("marketing_suppress"))),
    responses((status = 200, body = schema::LiftReport), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn lift(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(body): input::Json<Lift>,
) -> Result<Json<LiftReport>, Problem> {
    let at = body.at.parse::<Timestamp>();
    let at = at.map_err(|_| Problem::at("/at", "at is a time such as 2026-01-31T00:00:00Z"))?;
    let lifting = Lifting { address: body.address, account: body.account, proof: body.proof, at };
    Ok(Json(app.operations.lift_suppression(&actor, &lifting, trial.dry_run).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Check {
    address: String,
    /// Left out, every account.
    account: Option<String>,
}

/// Says whether mail to an address is held back, why, and what was said about it.
#[utoipa::path(get, path = "/api/v1/marketing/suppressions/check", tag = "marketing_suppressions", params(Check),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::SuppressionCheck), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn check(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Check>,
) -> Result<Json<Checked>, Problem> {
    Ok(Json(app.operations.check_suppression(&actor, &asked.address, asked.account.as_deref()).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Import {
    /// Left out, every account.
    account: Option<String>,
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
}

/// Takes a list of opt-outs: CSV whose head names a column `address` or `email`, perhaps `reason` and `date`.
#[utoipa::path(post, path = "/api/v1/marketing/suppressions/import", tag = "marketing_suppressions", params(Import),
    request_body(content = String, content_type = "text/csv"), extensions(("x-permission" = json!("marketing_suppress"))),
    responses((status = 200, body = schema::SuppressReport), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn import(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(order): Query<Import>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SuppressReport>, Problem> {
    let text = input::text(body, IMPORT)?;
    let (account, dry_run) = (order.account.as_deref(), order.dry_run);
    Ok(Json(
        app.operations.import_suppressions(&actor, text.as_bytes(), "by the API", account, dry_run).await?,
    ))
}

/// Rows read at once for an export.
const ROWS: u64 = 1000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Export {
    /// Left out, every account.
    account: Option<String>,
    /// `csv` (default) or `jsonl`.
    format: Option<String>,
    /// Also those that were lifted.
    #[serde(default)]
    all: bool,
}

/// All suppressed addresses as one file, which an import reads. A transfer that breaks off is not whole: ask again.
#[utoipa::path(get, path = "/api/v1/marketing/suppressions/export", tag = "marketing_suppressions", params(Export),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = String, content_type = "text/csv"), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn export(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Export>,
) -> Result<Response, Problem> {
    let form: ExportForm = asked.format.as_deref().unwrap_or("csv").parse()?;
    let active = (!asked.all).then_some(true);
    let mut wanted =
        SuppressionsWanted { account: asked.account, active, limit: ROWS, ..SuppressionsWanted::default() };
    // Read before the answer begins: a refusal has a status of its own.
    let first = app.operations.export_suppressions(&actor, wanted.clone(), form).await?;
    let (pages, body) = download::pages();
    tokio::spawn(async move {
        let mut page = Ok(first);
        let mut text = form.head();
        while let Ok(Some((lines, last))) = page {
            text.push_str(&lines);
            // Whoever asked has gone away.
            if pages.send(Ok(std::mem::take(&mut text).into())).await.is_err() {
                return;
            }
            wanted.after = Some(last);
            page = app.operations.export_suppressions(&actor, wanted.clone(), form).await;
        }
        let end = page.map(|_| text.into());
        drop(pages.send(end).await);
    });
    let (kind, name) = match form {
        ExportForm::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"suppressions.csv\""),
        ExportForm::Jsonl => ("application/x-ndjson", "attachment; filename=\"suppressions.jsonl\""),
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::new(body)).into_response())
}
