//! Faults: retries, holds, panics, and the shelf.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Code, Fault, JobId, Verdict};
use postroom_jobs::counts::{Counts, backlog};
use postroom_jobs::shelf::{self, Page, Shown};
use postroom_jobs::{Claim, Done, Options, finish};
use postroom_store::Error;

use crate::harness::{Lab, act, all, each, job, on_both, quick};

on_both! {
    a_retry_waits_longer_and_ends_on_the_shelf,
    a_refused_job_goes_to_the_shelf_at_once,
    a_held_kind_waits_and_says_so,
    a_hold_does_not_stop_the_others,
    a_shelved_job_does_not_block_its_lane,
    a_replayed_job_runs_again,
    a_discarded_job_is_gone,
    a_poisoned_job_does_not_stop_its_lot,
    jobs_finished_before_a_panic_are_not_run_again,
    a_worker_that_says_nothing_is_a_bug,
}

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn retry() -> Fault {
    Fault::retry(Code::CRM_AWAY, "the CRM does not answer")
}

async fn only(lab: &Lab) -> Shown {
    let jobs = shelf::list(&lab.store, Page::default()).await.expect("listed");
    assert_eq!(jobs.len(), 1, "one job on the shelf");
    jobs.into_iter().next().expect("counted")
}

async fn counts(lab: &Lab, kind: &str) -> Counts {
    backlog(&lab.store).await.expect("counted").kinds.remove(kind).unwrap_or_default()
}

async fn replay(lab: &Lab, id: JobId) -> bool {
    let now = lab.clock.now();
    let unit =
        lab.store.write("test.replay", move |tx| Box::pin(async move { shelf::replay(tx, now, id).await }));
    let replayed: Result<bool, Error> = unit.await;
    replayed.expect("replayed")
}

async fn a_retry_waits_longer_and_ends_on_the_shelf(lab: Lab) {
    let lab = lab.with_clock(Clock::manual(START));
    lab.enqueue(vec![job("work", 1)]).await;
    let runs = Arc::new(AtomicU64::new(0));
    let worker = {
        let runs = runs.clone();
        each("work", 5, move |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            Err(retry())
        })
    };
    for attempt in 1..=3 {
        let options = Options { attempts: 3, ..quick() };
        lab.drain_due(vec![worker.clone()], options).await;
        assert_eq!(runs.load(Ordering::SeqCst), attempt);
        assert_eq!(lab.jobs_in("ready").await, i64::from(attempt < 3));
        lab.clock.advance(SignedDuration::from_secs(1 << attempt)); // the most that jitter may ask for
    }
    let shown = only(&lab).await;
    assert_eq!((shown.last_code, shown.attempt), (Some(Code::CRM_AWAY), 3));
    assert_eq!(shown.last_verdict.as_deref(), Some("retry"));
    assert_eq!(shown.history.iter().map(|attempt| attempt.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    let backlog = backlog(&lab.store).await.expect("counted");
    assert_eq!(backlog.shelf.into_iter().collect::<Vec<_>>(), [(Code::CRM_AWAY, 1)]);
}

async fn a_refused_job_goes_to_the_shelf_at_once(lab: Lab) {
    for (number, verdict) in [(0, Verdict::Reject), (1, Verdict::Unknown), (2, Verdict::Bug)] {
        lab.enqueue(vec![job("work", number)]).await;
        let worker = each("work", 5, move |_| Err(Fault::new(verdict, Code::CRM_REFUSED, "no")));
        lab.drain_due(vec![worker], quick()).await;
    }
    let shelved = shelf::list(&lab.store, Page::default()).await.expect("listed");
    let verdicts: Vec<_> = shelved.iter().map(|shown| shown.last_verdict.as_deref().unwrap_or("")).collect();
    assert_eq!(verdicts, ["reject", "unknown", "bug"]);
    let page = |after, limit| Page { kind: Some("work".into()), after, limit };
    let second = shelf::list(&lab.store, page(Some(shelved[0].seq), 1)).await.expect("listed");
    assert_eq!(second[0].id, shelved[1].id);
    assert_eq!(second.len(), 1);
}

async fn a_held_kind_waits_and_says_so(lab: Lab) {
    let lab = lab.with_clock(Clock::manual(START));
    lab.enqueue((0..20).map(|number| job("work", number)).collect()).await;
    let runs = Arc::new(AtomicU64::new(0));
    let worker = {
        let runs = runs.clone();
        each("work", 5, move |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            Err(Fault::new(Verdict::Hold, Code::CRM_REFUSED, "the password is wrong"))
        })
    };
    let options = || Options { concurrency: 1, ..quick() };
    lab.drain_due(vec![worker.clone()], options()).await;
    assert_eq!(runs.load(Ordering::SeqCst), 5, "one lot was enough to know");
    let held = counts(&lab, "work").await;
    assert_eq!((held.ready, held.held, held.leased, held.shelf), (20, 5, 0, 0));
    assert_eq!(held.oldest_seconds(lab.clock.now()), 0.0);
    lab.clock.advance(SignedDuration::from_secs(61));
    let good = each("work", 5, |claim| {
        assert_eq!(claim.attempt, 1, "a hold does not count as an attempt");
        Ok(Done::Completed)
    });
    lab.drain_due(vec![good], options()).await;
    assert_eq!(lab.job_count().await, 0);
}

