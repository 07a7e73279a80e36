//! The table `event`: what is taken in, what the CRM has yet to hear, and what it was told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use postroom_core::RecordRef;
use postroom_store::sql::{Expr, ExprTrait, Order, Query, SelectStatement};
use postroom_store::{Error, Insert, Row as Cells, Tx};
use uuid::Uuid;

use super::facts::{Event, Facts};
use super::settings::{Kind, Settings};
use crate::schema::among;
use crate::sync::{Act, Sample, To};

/// The counter that orders what the CRM is told.
const SEQ: &str = "marketing.event";
/// Keys of one statement.
const ASKED: usize = 256;

const COLUMNS: [&str; 18] = [
    "account",
    "key",
    "seq",
    "kind",
    "campaign",
    "contact",
    "address",
    "at",
    "what",
    "machine",
    "data",
    "send",
    "record_table",
    "record",
    "told_crm",
    "in_crm",
    "replies_due",
    "version",
];

/// A row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub seq: i64,
    pub event: Event,
    /// The send that it belongs to, a recipient's only.
    pub send: Option<Uuid>,
    /// Whom it was found to be about.
    pub record: Option<RecordRef>,
    pub told_crm: bool,
    pub in_crm: bool,
    pub replies_due: bool,
    pub version: i64,
}

impl Stored {
    /// What a dry run shows of telling the CRM.
    pub(crate) fn sample(&self) -> Sample {
        let event = &self.event;
        Sample::of(To::Crm, Act::Create, format!("{} of {}", event.facts.kind().as_str(), event.address))
            .word("at", event.at.to_string())
    }
}

/// What taking events in came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    pub new: u64,
    pub changed: u64,
    pub same: u64,
}

/// Sorts events that come in: those that are new, and the rows of totals that are other than before as they will be.
pub async fn sort(
    tx: &mut Tx,
    account: &str,
    settings: &Settings,
    now: Timestamp,
    events: Vec<Event>,
) -> Result<(Vec<Event>, Vec<Stored>, Written), Error> {
    let all = events.len() as u64;
    // A row that came twice is the one that came last.
    let mut events: BTreeMap<String, Event> =
        events.into_iter().map(|event| (event.key.clone(), event)).collect();
    let mut written = Written { same: all - events.len() as u64, ..Written::default() };
    let keys: Vec<String> = events.keys().cloned().collect();
    let mut changed = Vec::new();
    for stored in by_key(tx, account, &keys).await? {
        let Some(event) = events.remove(&stored.event.key) else { continue };
        match event.facts.is_total() && event.facts != stored.event.facts {
            true => changed.push(after(stored, event, settings, now)),
            false => written.same += 1,
        }
    }
    (written.new, written.changed) = (events.len() as u64, changed.len() as u64);
    Ok((events.into_values().collect(), changed, written))
}

/// The row of a new event.
pub fn fresh(event: Event, settings: &Settings, now: Timestamp, send: Option<Uuid>) -> Stored {
    let replies_due = matches!(&event.facts, Facts::Recipient(counters) if counters.replies > 0);
    Stored {
        seq: 0,
        send,
        record: None,
        told_crm: !tells(&event, settings, now),
        in_crm: false,
        replies_due,
        version: 0,
        event,
    }
}

fn after(stored: Stored, event: Event, settings: &Settings, now: Timestamp) -> Stored {
    let rose = match (&stored.event.facts, &event.facts) {
        (Facts::Recipient(before), Facts::Recipient(now)) => now.replies > before.replies,
        _ => false,
    };
    Stored {
        told_crm: !tells(&event, settings, now),
        replies_due: stored.replies_due || rose,
        version: stored.version + 1,
        event,
        ..stored
    }
}

/// What is too old for the CRM is not told.
fn tells(event: &Event, settings: &Settings, now: Timestamp) -> bool {
    settings.tells(event.facts.kind()) && !is_older(event.at, settings.keep_in_crm, now)
}

/// Whether a moment is longer ago than something is kept.
pub fn is_older(at: Timestamp, kept: Option<jiff::SignedDuration>, now: Timestamp) -> bool {
    kept.is_some_and(|kept| now.duration_since(at) > kept)
}

pub(crate) async fn by_key(tx: &mut Tx, account: &str, keys: &[String]) -> Result<Vec<Stored>, Error> {
    let mut known = Vec::new();
    for some in keys.chunks(ASKED) {
        let mut by_key = select(account);
        by_key.and_where(Expr::col("key").is_in(some.iter().map(String::as_str)));
        known.extend(load(tx, &by_key).await?);
    }
    Ok(known)
}

/// Events of an account, to be narrowed by the caller.
pub fn select(account: &str) -> SelectStatement {
    Query::select().columns(COLUMNS).from("event").and_where(Expr::col("account").eq(account)).to_owned()
}

/// The newest events of an address.
pub async fn newest(tx: &mut Tx, account: &str, address: &str, most: usize) -> Result<Vec<Stored>, Error> {
    let of_address = Query::select()
        .columns(COLUMNS)
        .from("event")
        .and_where(Expr::col("address").eq(address))
        .and_where(among("account", account))
        .to_owned();
    // Sorted here: by the index of moments, everybody's would be looked at.
    let mut found = load(tx, &of_address).await?;
    found.sort_by_key(|row| std::cmp::Reverse(row.event.at));
    found.truncate(most);
    Ok(found)
}

