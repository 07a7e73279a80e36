//! The ledger of what runs write on records of the CRM: kept before the CRM is written, bounded in age and size.
//!
//! A row is an intention. Whether the CRM took it is not noted: when the run is taken back, the record itself says whether it
//! still has what the row says. So a crash between the row and the write leaves nothing that could be undone wrongly.

use std::collections::{BTreeMap, HashSet};

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Fault, Record, RecordRef, RunId, Value};
use postroom_store::sql::{Expr, ExprTrait, Order, Query, SelectStatement};
use postroom_store::{Error, Insert, Row as Cells, Tx};
use uuid::Uuid;

use crate::engine::{Engine, Rules};
use crate::people::stored;
use crate::sync::Turn;

/// Rows that are forgotten in one unit.
const FORGOTTEN: i64 = 10_000;

/// What was done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Columns were changed.
    Columns,
    /// The record was made.
    Made,
    /// It became a member of a marketing list.
    Joined(Uuid),
    /// It was taken off one.
    Left(Uuid),
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Columns => "columns",
            Kind::Made => "made",
            Kind::Joined(_) => "joined",
            Kind::Left(_) => "left",
        }
    }

    fn list(self) -> Option<Uuid> {
        match self {
            Kind::Joined(list) | Kind::Left(list) => Some(list),
            Kind::Columns | Kind::Made => None,
        }
    }

    fn of(word: &str, list: Option<Uuid>) -> Kind {
        match (word, list) {
            ("joined", Some(list)) => Kind::Joined(list),
            ("left", Some(list)) => Kind::Left(list),
            ("columns", _) => Kind::Columns,
            // What nobody knows is not touched.
            _ => Kind::Made,
        }
    }
}

/// Columns by name; one that is empty is not there.
pub type Columns = BTreeMap<String, Value>;

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub kind: Kind,
    pub record: RecordRef,
    /// The columns as they were read before, and as they are written.
    pub was: Columns,
    pub now: Columns,
}

impl Write {
    /// The columns of a record, and what they were before.
    pub fn columns(record: &Record, was: &Columns) -> Write {
        let full = record.columns.iter().filter(|(_, value)| *value != Value::Null);
        let now = full.map(|(name, value)| (name.to_string(), value.clone())).collect();
        Write { kind: Kind::Columns, record: record.at.clone(), was: was.clone(), now }
    }

    /// A write without columns: a record that is made, or a membership.
    pub fn of(kind: Kind, record: RecordRef) -> Write {
        Write { kind, record, was: Columns::new(), now: Columns::new() }
    }
}

/// A write as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub place: i64,
    pub write: Write,
    /// `None` while nobody tried to take it back.
    pub outcome: Option<Outcome>,
    /// Why it was left.
    pub why: Option<String>,
}

/// What became of a write when its run was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Back,
    /// It was as before already.
    AsBefore,
    Left,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Back => "back",
            Outcome::AsBefore => "as_before",
            Outcome::Left => "left",
        }
    }

    fn of(word: &str) -> Outcome {
        match word {
            "back" => Outcome::Back,
            "as_before" => Outcome::AsBefore,
            _ => Outcome::Left,
        }
    }
}

/// How much of a run is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub rows: u64,
    /// False when the run wrote more than is kept.
    pub whole: bool,
}

/// Keeps what is about to be written to the CRM. Call it before the write; a dry run keeps nothing.
///
/// # Errors
/// The store's: then nothing may be written.
pub async fn intend(turn: &Turn, writes: Vec<Write>) -> Result<(), Fault> {
    let most = turn.engine.rules.undo_rows;
    if turn.dry || writes.is_empty() || most == 0 {
        return Ok(());
    }
    let (run, account, now) = (turn.run, turn.account.name.clone(), turn.now());
    let unit = turn.engine.store.write("marketing.write_intended", move |tx| {
        async move { keep(tx, run, &account, now, most, writes).await }.boxed()
    });
    let first: Result<bool, Error> = unit.await;
    if first? {
        turn.engine.forget_written(run).await?;
    }
    Ok(())
}

