//! A fresh database for one test, of either kind, and the macro that runs each test on both.

use tempfile::TempDir;

use crate::peers::Postgres;

/// A new, empty database. A file goes with this value, one on PostgreSQL with the process's own cluster.
pub struct Database {
    /// As `[storage] url` has it.
    pub url: String,
    _folder: Option<TempDir>,
}

impl Database {
    pub fn sqlite() -> Database {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        Database { url, _folder: Some(folder) }
    }

    /// Starts the cluster when this is the first.
    pub async fn postgres() -> Database {
        let made = tokio::task::spawn_blocking(|| Postgres::shared().database()).await;
        Database::at(made.expect("a database is made"))
    }

    /// One that is kept elsewhere: for a second process of a test.
    pub fn at(url: String) -> Database {
        Database { url, _folder: None }
    }

    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }
}

/// Runs each test once on SQLite and once on PostgreSQL: `on_both!(crate::harness::Lab: one, two)`. The tests take what
/// the type makes of a database: `async fn on(database: Database) -> Self`.
#[macro_export]
macro_rules! on_both {
    ($lab:ty: $($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let database = $crate::database::Database::sqlite();
                super::$name(<$lab>::on(database).await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let database = $crate::database::Database::postgres().await;
                super::$name(<$lab>::on(database).await).await;
            })+
        }
    };
}
