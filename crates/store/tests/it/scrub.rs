//! What was deleted lies in no file of a SQLite database.

use std::fs;
use std::path::Path;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_store::body::{self, Body};
use postroom_store::doomed;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Options, Store, Tx};
use postroom_testkit::database::Database;
use rusqlite::Connection;

/// What only the deleted rows say.
const WORD: &[u8] = b"quetzal";
/// Bytes of the rows' texts: in a leaf, over several pages, and a body of several chunks.
const SIZES: [usize; 3] = [60, 30_000, 700_000];

/// How often the word lies in the file or its log.
fn traces(path: &Path) -> usize {
    let file = |end: &str| fs::read(path.with_extension(end)).unwrap_or_default();
    let count = |bytes: Vec<u8>| bytes.windows(WORD.len()).filter(|some| *some == WORD).count();
    count(file("db")) + count(file("db-wal"))
}

/// Bytes with the word in them that no compression wins anything on.
fn text(number: usize, size: usize) -> Vec<u8> {
    let mut seed = number as u64 + 1;
    let noise = std::iter::repeat_with(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    });
    let mut text: Vec<u8> = noise.take(size).collect();
    for place in (0..size.saturating_sub(WORD.len())).step_by(4000) {
        text[place..place + WORD.len()].copy_from_slice(WORD);
    }
    text
}

async fn write<F>(store: &Store, work: F)
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<(), Error>> + Send + 'static,
{
    store.write("test.scrub", work).await.expect("a write");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_is_in_no_file() {
    let database = Database::sqlite();
    let store = Store::open(&database.url, &Options::default(), &[]).await.unwrap();
    let bodies: Vec<Body> =
        (0..30).map(|number| Body::prepare(&text(number, SIZES[number % SIZES.len()]))).collect();
    let hashes: Vec<_> = bodies.iter().map(|body| body.hash).collect();
    write(&store, |tx| async move { body::put(tx, bodies).await }.boxed()).await;
    // In an index too: its pages are split and joined.
    write(&store, |tx| {
        async move {
            let mut rows = Insert::into("counter", &["name", "value"]);
            for number in 0..2000_u64 {
                let name = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                rows.row([format!("{name:016x} quetzal").into(), 1_i64.into()]);
            }
            tx.insert(&rows).await.map(drop)
        }
        .boxed()
    })
    .await;
    assert!(traces(database.path()) > 1000, "the test looks where it should");

    write(&store, |tx| {
        async move {
            let delete = Query::delete()
                .from_table("counter")
                .and_where(Expr::col("name").like("%quetzal"))
                .to_owned();
            tx.execute(&delete).await?;
            doomed::doom(tx, &hashes).await
        }
        .boxed()
    })
    .await;
    assert_eq!(doomed::sweep(&store, &[]).await.unwrap().removed, 30);
    store.scrub().await.unwrap();
    assert_eq!(traces(database.path()), 0);
}

/// Somebody who reads an older state keeps the log; nobody waits for him long.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_elsewhere_is_told_of() {
    let database = Database::sqlite();
    let store = Store::open(&database.url, &Options::default(), &[]).await.unwrap();
    let other = Connection::open(database.path()).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM counter").unwrap();
    write(&store, |tx| async move { tx.next_numbers("some", 1).await.map(drop) }.boxed()).await;
    assert!(matches!(store.scrub().await, Err(Error::Away(_))));
    drop(other);
    store.scrub().await.unwrap();
    write(&store, |tx| async move { tx.next_numbers("some", 1).await.map(drop) }.boxed()).await;
}
