//! Readers: a few connections, each used by one unit at a time on a blocking thread.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::sqlite::{SqliteTx, open_reader};
use crate::tx::Driver;
use crate::{Error, Tx};

#[derive(Clone)]
pub(crate) struct Readers(Arc<Pool>);

struct Pool {
    path: PathBuf,
    room: Semaphore,
    idle: Mutex<Vec<Tx>>,
}

impl Readers {
    pub(crate) fn new(path: &Path, count: usize) -> Self {
        Readers(Arc::new(Pool { path: path.to_owned(), room: Semaphore::new(count), idle: Mutex::default() }))
    }

    /// Runs `work` on a snapshot.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _room = self.0.room.acquire().await.map_err(|_| Error::Stopped)?;
        let pool = self.0.clone();
        let task = tokio::task::spawn_blocking(move || pool.with(work));
        task.await.map_err(|error| Error::Away(format!("a reader stopped: {error}")))?
    }
}

impl Pool {
    fn with<T>(&self, work: impl FnOnce(&mut Tx) -> T) -> Result<T, Error> {
        let mut tx = match self.idle().pop() {
            Some(tx) => tx,
            None => Tx(Driver::Sqlite(SqliteTx { connection: open_reader(&self.path)? })),
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
    match &mut tx.0 {
        Driver::Sqlite(tx) => tx.execute(sql, &[]).map(drop),
        Driver::Postgres(_) => unreachable!("the pool made this Tx itself"),
    }
}
