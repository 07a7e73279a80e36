//! The rows of `import_job` and `import_row`: what was handed over, and what is still to be heard of it.

use std::ops::RangeInclusive;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::RecordRef;
use postroom_core::marketing::{ContactId, ImportCounts, ImportId};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Tx};
use uuid::Uuid;

use super::{Purpose, brake};
use crate::sync::{Turn, run};

const PLANNED: &str = "planned";
const RUNNING: &str = "running";
const ENTRY: [&str; 8] = ["place", "record_table", "record", "address", "contact", "digest", "base", "mark"];

/// An import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: Uuid,
    /// `None` while nobody knows whether the service took it.
    pub service: Option<ImportId>,
    pub people: u64,
    pub to_list: bool,
    pub begun: Timestamp,
}

/// A person in an import, and what is remembered when the service has taken the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub place: u64,
    pub record: RecordRef,
    /// In normal form; empty for somebody who is named by the contact only.
    pub address: String,
    pub contact: Option<ContactId>,
    pub digest: Option<Vec<u8>>,
    pub base: Option<String>,
    /// Of what is sent ([`super::brake`]).
    pub mark: Vec<u8>,
}

/// What finds a person of an import in its report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub place: u64,
    /// As in [`Entry`].
    pub address: String,
    pub contact: Option<ContactId>,
}

/// How an import ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub state: &'static str,
    pub status: String,
    pub counts: Option<ImportCounts>,
    /// People that the report does not account for.
    pub missing: Option<i64>,
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes down who is going out, before anything does; `is_new` when nobody of this import has been written down yet.
pub(super) async fn plan(
    turn: &mut Turn,
    purpose: &Purpose,
    job: &Job,
    is_new: bool,
    entries: Vec<Entry>,
) -> Result<(), Error> {
    let (account, purpose, run) = (turn.account.name.clone(), purpose.0.clone(), turn.run.0);
    let job = job.clone();
    let stored = turn.page("marketing.import_planned", move |tx, _| {
        async move {
            if is_new {
                insert_job(tx, &account, &purpose, run, &job).await?;
            }
            let mut columns = vec!["job"];
            columns.extend(ENTRY);
            let mut rows = Insert::into("import_row", &columns);
            for entry in entries {
                rows.row([
                    job.id.into(),
                    number(entry.place).into(),
                    entry.record.table.into(),
                    entry.record.id.into(),
                    entry.address.into(),
                    entry.contact.map(|contact| contact.0).into(),
                    entry.digest.into(),
                    entry.base.into(),
                    entry.mark.into(),
                ]);
            }
            tx.insert(&rows).await.map(drop)
        }
        .boxed()
    });
    stored.await
}

async fn insert_job(tx: &mut Tx, account: &str, purpose: &str, run: Uuid, job: &Job) -> Result<(), Error> {
    let columns = ["id", "account", "purpose", "run", "state", "to_list", "people", "begun"];
    let mut row = Insert::into("import_job", &columns);
    row.row([
        job.id.into(),
        account.into(),
        purpose.into(),
        run.into(),
        PLANNED.into(),
        job.to_list.into(),
        number(job.people).into(),
        job.begun.as_microsecond().into(),
    ]);
    tx.insert(&row).await.map(drop)
}

/// Stores an import's id, and what is known of it now that it is whole.
pub(super) async fn begun(turn: &mut Turn, job: &Job) -> Result<(), Error> {
    let job = job.clone();
    let stored = turn.page("marketing.import_begun", move |tx, _| {
        async move {
            let mut update = Query::update();
            update
                .table("import_job")
                .value("service_id", job.service.map(|id| id.0))
                .value("state", RUNNING)
                .value("people", number(job.people))
                .value("to_list", job.to_list)
                .value("begun", job.begun.as_microsecond())
                .and_where(Expr::col("id").eq(job.id));
            tx.execute(&update).await.map(drop)
        }
        .boxed()
    });
    stored.await
}

/// Imports for a purpose that have not been settled, oldest first.
pub(super) async fn open(turn: &Turn, purpose: &Purpose) -> Result<Vec<Job>, Error> {
    let (account, purpose) = (turn.account.name.clone(), purpose.0.clone());
    let read = turn.read(move |tx| {
        async move {
            let select = Query::select()
                .columns(["id", "service_id", "people", "to_list", "begun"])
                .from("import_job")
                .and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("purpose").eq(purpose))
                .and_where(Expr::col("state").is_in([PLANNED, RUNNING]))
                .order_by("begun", Order::Asc)
                .order_by("id", Order::Asc)
                .to_owned();
            let job = |row: &postroom_store::Row| {
                Ok(Job {
                    id: row.at(0)?,
                    service: row.at::<Option<String>>(1)?.map(ImportId),
                    people: row.at(2)?,
                    to_list: row.at(3)?,
                    begun: row.at(4)?,
                })
            };
            tx.query(&select).await?.iter().map(job).collect()
        }
        .boxed()
    });
    read.await
}

