//! Running one lot: the worker's answers, its panics, and the jobs it said nothing about.

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use postroom_core::{Fault, JobId};
use tokio::time::{Instant, sleep};

use crate::claim::still_held;
use crate::events::{LotEnded, Panicked, StepFailed};
use crate::job::{Claim, Done, Worker};
use crate::runner::Shared;
use crate::settle::{Failed, settle};

type Answers = Vec<(JobId, Result<Done, Fault>)>;

/// How a lot ended, for the brake.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ended {
    pub(crate) passed: usize,
    pub(crate) held: usize,
}

/// Runs a lot to its written end.
pub(crate) async fn run_lot(shared: Arc<Shared>, worker: Arc<dyn Worker>, claims: Vec<Claim>) -> Ended {
    let started = Instant::now();
    let answers = match guarded(&*worker, claims.clone()).await {
        Ok(answers) => answers,
        Err(panic) if claims.len() == 1 => vec![(claims[0].id, Err(panicked(&panic)))],
        Err(_) => one_by_one(&shared, &*worker, &claims).await,
    };
    let lanes = claims.iter().any(|claim| !claim.lane.is_empty());
    let jobs = claims.len();
    let sorted = Sorted::new(claims, answers, &shared, &*worker);
    let ended = Ended {
        passed: sorted.done.len() + sorted.finished,
        held: sorted.failed.iter().filter(|failed| failed.is_held()).count(),
    };
    write_down(&shared, &worker, &sorted).await;
    LotEnded { kind: worker.kind(), jobs, done: ended.passed, took: started.elapsed() }.emit();
    if lanes {
        shared.store.wake(); // the next of a lane may be of another kind
    }
    ended
}

/// Writes the end down, however long the store is away: our lease stands as long as we beat, so nobody else would.
async fn write_down(shared: &Shared, worker: &Arc<dyn Worker>, sorted: &Sorted) {
    let mut wait = shared.options.poll;
    while let Err(error) =
        settle(&shared.store, worker, shared.clock.now(), &sorted.done, &sorted.failed).await
    {
        StepFailed { step: "jobs.settle", error: &error }.emit();
        sleep(wait).await;
        wait = (wait * 2).min(shared.options.lease);
    }
}

/// Runs the worker; a panic comes back as its text.
async fn guarded(worker: &dyn Worker, claims: Vec<Claim>) -> Result<Answers, String> {
    let jobs = claims.len();
    // `run` is called inside, for a worker may panic before it makes its future.
    let run = async move { worker.run(claims).await };
    AssertUnwindSafe(run).catch_unwind().await.map_err(|panic| {
        let text = text_of(&*panic);
        Panicked { kind: worker.kind(), jobs, text: &text }.emit();
        text
    })
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

fn panicked(text: &str) -> Fault {
    Fault::bug(format!("the job panicked: {text}"))
}

/// After a panic: each job by itself, so that only the bad one fails. Those that the worker finished before it panicked
/// are not run again.
async fn one_by_one(shared: &Shared, worker: &dyn Worker, claims: &[Claim]) -> Answers {
    let held = loop {
        match still_held(&shared.store, claims).await {
            Ok(held) => break held,
            Err(error) => StepFailed { step: "jobs.still_held", error: &error }.emit(),
        }
        sleep(shared.options.poll).await;
    };
    let mut answers = Vec::with_capacity(claims.len());
    for claim in claims {
        if !held.contains(&(claim.seq, claim.fence)) {
            answers.push((claim.id, Ok(Done::Finished)));
            continue;
        }
        match guarded(worker, vec![claim.clone()]).await {
            Ok(answer) => answers.extend(answer),
            Err(panic) => answers.push((claim.id, Err(panicked(&panic)))),
        }
    }
    answers
}

/// A lot's jobs by how they ended.
struct Sorted {
    done: Vec<Claim>,
    finished: usize,
    failed: Vec<Failed>,
}

impl Sorted {
    /// Of two answers for a job the first counts; none is a bug of the worker.
    fn new(claims: Vec<Claim>, answers: Answers, shared: &Shared, worker: &dyn Worker) -> Self {
        let (attempts, now) = (shared.options.attempts, shared.clock.now());
        let mut by_id: HashMap<JobId, Result<Done, Fault>> = HashMap::with_capacity(answers.len());
        for (id, answer) in answers {
            by_id.entry(id).or_insert(answer);
        }
        let mut sorted = Sorted { done: Vec::with_capacity(claims.len()), finished: 0, failed: Vec::new() };
        for claim in claims {
            match by_id.remove(&claim.id) {
                Some(Ok(Done::Completed)) => sorted.done.push(claim),
                Some(Ok(Done::Finished)) => sorted.finished += 1,
                Some(Err(fault)) => {
                    let away = worker.is_away(&fault);
                    let failed = Failed::new(claim, fault, attempts);
                    sorted.failed.push(if away { failed.while_away(now) } else { failed });
                }
                None => {
                    let fault = Fault::bug("the worker gave no answer for the job");
                    sorted.failed.push(Failed::new(claim, fault, attempts));
                }
            }
        }
        sorted
    }
}
