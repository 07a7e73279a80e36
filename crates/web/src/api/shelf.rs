//! `/api/v1/shelf`: work that stopped after its tries.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use postroom_core::Code;
use postroom_operations::ShelfItem;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::messages::{Trial, limit};
use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only what failed with this code: `PR-2001`.
    code: Option<String>,
    /// The last item of the page before: `job_…`.
    after: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u64>,
}

/// What is to be tried again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// Only what failed with this code: `PR-2001`.
    code: Option<String>,
    /// Without a code, `true` says that all of it is meant.
    #[serde(default)]
    all: bool,
}

fn code(text: Option<&str>) -> Result<Option<Code>, Problem> {
    let read = |text: &str| {
        text.parse().map_err(|()| Problem::input(format!("{text:?} is no code; one looks like PR-2001")))
    };
    text.map(read).transpose()
}

/// The shelf, oldest first, with each item's reason.
#[utoipa::path(get, path = "/api/v1/shelf", tag = "shelf", params(Wanted), extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Shelf), (status = "4XX", body = ProblemView)))]
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let after = wanted.after.as_deref().map(input::id).transpose()?;
    let code = code(wanted.code.as_deref())?;
    let items = app.operations.shelf_page(&actor, code, after, limit(wanted.limit)?).await?;
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

/// Tries everything again from the beginning, or what failed with one code.
#[utoipa::path(post, path = "/api/v1/shelf/replay", tag = "shelf", params(Trial), extensions(("x-permission" = json!("decide"))),
    request_body = ReplayRequest,
    responses((status = 200, body = schema::ShelfReplayed), (status = "4XX", body = ProblemView)))]
pub(super) async fn replay_all(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(wanted): input::Json<ReplayRequest>,
) -> Result<Json<Value>, Problem> {
    let code = code(wanted.code.as_deref())?;
    if code.is_none() != wanted.all {
        return Err(Problem::input("give either a code, or all = true"));
    }
    let changed = app.operations.shelf_replay_all(&actor, code, trial.dry_run).await?;
    Ok(Json(json!({ "changed": changed, "dry_run": trial.dry_run })))
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
