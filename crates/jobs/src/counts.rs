//! How much waits, per kind: for the pages, `postroom status` and the gauges.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postroom_core::Code;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Store, Tx};

use crate::schema::{LEASED, READY, SHELF, in_state};

/// The queue of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ready, due or not; `held` among them.
    pub ready: u64,
    /// Ready, but their last attempt met wrong credentials or configuration: somebody must act.
    pub held: u64,
    pub leased: u64,
    pub shelf: u64,
    /// The earliest time for which a ready or leased job is or was due.
    pub oldest_due: Option<Timestamp>,
}

impl Counts {
    /// Seconds by which the oldest unfinished job is late; 0 when none is.
    pub fn oldest_seconds(&self, now: Timestamp) -> f64 {
        self.oldest_due.map_or(0.0, |due| now.duration_since(due).as_secs_f64().max(0.0))
    }
}

/// Everything that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    pub kinds: BTreeMap<String, Counts>,
    /// Shelved jobs by the code of their last failure.
    pub shelf: BTreeMap<Code, u64>,
}

/// Counts the whole queue.
pub async fn backlog(store: &Store) -> Result<Backlog, Error> {
    store.read(|tx| Box::pin(read(tx))).await
}

async fn read(tx: &mut Tx) -> Result<Backlog, Error> {
    let mut backlog = Backlog::default();
    let mut by_state = Query::select();
    by_state
        .columns(["kind", "state"])
        .expr(Expr::col("seq").count())
        .expr(Expr::col("due").min())
        .from("job")
        .group_by_columns(["kind", "state"]);
    for row in tx.query(&by_state).await? {
        let counts = backlog.kinds.entry(row.at(0)?).or_default();
        let (state, count, due): (String, u64, Timestamp) = (row.at(1)?, row.at(2)?, row.at(3)?);
        match state.as_str() {
            READY => counts.ready = count,
            LEASED => counts.leased = count,
            _ => counts.shelf = count,
        }
        if state != SHELF {
            counts.oldest_due = Some(counts.oldest_due.map_or(due, |oldest| oldest.min(due)));
        }
    }
    let mut held = Query::select();
    held.column("kind")
        .expr(Expr::col("seq").count())
        .from("job")
        .and_where(in_state(READY))
        .and_where(Expr::col("last_verdict").eq("hold"))
        .group_by_col("kind");
    for row in tx.query(&held).await? {
        backlog.kinds.entry(row.at(0)?).or_default().held = row.at(1)?;
    }
    let mut shelf = Query::select();
    shelf
        .column("last_code")
        .expr(Expr::col("seq").count())
        .from("job")
        .and_where(in_state(SHELF))
        .group_by_col("last_code");
    for row in tx.query(&shelf).await? {
        let code: Option<i64> = row.at(0)?;
        let code = code.and_then(|code| u16::try_from(code).ok()).map_or(Code::INTERNAL, Code);
        *backlog.shelf.entry(code).or_default() += row.at::<u64>(1)?;
    }
    Ok(backlog)
}

/// The gauges of the queue. Keeps what it has shown, so that a kind whose last job went falls to 0.
#[derive(Debug, Default)]
pub struct Gauges {
    shown: Backlog,
}

impl Gauges {
    /// Sets the gauges: call it when metrics are asked for.
    pub fn publish(&mut self, backlog: &Backlog, now: Timestamp) {
        for kind in self.shown.kinds.keys().filter(|kind| !backlog.kinds.contains_key(*kind)) {
            set_kind(kind, &Counts::default(), now);
        }
        for code in self.shown.shelf.keys().filter(|code| !backlog.shelf.contains_key(code)) {
            set_shelf(*code, 0);
        }
        backlog.kinds.iter().for_each(|(kind, counts)| set_kind(kind, counts, now));
        backlog.shelf.iter().for_each(|(code, count)| set_shelf(*code, *count));
        self.shown = backlog.clone();
    }
}

fn set_kind(kind: &str, counts: &Counts, now: Timestamp) {
    let pending = (counts.ready + counts.leased) as f64;
    metrics::gauge!("postroom_outbox_pending", "type" => kind.to_owned()).set(pending);
    metrics::gauge!("postroom_outbox_oldest_seconds", "type" => kind.to_owned())
        .set(counts.oldest_seconds(now));
    metrics::gauge!("postroom_jobs_held", "type" => kind.to_owned()).set(counts.held as f64);
}

fn set_shelf(code: Code, count: u64) {
    metrics::gauge!("postroom_shelf_items", "code" => code.to_string()).set(count as f64);
}
