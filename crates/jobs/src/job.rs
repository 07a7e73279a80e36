//! Jobs as callers and workers see them.

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::{Fault, Ids, JobId};
use postroom_store::sql::{Expr, ExprTrait, Query, Value};
use postroom_store::{Error, Insert, Tx};
use serde::Deserialize;

use crate::events::FenceRejected;
use crate::schema::{READY, in_state};

/// A job to be written.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// The name of the worker that runs it: `mail.file`.
    pub kind: &'static str,
    /// Jobs of one lane run one after another, in the order of their enqueueing, over all kinds. Empty: no order.
    pub lane: String,
    /// With a key, the job is not written while one of the same kind and key is unfinished (ready, running or shelved).
    pub key: Option<String>,
    pub payload: serde_json::Value,
    /// Not before this time; `None`: at once.
    pub due: Option<Timestamp>,
}

impl NewJob {
    /// A job without lane, key or delay.
    pub fn new(kind: &'static str, payload: serde_json::Value) -> Self {
        NewJob { kind, lane: String::new(), key: None, payload, due: None }
    }

    pub fn lane(mut self, lane: impl Into<String>) -> Self {
        self.lane = lane.into();
        self
    }

    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub fn due(mut self, due: Timestamp) -> Self {
        self.due = Some(due);
        self
    }
}

/// Writes jobs in the caller's transaction; answers how many were new. After the commit call `store.wake()`.
pub async fn enqueue(tx: &mut Tx, ids: &Ids, now: Timestamp, jobs: Vec<NewJob>) -> Result<u64, Error> {
    let columns = ["id", "kind", "lane", "key", "payload", "state", "due", "attempt", "fence", "first_at"];
    let mut rows = Insert::into("job", &columns).or_skip();
    for job in jobs {
        let lane = (!job.lane.is_empty()).then_some(job.lane);
        rows.row([
            ids.next().into(),
            job.kind.into(),
            lane.into(),
            job.key.into(),
            job.payload.to_string().into(),
            READY.into(),
            job.due.unwrap_or(now).as_microsecond().into(),
            0_i64.into(),
            0_i64.into(),
            now.as_microsecond().into(),
        ]);
    }
    tx.insert(&rows).await
}

/// A leased job in the hands of a worker.
#[derive(Debug, Clone)]
pub struct Claim {
    pub id: JobId,
    /// The job's place in the queue.
    pub seq: i64,
    /// Empty when the job has no order.
    pub lane: String,
    pub key: Option<String>,
    pub payload: serde_json::Value,
    /// 1 the first time.
    pub attempt: u32,
    /// Proves that the lease is still ours; see [`finish`].
    pub fence: i64,
    /// When the job was enqueued.
    pub first_at: Timestamp,
}

impl Claim {
    /// The payload as the worker's own type. A payload that does not fit is a bug and goes to the shelf.
    pub fn read<'c, T: Deserialize<'c>>(&'c self) -> Result<T, Fault> {
        T::deserialize(&self.payload).map_err(|error| {
            Fault::bug(format!("the payload of a job cannot be read: {error}")).with_source(error)
        })
    }
}

/// How a worker ended a job well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The work is done; the runner removes the job.
    Completed,
    /// The worker called [`finish`] in its own unit; the job is gone already.
    Finished,
}

/// The code that runs jobs of one kind, many at a time.
#[async_trait]
pub trait Worker: Send + Sync {
    /// The kind of job it runs; unique in a runner.
    fn kind(&self) -> &'static str;

    /// The most jobs it takes in one go.
    fn lot(&self) -> usize;

    /// Runs a lot and answers for each job. A job without an answer counts as failed by a bug. After a panic the jobs of
    /// the lot that are not finished are given again, one by one.
    async fn run(&self, lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)>;

    /// Whether a fault says that a peer is away for everybody. Such a try does not count: the job waits for the peer, for two
    /// weeks from its enqueueing, and only then do its tries count.
    fn is_away(&self, _fault: &Fault) -> bool {
        false
    }

    /// Called in the unit that puts a job of this kind on the shelf, with the reason: so that what the job is about shows it.
    async fn shelved(&self, _tx: &mut Tx, _job: &Claim, _why: &str) -> Result<(), Error> {
        Ok(())
    }
}

/// Removes finished jobs in the transaction that holds their results. Fails with [`Error::Conflict`], and so undoes the
/// whole unit, when the lease of any of them was lost: somebody else runs it now.
pub async fn finish(tx: &mut Tx, claims: &[&Claim]) -> Result<(), Error> {
    if claims.is_empty() {
        return Ok(());
    }
    let mut delete = Query::delete();
    delete
        .from_table("job")
        .and_where(Expr::col("seq").is_in(padded(claims.iter().map(|claim| claim.seq))))
        .and_where(in_state(crate::schema::LEASED))
        .returning(Query::returning().columns(["seq", "fence"]));
    let mut gone = Vec::with_capacity(claims.len());
    for row in tx.returning(&delete).await? {
        gone.push((row.at::<i64>(0)?, row.at::<i64>(1)?));
    }
    gone.sort_unstable();
    let mut ours: Vec<(i64, i64)> = claims.iter().map(|claim| (claim.seq, claim.fence)).collect();
    ours.sort_unstable();
    ours.dedup();
    if gone == ours {
        return Ok(());
    }
    let lost = ours.iter().filter(|mine| gone.binary_search(mine).is_err()).count();
    FenceRejected { count: lost }.emit();
    Err(Error::Conflict(format!("the lease of {lost} of {} jobs was lost", ours.len())))
}

/// The numbers as a list for `IN`, filled up to a power of two with its last: few lengths make few prepared statements.
pub(crate) fn padded(numbers: impl Iterator<Item = i64>) -> Vec<Value> {
    let mut list: Vec<i64> = numbers.collect();
    if let Some(last) = list.last().copied() {
        list.resize(list.len().next_power_of_two(), last);
    }
    list.into_iter().map(Value::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_padded(numbers: &[i64], expected: &[i64]) {
        let expected: Vec<Value> = expected.iter().copied().map(Value::from).collect();
        assert_eq!(padded(numbers.iter().copied()), expected);
    }

    #[test]
    fn lists_grow_to_powers_of_two() {
        check_padded(&[], &[]);
        check_padded(&[7], &[7]);
        check_padded(&[1, 2, 3], &[1, 2, 3, 3]);
        check_padded(&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5, 5, 5, 5]);
    }
}
