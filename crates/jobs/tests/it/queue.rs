//! What enqueue, lanes, keys and fences promise.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postroom_core::Fault;
use postroom_jobs::{Done, NewJob, Options, enqueue};
use postroom_store::Error;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::harness::{Lab, PATIENCE, act, all, each, finish_with_results, job, on_both, quick, short_lease};

on_both! {
    a_unit_that_fails_leaves_no_job,
    a_key_is_taken_until_its_job_is_gone,
    a_job_waits_for_its_time,
    lanes_keep_their_order,
    a_lane_orders_different_kinds,
    a_slow_worker_whose_lease_was_taken_cannot_finish,
    payloads_come_as_they_went,
}

async fn a_unit_that_fails_leaves_no_job(lab: Lab) {
    let (ids, now) = (lab.ids.clone(), lab.clock.now());
    let unit = lab.store.write("test.fail", move |tx| {
        Box::pin(async move {
            assert_eq!(enqueue(tx, &ids, now, vec![job("work", 1)]).await?, 1);
            Err::<(), _>(Error::Conflict("changed my mind".into()))
        })
    });
    assert!(unit.await.is_err());
    assert_eq!(lab.job_count().await, 0);
}

async fn a_key_is_taken_until_its_job_is_gone(lab: Lab) {
    let keyed = |kind| NewJob::new(kind, 1.into()).key("mail 7");
    assert_eq!(lab.enqueue(vec![keyed("work"), keyed("work"), keyed("other")]).await, 2);
    assert_eq!(lab.enqueue(vec![keyed("work")]).await, 0);
    lab.drain_due(vec![each("work", 10, |_| Err(Fault::bug("broken")))], quick()).await;
    assert_eq!(lab.jobs_in("shelf").await, 1);
    assert_eq!(lab.enqueue(vec![keyed("work")]).await, 0, "a shelved job keeps its key");
    lab.drain_due(vec![each("other", 10, |_| Ok(Done::Completed))], quick()).await;
    assert_eq!(lab.enqueue(vec![keyed("other")]).await, 1, "the key of a finished job is free");
}

async fn a_job_waits_for_its_time(lab: Lab) {
    let due = lab.clock.now() + jiff::SignedDuration::from_millis(300);
    lab.enqueue(vec![job("work", 1).due(due), job("work", 2)]).await;
    let (log, mut seen) = mpsc::unbounded_channel();
    let clock = lab.clock.clone();
    let worker = each("work", 10, move |claim| {
        let _ = log.send((claim.payload.clone(), clock.now()));
        Ok(Done::Completed)
    });
    lab.drain_due(vec![worker.clone()], quick()).await;
    assert_eq!(seen.recv().await.expect("the one without delay").0, 2);
    let runner = lab.runner(vec![worker], quick());
    tokio::time::timeout(PATIENCE, runner.drain()).await.expect("in time").expect("drained");
    let (payload, at) = seen.recv().await.expect("the other");
    assert!(payload == 1 && at >= due, "{payload} ran at {at}, due {due}");
}

