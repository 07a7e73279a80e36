//! The books of outgoing mail: each wish of the CRM's has its message, its answers, and a job while something is left to do.
//!
//! Other processes work meanwhile, and PostgreSQL shows each question a later moment: what looks wrong is looked at twice.

use std::collections::{HashMap, HashSet};

use futures_util::FutureExt;
use postroom_core::{Fault, MailId, MailState};
use postroom_store::sql::{Expr, ExprTrait, Func, Order, Query};
use postroom_store::{Error, Row, Store, Tx};
use uuid::Uuid;

use super::{Books, PAGE};
use crate::sending::{self, Standing};

/// One outgoing mail, as far as the books need it.
struct Entry {
    id: Uuid,
    state: MailState,
    rendered: bool,
    told: bool,
    lane: String,
}

/// What belongs to a page of them.
struct Beside {
    /// State of the message with the same id.
    messages: HashMap<Uuid, String>,
    recipients: HashMap<Uuid, Recipients>,
    /// Lanes with a job, be it on the shelf.
    lanes: HashSet<String>,
}

#[derive(Default)]
struct Recipients {
    open: u64,
    accepted: u64,
}

/// Goes through every outgoing mail.
pub(super) async fn check(store: &Store, books: &mut Books) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let page = store.read(move |tx| async move { page(tx, after).await }.boxed()).await;
        let page: Vec<Entry> = page.map_err(|error: Error| Fault::from(error))?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        books.outgoing += page.len() as u64;
        let first = wrong(store, page).await?;
        if first.is_empty() {
            continue;
        }
        let ids: Vec<Uuid> = first.iter().map(|(id, _)| *id).collect();
        let again = store.read(move |tx| async move { of_ids(tx, ids).await }.boxed()).await;
        let again = wrong(store, again.map_err(|error: Error| Fault::from(error))?).await?;
        first.into_iter().filter(|found| again.contains(found)).for_each(|(_, what)| books.find(what));
    }
}

fn columns() -> postroom_store::sql::SelectStatement {
    Query::select().columns(["id", "activity_id", "state", "body", "told"]).from("outgoing").to_owned()
}

async fn page(tx: &mut Tx, after: Option<Uuid>) -> Result<Vec<Entry>, Error> {
    let mut select = columns();
    if let Some(after) = after {
        select.and_where(Expr::col("id").gt(after));
    }
    select.order_by("id", Order::Asc).limit(PAGE);
    tx.query(&select).await?.iter().map(entry).collect()
}

async fn of_ids(tx: &mut Tx, ids: Vec<Uuid>) -> Result<Vec<Entry>, Error> {
    let mut select = columns();
    select.and_where(Expr::col("id").is_in(ids));
    tx.query(&select).await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<Entry, Error> {
    let (activity, state): (Uuid, String) = (row.at(1)?, row.at(2)?);
    Ok(Entry {
        id: row.at(0)?,
        state: state.parse().unwrap_or(MailState::Held),
        rendered: row.at::<Option<Vec<u8>>>(3)?.is_some(),
        told: row.at::<Option<i64>>(4)?.is_some(),
        lane: sending::lane(activity),
    })
}

/// Each thing that does not balance, with the mail it is about.
async fn wrong(store: &Store, page: Vec<Entry>) -> Result<Vec<(Uuid, String)>, Fault> {
    let read =
        store.read(move |tx| async move { beside(tx, &page).await.map(|found| (page, found)) }.boxed());
    let read: Result<(Vec<Entry>, Beside), Error> = read.await;
    let (page, beside) = read.map_err(Fault::from)?;
    let about = |entry: &Entry| -> Vec<(Uuid, String)> {
        let found =
            unlike(entry, &beside).into_iter().chain(unanswered(entry, &beside)).chain(idle(entry, &beside));
        found.map(|what| (entry.id, format!("outgoing {} {what}", MailId(entry.id)))).collect()
    };
    Ok(page.iter().flat_map(about).collect())
}

/// A rendered mail is a message in the same state.
fn unlike(entry: &Entry, beside: &Beside) -> Option<String> {
    let state = entry.state;
    match beside.messages.get(&entry.id) {
        _ if !entry.rendered && has_left(state) => Some(format!("is {state}, but has no bytes")),
        Some(other) if other != state.as_str() => Some(format!("is {state}, but its message is {other}")),
        None if entry.rendered => Some(format!("is {state}, but has no message")),
        _ => None,
    }
}

fn has_left(state: MailState) -> bool {
    matches!(state, MailState::Sending | MailState::Unknown | MailState::Sent | MailState::Bounced)
}

/// Every recipient of a mail that is at its end has an answer, and the answers make the state.
fn unanswered(entry: &Entry, beside: &Beside) -> Option<String> {
    let none = Recipients::default();
    let Recipients { open, accepted } = *beside.recipients.get(&entry.id).unwrap_or(&none);
    let state = entry.state;
    let ended = matches!(state, MailState::Sent | MailState::Bounced | MailState::Failed);
    match state {
        _ if ended && open > 0 => Some(format!("is {state}, but {open} recipients have no answer")),
        MailState::Sent | MailState::Bounced if accepted == 0 => {
            Some(format!("is {state}, but no recipient was accepted"))
        }
        MailState::Failed if accepted > 0 => {
            Some(format!("is {state}, but {accepted} recipients were accepted"))
        }
        _ => None,
    }
}

/// Something is left to do, and nobody will do it.
fn idle(entry: &Entry, beside: &Beside) -> Option<String> {
    if beside.lanes.contains(&entry.lane) {
        return None;
    }
    let state = entry.state;
    match state {
        MailState::Queued | MailState::Sending | MailState::Unknown => {
            Some(format!("is {state}, but no job is left to go on with it"))
        }
        MailState::Sent | MailState::Bounced | MailState::Failed if !entry.told => {
            Some(format!("is {state}, but no job is left to tell the CRM"))
        }
        _ => None,
    }
}

async fn beside(tx: &mut Tx, page: &[Entry]) -> Result<Beside, Error> {
    let ids: Vec<Uuid> = page.iter().map(|entry| entry.id).collect();
    let messages = Query::select()
        .columns(["id", "state"])
        .from("message")
        .and_where(Expr::col("id").is_in(ids.clone()))
        .to_owned();
    let recipients = Query::select()
        .columns(["outgoing", "state"])
        .expr(Func::count(Expr::col("place")))
        .from("outgoing_recipient")
        .and_where(Expr::col("outgoing").is_in(ids))
        .group_by_columns(["outgoing", "state"])
        .to_owned();
    let jobs = Query::select()
        .distinct()
        .column("lane")
        .from("job")
        .and_where(Expr::col("kind").eq(sending::KIND))
        .and_where(Expr::col("lane").is_in(page.iter().map(|entry| entry.lane.clone())))
        .to_owned();
    let mut beside = Beside { messages: HashMap::new(), recipients: HashMap::new(), lanes: HashSet::new() };
    for row in tx.query(&messages).await? {
        beside.messages.insert(row.at(0)?, row.at(1)?);
    }
    for row in tx.query(&recipients).await? {
        let (state, count): (String, u64) = (row.at(1)?, row.at(2)?);
        let all: &mut Recipients = beside.recipients.entry(row.at(0)?).or_default();
        match Standing::of(&state) {
            Some(standing) if standing.was_accepted() => all.accepted += count,
            Some(standing) if !standing.is_open() => {}
            _ => all.open += count,
        }
    }
    for row in tx.query(&jobs).await? {
        beside.lanes.insert(row.at(0)?);
    }
    Ok(beside)
}
