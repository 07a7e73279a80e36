//! PostgreSQL goes away under load and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use postroom_store::Error;
use postroom_testkit::peers::{Durability, Postgres};
use postroom_testkit::poll;
use tokio::task::JoinSet;

use crate::harness::{note, notes_in, open};

const PATIENCE: Duration = Duration::from_secs(60);
const WRITERS: usize = 8;

/// What the writers have met so far.
#[derive(Default)]
struct Books {
    next: AtomicI64,
    acknowledged: AtomicUsize,
    away: AtomicUsize,
    stop: AtomicBool,
}

/// Writes notes until told to stop; answers those that were acknowledged.
async fn write(store: postroom_store::Store, books: Arc<Books>) -> Vec<i64> {
    let mut mine = Vec::new();
    while !books.stop.load(Ordering::SeqCst) {
        let id = books.next.fetch_add(1, Ordering::SeqCst);
        match note(&store, id).await {
            Ok(()) => {
                mine.push(id);
                books.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Err(Error::Away(_)) => {
                books.away.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
            Err(other) => panic!("an outage said {other:?}"),
        }
    }
    mine
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_hear_of_an_outage_and_recover() {
    let server =
        tokio::task::spawn_blocking(|| Arc::new(Postgres::start(Durability::Synced))).await.expect("started");
    let database = server.clone();
    let url = tokio::task::spawn_blocking(move || database.database()).await.expect("a database");
    let (store, books) = (open(&url).await, Arc::new(Books::default()));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(store.clone(), books.clone()));
    }
    for (round, crash) in [false, true].into_iter().enumerate() {
        let before = books.acknowledged.load(Ordering::SeqCst);
        let more = |by: usize| books.acknowledged.load(Ordering::SeqCst) >= before + by;
        assert!(poll::until_async(PATIENCE, async || more(100)).await, "the load runs");
        let server = server.clone();
        let outage = move || {
            if crash {
                server.kill();
            }
            server.restart();
        };
        tokio::task::spawn_blocking(outage).await.expect("restarted");
        let after = books.acknowledged.load(Ordering::SeqCst);
        let recovered = || books.acknowledged.load(Ordering::SeqCst) >= after + 100;
        assert!(
            poll::until_async(PATIENCE, async || recovered()).await,
            "writers go on after outage {round}"
        );
        assert!(books.away.load(Ordering::SeqCst) > 0, "somebody noticed outage {round}");
    }
    books.stop.store(true, Ordering::SeqCst);
    let acknowledged: Vec<i64> = writers.join_all().await.concat();
    let notes = notes_in(&store).await;
    assert!(acknowledged.len() >= 400);
    assert!(acknowledged.iter().all(|id| notes.binary_search(id).is_ok()), "no acknowledged note is lost");
}
