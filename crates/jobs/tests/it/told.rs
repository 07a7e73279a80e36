//! What a worker says and hears about its failed jobs: that a peer is away, and that one was put on the shelf.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::SignedDuration;
use postroom_core::{Clock, Code, Fault, JobId, Verdict};
use postroom_jobs::{Claim, Done, Options, Worker};
use postroom_store::{Error, Insert, Tx};

use crate::harness::{Answers, Lab, job, on_both, quick};

on_both! {
    a_peer_that_is_away_costs_no_try,
    whoever_is_shelved_shows_it_in_the_same_unit,
    so_does_a_job_whose_process_died_too_often,
}

/// Fails with what its switch says, and keeps the shelf's books in the table of results.
struct Filer {
    verdict: Verdict,
    code: Code,
    runs: AtomicU64,
}

impl Filer {
    fn new(verdict: Verdict, code: Code) -> Arc<Filer> {
        Arc::new(Filer { verdict, code, runs: AtomicU64::new(0) })
    }
}

#[async_trait]
impl Worker for Filer {
    fn kind(&self) -> &'static str {
        "work"
    }

    fn lot(&self) -> usize {
        5
    }

    async fn run(&self, lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let answer = |claim: &Claim| (claim.id, Err(Fault::new(self.verdict, self.code, "no")));
        lot.iter().map(answer).collect::<Answers>()
    }

    fn is_away(&self, fault: &Fault) -> bool {
        fault.code == Code::CRM_AWAY
    }

    async fn shelved(&self, tx: &mut Tx, job: &Claim, why: &str) -> Result<(), Error> {
        let mut row = Insert::into("result", &["job", "who"]);
        row.row([job.id.0.into(), why.into()]);
        tx.insert(&row).await.map(drop)
    }
}

const AGAIN: Verdict = Verdict::Retry { after: None };

async fn a_peer_that_is_away_costs_no_try(lab: Lab) {
    let lab = lab.with_clock(Clock::manual("2026-11-02T08:00:00Z".parse().expect("a time")));
    lab.enqueue(vec![job("work", 1)]).await;
    let options = || Options { attempts: 3, ..quick() };
    let away = Filer::new(AGAIN, Code::CRM_AWAY);
    for day in 1..=14 {
        lab.drain_due(vec![away.clone()], options()).await;
        assert_eq!((away.runs.load(Ordering::SeqCst), lab.jobs_in("ready").await), (day, 1));
        lab.clock.advance(SignedDuration::from_hours(24));
    }
    // It is back, and has another complaint: that is the first try.
    let back = Filer::new(AGAIN, Code::CRM_VERSION);
    for left in [1, 1, 0] {
        lab.drain_due(vec![back.clone()], options()).await;
        assert_eq!(lab.jobs_in("ready").await, left);
        lab.clock.advance(SignedDuration::from_secs(10));
    }
    assert_eq!(lab.jobs_in("shelf").await, 1);
}

async fn whoever_is_shelved_shows_it_in_the_same_unit(lab: Lab) {
    lab.enqueue((0..3).map(|number| job("work", number)).collect()).await;
    lab.drain_due(vec![Filer::new(Verdict::Reject, Code::CRM_REFUSED)], quick()).await;
    let told = lab.results().await;
    assert_eq!((told.len(), lab.jobs_in("shelf").await), (3, 3));
    assert!(told.iter().all(|(_, why)| why == "PR-2002: no"), "{told:?}");
}

async fn so_does_a_job_whose_process_died_too_often(lab: Lab) {
    lab.enqueue(vec![job("work", 1)]).await;
    // As if it had been started twice and never ended.
    let spent = postroom_store::sql::Query::update().table("job").value("attempt", 2_i64).to_owned();
    let unit =
        lab.store.write("test.spent", move |tx| Box::pin(async move { tx.execute(&spent).await.map(drop) }));
    Result::<(), Error>::expect(unit.await, "written");
    let worker = Filer::new(AGAIN, Code::CRM_AWAY);
    lab.drain_due(vec![worker.clone()], Options { attempts: 2, ..quick() }).await;
    let told = lab.results().await;
    assert_eq!((told.len(), lab.jobs_in("shelf").await, worker.runs.load(Ordering::SeqCst)), (1, 1, 0));
    assert!(told[0].1.contains("died 2 times"), "{told:?}");
}
