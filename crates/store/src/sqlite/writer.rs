//! The one thread that writes, and where group commit lives.
//!
//! Whatever waits when a transaction begins goes into it, each unit behind its own savepoint, and all are answered after
//! the one commit. A unit that fails is undone alone. Between two transactions the log is emptied when somebody asks for it:
//! the writer cannot be in its own way.

use std::thread;
use std::time::{Duration, Instant};

use postroom_core::kill;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use crate::sqlite::{SqliteTx, bind};
use crate::tx::Driver;
use crate::{Error, Tx, fatal};

/// Units that may wait; more make the callers wait.
const WAITING: usize = 1024;
/// Units in one transaction at most.
const GROUP: usize = 512;
/// A transaction takes in no further unit after this long, so that the first one in it is not kept waiting.
const GROUP_TIME: Duration = Duration::from_millis(50);

/// How long the log's emptying waits for another process: whoever wants to write waits with it.
const EMPTYING: Duration = Duration::from_secs(1);

type Work = dyn FnOnce(Result<&mut Tx, Error>) -> Ran + Send;

/// A unit of work, its types erased.
pub(crate) struct Unit {
    pub(crate) step: &'static str,
    /// Runs the work, or tells its caller why there is no transaction to run it in. Never panics.
    pub(crate) run: Box<Work>,
}

/// What a unit left behind: whether its writes stand, and how to tell its caller.
pub(crate) struct Ran {
    pub(crate) keep: bool,
    pub(crate) deliver: Box<dyn FnOnce(Result<(), Error>)>,
}

/// What the thread is asked for.
enum Order {
    Unit(Unit),
    /// Empty the log; answers whether nobody was in the way.
    EmptyLog(oneshot::Sender<Result<bool, Error>>),
}

#[derive(Clone)]
pub(crate) struct Writer {
    orders: mpsc::Sender<Order>,
}

impl Writer {
    pub(crate) fn start(connection: Connection) -> Result<Self, Error> {
        let (orders, waiting) = mpsc::channel(WAITING);
        let tx = Tx::new(Driver::Sqlite(SqliteTx { connection }));
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || serve(tx, waiting))
            .map_err(|error| Error::Open { url: "writer thread".into(), reason: error.to_string() })?;
        Ok(Writer { orders })
    }

    pub(crate) async fn send(&self, unit: Unit) -> Result<(), Error> {
        self.orders.send(Order::Unit(unit)).await.map_err(|_| Error::Stopped)
    }

    /// Copies the write-ahead log into the file and cuts it to nothing; false when somebody reads an older state.
    pub(crate) async fn empty_log(&self) -> Result<bool, Error> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order::EmptyLog(answer)).await.map_err(|_| Error::Stopped)?;
        answered.await.map_err(|_| Error::Stopped)?
    }
}

fn serve(mut tx: Tx, mut waiting: mpsc::Receiver<Order>) {
    let mut next = None;
    while let Some(order) = next.take().or_else(|| waiting.blocking_recv()) {
        match order {
            Order::Unit(first) => match group(&mut tx, first, &mut waiting) {
                Ok(left) => next = left,
                Err((error, units)) => refuse(units, error),
            },
            Order::EmptyLog(answer) => drop(answer.send(empty(&connection(&mut tx).connection))),
        }
    }
}

fn empty(connection: &Connection) -> Result<bool, Error> {
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let fail = |error| bind::error(error, sql);
    connection.busy_timeout(EMPTYING).map_err(fail)?;
    // Its first column says whether somebody was in the way.
    let emptied = connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|busy| busy == 0);
    connection.busy_timeout(super::BUSY).map_err(fail)?;
    emptied.map_err(fail)
}

