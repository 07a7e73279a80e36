//! The SQLite driver: one writer thread with group commit, readers with connections of their own.

mod bind;
mod reader;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use sea_query::Value;

use crate::statement::OnConflict;
use crate::{Dialect, Error, Insert, Row, letters};

pub(crate) use reader::Readers;
pub(crate) use writer::{Ran, Unit, Writer};

/// How long a process waits for another one's transaction. Longer than any unit of ours takes.
const BUSY: Duration = Duration::from_secs(30);

/// Statements kept prepared per connection.
const STATEMENTS: usize = 256;

/// A connection used as a transaction's view; the writer or reader begins and ends the transaction itself.
pub(crate) struct SqliteTx {
    pub(crate) connection: Connection,
}

impl SqliteTx {
    pub(crate) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Error> {
        let fail = |error| bind::error(error, sql);
        let mut statement = self.connection.prepare_cached(sql).map_err(fail)?;
        bind::bind(&mut statement, values).map_err(fail)?;
        statement.raw_execute().map(|rows| rows as u64).map_err(fail)
    }

    pub(crate) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Error> {
        let fail = |error| bind::error(error, sql);
        let mut statement = self.connection.prepare_cached(sql).map_err(fail)?;
        bind::bind(&mut statement, values).map_err(fail)?;
        bind::rows(&mut statement).map_err(fail)
    }

    /// One prepared statement, run once a row.
    pub(crate) fn insert(&mut self, insert: &Insert) -> Result<u64, Error> {
        let sql = insert.text(Dialect::Sqlite, 1);
        let fail = |error| bind::error(error, &sql);
        let mut statement = self.connection.prepare_cached(&sql).map_err(fail)?;
        let mut new = 0;
        for row in &insert.rows {
            bind::bind(&mut statement, row).map_err(fail)?;
            new += statement.raw_execute().map_err(fail)?;
        }
        debug_assert!(insert.on_conflict != OnConflict::Fail || new == insert.rows.len());
        Ok(new as u64)
    }
}

/// Opens the file for writing and asserts what durability rests on.
fn open_writer(path: &Path) -> Result<Connection, Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    let fail = |error: rusqlite::Error| open_error(path, error);
    // Mails are larger than rows: larger pages, fewer of them. Set before the file has its first page, or without effect.
    connection.pragma_update(None, "page_size", 8192).map_err(fail)?;
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0)).map_err(fail)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
    connection.pragma_update(None, "foreign_keys", "ON").map_err(fail)?;
    // What is deleted or replaced is overwritten in the file, whole pages too: an erased mail must not lie in it until its
    // place is used again. FAST would leave those pages, and bodies fill such.
    connection.pragma_update(None, "secure_delete", "ON").map_err(fail)?;
    // A larger log between checkpoints: each page is copied home once for many commits.
    connection.pragma_update(None, "wal_autocheckpoint", 8000).map_err(fail)?;
    // 24 MiB of page cache: ids and hashes land anywhere in their indexes, whose upper pages must stay at hand.
    connection.pragma_update(None, "cache_size", -24 * 1024).map_err(fail)?;
    let level: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(fail)?;
    if mode != "wal" || level != 2 {
        let reason = format!("needs journal_mode=wal and synchronous=FULL, has {mode} and {level}");
        return Err(Error::Open { url: path.display().to_string(), reason });
    }
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection, Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // A reader forgets its pages after every commit of the writer's, so a large cache would only cost memory.
    connection.pragma_update(None, "cache_size", -2 * 1024).map_err(|error| open_error(path, error))?;
    connection.pragma_update(None, "query_only", "ON").map_err(|error| open_error(path, error))?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let fail = |error: rusqlite::Error| open_error(path, error);
    let connection =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fail)?;
    connection.busy_timeout(BUSY).map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    letters::register(&connection).map_err(fail)?;
    Ok(connection)
}

fn open_error(path: &Path, error: rusqlite::Error) -> Error {
    Error::Open { url: path.display().to_string(), reason: error.to_string() }
}

/// The database file with its writer and readers.
#[derive(Clone)]
pub(crate) struct Sqlite {
    pub(crate) path: PathBuf,
    pub(crate) writer: Writer,
    pub(crate) readers: Readers,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, readers: usize) -> Result<Self, Error> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| Error::Open {
                url: path.display().to_string(),
                reason: format!("its folder cannot be made: {error}"),
            })?;
        }
        let writer = Writer::start(open_writer(path)?)?;
        let readers = Readers::new(path, readers, writer.clone());
        Ok(Sqlite { path: path.to_owned(), writer, readers })
    }

    /// Copies the whole database to `target` while others go on reading and writing.
    pub(crate) fn backup(&self, target: &Path) -> Result<(), Error> {
        let source = open_reader(&self.path)?;
        let fail = |error: rusqlite::Error| open_error(target, error);
        let mut copy = Connection::open(target).map_err(fail)?;
        let backup = rusqlite::backup::Backup::new(&source, &mut copy).map_err(fail)?;
        backup.run_to_completion(4096, Duration::ZERO, None).map_err(fail)
    }
}
