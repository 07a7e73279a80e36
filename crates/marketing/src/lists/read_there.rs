//! Who is on a list at the service. Whoever changed there since the last look is read, and whoever joined is among them. The whole
//! list is read when its number of people is not what follows from that and from what was changed from here, and once a day.

use std::collections::HashMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::address::normal;
use postroom_core::marketing::{Ask, Contact, Include, List, MembersAsk};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::read_here::STALE;
use crate::sync::Turn;
use crate::sync::cursor::{self, Cursor};

/// Values of one statement.
const ASKED: usize = 256;

/// How far a list has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    /// Counts readings of the whole list.
    pub reading: i64,
    going: bool,
    next: Option<String>,
    /// Grows when a reading changed something.
    pub version: i64,
    /// How many people it has, by the last whole reading and what was changed from here since.
    pub people: u64,
    /// When the last whole reading began: by this clock, and by the service's.
    at: Option<Timestamp>,
    service: Option<Timestamp>,
}

/// The mark of a list.
pub(super) async fn place(tx: &mut Tx, account: &str, list: Uuid) -> Result<Cursor<Place>, Error> {
    cursor::read(tx, account, &super::stream(list, "service")).await
}

/// Brings `list_member` up to date; answers a number that grows when that changed anything.
///
/// # Errors
/// The service's.
pub async fn read(turn: &Turn, list: Uuid, there: &List) -> Result<i64, Fault> {
    let account = turn.account.name.clone();
    let mut cursor = turn.read(move |tx| async move { place(tx, &account, list).await }.boxed()).await?;
    let stale = cursor.place.at.is_none_or(|at| turn.now().duration_since(at).abs() >= STALE);
    if let Some(since) = cursor.place.service.filter(|_| !cursor.place.going && !stale) {
        cursor = changed(turn, list, there, since, cursor).await?;
        if cursor.place.people == there.contacts {
            return Ok(cursor.place.version);
        }
    }
    if !cursor.place.going {
        (cursor.place.going, cursor.place.next) = (true, None);
        cursor.place.reading += 1;
    }
    let (began, clock) = (turn.now(), turn.account.service.server_time().await?);
    loop {
        let ask = Ask { after: cursor.place.next.clone(), ..Ask::default() };
        let page = turn.account.service.members(&which(there, None), &ask).await?;
        let ended = page.next.is_none();
        cursor.place.next = page.next;
        if ended {
            let place = &mut cursor.place;
            (place.going, place.at, place.service) = (false, Some(began), Some(clock));
            place.people = there.contacts;
            place.version += 1;
        }
        cursor = store(turn, list, page.rows, ended, cursor).await?.1;
        if ended {
            return Ok(cursor.place.version);
        }
    }
}

/// Those who changed on the list since the last look: whoever joined is among them.
async fn changed(
    turn: &Turn,
    list: Uuid,
    there: &List,
    since: Timestamp,
    mut cursor: Cursor<Place>,
) -> Result<Cursor<Place>, Fault> {
    let (mut ask, mut clock) = (Ask::default(), None);
    loop {
        let page = turn.account.service.members(&which(there, Some(since)), &ask).await?;
        if page.next.is_some() && clock.is_none() {
            clock = Some(turn.account.service.server_time().await?);
        }
        let newest = page.rows.iter().filter_map(|person| person.updated).max();
        let (joined, moved) = store(turn, list, page.rows, false, cursor.clone()).await?;
        cursor = moved;
        if joined > 0 || newest > cursor.place.service {
            // Never later than the service's own clock, which stamped it.
            cursor.place.service = cursor.place.service.max(newest);
            cursor.place.people += joined;
            cursor.place.version += i64::from(joined > 0);
            cursor = store(turn, list, Vec::new(), false, cursor).await?.1;
        }
        match page.next {
            Some(next) => ask = ask.after(next),
            None => break,
        }
    }
    // An import of everybody at one moment: with the mark at that moment, all of them would come at each look.
    let rested = clock.and_then(|clock| clock.checked_sub(turn.engine.rules.late).ok());
    if rested > cursor.place.service {
        cursor.place.service = rested;
        cursor = store(turn, list, Vec::new(), false, cursor).await?.1;
    }
    Ok(cursor)
}

