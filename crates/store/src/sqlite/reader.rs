//! Readers: a few connections, each used by one unit at a time on a blocking thread.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::sqlite::{SqliteTx, Writer, open_reader};
use crate::tx::Driver;
use crate::{Error, Tx};

#[derive(Clone)]
pub(crate) struct Readers(Arc<Pool>);

struct Pool {
    path: PathBuf,
    room: Arc<Semaphore>,
    idle: Mutex<Vec<Tx>>,
    /// Keeps the writer until the connections above are closed (fields are dropped in their order): two connections that close
    /// at once both think that the other one is the last, and the write-ahead log stays behind.
    _until_closed: Writer,
}

impl Readers {
    pub(crate) fn new(path: &Path, count: usize, writer: Writer) -> Self {
        Readers(Arc::new(Pool {
            path: path.to_owned(),
            room: Arc::new(Semaphore::new(count)),
            idle: Mutex::default(),
            _until_closed: writer,
        }))
    }

    /// Runs `work` on a snapshot.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let room = self.0.room.clone().acquire_owned().await.map_err(|_| Error::Stopped)?;
        let pool = self.0.clone();
        let task = tokio::task::spawn_blocking(move || {
            let _room = room; // held by the work, not by a caller who may go away
            pool.with(work)
        });
        match task.await {
            Ok(answer) => answer,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(Error::Stopped),
            },
        }
    }
}

impl Pool {
    fn with<T>(&self, work: impl FnOnce(&mut Tx) -> T) -> Result<T, Error> {
        let mut tx = match self.idle().pop() {
            Some(tx) => tx,
            None => Tx::new(Driver::Sqlite(SqliteTx { connection: open_reader(&self.path)? })),
        };
        snapshot(&mut tx, "BEGIN")?;
        let answer = work(&mut tx);
        snapshot(&mut tx, "COMMIT")?;
        self.idle().push(tx);
        Ok(answer)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Tx>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn snapshot(tx: &mut Tx, sql: &str) -> Result<(), Error> {
    match &mut tx.driver {
        Driver::Sqlite(tx) => tx.execute(sql, &[]).map(drop),
        Driver::Postgres(_) => unreachable!("the pool made this Tx itself"),
    }
}
