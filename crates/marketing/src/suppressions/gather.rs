//! What the CRM says: rows of `esc_emailsupression` that somebody made there, and records that want no mail.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::address::normal;
use postroom_core::marketing::Status;
use postroom_core::{ChangesAsk, Record, RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rows::{self, Origin, SaidOut};
use crate::people::{self, Flags};
use crate::solution::options::Set;
use crate::sync::cursor::{self, Cursor};
use crate::sync::forecast::Foretold;
use crate::sync::{Halt, Turn};

const TABLE: &str = "esc_emailsupression";
const COLUMNS: [&str; 8] = [
    "esc_emailaddress",
    "esc_reason",
    "esc_isactive",
    "esc_emailaccountid",
    "createdon",
    "createdby",
    "modifiedon",
    "modifiedby",
];
/// Rows of one page.
const PAGE: u32 = 500;

/// How far `esc_emailsupression` has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Token(Option<String>);

/// How far the people have been looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Seq(i64);

/// The number up to which an account has heard what people of the CRM say.
pub(crate) async fn heard(tx: &mut Tx, account: &str) -> Result<i64, Error> {
    let cursor: Cursor<Seq> = cursor::read(tx, account, "crm/flags").await?;
    Ok(cursor.place.0)
}

/// Rows that users and workflows made. What the connector wrote itself says nothing new.
pub async fn rows(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let mut cursor: Cursor<Token> = turn
        .read(move |tx| async move { cursor::read(tx, &account, "crm/suppressions").await }.boxed())
        .await?;
    loop {
        let ask = ChangesAsk {
            table: TABLE.to_owned(),
            columns: Some(COLUMNS.map(str::to_owned).into()),
            since: cursor.place.0.clone(),
            size: PAGE,
        };
        let page = turn.engine.crm.changes(&ask).await?;
        let own = turn.connected.row().id;
        let records: Vec<&Record> = page.records.iter().filter(|row| is_ours(row, own)).collect();
        let said = told_no(turn, &records).await?;
        cursor.place = Token(Some(page.token));
        cursor = take(turn, page.records.len() as u64, said, cursor).await?;
        if !page.more {
            return Ok(());
        }
    }
}

/// An active row of this account, or of none.
fn is_ours(row: &Record, own: Uuid) -> bool {
    let address = normal(row.text("esc_emailaddress").unwrap_or_default());
    let active = row.get("esc_isactive").and_then(Value::as_bool) != Some(false);
    let ours = row.lookup("esc_emailaccountid").is_none_or(|account| account.id == own);
    !address.is_empty() && active && ours
}

/// What active rows say. The connector's own row is of the day on which it was made, as it also changes by what the connector
/// writes; unless it was told to be inactive: then somebody made it active again, whatever the clocks say.
async fn told_no(turn: &Turn, rows: &[&Record]) -> Result<Vec<SaidOut>, Error> {
    let mut all: Vec<SaidOut> = rows.iter().map(|row| said(row, turn.now())).collect();
    let account = turn.account.name.clone();
    let addresses: Vec<String> = all.iter().map(|said| said.address.clone()).collect();
    let kept = turn.read(move |tx| async move { rows::load(tx, &account, &addresses).await }.boxed()).await?;
    for (row, said) in rows.iter().zip(&mut all) {
        let written_here = turn.connected.key.suppression(&said.address).id(TABLE) == row.at.id;
        let back = kept.get(&said.address).filter(|kept| !kept.active && kept.told_crm);
        match (written_here, back) {
            (true, None) => {}
            (true, Some(back)) => {
                changed_by_user(row, said, turn.now());
                said.at = after(said.at, back.since);
            }
            (false, _) => changed_by_user(row, said, turn.now()),
        }
    }
    Ok(all)
}

/// A row that only users write says what it says since its last change.
fn changed_by_user(row: &Record, said: &mut SaidOut, now: Timestamp) {
    if let Some(Value::Time(at)) = row.get("modifiedon") {
        said.at = Ord::min(*at, now);
    }
    if let Some(who) = row.lookup("modifiedby") {
        said.actor = who.to_string();
    }
}

/// A moment that comes after another one.
pub(super) fn after(at: Timestamp, other: Timestamp) -> Timestamp {
    match at > other {
        true => at,
        false => other.checked_add(SignedDuration::from_micros(1)).unwrap_or(other),
    }
}

fn said(row: &Record, now: Timestamp) -> SaidOut {
    let reason = row.int("esc_reason").and_then(|value| i32::try_from(value).ok());
    let status =
        reason.and_then(|value| Set::ContactStatus.option(value)).map_or(Status::Suppressed, Status::from);
    let at = match row.get("createdon") {
        Some(Value::Time(at)) => *at,
        _ => now,
    };
    SaidOut {
        address: normal(row.text("esc_emailaddress").unwrap_or_default()),
        status,
        at,
        contact: None,
        source: row.at.to_string(),
        actor: row.lookup("createdby").map(ToString::to_string).unwrap_or_default(),
    }
}

async fn take<P: Serialize + Send + 'static>(
    turn: &mut Turn,
    read: u64,
    said: Vec<SaidOut>,
    mut cursor: Cursor<P>,
) -> Result<Cursor<P>, Error> {
    let (ids, now, account, dry) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone(), turn.dry);
    let before = turn.counts.clone();
    let stored = turn.page("marketing.opted_out", move |tx, counts| {
        async move {
            let mut foretold = Foretold::default();
            counts.read += read;
            let written = rows::take(tx, &ids, now, &account, Origin::Crm, &said).await?;
            counts.skip("known already", written.same);
            match dry {
                false => cursor.write(tx).await?,
                true => {
                    let rows = rows::load(tx, &account, &rows::addresses(&said)).await?;
                    foretold.count(counts, rows.values().flat_map(rows::Row::untold));
                }
            }
            Ok((cursor, foretold))
        }
        .boxed()
    });
    let (cursor, foretold) = stored.await?;
    turn.foresee_told(foretold, &before);
    Ok(cursor)
}

