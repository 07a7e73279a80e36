//! Who is on a list in the CRM: its members, or what its query finds when its owner asks.
//!
//! A whole reading is made when something shows that it must be: the number of members, the newest of them, a day since the last
//! one. What changed about a person (address, gone) needs no reading of the list, as people are here already. What a reading
//! that did not end has brought removes nobody.

use std::collections::HashMap;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::query::{Aggregate, Function};
use postroom_core::{Code, Crm, CrmPage, Fault, Filter, Query, RecordRef, Value};
use postroom_formats::fetchxml;
use postroom_store::sql::{Expr, ExprTrait, Order, Query as Sql};
use postroom_store::{Error, Insert, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::here::CrmList;
use crate::people::SEQ;
use crate::sync::Turn;
use crate::sync::cursor::{self, Cursor};

/// Rows of one page.
const PAGE: u32 = 5000;
/// Values of one statement.
const ASKED: usize = 256;
/// After so long a list is read again, whatever it says of itself.
pub(super) const STALE: SignedDuration = SignedDuration::from_hours(24);

/// How far a list's members have been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// Counts readings of the whole list.
    reading: i64,
    /// Such a reading goes on, from here.
    going: bool,
    next: Option<String>,
    /// The last change of people that was looked at.
    seq: i64,
    /// What the list said of itself before the last whole reading, and when that was.
    probe: String,
    at: Option<Timestamp>,
}

/// Brings `list_record` up to date; answers the number of the reading that it shows.
///
/// # Errors
/// The CRM's; a dynamic list that cannot be asked for in its owner's name, and a query that cannot be read.
pub async fn read(turn: &Turn, list: &CrmList) -> Result<i64, Fault> {
    let stream = super::stream(list.at.id, "crm");
    let account = turn.account.name.clone();
    let read = turn.read(move |tx| async move { cursor::read(tx, &account, &stream).await }.boxed());
    let mut cursor: Cursor<Place> = read.await?;
    let source = Source::of(turn, list).await?;
    let probe = source.probe(turn, list).await;
    let place = &cursor.place;
    let stale = place.at.is_none_or(|at| turn.now().duration_since(at).abs() >= STALE);
    if place.going || stale || probe.is_empty() || probe != place.probe {
        if !cursor.place.going {
            (cursor.place.going, cursor.place.next) = (true, None);
            cursor.place.reading += 1;
            // It brings everybody's address as it is from now on.
            let seq: Result<i64, Error> =
                turn.read(|tx| async move { tx.last_number(SEQ).await }.boxed()).await;
            cursor.place.seq = seq?;
        }
        cursor.place.probe = probe;
        cursor = whole(turn, list, &source, cursor).await?;
    }
    let (account, id, table) = (turn.account.name.clone(), list.at.id, list.table);
    let reading = cursor.place.reading;
    let unit = turn.engine.store.write("marketing.list_people", move |tx| {
        async move {
            let seq = tx.last_number(SEQ).await?;
            if seq > cursor.place.seq {
                moved(tx, (&account, id, table), cursor.place.seq).await?;
                cursor.place.seq = seq;
                cursor.write(tx).await?;
            }
            Ok(())
        }
        .boxed()
    });
    let done: Result<(), Error> = unit.await;
    done?;
    Ok(reading)
}

/// Everybody who is on a list now, for a send: nothing is kept of it.
///
/// # Errors
/// As [`read`]; half an audience is none.
pub(crate) async fn members(turn: &Turn, list: &CrmList) -> Result<Vec<RecordRef>, Fault> {
    let source = Source::of(turn, list).await?;
    let (mut members, mut next) = (Vec::new(), None);
    loop {
        let page = source.page(next.as_deref()).await?;
        members.extend(page.records.into_iter().filter_map(|row| match source.member {
            None => Some(row.at),
            Some(column) => row.lookup(column).map(|at| RecordRef::new(list.table, at.id)),
        }));
        match page.next {
            Some(more) => next = Some(more),
            None => return Ok(members),
        }
    }
}

/// Whom to ask, and what.
struct Source {
    crm: std::sync::Arc<dyn Crm>,
    query: Query,
    /// The column that names a member; none when rows are members themselves.
    member: Option<&'static str>,
}

impl Source {
    async fn of(turn: &Turn, list: &CrmList) -> Result<Source, Fault> {
        let crm = turn.engine.crm.clone();
        if !list.dynamic {
            let filter = Filter::eq("listid", list.at.clone());
            let query = Query::of("listmember").select(&["entityid"]).filter(filter);
            return Ok(Source { crm, query, member: Some("entityid") });
        }
        let query = query(&*crm, list).await?;
        Ok(Source { crm: owner(turn, list)?, query, member: None })
    }

