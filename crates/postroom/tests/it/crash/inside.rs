//! What no command of the binary does: steps that only a crate's own call passes, killed in a process of this test
//! program; and rows that a drill needs.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::SignedDuration;
use postroom_core::{Clock, Fault, Ids, JobId, kill};
use postroom_embedded::Embedded;
use postroom_embedded::schema::{Column, Table};
use postroom_jobs::{self as jobs, Claim, Done, NewJob, Plan, Runner, Schedule, Worker};
use postroom_store::migrate::Ddl;
use postroom_store::sql::{Expr, ExprTrait, Index, Query};
use postroom_store::{Error, Options, Store};
use postroom_tracking::filing;
use postroom_tracking::settings;
use tokio_util::sync::CancellationToken;

use crate::crash::points::Moment;
use crate::load::{House, is_killed};

const STEP: &str = "POSTROOM_TEST_STEP";
const POINT: &str = "POSTROOM_TEST_POINT";
const URL: &str = "POSTROOM_TEST_URL";
/// The job kind of the drills here.
const KIND: &str = "test.drill";

/// Kills a process at the point, then looks that the books balance and that the same call succeeds.
pub fn kill(house: &House, step: &str, moment: Moment) {
    let point = moment.of(step);
    let ended = process(&house.url, step, Some(&point));
    assert!(is_killed(ended), "the call did not pass {point}: {ended}");
    house.run(&["verify"]).succeeds();
    let ended = process(&house.url, step, None);
    assert!(ended.success(), "after a kill at {point} the call fails: {ended}");
    clean(&house.url);
}

fn process(url: &str, step: &str, point: Option<&str>) -> std::process::ExitStatus {
    let mut command = Command::new(std::env::current_exe().expect("a test program knows itself"));
    command.args(["crash::inside::one_call", "--exact"]).env(STEP, step).env(URL, url);
    command.envs(point.map(|point| (POINT, point))).stdin(Stdio::null()).stdout(Stdio::null());
    command.status().expect("the test program starts again")
}

/// Not a test by itself: the other process. Without the variables there is nothing to do.
#[test]
fn one_call() {
    let (Ok(step), Ok(url)) = (std::env::var(STEP), std::env::var(URL)) else { return };
    let store = |store| async move { call(store, &step).await };
    on_store(&url, store);
}

/// Arms the point that the environment names, once what the call needs is there.
fn arm() {
    if let Ok(point) = std::env::var(POINT) {
        kill::arm(&point, 1, die);
    }
}

fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}

async fn call(store: Store, step: &str) {
    match step {
        "crm.shape" => shape(store).await,
        "crm.index" => index(store).await,
        "jobs.schedule" | "jobs.schedule_set" | "jobs.settle_held" | "jobs.set_back" => {
            work(store, step).await
        }
        other => panic!("no call is known that passes {other}"),
    }
}

/// A table of a name that is new each time.
async fn shape(store: Store) {
    let crm = Embedded::open(store, Clock::system()).await.expect("it was installed");
    let name = format!("esc_drill{}", std::process::id());
    arm();
    crm.create_table(Table::custom(&name, vec![Column::text("esc_note", 100)])).await.expect("a good table");
}

/// A database that an earlier version made is opened: its indexes have another layout, and one is lacking.
async fn index(store: Store) {
    run(
        &store,
        Query::delete().from_table("counter").and_where(Expr::col("name").eq("crm_index_layout")).to_owned(),
    )
    .await;
    let drop = Ddl::DropIndex(Index::drop().name("crm_contact_lastname_ix").if_exists().to_owned());
    let unit = store.write("test.change", move |tx| async move { tx.shape(&drop).await }.boxed());
    let dropped: Result<(), Error> = unit.await;
    dropped.expect("an index can be dropped");
    arm();
    Embedded::open(store, Clock::system()).await.expect("it was installed");
}

