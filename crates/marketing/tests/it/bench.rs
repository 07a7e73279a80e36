//! Where the CRM of a test is, and a CRM of a test's own in which nothing is installed.

use std::sync::Arc;

use jiff::Timestamp;
use postroom_core::{Clock, Crm};
use postroom_embedded::{Embedded, MIGRATIONS};
use postroom_marketing::solution::Era;
use postroom_store::{Options, Store};
use postroom_testkit::peers::Postgres;
use tempfile::TempDir;

use crate::door::{self, Switches};

/// Where the CRM is, and which one. Only PostgreSQL has another database than SQLite beneath it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum On {
    /// Embedded.
    Sqlite,
    /// Embedded.
    Postgres,
    /// Outside, over the Web API.
    WebApi,
    /// Outside, over SOAP.
    Soap,
    /// Outside, over the Web API of 2016: without messages of many rows and without an account of changes.
    WebApi2016,
    /// Outside, over SOAP of 2011: without keys, upsert, changes, transactions and messages of many requests.
    Soap2011,
}

impl On {
    pub fn is_outside(self) -> bool {
        !matches!(self, On::Sqlite | On::Postgres)
    }

    /// Whether it keeps an account of changes. One that does not is read whole once a day, and only then are deletions seen.
    pub fn tells_changes(self) -> bool {
        !matches!(self, On::WebApi2016 | On::Soap2011)
    }

    /// The generation whose solution it has.
    pub fn era(self) -> Era {
        match self {
            On::Soap2011 => Era::Crm2011,
            On::WebApi2016 => Era::Crm2016,
            _ => Era::Dynamics365,
        }
    }
}

/// Each test, once in each of these places: `on! { Sqlite sqlite, Soap soap: one, two }`.
macro_rules! on {
    ($($place:ident $name:ident),+ : $tests:tt) => { $($crate::bench::on!(@ $place $name $tests);)+ };
    (@ $place:ident $name:ident { $($test:ident),+ $(,)? }) => {
        mod $name { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test($crate::bench::On::$place).await; })+ }
    };
}

/// Each test, once on each database.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        $crate::bench::on! { Sqlite sqlite, Postgres postgres: { $($test),+ } }
    };
}

/// Each test, on each database and over each of the doors.
macro_rules! on_all {
    ($($test:ident),+ $(,)?) => {
        $crate::bench::on! {
            Sqlite sqlite, Postgres postgres, WebApi webapi, Soap soap: { $($test),+ }
        }
    };
}

/// Each test, over the doors of servers that lack things.
macro_rules! on_old {
    ($($test:ident),+ $(,)?) => {
        $crate::bench::on! { WebApi2016 webapi_2016, Soap2011 soap_2011: { $($test),+ } }
    };
}

/// Each test, everywhere.
macro_rules! on_every {
    ($($test:ident),+ $(,)?) => {
        $crate::bench::on_all!($($test),+);
        $crate::bench::on_old!($($test),+);
    };
}

pub(crate) use {on, on_all, on_both, on_every, on_old};

pub struct Bench {
    pub crm: Embedded,
    /// The same, as it is met there.
    pub port: Arc<dyn Crm>,
    _folder: Arc<TempDir>,
}

impl Bench {
    pub async fn new(on: On) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let url = match on {
            On::Postgres => Postgres::shared().database(),
            _ => format!("sqlite://{}", folder.path().join("crm.db").display()),
        };
        let clock = Clock::manual("2026-11-02T08:00:00Z".parse::<Timestamp>().unwrap());
        let store = Store::open(&url, &Options::default(), &[MIGRATIONS]).await.unwrap();
        let crm = Embedded::open(store, clock.clone()).await.unwrap();
        let port = door::port(
            &crm,
            &clock,
            on,
            &Arc::new(Switches { changing: true.into(), ..Switches::default() }),
        )
        .await;
        Bench { crm, port, _folder: Arc::new(folder) }
    }
}
