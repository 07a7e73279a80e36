//! How things stand: today's counts, the books, the audit trail.

use axum::Json;
use axum::extract::State;
use postroom_operations::{Books, Today};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::messages::{Trial, limit};
use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::Query;
use crate::problem::{Problem, ProblemView};

/// The first page in numbers.
#[utoipa::path(get, path = "/api/v1/today", tag = "status", extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Today), (status = "4XX", body = ProblemView)))]
pub(super) async fn today(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Today>, Problem> {
    Ok(Json(app.operations.today(&actor).await?))
}

/// Goes through every message and its activity. Writes nothing.
#[utoipa::path(post, path = "/api/v1/verify", tag = "status", extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Books), (status = "4XX", body = ProblemView)))]
pub(super) async fn verify(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Books>, Problem> {
    Ok(Json(app.operations.verify(&actor).await?))
}

/// After a restore: shows the books, and ends safe mode unless it is only a trial.
#[utoipa::path(post, path = "/api/v1/reconcile", tag = "status", params(Trial),
    extensions(("x-permission" = json!("administer"))),
    responses((status = 200, body = schema::Reconciled), (status = "4XX", body = ProblemView)))]
pub(super) async fn reconcile(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
) -> Result<Json<Value>, Problem> {
    if trial.dry_run {
        app.operations.may_reconcile(&actor)?;
    }
    let books = app.operations.verify(&actor).await?;
    if !trial.dry_run {
        app.operations.confirm_reconciliation(&actor).await?;
    }
    let safe_mode = app.operations.safe_mode().await?;
    Ok(Json(json!({ "safe_mode": safe_mode, "books": books, "dry_run": trial.dry_run })))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct About {
    /// An id, such as `msg_…`.
    object: String,
    /// 1 to 200, default 50.
    limit: Option<u64>,
}

/// What was done to an object, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "status", params(About), extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Audit), (status = "4XX", body = ProblemView)))]
pub(super) async fn audit(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(about): Query<About>,
) -> Result<Json<Value>, Problem> {
    let items = app.operations.audit_of(&actor, &about.object, limit(about.limit)?).await?;
    Ok(Json(json!({ "items": items })))
}
