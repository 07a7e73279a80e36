//! Marketing lists: how each stands on both sides, and one list with who would join and leave.

use axum::extract::State;
use axum::response::{Html, Response};
use postroom_operations::marketing::{Duty, NAMED};
use serde::Deserialize;
use serde_json::{Value, json};

use super::said;
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::{Path, Query};
use crate::pages::render::page;
use crate::pages::{back, done_sentence, text};
use crate::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Opened {
    /// `yes` compares both sides.
    #[serde(default)]
    compare: String,
    done: Option<String>,
}

pub(in crate::pages) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let (lists, fault) = match app.operations.marketing_lists(&session.actor, None).await {
        Ok(lists) => (lists, None),
        Err(fault) => (Vec::new(), Some(said(fault)?)),
    };
    let values = json!({
        "here": "lists",
        "done": done_sentence(opened.done.as_deref()),
        "lists": lists,
        "fault": fault,
    });
    page(&app, &session, "lists.html", values)
}

pub(in crate::pages) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let actor = &session.actor;
    let detail = app.operations.marketing_list(actor, &id).await?;
    let compared: Value = match opened.compare.as_str() {
        "yes" => match app.operations.compare_list(actor, &detail.list.id.to_string(), NAMED).await {
            Ok(found) => json!({ "found": found }),
            Err(fault) => json!({ "refused": said(fault)? }),
        },
        _ => json!({}),
    };
    let values = json!({
        "here": "lists",
        "done": done_sentence(opened.done.as_deref()),
        "list": detail.list,
        "last_run": detail.last_run,
        "compared": compared,
        "may_sync": app.operations.has_duty(actor, Duty::Sync).await?,
    });
    page(&app, &session, "list.html", values)
}

pub(in crate::pages) async fn sync(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    app.operations.sync_list(sent.actor(), &id, false).await?;
    Ok(back(&format!("/lists/{}", text::in_path(&id)), "asked"))
}
