//! `/api/v1/marketing/accounts`

use axum::Json;
use axum::extract::State;
use postroom_operations::marketing::{AccountCheck, AccountOrder};
use serde_json::{Value, json};

use crate::api::messages::Trial;
use crate::api::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{Path, Query};
use crate::problem::{Problem, ProblemView};

/// Accounts of the marketing service with their state.
#[utoipa::path(get, path = "/api/v1/marketing/accounts", tag = "marketing_accounts",
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::MarketingAccounts), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<Value>, Problem> {
    let items = app.operations.marketing_accounts(&actor).await?;
    Ok(Json(json!({ "items": items })))
}

/// Tries an account step by step: name, TLS, sign-in, account and region, limits, time, capabilities, and the CRM's tables.
#[utoipa::path(post, path = "/api/v1/marketing/accounts/{name}/check", tag = "marketing_accounts",
    params(("name" = String, Path)), extensions(("x-permission" = json!("marketing_configure"))),
    responses((status = 200, body = schema::AccountCheck), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn check(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<AccountCheck>, Problem> {
    Ok(Json(app.operations.check_account(&actor, &name).await?))
}

/// Keeps an account's runs from beginning until it is resumed.
#[utoipa::path(post, path = "/api/v1/marketing/accounts/{name}/pause", tag = "marketing_accounts",
    params(("name" = String, Path), Trial), extensions(("x-permission" = json!("marketing_configure"))),
    responses((status = 200, body = schema::AccountOrder), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn pause(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    Query(trial): Query<Trial>,
) -> Result<Json<AccountOrder>, Problem> {
    Ok(Json(app.operations.pause_account(&actor, &name, trial.dry_run).await?))
}

/// Lets an account's runs begin again.
#[utoipa::path(post, path = "/api/v1/marketing/accounts/{name}/resume", tag = "marketing_accounts",
    params(("name" = String, Path), Trial), extensions(("x-permission" = json!("marketing_configure"))),
    responses((status = 200, body = schema::AccountOrder), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn resume(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    Query(trial): Query<Trial>,
) -> Result<Json<AccountOrder>, Problem> {
    Ok(Json(app.operations.resume_account(&actor, &name, trial.dry_run).await?))
}
