//! A file that nobody uses any more is one file again.

use std::time::Duration;

use postroom_store::sql::{Expr, Query};
use postroom_store::{Error, Options, Store};
use postroom_testkit::database::Database;
use postroom_testkit::poll;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_goes_with_the_last_connection() {
    for _ in 0..30 {
        let database = Database::sqlite();
        let log = database.path().with_extension("db-wal");
        let store = Store::open(&database.url, &Options::default(), &[]).await.unwrap();
        let read = || {
            let store = store.clone();
            async move {
                let one = Query::select().expr(Expr::value(1)).to_owned();
                let read: Result<_, Error> =
                    store.read(move |tx| Box::pin(async move { tx.query(&one).await })).await;
                read.unwrap()
            }
        };
        tokio::join!(read(), read(), read(), read());
        assert!(log.exists(), "the test looks at the right file");
        drop(store);
        let gone = poll::until_async(Duration::from_secs(20), async || !log.exists()).await;
        assert!(gone, "the log stayed behind");
    }
}
