//! What is older than the settings keep goes, in lots: first the CRM's rows, then what is here.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Change, ChangeSet, RecordRef, Verdict};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};

use super::record;
use super::rows::{self, Stored};
use crate::sync::{Halt, Turn};

/// Rows of one lot.
const LOT: u64 = 500;

/// Deletes what is too old.
///
/// # Errors
/// The CRM's; what went until then is gone.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let settings = turn.account.settings.events.clone();
    let before =
        |kept: Option<SignedDuration>, now: Timestamp| kept.and_then(|kept| now.checked_sub(kept).ok());
    let (here, there) = (before(settings.keep, turn.now()), before(settings.keep_in_crm, turn.now()));
    if turn.dry {
        return Ok(());
    }
    // What goes here goes there as well.
    if let Some(limit) = here.max(there) {
        in_crm(turn, limit).await?;
    }
    if let Some(limit) = here {
        in_store(turn, limit).await?;
    }
    Ok(())
}

async fn in_crm(turn: &mut Turn, limit: Timestamp) -> Result<(), Halt> {
    loop {
        let account = turn.account.name.clone();
        let old = turn.read(move |tx| async move { old(tx, &account, limit, true).await }.boxed()).await?;
        if old.is_empty() {
            return Ok(());
        }
        let gone: Vec<RecordRef> =
            old.iter().filter_map(|row| record::reference(row.event.facts.kind(), &row.event.key)).collect();
        let sets = gone.into_iter().map(|at| ChangeSet { changes: vec![Change::Delete(at)] }).collect();
        let mut rejects = Vec::new();
        for (row, answer) in old.iter().zip(turn.engine.crm.apply(sets).await) {
            match answer {
                Ok(_) => {}
                Err(fault) if fault.verdict == Verdict::Reject => {
                    let sent = format!("delete {}", row.event.key);
                    rejects.push(crate::sync::turn::rejected(row.event.address.clone(), &fault, sent));
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        let account = turn.account.name.clone();
        let stored = turn.page("marketing.events_out_of_crm", move |tx, counts| {
            async move {
                counts.removed += old.len() as u64;
                out_of_crm(tx, &account, &old).await
            }
            .boxed()
        });
        stored.await?;
        turn.reject(rejects).await?;
    }
}

async fn in_store(turn: &mut Turn, limit: Timestamp) -> Result<(), Halt> {
    loop {
        let account = turn.account.name.clone();
        let stored = turn.page("marketing.events_expired", move |tx, _| {
            async move {
                let old = old(tx, &account, limit, false).await?;
                let mut delete = Query::delete();
                delete
                    .from_table("event")
                    .and_where(Expr::col("account").eq(account))
                    .and_where(Expr::col("key").is_in(old.iter().map(|row| row.event.key.as_str())));
                tx.execute(&delete).await
            }
            .boxed()
        });
        if stored.await? == 0 {
            return Ok(());
        }
    }
}

async fn old(tx: &mut Tx, account: &str, limit: Timestamp, in_crm: bool) -> Result<Vec<Stored>, Error> {
    let mut old = rows::select(account);
    old.and_where(Expr::col("at").lt(limit.as_microsecond()))
        .and_where(Expr::col("in_crm").eq(in_crm))
        .order_by("at", Order::Asc)
        .limit(LOT);
    rows::load(tx, &old).await
}

async fn out_of_crm(tx: &mut Tx, account: &str, rows: &[Stored]) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("event")
        .value("in_crm", false)
        .value("told_crm", true)
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("key").is_in(rows.iter().map(|row| row.event.key.as_str())));
    tx.execute(&update).await.map(drop)
}
