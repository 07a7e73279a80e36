//! Mail out: the list by state, and one mail with its recipients, its way, and what a person may do about it.

use axum::extract::State;
use axum::response::{Html, Response};
use postroom_core::{Code, MailId, MailState, code};
use postroom_operations::OutgoingWanted;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::render::page;
use super::{Opened, back, list_url};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::{self, Path, Query};
use crate::problem::Problem;

const PAGE: usize = 50;
const STATES: [MailState; 8] = [
    MailState::Queued,
    MailState::Held,
    MailState::Sending,
    MailState::Unknown,
    MailState::Sent,
    MailState::Bounced,
    MailState::Failed,
    MailState::Suppressed,
];

#[derive(Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Filters {
    #[serde(default)]
    state: String,
    /// The last mail of the page before.
    #[serde(default)]
    cursor: String,
}

#[derive(Serialize)]
struct Chip {
    word: &'static str,
    url: String,
    chosen: bool,
}

pub(super) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(filters): Query<Filters>,
) -> Result<Html<String>, Problem> {
    let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let state = some(&filters.state).map(|state| state.parse::<MailState>()).transpose();
    let before = some(&filters.cursor).map(|cursor| cursor.parse::<MailId>()).transpose();
    let wanted = OutgoingWanted {
        state: state.map_err(|error| Problem::input(error.to_string()))?,
        before: before.map_err(|error| Problem::input(error.to_string()))?,
        limit: PAGE as u64 + 1,
        ..OutgoingWanted::default()
    };
    let mut mails = app.operations.outgoing(&session.actor, wanted).await?;
    let more = mails.len() > PAGE;
    mails.truncate(PAGE);
    let older = mails
        .last()
        .filter(|_| more)
        .map(|last| list_url("/outgoing", &filters.state, Some(last.id.to_string())));
    let values = json!({
        "here": "outgoing",
        "mails": mails,
        "chips": chips(&filters.state),
        "state": filters.state,
        "older": older,
        "first": (!filters.cursor.is_empty()).then(|| list_url("/outgoing", &filters.state, None)),
    });
    page(&app, &session, "outgoing.html", values)
}

fn chips(chosen: &str) -> Vec<Chip> {
    let words = [""].into_iter().chain(STATES.iter().map(|state| state.as_str()));
    words.map(|word| Chip { word, url: list_url("/outgoing", word, None), chosen: chosen == word }).collect()
}

pub(super) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let (id, actor): (MailId, _) = (input::id(&id)?, &session.actor);
    let mail = app.operations.outgoing_mail(actor, id).await?;
    let hops = app.operations.outgoing_hops(actor, &mail).await?;
    let taken = mail
        .recipients
        .iter()
        .filter(|one| matches!(one.state, "accepted" | "delayed" | "bounced" | "delivered" | "read"));
    let can = |states: &[MailState]| states.contains(&mail.state);
    let values = json!({
        "here": "outgoing",
        "done": opened.sentence(),
        "hops": hops,
        "action": action(mail.code.as_deref()),
        "taken": taken.count(),
        // Message rows are made when a mail is rendered.
        "has_message": mail.message_id.is_some(),
        "can_hold": can(&[MailState::Queued, MailState::Unknown]),
        "can_release": can(&[MailState::Held, MailState::Unknown, MailState::Queued]),
        "can_fail": can(&[MailState::Queued, MailState::Held, MailState::Unknown]) && mail.hold != Some("foreign"),
        "mail": mail,
    });
    page(&app, &session, "outgoing_mail.html", values)
}

/// What to do about a documented error.
pub(super) fn action(text: Option<&str>) -> Option<&'static str> {
    let code: Code = text?.parse().ok()?;
    code::entry(code).map(|entry| entry.action)
}

fn done(id: MailId, word: &'static str) -> Response {
    back(&format!("/outgoing/{id}"), word)
}

pub(super) async fn hold(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let id = input::id(&id)?;
    app.operations.hold_outgoing(sent.actor(), id, false).await?;
    Ok(done(id, "held"))
}

pub(super) async fn release(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let id = input::id(&id)?;
    app.operations.release_outgoing(sent.actor(), id, false).await?;
    Ok(done(id, "released"))
}

/// Gives a mail up. The form says so twice: what it means stands above the button that does it.
pub(super) async fn fail(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let id = input::id(&id)?;
    if sent.field("confirm") != "fail" {
        return Err(Problem::input("confirm that the mail is to be given up"));
    }
    app.operations.fail_outgoing(sent.actor(), id, false).await?;
    Ok(done(id, "failed"))
}
