//! The rows of `list_opt_out`: who left one list, by what the ledger says of it. They change as suppressions do
//! ([`crate::suppressions::rows`]), each for one list.

use std::collections::HashMap;

use jiff::Timestamp;
use postroom_core::Ids;
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Row as Cells, Tx};

use crate::consent::by_address::ByAddress;
use crate::consent::carry;
use crate::consent::history::{self, Entry, Said, Scope};
use crate::consent::ledger::{self, Noted};
use crate::suppressions::rows::{self, Origin, Row, SaidOut, Told, Written, addresses, fold, noted};
use crate::sync::forecast::Foretold;
use crate::sync::{Act, Counts, Sample, To};

/// Those of a suppression, and the list.
const COLUMNS: [&str; 12] = [
    "account",
    "address",
    "active",
    "status",
    "since",
    "known",
    "contact",
    "origin",
    "told_crm",
    "told_service",
    "version",
    "list",
];
const ROWS: ByAddress = ByAddress { table: "list_opt_out", columns: &COLUMNS };

/// Somebody who left a list of the service, or came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    pub list: i64,
    pub row: Row,
}

impl Departure {
    /// What a dry run shows of telling a side.
    pub(crate) fn sample(&self, to: To) -> Sample {
        let act = if self.row.active { Act::Leave } else { Act::LetBack };
        Sample { act, ..self.row.sample(to) }.word("list", self.list.to_string())
    }
}

/// Takes departures from one list (of this account, by its id at the service) into the ledger and the table. `origin` has said it
/// itself, so only the other side is to be told. What the service says of an address counts as well for those that the person has
/// now.
pub async fn take(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    (account, list): (&str, i64),
    origin: Origin,
    said: &[SaidOut],
) -> Result<Written, Error> {
    let written = write(tx, ids, now, (account, list), origin, said).await?;
    if origin == Origin::Service {
        let more = carry::said_elsewhere(tx, account, said).await?;
        write(tx, ids, now, (account, list), Origin::Crm, &more).await?;
    }
    Ok(written)
}

/// The same for these addresses alone.
pub(crate) async fn write(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    (account, list): (&str, i64),
    origin: Origin,
    said: &[SaidOut],
) -> Result<Written, Error> {
    let entries: Vec<Noted> = said.iter().map(|said| noted(account, Scope::List(list), now, said)).collect();
    ledger::add(tx, ids, &entries).await?;
    let addresses: Vec<String> = entries.into_iter().map(|noted| noted.address).collect();
    let mut rows = load(tx, (account, list), &addresses).await?;
    let (written, changed) = fold(account, origin, now, said, &mut rows);
    put(tx, (account, list), changed).await?;
    Ok(written)
}

/// Of a dry run: what either side would be told of these people, after [`take`].
pub(crate) async fn foretell(
    tx: &mut Tx,
    (account, list): (&str, i64),
    said: &[SaidOut],
    counts: &mut Counts,
    foretold: &mut Foretold,
) -> Result<(), Error> {
    let rows = load(tx, (account, list), &addresses(said)).await?;
    for row in rows.into_values() {
        let sides: Vec<To> = row.untold().map(|sample| sample.to).collect();
        let one = Departure { list, row };
        foretold.count(counts, sides.into_iter().map(|to| one.sample(to)));
    }
    Ok(())
}

/// Explicit, dated consent to one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidIn {
    pub address: String,
    pub at: Timestamp,
    pub source: String,
    pub actor: String,
    /// Without it nothing is lifted.
    pub proof: String,
}

/// Lifts a departure by consent that is newer than every one that the ledger has; answers whether the address may be on the list
/// now.
pub async fn lift(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    (account, list): (&str, i64),
    said: &SaidIn,
) -> Result<bool, Error> {
    let entry = Entry {
        scope: Scope::List(list),
        said: Said::In,
        at: said.at,
        known: now,
        source: said.source.clone(),
        actor: said.actor.clone(),
        proof: said.proof.clone(),
    };
    let noted = Noted { account: account.to_owned(), address: said.address.clone(), entry };
    ledger::add(tx, ids, &[noted]).await?;
    let found = load(tx, (account, list), std::slice::from_ref(&said.address)).await?;
    let Some(row) = found.into_values().next().filter(|row| row.active) else { return Ok(true) };
    // A row keeps when the person left first; the ledger has the last time, too.
    if said.at <= row.since || !is_open(tx, account, list, &said.address).await? {
        return Ok(false);
    }
    let lifted = Row {
        active: false,
        since: said.at,
        origin: Origin::Crm,
        told_crm: false,
        told_service: false,
        version: row.version + 1,
        ..row
    };
    put(tx, (account, list), vec![lifted]).await?;
    Ok(true)
}

