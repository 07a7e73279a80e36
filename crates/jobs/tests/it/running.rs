//! Runners: sharing, dying, stopping.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postroom_jobs::shelf::{self, Page};
use postroom_jobs::{Claim, Done, NewJob, Options, Worker};
use postroom_store::sql::Query;
use postroom_testkit::poll;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::harness::{
    Lab, PATIENCE, act, all, count, each, finish_with_results, job, on_both, quick, short_lease,
};

on_both! {
    the_jobs_of_a_runner_that_died_run_again,
    a_clean_stop_gives_its_jobs_back,
    a_job_that_kills_its_process_ends_on_the_shelf,
    a_job_that_was_not_finished_after_all_runs_again,
    jobs_that_make_jobs_are_drained_too,
    many_jobs_run_once_each,
}

/// A worker that takes jobs, says so, and never ends.
fn stuck(kind: &'static str, lot: usize, took: mpsc::UnboundedSender<Vec<Claim>>) -> Arc<dyn Worker> {
    act(kind, lot, move |claims| {
        let _ = took.send(claims);
        Box::pin(std::future::pending())
    })
}

/// A worker that finishes properly under a name.
fn diligent(lab: &Lab, kind: &'static str, lot: usize, who: &'static str) -> Arc<dyn Worker> {
    let store = lab.store.clone();
    act(kind, lot, move |claims| {
        let store = store.clone();
        Box::pin(async move {
            finish_with_results(&store, &claims, who).await.expect("the lease is good");
            all(&claims, Done::Finished)
        })
    })
}

async fn the_jobs_of_a_runner_that_died_run_again(lab: Lab) {
    lab.enqueue((0..40).map(|number| job("work", number)).collect()).await;
    let (took, mut taken) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let options = Options { concurrency: 1, ..short_lease() };
    let doomed = tokio::spawn(lab.runner(vec![stuck("work", 10, took)], options).run(stop.clone()));
    let held = taken.recv().await.expect("it took a lot");
    assert_eq!(held.len(), 10);
    let other =
        tokio::spawn(lab.runner(vec![diligent(&lab, "work", 10, "other")], short_lease()).run(stop.clone()));
    let shared = poll::until_async(PATIENCE, async || lab.job_count().await == 10).await;
    assert!(shared, "the other one did the rest");
    doomed.abort(); // dropped, not stopped: no lease is given back
    lab.until_empty().await;
    let results = lab.results().await;
    assert_eq!(results.len(), 40);
    assert_eq!(results.iter().map(|(job, _)| job).collect::<HashSet<_>>().len(), 40);
    stop.cancel();
    other.await.expect("no panic").expect("a clean stop");
}

async fn a_clean_stop_gives_its_jobs_back(lab: Lab) {
    lab.enqueue((0..5).map(|number| job("work", number)).collect()).await;
    let (took, mut taken) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let options = Options { grace: Duration::from_millis(10), ..quick() };
    let runner = tokio::spawn(lab.runner(vec![stuck("work", 10, took)], options).run(stop.clone()));
    taken.recv().await.expect("it took a lot");
    stop.cancel();
    runner.await.expect("no panic").expect("a clean stop");
    assert_eq!(lab.jobs_in("ready").await, 5);
    let attempts = lab.rows(Query::select().column("attempt").from("job").to_owned()).await;
    assert!(
        attempts.iter().all(|row| row.at::<i64>(0).expect("a number") == 0),
        "a clean stop counts for nothing"
    );
    assert_eq!(lab.rows(count("worker")).await[0].at::<i64>(0).expect("a count"), 0);
}

