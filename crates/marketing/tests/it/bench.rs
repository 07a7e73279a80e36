//! A CRM of a test's own.

use std::sync::Arc;

use jiff::Timestamp;
use postroom_core::Clock;
use postroom_embedded::{Embedded, MIGRATIONS};
use postroom_store::{Options, Store};
use postroom_testkit::peers::Postgres;
use tempfile::TempDir;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

/// Each test, once on each database.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test($crate::bench::On::Sqlite).await; })+ }
        mod postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test($crate::bench::On::Postgres).await; })+ }
    };
}

pub(crate) use on_both;

pub struct Bench {
    pub crm: Embedded,
    _folder: Arc<TempDir>,
}

impl Bench {
    pub async fn new(on: On) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let url = match on {
            On::Sqlite => format!("sqlite://{}", folder.path().join("crm.db").display()),
            On::Postgres => Postgres::shared().database(),
        };
        let clock = Clock::manual("2026-11-02T08:00:00Z".parse::<Timestamp>().unwrap());
        let store = Store::open(&url, &Options::default(), &[MIGRATIONS]).await.unwrap();
        let crm = Embedded::open(store, clock).await.unwrap();
        Bench { crm, _folder: Arc::new(folder) }
    }
}
