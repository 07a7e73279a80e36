//! Counters: no gap, no repeat, and in the order of the commits.

use futures_util::FutureExt;
use postroom_store::{Error, Insert, Store};
use tokio::task::JoinSet;

use crate::harness::{Lab, notes_in, on_both};

on_both! {
    many_writers_share_a_counter,
    a_unit_that_fails_gives_its_numbers_back,
}

/// Takes `count` numbers and writes a note for each, in one unit.
async fn take(store: &Store, count: u64, fail: bool) -> Result<i64, Error> {
    let unit = store.write("test.numbers", move |tx| {
        async move {
            let first = tx.next_numbers("notes", count).await?;
            let mut rows = Insert::into("note", &["id"]);
            for number in first..first + count as i64 {
                rows.row([number.into()]);
            }
            tx.insert(&rows).await?;
            if fail { Err(Error::Conflict("meant to".into())) } else { Ok(first) }
        }
        .boxed()
    });
    unit.await
}

async fn many_writers_share_a_counter(lab: Lab) {
    let mut writers = JoinSet::new();
    for writer in 0..16_u64 {
        let store = lab.store.clone();
        writers.spawn(async move {
            for round in 0..10 {
                let fail = (writer + round) % 5 == 0;
                assert_eq!(take(&store, 1 + round % 3, fail).await.is_err(), fail);
            }
        });
    }
    writers.join_all().await;
    let notes = notes_in(&lab.store).await;
    assert!(notes.len() > 100);
    assert_eq!(notes, (1..=notes.len() as i64).collect::<Vec<_>>());
}

async fn a_unit_that_fails_gives_its_numbers_back(lab: Lab) {
    assert_eq!(take(&lab.store, 3, false).await.expect("written"), 1);
    assert!(take(&lab.store, 5, true).await.is_err());
    assert_eq!(take(&lab.store, 1, false).await.expect("written"), 4);
}