/// Per lane: which job, and whether it began or ended.
type Log = HashMap<String, Vec<(u64, &'static str)>>;

/// Runs 8 lots at once; the log of each lane must be start and end of its jobs, in order.
async fn check_lanes(lab: Lab, jobs: Vec<NewJob>, kinds: &[&'static str]) {
    let log: Arc<Mutex<Log>> = Arc::default();
    let expected = jobs.len();
    lab.enqueue(jobs).await;
    let worker = |kind| {
        let log = log.clone();
        act(kind, 3, move |claims| {
            let log = log.clone();
            Box::pin(async move {
                let note = |moment| {
                    for claim in &claims {
                        let number = claim.payload.as_u64().expect("a number");
                        log.lock()
                            .expect("whole")
                            .entry(claim.lane.clone())
                            .or_default()
                            .push((number, moment));
                    }
                };
                note("start");
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                note("end");
                all(&claims, Done::Completed)
            })
        })
    };
    let options = Options { concurrency: 8, ..quick() };
    lab.drain_due(kinds.iter().map(|kind| worker(*kind)).collect(), options).await;
    let log = log.lock().expect("whole");
    assert_eq!(log.values().map(Vec::len).sum::<usize>(), expected * 2);
    for (lane, entries) in log.iter() {
        let in_order = (0..entries.len() as u64 / 2).flat_map(|number| [(number, "start"), (number, "end")]);
        assert!(entries.iter().copied().eq(in_order), "{lane}: {entries:?}");
    }
}

async fn lanes_keep_their_order(lab: Lab) {
    let jobs = (0..240).map(|n| NewJob::new("work", (n / 24).into()).lane(format!("lane {}", n % 24)));
    check_lanes(lab, jobs.collect(), &["work"]).await;
}

async fn a_lane_orders_different_kinds(lab: Lab) {
    let kinds = ["parse", "file", "send"];
    let jobs = (0..120).map(|n| NewJob::new(kinds[n % 3], (n / 10).into()).lane(format!("lane {}", n % 10)));
    check_lanes(lab, jobs.collect(), &kinds).await;
}

async fn a_slow_worker_whose_lease_was_taken_cannot_finish(lab: Lab) {
    lab.enqueue(vec![job("work", 1).lane("a")]).await;
    let (gate, (started, mut has_started)) = (Arc::new(Notify::new()), mpsc::unbounded_channel());
    let (verdict, mut verdicts) = mpsc::unbounded_channel();
    let slow = {
        let (store, gate) = (lab.store.clone(), gate.clone());
        act("work", 5, move |claims| {
            let (store, gate, started, verdict) =
                (store.clone(), gate.clone(), started.clone(), verdict.clone());
            Box::pin(async move {
                let _ = started.send(());
                gate.notified().await;
                let _ = verdict.send(finish_with_results(&store, &claims, "slow").await);
                all(&claims, Done::Finished)
            })
        })
    };
    // This one never beats within the test, as if its machine stood still.
    let stop = CancellationToken::new();
    let frozen = Options { beat: Duration::from_secs(3_600), ..quick() };
    let first = tokio::spawn(lab.runner(vec![slow], frozen).run(stop.clone()));
    has_started.recv().await.expect("the slow worker has the job");
    let store = lab.store.clone();
    let fresh = act("work", 5, move |claims| {
        let store = store.clone();
        Box::pin(async move {
            finish_with_results(&store, &claims, "fresh").await.expect("the lease is good");
            all(&claims, Done::Finished)
        })
    });
    let second = tokio::spawn(lab.runner(vec![fresh], short_lease()).run(stop.clone()));
    lab.until_empty().await;
    gate.notify_one();
    let refused = verdicts.recv().await.expect("the slow worker tried");
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    let results: Vec<String> = lab.results().await.into_iter().map(|(_, who)| who).collect();
    assert_eq!(results, ["fresh"], "the slow worker's unit was undone whole");
    stop.cancel();
    first.await.expect("no panic").expect("a clean stop");
    second.await.expect("no panic").expect("a clean stop");
}

async fn payloads_come_as_they_went(lab: Lab) {
    let payload =
        serde_json::json!({"text": "nul \u{0} and \u{1f4e7}", "n": u64::MAX, "list": [1.5, null, true]});
    lab.enqueue(vec![NewJob::new("work", payload.clone()).lane("l").key("k")]).await;
    let (log, mut seen) = mpsc::unbounded_channel();
    let worker = each("work", 1, move |claim| {
        let _ = log.send(claim.clone());
        Ok(Done::Completed)
    });
    lab.drain_due(vec![worker], quick()).await;
    let claim = seen.recv().await.expect("the job ran");
    assert_eq!((claim.payload, claim.lane.as_str(), claim.key.as_deref()), (payload, "l", Some("k")));
    assert_eq!(claim.attempt, 1);
}
