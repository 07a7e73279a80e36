//! Single sends: where each stands, and what to say of one whose answer was lost.

use axum::extract::State;
use axum::response::{Html, Response};
use postroom_operations::marketing::{Duty, SINGLE_STATES, SinglesWanted};
use serde_json::json;

use super::sends::Filters;
use crate::api::{single_answer, single_state};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::{self, Path, Query};
use crate::pages::render::page;
use crate::pages::{Opened, back, done_sentence, list_url};
use crate::problem::Problem;

/// Single sends on a page.
const PAGE: usize = 50;

pub(in crate::pages) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(filters): Query<Filters>,
) -> Result<Html<String>, Problem> {
    let after = Some(filters.cursor.as_str()).filter(|cursor| !cursor.is_empty());
    let wanted = SinglesWanted {
        state: single_state(Some(&filters.state))?,
        after: after.map(input::guid).transpose()?,
        limit: PAGE as u64 + 1,
        ..SinglesWanted::default()
    };
    let mut singles = app.operations.singles(&session.actor, wanted).await?;
    let more = singles.len() > PAGE;
    singles.truncate(PAGE);
    let chip = |word: &str| json!({ "word": word, "url": list_url("/sends/single", word, None), "chosen": filters.state == word });
    let words = [""].into_iter().chain(SINGLE_STATES);
    let values = json!({
        "here": "campaigns",
        "done": done_sentence(filters.done.as_deref()),
        "chips": words.map(chip).collect::<Vec<_>>(),
        "older": singles.last().filter(|_| more).map(|last| list_url("/sends/single", &filters.state, Some(last.id.to_string()))),
        "first": (!filters.cursor.is_empty()).then(|| list_url("/sends/single", &filters.state, None)),
        "state": filters.state,
        "singles": singles,
    });
    page(&app, &session, "singles.html", values)
}

pub(in crate::pages) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let single = app.operations.single(&session.actor, input::guid(&id)?).await?;
    let duty = if single.kind == "marketing" { Duty::SendSingle } else { Duty::Send };
    let values = json!({
        "here": "campaigns",
        "done": opened.sentence(),
        "may": app.operations.has_duty(&session.actor, duty).await?,
        "single": single,
    });
    page(&app, &session, "single.html", values)
}

/// Says what became of one whose answer was lost.
pub(in crate::pages) async fn decide(
    State(app): State<App>,
    Path((id, answer)): Path<(String, String)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let (id, answer) = (input::guid(&id)?, single_answer(&answer)?);
    app.operations.decide_single(sent.actor(), id, answer, false).await?;
    Ok(back(&format!("/sends/single/{id}"), "single-decided"))
}
