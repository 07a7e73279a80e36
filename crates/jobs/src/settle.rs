//! The end of a lot: what was done goes, what failed waits or is shelved, all in one unit.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Code, Fault, Verdict};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Store, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::backoff::backoff;
use crate::events::{FenceRejected, PutOff, Shelved};
use crate::job::{Claim, Worker, finish, padded};
use crate::schema::{LEASED, READY, SHELF, in_state};

/// A held job is looked at again after this long.
const HOLD: Duration = Duration::from_secs(60);
/// So long a job waits for a peer that is away before its tries count: a holiday, and nothing is tried for ever.
const AWAY: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Attempts kept for the pages; older ones are forgotten.
const HISTORY: usize = 10;
/// Characters of an error kept.
const MESSAGE: usize = 500;

/// One attempt that failed, as the pages show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1 the first time.
    pub attempt: u32,
    pub at: Timestamp,
    pub code: u16,
    pub verdict: String,
    pub message: String,
}

/// What becomes of a job that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Tried again after the wait.
    Retry(Duration),
    /// Tried again after the wait; the attempt does not count.
    Hold(Duration),
    /// The peer is away for everybody: tried again after the wait; the attempt does not count.
    Away(Duration),
    Shelf,
}

/// The rule: a pure function of the verdict, the attempt and a seed.
fn next(verdict: Verdict, attempt: u32, attempts: u32, seed: u64) -> Next {
    match verdict {
        Verdict::Retry { .. } if attempt >= attempts => Next::Shelf,
        Verdict::Retry { after } => Next::Retry(wait(after, attempt, seed)),
        Verdict::Hold => Next::Hold(HOLD),
        Verdict::Reject | Verdict::Unknown | Verdict::Bug => Next::Shelf,
    }
}

/// The peer's own wait is law; the jitter on top keeps its callers from coming back together.
fn wait(asked: Option<SignedDuration>, attempt: u32, seed: u64) -> Duration {
    let asked = asked.and_then(|asked| Duration::try_from(asked).ok());
    asked.map_or_else(|| backoff(attempt, seed), |asked| asked + backoff(1, seed))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Retry { .. } => "retry",
        Verdict::Reject => "reject",
        Verdict::Hold => "hold",
        Verdict::Unknown => "unknown",
        Verdict::Bug => "bug",
    }
}

/// A failed job on its way to the store.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    claim: Claim,
    next: Next,
    verdict: Verdict,
    code: Code,
    message: String,
}

impl Failed {
    pub(crate) fn new(claim: Claim, fault: Fault, attempts: u32) -> Self {
        let seed = claim.id.0.as_u64_pair().1;
        let next = next(fault.verdict, claim.attempt, attempts, seed);
        let message = fault.message.chars().take(MESSAGE).collect();
        Failed { claim, next, verdict: fault.verdict, code: fault.code, message }
    }

    /// The same for a peer that is away for everybody: the longer the job has waited, the longer the next wait, and no try
    /// counts until [`AWAY`] is over.
    pub(crate) fn while_away(mut self, now: Timestamp) -> Self {
        let waited = now.duration_since(self.claim.first_at).max(SignedDuration::ZERO);
        if let Verdict::Retry { after } = self.verdict
            && waited <= AWAY
        {
            let doublings = waited.as_secs().saturating_add(1).ilog2();
            // The attempt stands still, so the time makes the jitter another one each time.
            let seed = self.claim.id.0.as_u64_pair().1 ^ now.as_microsecond().cast_unsigned();
            self.next = Next::Away(wait(after, doublings + 1, seed));
        }
        self
    }

    pub(crate) fn is_held(&self) -> bool {
        matches!(self.next, Next::Hold(_))
    }

    fn emit(&self, kind: &str) {
        let Failed { claim: Claim { id: job, attempt, .. }, code, message, .. } = self;
        let (job, attempt, code, verdict) = (*job, *attempt, *code, word(self.verdict));
        match self.next {
            Next::Shelf => Shelved { kind, job, code, verdict, attempt, message }.emit(),
            Next::Retry(wait) | Next::Hold(wait) | Next::Away(wait) => {
                PutOff { kind, job, code, verdict, attempt, wait, message }.emit();
            }
        }
    }
}

