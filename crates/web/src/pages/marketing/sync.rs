//! Sync: accounts and their sync types, what waits for a person, and one run with its counts and rejected rows.

use axum::extract::State;
use axum::response::{Html, Response};
use postroom_core::RunId;
use postroom_operations::marketing::{
    AccountView, Duty, RejectedWanted, RunState, RunView, RunsWanted, SyncView,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::{run_state, sync_type};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::{self, Path, Query};
use crate::pages::outgoing::action;
use crate::pages::render::page;
use crate::pages::{Opened, back, text};
use crate::problem::Problem;

/// Runs on a page.
const PAGE: usize = 50;
/// Rejected rows shown with a run.
const REJECTED: u64 = 100;

/// An account with its sync types.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    account: AccountView,
    path: String,
    types: Vec<Type>,
}

#[derive(Serialize)]
struct Type {
    #[serde(flatten)]
    sync: SyncView,
    path: String,
    /// How often it runs, in words; empty when only asked for.
    every: String,
}

fn account_path(name: &str) -> String {
    format!("/sync/accounts/{}", text::in_path(name))
}

pub(in crate::pages) async fn overview(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let actor = &session.actor;
    let accounts = app.operations.marketing_accounts(actor).await?;
    let mut types = app.operations.sync(actor, None).await?;
    let held = RunsWanted { state: Some(RunState::Held), limit: 20, ..RunsWanted::default() };
    let questions = app.operations.runs(actor, held).await?;
    let mut shown = Vec::with_capacity(accounts.len());
    for account in accounts {
        let (own, rest): (Vec<SyncView>, _) = types.into_iter().partition(|one| one.account == account.name);
        types = rest;
        let path = account_path(&account.name);
        let types = own.into_iter().map(|sync| Type {
            path: format!("/sync/accounts/{}/{}", text::in_path(&sync.account), sync.sync_type),
            every: sync.every_seconds.map(text::span).unwrap_or_default(),
            sync,
        });
        shown.push(Shown { path, types: types.collect(), account });
    }
    let values = json!({
        "here": "sync",
        "done": opened.sentence(),
        "accounts": shown,
        "questions": questions,
        "may_sync": app.operations.has_duty(actor, Duty::Sync).await?,
        "may_configure": app.operations.has_duty(actor, Duty::Configure).await?,
    });
    page(&app, &session, "sync.html", values)
}

#[derive(Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Filters {
    #[serde(default)]
    account: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    cursor: String,
}