/// A worker that loses the lease of what it has just done, a job of tomorrow's clock, and a schedule that fires each second.
async fn work(store: Store, step: &str) {
    let (clock, ids, now) = (Clock::system(), Ids::random(), Clock::system().now());
    let job = NewJob::new(KIND, serde_json::Value::Null);
    let stop = CancellationToken::new();
    let worker = Careless { store: store.clone(), lose: step == "jobs.settle_held", stop: stop.clone() };
    let options = jobs::Options { poll: Duration::from_millis(50), ..jobs::Options::default() };
    let mut runner = Runner::new(store.clone(), clock, ids.clone(), vec![Arc::new(worker)], options);
    match step {
        "jobs.settle_held" | "jobs.set_back" => {
            let ahead =
                if step == "jobs.set_back" { SignedDuration::from_hours(24) } else { SignedDuration::ZERO };
            let now = now + ahead;
            let unit = store.write("test.enqueue", move |tx| {
                async move { jobs::enqueue(tx, &ids, now, vec![job]).await }.boxed()
            });
            let _: u64 = unit.await.expect("a job can be written");
        }
        _ => {
            let schedule = Schedule::new("* * * * * *", "UTC").expect("each second");
            let name = format!("drill {}", std::process::id());
            runner = runner.with_plans(vec![Plan { name, schedule, job }]);
        }
    }
    arm();
    runner.run(stop).await.expect("a clean stop");
}

struct Careless {
    store: Store,
    lose: bool,
    stop: CancellationToken,
}

#[async_trait]
impl Worker for Careless {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn lot(&self) -> usize {
        1
    }

    async fn run(&self, lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)> {
        if self.lose {
            let taken = Query::update()
                .table("job")
                .value("fence", Expr::col("fence").add(1_i64))
                .and_where(Expr::col("kind").eq(KIND))
                .to_owned();
            run(&self.store, taken).await;
        }
        self.stop.cancel();
        lot.into_iter().map(|claim| (claim.id, Ok(Done::Completed))).collect()
    }
}

/// As if every session had last been used two minutes earlier: a use is written once a minute.
pub fn age_sessions(url: &str) {
    on_store(url, |store| async move {
        let earlier = Expr::col("last_used").sub(SignedDuration::from_mins(2).as_micros() as i64);
        run(&store, Query::update().table("session").value("last_used", earlier).to_owned()).await;
    });
}

/// A job that no worker can do, as a damaged row would be.
pub fn bad_job(url: &str) {
    enqueue(url, NewJob::new(filing::KIND, serde_json::json!({ "no": "mail" })));
}

fn enqueue(url: &str, job: NewJob) {
    on_store(url, |store| async move {
        let (ids, now) = (Ids::random(), Clock::system().now());
        let unit = store.write("test.enqueue", move |tx| {
            async move { jobs::enqueue(tx, &ids, now, vec![job]).await }.boxed()
        });
        let _: u64 = unit.await.expect("a job can be written");
    });
}

/// The same, put on the shelf already.
pub fn shelved_job(url: &str) {
    bad_job(url);
    on_store(url, |store| async move {
        let shelve = Query::update().table("job").value("state", "shelf").to_owned();
        run(&store, shelve).await;
    });
}

/// As a restored database would be.
pub fn safe_mode(url: &str) {
    on_store(url, |store| async move {
        settings::set(&store, settings::SAFE_MODE, "on".into()).await.expect("a setting can be set");
    });
}

/// Removes what the drills here left, all but mail.
pub fn clean(url: &str) {
    on_store(url, |store| async move {
        let ours = Expr::col("kind").eq(KIND).or(Expr::col("payload").like("%no%mail%"));
        run(&store, Query::delete().from_table("job").and_where(ours).to_owned()).await;
        run(&store, Query::delete().from_table("schedule").to_owned()).await;
    });
}

async fn run(
    store: &Store,
    statement: impl postroom_store::sql::QueryStatementWriter + Send + Sync + 'static,
) {
    let unit = store.write("test.change", move |tx| async move { tx.execute(&statement).await }.boxed());
    let done: Result<u64, Error> = unit.await;
    done.expect("the statement is right");
}

fn on_store<F: Future<Output = ()>>(url: &str, work: impl FnOnce(Store) -> F) {
    let areas = [
        jobs::MIGRATIONS,
        postroom_tracking::MIGRATIONS,
        postroom_operations::MIGRATIONS,
        postroom_embedded::MIGRATIONS,
    ];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let store = Store::open(url, &Options::default(), &areas).await.expect("the database can be opened");
        work(store).await;
    });
}
