//! The run that takes another one back, in lots, from the run's last write to its first.
//!
//! Each lot: the records are read; what goes back is kept in the ledger as this run's own write, then written if nobody
//! changed the record since it was read, then told to the service; outcome and place are one unit. After a crash the lot is
//! looked at again, and finds what it has done.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Code, Fault, Filter, Query, Record, RecordRef, RunId, Value};
use postroom_store::sql::{Expr, ExprTrait, Query as Sql};
use postroom_store::{Error, Tx};

use super::compare::{CHANGED, GONE, Verdict, compare};
use super::written::{self, Columns, Kind, Outcome, Row, Write};
use super::{Left, SHOWN, members, service};
use crate::imports;
use crate::mapping::book::Book;
use crate::people::TABLES;
use crate::sync::{Halt, Turn};

/// Writes of one lot.
pub(super) const LOT: u64 = 200;

const MADE: &str = "the run made this record; it stays, as deleting it would delete the person at the service: delete it in the CRM if it is not wanted";

/// What became of the writes of a lot.
#[derive(Default)]
pub(super) struct Settled {
    pub all: Vec<(i64, Outcome, Option<String>)>,
    pub left: Vec<Left>,
    /// How many were left for which reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

impl Settled {
    pub fn left(&mut self, row: &Row, why: &'static str) {
        self.left_as(row, why, why.to_owned());
    }

    fn left_as(&mut self, row: &Row, reason: &'static str, why: String) {
        *self.skipped.entry(reason).or_default() += 1;
        self.left.push(Left { record: row.write.record.clone(), why: why.clone() });
        self.all.push((row.place, Outcome::Left, Some(why)));
    }

