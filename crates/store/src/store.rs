//! The handle that everything else holds.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::{BodyHash, kill};
use tokio::sync::{Notify, oneshot};

use crate::migrate::Migration;
use crate::postgres::{PgTx, Postgres};
use crate::recent::Recent;
use crate::sqlite::{Sqlite, Unit};
use crate::tx::Driver;
use crate::{Error, Tx, body, migrate, sqlite};

/// Sizes of the pools, and whom to trust.
#[derive(Debug, Clone)]
pub struct Options {
    /// SQLite reader connections. More readers than cores only cost memory.
    pub readers: usize,
    /// PostgreSQL connections of this process.
    pub connections: usize,
    /// Authorities for the certificate of a PostgreSQL server, beside those of the system (PEM).
    pub ca_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options { readers: 4, connections: 12, ca_file: None }
    }
}

/// Tries to empty the write-ahead log of SQLite, and the pause between two, in which others may write.
const SCRUBS: u32 = 10;
const SCRUB_PAUSE: Duration = Duration::from_millis(200);

/// The database. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Store {
    database: Database,
    wake: Arc<Notify>,
    recent: Arc<Recent>,
}

#[derive(Clone)]
enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Store {
    /// Opens `sqlite:///PATH` or `postgres://…` and brings its schema up to the steps in `areas`.
    pub async fn open(url: &str, options: &Options, areas: &[&[Migration]]) -> Result<Self, Error> {
        let database = match sqlite_path(url) {
            Some(path) => Database::Sqlite(Sqlite::open(&path, options.readers)?),
            None if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Database::Postgres(Postgres::open(url, options.connections, options.ca_file.as_deref())?)
            }
            None => {
                let reason = "expected sqlite:///PATH or postgres://…".to_owned();
                return Err(Error::Open { url: url.to_owned(), reason });
            }
        };
        let store = Store { database, wake: Arc::default(), recent: Arc::default() };
        migrate::run(&store, &[&[body::MIGRATIONS], areas].concat()).await?;
        Ok(store)
    }

    /// Runs a unit and makes it durable: when this returns `Ok`, it survives a power cut. `step` names the unit for
    /// kill points and logs, as `area.what`.
    ///
    /// The unit's future may await nothing but the `Tx`.
    pub async fn write<T, E, F>(&self, step: &'static str, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        match &self.database {
            Database::Sqlite(sqlite) => write_sqlite(sqlite, step, work).await,
            Database::Postgres(postgres) => write_postgres(postgres, step, work).await,
        }
    }

    /// Runs a unit and takes all of it back: answers what it would have answered. It waits and locks as a write does.
    pub async fn rehearse<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let unit = self.write(REHEARSAL, move |tx| {
            async move {
                match work(tx).await {
                    Ok(answer) => Err::<Infallible, _>(Rehearsal::TakenBack(answer)),
                    Err(error) => Err(Rehearsal::Failed(error)),
                }
            }
            .boxed()
        });
        match unit.await {
            Err(Rehearsal::TakenBack(answer)) => Ok(answer),
            Err(Rehearsal::Failed(error)) => Err(error),
            Ok(never) => match never {},
        }
    }

    /// Runs a unit that only reads. On SQLite it sees one snapshot; on PostgreSQL each statement sees its own.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        match &self.database {
            Database::Sqlite(sqlite) => sqlite.readers.run(|tx| at_once(work(tx))).await?,
            Database::Postgres(postgres) => {
                let mut tx = Tx::new(Driver::Postgres(postgres.connection().await?));
                work(&mut tx).await
            }
        }
    }

    /// Tells this process's workers that there may be work. Losing it loses only time.
    pub fn wake(&self) {
        self.wake.notify_waiters();
    }

    /// Waits for the next [`Store::wake`], counted from the call, not from the first poll: made before a look for
    /// work, it misses none that comes after the look.
    pub fn woken(&self) -> impl Future<Output = ()> + Send + '_ {
        self.wake.notified()
    }

    /// Keeps a body that was stored just now in memory for [`body::take`], as long as there is room.
    pub fn at_hand(&self, hash: BodyHash, bytes: Bytes) {
        self.recent.put(hash, bytes);
    }

    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Copies the database to a new file while it is in use. SQLite only: PostgreSQL has its own tools.
    pub async fn backup(&self, target: PathBuf) -> Result<(), Error> {
        match &self.database {
            Database::Sqlite(sqlite) => {
                let sqlite = sqlite.clone();
                let copy = tokio::task::spawn_blocking(move || sqlite.backup(&target));
                copy.await.map_err(|error| Error::Away(error.to_string()))?
            }
            Database::Postgres(_) => Err(Error::Open {
                url: target.display().to_string(),
                reason: "a PostgreSQL database is backed up with pg_dump or its own replication".into(),
            }),
        }
    }

    /// Leaves nothing of what was deleted or replaced in the files of the database. SQLite overwrites it in its file as it
    /// goes; copies in the write-ahead log go here. PostgreSQL keeps dead rows until its own vacuum: nothing is done there.
    ///
    /// # Errors
    /// [`Error::Away`] while another program reads an older state of the file: ask again later.
    pub async fn scrub(&self) -> Result<(), Error> {
        let Database::Sqlite(sqlite) = &self.database else { return Ok(()) };
        for _ in 0..SCRUBS {
            if sqlite.writer.empty_log().await? {
                return Ok(());
            }
            tokio::time::sleep(SCRUB_PAUSE).await;
        }
        Err(Error::Away("another program reads it all the time, so its log cannot be emptied".into()))
    }

    /// The database file, when it is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.database {
            Database::Sqlite(sqlite) => Some(&sqlite.path),
            Database::Postgres(_) => None,
        }
    }
}

