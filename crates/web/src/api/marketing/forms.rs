//! `/api/v1/marketing/forms`: what forms ask, what was answered, and the record that each response made or found.

use axum::Json;
use axum::extract::State;
use postroom_operations::marketing::FormDetail;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::sync::OfAccount;
use crate::api::messages::limit;
use crate::api::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{Path, Query};
use crate::problem::{Problem, ProblemView};

/// The forms of all accounts, or of one.
#[utoipa::path(get, path = "/api/v1/marketing/forms", tag = "marketing_forms", params(OfAccount),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Forms), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(of): Query<OfAccount>,
) -> Result<Json<Value>, Problem> {
    let items = app.operations.forms(&actor, of.account.as_deref()).await?;
    Ok(Json(json!({ "items": items })))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Responses {
    /// Responses, newest first: 1 to 200, default 50.
    limit: Option<u64>,
}

/// A form with its questions and its newest responses.
#[utoipa::path(get, path = "/api/v1/marketing/forms/{account}/{number}", tag = "marketing_forms",
    params(("account" = String, Path), ("number" = i64, Path, description = "At the service"), Responses),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::FormDetail), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((account, number)): Path<(String, i64)>,
    Query(asked): Query<Responses>,
) -> Result<Json<FormDetail>, Problem> {
    Ok(Json(app.operations.form(&actor, &account, number, limit(asked.limit)?).await?))
}
