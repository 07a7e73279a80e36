//! A clock that is set back: jobs keep their wait, schedules their pace.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Fault};
use postroom_jobs::{Done, Worker};
use postroom_store::Error;
use postroom_store::sql::Query;
use postroom_testkit::poll;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::{Lab, PATIENCE, act, all, job, on_both, quick, short_lease};

on_both! {
    jobs_of_a_later_clock_keep_their_wait,
    a_running_process_notices,
    a_job_that_is_written_late_is_noticed,
    a_retry_keeps_its_wait,
}

const START: Timestamp = Timestamp::UNIX_EPOCH;
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);
const TEN: SignedDuration = SignedDuration::from_mins(10);

fn done(kind: &'static str) -> Arc<dyn Worker> {
    act(kind, 10, |claims| Box::pin(async move { all(&claims, Done::Completed) }))
}

/// Answers when the jobs are due.
async fn due(lab: &Lab) -> Vec<Timestamp> {
    let select = Query::select().column("due").from("job").to_owned();
    lab.rows(select).await.iter().map(|row| row.at(0).expect("a time")).collect()
}

/// A process that has begun its work, as what it did shows; a job waits.
async fn run_past_one(lab: &Lab) -> (CancellationToken, JoinHandle<Result<(), Error>>) {
    lab.enqueue(vec![job("work", 0), job("work", 1).due(lab.clock.now() + TEN)]).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(lab.runner(vec![done("work")], short_lease()).run(stop.clone()));
    assert!(poll::until_async(PATIENCE, async || lab.job_count().await == 1).await, "it works");
    (stop, running)
}

async fn jobs_of_a_later_clock_keep_their_wait(lab: Lab) {
    let lab = lab.with_clock(Clock::manual(START + YEAR));
    lab.enqueue(vec![job("work", 1), job("work", 2).due(START + YEAR + TEN)]).await;
    let lab = lab.with_clock(Clock::manual(START));
    lab.drain_due(vec![done("work")], quick()).await;
    assert_eq!(due(&lab).await, [START + TEN], "the one that waits for nothing is done");
    lab.clock.advance(TEN);
    lab.drain_due(vec![done("work")], quick()).await;
    assert_eq!(lab.job_count().await, 0);
}

async fn a_running_process_notices(lab: Lab) {
    let lab = lab.with_clock(Clock::manual(START + YEAR));
    let (stop, running) = run_past_one(&lab).await;
    lab.clock.advance(-YEAR);
    let moved = poll::until_async(PATIENCE, async || due(&lab).await == [START + TEN]).await;
    assert!(moved, "due at {:?}", due(&lab).await);
    lab.clock.advance(TEN);
    lab.until_empty().await;
    stop.cancel();
    running.await.expect("no panic").expect("a clean stop");
}

/// Its unit read the clock before it was set back, and was written after everybody had looked.
async fn a_job_that_is_written_late_is_noticed(lab: Lab) {
    let lab = lab.with_clock(Clock::manual(START + YEAR));
    let (stop, running) = run_past_one(&lab).await;
    lab.clock.advance(-YEAR);
    let looked = poll::until_async(PATIENCE, async || due(&lab).await == [START + TEN]).await;
    let lab = lab.with_clock(Clock::manual(START + YEAR));
    lab.enqueue(vec![job("work", 2).due(START + YEAR + TEN)]).await;
    let moved = poll::until_async(PATIENCE, async || due(&lab).await == [START + TEN; 2]).await;
    assert!(looked && moved, "due at {:?}", due(&lab).await);
    stop.cancel();
    running.await.expect("no panic").expect("a clean stop");
}

/// What counts is when it was last put off.
async fn a_retry_keeps_its_wait(lab: Lab) {
    let lab = lab.with_clock(Clock::manual(START));
    lab.enqueue(vec![job("work", 1)]).await;
    lab.clock.advance(YEAR);
    let busy = act("work", 1, |claims| {
        let wait = Some(TEN);
        let later = move || {
            Fault::new(postroom_core::Verdict::Retry { after: wait }, postroom_core::Code::STORE_AWAY, "busy")
        };
        Box::pin(async move { claims.iter().map(|claim| (claim.id, Err(later()))).collect() })
    });
    lab.drain_due(vec![busy], quick()).await;
    lab.clock.advance(-YEAR);
    lab.drain_due(vec![done("work")], quick()).await;
    let due = due(&lab).await;
    assert!(due.len() == 1 && due[0] >= START + TEN && due[0] < START + TEN * 2, "{due:?}");
}