/// Who is in an import and has not been settled: only what finds them in its report, as there may be very many.
pub(super) async fn heads(turn: &Turn, job: Uuid) -> Result<Vec<Head>, Error> {
    let read = turn.read(move |tx| {
        async move {
            let select = Query::select()
                .columns(["place", "address", "contact"])
                .from("import_row")
                .and_where(Expr::col("job").eq(job))
                .order_by("place", Order::Asc)
                .to_owned();
            let head = |row: &postroom_store::Row| {
                let contact = row.at::<Option<i64>>(2)?.map(ContactId);
                Ok(Head { place: row.at(0)?, address: row.at(1)?, contact })
            };
            tx.query(&select).await?.iter().map(head).collect()
        }
        .boxed()
    });
    read.await
}

/// Those of an import at these places.
pub(super) async fn entries(
    tx: &mut Tx,
    job: Uuid,
    places: RangeInclusive<u64>,
) -> Result<Vec<Entry>, Error> {
    let select = Query::select()
        .columns(ENTRY)
        .from("import_row")
        .and_where(Expr::col("job").eq(job))
        .and_where(Expr::col("place").gte(number(*places.start())))
        .and_where(Expr::col("place").lte(number(*places.end())))
        .order_by("place", Order::Asc)
        .to_owned();
    let entry = |row: &postroom_store::Row| {
        Ok(Entry {
            place: row.at(0)?,
            record: RecordRef::new(row.at::<String>(1)?, row.at(2)?),
            address: row.at(3)?,
            contact: row.at::<Option<i64>>(4)?.map(ContactId),
            digest: row.at(5)?,
            base: row.at(6)?,
            mark: row.at(7)?,
        })
    };
    tx.query(&select).await?.iter().map(entry).collect()
}

/// Forgets who was settled.
pub(super) async fn settled(tx: &mut Tx, job: Uuid, places: RangeInclusive<u64>) -> Result<(), Error> {
    let mut delete = Query::delete();
    delete
        .from_table("import_row")
        .and_where(Expr::col("job").eq(job))
        .and_where(Expr::col("place").gte(number(*places.start())))
        .and_where(Expr::col("place").lte(number(*places.end())));
    tx.execute(&delete).await.map(drop)
}

/// Forgets a plan that may not have been carried out.
pub(super) async fn drop_plan(turn: &mut Turn, job: Uuid) -> Result<(), Error> {
    let stored = turn.page("marketing.import_dropped", move |tx, _| {
        async move { end(tx, job, None, &ended("dropped")).await }.boxed()
    });
    stored.await
}

/// Gives up an import of which nothing is heard.
pub(super) async fn give_up(turn: &mut Turn, job: Uuid) -> Result<(), Error> {
    let now = turn.now();
    let stored = turn.page("marketing.import_given_up", move |tx, _| {
        async move { end(tx, job, Some(now), &ended("lost")).await }.boxed()
    });
    stored.await
}

fn ended(state: &'static str) -> Settled {
    Settled { state, status: String::new(), counts: None, missing: None }
}

/// Notes an import's end, and forgets who was in it.
pub(super) async fn end(
    tx: &mut Tx,
    job: Uuid,
    at: Option<Timestamp>,
    settled: &Settled,
) -> Result<(), Error> {
    let counts = settled.counts.map(|counts| {
        serde_json::json!({
            "created": counts.created,
            "updated": counts.updated,
            "suppressed": counts.suppressed,
            "invalid": counts.invalid,
            "duplicates": counts.duplicates,
            "refused": counts.refused,
        })
        .to_string()
    });
    let mut update = Query::update();
    update
        .table("import_job")
        .value("state", settled.state)
        .value("status", settled.status.as_str())
        .value("counts", counts)
        .value("missing", settled.missing)
        .value("ended", at.map(Timestamp::as_microsecond))
        .and_where(Expr::col("id").eq(job));
    tx.execute(&update).await?;
    let mut delete = Query::delete();
    delete.from_table("import_row").and_where(Expr::col("job").eq(job));
    tx.execute(&delete).await.map(drop)
}

/// Notes that the service refused a whole import. Whom its filter stopped is shown, and not sent again as it was.
pub(super) async fn refused(turn: &mut Turn, job: &Job, status: String, stopped: bool) -> Result<(), Error> {
    let (ids, now, run, sync_type) = (turn.engine.ids.clone(), turn.now(), turn.run, turn.sync_type);
    let (account, job) = (turn.account.name.clone(), job.clone());
    let stored = turn.page("marketing.import_refused", move |tx, counts| {
        async move {
            if stopped {
                let entries = entries(tx, job.id, 0..=u64::MAX).await?;
                counts.to_service.sent += entries.len() as u64;
                counts.to_service.rejected += entries.len() as u64;
                brake::stop(tx, &account, now, &entries).await?;
                let rejects = brake::rejects(&job, &status, &entries);
                run::reject(tx, &ids, now, (run, &account, sync_type), &rejects).await?;
            }
            end(tx, job.id, Some(now), &Settled { status, ..ended("refused") }).await
        }
        .boxed()
    });
    stored.await
}