async fn a_job_that_kills_its_process_ends_on_the_shelf(lab: Lab) {
    lab.enqueue(vec![job("work", 0), job("work", 1)]).await;
    let options = || Options { attempts: 3, concurrency: 1, ..short_lease() };
    let stop = CancellationToken::new();
    let mut lots = Vec::new();
    for _ in 0..3 {
        let (took, mut taken) = mpsc::unbounded_channel();
        let doomed = tokio::spawn(lab.runner(vec![stuck("work", 10, took)], options()).run(stop.clone()));
        let lot = taken.recv().await.expect("it took a lot");
        lots.push(lot.iter().map(|claim| claim.payload.as_u64().expect("a number")).collect::<Vec<_>>());
        doomed.abort();
    }
    assert_eq!(lots, [vec![0, 1], vec![0, 1], vec![0]], "after the second death they run alone");
    let last =
        tokio::spawn(lab.runner(vec![diligent(&lab, "work", 10, "last")], options()).run(stop.clone()));
    let settled =
        poll::until_async(PATIENCE, async || lab.jobs_in("shelf").await == lab.job_count().await).await;
    assert!(settled);
    let shelved = shelf::list(&lab.store, Page::default()).await.expect("listed");
    assert_eq!(shelved.len(), 1);
    assert_eq!((shelved[0].payload.as_u64(), shelved[0].last_verdict.as_deref()), (Some(0), Some("lost")));
    assert_eq!(lab.results().await.len(), 1, "its neighbour was done");
    stop.cancel();
    last.await.expect("no panic").expect("a clean stop");
}

async fn a_job_that_was_not_finished_after_all_runs_again(lab: Lab) {
    lab.enqueue(vec![job("work", 0)]).await;
    let worker = each("work", 1, |claim| match claim.attempt {
        1 => Ok(Done::Finished), // a lie
        _ => Ok(Done::Completed),
    });
    let stop = CancellationToken::new();
    let runner = tokio::spawn(lab.runner(vec![worker], short_lease()).run(stop.clone()));
    lab.until_empty().await;
    stop.cancel();
    runner.await.expect("no panic").expect("a clean stop");
}

async fn jobs_that_make_jobs_are_drained_too(lab: Lab) {
    lab.enqueue((0..6).map(|number| job("parent", number)).collect()).await;
    let (store, ids, clock) = (lab.store.clone(), lab.ids.clone(), lab.clock.clone());
    let parent = act("parent", 2, move |claims| {
        let (store, ids, now) = (store.clone(), ids.clone(), clock.now());
        Box::pin(async move {
            let own = claims.clone();
            let unit = store.write("test.parent", move |tx| {
                Box::pin(async move {
                    let children =
                        own.iter().map(|claim| NewJob::new("child", claim.payload.clone())).collect();
                    postroom_jobs::enqueue(tx, &ids, now, children).await?;
                    postroom_jobs::finish(tx, &own.iter().collect::<Vec<_>>()).await
                })
            });
            unit.await.expect("written");
            store.wake();
            all(&claims, Done::Finished)
        })
    });
    lab.drain_due(vec![diligent(&lab, "child", 3, "child"), parent], quick()).await;
    assert_eq!(lab.job_count().await, 0);
    assert_eq!(lab.results().await.len(), 6);
}

async fn many_jobs_run_once_each(lab: Lab) {
    let total = 3_000;
    lab.enqueue((0..total).map(|number| job("work", number)).collect()).await;
    let (lots, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(HashSet::new())));
    let worker = {
        let (lots, seen) = (lots.clone(), seen.clone());
        act("work", 200, move |claims| {
            lots.fetch_add(1, Ordering::SeqCst);
            let mut seen = seen.lock().expect("whole");
            assert!(claims.iter().all(|claim| seen.insert(claim.seq)), "a job ran twice");
            Box::pin(std::future::ready(all(&claims, Done::Completed)))
        })
    };
    lab.drain_due(vec![worker], quick()).await;
    assert_eq!(seen.lock().expect("whole").len(), total);
    assert_eq!(lab.job_count().await, 0);
    assert!(lots.load(Ordering::SeqCst) <= 20, "jobs are claimed in full lots");
}
