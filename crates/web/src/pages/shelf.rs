//! The shelf: what stopped after its tries, why, and the two ways on.

use axum::extract::State;
use axum::response::{Html, Response};
use serde_json::json;

use super::render::page;
use super::{Opened, back};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::{self, Path, Query};
use crate::problem::Problem;

const ITEMS: u64 = 100;

pub(super) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let items = app.operations.shelf(&session.actor, ITEMS).await?;
    let done = opened.sentence();
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