/// Never durable, so it is no step that a kill point belongs to.
const REHEARSAL: &str = "store.rehearsal";

/// How a unit ends that must leave nothing behind.
enum Rehearsal<T, E> {
    TakenBack(T),
    Failed(E),
}

impl<T, E: From<Error>> From<Error> for Rehearsal<T, E> {
    fn from(error: Error) -> Self {
        Rehearsal::Failed(error.into())
    }
}

fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://")?;
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// Polls a unit's future once. It only ever waits for SQLite, which answers at once.
fn at_once<T>(mut future: BoxFuture<'_, T>) -> T {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a unit of the store awaits nothing but its Tx"),
    }
}

async fn write_sqlite<T, E, F>(sqlite: &Sqlite, step: &'static str, work: F) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
{
    let (answer, answered) = oneshot::channel::<std::thread::Result<Result<T, E>>>();
    let run = Box::new(move |tx: Result<&mut Tx, Error>| {
        let outcome = match tx {
            Ok(tx) => catch_unwind(AssertUnwindSafe(|| {
                let outcome = at_once(work(tx));
                tx.honest(step, outcome)
            })),
            Err(error) => Ok(Err(error.into())),
        };
        sqlite::Ran {
            keep: matches!(outcome, Ok(Ok(_))),
            deliver: Box::new(move |committed: Result<(), Error>| {
                let told =
                    outcome.map(|result| result.and_then(|value| committed.map(|()| value).map_err(E::from)));
                let _ = answer.send(told); // a caller that went away is told nothing
            }),
        }
    });
    sqlite.writer.send(Unit { step, run }).await?;
    match answered.await {
        Ok(Ok(told)) => told,
        Ok(Err(panic)) => resume_unwind(panic), // as it would be on PostgreSQL: in the caller's own task
        Err(_) => Err(Error::Stopped.into()),
    }
}

async fn write_postgres<T, E, F>(postgres: &Postgres, step: &'static str, work: F) -> Result<T, E>
where
    E: From<Error>,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
{
    let connection = postgres.connection().await?;
    connection.batch("BEGIN").await?;
    // From here on a dropped future must not give the connection back inside a transaction.
    let mut guard = Guard(Some(Tx::new(Driver::Postgres(connection))));
    let outcome = work(guard.tx()).await;
    let outcome = guard.tx().honest(step, outcome);
    let connection = guard.release();
    match outcome {
        Ok(value) => {
            kill::point(step, "before_commit");
            if let Err(error) = connection.batch("COMMIT").await {
                connection.discard();
                return Err(error.into());
            }
            kill::point(step, "after_commit");
            Ok(value)
        }
        Err(error) => {
            if connection.batch("ROLLBACK").await.is_err() {
                connection.discard();
            }
            Err(error)
        }
    }
}

/// Holds a connection that is inside a transaction; dropped early, it closes the connection.
struct Guard(Option<Tx>);

impl Guard {
    fn tx(&mut self) -> &mut Tx {
        self.0.as_mut().expect("released only at the end")
    }

    fn release(&mut self) -> PgTx {
        match self.0.take() {
            Some(Tx { driver: Driver::Postgres(connection), .. }) => connection,
            _ => unreachable!("made around a PostgreSQL connection, released once"),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(Tx { driver: Driver::Postgres(connection), .. }) = self.0.take() {
            connection.discard();
        }
    }
}
