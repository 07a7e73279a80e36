//! A database with a CRM just installed, made once a process for each kind and copied for every test: the installation
//! itself takes seconds.

use std::path::Path;
use std::sync::OnceLock;

use jiff::Timestamp;
use postroom_core::Clock;
use postroom_embedded::Embedded;
use postroom_store::Store;
use postroom_testkit::peers::Postgres;

use crate::bench::{On, open};

/// When the first rows were made, in every test.
pub fn clock() -> Clock {
    Clock::manual("2026-11-02T08:00:00Z".parse::<Timestamp>().unwrap())
}

/// The address of a copy of one's own; a file of it lies in `folder`.
pub fn copy(on: On, folder: &Path) -> String {
    match on {
        On::Sqlite => {
            let file = folder.join("crm.db");
            std::fs::write(&file, file_of()).unwrap();
            format!("sqlite://{}", file.display())
        }
        On::Postgres => Postgres::shared().copy(template()),
    }
}

/// The address of a database in which nothing is.
pub fn nothing(on: On, folder: &Path) -> String {
    match on {
        On::Sqlite => format!("sqlite://{}", folder.join("crm.db").display()),
        On::Postgres => Postgres::shared().database(),
    }
}

fn file_of() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.db");
        let (url, target) = (format!("sqlite://{}", folder.path().join("crm.db").display()), copy.clone());
        installed(url, |store| async move { store.backup(target).await.unwrap() });
        std::fs::read(copy).unwrap()
    })
}

fn template() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let url = Postgres::shared().database();
        installed(url.clone(), |_| async {});
        url.rsplit('/').next().unwrap().to_owned()
    })
}

/// On a thread and a runtime of its own: its connections end with it, and a database that somebody uses cannot be copied.
fn installed<F: Future<Output = ()>>(url: String, then: impl FnOnce(Store) -> F + Send) {
    let work = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(async {
            let store = open(&url).await;
            Embedded::open(store.clone(), clock()).await.unwrap();
            then(store).await;
        });
    };
    std::thread::scope(|scope| scope.spawn(work).join().unwrap());
}
