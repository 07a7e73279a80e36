//! `/api/v1/marketing/sync`, `/runs` and `/rejected`

use axum::Json;
use axum::extract::State;
use postroom_core::RunId;
use postroom_operations::marketing::{
    DryRun, RejectedWanted, Replayed, RunState, RunView, RunsWanted, SyncOrder, SyncType, UndoReport,
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::messages::{Trial, limit};
use crate::api::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfAccount {
    /// Only this account.
    pub(super) account: Option<String>,
}

/// Each sync type of each account: last run, next run, state.
#[utoipa::path(get, path = "/api/v1/marketing/sync", tag = "marketing_sync", params(OfAccount),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::SyncTypes), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(of): Query<OfAccount>,
) -> Result<Json<Value>, Problem> {
    let items = app.operations.sync(&actor, of.account.as_deref()).await?;
    Ok(Json(json!({ "items": items })))
}

/// A sync type in a path: what is none names nothing.
pub(crate) fn sync_type(text: &str) -> Result<SyncType, Problem> {
    input::id(text)
}

/// Makes a sync type due now. With `dry_run` it only says whether that may be asked for.
#[utoipa::path(post, path = "/api/v1/marketing/sync/{account}/{type}/run", tag = "marketing_sync",
    params(("account" = String, Path), ("type" = String, Path, description = "A sync type: `suppressions`, `contacts`, …"), Trial),
    extensions(("x-permission" = json!("marketing_sync"))),
    responses((status = 200, body = schema::SyncOrder), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((account, kind)): Path<(String, String)>,
    Query(trial): Query<Trial>,
) -> Result<Json<SyncOrder>, Problem> {
    Ok(Json(app.operations.sync_now(&actor, &account, sync_type(&kind)?, trial.dry_run).await?))
}

