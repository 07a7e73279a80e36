//! Schedules: cron lines in a time zone, fired once over all nodes.
//!
//! A time that a change of clocks skips fires at the next one that exists; a time that comes twice fires once (lines
//! with `*` or a step in the hour or minute fire in each real hour). After a time in which nothing ran, a schedule fires
//! once, however many of its times were missed. When the clock is set back by more than an interval, the time that is waited
//! for is worked out anew.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use postroom_core::Ids;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Store, Tx};

use crate::job::{NewJob, enqueue};

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error("{text:?} is not a schedule: {reason}; write minute hour day month weekday, as in 30 2 * * 1-5")]
    Cron { text: String, reason: String },
    #[error("{0:?} is not a time zone; write a name such as Europe/Paris or UTC")]
    Zone(String),
}

/// When something is to be done again and again.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
    /// What tells a changed schedule from an unchanged one.
    text: String,
}

impl Schedule {
    /// `cron` has five fields, or six with seconds first; `zone` is an IANA name.
    pub fn new(cron: &str, zone: &str) -> Result<Self, ScheduleError> {
        let parsed = Cron::from_str(cron)
            .map_err(|error| ScheduleError::Cron { text: cron.to_owned(), reason: error.to_string() })?;
        let known = TimeZone::get(zone).map_err(|_| ScheduleError::Zone(zone.to_owned()))?;
        Ok(Schedule { cron: parsed, zone: known, text: format!("{} {zone}", cron.trim()) })
    }

    /// The first time after `after`; `None` when there is none (30 February).
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&after, false).ok().map(|next| next.timestamp())
    }
}

impl Schedule {
    /// Whether more than one of its times lies between now and the one that is waited for: the clock was set back since.
    /// One may, so that a small step never fires a time twice.
    fn skips(&self, due: Timestamp, now: Timestamp) -> bool {
        let second = self.next(now).and_then(|first| self.next(first));
        second.is_some_and(|second| second < due)
    }
}

/// A job that a schedule enqueues.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Names the schedule's row; unique.
    pub name: String,
    pub schedule: Schedule,
    /// Its key is replaced by the name and the time for which it was due; it is due at once.
    pub job: NewJob,
}

/// A schedule as it was stored.
#[derive(Debug, Clone)]
struct Stored {
    text: String,
    due: Option<Timestamp>,
}

/// Enqueues the jobs of the plans that are due; answers how many. Any number of nodes may do so at once.
pub async fn tick(store: &Store, ids: &Ids, now: Timestamp, plans: &[Plan]) -> Result<u64, Error> {
    let stored = store.read(|tx| Box::pin(read(tx))).await?;
    let mut fired = 0;
    for plan in plans {
        let due = match stored.get(&plan.name) {
            None => {
                set(store, plan, None, now).await?;
                continue;
            }
            Some(row) if row.text != plan.schedule.text => {
                set(store, plan, Some(row.text.clone()), now).await?;
                continue;
            }
            Some(Stored { due: Some(due), .. }) if *due <= now => *due,
            Some(Stored { due: Some(due), text }) if plan.schedule.skips(*due, now) => {
                set(store, plan, Some(text.clone()), now).await?;
                continue;
            }
            Some(_) => continue,
        };
        fired += fire(store, ids, now, plan, due).await?;
    }
    Ok(fired)
}

async fn read(tx: &mut Tx) -> Result<BTreeMap<String, Stored>, Error> {
    let select = Query::select().columns(["name", "text", "due"]).from("schedule").to_owned();
    let rows = tx.query(&select).await?;
    rows.iter().map(|row| Ok((row.at(0)?, Stored { text: row.at(1)?, due: row.at(2)? }))).collect()
}