/// One page and the mark behind it; answers how many were not there before.
async fn store(
    turn: &Turn,
    list: Uuid,
    people: Vec<Contact>,
    ended: bool,
    mut cursor: Cursor<Place>,
) -> Result<(u64, Cursor<Place>), Fault> {
    let account = turn.account.name.clone();
    let unit = turn.engine.store.write("marketing.list_members", move |tx| {
        async move {
            let reading = cursor.place.reading;
            let joined = put(tx, &account, list, reading, &people).await?;
            if ended {
                leave(tx, &account, list, reading).await?;
            }
            cursor.write(tx).await?;
            Ok((joined, cursor))
        }
        .boxed()
    });
    let stored: Result<(u64, Cursor<Place>), Error> = unit.await;
    Ok(stored?)
}

fn which(there: &List, modified_since: Option<Timestamp>) -> MembersAsk {
    MembersAsk { list: there.id.clone(), modified_since, include: Include::default() }
}

async fn put(tx: &mut Tx, account: &str, list: Uuid, reading: i64, people: &[Contact]) -> Result<u64, Error> {
    let people: HashMap<String, i64> = people
        .iter()
        .filter_map(|person| Some((normal(person.names.email.as_deref()?), person.id.0)))
        .filter(|(address, _)| !address.is_empty())
        .collect();
    let addresses: Vec<&String> = people.keys().collect();
    let mut known: HashMap<String, Option<i64>> = HashMap::new();
    let mut absent = 0;
    for some in addresses.chunks(ASKED) {
        let select = Query::select()
            .columns(["address", "contact", "there"])
            .from("list_member")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("list").eq(list))
            .and_where(Expr::col("address").is_in(some.iter().map(|address| address.as_str())))
            .to_owned();
        for row in tx.query(&select).await? {
            known.insert(row.at(0)?, row.at(1)?);
            absent += u64::from(row.at::<i64>(2)? == 0);
        }
    }
    let same: Vec<&str> = known
        .iter()
        .filter(|(address, contact)| **contact == people.get(*address).copied())
        .map(|(address, _)| address.as_str())
        .collect();
    for some in same.chunks(ASKED) {
        let mut update = Query::update();
        update
            .table("list_member")
            .value("there", reading)
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("list").eq(list))
            .and_where(Expr::col("address").is_in(some.iter().copied()));
        tx.execute(&update).await?;
    }
    let columns = ["account", "list", "address", "contact", "there", "agreed", "todo"];
    let mut fresh = Insert::into("list_member", &columns);
    for (address, contact) in &people {
        match known.get(address) {
            Some(before) if *before == Some(*contact) => {}
            Some(_) => meet(tx, account, list, address, *contact, reading).await?,
            None => {
                fresh.row([
                    account.into(),
                    list.into(),
                    address.as_str().into(),
                    (*contact).into(),
                    reading.into(),
                    false.into(),
                    "".into(),
                ]);
            }
        }
    }
    let joined = absent + fresh.rows.len() as u64;
    tx.insert(&fresh).await?;
    Ok(joined)
}

/// An address that was known without its number at the service, or with another one.
async fn meet(
    tx: &mut Tx,
    account: &str,
    list: Uuid,
    address: &str,
    contact: i64,
    reading: i64,
) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("list_member")
        .value("there", reading)
        .value("contact", contact)
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .and_where(Expr::col("address").eq(address));
    tx.execute(&update).await.map(drop)
}

/// Whoever a whole reading did not see is not there.
async fn leave(tx: &mut Tx, account: &str, list: Uuid, reading: i64) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("list_member")
        .value("there", 0)
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .and_where(Expr::col("there").ne(reading));
    tx.execute(&update).await.map(drop)
}