/// Tells callers whose units did not become durable.
fn refuse(units: Vec<(&'static str, Ran)>, error: Error) {
    for (_, ran) in units {
        (ran.deliver)(Err(again(&error)));
    }
}

/// One transaction; answers the order that ended it early. On failure hands back the units that were in it, to be told.
#[expect(clippy::type_complexity, reason = "used once, right above")]
fn group(
    tx: &mut Tx,
    first: Unit,
    waiting: &mut mpsc::Receiver<Order>,
) -> Result<Option<Order>, (Error, Vec<(&'static str, Ran)>)> {
    let started = Instant::now();
    if let Err(error) = begin(tx) {
        return Err((again(&error), vec![(first.step, (first.run)(Err(error)))]));
    }
    let (mut done, mut left) = (vec![alone(tx, first)], None);
    // SQLite may undo the whole transaction by itself (full disk); whatever ran after that would commit on its own.
    while done.len() < GROUP && started.elapsed() < GROUP_TIME && !connection(tx).connection.is_autocommit() {
        match waiting.try_recv() {
            Ok(Order::Unit(unit)) => done.push(run(tx, unit)),
            Ok(order) => {
                left = Some(order);
                break;
            }
            Err(_) => break,
        }
    }
    for (step, _) in done.iter().filter(|(_, ran)| ran.keep) {
        kill::point(step, "before_commit");
    }
    if let Err(error) = commit(tx) {
        return Err((error, done));
    }
    metrics::histogram!("postroom_journal_fsync_seconds").record(started.elapsed());
    for (step, ran) in done {
        if ran.keep {
            kill::point(step, "after_commit");
        }
        (ran.deliver)(Ok(()));
    }
    Ok(left)
}

/// Runs the first unit of a transaction. There is nothing else in it that its failure could take along, so it does
/// without a savepoint, which would copy every page that it touches.
fn alone(tx: &mut Tx, unit: Unit) -> (&'static str, Ran) {
    tx.failed = false;
    let ran = (unit.run)(Ok(tx));
    if !ran.keep
        && !connection(tx).connection.is_autocommit()
        && let Err(error) = savepoint(tx, "ROLLBACK").and_then(|()| begin(tx))
    {
        tracing::warn!(code = "PR-7005", step = unit.step, "A unit could not be undone: {error}");
    }
    (unit.step, ran)
}

fn run(tx: &mut Tx, unit: Unit) -> (&'static str, Ran) {
    if let Err(error) = savepoint(tx, "SAVEPOINT unit") {
        tracing::error!(code = "PR-7005", "A savepoint failed: {error}");
        return (unit.step, (unit.run)(Err(error)));
    }
    tx.failed = false;
    let ran = (unit.run)(Ok(tx));
    let end = if ran.keep { "RELEASE unit" } else { "ROLLBACK TO unit" };
    if let Err(error) =
        savepoint(tx, end).and_then(|()| if ran.keep { Ok(()) } else { savepoint(tx, "RELEASE unit") })
    {
        // SQLite undoes the whole transaction by itself on some errors (full disk); the commit below will say so.
        tracing::warn!(code = "PR-7005", step = unit.step, "A savepoint could not be closed: {error}");
    }
    (unit.step, ran)
}

fn begin(tx: &mut Tx) -> Result<(), Error> {
    savepoint(tx, "BEGIN IMMEDIATE")
}

fn savepoint(tx: &mut Tx, sql: &'static str) -> Result<(), Error> {
    connection(tx).execute(sql, &[]).map(drop)
}

/// Commits; a disk that is full undoes the group, anything else that fails here ends the process.
fn commit(tx: &mut Tx) -> Result<(), Error> {
    let connection = &connection(tx).connection;
    if connection.is_autocommit() {
        return Err(Error::Full); // SQLite rolled the transaction back by itself while a unit ran
    }
    match connection.execute_batch("COMMIT") {
        Ok(()) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            if !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK");
            }
            Err(bind::error(error, "COMMIT"))
        }
        Err(error) => fatal::stop(&error.to_string()),
    }
}

fn connection(tx: &mut Tx) -> &mut SqliteTx {
    match &mut tx.driver {
        Driver::Sqlite(tx) => tx,
        Driver::Postgres(_) => unreachable!("the writer thread made this Tx itself"),
    }
}

/// The same refusal for every caller of a group.
fn again(error: &Error) -> Error {
    match error {
        Error::Full => Error::Full,
        other => Error::Away(other.to_string()),
    }
}
