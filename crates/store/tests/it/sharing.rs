//! Several handles on one database, as several processes have.

use futures_util::FutureExt;
use postroom_store::{Error, Store};
use postroom_testkit::database::Database;
use tokio::task::JoinSet;

use crate::harness::{Lab, add_note, count, note, notes_in, on_both, open};

on_both! {
    two_handles_write_at_once,
    a_handle_sees_what_the_other_wrote,
}

async fn numbered_note(store: &Store) -> Result<(), Error> {
    let unit = store.write("test.numbered", |tx| {
        async move {
            let number = tx.next_numbers("notes", 1).await?;
            add_note(tx, number).await.map(drop)
        }
        .boxed()
    });
    unit.await
}

async fn two_handles_write_at_once(lab: Lab) {
    let handles = [lab.store.clone(), open(&lab.url).await];
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let store = handles[writer % 2].clone();
        writers.spawn(async move {
            for _ in 0..25 {
                numbered_note(&store).await.expect("written");
            }
        });
    }
    writers.join_all().await;
    for store in &handles {
        assert_eq!(notes_in(store).await, (1..=200).collect::<Vec<i64>>());
    }
}

async fn a_handle_sees_what_the_other_wrote(lab: Lab) {
    let other = open(&lab.url).await;
    for id in 0..20 {
        let (writer, reader) = if id % 2 == 0 { (&lab.store, &other) } else { (&other, &lab.store) };
        note(writer, id).await.expect("written");
        assert_eq!(count(reader, "note").await, id + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_of_a_busy_file_is_whole() {
    let lab = Lab::on(Database::sqlite()).await;
    let store = lab.store.clone();
    let busy = tokio::spawn(async move {
        for _ in 0..200 {
            numbered_note(&store).await.expect("written");
        }
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join("copy.db");
    lab.store.backup(target.clone()).await.expect("copied");
    busy.await.expect("no panic");
    let copy = open(&crate::harness::sqlite_url(&target)).await;
    let notes = notes_in(&copy).await;
    assert_eq!(notes, (1..=notes.len() as i64).collect::<Vec<_>>(), "some moment's notes, all of them");
}