/// Writes a new or changed schedule; its first time lies after now.
async fn set(store: &Store, plan: &Plan, before: Option<String>, now: Timestamp) -> Result<(), Error> {
    let (name, text) = (plan.name.clone(), plan.schedule.text.clone());
    let due = plan.schedule.next(now).map(Timestamp::as_microsecond);
    let unit = store.write("jobs.schedule_set", move |tx| {
        Box::pin(async move {
            let Some(before) = before else {
                let mut row = Insert::into("schedule", &["name", "text", "due"]).or_skip();
                row.row([name.into(), text.into(), due.into()]);
                return tx.insert(&row).await.map(drop);
            };
            let mut update = Query::update();
            update
                .table("schedule")
                .value("text", text)
                .value("due", due)
                .and_where(Expr::col("name").eq(name))
                .and_where(Expr::col("text").eq(before));
            tx.execute(&update).await.map(drop)
        })
    });
    unit.await
}

/// Moves the schedule on and enqueues its job, if no other node did so first.
async fn fire(store: &Store, ids: &Ids, now: Timestamp, plan: &Plan, due: Timestamp) -> Result<u64, Error> {
    let next = plan.schedule.next(now).map(Timestamp::as_microsecond);
    let (name, ids) = (plan.name.clone(), ids.clone());
    let job = NewJob { key: Some(format!("{}@{due}", plan.name)), due: None, ..plan.job.clone() };
    let job = Arc::new(job);
    let unit = store.write("jobs.schedule", move |tx| {
        Box::pin(async move {
            let mut update = Query::update();
            update
                .table("schedule")
                .value("due", next)
                .value("last", due.as_microsecond())
                .and_where(Expr::col("name").eq(name))
                .and_where(Expr::col("due").eq(due.as_microsecond()));
            match tx.execute(&update).await? {
                0 => Ok(0),
                _ => enqueue(tx, &ids, now, vec![NewJob::clone(&job)]).await,
            }
        })
    });
    unit.await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_next(cron: &str, zone: &str, after: &str, expected: &[&str]) {
        let schedule = Schedule::new(cron, zone).expect("a good schedule");
        let mut at: Timestamp = after.parse().expect("a time");
        for expected in expected {
            at = schedule.next(at).expect("a next time");
            assert_eq!(at, expected.parse::<Timestamp>().expect("a time"), "{cron} in {zone} after {after}");
        }
    }

    #[test]
    fn ordinary_days() {
        check_next(
            "30 2 * * *",
            "UTC",
            "2025-01-01T00:00:00Z",
            &["2025-01-01T02:30:00Z", "2025-01-02T02:30:00Z"],
        );
        check_next("0 9 * * 1-5", "Europe/Paris", "2025-01-03T08:00:00Z", &["2025-01-06T08:00:00Z"]);
        check_next(
            "*/20 * * * *",
            "UTC",
            "2025-01-01T00:00:00Z",
            &["2025-01-01T00:20:00Z", "2025-01-01T00:40:00Z"],
        );
    }

    #[test]
    fn a_skipped_time_fires_at_the_next_that_exists() {
        // On 30 March 2025 clocks in Paris went from 02:00 to 03:00, which is 01:00 UTC.
        check_next(
            "30 2 * * *",
            "Europe/Paris",
            "2025-03-29T12:00:00Z",
            &["2025-03-30T01:00:00Z", "2025-03-31T00:30:00Z"],
        );
    }

    #[test]
    fn a_doubled_time_fires_once() {
        // On 26 October 2025 clocks in Paris went from 03:00 back to 02:00.
        check_next(
            "30 2 * * *",
            "Europe/Paris",
            "2025-10-25T12:00:00Z",
            &["2025-10-26T00:30:00Z", "2025-10-27T01:30:00Z"],
        );
    }

    #[test]
    fn a_time_that_never_comes() {
        let schedule = Schedule::new("0 0 30 2 *", "UTC").expect("well formed");
        assert_eq!(schedule.next(Timestamp::UNIX_EPOCH), None);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(matches!(Schedule::new("every day", "UTC"), Err(ScheduleError::Cron { .. })));
        assert!(matches!(Schedule::new("* * * * *", "Mars/Olympus"), Err(ScheduleError::Zone(_))));
    }
}
