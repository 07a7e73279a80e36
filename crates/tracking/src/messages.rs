//! Messages as people and programs see them (`interfaces.md`, "A message in JSON"). Reads only.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{BodyHash, Decision, MailId, MailState, RecordRef, SightingId};
use postroom_store::sql::{Condition, Expr, ExprTrait, Func, Order, Query, SelectStatement};
use postroom_store::{Error, Row, Store, Tx};
use serde::Serialize;
use uuid::Uuid;

use crate::filing::outcome::StoredDecision;
use crate::filing::reading::Report;

/// One message.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    pub id: MailId,
    /// As in the header, or null.
    pub message_id: Option<String>,
    /// Decoded.
    pub subject: String,
    pub from: String,
    pub direction: String,
    /// Null until it is read.
    pub class: Option<String>,
    pub automatic: bool,
    pub state: MailState,
    pub method: String,
    pub record: Option<RecordRef>,
    pub activity_id: Option<Uuid>,
    pub reason: String,
    pub sightings: i64,
    pub received_at: Timestamp,
    pub from_name: String,
    pub mailbox: String,
    pub flags: Vec<String>,
    pub size: u64,
    /// When all but the headers was purged, because it is not tracked or was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purged_at: Option<Timestamp>,
    /// When it was erased on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
    #[serde(skip)]
    pub body: BodyHash,
}

/// One time a message was seen.
#[derive(Debug, Clone, Serialize)]
pub struct Sighting {
    pub id: SightingId,
    pub source: String,
    pub direction: String,
    pub mailbox: Option<String>,
    pub envelope_from: Option<String>,
    pub envelope_to: Vec<String>,
    pub source_id: Option<String>,
    pub peer: Option<String>,
    pub received_at: Timestamp,
}

/// A message with everything that is known about it.
#[derive(Debug, Clone, Serialize)]
pub struct Detail {
    #[serde(flatten)]
    pub message: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounce: Option<Report>,
    /// The decision that stands.
    pub decision: Option<Decision>,
    /// All of them, oldest first.
    pub decisions: Vec<Decision>,
    #[serde(rename = "sightings_seen")]
    pub seen: Vec<Sighting>,
    pub decided_at: Option<Timestamp>,
}

/// Which messages.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub state: Option<MailState>,
    pub record: Option<RecordRef>,
    pub mailbox: Option<String>,
    /// Part of a subject, an address, or a Message-ID.
    pub text: Option<String>,
    /// Only messages before this one, in the order of the list.
    pub before: Option<MailId>,
    /// 0 is all.
    pub limit: u64,
}

const COLUMNS: [&str; 22] = [
    "id",
    "header_id",
    "header_text",
    "subject",
    "from_address",
    "direction",
    "class",
    "automatic",
    "state",
    "method",
    "record_table",
    "record_id",
    "activity_id",
    "reason",
    "received_at",
    "from_name",
    "mailbox",
    "flags",
    "size",
    "body",
    "purged_at",
    "erased_at",
];

/// Messages, newest first.
pub async fn list(store: &Store, wanted: Wanted) -> Result<Vec<Message>, Error> {
    let select = select(&wanted);
    store
        .read(move |tx| async move { tx.query(&select).await?.iter().map(message_of).collect() }.boxed())
        .await
}

fn select_messages() -> SelectStatement {
    let sightings = Query::select()
        .expr(Func::count(Expr::col(("sighting", "id"))))
        .from("sighting")
        .and_where(Expr::col(("sighting", "message")).equals(("message", "id")))
        .to_owned();
    let mut select = Query::select();
    for column in COLUMNS {
        select.column(("message", column));
    }
    select.expr_as(sightings, "sightings").from("message").order_by(("message", "id"), Order::Desc);
    select
}

fn select(wanted: &Wanted) -> SelectStatement {
    let mut select = select_messages();
    if let Some(state) = wanted.state {
        select.and_where(Expr::col(("message", "state")).eq(state.as_str()));
    }
    if let Some(record) = &wanted.record {
        select.and_where(Expr::col(("message", "record_id")).eq(record.id));
        select.and_where(Expr::col(("message", "record_table")).eq(record.table.clone()));
    }
    if let Some(mailbox) = &wanted.mailbox {
        select.and_where(Expr::col(("message", "mailbox")).eq(mailbox.clone()));
    }
    if let Some(text) = wanted.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        select.cond_where(matches(text));
    }
    if let Some(before) = wanted.before {
        select.and_where(Expr::col(("message", "id")).lt(before.0));
    }
    if wanted.limit > 0 {
        select.limit(wanted.limit);
    }
    select
}

/// Follow one mail: an id, an address, a Message-ID, or words of a subject.
fn matches(text: &str) -> Condition {
    if let Ok(id) = text.parse::<MailId>() {
        return Condition::any().add(Expr::col(("message", "id")).eq(id.0));
    }
    let lower = text.to_lowercase();
    let bare = lower.trim_matches(['<', '>']);
    let inside = format!("%{}%", lower.replace(['%', '_'], " "));
    Condition::any()
        .add(Expr::col(("message", "from_address")).eq(bare))
        .add(Expr::col(("message", "header_id")).eq(text.trim_matches(['<', '>'])))
        .add(Expr::expr(Func::lower(Expr::col(("message", "subject")))).like(inside.clone()))
        .add(Expr::col(("message", "parties")).like(inside))
}

