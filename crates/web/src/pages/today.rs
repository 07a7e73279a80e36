//! Today: how things stand, what needs a person, what came last.

use axum::extract::State;
use axum::response::Html;
use postroom_operations::Wanted;
use serde_json::json;

use super::render::page;
use crate::app::App;
use crate::auth::SignedIn;
use crate::problem::Problem;

/// Messages shown below.
const LAST: u64 = 10;
/// Items shown of review and shelf.
const URGENT: u64 = 5;

pub(super) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
) -> Result<Html<String>, Problem> {
    let (operations, actor) = (&app.operations, &session.actor);
    let today = operations.today(actor).await?;
    let review = Wanted { state: Some(postroom_core::MailState::Review), limit: URGENT, ..Wanted::default() };
    let review = if today.review > 0 { operations.messages(actor, review).await? } else { Vec::new() };
    let shelf = if today.shelf > 0 { operations.shelf(actor, URGENT).await? } else { Vec::new() };
    let last = operations.messages(actor, Wanted { limit: LAST, ..Wanted::default() }).await?;
    let values =
        json!({ "here": "today", "today": today, "review": review, "shelf": shelf, "messages": last });
    page(&app, &session, "today.html", values)
}