/// Writes the end of a lot. Jobs whose lease was lost are left to their new holder.
pub(crate) async fn settle(
    store: &Store,
    worker: &Arc<dyn Worker>,
    now: Timestamp,
    done: &[Claim],
    failed: &[Failed],
) -> Result<(), Error> {
    if done.is_empty() && failed.is_empty() {
        return Ok(());
    }
    let (some, broken, runs) = (done.to_vec(), failed.to_vec(), worker.clone());
    let together = store.write("jobs.settle", move |tx| {
        Box::pin(async move {
            finish(tx, &some.iter().collect::<Vec<_>>()).await?;
            put_away(tx, &*runs, now, &broken).await
        })
    });
    let lost = match together.await {
        Err(Error::Conflict(_)) => {
            let (some, broken, runs) = (done.to_vec(), failed.to_vec(), worker.clone());
            let one_by_one = store.write("jobs.settle_held", move |tx| {
                Box::pin(async move {
                    remove_held(tx, &some).await?;
                    put_away(tx, &*runs, now, &broken).await
                })
            });
            one_by_one.await?
        }
        other => other?,
    };
    if lost > 0 {
        FenceRejected { count: lost }.emit();
    }
    failed.iter().for_each(|failed| failed.emit(worker.kind()));
    Ok(())
}

/// Removes those that are still ours.
async fn remove_held(tx: &mut Tx, done: &[Claim]) -> Result<(), Error> {
    for claim in done {
        let mut delete = Query::delete();
        delete
            .from_table("job")
            .and_where(Expr::col("seq").eq(claim.seq))
            .and_where(Expr::col("fence").eq(claim.fence))
            .and_where(in_state(LEASED));
        tx.execute(&delete).await?;
    }
    Ok(())
}

/// Writes what failed; answers how many were not ours any more.
async fn put_away(
    tx: &mut Tx,
    worker: &dyn Worker,
    now: Timestamp,
    failed: &[Failed],
) -> Result<usize, Error> {
    if failed.is_empty() {
        return Ok(0);
    }
    let mut select = Query::select();
    select
        .columns(["seq", "history"])
        .from("job")
        .and_where(Expr::col("seq").is_in(padded(failed.iter().map(|failed| failed.claim.seq))));
    let mut histories = std::collections::BTreeMap::new();
    for row in tx.query(&select).await? {
        histories.insert(row.at::<i64>(0)?, row.at::<Option<String>>(1)?);
    }
    let mut lost = 0;
    for failed in failed {
        let before = histories.remove(&failed.claim.seq).flatten();
        if put_one_away(tx, now, failed, before).await? == 0 {
            lost += 1;
        } else if failed.next == Next::Shelf {
            let why = format!("{}: {}", failed.code, failed.message);
            worker.shelved(tx, &failed.claim, &why).await?;
        }
    }
    Ok(lost)
}