fn message_of(row: &Row) -> Result<Message, Error> {
    let header_id: Option<String> = row.at(1)?;
    let written: Option<String> = row.at(2)?;
    let state: String = row.at(8)?;
    let table: Option<String> = row.at(10)?;
    let record: Option<Uuid> = row.at(11)?;
    let flags: String = row.at(17)?;
    Ok(Message {
        id: MailId(row.at(0)?),
        message_id: written.or_else(|| header_id.map(|id| format!("<{id}>"))),
        subject: row.at(3)?,
        from: row.at(4)?,
        direction: row.at(5)?,
        class: row.at(6)?,
        automatic: row.at(7)?,
        state: state.parse().unwrap_or(MailState::Received),
        method: row.at(9)?,
        record: table.zip(record).map(|(table, id)| RecordRef::new(table, id)),
        activity_id: row.at(12)?,
        reason: row.at(13)?,
        received_at: row.at(14)?,
        from_name: row.at(15)?,
        mailbox: row.at(16)?,
        flags: flags.lines().map(str::to_owned).collect(),
        size: row.at(18)?,
        body: row.at(19)?,
        purged_at: row.at(20)?,
        erased_at: row.at(21)?,
        sightings: row.at(22)?,
    })
}

/// One message with its decisions and sightings.
pub async fn show(store: &Store, id: MailId) -> Result<Option<Detail>, Error> {
    store.read(move |tx| async move { show_in(tx, id).await }.boxed()).await
}

async fn show_in(tx: &mut Tx, id: MailId) -> Result<Option<Detail>, Error> {
    let mut one = select_messages();
    one.and_where(Expr::col(("message", "id")).eq(id.0));
    let Some(row) = tx.query_one(&one).await? else { return Ok(None) };
    let message = message_of(&row)?;
    let decided = Query::select()
        .column("body")
        .from("decision")
        .and_where(Expr::col("message").eq(id.0))
        .order_by("id", Order::Asc)
        .to_owned();
    let texts: Vec<String> =
        tx.query(&decided).await?.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
    let stored: Vec<StoredDecision> =
        texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let bounce = stored.last().and_then(|last| last.bounce.clone());
    let decisions: Vec<Decision> = stored.into_iter().map(|stored| stored.decision).collect();
    let seen = sightings(tx, id).await?;
    let decided_at = decisions.last().map(|decision| decision.at);
    Ok(Some(Detail { message, bounce, decision: decisions.last().cloned(), decisions, seen, decided_at }))
}

async fn sightings(tx: &mut Tx, id: MailId) -> Result<Vec<Sighting>, Error> {
    let columns = [
        "id",
        "source",
        "direction",
        "mailbox",
        "envelope_from",
        "recipients",
        "source_id",
        "peer",
        "received_at",
    ];
    let select = Query::select()
        .columns(columns)
        .from("sighting")
        .and_where(Expr::col("message").eq(id.0))
        .order_by("id", Order::Asc)
        .to_owned();
    let read = |row: &Row| {
        let recipients: String = row.at(5)?;
        Ok(Sighting {
            id: SightingId(row.at(0)?),
            source: row.at(1)?,
            direction: row.at(2)?,
            mailbox: row.at(3)?,
            envelope_from: row.at(4)?,
            envelope_to: recipients.lines().map(str::to_owned).collect(),
            source_id: row.at(6)?,
            peer: row.at(7)?,
            received_at: row.at(8)?,
        })
    };
    tx.query(&select).await?.iter().map(read).collect()
}

/// How many messages stand in each state.
pub async fn counts(store: &Store) -> Result<Vec<(MailState, u64)>, Error> {
    let select = Query::select()
        .column("state")
        .expr(Func::count(Expr::col("id")))
        .from("message")
        .group_by_col("state")
        .to_owned();
    let rows = store.read(move |tx| async move { tx.query(&select).await }.boxed()).await?;
    let count = |row: &Row| {
        let state: String = row.at(0)?;
        Ok((state.parse().unwrap_or(MailState::Received), row.at(1)?))
    };
    rows.iter().map(count).collect()
}

/// Since when the oldest message stands in each of these states. Ids grow with time, so it is the first of each.
pub async fn oldest(
    store: &Store,
    states: &'static [MailState],
) -> Result<Vec<(MailState, Option<Timestamp>)>, Error> {
    store.read(move |tx| first_of_each(tx, states).boxed()).await
}

async fn first_of_each(
    tx: &mut Tx,
    states: &[MailState],
) -> Result<Vec<(MailState, Option<Timestamp>)>, Error> {
    let mut found = Vec::new();
    for state in states {
        let select = Query::select()
            .column("received_at")
            .from("message")
            .and_where(Expr::col("state").eq(state.as_str()))
            .order_by("id", Order::Asc)
            .limit(1)
            .to_owned();
        let row = tx.query_one(&select).await?;
        found.push((*state, row.map(|row| row.at(0)).transpose()?));
    }
    Ok(found)
}

/// How many of these messages stand in each state.
pub async fn states_of(store: &Store, ids: &[MailId]) -> Result<BTreeMap<MailState, u64>, Error> {
    let mut states = BTreeMap::new();
    for some in ids.chunks(500) {
        let select = Query::select()
            .column("state")
            .expr(Func::count(Expr::col("id")))
            .from("message")
            .and_where(Expr::col("id").is_in(some.iter().map(|id| id.0)))
            .group_by_col("state")
            .to_owned();
        for row in store.read(move |tx| async move { tx.query(&select).await }.boxed()).await? {
            let state: String = row.at(0)?;
            let count: u64 = row.at(1)?;
            *states.entry(state.parse().unwrap_or(MailState::Received)).or_default() += count;
        }
    }
    Ok(states)
}
