//! `record import`: lines of JSON into rows, many at a time; or tried, and taken back.

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Crm, Fault, Imported, Outcome, Record};
use postroom_store::Error;

use crate::crm::Answers;
use crate::{Embedded, content, crm, json};

/// Rows written in one unit.
const LOT: usize = 500;
/// Rows tried in one unit: later ones see the earlier ones. While they are tried, nobody else writes, so this is bounded.
const TRIED: usize = 10_000;

impl Embedded {
    pub(crate) async fn import_lines(&self, lines: &[String], dry_run: bool) -> Result<Vec<Imported>, Fault> {
        let schema = self.schema().await?;
        let mut imported = Vec::with_capacity(lines.len());
        for lot in lines.chunks(if dry_run { TRIED } else { LOT }) {
            let rows: Vec<Result<Record, Fault>> = lot.iter().map(|line| json::line(&schema, line)).collect();
            let sets = rows.iter().flatten().map(upsert).collect();
            let answers = if dry_run { self.tried(sets).await } else { self.apply(sets).await };
            let mut answers = answers.into_iter();
            imported.extend(rows.into_iter().map(|row| match row {
                Err(fault) => Imported { record: None, outcome: Err(fault) },
                Ok(row) => {
                    let answer = answers.next().expect("each set has an answer");
                    let outcome = answer.map(|of| of.first().copied().unwrap_or(Outcome::Unchanged));
                    Imported { record: Some(row.at), outcome }
                }
            }));
        }
        Ok(imported)
    }

    /// What [`Crm::apply`] would answer. The same unit, rolled back at its end: no step of its own, as it is never durable.
    async fn tried(&self, mut sets: Vec<ChangeSet>) -> Answers {
        let count = sets.len();
        let mut lots = Vec::new();
        while !sets.is_empty() {
            let rest = sets.split_off(LOT.min(sets.len()));
            lots.push((content::store_files(&mut sets), sets));
            sets = rest;
        }
        let (writer, cache) = (self.writer(), self.cache.clone());
        let unit = self.store.rehearse(move |tx| {
            async move {
                let mut answers = Vec::with_capacity(count);
                for (files, sets) in lots {
                    let put = crm::put(tx, cache.clone(), writer, files, sets).await?;
                    answers.extend(crm::faults(put.1));
                }
                Ok(answers)
            }
            .boxed()
        });
        let answers: Result<Answers, Error> = unit.await;
        answers.unwrap_or_else(|error| crm::same_for_all(error, count))
    }
}

fn upsert(row: &Record) -> ChangeSet {
    ChangeSet { changes: vec![Change::Upsert(row.clone())] }
}