async fn put_one_away(
    tx: &mut Tx,
    now: Timestamp,
    failed: &Failed,
    before: Option<String>,
) -> Result<u64, Error> {
    let Failed { claim, next, verdict, code, message } = failed;
    let (state, wait, counted) = match next {
        Next::Retry(wait) => (READY, *wait, claim.attempt),
        Next::Hold(wait) | Next::Away(wait) => (READY, *wait, claim.attempt - 1),
        Next::Shelf => (SHELF, Duration::ZERO, claim.attempt),
    };
    let attempt = Attempt {
        attempt: claim.attempt,
        at: now,
        code: code.0,
        verdict: word(*verdict).to_owned(),
        message: message.clone(),
    };
    let mut update = Query::update();
    update
        .table("job")
        .value("state", state)
        .value("worker", Option::<Uuid>::None)
        .value("due", later(now, wait).as_microsecond())
        .value("attempt", i64::from(counted))
        .value("last_code", i64::from(code.0))
        .value("last_error", message.clone())
        .value("last_verdict", word(*verdict))
        .value("history", remember(before.as_deref(), attempt))
        .and_where(Expr::col("seq").eq(claim.seq))
        .and_where(Expr::col("fence").eq(claim.fence))
        .and_where(in_state(LEASED));
    tx.execute(&update).await
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// The history with one more attempt, cut to its bound.
fn remember(before: Option<&str>, attempt: Attempt) -> String {
    let mut history = history(before);
    history.push(attempt);
    let surplus = history.len().saturating_sub(HISTORY);
    history.drain(..surplus);
    serde_json::to_string(&history).expect("numbers and texts always have a JSON form")
}

/// A stored history; one that cannot be read is shown as none.
pub(crate) fn history(stored: Option<&str>) -> Vec<Attempt> {
    stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u32) -> Attempt {
        let (verdict, message) = ("retry".to_owned(), "no answer".to_owned());
        Attempt { attempt: number, at: Timestamp::UNIX_EPOCH, code: 2001, verdict, message }
    }

    #[test]
    fn verdicts_lead_where_they_should() {
        assert_eq!(next(Verdict::Reject, 1, 30, 0), Next::Shelf);
        assert_eq!(next(Verdict::Bug, 1, 30, 0), Next::Shelf);
        assert_eq!(next(Verdict::Unknown, 1, 30, 0), Next::Shelf);
        assert_eq!(next(Verdict::Hold, 29, 30, 0), Next::Hold(HOLD));
        assert_eq!(next(Verdict::Hold, 1_000, 30, 0), Next::Hold(HOLD));
        assert_eq!(next(Verdict::Retry { after: None }, 30, 30, 0), Next::Shelf);
        assert!(matches!(next(Verdict::Retry { after: None }, 29, 30, 0), Next::Retry(_)));
    }

    #[test]
    fn the_peers_wait_is_law() {
        let asked = Verdict::Retry { after: Some(SignedDuration::from_secs(90)) };
        for seed in 0..100 {
            let Next::Retry(wait) = next(asked, 1, 30, seed) else { panic!("retried") };
            assert!(wait >= Duration::from_secs(90) && wait <= Duration::from_secs(91), "{wait:?}");
        }
    }

    fn away(waited: SignedDuration, verdict: Verdict, now: Timestamp) -> Next {
        let claim = Claim {
            id: postroom_core::JobId(uuid::Uuid::from_u128(7)),
            seq: 1,
            lane: String::new(),
            key: None,
            payload: serde_json::Value::Null,
            attempt: 30,
            fence: 1,
            first_at: now - waited,
        };
        Failed::new(claim, Fault::new(verdict, Code::CRM_AWAY, "no"), 30).while_away(now).next
    }

    #[test]
    fn who_waits_for_a_peer_that_is_away_waits_ever_longer_and_two_weeks_at_most() {
        let again = Verdict::Retry { after: None };
        let start = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1_000);
        let longest = |waited: SignedDuration| {
            let at = |turn: i64| away(waited, again, start + SignedDuration::from_millis(turn));
            let waits = (0..500).map(|turn| match at(turn) {
                Next::Away(wait) => wait,
                other => panic!("{other:?}"),
            });
            waits.max().expect("some")
        };
        assert!(longest(SignedDuration::ZERO) <= Duration::from_secs(1));
        assert!(longest(SignedDuration::from_secs(60)) <= Duration::from_secs(32));
        let days = longest(AWAY);
        assert!(days > Duration::from_secs(250) && days <= Duration::from_secs(300), "{days:?}");
        assert_eq!(away(AWAY + SignedDuration::from_secs(1), again, start), Next::Shelf);
        assert_eq!(away(SignedDuration::ZERO, Verdict::Reject, start), Next::Shelf);
    }

    #[test]
    fn a_wait_before_now_or_past_all_time_is_survived() {
        let past = Verdict::Retry { after: Some(SignedDuration::from_secs(-5)) };
        assert!(matches!(next(past, 1, 30, 0), Next::Retry(wait) if wait <= Duration::from_secs(1)));
        assert_eq!(later(Timestamp::UNIX_EPOCH, Duration::MAX), Timestamp::MAX);
    }

    #[test]
    fn history_keeps_the_last_attempts() {
        let mut stored = None;
        for number in 1..=13 {
            stored = Some(remember(stored.as_deref(), attempt(number)));
        }
        let kept: Vec<u32> = history(stored.as_deref()).iter().map(|attempt| attempt.attempt).collect();
        assert_eq!(kept, (4..=13).collect::<Vec<_>>());
        assert_eq!(history(Some("not JSON")), []);
    }
}
