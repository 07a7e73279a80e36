//! What the tests stand on: a store on either database, a table in which workers leave their results, workers made of a
//! closure.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use postroom_core::{Clock, Fault, Ids, JobId};
use postroom_jobs::{Claim, Done, MIGRATIONS, NewJob, Options, Runner, Worker, enqueue};
use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{ColumnDef, Expr, ExprTrait, Query, SelectStatement, Table};
use postroom_store::{Error, Insert, Row, Store, Tx};
use postroom_testkit::database::Database;
use postroom_testkit::poll;

/// Runs each test once on SQLite and once on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        postroom_testkit::on_both!($crate::harness::Lab: $($name),+);
    };
}
pub(crate) use on_both;

/// The longest that any test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What workers leave behind: who ran which job.
const RESULTS: &[Migration] = &[Migration { area: "test", number: 1, name: "results", statements: results }];

fn results() -> Vec<Ddl> {
    // No unique index: a job that was finished twice must show.
    let table = Table::create()
        .table("result")
        .col(ColumnDef::new("job").uuid().not_null())
        .col(ColumnDef::new("who").text().not_null())
        .to_owned();
    vec![Ddl::CreateTable(table)]
}

pub struct Lab {
    pub store: Store,
    pub url: String,
    pub clock: Clock,
    pub ids: Ids,
    _database: Database,
}

impl Lab {
    pub async fn on(database: Database) -> Lab {
        let url = database.url.clone();
        let store = Store::open(&url, &postroom_store::Options::default(), &[MIGRATIONS, RESULTS]).await;
        let store = store.expect("the store opens");
        Lab { store, url, clock: Clock::system(), ids: Ids::random(), _database: database }
    }

    pub fn with_clock(mut self, clock: Clock) -> Lab {
        self.clock = clock;
        self
    }

    pub async fn enqueue(&self, jobs: Vec<NewJob>) -> u64 {
        let (ids, now) = (self.ids.clone(), self.clock.now());
        let unit = self
            .store
            .write("test.enqueue", move |tx| Box::pin(async move { enqueue(tx, &ids, now, jobs).await }));
        let count: Result<u64, Error> = unit.await;
        self.store.wake();
        count.expect("jobs are enqueued")
    }

    pub fn runner(&self, workers: Vec<Arc<dyn Worker>>, options: Options) -> Runner {
        Runner::new(self.store.clone(), self.clock.clone(), self.ids.clone(), workers, options)
    }

    pub async fn drain_due(&self, workers: Vec<Arc<dyn Worker>>, options: Options) {
        let runner = self.runner(workers, options);
        tokio::time::timeout(PATIENCE, runner.drain_due()).await.expect("drained in time").expect("drained");
    }

    pub async fn rows(&self, select: SelectStatement) -> Vec<Row> {
        let rows: Result<Vec<Row>, Error> =
            self.store.read(move |tx| Box::pin(async move { tx.query(&select).await })).await;
        rows.expect("rows are read")
    }

    /// How many jobs stand in `state`.
    pub async fn jobs_in(&self, state: &str) -> i64 {
        let select = count("job").and_where(Expr::col("state").eq(state)).to_owned();
        self.rows(select).await[0].at(0).expect("a count")
    }

    pub async fn job_count(&self) -> i64 {
        self.rows(count("job")).await[0].at(0).expect("a count")
    }

    /// Waits until no job is left.
    pub async fn until_empty(&self) {
        let empty = poll::until_async(PATIENCE, async || self.job_count().await == 0).await;
        assert!(empty, "{} jobs are left", self.job_count().await);
    }

    /// The result rows: job and who.
    pub async fn results(&self) -> Vec<(uuid::Uuid, String)> {
        let select = Query::select().columns(["job", "who"]).from("result").to_owned();
        let rows = self.rows(select).await;
        rows.iter().map(|row| (row.at(0).expect("a job"), row.at(1).expect("a name"))).collect()
    }
}

pub fn count(table: &'static str) -> SelectStatement {
    Query::select().expr(Expr::cust("count(*)")).from(table).to_owned()
}

/// Writes the results of `claims` in the unit at hand.
pub async fn leave_results(tx: &mut Tx, claims: &[Claim], who: &str) -> Result<(), Error> {
    let mut rows = Insert::into("result", &["job", "who"]);
    for claim in claims {
        rows.row([claim.id.0.into(), who.into()]);
    }
    tx.insert(&rows).await.map(drop)
}

/// Results and the end of the jobs in one unit: what a careful worker does.
pub async fn finish_with_results(store: &Store, claims: &[Claim], who: &str) -> Result<(), Error> {
    let (claims, who) = (claims.to_vec(), who.to_owned());
    let unit = store.write("test.finish", move |tx| {
        Box::pin(async move {
            leave_results(tx, &claims, &who).await?;
            postroom_jobs::finish(tx, &claims.iter().collect::<Vec<_>>()).await
        })
    });
    unit.await
}

pub type Answers = Vec<(JobId, Result<Done, Fault>)>;

/// A worker made of a closure.
pub struct Act<F> {
    kind: &'static str,
    lot: usize,
    act: F,
}

#[async_trait]
impl<F: Fn(Vec<Claim>) -> BoxFuture<'static, Answers> + Send + Sync> Worker for Act<F> {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn lot(&self) -> usize {
        self.lot
    }

    async fn run(&self, lot: Vec<Claim>) -> Answers {
        (self.act)(lot).await
    }
}

/// A worker that hands its lots to `act`.
pub fn act<F>(kind: &'static str, lot: usize, act: F) -> Arc<dyn Worker>
where
    F: Fn(Vec<Claim>) -> BoxFuture<'static, Answers> + Send + Sync + 'static,
{
    Arc::new(Act { kind, lot, act })
}

/// A worker that answers each job by itself, at once.
pub fn each<F>(kind: &'static str, lot: usize, answer: F) -> Arc<dyn Worker>
where
    F: Fn(&Claim) -> Result<Done, Fault> + Send + Sync + 'static,
{
    act(kind, lot, move |claims| {
        let answers = claims.iter().map(|claim| (claim.id, answer(claim))).collect();
        Box::pin(std::future::ready(answers))
    })
}

/// Every claim answered `Ok(done)`.
pub fn all(claims: &[Claim], done: Done) -> Answers {
    claims.iter().map(|claim| (claim.id, Ok(done))).collect()
}

/// Options of a quick test: short polls, a lease that no healthy process misses.
pub fn quick() -> Options {
    Options { poll: Duration::from_millis(20), ..Options::default() }
}

/// Options under which a dead process is noticed soon.
pub fn short_lease() -> Options {
    Options { poll: Duration::from_millis(20), ..Options::with_lease(Duration::from_millis(500)) }
}

/// A job whose payload is a number.
pub fn job(kind: &'static str, number: usize) -> NewJob {
    NewJob::new(kind, number.into())
}
