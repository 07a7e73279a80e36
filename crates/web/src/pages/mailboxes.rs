//! Mailboxes: how each fares, where its watcher stands, and the orders that a person may give it.

use axum::extract::State;
use axum::response::{Html, Response};
use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use postroom_operations::{MailboxOrder, MailboxView, Permission, Session};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::outgoing::action;
use super::render::page;
use super::{back, done_sentence, text};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::{Path, Query};
use crate::problem::{self, Problem};

/// A mailbox with what only the page shows.
#[derive(Serialize)]
struct Shown<'m> {
    #[serde(flatten)]
    mailbox: &'m MailboxView,
    /// What to do about the error that stands in the way.
    action: Option<&'static str>,
    /// How far it is behind, in words; empty when it is not watched.
    lag: String,
    /// When its watcher last moved or reported.
    looked_at: Option<Timestamp>,
    path: String,
}

fn shown(mailbox: &MailboxView) -> Shown<'_> {
    let lag = match mailbox.lag_seconds {
        None => String::new(),
        Some(0) if mailbox.behind == 0 => "up to date".to_owned(),
        Some(seconds) => text::span(seconds),
    };
    let moved = mailbox.folders.iter().map(|place| place.at).max();
    Shown {
        action: action(mailbox.code.as_deref()),
        lag,
        looked_at: moved.max(mailbox.state_since),
        path: path(&mailbox.name),
        mailbox,
    }
}

fn path(name: &str) -> String {
    format!("/mailboxes/{}", text::in_path(name))
}

pub(super) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
) -> Result<Html<String>, Problem> {
    let all = app.operations.mailboxes(&session.actor).await?;
    let needs =
        all.iter().filter(|mailbox| matches!(mailbox.state, "needs_you" | "failing" | "not_running")).count();
    let all: Vec<Shown<'_>> = all.iter().map(shown).collect();
    page(&app, &session, "mailboxes.html", json!({ "here": "mailboxes", "mailboxes": all, "needs": needs }))
}

#[derive(Deserialize)]
pub(super) struct Opened {
    done: Option<String>,
    /// A day from which mail would be read again: the page then says what that means, and asks.
    since: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path(name): Path<String>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let detail = app.operations.mailbox(&session.actor, &name).await?;
    let since = opened.since.unwrap_or_default();
    let (order, refused) = match since.trim() {
        "" => (None, None),
        day => foreseen(&app, &session, &name, day).await?,
    };
    let values = json!({
        "here": "mailboxes",
        "done": done_sentence(opened.done.as_deref()),
        "mailbox": shown(&detail.mailbox),
        "decisions": detail.last_decisions,
        "since": since,
        "order": order,
        "refused": refused,
        "may_order": detail.mailbox.watched && session.actor.role.may(Permission::Decide),
    });
    page(&app, &session, "mailbox.html", values)
}

type Foreseen = (Option<MailboxOrder>, Option<String>);

/// What reading again would do; a day that cannot be is a thing to correct in place.
async fn foreseen(app: &App, session: &Session, name: &str, since: &str) -> Result<Foreseen, Problem> {
    let since = match day(since) {
        Ok(since) => since,
        Err(why) => return Ok((None, Some(why))),
    };
    match app.operations.rescan_mailbox(&session.actor, name, since, true).await {
        Ok(order) => Ok((Some(order), None)),
        Err(fault) if problem::status(&fault) == StatusCode::BAD_REQUEST => Ok((None, Some(fault.message))),
        Err(fault) => Err(fault.into()),
    }
}

/// The beginning of a day, UTC.
fn day(text: &str) -> Result<Timestamp, String> {
    let day: Result<Date, _> = text.parse();
    let start = day.and_then(|day| day.to_zoned(TimeZone::UTC));
    start.map(|start| start.timestamp()).map_err(|_| format!("{text:?} is no day: write it as 2026-03-10"))
}

pub(super) async fn pause(
    State(app): State<App>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let order = app.operations.pause_mailbox(sent.actor(), &name, false).await?;
    Ok(back(&path(&name), if order.changed { "paused" } else { "as-it-was" }))
}

pub(super) async fn resume(
    State(app): State<App>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let order = app.operations.resume_mailbox(sent.actor(), &name, false).await?;
    Ok(back(&path(&name), if order.changed { "resumed" } else { "as-it-was" }))
}

pub(super) async fn rescan(
    State(app): State<App>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Response, Problem> {
    let since = day(sent.field("since")).map_err(Problem::input)?;
    app.operations.rescan_mailbox(sent.actor(), &name, since, false).await?;
    Ok(back(&path(&name), "rescan"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        assert_eq!(day("2026-03-10").unwrap().to_string(), "2026-03-10T00:00:00Z");
        for bad in ["", "10.3.2026", "2026-02-30", "yesterday"] {
            assert!(day(bad).unwrap_err().contains("no day"), "{bad}");
        }
    }
}
