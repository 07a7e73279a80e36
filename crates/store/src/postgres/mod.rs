//! The PostgreSQL driver: a pool, a transaction a unit, statements prepared once a connection.

mod bind;
mod tls;

use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, QueueMode, RecyclingMethod, Runtime,
};
use sea_query::Value;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls};

use crate::{Dialect, Error, Insert, Row};

/// Waiting longer than this for a connection means the server is away or overrun.
const WAIT: Duration = Duration::from_secs(10);
/// Values in one statement; the protocol's limit is 65,535.
const VALUES: usize = 8192;
/// Bytes of a statement of several rows: a connection keeps the room that its largest one took.
const BYTES: usize = 512 * 1024;

#[derive(Clone)]
pub(crate) struct Postgres {
    pool: Pool,
}

/// A pooled connection inside a transaction (or outside one, for reads).
pub(crate) struct PgTx {
    client: Object,
}

impl Postgres {
    /// `ca_file` names authorities beside those that this machine trusts.
    pub(crate) fn open(url: &str, connections: usize, ca_file: Option<&Path>) -> Result<Self, Error> {
        let fail = |reason: String| Error::Open { url: shown(url), reason };
        let mut config = Config::from_str(url).map_err(|error| fail(error.to_string()))?;
        config.application_name("postroom");
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match config.get_ssl_mode() {
            SslMode::Disable => Manager::from_config(config, NoTls, recycling),
            // A server on this machine: nothing leaves it, and its certificate is mostly one that nobody signed.
            SslMode::Prefer if is_here(&config) && ca_file.is_none() => {
                Manager::from_config(config, NoTls, recycling)
            }
            _ => {
                // Not "prefer": a server that offers no TLS, or whoever stands before it, would get everything in the clear.
                config.ssl_mode(SslMode::Require);
                Manager::from_config(config, tls::connector(ca_file).map_err(fail)?, recycling)
            }
        };
        let pool = Pool::builder(manager)
            .max_size(connections)
            // The one used last is used next: each keeps its own prepared statements, which cost time and memory to make.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .recycle_timeout(Some(WAIT))
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    // The acknowledgement of a mail rests on this; a role's or database's default must not weaken it.
                    // Compiling a plan costs hundreds of milliseconds where a queue's claim runs in two.
                    let settle =
                        "SET synchronous_commit = on; SET client_min_messages = warning; SET jit = off";
                    client.batch_execute(settle).await.map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|error| fail(error.to_string()))?;
        Ok(Postgres { pool })
    }

    pub(crate) async fn connection(&self) -> Result<PgTx, Error> {
        let client = self.pool.get().await.map_err(|error| Error::Away(tls::explained(&error)))?;
        Ok(PgTx { client })
    }
}

/// Whether every server of the address is on this machine.
fn is_here(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    })
}

/// The URL without its password, for errors.
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

/// How many of the first rows go into one statement: a power of two.
fn together(rows: &[Vec<Value>], most: usize) -> usize {
    let mut bytes = 0;
    let fits = |row: &&Vec<Value>| {
        bytes += row.iter().map(bind::size).sum::<usize>();
        bytes <= BYTES
    };
    let number = rows.iter().take(most).take_while(fits).count();
    1 << number.max(1).ilog2()
}

impl PgTx {
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await.map_err(|error| bind::error(&error, sql))
    }

    pub(crate) async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Error> {
        self.run(sql, values.iter()).await
    }

    async fn run<'v>(&mut self, sql: &str, values: impl Iterator<Item = &'v Value>) -> Result<u64, Error> {
        let fail = |error| bind::error(&error, sql);
        let statement = self.client.prepare_cached(sql).await.map_err(fail)?;
        let params: Vec<bind::Param<'_>> = values.map(bind::Param).collect();
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as _).collect();
        self.client.execute(&statement, &params).await.map_err(fail)
    }

    pub(crate) async fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Error> {
        let fail = |error| bind::error(&error, sql);
        let statement = self.client.prepare_cached(sql).await.map_err(fail)?;
        let params: Vec<bind::Param<'_>> = values.iter().map(bind::Param).collect();
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as _).collect();
        let rows = self.client.query(&statement, &params).await.map_err(fail)?;
        bind::rows(&statement, &rows, sql)
    }

    /// Statements of 256, 128, … 1 rows, so that a connection prepares nine texts for a table at most.
    pub(crate) async fn insert(&mut self, insert: &Insert) -> Result<u64, Error> {
        let most = (VALUES / insert.columns.len().max(1)).clamp(1, 256);
        let (mut rows, mut new) = (insert.rows.as_slice(), 0);
        while !rows.is_empty() {
            let count = together(rows, most);
            let (now, later) = rows.split_at(count);
            let sql = insert.text(Dialect::Postgres, count);
            new += self.run(&sql, now.iter().flatten()).await?;
            rows = later;
        }
        Ok(new)
    }

    /// Drops the connection instead of giving it back: its state is not known.
    pub(crate) fn discard(self) {
        drop(Object::take(self.client));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sizes: &[usize], most: usize, expected: usize) {
        let row = |size: &usize| vec![Value::from(1_i64), Value::from(vec![0_u8; *size])];
        assert_eq!(together(&sizes.iter().map(row).collect::<Vec<_>>(), most), expected);
    }

    #[test]
    fn as_many_rows_as_a_statement_takes_bytes() {
        check(&[10; 7], 256, 4);
        check(&[10; 300], 256, 256);
        check(&[10; 7], 2, 2);
        check(&[BYTES / 4; 9], 256, 2);
        check(&[BYTES * 2, 1, 1], 256, 1);
        check(&[1, BYTES * 2], 256, 1);
    }
}
