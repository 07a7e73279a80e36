//! Review: mail that waits for a person, each with the records it may belong to. Every key has its button.

use axum::extract::State;
use axum::response::Html;
use postroom_core::MailId;
use serde::Deserialize;
use serde_json::json;

use super::done_sentence;
use super::render::page;
use crate::app::App;
use crate::auth::SignedIn;
use crate::input::Query;
use crate::problem::Problem;

const PAGE: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opened {
    done: Option<String>,
    /// The mail that was decided last: its undo stands at the top.
    undo: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let read = |text: Option<String>| text.map(|text| text.parse::<MailId>()).transpose();
    let before = read(opened.cursor).map_err(|error| Problem::input(error.to_string()))?;
    let undo = read(opened.undo).map_err(|error| Problem::input(error.to_string()))?;
    let mut items = app.operations.review(&session.actor, before, PAGE as u64 + 1).await?;
    let more = items.len() > PAGE;
    items.truncate(PAGE);
    let older = items.last().filter(|_| more).map(|last| last.message.id);
    let values = json!({
        "here": "review",
        "items": items,
        "older": older,
        "later_page": before.is_some(),
        "undo": undo,
        "said": done_sentence(opened.done.as_deref()),
    });
    page(&app, &session, "review.html", values)
}
