//! A clock that was set back: what was written under the later one lies in a future that may be a year away.
//!
//! A job's wait is kept, not its hour: whoever sees the clock go back, and every process when it starts, moves such jobs so
//! that they wait from now on as long as they were to wait from the time at which they were put off. A clock that is set
//! forward needs nothing: what waits is due sooner.

use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_store::sql::{Expr, ExprTrait, Order, Query, SelectStatement};
use postroom_store::{Error, Row, Store, Tx};
use tokio::time::Instant;

use crate::schema::{READY, in_state};
use crate::settle::history;

/// The clocks of two nodes differ by less.
const AHEAD: SignedDuration = SignedDuration::from_secs(10);
/// Jobs of one unit.
const PAGE: u64 = 500;
/// So long after the clock was set back, a unit may still be written for which it was read before.
const LATE: Duration = Duration::from_secs(60);

/// Notices a wall clock that was set back, by the monotonic one.
#[derive(Debug)]
pub(crate) struct Hands {
    wall: Timestamp,
    at: Instant,
    /// When it was seen to have been set back.
    stepped: Option<Instant>,
}

impl Hands {
    pub(crate) fn new(wall: Timestamp, at: Instant) -> Self {
        Hands { wall, at, stepped: None }
    }

    /// Whether jobs may have been put off under a later time since the last look: the wall clock was set back since, or not long
    /// before.
    pub(crate) fn went_back(&mut self, wall: Timestamp, at: Instant) -> bool {
        let passed = SignedDuration::try_from(at - self.at).unwrap_or(SignedDuration::MAX);
        if wall.duration_since(self.wall).saturating_add(AHEAD) < passed {
            self.stepped = Some(at);
        }
        (self.wall, self.at) = (wall, at);
        self.stepped.is_some_and(|stepped| at - stepped < LATE)
    }
}

/// A job that waits, and the time at which it was put off.
struct Waiting {
    seq: i64,
    due: Timestamp,
    first_at: Timestamp,
    since: Timestamp,
}

impl Waiting {
    fn of(row: &Row) -> Result<Waiting, Error> {
        let first_at: Timestamp = row.at(2)?;
        let tried = history(row.at::<Option<String>>(3)?.as_deref()).last().map(|attempt| attempt.at);
        let since = tried.unwrap_or(first_at).max(first_at);
        Ok(Waiting { seq: row.at(0)?, due: row.at(1)?, first_at, since })
    }
}

/// Moves the jobs that were put off at a time that is still to come; answers how many.
pub(crate) async fn set_back(store: &Store, now: Timestamp) -> Result<u64, Error> {
    let (mut moved, mut after) = (0, 0);
    loop {
        let select = waiting(now, after);
        let rows = store.read(move |tx| async move { tx.query(&select).await }.boxed()).await?;
        let page = rows.iter().map(Waiting::of).collect::<Result<Vec<_>, Error>>()?;
        let Some(last) = page.last() else { return Ok(moved) };
        after = last.seq;
        let stray: Vec<Waiting> =
            page.into_iter().filter(|job| job.since.duration_since(now) > AHEAD).collect();
        if stray.is_empty() {
            continue;
        }
        let unit = store.write("jobs.set_back", move |tx| async move { shift(tx, stray, now).await }.boxed());
        let done: Result<u64, Error> = unit.await;
        moved += done?;
    }
}

fn waiting(now: Timestamp, after: i64) -> SelectStatement {
    Query::select()
        .columns(["seq", "due", "first_at", "history"])
        .from("job")
        .and_where(in_state(READY))
        .and_where(Expr::col("due").gt(now.as_microsecond()))
        .and_where(Expr::col("seq").gt(after))
        .order_by("seq", Order::Asc)
        .limit(PAGE)
        .to_owned()
}

async fn shift(tx: &mut Tx, jobs: Vec<Waiting>, now: Timestamp) -> Result<u64, Error> {
    let mut moved = 0;
    for job in jobs {
        let wait = job.due.duration_since(job.since).max(SignedDuration::ZERO);
        let due = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        let update = Query::update()
            .table("job")
            .value("due", due.as_microsecond())
            .value("first_at", job.first_at.min(now).as_microsecond())
            .and_where(Expr::col("seq").eq(job.seq))
            .and_where(Expr::col("due").eq(job.due.as_microsecond()))
            .and_where(in_state(READY))
            .to_owned();
        moved += tx.execute(&update).await?;
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks again after so many real seconds, in which the wall clock moved by so many.
    #[track_caller]
    fn check(passed: u64, wall: i64, expected: bool) {
        let (start, at) = (Timestamp::UNIX_EPOCH, Instant::now());
        let mut hands = Hands::new(start, at);
        let now = Timestamp::from_second(wall).expect("a time");
        let then = at + Duration::from_secs(passed);
        assert_eq!(hands.went_back(now, then), expected, "{passed} {wall}");
        assert_eq!(hands.went_back(now, then), expected, "what was under way may be written a moment later");
        let (now, then) = (now + SignedDuration::try_from(LATE).expect("a minute"), then + LATE);
        assert!(!hands.went_back(now, then), "and not for ever");
    }

    #[test]
    fn only_a_step_back_counts() {
        check(3, 3, false);
        check(3, 3_600, false);
        check(3, 0, false);
        check(3, -6, false);
        check(3, -8, true);
        check(3, -3_600, true);
        check(3_600, 0, true);
    }
}
