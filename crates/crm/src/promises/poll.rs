//! Runs through the changes of a table whose server keeps no account of them.
//!
//! Rows whose `versionnumber` is higher than the highest seen, or whose `modifiedon` is not much older than the run before: a
//! row that was committed late has a lower number than one that was read before it, but was changed at nearly the same time.
//! Rows that come again so are left out by their versions. Deletions are found by whoever reads: once a day the run brings
//! every row. Such a run reads the rows in no order of change, so the next one goes by what was the highest when it began.

use jiff::{SignedDuration, Timestamp};
use postroom_core::query::{Comparison, Filter};
use postroom_core::{ChangesAsk, Clock, CrmChanges, Fault, Query, Record, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Reads;

/// How long after a change a row may become visible: the platform ends transactions after two minutes.
const LATE: SignedDuration = SignedDuration::from_mins(5);
/// Versions remembered of rows that will come again; of more, some come twice.
const REMEMBERED: usize = 1000;
/// Every row is read again so often where deletions are not told.
const WHOLE: SignedDuration = SignedDuration::from_hours(24);

/// Where a run stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Polled {
    /// Rows up to this version were seen when the run before ended; `None` in a full run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    /// What it may have missed was changed [`LATE`] before this at most: the newest `modifiedon` that it saw, or when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest_before: Option<Timestamp>,
    /// The highest version seen so far; in a full run, the highest when it began.
    high: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<Timestamp>,
    /// When this run began, by the server's clock or by ours, whichever is behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Timestamp>,
    /// Late in time: rows that will come again, with their versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    seen: Vec<(Uuid, i64, Timestamp)>,
    /// The place of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// When every row was read last.
    whole: Timestamp,
}

/// Begins a run with every row.
pub(crate) async fn begin(
    reads: &impl Reads,
    ask: &ChangesAsk,
    clock: &Clock,
) -> Result<(CrmChanges, Polled), Fault> {
    let run = whole(reads, ask, clock).await?;
    go_on(reads, ask, run, clock).await
}

/// The beginning of a run with every row, and the highest version that there is.
async fn whole(reads: &impl Reads, ask: &ChangesAsk, clock: &Clock) -> Result<Polled, Fault> {
    let mut query = Query { columns: ask.columns.clone(), ..Query::of(&ask.table) };
    if query.columns.is_some() {
        query.columns = Some(Vec::new());
        add_marks(&mut query);
    }
    let rows = reads.all(&query.order_by("versionnumber", true).top(1)).await?;
    let high = rows.first().and_then(|row| row.int("versionnumber")).unwrap_or_default();
    let newest = rows.first().and_then(changed);
    Ok(Polled { high, newest, whole: clock.now(), ..Polled::default() })
}

/// The next part of a run, without its token, and where it stands then.
pub(crate) async fn go_on(
    reads: &impl Reads,
    ask: &ChangesAsk,
    mut run: Polled,
    clock: &Clock,
) -> Result<(CrmChanges, Polled), Fault> {
    if run.after.is_none() {
        if run.since.is_some() && clock.now().duration_since(run.whole) > WHOLE {
            run = whole(reads, ask, clock).await?;
        }
        run.began = reads.clock().map(|there| there.min(clock.now()));
    }
    let full = run.since.is_none();
    let mut query = Query { columns: ask.columns.clone(), ..Query::of(&ask.table) };
    let hidden = add_marks(&mut query);
    if let Some(since) = run.since {
        query = query.filter(newer(since, run.newest_before)).order_by("versionnumber", false);
    }
    let page = reads.page(&query, ask.size, run.after.as_deref()).await?;
    let mut records = Vec::with_capacity(page.records.len());
    for mut row in page.records {
        if run.notes(&row) {
            row.columns.retain(|(name, _)| !hidden.contains(&name.as_str()));
            records.push(row);
        }
    }
    let more = page.next.is_some();
    run.after = page.next;
    if !more {
        run.since = Some(run.high);
        run.newest_before = run.newest.map(|newest| run.began.map_or(newest, |began| began.max(newest)));
        run.forget();
    }
    Ok((CrmChanges { records, gone: Vec::new(), token: String::new(), more, full }, run))
}

/// The columns that a run goes by; answers those that were not asked for.
fn add_marks(query: &mut Query) -> Vec<&'static str> {
    let Some(columns) = &mut query.columns else { return Vec::new() };
    let mut hidden = Vec::new();
    for mark in ["versionnumber", "modifiedon"] {
        if !columns.iter().any(|column| column == mark) {
            columns.push(mark.to_owned());
            hidden.push(mark);
        }
    }
    hidden
}

/// When a row was changed.
fn changed(row: &Record) -> Option<Timestamp> {
    match row.get("modifiedon") {
        Some(Value::Time(time)) => Some(*time),
        _ => None,
    }
}

fn newer(since: i64, newest: Option<Timestamp>) -> Filter {
    let version = Filter::Compare("versionnumber".into(), Comparison::Gt, Value::Int(since));
    let late = newest.and_then(|newest| newest.checked_sub(LATE).ok());
    match late {
        None => version,
        Some(late) => {
            let time = Filter::Compare("modifiedon".into(), Comparison::Ge, Value::Time(late));
            Filter::Any(vec![version, time])
        }
    }
}

impl Polled {
    /// Takes note of a row; false when it came before as it is.
    fn notes(&mut self, row: &Record) -> bool {
        let (Some(version), Some(time)) = (row.int("versionnumber"), changed(row)) else {
            return true;
        };
        // In a full run another row may have changed after its page was read, and before this one.
        if self.since.is_some() {
            self.high = self.high.max(version);
            self.newest = self.newest.max(Some(time));
        }
        let known = self.seen.iter().position(|(id, ..)| *id == row.at.id);
        let fresh = known.is_none_or(|at| self.seen[at].1 != version);
        if let Some(at) = known {
            self.seen.swap_remove(at);
        }
        self.seen.push((row.at.id, version, time));
        if self.seen.len() > 2 * REMEMBERED {
            self.forget();
        }
        fresh
    }

    /// Rows that will not come again need not be known, and of many only the newest.
    fn forget(&mut self) {
        let late = self.newest.and_then(|newest| newest.checked_sub(LATE).ok());
        self.seen.retain(|(_, _, time)| late.is_none_or(|late| *time >= late));
        self.seen.sort_by_key(|(_, version, _)| std::cmp::Reverse(*version));
        self.seen.truncate(REMEMBERED);
    }
}

#[cfg(test)]
mod tests;
