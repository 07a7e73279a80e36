//! Two processes share the work, and one is killed.
//!
//! The other process is this test program again, told by its environment to be a worker.

use std::collections::{HashMap, HashSet};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use postroom_jobs::{Done, Options, Worker};
use postroom_store::sql::{Expr, ExprTrait};
use postroom_testkit::database::Database;
use postroom_testkit::poll;
use tokio_util::sync::CancellationToken;

use crate::harness::{Lab, PATIENCE, act, all, count, finish_with_results, job, on_both};

const DATABASE: &str = "POSTROOM_TEST_WORKER_DATABASE";
const JOBS: usize = 600;
const LEASE: Duration = Duration::from_secs(1);

on_both! {
    the_work_of_a_killed_process_is_done_once,
}

/// Not a test by itself: the other process. Without the variable there is nothing to be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_process() {
    let Ok(url) = std::env::var(DATABASE) else { return };
    let lab = Lab::on(Database::at(url)).await;
    let runner = lab.runner(vec![careful(&lab, "child")], options());
    runner.run(CancellationToken::new()).await.expect("it is killed before it can end");
}

fn options() -> Options {
    Options { poll: Duration::from_millis(50), ..Options::with_lease(LEASE) }
}

/// A worker whose jobs take a moment, and whose results stand and fall with the end of the jobs.
fn careful(lab: &Lab, who: &'static str) -> std::sync::Arc<dyn Worker> {
    let store = lab.store.clone();
    act("work", 5, move |claims| {
        let store = store.clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await; // the work itself
            match finish_with_results(&store, &claims, who).await {
                Ok(()) => all(&claims, Done::Finished),
                Err(error) => panic!("{who} could not finish: {error}"),
            }
        })
    })
}

/// Ends with the test, however the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill(); // SIGKILL
        let _ = self.0.wait();
    }
}

fn start_child(url: &str) -> Killed {
    let program = std::env::current_exe().expect("a test program knows itself");
    let mut command = Command::new(program);
    command.args(["killed::worker_process", "--exact"]).env(DATABASE, url);
    Killed(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the test program starts again"))
}

async fn the_work_of_a_killed_process_is_done_once(lab: Lab) {
    let lanes = |number: usize| job("work", number).lane(format!("lane {}", number % 60));
    lab.enqueue((0..JOBS).map(lanes).collect()).await;
    let child = start_child(&lab.url);
    let stop = CancellationToken::new();
    let runner = tokio::spawn(lab.runner(vec![careful(&lab, "parent")], options()).run(stop.clone()));
    let by = async |who: &str| lab.results().await.iter().filter(|(_, by)| by == who).count();
    let at_work =
        poll::until_async(PATIENCE, async || by("child").await >= 20 && by("parent").await >= 20).await;
    assert!(at_work, "both take part: {} and {}", by("child").await, by("parent").await);
    drop(child);
    let done = by("child").await;
    assert!(lab.job_count().await > 0, "it was killed in the midst of the work");
    lab.until_empty().await;
    stop.cancel();
    runner.await.expect("no panic").expect("a clean stop");
    let results = lab.results().await;
    let mut times: HashMap<_, usize> = HashMap::new();
    results.iter().for_each(|(job, _)| *times.entry(job).or_default() += 1);
    assert!(times.values().all(|times| *times == 1), "each job has one result");
    assert_eq!(results.iter().map(|(job, _)| job).collect::<HashSet<_>>().len(), JOBS);
    assert_eq!(by("child").await, done, "the dead do not work");
    let left = count("job").and_where(Expr::col("state").ne("")).to_owned();
    assert_eq!(lab.rows(left).await[0].at::<i64>(0).expect("a count"), 0);
}