/// Says what a run would do, and the question that it would ask. Both sides are read, nothing is written.
#[utoipa::path(post, path = "/api/v1/marketing/sync/{account}/{type}/dry-run", tag = "marketing_sync",
    params(("account" = String, Path), ("type" = String, Path, description = "A sync type: `suppressions`, `contacts`, …")),
    extensions(("x-permission" = json!("marketing_sync"))),
    responses((status = 200, body = schema::SyncDryRun), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn dry_run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((account, kind)): Path<(String, String)>,
) -> Result<Json<DryRun>, Problem> {
    Ok(Json(app.operations.sync_trial(&actor, &account, sync_type(&kind)?).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunListing {
    /// Only this account.
    account: Option<String>,
    /// Only this sync type.
    r#type: Option<String>,
    /// `running`, `done`, `partly`, `failed`, `held`.
    state: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A state of runs by its word.
pub(crate) fn run_state(text: &str) -> Result<RunState, Problem> {
    let found = RunState::ALL.into_iter().find(|state| state.as_str() == text);
    found.ok_or_else(|| Problem::input("state: use running, done, partly, failed or held"))
}

fn wanted_type(text: Option<&str>) -> Result<Option<SyncType>, Problem> {
    let read = text.map(str::parse::<SyncType>).transpose();
    read.map_err(|error| Problem::input(format!("type: {error}")))
}

/// Runs, newest first, with their counts.
#[utoipa::path(get, path = "/api/v1/marketing/runs", tag = "marketing_sync", params(RunListing),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Runs), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn runs(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(listing): Query<RunListing>,
) -> Result<Json<Value>, Problem> {
    let page = limit(listing.limit)?;
    let before = listing.cursor.map(|cursor| cursor.parse::<RunId>()).transpose();
    let wanted = RunsWanted {
        account: listing.account,
        sync_type: wanted_type(listing.r#type.as_deref())?,
        state: listing.state.as_deref().map(run_state).transpose()?,
        before: before.map_err(|_| Problem::input("cursor: use the value of next as it was given"))?,
        limit: page + 1,
    };
    let mut items = app.operations.runs(&actor, wanted).await?;
    let more = items.len() > page as usize;
    items.truncate(page as usize);
    let next = items.last().filter(|_| more).map(|last| last.id);
    Ok(Json(json!({ "items": items, "next": next })))
}

/// One run.
#[utoipa::path(get, path = "/api/v1/marketing/runs/{id}", tag = "marketing_sync",
    params(("id" = String, Path, description = "`run_…`")), extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Run), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<RunView>, Problem> {
    Ok(Json(app.operations.run(&actor, input::id(&id)?).await?))
}

/// Says yes to what a held run asks: it begins anew and does not ask again.
#[utoipa::path(post, path = "/api/v1/marketing/runs/{id}/confirm", tag = "marketing_sync",
    params(("id" = String, Path, description = "`run_…`"), Trial), extensions(("x-permission" = json!("marketing_sync"))),
    responses((status = 200, body = schema::SyncOrder), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn confirm(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(trial): Query<Trial>,
) -> Result<Json<SyncOrder>, Problem> {
    Ok(Json(app.operations.confirm_run(&actor, input::id(&id)?, trial.dry_run).await?))
}

/// What the last undo of a run came to, and how much of the run is kept for one.
#[utoipa::path(get, path = "/api/v1/marketing/runs/{id}/undo", tag = "marketing_sync",
    params(("id" = String, Path, description = "`run_…`")), extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Undo), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn receipt(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<UndoReport>, Problem> {
    Ok(Json(app.operations.undo_receipt(&actor, input::id(&id)?).await?))
}

/// Takes back what a run wrote on the CRM's records, where it still is what the run wrote. It is done by a run of its own. With
/// `dry_run` the CRM is read, and the answer says what would go back and what would stay.
#[utoipa::path(post, path = "/api/v1/marketing/runs/{id}/undo", tag = "marketing_sync",
    params(("id" = String, Path, description = "`run_…`"), Trial), extensions(("x-permission" = json!("marketing_sync"))),
    responses((status = 200, body = schema::Undo), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn undo(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(trial): Query<Trial>,
) -> Result<Json<UndoReport>, Problem> {
    Ok(Json(app.operations.undo_run(&actor, input::id(&id)?, trial.dry_run).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RejectedListing {
    /// Only this account.
    account: Option<String>,
    /// Only this sync type.
    r#type: Option<String>,
    /// Only those of this run.
    run: Option<String>,
    /// Also those that are settled.
    #[serde(default)]
    all: bool,
    /// 1 to 200, default 50.
    limit: Option<u64>,
    /// `next` of the page before.
    cursor: Option<Uuid>,
}

/// Rows that one side did not take, newest first, with both payloads.
#[utoipa::path(get, path = "/api/v1/marketing/rejected", tag = "marketing_sync", params(RejectedListing),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::RejectedRows), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn rejected(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(listing): Query<RejectedListing>,
) -> Result<Json<Value>, Problem> {
    let page = limit(listing.limit)?;
    let run = listing.run.map(|run| run.parse::<RunId>()).transpose();
    let wanted = RejectedWanted {
        account: listing.account,
        sync_type: wanted_type(listing.r#type.as_deref())?,
        run: run.map_err(|error| Problem::input(format!("run: {error}")))?,
        open: !listing.all,
        before: listing.cursor,
        limit: page + 1,
        ..RejectedWanted::default()
    };
    let mut items = app.operations.rejected(&actor, wanted).await?;
    let more = items.len() > page as usize;
    items.truncate(page as usize);
    let next = items.last().filter(|_| more).map(|last| last.id);
    Ok(Json(json!({ "items": items, "next": next })))
}

/// Which rejected rows get another try.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// These.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    ids: Vec<Uuid>,
    /// All of this run that nobody settled: `run_…`.
    run: Option<String>,
}

/// Gives rejected rows another try.
#[utoipa::path(post, path = "/api/v1/marketing/rejected/replay", tag = "marketing_sync", params(Trial),
    extensions(("x-permission" = json!("marketing_sync"))),
    responses((status = 200, body = schema::Replayed), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn replay(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(replay): input::Json<Replay>,
) -> Result<Json<Replayed>, Problem> {
    let run = replay.run.map(|run| run.parse::<RunId>()).transpose();
    let run = run.map_err(|error| Problem::at("/run", error.to_string()))?;
    Ok(Json(app.operations.replay_rejected(&actor, replay.ids, run, trial.dry_run).await?))
}