async fn a_hold_does_not_stop_the_others(lab: Lab) {
    lab.enqueue((0..20).map(|number| job("work", number)).collect()).await;
    let worker = each("work", 1, |claim| match claim.payload.as_u64() {
        Some(0) => Err(Fault::new(Verdict::Hold, Code::CRM_REFUSED, "this mailbox's password is wrong")),
        _ => Ok(Done::Completed),
    });
    let stop = tokio_util::sync::CancellationToken::new();
    let options = Options { concurrency: 1, ..quick() };
    let running = tokio::spawn(lab.runner(vec![worker], options).run(stop.clone()));
    let rest =
        postroom_testkit::poll::until_async(crate::harness::PATIENCE, async || lab.job_count().await == 1)
            .await;
    assert!(rest, "only the held one is left");
    stop.cancel();
    running.await.expect("no panic").expect("a clean stop");
}

async fn a_shelved_job_does_not_block_its_lane(lab: Lab) {
    lab.enqueue((0..3).map(|number| job("work", number).lane("a")).collect()).await;
    let worker = each("work", 5, |claim| match claim.payload.as_u64() {
        Some(0) => Err(Fault::reject(Code::CRM_REFUSED, "no")),
        _ => Ok(Done::Completed),
    });
    lab.drain_due(vec![worker], quick()).await;
    assert_eq!((lab.jobs_in("shelf").await, lab.job_count().await), (1, 1));
}

async fn a_replayed_job_runs_again(lab: Lab) {
    lab.enqueue(vec![job("work", 1)]).await;
    lab.drain_due(vec![each("work", 5, |_| Err(Fault::bug("oops")))], quick()).await;
    let id = only(&lab).await.id;
    assert!(replay(&lab, id).await);
    assert!(!replay(&lab, id).await, "it is not on the shelf any more");
    let shown = shelf::show(&lab.store, id).await.expect("read").expect("there");
    assert_eq!((shown.state.as_str(), shown.attempt, shown.history.len()), ("ready", 0, 1));
    lab.drain_due(vec![each("work", 5, |_| Ok(Done::Completed))], quick()).await;
    assert_eq!(lab.job_count().await, 0);
    assert!(shelf::show(&lab.store, id).await.expect("read").is_none());
}

async fn a_discarded_job_is_gone(lab: Lab) {
    lab.enqueue(vec![job("work", 1)]).await;
    lab.drain_due(vec![each("work", 5, |_| Err(Fault::bug("oops")))], quick()).await;
    let id = only(&lab).await.id;
    let discard = || {
        let unit =
            lab.store.write("test.discard", move |tx| Box::pin(async move { shelf::discard(tx, id).await }));
        async move { Result::<bool, Error>::expect(unit.await, "discarded") }
    };
    assert!(discard().await);
    assert!(!discard().await);
    assert_eq!(lab.job_count().await, 0);
}

async fn a_poisoned_job_does_not_stop_its_lot(lab: Lab) {
    lab.enqueue((0..10).map(|number| job("work", number)).collect()).await;
    let ran: Arc<Mutex<Vec<u64>>> = Arc::default();
    let worker = {
        let ran = ran.clone();
        each("work", 10, move |claim| {
            let number = claim.payload.as_u64().expect("a number");
            assert_ne!(number, 4, "poison");
            ran.lock().expect("whole").push(number);
            Ok(Done::Completed)
        })
    };
    lab.drain_due(vec![worker], quick()).await;
    let shown = only(&lab).await;
    assert_eq!(shown.payload, 4);
    assert!(
        shown.last_error.as_deref().is_some_and(|text| text.contains("poison")),
        "{:?}",
        shown.last_error
    );
    assert_eq!(lab.job_count().await, 1);
}

async fn jobs_finished_before_a_panic_are_not_run_again(lab: Lab) {
    lab.enqueue((0..4).map(|number| job("work", number)).collect()).await;
    let ran: Arc<Mutex<Vec<u64>>> = Arc::default();
    let worker = {
        let (store, ran) = (lab.store.clone(), ran.clone());
        act("work", 4, move |claims: Vec<Claim>| {
            let (store, ran) = (store.clone(), ran.clone());
            Box::pin(async move {
                for claim in &claims {
                    let number = claim.payload.as_u64().expect("a number");
                    ran.lock().expect("whole").push(number);
                    assert_ne!(number, 2, "poison");
                    let own = claim.clone();
                    let unit = store
                        .write("test.finish", move |tx| Box::pin(async move { finish(tx, &[&own]).await }));
                    unit.await.expect("the lease is good");
                }
                all(&claims, Done::Finished)
            })
        })
    };
    lab.drain_due(vec![worker], quick()).await;
    assert_eq!(*ran.lock().expect("whole"), [0, 1, 2, 2, 3]);
    assert_eq!(only(&lab).await.payload, 2);
}

async fn a_worker_that_says_nothing_is_a_bug(lab: Lab) {
    lab.enqueue((0..2).map(|number| job("work", number)).collect()).await;
    let worker =
        act("work", 2, |claims: Vec<Claim>| Box::pin(std::future::ready(all(&claims[..1], Done::Completed))));
    lab.drain_due(vec![worker], quick()).await;
    assert_eq!(only(&lab).await.payload, 1);
}
