//! A fresh database for one test, of either kind, empty or a copy of one that was filled once; and the macro that runs each
//! test on both.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::guard::Guard;
use crate::peers::Postgres;
use crate::poll;

/// How long the connections that filled a database may take to close on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

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

    /// The file.
    ///
    /// # Panics
    /// When it is none.
    pub fn path(&self) -> &Path {
        Path::new(self.url.strip_prefix("sqlite://").expect("a database in a file"))
    }

    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }
}

/// A database that is filled once in this process and copied for every test: making tables costs seconds, a copy does not.
#[derive(Default)]
pub struct Template {
    sqlite: OnceCell<Kept>,
    postgres: OnceCell<String>,
}

/// A file in a folder that goes with this process: a template in a static is never dropped.
struct Kept {
    file: PathBuf,
    _guard: Guard,
}

impl Template {
    pub const fn new() -> Template {
        Template { sqlite: OnceCell::const_new(), postgres: OnceCell::const_new() }
    }

    /// A new file. `fill` gets the URL of an empty database when this is the first, and has closed it when it returns.
    pub async fn sqlite(&self, fill: impl AsyncFnOnce(String)) -> Database {
        let kept = self.sqlite.get_or_init(async || {
            let folder = tempfile::tempdir().expect("a temporary folder").keep();
            let kept = Kept { file: folder.join("template.db"), _guard: Guard::new("KILL", Some(&folder)) };
            fill(format!("sqlite://{}", kept.file.display())).await;
            let closed = || !beside(&kept.file, "-wal").exists();
            assert!(
                poll::until_async(PATIENCE, async || closed()).await,
                "the template is still in use: fill closes it"
            );
            kept
        });
        let (kept, copy) = (kept.await, Database::sqlite());
        fs::copy(&kept.file, copy.path()).expect("a file can be copied");
        copy
    }

    /// A new database of the process's own cluster, on the same terms.
    pub async fn postgres(&self, fill: impl AsyncFnOnce(String)) -> Database {
        let name = self.postgres.get_or_init(async || {
            let Database { url, .. } = Database::postgres().await;
            fill(url.clone()).await;
            url.rsplit('/').next().expect("a URL ends with the name").to_owned()
        });
        let name = name.await.clone();
        let copied = tokio::task::spawn_blocking(move || Postgres::shared().copy(&name));
        Database::at(copied.await.expect("a database is copied"))
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
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
