//! Rows that the service's filter against abuse stopped. It refuses an import whole and does not say whom it minds, so nobody in
//! it is sent again as it was: only what changed goes, or what a person puts back ([`crate::sync::replay`]).

use std::collections::HashMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Code, RecordRef};
use postroom_store::sql::{Expr, ExprTrait, OnConflict, Query};
use postroom_store::{Error, Tx};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Row;
use super::ledger::{Entry, Job};
use crate::people::TABLES;
use crate::sync::{Reject, Turn};

/// Records of one statement.
const ASKED: usize = 256;

/// What a row says, so that a row which says something else may go: the digest of its fields, where it has any.
pub(super) fn mark(row: &Row) -> Vec<u8> {
    match &row.digest {
        Some(digest) => digest[..16].to_vec(),
        None => Sha256::digest(format!("{:?}", row.contact))[..16].to_vec(),
    }
}

/// Parts the rows into those that may go, each with its place among all, and the places of those that were stopped.
pub(super) async fn part(turn: &Turn, rows: Vec<Row>) -> Result<(Vec<(usize, Row)>, Vec<usize>), Error> {
    let account = turn.account.name.clone();
    let records: Vec<Uuid> = rows.iter().map(|row| row.record.id).collect();
    let stopped = turn.read(move |tx| async move { stopped(tx, &account, &records).await }.boxed()).await?;
    let held = |row: &Row| stopped.get(&row.record).is_some_and(|known| *known == mark(row));
    let (mut going, mut staying) = (Vec::with_capacity(rows.len()), Vec::new());
    for (place, row) in rows.into_iter().enumerate() {
        if held(&row) {
            staying.push(place);
        } else {
            going.push((place, row));
        }
    }
    Ok((going, staying))
}

async fn stopped(tx: &mut Tx, account: &str, records: &[Uuid]) -> Result<HashMap<RecordRef, Vec<u8>>, Error> {
    let mut found = HashMap::new();
    let of_account = Query::select()
        .columns(["record_table", "record", "mark"])
        .from("import_stopped")
        .and_where(Expr::col("account").eq(account))
        .to_owned();
    // Nobody, nearly always: then it is one question for any number of rows.
    if tx.query_one(of_account.clone().limit(1)).await?.is_none() {
        return Ok(found);
    }
    for some in records.chunks(ASKED) {
        let mut these = of_account.clone();
        these.and_where(Expr::col("record_table").is_in(TABLES));
        these.and_where(Expr::col("record").is_in(some.iter().copied()));
        for row in tx.query(&these).await? {
            found.insert(RecordRef::new(row.at::<String>(0)?, row.at(1)?), row.at(2)?);
        }
    }
    Ok(found)
}

/// Stops these people as they are.
pub(super) async fn stop(tx: &mut Tx, account: &str, now: Timestamp, entries: &[Entry]) -> Result<(), Error> {
    for entry in entries {
        let mut again = OnConflict::columns(["account", "record_table", "record"]);
        again.update_columns(["mark", "at"]);
        let insert = Query::insert()
            .into_table("import_stopped")
            .columns(["account", "record_table", "record", "mark", "at"])
            .values_panic([
                account.into(),
                entry.record.table.as_str().into(),
                entry.record.id.into(),
                entry.mark.clone().into(),
                now.as_microsecond().into(),
            ])
            .on_conflict(again)
            .to_owned();
        tx.execute(&insert).await?;
    }
    Ok(())
}

/// Lets a record go again as it is: a person said so.
pub(crate) async fn release(tx: &mut Tx, account: &str, record: &RecordRef) -> Result<(), Error> {
    let mut delete = Query::delete();
    delete
        .from_table("import_stopped")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("record_table").eq(record.table.as_str()))
        .and_where(Expr::col("record").eq(record.id));
    tx.execute(&delete).await.map(drop)
}

/// What is shown of each.
pub(super) fn rejects(job: &Job, status: &str, entries: &[Entry]) -> Vec<Reject> {
    let reject = |entry: &Entry| Reject {
        subject: entry.record.to_string(),
        code: Some(Code::MARKETING_WATCHDOG),
        reason: format!(
            "import {job} of {} people was stopped by the service's filter against abuse; this person is sent again when the record changes, or when you replay this row",
            job.people
        ),
        sent: super::payload(entry),
        received: serde_json::json!({ "import": job.to_string(), "status": status }).to_string(),
    };
    entries.iter().map(reject).collect()
}