/// Records that changed since the last look: those that want no marketing mail say so for all their addresses, and those that
/// have a suppressed address and do not say so yet are to be told.
pub async fn flags(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let mut cursor: Cursor<Seq> =
        turn.read(move |tx| async move { cursor::read(tx, &account, "crm/flags").await }.boxed()).await?;
    loop {
        let after = cursor.place.0;
        let changed = turn.read(move |tx| async move { changed(tx, after).await }.boxed()).await?;
        let Some(last) = changed.iter().map(|person| person.seq).max() else { return Ok(()) };
        cursor.place = Seq(last);
        follow(turn, &changed).await?;
        let now = turn.now();
        let said = changed.iter().filter(|person| person.flags.any()).flat_map(|person| person.said(now));
        let (said, read) = (since_told(turn, said.collect()).await?, changed.len() as u64);
        cursor = take(turn, read, said, cursor).await?;
    }
}

/// A record that says no after it was told that its address was let back said so afterwards, whatever the clocks say: one that was
/// set back does not make a new opt-out an old one.
async fn since_told(turn: &Turn, mut said: Vec<SaidOut>) -> Result<Vec<SaidOut>, Error> {
    if said.is_empty() || turn.account.settings.on_suppress.columns().is_empty() {
        return Ok(said);
    }
    let account = turn.account.name.clone();
    let addresses: Vec<String> = said.iter().map(|said| said.address.clone()).collect();
    let rows = turn.read(move |tx| async move { rows::load(tx, &account, &addresses).await }.boxed()).await?;
    for said in &mut said {
        let back = rows.get(&said.address).filter(|row| !row.active && row.told_crm);
        if let Some(back) = back {
            said.at = after(said.at, back.since);
        }
    }
    Ok(said)
}

/// A suppression follows its address: to a record made later, and to one whose address was changed.
async fn follow(turn: &mut Turn, changed: &[Changed]) -> Result<(), Error> {
    let on = turn.account.settings.on_suppress;
    let unmarked = changed.iter().filter(|person| !person.gone && !on.is_set(person.flags));
    let addresses: Vec<String> = unmarked.flat_map(|person| person.addresses.iter().cloned()).collect();
    if addresses.is_empty() {
        return Ok(());
    }
    let account = turn.account.name.clone();
    let stored = turn.page("marketing.followed", move |tx, _| {
        async move { rows::tell_again(tx, &account, &addresses).await }.boxed()
    });
    stored.await
}

/// A record that changed.
struct Changed {
    seq: i64,
    flags: Flags,
    addresses: Vec<String>,
    record: RecordRef,
    master: Option<RecordRef>,
    gone: bool,
    /// When the flags became what they are, and who wrote that.
    said_at: Option<Timestamp>,
    said_by: String,
}

impl Changed {
    fn said(&self, now: Timestamp) -> impl Iterator<Item = SaidOut> {
        self.addresses.iter().map(move |address| SaidOut {
            address: address.clone(),
            status: Status::Unsubscribed,
            at: self.said_at.unwrap_or(now).min(now),
            contact: None,
            source: self.record.to_string(),
            actor: self.said_by.clone(),
        })
    }
}

/// The next people by the number of their change.
async fn changed(tx: &mut Tx, after: i64) -> Result<Vec<Changed>, Error> {
    let mut people = Query::select();
    people
        .columns([
            "record_table",
            "record",
            "seq",
            "flags",
            "modified",
            "flagged",
            "flagged_by",
            "master",
            "gone",
        ])
        .from("person")
        .and_where(Expr::col("seq").gt(after))
        // Who left said no before, and may not have been heard yet.
        .and_where(Expr::col("gone").eq(false).or(Expr::col("flags").ne(0)))
        .order_by("seq", Order::Asc)
        .limit(u64::from(PAGE));
    let mut found = Vec::new();
    for row in tx.query(&people).await? {
        let table: String = row.at(0)?;
        found.push(Changed {
            master: row.at::<Option<Uuid>>(7)?.map(|id| RecordRef::new(table.clone(), id)),
            record: RecordRef::new(table, row.at(1)?),
            seq: row.at(2)?,
            flags: Flags::of_bits(row.at(3)?),
            addresses: Vec::new(),
            said_at: row.at::<Option<Timestamp>>(5)?.or(row.at(4)?),
            said_by: row.at::<Option<String>>(6)?.unwrap_or_default(),
            gone: row.at(8)?,
        });
    }
    let records = found.iter().flat_map(|person| person.master.iter().chain([&person.record]));
    let records: Vec<RecordRef> = records.cloned().collect();
    let addresses = people::addresses_of_all(tx, &records).await?;
    for person in &mut found {
        person.addresses = addresses.get(&person.record).cloned().unwrap_or_default();
        // A no goes along when two records become one.
        let other = person.master.as_ref().filter(|_| person.flags.any()).and_then(|at| addresses.get(at));
        for address in other.into_iter().flatten() {
            if !person.addresses.contains(address) {
                person.addresses.push(address.clone());
            }
        }
    }
    Ok(found)
}
