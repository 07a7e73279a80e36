//! `/api/v1/marketing/lists`: marketing lists and who is on them.

use axum::Json;
use axum::extract::State;
use postroom_operations::marketing::{ListComparison, ListDetail, ListOrder, NAMED};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::sync::OfAccount;
use crate::api::messages::Trial;
use crate::api::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{Path, Query};
use crate::problem::{Problem, ProblemView};

/// The marketing lists that are activated for e-mail, with their state and the numbers of both sides.
#[utoipa::path(get, path = "/api/v1/marketing/lists", tag = "marketing_lists", params(OfAccount),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::MarketingLists), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(of): Query<OfAccount>,
) -> Result<Json<Value>, Problem> {
    let items = app.operations.marketing_lists(&actor, of.account.as_deref()).await?;
    Ok(Json(json!({ "items": items })))
}

/// One list, with the last run of its account's lists.
#[utoipa::path(get, path = "/api/v1/marketing/lists/{id}", tag = "marketing_lists",
    params(("id" = String, Path, description = "GUID in the CRM, or the list's name")),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::MarketingListDetail), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<ListDetail>, Problem> {
    Ok(Json(app.operations.marketing_list(&actor, &id).await?))
}

/// Asks for a list to be synchronised now, also one that runs only when asked.
#[utoipa::path(post, path = "/api/v1/marketing/lists/{id}/sync", tag = "marketing_lists",
    params(("id" = String, Path, description = "GUID in the CRM, or the list's name"), Trial),
    extensions(("x-permission" = json!("marketing_sync"))),
    responses((status = 200, body = schema::ListOrder), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn sync(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(trial): Query<Trial>,
) -> Result<Json<ListOrder>, Problem> {
    Ok(Json(app.operations.sync_list(&actor, &id, trial.dry_run).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Comparing {
    /// The most people of each kind to name; default 100.
    people: Option<u64>,
}

/// Says who would join and leave a list on either side. Both are read, neither is written.
#[utoipa::path(post, path = "/api/v1/marketing/lists/{id}/compare", tag = "marketing_lists",
    params(("id" = String, Path, description = "GUID in the CRM, or the list's name"), Comparing),
    extensions(("x-permission" = json!("marketing_sync"))),
    responses((status = 200, body = schema::ListComparison), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn compare(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(asked): Query<Comparing>,
) -> Result<Json<ListComparison>, Problem> {
    Ok(Json(app.operations.compare_list(&actor, &id, asked.people.unwrap_or(NAMED)).await?))
}