    /// What changes when somebody joins or leaves a static list; empty when the CRM does not say.
    async fn probe(&self, turn: &Turn, list: &CrmList) -> String {
        if list.dynamic {
            return String::new();
        }
        let aggregate = |column: &str, function, alias: &str| Aggregate {
            column: column.to_owned(),
            function,
            alias: alias.to_owned(),
        };
        let aggregates = vec![
            aggregate("listmemberid", Function::Count, "members"),
            aggregate("createdon", Function::Max, "newest"),
        ];
        let filter = Filter::eq("listid", list.at.clone());
        let asked =
            turn.engine.crm.query(&Query { aggregates, ..Query::of("listmember").filter(filter) }).await;
        // More than 50,000 rows are not counted by some servers: then the list is read.
        let row = asked.ok().and_then(|mut rows| rows.pop());
        row.map_or(String::new(), |row| format!("{:?}", row.columns))
    }

    async fn page(&self, next: Option<&str>) -> Result<CrmPage, Fault> {
        self.crm.page(&self.query, PAGE, next).await
    }
}

/// The list's FetchXML as a query for ids.
async fn query(crm: &dyn Crm, list: &CrmList) -> Result<Query, Fault> {
    let unfit = |why: String| Fault::reject(Code::CRM_REFUSED, format!("the query of the list {why}"));
    let xml = match &list.query {
        Value::Text(text) => text.clone(),
        Value::Content(content) => String::from_utf8_lossy(&crm.read(content).await?).into_owned(),
        _ => return Err(unfit("is empty; nobody was removed".to_owned())),
    };
    let fetch = fetchxml::parse(&xml).map_err(|error| unfit(format!("cannot be read: {error}")))?;
    if fetch.query.table != list.table || fetch.query.computes() {
        return Err(unfit(format!("must ask for rows of {}", list.table)));
    }
    Ok(Query { columns: Some(Vec::new()), distinct: false, ..fetch.query })
}

/// The CRM as the list's owner sees it: conditions such as *owned by the current user* mean that one.
fn owner(turn: &Turn, list: &CrmList) -> Result<std::sync::Arc<dyn Crm>, Fault> {
    let refuse = |why: &str| {
        let text = format!("a dynamic list is asked for in its owner's name, {why}; nobody was removed");
        Fault::reject(Code::CRM_REFUSED, text)
    };
    let user = list.owner.as_ref().filter(|owner| owner.table == "systemuser");
    let user = user.ok_or_else(|| refuse("and this one belongs to no user: assign it to one"))?;
    turn.engine.crm.acting_for(user.id).ok_or_else(|| refuse("which this CRM does not allow"))
}

async fn whole(
    turn: &Turn,
    list: &CrmList,
    source: &Source,
    mut cursor: Cursor<Place>,
) -> Result<Cursor<Place>, Fault> {
    let began = turn.now();
    loop {
        let page = source.page(cursor.place.next.as_deref()).await?;
        let records: Vec<Uuid> = match source.member {
            None => page.records.iter().map(|row| row.at.id).collect(),
            Some(column) => {
                page.records.iter().filter_map(|row| row.lookup(column)).map(|at| at.id).collect()
            }
        };
        let ended = page.next.is_none();
        cursor.place.next = page.next;
        if ended {
            (cursor.place.going, cursor.place.at) = (false, Some(began));
        }
        let (account, id, table, reading) =
            (turn.account.name.clone(), list.at.id, list.table, cursor.place.reading);
        let unit = turn.engine.store.write("marketing.list_records", move |tx| {
            async move {
                put(tx, (&account, id, table), reading, &records).await?;
                if ended {
                    leave(tx, &account, id, reading).await?;
                }
                cursor.write(tx).await?;
                Ok(cursor)
            }
            .boxed()
        });
        let stored: Result<Cursor<Place>, Error> = unit.await;
        cursor = stored?;
        if ended {
            return Ok(cursor);
        }
    }
}

/// Notes members of a list as seen by a reading, with the addresses that they have. Nearly always they are there already:
/// then only the reading is written.
pub(super) async fn put(
    tx: &mut Tx,
    (account, list, table): (&str, Uuid, &str),
    reading: i64,
    records: &[Uuid],
) -> Result<(), Error> {
    let mut rows =
        Insert::into("list_record", &["account", "list", "record", "record_table", "address", "seen"])
            .or_skip();
    for some in records.chunks(ASKED) {
        let addresses = addresses(tx, table, some).await?;
        let before = kept(tx, (account, list), some).await?;
        let now = |record: &Uuid| addresses.get(record).map(String::as_str).unwrap_or_default();
        let is_same = |record: &Uuid| before.get(record).is_some_and(|before| before == now(record));
        let (same, fresh): (Vec<Uuid>, Vec<Uuid>) = some.iter().partition(|record| is_same(record));
        see(tx, (account, list), reading, &same).await?;
        remove(tx, (account, list), &fresh).await?;
        for record in fresh {
            let address = now(&record);
            rows.row([
                account.into(),
                list.into(),
                record.into(),
                table.into(),
                address.into(),
                reading.into(),
            ]);
        }
        know(tx, account, list, addresses.into_values()).await?;
    }
    tx.insert(&rows).await.map(drop)
}

