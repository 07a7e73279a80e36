//! The shelf: what stopped after its tries, why, and the two ways on.

use axum::extract::State;
use axum::response::{Html, Response};
use serde::Deserialize;
use serde_json::json;

use super::render::page;
use super::{back, done_sentence};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::{self, Path, Query};
use crate::problem::Problem;

const ITEMS: u64 = 100;

#[derive(Deserialize)]
pub(super) struct Opened {
    done: Option<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let items = app.operations.shelf(&session.actor, ITEMS).await?;
    let done = done_sentence(opened.done.as_deref());
    page(&app, &session, "shelf.html", json!({ "here": "shelf", "items": items, "done": done }))
}

pub(super) async fn replay(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    app.operations.shelf_replay(sent.actor(), input::id(&id)?).await?;
    Ok(back("/shelf", "tried"))
}

pub(super) async fn give_up(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    app.operations.shelf_drop(sent.actor(), input::id(&id)?).await?;
    Ok(back("/shelf", "given-up"))
}
