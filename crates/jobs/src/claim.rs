//! Taking jobs: the look for claimable ones, the lease, and giving back what nobody runs.

use std::sync::Arc;

use jiff::Timestamp;
use postroom_core::{Code, JobId};
use postroom_store::sql::{Expr, ExprTrait, LockBehavior, LockType, Order, Query, SelectStatement};
use postroom_store::{Error, FromCell, Row, Store, Tx};
use uuid::Uuid;

use crate::events::Shelved;
use crate::job::{Claim, Worker, padded};
use crate::schema::{LEASED, READY, SHELF, in_state};

/// The word for a job whose worker stopped answering, beside the verdicts' own.
pub(crate) const LOST: &str = "lost";

/// Who claims what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) worker: Uuid,
    pub(crate) kind: &'static str,
    pub(crate) lot: usize,
    pub(crate) now: Timestamp,
    /// A job that was started this often without an end goes to the shelf.
    pub(crate) attempts: u32,
}

/// What a claim brought.
pub(crate) struct Lot {
    pub(crate) claims: Vec<Claim>,
    /// There may be more to claim at once.
    pub(crate) more: bool,
}

/// A ready job as the claim reads it.
struct Candidate {
    claim: Claim,
    died: bool,
}

/// Leases the next lot for `runs`. Fails with [`Error::Conflict`] when another claim took a lane first, or when this process
/// was declared dead.
pub(crate) async fn claim(store: &Store, runs: Arc<dyn Worker>, ask: Ask) -> Result<Lot, Error> {
    store.write("jobs.claim", move |tx| Box::pin(lease(tx, runs, ask))).await
}

async fn lease(tx: &mut Tx, runs: Arc<dyn Worker>, ask: Ask) -> Result<Lot, Error> {
    let mut alive = Query::select();
    alive.column("id").from("worker").and_where(Expr::col("id").eq(ask.worker)).lock(LockType::KeyShare);
    if tx.query_one(&alive).await?.is_none() {
        return Err(Error::Conflict("this process was taken for dead; its row in `worker` is gone".into()));
    }
    let mut select = claimable(&[ask.kind], ask.now);
    let columns = ["seq", "id", "lane", "key", "payload", "attempt", "fence", "first_at", "last_verdict"];
    select
        .columns(columns.map(|column| ("job", column)))
        .order_by(("job", "due"), Order::Asc)
        .order_by(("job", "seq"), Order::Asc)
        .limit(ask.lot as u64)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let found = tx.query(&select).await?;
    let full = found.len() == ask.lot;
    let found = found.iter().map(candidate).collect::<Result<Vec<_>, Error>>()?;
    let (spent, fresh): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|found| found.claim.attempt > ask.attempts);
    for candidate in &spent {
        set_aside(tx, &*runs, ask, &candidate.claim).await?;
    }
    let total = fresh.len();
    let claims = neighbours(fresh);
    take(tx, ask.worker, &claims).await?;
    Ok(Lot { more: full || claims.len() < total, claims })
}