/// Adds rows of a run, as many as may be kept; true for the first ones.
async fn keep(
    tx: &mut Tx,
    run: RunId,
    account: &str,
    now: Timestamp,
    most: u64,
    mut writes: Vec<Write>,
) -> Result<bool, Error> {
    let known = kept(tx, run).await?;
    let have = known.map_or(0, |kept| kept.rows);
    let room = usize::try_from(most.saturating_sub(have)).unwrap_or(usize::MAX);
    let whole = known.is_none_or(|kept| kept.whole) && writes.len() <= room;
    writes.truncate(room);
    let rows = count(have) + count(writes.len() as u64);
    match known {
        None => {
            let mut head = Insert::into("sync_written_run", &["run", "account", "at", "rows", "whole"]);
            head.row([run.0.into(), account.into(), now.as_microsecond().into(), rows.into(), whole.into()]);
            tx.insert(&head).await?;
        }
        Some(_) => {
            let mut head = Query::update();
            head.table("sync_written_run").value("rows", rows).value("whole", whole);
            tx.execute(head.and_where(Expr::col("run").eq(run.0))).await?;
        }
    }
    let mut insert = Insert::into(
        "sync_written",
        &["run", "place", "kind", "record_table", "record", "list", "was", "now"],
    );
    for (place, write) in (count(have)..).zip(writes) {
        insert.row([
            run.0.into(),
            place.into(),
            write.kind.as_str().into(),
            write.record.table.into(),
            write.record.id.into(),
            write.kind.list().into(),
            json(&write.was).into(),
            json(&write.now).into(),
        ]);
    }
    tx.insert(&insert).await?;
    Ok(known.is_none())
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn json(columns: &Columns) -> String {
    stored::write(columns.iter().map(|(name, value)| (name.as_str(), value)))
}

/// How much of a run is kept; `None` when nothing is.
pub async fn kept(tx: &mut Tx, run: RunId) -> Result<Option<Kept>, Error> {
    let select = Query::select()
        .columns(["rows", "whole"])
        .from("sync_written_run")
        .and_where(Expr::col("run").eq(run.0))
        .to_owned();
    let read = |row: Cells| Ok(Kept { rows: row.at(0)?, whole: row.at(1)? });
    tx.query_one(&select).await?.map(read).transpose()
}

/// A select over the writes of a run, newest first, to be narrowed.
fn select(run: RunId) -> SelectStatement {
    Query::select()
        .columns(["place", "kind", "record_table", "record", "list", "was", "now", "outcome", "why"])
        .from("sync_written")
        .and_where(Expr::col("run").eq(run.0))
        .order_by("place", Order::Desc)
        .to_owned()
}

async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Row>, Error> {
    let read = |row: &Cells| {
        let (kind, table, outcome): (String, String, Option<String>) = (row.at(1)?, row.at(2)?, row.at(7)?);
        let (was, now): (String, String) = (row.at(5)?, row.at(6)?);
        Ok(Row {
            place: row.at(0)?,
            write: Write {
                kind: Kind::of(&kind, row.at(4)?),
                record: RecordRef::new(table, row.at(3)?),
                was: stored::read(&was),
                now: stored::read(&now),
            },
            outcome: outcome.as_deref().map(Outcome::of),
            why: row.at(8)?,
        })
    };
    tx.query(select).await?.iter().map(read).collect()
}

/// The writes of a run before a place that have not gone back, newest first.
pub(super) async fn before(tx: &mut Tx, run: RunId, place: i64, most: u64) -> Result<Vec<Row>, Error> {
    let mut next = select(run);
    let open = Expr::col("outcome").is_null().or(Expr::col("outcome").eq(Outcome::Left.as_str()));
    next.and_where(Expr::col("place").lt(place)).and_where(open).limit(most);
    load(tx, &next).await
}

/// The writes of a run that were left, newest first.
pub async fn left(tx: &mut Tx, run: RunId, most: u64) -> Result<Vec<Row>, Error> {
    let mut left = select(run);
    left.and_where(Expr::col("outcome").eq(Outcome::Left.as_str())).limit(most);
    load(tx, &left).await
}

/// The records of the last writes of a run.
pub(super) async fn last(tx: &mut Tx, run: RunId, most: u64) -> Result<HashSet<RecordRef>, Error> {
    let mut last = select(run);
    last.limit(most);
    Ok(load(tx, &last).await?.into_iter().map(|row| row.write.record).collect())
}

/// Notes what became of writes.
pub(super) async fn settle(
    tx: &mut Tx,
    run: RunId,
    settled: &[(i64, Outcome, Option<String>)],
) -> Result<(), Error> {
    for (place, outcome, why) in settled {
        let mut update = Query::update();
        update
            .table("sync_written")
            .value("outcome", outcome.as_str())
            .value("why", why.clone())
            .and_where(Expr::col("run").eq(run.0))
            .and_where(Expr::col("place").eq(*place));
        tx.execute(&update).await?;
    }
    Ok(())
}

impl Engine {
    /// Forgets what is older than the rules keep, and what is more, oldest runs first. `current` stays.
    ///
    /// # Errors
    /// The store's.
    async fn forget_written(&self, current: RunId) -> Result<(), Fault> {
        let (rules, now) = (self.rules.clone(), self.clock.now());
        let read = self.store.read(move |tx| async move { too_much(tx, &rules, now).await }.boxed());
        let runs: Result<Vec<(RunId, u64)>, Error> = read.await;
        for (run, rows) in runs?.into_iter().filter(|(run, _)| *run != current) {
            let mut upto = FORGOTTEN;
            loop {
                let last = upto >= count(rows);
                let unit = self.store.write("marketing.written_forgotten", move |tx| {
                    async move { forget(tx, run, upto, last).await }.boxed()
                });
                let done: Result<(), Error> = unit.await;
                done?;
                if last {
                    break;
                }
                upto += FORGOTTEN;
            }
        }
        Ok(())
    }
}

/// Runs of which nothing is kept any longer.
async fn too_much(tx: &mut Tx, rules: &Rules, now: Timestamp) -> Result<Vec<(RunId, u64)>, Error> {
    let select = Query::select()
        .columns(["run", "rows", "at"])
        .from("sync_written_run")
        .order_by("at", Order::Desc)
        .to_owned();
    let oldest = now.checked_sub(rules.undo_age).unwrap_or(Timestamp::MIN).as_microsecond();
    let (mut sum, mut gone) = (0_u64, Vec::new());
    for row in tx.query(&select).await? {
        let (run, rows, at): (Uuid, u64, i64) = (row.at(0)?, row.at(1)?, row.at(2)?);
        sum = sum.saturating_add(rows);
        if sum > rules.undo_rows || at < oldest {
            gone.push((RunId(run), rows));
        }
    }
    Ok(gone)
}

async fn forget(tx: &mut Tx, run: RunId, upto: i64, last: bool) -> Result<(), Error> {
    let mut rows = Query::delete();
    rows.from_table("sync_written").and_where(Expr::col("run").eq(run.0));
    tx.execute(rows.and_where(Expr::col("place").lt(upto))).await?;
    if last {
        let mut head = Query::delete();
        tx.execute(head.from_table("sync_written_run").and_where(Expr::col("run").eq(run.0))).await?;
    }
    Ok(())
}
