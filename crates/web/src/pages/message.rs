//! Follow one mail: why it is where it is, every stop on its way, its evidence, its content.

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::header::CONTENT_SECURITY_POLICY;
use postroom_core::{MailId, Method, RecordRef};
use postroom_operations::{Actor, Bulk, Detail, Hop, MailView, OutgoingView};
use serde::Deserialize;
use serde_json::json;

use super::render::page;
use super::{Opened, back};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::download::file;
use crate::input::{self, Path, Query};
use crate::problem::Problem;
use crate::security::MAIL_POLICY;

/// Characters of a text body shown on the page; the rest is in the raw mail.
const TEXT: usize = 200_000;
/// Bytes of a raw mail shown as text.
const RAW: usize = 512 * 1024;

pub(super) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let id: MailId = input::id(&id)?;
    let actor = &session.actor;
    let detail = app.operations.message(actor, id).await?;
    let outgoing = app.operations.outgoing_of(actor, id).await?;
    let hops = hops(&app, actor, &detail, outgoing.as_ref()).await?;
    let may_open = app.operations.may_open(actor, &detail);
    let content = match may_open {
        true => Some(app.operations.message_view(actor, id, None).await?),
        false => None,
    };
    let opening = content.as_ref().map(|(_, opening)| opening.to_string());
    let content = content.map(|(content, _)| content);
    let values = json!({
        "here": "messages",
        "done": opened.sentence(),
        "winner": winner(&detail),
        "text_cut": content.as_ref().is_some_and(|content| content.text.len() > TEXT),
        "text": content.as_ref().map(|content| content.text[..content.text.floor_char_boundary(TEXT)].trim_end()),
        "has_html": content.as_ref().is_some_and(|content| content.html.is_some()),
        "parties": content.as_ref().map(parties),
        "attachments": content.map(|content| content.attachments),
        "opening": opening,
        "hops": hops,
        "can_undo": can_undo(&detail),
        "may_open": may_open,
        "outgoing": outgoing,
        "message": detail,
    });
    page(&app, &session, "message.html", values)
}

/// Every stop, of mail out too; a change that both ways remember stands once.
async fn hops(
    app: &App,
    actor: &Actor,
    detail: &Detail,
    outgoing: Option<&OutgoingView>,
) -> Result<Vec<Hop>, Problem> {
    let mut hops = app.operations.hops(actor, detail).await?;
    if let Some(mail) = outgoing {
        hops.retain(|hop| hop.what != "changed" || !hop.text.starts_with("outgoing."));
        hops.extend(app.operations.outgoing_hops(actor, mail).await?);
        hops.sort_by_key(|hop| hop.at);
    }
    Ok(hops)
}

/// Whether a person spoke last, after something else had been decided.
fn can_undo(detail: &Detail) -> bool {
    let by_person = detail.decision.as_ref().is_some_and(|decision| decision.method == Method::Person);
    by_person && detail.decisions.len() > 1
}

/// The place of the signal that won: the first, when a signal decided at all.
fn winner(detail: &Detail) -> Option<usize> {
    let decision = detail.decision.as_ref()?;
    let wins = |signal: &postroom_core::Signal| {
        signal.record.is_some() && signal.record == decision.record && signal.kind.method() == decision.method
    };
    decision.signals.iter().position(wins)
}

/// The fields that name people.
fn parties(content: &MailView) -> Vec<(String, String)> {
    let names = ["from", "sender", "reply-to", "to", "cc", "bcc", "date"];
    let wanted =
        content.headers.iter().filter(|(name, _)| names.contains(&name.to_ascii_lowercase().as_str()));
    wanted.take(20).cloned().collect()
}

#[derive(Deserialize)]
pub(super) struct Within {
    /// The opening of the page that the frame is part of.
    opening: Option<String>,
}