/// The addresses with which some members are noted.
async fn kept(
    tx: &mut Tx,
    (account, list): (&str, Uuid),
    records: &[Uuid],
) -> Result<HashMap<Uuid, String>, Error> {
    let select = Sql::select()
        .columns(["record", "address"])
        .from("list_record")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .and_where(Expr::col("record").is_in(records.iter().copied()))
        .to_owned();
    tx.query(&select).await?.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
}

async fn see(
    tx: &mut Tx,
    (account, list): (&str, Uuid),
    reading: i64,
    records: &[Uuid],
) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let mut update = Sql::update();
    update
        .table("list_record")
        .value("seen", reading)
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .and_where(Expr::col("record").is_in(records.iter().copied()));
    tx.execute(&update).await.map(drop)
}

async fn remove(tx: &mut Tx, (account, list): (&str, Uuid), records: &[Uuid]) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let mut delete = Sql::delete();
    delete
        .from_table("list_record")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .and_where(Expr::col("record").is_in(records.iter().copied()));
    tx.execute(&delete).await.map(drop)
}

/// Notes members that were put on the list from here, as the last reading would have seen them.
pub(super) async fn add(
    tx: &mut Tx,
    (account, list, table): (&str, Uuid, &str),
    records: &[Uuid],
) -> Result<(), Error> {
    let place: Cursor<Place> = cursor::read(tx, account, &super::stream(list, "crm")).await?;
    put(tx, (account, list, table), place.place.reading, records).await
}

/// The first address of each of these people.
async fn addresses(tx: &mut Tx, table: &str, records: &[Uuid]) -> Result<HashMap<Uuid, String>, Error> {
    let select = Sql::select()
        .columns([("person_address", "record"), ("person_address", "address")])
        .from("person_address")
        .inner_join(
            "person",
            Expr::col(("person", "record"))
                .equals(("person_address", "record"))
                .and(Expr::col(("person", "record_table")).equals(("person_address", "record_table"))),
        )
        .and_where(Expr::col(("person", "gone")).eq(false))
        .and_where(Expr::col(("person_address", "record_table")).eq(table))
        .and_where(Expr::col(("person_address", "place")).eq(1))
        .and_where(Expr::col(("person_address", "record")).is_in(records.iter().copied()))
        .to_owned();
    tx.query(&select).await?.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
}

/// Every address of a list has a row that the comparison looks at.
async fn know(
    tx: &mut Tx,
    account: &str,
    list: Uuid,
    addresses: impl Iterator<Item = String>,
) -> Result<(), Error> {
    let mut rows =
        Insert::into("list_member", &["account", "list", "address", "there", "agreed", "todo"]).or_skip();
    for address in addresses {
        rows.row([account.into(), list.into(), address.into(), 0_i64.into(), false.into(), "".into()]);
    }
    tx.insert(&rows).await.map(drop)
}

/// Whoever a whole reading did not see is a member no longer.
async fn leave(tx: &mut Tx, account: &str, list: Uuid, reading: i64) -> Result<(), Error> {
    let mut delete = Sql::delete();
    delete
        .from_table("list_record")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .and_where(Expr::col("seen").ne(reading));
    tx.execute(&delete).await.map(drop)
}

/// Members whose person changed since: they may have another address, or none. It begins with the people, who are few, and not
/// with the list.
async fn moved(tx: &mut Tx, (account, list, table): (&str, Uuid, &str), mut after: i64) -> Result<(), Error> {
    loop {
        let select = Sql::select()
            .columns(["seq", "record"])
            .from("person")
            .and_where(Expr::col("seq").gt(after))
            .order_by("seq", Order::Asc)
            .limit(ASKED as u64)
            .to_owned();
        let rows = tx.query(&select).await?;
        let people = rows.iter().map(|row| row.at(1)).collect::<Result<Vec<Uuid>, Error>>()?;
        let before = kept(tx, (account, list), &people).await?;
        let members: Vec<Uuid> = before.keys().copied().collect();
        let now = addresses(tx, table, &members).await?;
        for (record, before) in before {
            let address = now.get(&record).map(String::as_str).unwrap_or_default();
            if address != before {
                let mut update = Sql::update();
                update
                    .table("list_record")
                    .value("address", address)
                    .and_where(Expr::col("account").eq(account))
                    .and_where(Expr::col("list").eq(list))
                    .and_where(Expr::col("record").eq(record));
                tx.execute(&update).await?;
            }
        }
        know(tx, account, list, now.into_values()).await?;
        match rows.last().filter(|_| rows.len() == ASKED) {
            Some(last) => after = last.at(0)?,
            None => return Ok(()),
        }
    }
}
