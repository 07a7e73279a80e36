//! Sends: where each stands, what holds it, and the orders that the viewer may give.

use axum::extract::State;
use axum::response::{Html, Response};
use postroom_operations::marketing::{Duty, SEND_STATES, SendsWanted};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::{send_order, send_state};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::{self, Path, Query};
use crate::pages::render::page;
use crate::pages::{Opened, back, done_sentence, list_url};
use crate::problem::Problem;

/// Sends on a page.
const PAGE: usize = 50;

#[derive(Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Filters {
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) cursor: String,
    #[serde(default)]
    pub(super) done: Option<String>,
}

pub(in crate::pages) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(filters): Query<Filters>,
) -> Result<Html<String>, Problem> {
    let after = Some(filters.cursor.as_str()).filter(|cursor| !cursor.is_empty());
    let wanted = SendsWanted {
        state: send_state(Some(&filters.state))?,
        after: after.map(input::guid).transpose()?,
        limit: PAGE as u64 + 1,
        ..SendsWanted::default()
    };
    let mut sends = app.operations.sends(&session.actor, wanted).await?;
    let more = sends.len() > PAGE;
    sends.truncate(PAGE);
    let chip = |word: &str| json!({ "word": word, "url": list_url("/sends", word, None), "chosen": filters.state == word });
    let words = [""].into_iter().chain(SEND_STATES);
    let values = json!({
        "here": "campaigns",
        "done": done_sentence(filters.done.as_deref()),
        "chips": words.map(chip).collect::<Vec<_>>(),
        "older": sends.last().filter(|_| more).map(|last| list_url("/sends", &filters.state, Some(last.id.to_string()))),
        "first": (!filters.cursor.is_empty()).then(|| list_url("/sends", &filters.state, None)),
        "state": filters.state,
        "sends": sends,
    });
    page(&app, &session, "sends.html", values)
}

pub(in crate::pages) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let send = app.operations.send(&session.actor, input::guid(&id)?).await?;
    let values = json!({
        "here": "campaigns",
        "done": opened.sentence(),
        "send": send,
        "may_send": app.operations.has_duty(&session.actor, Duty::Send).await?,
    });
    page(&app, &session, "send.html", values)
}

/// Orders something of a send, by the word in the path.
pub(in crate::pages) async fn order(
    State(app): State<App>,
    Path((id, order)): Path<(String, String)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let expected = Some(sent.field("expected")).filter(|text| !text.is_empty());
    let expected = expected.map(str::parse::<u64>).transpose();
    let expected = expected.map_err(|_| Problem::input("type the number of people that is right"))?;
    let (id, kind) = (input::guid(&id)?, send_order(&order, expected)?);
    app.operations.order_send(sent.actor(), id, kind, false).await?;
    Ok(back(&format!("/sends/{id}"), "send-ordered"))
}
