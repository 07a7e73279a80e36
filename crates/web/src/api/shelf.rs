//! `/api/v1/shelf`: work that stopped after its tries.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use postroom_operations::ShelfItem;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::messages::limit;
use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Length {
    /// 1 to 200, default 50.
    limit: Option<u64>,
}

/// The shelf, with each item's reason.
#[utoipa::path(get, path = "/api/v1/shelf", tag = "shelf", params(Length), extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Shelf), (status = "4XX", body = ProblemView)))]
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(length): Query<Length>,
) -> Result<Json<Value>, Problem> {
    let items = app.operations.shelf(&actor, limit(length.limit)?).await?;
    Ok(Json(json!({ "items": items })))
}

/// One item with the history of its tries.
#[utoipa::path(get, path = "/api/v1/shelf/{id}", tag = "shelf", params(("id" = String, Path, description = "`job_…`")),
    extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::ShelfItem), (status = "4XX", body = ProblemView)))]
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<ShelfItem>, Problem> {
    Ok(Json(app.operations.shelf_item(&actor, input::id(&id)?).await?))
}

/// Tries an item again from the beginning.
#[utoipa::path(post, path = "/api/v1/shelf/{id}/replay", tag = "shelf", params(("id" = String, Path, description = "`job_…`")),
    extensions(("x-permission" = json!("decide"))),
    responses((status = 202, description = "It will be tried again"), (status = "4XX", body = ProblemView)))]
pub(super) async fn replay(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.operations.shelf_replay(&actor, input::id(&id)?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Gives an item up. The mail itself stays.
#[utoipa::path(delete, path = "/api/v1/shelf/{id}", tag = "shelf", params(("id" = String, Path, description = "`job_…`")),
    extensions(("x-permission" = json!("decide"))),
    responses((status = 204, description = "It is gone"), (status = "4XX", body = ProblemView)))]
pub(super) async fn give_up(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.operations.shelf_drop(&actor, input::id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