/// A select over the jobs of `kinds` that may be claimed now; the caller names the columns.
///
/// "First of its lane" is a scalar sub-query and not an anti-join: neither database can turn it into a scan of the whole
/// table, whatever its statistics say.
fn claimable(kinds: &[&'static str], now: Timestamp) -> SelectStatement {
    let same_lane = || Expr::col(("other", "lane")).equals(("job", "lane"));
    let other_in = |state: &str| Expr::cust(format!("\"other\".\"state\" = '{state}'"));
    let mut first = Query::select();
    first
        .expr(Expr::col(("other", "seq")).min())
        .from_as("job", "other")
        .and_where(same_lane())
        .and_where(other_in(SHELF).not());
    let mut running = Query::select();
    running
        .expr(Expr::col(("other", "seq")).max())
        .from_as("job", "other")
        .and_where(same_lane())
        .and_where(other_in(LEASED));
    let in_turn = Expr::col(("job", "seq")).eq(Expr::expr(first)).and(Expr::expr(running).is_null());
    let mut select = Query::select();
    select
        .from("job")
        .and_where(one_of(kinds))
        .and_where(in_state(READY))
        .and_where(Expr::col(("job", "due")).lte(now.as_microsecond()))
        .and_where(Expr::col(("job", "lane")).is_null().or(in_turn));
    select
}

fn one_of(kinds: &[&'static str]) -> Expr {
    match kinds {
        [kind] => Expr::col(("job", "kind")).eq(*kind),
        kinds => Expr::col(("job", "kind")).is_in(kinds.iter().copied()),
    }
}

fn candidate(row: &Row) -> Result<Candidate, Error> {
    let text: String = row.at(4)?;
    // A damaged payload goes to its worker as it is: there it fails as a bug, alone.
    let payload = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
    let before: u32 = row.at(5)?;
    let verdict: Option<String> = row.at(8)?;
    let claim = Claim {
        id: JobId(row.at(1)?),
        seq: row.at(0)?,
        lane: row.at::<Option<String>>(2)?.unwrap_or_default(),
        key: row.at(3)?,
        payload,
        attempt: before + 1,
        fence: row.at::<i64>(6)? + 1,
        first_at: row.at(7)?,
    };
    // One death may be the machine's; from the second on it may be this job's.
    let died = before >= 2 && verdict.as_deref() == Some(LOST);
    Ok(Candidate { claim, died })
}

/// The longest lot in which no job that may kill its process has company.
fn neighbours(found: Vec<Candidate>) -> Vec<Claim> {
    let alone = found.first().is_some_and(|first| first.died);
    let count = if alone { 1 } else { found.iter().take_while(|candidate| !candidate.died).count() };
    found.into_iter().take(count).map(|candidate| candidate.claim).collect()
}

async fn take(tx: &mut Tx, worker: Uuid, claims: &[Claim]) -> Result<(), Error> {
    if claims.is_empty() {
        return Ok(());
    }
    let mut update = Query::update();
    update
        .table("job")
        .value("state", LEASED)
        .value("worker", worker)
        .value("fence", Expr::col("fence").add(1_i64))
        .value("attempt", Expr::col("attempt").add(1_i64))
        .and_where(Expr::col("seq").is_in(padded(claims.iter().map(|claim| claim.seq))));
    tx.execute(&update).await.map(drop)
}

async fn set_aside(tx: &mut Tx, runs: &dyn Worker, ask: Ask, claim: &Claim) -> Result<(), Error> {
    let message = format!("its process died {} times while it ran", claim.attempt - 1);
    let mut update = Query::update();
    update
        .table("job")
        .value("state", SHELF)
        .value("last_code", i64::from(Code::INTERNAL.0))
        .value("last_error", message.clone())
        .and_where(Expr::col("seq").eq(claim.seq));
    tx.execute(&update).await?;
    runs.shelved(tx, claim, &message).await?;
    let (kind, attempt) = (ask.kind, claim.attempt - 1);
    Shelved { kind, job: claim.id, code: Code::INTERNAL, verdict: LOST, attempt, message: &message }.emit();
    Ok(())
}

/// Whether any job of `kinds` could be claimed now. Only reads, so idle processes do not take the write lock.
pub(crate) async fn any_claimable(
    store: &Store,
    kinds: Vec<&'static str>,
    now: Timestamp,
) -> Result<bool, Error> {
    match kinds.is_empty() {
        true => Ok(false),
        false => any(store, claimable(&kinds, now)).await,
    }
}

/// Whether any job of `kinds` is ready, due or not.
pub(crate) async fn any_ready(store: &Store, kinds: Vec<&'static str>) -> Result<bool, Error> {
    let mut select = Query::select();
    select.from("job").and_where(one_of(&kinds)).and_where(in_state(READY));
    any(store, select).await
}

async fn any(store: &Store, mut select: SelectStatement) -> Result<bool, Error> {
    select.column(("job", "seq")).limit(1);
    let row = store.read(move |tx| Box::pin(async move { tx.query_one(&select).await })).await?;
    Ok(row.is_some())
}

/// Whose jobs are given back.
#[derive(Debug, Clone)]
pub(crate) enum Whose {
    /// All of a process that stopped answering: the attempt counts.
    Dead(Uuid),
    /// All of a process that stops in order: the attempt does not count.
    Stopping(Uuid),
    /// Those of one kind that this process does not run though it holds them: the attempt counts.
    Unheld { worker: Uuid, kind: &'static str, running: Vec<i64> },
}

/// Gives leased jobs back; answers how many. The fence moves, so whoever still runs them cannot finish them.
pub(crate) async fn give_back(tx: &mut Tx, whose: Whose) -> Result<u64, Error> {
    let mut update = Query::update();
    update
        .table("job")
        .value("state", READY)
        .value("worker", Option::<Uuid>::None)
        .value("fence", Expr::col("fence").add(1_i64))
        .and_where(in_state(LEASED));
    match whose {
        Whose::Dead(worker) => {
            update
                .value("last_verdict", LOST)
                .value("last_error", "its process stopped answering")
                .and_where(Expr::col("worker").eq(worker));
        }
        Whose::Stopping(worker) => {
            update
                .value("attempt", Expr::col("attempt").sub(1_i64))
                .and_where(Expr::col("worker").eq(worker));
        }
        Whose::Unheld { worker, kind, running } => {
            update.and_where(Expr::col("worker").eq(worker)).and_where(Expr::col("kind").eq(kind));
            if !running.is_empty() {
                update.and_where(Expr::col("seq").is_not_in(padded(running.into_iter())));
            }
        }
    }
    tx.execute(&update).await
}

/// Those of `claims` that are still ours.
pub(crate) async fn still_held(store: &Store, claims: &[Claim]) -> Result<Vec<(i64, i64)>, Error> {
    let mut select = Query::select();
    select
        .columns(["seq", "fence"])
        .from("job")
        .and_where(Expr::col("seq").is_in(padded(claims.iter().map(|claim| claim.seq))))
        .and_where(in_state(LEASED));
    let rows = store.read(move |tx| Box::pin(async move { tx.query(&select).await })).await?;
    rows.iter().map(pair).collect()
}

fn pair<A: FromCell, B: FromCell>(row: &Row) -> Result<(A, B), Error> {
    Ok((row.at(0)?, row.at(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lot(died: &[bool], expected: usize) {
        let candidate = |(seq, died): (usize, &bool)| Candidate {
            claim: Claim {
                id: JobId(Uuid::nil()),
                seq: seq as i64,
                lane: String::new(),
                key: None,
                payload: serde_json::Value::Null,
                attempt: 1,
                fence: 1,
                first_at: Timestamp::UNIX_EPOCH,
            },
            died: *died,
        };
        let lot = neighbours(died.iter().enumerate().map(candidate).collect());
        assert_eq!(lot.len(), expected, "{died:?}");
    }

    #[test]
    fn a_killer_runs_alone() {
        check_lot(&[], 0);
        check_lot(&[false, false], 2);
        check_lot(&[true, false], 1);
        check_lot(&[false, false, true, false], 2);
        check_lot(&[true, true], 1);
    }
}