pub(in crate::pages) async fn runs(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(filters): Query<Filters>,
) -> Result<Html<String>, Problem> {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let wanted = RunsWanted {
        account: some(&filters.account),
        sync_type: some(&filters.r#type).map(|text| sync_type(&text)).transpose()?,
        state: some(&filters.state).map(|text| run_state(&text)).transpose()?,
        before: some(&filters.cursor).map(|text| input::id::<RunId>(&text)).transpose()?,
        limit: PAGE as u64 + 1,
    };
    let mut runs = app.operations.runs(&session.actor, wanted).await?;
    let more = runs.len() > PAGE;
    runs.truncate(PAGE);
    let chip = |word: &str| json!({ "word": word, "url": url(&filters, word, None), "chosen": filters.state == word });
    let words = [""].into_iter().chain(RunState::ALL.iter().map(|state| state.as_str()));
    let values = json!({
        "here": "sync",
        "chips": words.map(chip).collect::<Vec<_>>(),
        "older": runs.last().filter(|_| more).map(|last| url(&filters, &filters.state, Some(last.id))),
        "first": (!filters.cursor.is_empty()).then(|| url(&filters, &filters.state, None)),
        "runs": runs,
        "filters": filters,
    });
    page(&app, &session, "sync_runs.html", values)
}

fn url(filters: &Filters, state: &str, cursor: Option<RunId>) -> String {
    let pair =
        |name: &str, value: &str| (!value.is_empty()).then(|| format!("{name}={}", text::in_path(value)));
    let cursor = cursor.map(|cursor| format!("cursor={cursor}"));
    let pairs =
        [pair("account", &filters.account), pair("type", &filters.r#type), pair("state", state), cursor];
    let pairs: Vec<String> = pairs.into_iter().flatten().collect();
    if pairs.is_empty() { "/sync/runs".into() } else { format!("/sync/runs?{}", pairs.join("&")) }
}

pub(in crate::pages) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let (id, actor): (RunId, _) = (input::id(&id)?, &session.actor);
    let run = app.operations.run(actor, id).await?;
    let wanted = RejectedWanted { run: Some(id), limit: REJECTED, ..RejectedWanted::default() };
    let rejected = app.operations.rejected(actor, wanted).await?;
    let values = json!({
        "here": "sync",
        "done": opened.sentence(),
        "action": action(run.code.as_deref()),
        "sentence": sentence(&run),
        "open": rejected.iter().filter(|row| row.settled.is_none()).count(),
        "rejected": rejected,
        "may_sync": app.operations.has_duty(actor, Duty::Sync).await?,
        "undo": app.operations.undo_receipt(actor, id).await?,
        "run": run,
    });
    page(&app, &session, "sync_run.html", values)
}

/// What taking a run back would do, with the button that does it.
pub(in crate::pages) async fn would_undo(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
) -> Result<Html<String>, Problem> {
    let report = app.operations.undo_run(&session.actor, input::id(&id)?, true).await?;
    page(&app, &session, "sync_undo.html", json!({ "here": "sync", "undo": report }))
}

pub(in crate::pages) async fn undo(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let id: RunId = input::id(&id)?;
    app.operations.undo_run(sent.actor(), id, false).await?;
    Ok(back(&format!("/sync/runs/{id}"), "undo-asked"))
}

fn sentence(run: &RunView) -> String {
    let reason = run.reason.clone().unwrap_or_default();
    match run.state {
        "running" => "It runs.".to_owned(),
        "done" => "Every row has its place.".to_owned(),
        "partly" => "Done, but for the rows below that one side did not take.".to_owned(),
        "held" => format!("Nothing was changed yet: {reason}."),
        _ => reason,
    }
}

pub(in crate::pages) async fn run_now(
    State(app): State<App>,
    Path((account, kind)): Path<(String, String)>,
    sent: Sent,
) -> Result<Response, Problem> {
    app.operations.sync_now(sent.actor(), &account, sync_type(&kind)?, false).await?;
    Ok(back("/sync", "asked"))
}

/// What a run would do. Both sides are read; nothing is written.
pub(in crate::pages) async fn trial(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path((account, kind)): Path<(String, String)>,
) -> Result<Html<String>, Problem> {
    let trial = app.operations.sync_trial(&session.actor, &account, sync_type(&kind)?).await?;
    let path = format!("{}/{}", account_path(&account), trial.sync_type);
    page(&app, &session, "sync_trial.html", json!({ "here": "sync", "trial": trial, "path": path }))
}

pub(in crate::pages) async fn pause(
    State(app): State<App>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let done = app.operations.pause_account(sent.actor(), &name, false).await?;
    Ok(back("/sync", if done.changed { "account-paused" } else { "as-it-was" }))
}

pub(in crate::pages) async fn resume(
    State(app): State<App>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let done = app.operations.resume_account(sent.actor(), &name, false).await?;
    Ok(back("/sync", if done.changed { "account-resumed" } else { "as-it-was" }))
}

/// Says yes to a question. The page shows it above the button.
pub(in crate::pages) async fn confirm(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let done = app.operations.confirm_run(sent.actor(), input::id(&id)?, false).await?;
    let run = done.run.map_or_else(|| "/sync".to_owned(), |run| format!("/sync/runs/{run}"));
    Ok(back(&run, "confirmed"))
}

/// Gives the rejected rows of a run another try: one, or all.
pub(in crate::pages) async fn replay(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let id: RunId = input::id(&id)?;
    let (ids, all) = match sent.field("row") {
        "" => (Vec::new(), Some(id)),
        row => (vec![input::guid(row)?], None),
    };
    let done = app.operations.replay_rejected(sent.actor(), ids, all, false).await?;
    let word = if done.changed.is_empty() { "as-it-was" } else { "put-back" };
    Ok(back(&format!("/sync/runs/{id}"), word))
}
