//! Bodies that go: named first ([`doom`]), looked for in every area that refers to bodies, and removed when nobody does
//! ([`sweep`]).
//!
//! Two steps, because a body may be shared and looking for its other holders takes a while: whoever lets go of a body
//! names it in the unit of letting go, so a crash forgets none, and a later sweep decides. A body that is stored again
//! meanwhile ([`crate::body::put`]) is spared.
//!
//! Why none is lost on PostgreSQL, where units run side by side: whoever stores a body that is there already locks its
//! row until the unit ends, and a sweep locks the row before its last look, so one of the two sees the other.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::BodyHash;
use sea_query::{ColumnDef, Expr, ExprTrait, LockType, Order, Query, Table, Value};

use crate::migrate::{Ddl, Migration};
use crate::{Dialect, Error, Insert, Store, Tx};

/// Bodies looked for in one go: each go reads the tables of all areas once.
const PAGE: u64 = 500;

pub(crate) const MIGRATION: Migration =
    Migration { area: "store", number: 2, name: "bodies that go", statements: tables };

fn tables() -> Vec<Ddl> {
    let doomed = Table::create()
        .table("body_doomed")
        .col(ColumnDef::new("hash").binary().not_null().primary_key())
        .to_owned();
    vec![Ddl::CreateTable(doomed)]
}

/// An area whose rows refer to bodies.
pub trait Holder: Send + Sync {
    /// Those of `among` that rows of the area refer to. Reads only, and awaits nothing but the `Tx`.
    fn held<'t>(
        &'t self,
        tx: &'t mut Tx,
        among: &'t [BodyHash],
    ) -> BoxFuture<'t, Result<Vec<BodyHash>, Error>>;
}

/// What became of the bodies that were named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub removed: u64,
    /// Somebody else refers to them.
    pub kept: u64,
}

/// Names bodies that the caller's unit lets go of.
pub async fn doom(tx: &mut Tx, hashes: &[BodyHash]) -> Result<(), Error> {
    let mut rows = Insert::into("body_doomed", &["hash"]).or_skip();
    for hash in hashes {
        rows.row([hash.0.to_vec().into()]);
    }
    tx.insert(&rows).await.map(drop)
}

/// Takes bodies off the list, and locks those that are there until the unit ends; answers which these are.
pub(crate) async fn spare(tx: &mut Tx, hashes: &[BodyHash]) -> Result<HashSet<BodyHash>, Error> {
    let mut there = HashSet::new();
    for some in hashes.chunks(PAGE as usize) {
        there.extend(locked(tx, some, LockType::Share).await?);
        forget(tx, some).await?;
    }
    Ok(there)
}

/// Removes every body on the list that no holder refers to. May be repeated at any time, by any process; stopped half-way,
/// the next call goes on.
pub async fn sweep(store: &Store, holders: &[Arc<dyn Holder>]) -> Result<Swept, Error> {
    let holders: Arc<[Arc<dyn Holder>]> = holders.into();
    let mut swept = Swept::default();
    let mut after = None;
    loop {
        let asked = holders.clone();
        let looked = store.read(move |tx| async move { look(tx, &asked, after).await }.boxed());
        let (page, held): (Vec<BodyHash>, HashSet<BodyHash>) = looked.await?;
        let Some(last) = page.last() else { return Ok(swept) };
        after = Some(*last);
        let (holders, going) = (holders.clone(), page.clone());
        let unit = store
            .write("store.sweep", move |tx| async move { remove(tx, &holders, going, held).await }.boxed());
        let gone: Vec<BodyHash> = unit.await?;
        for hash in &gone {
            store.recent().take(*hash);
        }
        swept.removed += gone.len() as u64;
        swept.kept += (page.len() - gone.len()) as u64;
    }
}

async fn look(
    tx: &mut Tx,
    holders: &[Arc<dyn Holder>],
    after: Option<BodyHash>,
) -> Result<(Vec<BodyHash>, HashSet<BodyHash>), Error> {
    let mut select = Query::select();
    select.column("hash").from("body_doomed").order_by("hash", Order::Asc).limit(PAGE);
    if let Some(after) = after {
        select.and_where(Expr::col("hash").gt(after.0.to_vec()));
    }
    let page: Vec<BodyHash> =
        tx.query(&select).await?.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
    let held = held(tx, holders, &page).await?;
    Ok((page, held))
}

async fn held(
    tx: &mut Tx,
    holders: &[Arc<dyn Holder>],
    among: &[BodyHash],
) -> Result<HashSet<BodyHash>, Error> {
    let mut all = HashSet::new();
    for holder in holders.iter().filter(|_| !among.is_empty()) {
        all.extend(holder.held(tx, among).await?);
    }
    Ok(all)
}

/// Removes what nobody holds, and takes the whole page off the list; answers what went.
async fn remove(
    tx: &mut Tx,
    holders: &[Arc<dyn Holder>],
    page: Vec<BodyHash>,
    mut held_before: HashSet<BodyHash>,
) -> Result<Vec<BodyHash>, Error> {
    let there = locked(tx, &page, LockType::Update).await?;
    // Spared while we looked: stored again by somebody.
    let still = Query::select().column("hash").from("body_doomed").and_where(is_one_of(&page)).to_owned();
    let still: HashSet<BodyHash> =
        tx.query(&still).await?.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
    if tx.dialect() == Dialect::Postgres {
        // On SQLite nobody wrote between the look and this unit that did not spare what it stored.
        held_before.extend(held(tx, holders, &page).await?);
    }
    let goes = |hash: &BodyHash| there.contains(hash) && still.contains(hash) && !held_before.contains(hash);
    let gone: Vec<BodyHash> = page.iter().copied().filter(goes).collect();
    for table in ["body_chunk", "body"] {
        let delete = Query::delete().from_table(table).and_where(is_one_of(&gone)).to_owned();
        tx.execute(&delete).await?;
    }
    forget(tx, &page).await?;
    Ok(gone)
}

/// The bodies of these that are there, locked in one order for all. SQLite has one writer and locks nothing.
async fn locked(tx: &mut Tx, hashes: &[BodyHash], lock: LockType) -> Result<HashSet<BodyHash>, Error> {
    let select = Query::select()
        .column("hash")
        .from("body")
        .and_where(is_one_of(hashes))
        .order_by("hash", Order::Asc)
        .lock(lock)
        .to_owned();
    tx.query(&select).await?.iter().map(|row| row.at(0)).collect()
}

async fn forget(tx: &mut Tx, hashes: &[BodyHash]) -> Result<(), Error> {
    let delete = Query::delete().from_table("body_doomed").and_where(is_one_of(hashes)).to_owned();
    tx.execute(&delete).await.map(drop)
}

fn is_one_of(hashes: &[BodyHash]) -> Expr {
    Expr::col("hash").is_in(hashes.iter().map(|hash| Value::from(hash.0.to_vec())))
}