    pub fn done(&mut self, row: &Row, outcome: Outcome) {
        self.all.push((row.place, outcome, None));
    }
}

pub(super) async fn run(turn: &mut Turn, undone: RunId) -> Result<Vec<Left>, Halt> {
    turn.engine.read_people().await?;
    let book = Book::of(turn.engine.crm.as_ref(), turn.connected.row().id).await?;
    imports::resume(turn, &service::purpose()).await?;
    let own = turn.run;
    let mut place = turn.read(move |tx| async move { reached(tx, own).await }.boxed()).await?;
    let mut left = Vec::new();
    loop {
        let (before, dry) = (place, turn.dry);
        let lot = turn.read(move |tx| async move { written::before(tx, undone, before, LOT).await }.boxed());
        let lot = alone(lot.await?);
        let Some(last) = lot.last() else { return Ok(left) };
        place = last.place;
        let mut settled = Settled::default();
        let (columns, others): (Vec<Row>, Vec<Row>) =
            lot.into_iter().partition(|row| row.write.kind == Kind::Columns);
        let number = (columns.len() + others.len()) as u64;
        values(turn, undone, &book, columns, &mut settled).await?;
        let (made, memberships): (Vec<Row>, Vec<Row>) =
            others.into_iter().partition(|row| row.write.kind == Kind::Made);
        made.iter().for_each(|row| settled.left_as(row, "made by the run", MADE.to_owned()));
        members::back(turn, memberships, &mut settled).await?;
        let room = SHOWN.saturating_sub(left.len());
        left.extend(settled.left.into_iter().take(room));
        let (all, skipped) = (settled.all, settled.skipped);
        let stored = turn.page("marketing.undone", move |tx, counts| {
            async move {
                counts.read += number;
                skipped.into_iter().for_each(|(why, number)| counts.skip(why, number));
                if !dry {
                    written::settle(tx, undone, &all).await?;
                    reach(tx, own, place).await?;
                }
                Ok(())
            }
            .boxed()
        });
        stored.await?;
    }
}

/// Up to the second write of one record: that one is judged by what the first leaves.
fn alone(lot: Vec<Row>) -> Vec<Row> {
    let mut seen = BTreeSet::new();
    let key = |row: &Row| (row.write.record.clone(), row.write.kind.as_str(), list(row.write.kind));
    lot.into_iter().take_while(|row| seen.insert(key(row))).collect()
}

fn list(kind: Kind) -> Option<uuid::Uuid> {
    match kind {
        Kind::Joined(list) | Kind::Left(list) => Some(list),
        Kind::Columns | Kind::Made => None,
    }
}

/// The place that an undo has come to.
async fn reached(tx: &mut Tx, run: RunId) -> Result<i64, Error> {
    let select =
        Sql::select().column("undo_place").from("sync_run").and_where(Expr::col("id").eq(run.0)).to_owned();
    let row = tx.query_one(&select).await?;
    let place: Option<i64> = row.map_or(Ok(None), |row| row.at(0))?;
    Ok(place.unwrap_or(i64::MAX))
}

async fn reach(tx: &mut Tx, run: RunId, place: i64) -> Result<(), Error> {
    let mut update = Sql::update();
    update.table("sync_run").value("undo_place", place).and_where(Expr::col("id").eq(run.0));
    tx.execute(&update).await.map(drop)
}

/// Columns go back.
async fn values(
    turn: &mut Turn,
    undone: RunId,
    book: &Book,
    rows: Vec<Row>,
    settled: &mut Settled,
) -> Result<(), Halt> {
    if rows.is_empty() {
        return Ok(());
    }
    let current = current(turn, &rows).await?;
    let begun = begun(turn, undone).await?;
    let mut going: Vec<(Row, Verdict, Record)> = Vec::new();
    // What goes back at the service: this lot's, and what a run that was cut had written already.
    let mut told: Vec<(RecordRef, Columns)> = Vec::new();
    for row in rows {
        let record = current.get(&row.write.record);
        let verdict = compare(&row.write, record);
        if begun.contains(&row.write.record) && !verdict.as_before.is_empty() {
            told.push((row.write.record.clone(), verdict.as_before.clone()));
        }
        match record.filter(|_| !verdict.back.is_empty()) {
            Some(record) => going.push((row, verdict, record.clone())),
            None => judged(&row, &verdict, Outcome::AsBefore, settled),
        }
    }
    let back = write(turn, going, settled).await?;
    told.extend(back);
    service::tell(turn, book, told).await
}

/// The records that this run, or the undo before it, wrote last: when that was cut, the service may not have heard of them.
async fn begun(turn: &Turn, undone: RunId) -> Result<HashSet<RecordRef>, Error> {
    let own = turn.run;
    let read = turn.read(move |tx| {
        async move {
            let mut begun = written::last(tx, own, LOT).await?;
            if let Some(before) = super::undo_before(tx, undone, own).await? {
                begun.extend(written::last(tx, before, LOT).await?);
            }
            Ok(begun)
        }
        .boxed()
    });
    read.await
}

/// Notes a write that went back, or had nothing to go back.
fn judged(row: &Row, verdict: &Verdict, outcome: Outcome, settled: &mut Settled) {
    match (verdict.why(), verdict.left.first()) {
        (Some(why), Some((_, reason))) => settled.left_as(row, reason, why),
        _ => settled.done(row, outcome),
    }
}

/// The records as they are now; who is gone is not among them.
async fn current(turn: &Turn, rows: &[Row]) -> Result<HashMap<RecordRef, Record>, Fault> {
    let mut found = HashMap::new();
    for table in TABLES {
        let of_table: Vec<&Write> =
            rows.iter().map(|row| &row.write).filter(|write| write.record.table == table).collect();
        if of_table.is_empty() {
            continue;
        }
        let names: BTreeSet<&str> = of_table
            .iter()
            .flat_map(|write| write.was.keys().chain(write.now.keys()))
            .map(String::as_str)
            .chain(["versionnumber"])
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        let ids: Vec<Value> = of_table.iter().map(|write| Value::Guid(write.record.id)).collect();
        for some in ids.chunks(100) {
            let these = Filter::In(format!("{table}id"), some.to_vec());
            let query = Query::of(table).select(&names).filter(these);
            found.extend(turn.engine.crm.query(&query).await?.into_iter().map(|row| (row.at.clone(), row)));
        }
    }
    Ok(found)
}

/// Writes the CRM; answers what went back.
async fn write(
    turn: &mut Turn,
    going: Vec<(Row, Verdict, Record)>,
    settled: &mut Settled,
) -> Result<Vec<(RecordRef, Columns)>, Halt> {
    let of = |(row, verdict, _): &(Row, Verdict, Record)| Write {
        kind: Kind::Columns,
        record: row.write.record.clone(),
        was: named(&row.write.now, &verdict.back),
        now: named(&row.write.was, &verdict.back),
    };
    written::intend(turn, going.iter().map(of).collect()).await?;
    let change = |(row, verdict, record): &(Row, Verdict, Record)| {
        let columns = verdict.back.iter();
        let back = columns.fold(Record::new(row.write.record.clone()), |record, (column, value)| {
            record.with(column.clone(), value.clone())
        });
        let change = match record.int("versionnumber") {
            Some(version) => Change::UpdateIf(back, version),
            None => Change::Update(back),
        };
        ChangeSet { changes: vec![change] }
    };
    let answers = match turn.dry || going.is_empty() {
        true => going.iter().map(|_| Ok(Vec::new())).collect(),
        false => turn.engine.crm.apply(going.iter().map(change).collect()).await,
    };
    let (mut back, mut rejects, mut stop) = (Vec::new(), Vec::new(), None);
    for ((row, verdict, _), answer) in going.into_iter().zip(answers) {
        let side = &mut turn.counts.to_crm;
        match answer {
            Ok(_) => {
                (side.sent, side.changed) = (side.sent + 1, side.changed + 1);
                judged(&row, &verdict, Outcome::Back, settled);
                back.push((row.write.record, verdict.back));
            }
            Err(fault) if fault.code == Code::CRM_VERSION => settled.left(&row, CHANGED),
            Err(fault) if fault.code == Code::CRM_NOT_FOUND => settled.left(&row, GONE),
            Err(fault) if fault.verdict == postroom_core::Verdict::Reject => {
                side.refused();
                let sent = format!("{:?}", verdict.back);
                rejects.push(crate::sync::turn::rejected(row.write.record.to_string(), &fault, sent));
                settled.left_as(&row, "refused by the CRM", fault.message);
            }
            Err(fault) => stop = Some(fault),
        }
    }
    turn.reject(rejects).await?;
    stop.map_or(Ok(back), |fault| Err(fault.into()))
}

/// Of these columns, those that others name.
fn named(columns: &Columns, others: &Columns) -> Columns {
    columns
        .iter()
        .filter(|(name, _)| others.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
