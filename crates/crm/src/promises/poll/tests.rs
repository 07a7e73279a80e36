//! Runs against a table on a shelf, whose rows change between pages.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postroom_core::metadata::Metadata;
use postroom_core::query::{Comparison, Filter};
use postroom_core::{ChangesAsk, Clock, CrmPage, Fault, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::{LATE, Polled, Reads, begin, go_on};
use crate::promises::Listed;

/// A table, and the server's clock.
struct Shelf {
    rows: Mutex<Vec<Record>>,
    clock: Clock,
}

#[async_trait]
impl Reads for Shelf {
    async fn metadata(&self, _: &[&str]) -> Result<Arc<Metadata>, Fault> {
        Err(Fault::bug("nobody asks for definitions"))
    }

    async fn all(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        let mut rows = self.rows.lock().unwrap().clone();
        rows.sort_by_key(|row| std::cmp::Reverse(row.int("versionnumber")));
        rows.truncate(usize::try_from(query.top.unwrap()).unwrap());
        Ok(rows)
    }

    /// By version where that is asked for, by id otherwise; `after` is the number of rows before the page.
    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        let mut rows = self.rows.lock().unwrap().clone();
        rows.retain(|row| fits(row, &query.filter));
        match query.order.is_empty() {
            true => rows.sort_by_key(|row| row.at.id),
            false => rows.sort_by_key(|row| row.int("versionnumber")),
        }
        let from: usize = after.map_or(0, |after| after.parse().unwrap());
        let to = rows.len().min(from + size as usize);
        let next = (to < rows.len()).then(|| to.to_string());
        Ok(CrmPage { records: rows[from..to].to_vec(), next })
    }

    async fn many(&self, _: &[Query]) -> Result<Vec<Vec<Record>>, Fault> {
        Err(Fault::bug("nobody asks many queries"))
    }

    fn listed(&self) -> Listed {
        Listed { ids: 1, addresses: 1 }
    }

    fn clock(&self) -> Option<Timestamp> {
        Some(self.clock.now())
    }
}

fn fits(row: &Record, filter: &Filter) -> bool {
    match filter {
        Filter::All(all) => all.iter().all(|one| fits(row, one)),
        Filter::Any(any) => any.iter().any(|one| fits(row, one)),
        Filter::Compare(_, Comparison::Gt, Value::Int(version)) => row.int("versionnumber") > Some(*version),
        Filter::Compare(_, Comparison::Ge, Value::Time(time)) => super::changed(row) >= Some(*time),
        other => panic!("{other:?}"),
    }
}

impl Shelf {
    fn new() -> Shelf {
        Shelf { rows: Mutex::default(), clock: Clock::manual("2026-11-02T08:00:00Z".parse().unwrap()) }
    }

    /// Writes a row now, with this version.
    fn write(&self, id: u128, version: i64) {
        self.write_at(id, version, self.clock.now());
    }

    fn write_at(&self, id: u128, version: i64, changed: Timestamp) {
        let at = RecordRef::new("contact", Uuid::from_u128(id));
        let mut rows = self.rows.lock().unwrap();
        rows.retain(|row| row.at != at);
        rows.push(Record::new(at).with("versionnumber", version).with("modifiedon", Value::Time(changed)));
    }

    fn wait(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }

    /// One part of a run.
    async fn part(&self, run: Option<Polled>) -> (Vec<u128>, bool, Polled) {
        let size = if self.rows.lock().unwrap().len() > 100 { 500 } else { 2 };
        let ask = ChangesAsk { table: "contact".into(), columns: None, since: None, size };
        let (part, run) = match run {
            None => begin(self, &ask, &self.clock).await.unwrap(),
            Some(run) => go_on(self, &ask, run, &self.clock).await.unwrap(),
        };
        (part.records.iter().map(|row| row.at.id.as_u128()).collect(), part.more, run)
    }

    /// The rest of a run.
    async fn rest(&self, mut run: Option<Polled>) -> (Vec<u128>, Polled) {
        let mut all = Vec::new();
        loop {
            let (rows, more, next) = self.part(run).await;
            all.extend(rows);
            if !more {
                return (all, next);
            }
            run = Some(next);
        }
    }
}

/// The first row changes after its page was read; another one changes long after it, and is read.
#[tokio::test]
async fn a_row_that_changes_behind_a_full_run_is_read_by_the_next() {
    let shelf = Shelf::new();
    (1..=3).for_each(|id| shelf.write(id, 100 + i64::try_from(id).unwrap()));
    let (first, more, run) = shelf.part(None).await;
    assert_eq!((first, more), (vec![1, 2], true));
    shelf.wait(2);
    shelf.write(1, 105);
    shelf.wait(8);
    shelf.write(3, 106);
    let (rest, run) = shelf.rest(Some(run)).await;
    assert_eq!(rest, [3]);
    let (next, _) = shelf.rest(Some(run)).await;
    assert_eq!(next, [1], "the third is known as it is");
}

#[tokio::test]
async fn a_row_that_was_committed_late_is_read() {
    let shelf = Shelf::new();
    let (_, run) = shelf.rest(None).await;
    let begun = shelf.clock.now();
    shelf.write(2, 102);
    shelf.wait(1);
    let (rows, run) = shelf.rest(Some(run)).await;
    assert_eq!(rows, [2]);
    shelf.wait(1);
    shelf.write_at(1, 101, begun);
    let (rows, _) = shelf.rest(Some(run)).await;
    assert_eq!(rows, [1]);
}

#[tokio::test]
async fn a_burst_is_not_read_again_without_end() {
    let shelf = Shelf::new();
    shelf.write(1, 1);
    let (_, mut run) = shelf.rest(None).await;
    shelf.wait(10);
    (2..3002).for_each(|id| shelf.write(id, i64::try_from(id).unwrap()));
    let mut brought = Vec::new();
    for _ in 0..6 {
        let (rows, next) = shelf.rest(Some(run)).await;
        brought.push(rows.len());
        run = next;
        shelf.clock.advance(LATE);
    }
    assert_eq!(brought[0], 3000);
    assert_eq!(brought[3..], [0, 0, 0], "{brought:?}");
}