/// What everything that was ever said of the list comes to, whatever the clocks that dated it say now.
async fn is_open(tx: &mut Tx, account: &str, list: i64, address: &str) -> Result<bool, Error> {
    let all = ledger::of(tx, address).await?;
    let own = all.into_iter().filter(|noted| noted.account.is_empty() || noted.account == account);
    let entries: Vec<Entry> = own.map(|noted| noted.entry).collect();
    Ok(history::on(&entries, &Scope::List(list), Timestamp::MAX, Timestamp::MAX).open)
}

/// Everybody who left a list and did not come back.
pub(super) async fn active(tx: &mut Tx, (account, list): (&str, i64)) -> Result<Vec<Row>, Error> {
    let select = Query::select()
        .columns(COLUMNS)
        .from("list_opt_out")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .and_where(Expr::col("active").eq(true))
        .to_owned();
    tx.query(&select).await?.iter().map(|cells| Ok(read(cells)?.row)).collect()
}

async fn load(
    tx: &mut Tx,
    (account, list): (&str, i64),
    addresses: &[String],
) -> Result<HashMap<String, Row>, Error> {
    let own = Expr::col("account").eq(account).and(Expr::col("list").eq(list));
    let rows = narrowed(tx, addresses, own).await?;
    Ok(rows.into_iter().map(|found| (found.row.address.clone(), found.row)).collect())
}

/// Who of these addresses is off which list, of every account.
pub(crate) async fn standing_of(tx: &mut Tx, addresses: &[String]) -> Result<Vec<Departure>, Error> {
    narrowed(tx, addresses, Expr::col("active").eq(true)).await
}

async fn narrowed(tx: &mut Tx, addresses: &[String], condition: Expr) -> Result<Vec<Departure>, Error> {
    ROWS.read(tx, addresses, condition, read).await
}

fn read(cells: &Cells) -> Result<Departure, Error> {
    Ok(Departure { row: rows::read(cells)?, list: cells.at(11)? })
}

async fn put(tx: &mut Tx, (account, list): (&str, i64), rows: Vec<Row>) -> Result<(), Error> {
    let addresses: Vec<&str> = rows.iter().map(|row| row.address.as_str()).collect();
    ROWS.clear(tx, &addresses, Expr::col("account").eq(account).and(Expr::col("list").eq(list))).await?;
    let mut insert = Insert::into(ROWS.table, &COLUMNS);
    for row in rows {
        insert.row(row.cells().into_iter().chain([list.into()]));
    }
    tx.insert(&insert).await.map(drop)
}

/// Rows of which a side has yet to hear, behind a list and address.
pub async fn untold(
    tx: &mut Tx,
    account: &str,
    side: Told,
    after: &(i64, String),
    limit: u64,
) -> Result<Vec<Departure>, Error> {
    let behind = Expr::col("list")
        .gt(after.0)
        .or(Expr::col("list").eq(after.0).and(Expr::col("address").gt(after.1.as_str())));
    let select = Query::select()
        .columns(COLUMNS)
        .from("list_opt_out")
        .and_where(Expr::col(side.column()).eq(false))
        .and_where(Expr::col("account").eq(account))
        .and_where(behind)
        .order_by("list", Order::Asc)
        .order_by("address", Order::Asc)
        .limit(limit)
        .to_owned();
    tx.query(&select).await?.iter().map(read).collect()
}

/// How many rows a side has yet to hear of.
pub async fn waiting(tx: &mut Tx, account: &str, side: Told) -> Result<u64, Error> {
    let select = Query::select()
        .expr(Expr::col("address").count())
        .from("list_opt_out")
        .and_where(Expr::col(side.column()).eq(false))
        .and_where(Expr::col("account").eq(account))
        .to_owned();
    tx.query_one(&select).await?.map_or(Ok(0), |row| row.at(0))
}

/// Notes that a side was told of these rows as they were.
pub async fn told(tx: &mut Tx, side: Told, rows: &[Departure]) -> Result<(), Error> {
    for Departure { list, row } in rows {
        let mut update = Query::update();
        update
            .table("list_opt_out")
            .value(side.column(), true)
            .and_where(Expr::col("account").eq(row.account.as_str()))
            .and_where(Expr::col("list").eq(*list))
            .and_where(Expr::col("address").eq(row.address.as_str()))
            .and_where(Expr::col("version").eq(row.version));
        tx.execute(&update).await?;
    }
    Ok(())
}