pub async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Stored>, Error> {
    tx.query(select).await?.iter().map(read).collect()
}

fn read(cells: &Cells) -> Result<Stored, Error> {
    let data: String = cells.at(10)?;
    let facts = serde_json::from_str(&data)
        .map_err(|_| Error::Cell { column: "data".to_owned(), wanted: "an event's facts" })?;
    let (table, record): (Option<String>, Option<Uuid>) = (cells.at(12)?, cells.at(13)?);
    let event = Event {
        key: cells.at(1)?,
        campaign: cells.at(4)?,
        contact: cells.at(5)?,
        address: cells.at(6)?,
        at: cells.at(7)?,
        what: cells.at(8)?,
        machine: cells.at(9)?,
        facts,
    };
    Ok(Stored {
        seq: cells.at(2)?,
        event,
        send: cells.at(11)?,
        record: table.zip(record).map(|(table, id)| RecordRef::new(table, id)),
        told_crm: cells.at(14)?,
        in_crm: cells.at(15)?,
        replies_due: cells.at(16)?,
        version: cells.at(17)?,
    })
}

/// Writes rows as they now are, behind all others in the order of telling.
pub async fn put(tx: &mut Tx, account: &str, rows: Vec<Stored>) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let old: Vec<&Stored> = rows.iter().filter(|row| row.version > 0).collect();
    for some in old.chunks(ASKED) {
        let mut delete = Query::delete();
        delete
            .from_table("event")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("key").is_in(some.iter().map(|row| row.event.key.as_str())));
        tx.execute(&delete).await?;
    }
    let first = tx.next_numbers(SEQ, rows.len() as u64).await?;
    let mut insert = Insert::into("event", &COLUMNS);
    for (seq, row) in (first..).zip(rows) {
        let data = serde_json::to_string(&row.event.facts).expect("facts are texts and numbers under names");
        let (table, record) = row.record.map(|at| (at.table, at.id)).unzip();
        insert.row([
            account.into(),
            row.event.key.into(),
            seq.into(),
            row.event.facts.kind().as_str().into(),
            row.event.campaign.into(),
            row.event.contact.into(),
            row.event.address.into(),
            row.event.at.as_microsecond().into(),
            row.event.what.into(),
            row.event.machine.into(),
            data.into(),
            row.send.into(),
            table.into(),
            record.into(),
            row.told_crm.into(),
            row.in_crm.into(),
            row.replies_due.into(),
            row.version.into(),
        ]);
    }
    tx.insert(&insert).await.map(drop)
}

/// The next events of these kinds of which the CRM has yet to hear.
pub async fn untold(tx: &mut Tx, account: &str, kinds: &[Kind], limit: u64) -> Result<Vec<Stored>, Error> {
    let mut untold = select(account);
    untold
        .and_where(Expr::col("told_crm").eq(false))
        .and_where(Expr::col("kind").is_in(kinds.iter().map(|kind| kind.as_str())))
        .order_by("seq", Order::Asc)
        .limit(limit);
    load(tx, &untold).await
}

/// How many events of these kinds the CRM has yet to hear of.
pub async fn waiting(tx: &mut Tx, account: &str, kinds: &[Kind]) -> Result<u64, Error> {
    let number = Query::select()
        .expr(Expr::col("seq").count())
        .from("event")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("told_crm").eq(false))
        .and_where(Expr::col("kind").is_in(kinds.iter().map(|kind| kind.as_str())))
        .to_owned();
    tx.query_one(&number).await?.map_or(Ok(0), |row| row.at(0))
}

/// What became of telling one.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub key: String,
    pub version: i64,
    pub record: Option<RecordRef>,
    pub in_crm: bool,
}

/// Notes what the CRM was told, of rows that are still as they were then.
pub async fn told(tx: &mut Tx, account: &str, told: &[Told]) -> Result<(), Error> {
    for one in told {
        let (table, record) = one.record.clone().map(|at| (at.table, at.id)).unzip();
        let mut update = Query::update();
        update
            .table("event")
            .value("told_crm", true)
            .value("in_crm", one.in_crm)
            .value("record_table", table)
            .value("record", record)
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("key").eq(one.key.as_str()))
            .and_where(Expr::col("version").eq(one.version));
        tx.execute(&update).await?;
    }
    Ok(())
}

/// When mails of a campaign went to these people, for the question how soon something followed.
pub async fn sent(
    tx: &mut Tx,
    account: &str,
    campaign: i64,
    contacts: &BTreeSet<i64>,
) -> Result<HashMap<i64, Vec<Timestamp>>, Error> {
    let contacts: Vec<i64> = contacts.iter().copied().collect();
    let mut sent: HashMap<i64, Vec<Timestamp>> = HashMap::new();
    for some in contacts.chunks(ASKED) {
        let mut of_contacts = select(account);
        of_contacts
            .and_where(Expr::col("campaign").eq(campaign))
            .and_where(Expr::col("kind").eq(Kind::Recipient.as_str()))
            .and_where(Expr::col("contact").is_in(some.iter().copied()));
        for row in load(tx, &of_contacts).await? {
            if let Facts::Recipient(counters) = row.event.facts {
                sent.entry(row.event.contact).or_default().extend(counters.sent);
            }
        }
    }
    Ok(sent)
}
