//! What becomes of people afterwards: a lead is qualified, records are merged, and somebody turns up in the CRM whose mail was
//! opened before. Rows that are about them are told again; ids stay, so their lookups change and nothing is doubled.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::Value;
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rows;
use super::settings::Settings;
use crate::people::stored;
use crate::sync::cursor::{self, Cursor};
use crate::sync::{Halt, Turn};

/// People of one page.
const PAGE: u64 = 500;
/// Values of one statement.
const ASKED: usize = 256;
/// The column of a contact that names the lead that it was.
const ORIGIN: &str = "originatingleadid";

/// How far the people have been looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Seq(i64);

/// A person that changed.
struct Changed {
    seq: i64,
    record: Uuid,
    lead: Option<Uuid>,
    merged: bool,
}

/// Looks at everybody who changed since the last time.
///
/// # Errors
/// The store's.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let mut cursor: Cursor<Seq> =
        turn.read(move |tx| async move { cursor::read(tx, &account, "events/people").await }.boxed()).await?;
    loop {
        let after = cursor.place.0;
        let found = turn.read(move |tx| async move { changed(tx, after).await }.boxed()).await?;
        let Some(last) = found.iter().map(|one| one.seq).max() else { return Ok(()) };
        let (account, dry, now) = (turn.account.name.clone(), turn.dry, turn.now());
        let settings = turn.account.settings.events.clone();
        cursor.place = Seq(last);
        let stored = turn.page("marketing.events_followed", move |tx, _| {
            async move {
                follow(tx, &account, &settings, now, &found).await?;
                if !dry {
                    cursor.write(tx).await?;
                }
                Ok(cursor)
            }
            .boxed()
        });
        cursor = stored.await?;
    }
}

async fn changed(tx: &mut Tx, after: i64) -> Result<Vec<Changed>, Error> {
    let select = Query::select()
        .columns(["seq", "record", "record_table", "master", "fields"])
        .from("person")
        .and_where(Expr::col("seq").gt(after))
        .order_by("seq", Order::Asc)
        .limit(PAGE)
        .to_owned();
    let one = |row: &postroom_store::Row| {
        let (table, master, fields): (String, Option<Uuid>, String) = (row.at(2)?, row.at(3)?, row.at(4)?);
        let names = table == "contact" && fields.contains(ORIGIN);
        let lead = names.then(|| stored::read(&fields).remove(ORIGIN)).flatten();
        let lead = lead.as_ref().and_then(Value::as_lookup).map(|lead| lead.id);
        Ok(Changed { seq: row.at(0)?, record: row.at(1)?, lead, merged: master.is_some() })
    };
    tx.query(&select).await?.iter().map(one).collect()
}

async fn follow(
    tx: &mut Tx,
    account: &str,
    settings: &Settings,
    now: Timestamp,
    changed: &[Changed],
) -> Result<(), Error> {
    let mut again: Vec<Uuid> = changed.iter().filter(|one| one.merged).map(|one| one.record).collect();
    for (contact, lead) in changed.iter().filter_map(|one| Some((one.record, one.lead?))) {
        origin(tx, lead, contact).await?;
        again.push(lead);
    }
    let mut told = Vec::new();
    for some in again.chunks(ASKED) {
        told.extend(those(tx, account, Expr::col("record").is_in(some.iter().copied())).await?);
    }
    let records: Vec<Uuid> = changed.iter().map(|one| one.record).collect();
    for some in addresses(tx, &records).await?.chunks(ASKED) {
        let there = those(tx, account, Expr::col("address").is_in(some.iter().map(String::as_str))).await?;
        told.extend(there.into_iter().filter(|told| told.of_nobody));
    }
    retell(tx, account, settings, now, told).await
}

/// Notes what a lead became. The run of another account may have done so.
async fn origin(tx: &mut Tx, lead: Uuid, contact: Uuid) -> Result<(), Error> {
    let mut row = Insert::into("lead_contact", &["lead", "contact"]).or_skip();
    row.row([lead.into(), contact.into()]);
    tx.insert(&row).await.map(drop)
}

async fn addresses(tx: &mut Tx, records: &[Uuid]) -> Result<Vec<String>, Error> {
    let select = Query::select()
        .column("address")
        .distinct()
        .from("person_address")
        .and_where(Expr::col("record").is_in(records.iter().copied()))
        .to_owned();
    tx.query(&select).await?.iter().map(|row| row.at(0)).collect()
}

/// A row that may be told again.
struct Told {
    key: String,
    kind: String,
    at: Timestamp,
    /// No record was found for it.
    of_nobody: bool,
}

/// The rows with these records or addresses. Nothing else narrows the question: a planner without figures takes *no record yet*
/// for rare, and would look at every row that the CRM has yet to hear of.
async fn those(tx: &mut Tx, account: &str, which: Expr) -> Result<Vec<Told>, Error> {
    let columns = ["account", "key", "kind", "at", "record"];
    let select = Query::select().columns(columns).from("event").and_where(which).to_owned();
    let mut found = Vec::new();
    for row in tx.query(&select).await? {
        if row.at::<String>(0)? == account {
            let of_nobody = row.at::<Option<Uuid>>(4)?.is_none();
            found.push(Told { key: row.at(1)?, kind: row.at(2)?, at: row.at(3)?, of_nobody });
        }
    }
    Ok(found)
}

/// Marks rows to be told again, of kinds that the CRM is told; what was too old for it is so still.
async fn retell(
    tx: &mut Tx,
    account: &str,
    settings: &Settings,
    now: Timestamp,
    mut told: Vec<Told>,
) -> Result<(), Error> {
    let kinds: Vec<&str> =
        settings.to_crm.iter().filter(|kind| settings.tells(**kind)).map(|kind| kind.as_str()).collect();
    told.retain(|one| {
        kinds.contains(&one.kind.as_str()) && !rows::is_older(one.at, settings.keep_in_crm, now)
    });
    for some in told.chunks(ASKED) {
        let mut update = Query::update();
        update
            .table("event")
            .value("told_crm", false)
            .value("version", Expr::col("version").add(1))
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("key").is_in(some.iter().map(|one| one.key.as_str())));
        tx.execute(&update).await?;
    }
    Ok(())
}