/// The HTML of a mail, for a sandboxed frame.
pub(super) async fn body(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
    Query(within): Query<Within>,
) -> Result<Response, Problem> {
    let opening = within.opening.and_then(|opening| opening.parse().ok());
    let (content, _) = app.operations.message_view(&session.actor, input::id(&id)?, opening).await?;
    let html = content.html.ok_or_else(|| Problem::not_found("this mail has no HTML"))?;
    let page = app.pages.render("body.html", json!({ "cleaned": html }))?;
    Ok(([(CONTENT_SECURITY_POLICY, MAIL_POLICY)], page).into_response())
}

/// The mail as it came, escaped.
pub(super) async fn raw(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
) -> Result<Html<String>, Problem> {
    let id: MailId = input::id(&id)?;
    let raw = app.operations.message_raw(&session.actor, id).await?;
    let purged_at = app.operations.message(&session.actor, id).await?.message.purged_at;
    let text = String::from_utf8_lossy(&raw[..raw.len().min(RAW)]).replace("\r\n", "\n");
    let values = json!({ "here": "messages", "id": id, "raw": text, "size": raw.len(), "cut": raw.len() > RAW, "purged_at": purged_at });
    page(&app, &session, "raw.html", values)
}

/// The mail as it came, as a file.
pub(super) async fn download(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: MailId = input::id(&id)?;
    let raw = app.operations.message_raw(&session.actor, id).await?;
    Ok(file(&format!("{id}.eml"), raw))
}

/// An attachment, always as a file: what strangers sent never becomes a page of ours.
pub(super) async fn part(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path((id, part)): Path<(String, u32)>,
) -> Result<Response, Problem> {
    let (shown, bytes) = app.operations.message_part(&session.actor, input::id(&id)?, part).await?;
    Ok(file(&shown.name, bytes))
}

/// Back to where the form stood: the mail's own page, or the review, which then offers to undo.
fn done(sent: &Sent, id: MailId, changed: &Bulk, word: &'static str) -> Response {
    let word = if changed.changed.is_empty() { "unchanged" } else { word };
    match sent.field("back") {
        "review" if word == "undone" => back("/review", word),
        "review" => back(&format!("/review?undo={id}"), word),
        _ => back(&format!("/messages/{id}"), word),
    }
}

pub(super) async fn attach(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let id = input::id(&id)?;
    let record: Result<RecordRef, _> = sent.field("record").parse();
    let record = record.map_err(|error| Problem::input(error.to_string()))?;
    let changed = app.operations.place(sent.actor(), id, record, false).await?;
    Ok(done(&sent, id, &changed, "attached"))
}

pub(super) async fn reject(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let id = input::id(&id)?;
    let changed = app.operations.set_aside(sent.actor(), id, false, false).await?;
    Ok(done(&sent, id, &changed, "rejected"))
}

pub(super) async fn skip(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let id = input::id(&id)?;
    let changed = app.operations.set_aside(sent.actor(), id, true, false).await?;
    Ok(done(&sent, id, &changed, "skipped"))
}

pub(super) async fn replay(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let id = input::id(&id)?;
    app.operations.replay_message(sent.actor(), id, false).await?;
    Ok(back(&format!("/messages/{id}"), "replayed"))
}

/// Takes back what a person decided last.
pub(super) async fn undo(
    State(app): State<App>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let id = input::id(&id)?;
    let changed = app.operations.undo_message(sent.actor(), id, false).await?;
    Ok(done(&sent, id, &changed, "undone"))
}

#[derive(Deserialize)]
pub(super) struct Sought {
    #[serde(default)]
    q: String,
}

/// Choosing the record that a mail belongs to, by what people call it.
pub(super) async fn find_record(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(id): Path<String>,
    Query(sought): Query<Sought>,
) -> Result<Html<String>, Problem> {
    let id: MailId = input::id(&id)?;
    let detail = app.operations.message(&session.actor, id).await?;
    let found = app.operations.find_records(&session.actor, &sought.q).await?;
    let values =
        json!({ "here": "messages", "q": sought.q.trim(), "found": found, "message": detail.message });
    page(&app, &session, "find_record.html", values)
}
