//! Units of work: all or nothing, each for itself, durable together.

use std::sync::mpsc;

use futures_util::FutureExt;
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Store};
use postroom_testkit::database::Database;
use tokio::task::JoinSet;

use crate::harness::{Lab, add_note, count, file, note, notes_in, on_both, rows};

on_both! {
    what_is_written_can_be_read,
    a_unit_that_fails_leaves_nothing,
    a_failing_unit_and_a_panicking_unit_leave_their_neighbours,
    a_unit_that_hides_an_error_is_not_told_it_stands,
    a_duplicate_is_a_conflict,
    a_skipped_duplicate_is_not_counted,
    a_known_row_takes_the_new_values,
    many_rows_go_in_one_insert,
    a_write_can_answer_rows,
    readers_see_what_was_committed_and_nothing_else,
    a_reader_that_panics_leaves_the_store_in_order,
    an_empty_list_matches_nothing,
    a_caller_that_goes_away_harms_nobody,
}

async fn what_is_written_can_be_read(lab: Lab) {
    note(&lab.store, 7).await.expect("written");
    assert_eq!(notes_in(&lab.store).await, [7]);
}

async fn a_unit_that_fails_leaves_nothing(lab: Lab) {
    let unit = lab.store.write("test.fail", |tx| {
        async move {
            add_note(tx, 1).await?;
            Err::<(), _>(Error::Conflict("changed my mind".into()))
        }
        .boxed()
    });
    assert!(matches!(unit.await, Err(Error::Conflict(text)) if text == "changed my mind"));
    assert_eq!(notes_in(&lab.store).await, [0_i64; 0]);
}

/// Keeps the writer busy until the answer is dropped, so that what is sent meanwhile shares a transaction.
async fn busy(store: &Store) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let store = store.clone();
    tokio::spawn(async move {
        let unit = store.write("test.busy", move |_| {
            let _ = begun.send(());
            let _ = tokio::task::block_in_place(|| released.recv());
            async { Ok::<(), Error>(()) }.boxed()
        });
        unit.await.expect("nothing can fail in it");
    });
    has_begun.await.expect("the unit begins");
    release
}

async fn a_failing_unit_and_a_panicking_unit_leave_their_neighbours(lab: Lab) {
    let release = busy(&lab.store).await;
    let mut units = JoinSet::new();
    for id in 0..30_i64 {
        let store = lab.store.clone();
        units.spawn(async move {
            let unit = store.write("test.mixed", move |tx| {
                async move {
                    add_note(tx, id).await?;
                    match id % 3 {
                        0 => Ok(id),
                        1 => Err(Error::Conflict(id.to_string())),
                        _ => panic!("unit {id}"),
                    }
                }
                .boxed()
            });
            unit.await
        });
    }
    drop(release);
    let (mut fine, mut failed, mut panicked) = (0, 0, 0);
    while let Some(ended) = units.join_next().await {
        match ended {
            Ok(Ok(_)) => fine += 1,
            Ok(Err(error)) => failed += usize::from(matches!(error, Error::Conflict(_))),
            Err(error) => panicked += usize::from(error.is_panic()),
        }
    }
    assert_eq!((fine, failed, panicked), (10, 10, 10), "each is told its own end");
    assert_eq!(notes_in(&lab.store).await, (0..30).step_by(3).collect::<Vec<i64>>());
}

async fn a_unit_that_hides_an_error_is_not_told_it_stands(lab: Lab) {
    note(&lab.store, 1).await.expect("written");
    let unit = lab.store.write("test.hide", |tx| {
        async move {
            add_note(tx, 2).await?;
            let _ = add_note(tx, 1).await; // a duplicate, ignored
            Ok::<(), Error>(())
        }
        .boxed()
    });
    assert!(unit.await.is_err());
    assert_eq!(notes_in(&lab.store).await, [1]);
    note(&lab.store, 3).await.expect("the next unit is not to blame");
}

async fn a_duplicate_is_a_conflict(lab: Lab) {
    note(&lab.store, 1).await.expect("written");
    let again = note(&lab.store, 1).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
}

async fn a_skipped_duplicate_is_not_counted(lab: Lab) {
    note(&lab.store, 3).await.expect("written");
    let unit = lab.store.write("test.skip", |tx| {
        async move {
            let mut rows = Insert::into("note", &["id"]).or_skip();
            for id in [1_i64, 2, 3, 4, 4] {
                rows.row([id.into()]);
            }
            tx.insert(&rows).await
        }
        .boxed()
    });
    let new: Result<u64, Error> = unit.await;
    assert_eq!(new.expect("written"), 3);
    assert_eq!(notes_in(&lab.store).await, [1, 2, 3, 4]);
}

async fn a_known_row_takes_the_new_values(lab: Lab) {
    note(&lab.store, 2).await.expect("written");
    let unit = lab.store.write("test.replace", |tx| {
        async move {
            let mut rows = Insert::into("note", &["id", "text"]).or_replace("id");
            for id in [1_i64, 2, 3] {
                rows.row([id.into(), format!("new {id}").into()]);
            }
            tx.insert(&rows).await
        }
        .boxed()
    });
    let put: Result<u64, Error> = unit.await;
    assert_eq!(put.expect("written"), 3);
    let select = Query::select().column("text").from("note").order_by("id", Order::Asc).to_owned();
    let texts = rows(&lab.store, select).await.expect("notes are read");
    let texts: Vec<String> = texts.iter().map(|row| row.at(0).expect("a text")).collect();
    assert_eq!(texts, ["new 1", "new 2", "new 3"]);
}

async fn many_rows_go_in_one_insert(lab: Lab) {
    let unit = lab.store.write("test.many", |tx| {
        async move {
            let mut rows = Insert::into("note", &["id", "text"]);
            for id in 0..10_000_i64 {
                rows.row([id.into(), "x".into()]);
            }
            tx.insert(&rows).await
        }
        .boxed()
    });
    let new: Result<u64, Error> = unit.await;
    assert_eq!(new.expect("written"), 10_000);
    assert_eq!(count(&lab.store, "note").await, 10_000);
}

async fn a_write_can_answer_rows(lab: Lab) {
    for id in [1, 2, 3] {
        note(&lab.store, id).await.expect("written");
    }
    let unit = lab.store.write("test.returning", |tx| {
        async move {
            let mut update = Query::update();
            update
                .table("note")
                .value("text", "changed")
                .and_where(Expr::col("id").gte(2_i64))
                .returning(Query::returning().columns(["id", "text"]));
            let rows = tx.returning(&update).await?;
            rows.iter().map(|row| Ok((row.get("id")?, row.get("text")?))).collect()
        }
        .boxed()
    });
    let changed: Result<Vec<(i64, String)>, Error> = unit.await;
    let mut changed = changed.expect("written");
    changed.sort_unstable();
    assert_eq!(changed, [(2, "changed".to_owned()), (3, "changed".to_owned())]);
}

async fn readers_see_what_was_committed_and_nothing_else(lab: Lab) {
    let (inside, is_inside) = tokio::sync::oneshot::channel();
    let (release, released) = mpsc::channel::<()>();
    let store = lab.store.clone();
    let writing = tokio::spawn(async move {
        let unit = store.write("test.slow", move |tx| {
            async move {
                add_note(tx, 1).await?;
                let _ = inside.send(());
                let _ = tokio::task::block_in_place(|| released.recv());
                Ok::<(), Error>(())
            }
            .boxed()
        });
        unit.await
    });
    is_inside.await.expect("the unit has written");
    assert_eq!(count(&lab.store, "note").await, 0, "not committed yet");
    drop(release);
    writing.await.expect("no panic").expect("committed");
    assert_eq!(count(&lab.store, "note").await, 1);
}

async fn a_reader_that_panics_leaves_the_store_in_order(lab: Lab) {
    for _ in 0..20 {
        let store = lab.store.clone();
        let reading = tokio::spawn(async move {
            let unit = store.read(|tx| {
                async move {
                    tx.query(&Query::select().column("id").from("note").to_owned()).await?;
                    panic!("a reader's own");
                    #[expect(unreachable_code, reason = "names the error type")]
                    Ok::<(), Error>(())
                }
                .boxed()
            });
            unit.await
        });
        assert!(reading.await.expect_err("it panicked").is_panic());
    }
    note(&lab.store, 1).await.expect("written");
    assert_eq!(notes_in(&lab.store).await, [1]);
}

async fn an_empty_list_matches_nothing(lab: Lab) {
    note(&lab.store, 1).await.expect("written");
    let none = Expr::col("id").is_in(Vec::<i64>::new());
    let select = Query::select().column("id").from("note").and_where(none).to_owned();
    assert_eq!(rows(&lab.store, select).await.expect("read").len(), 0);
}

async fn a_caller_that_goes_away_harms_nobody(lab: Lab) {
    let release = busy(&lab.store).await;
    let store = lab.store.clone();
    let impatient = tokio::spawn(async move { note(&store, 1).await });
    tokio::task::yield_now().await;
    impatient.abort();
    let _ = impatient.await;
    drop(release);
    for id in 10..40 {
        note(&lab.store, id).await.expect("written");
    }
    let notes = notes_in(&lab.store).await;
    assert_eq!(notes.iter().filter(|id| **id >= 10).count(), 30);
}

/// Commits in the write-ahead log: frames whose header names the size of the database (file format, section 4.1).
fn commits_in_log(store: &Store) -> usize {
    let mut log = file(store).into_os_string();
    log.push("-wal");
    let log = std::fs::read(log).expect("the log is there");
    let page = u32::from_be_bytes(log[8..12].try_into().expect("four bytes")) as usize;
    let sizes = log[32..]
        .chunks_exact(24 + page)
        .map(|frame| u32::from_be_bytes(frame[4..8].try_into().expect("four")));
    sizes.filter(|size| *size > 0).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn units_that_wait_share_a_commit() {
    let lab = Lab::on(Database::sqlite()).await;
    let before = commits_in_log(&lab.store);
    let release = busy(&lab.store).await;
    let mut units = JoinSet::new();
    for id in 0..400 {
        let store = lab.store.clone();
        units.spawn(async move { note(&store, id).await });
    }
    while units.len() < 400 {
        tokio::task::yield_now().await;
    }
    drop(release);
    while let Some(ended) = units.join_next().await {
        ended.expect("no panic").expect("written");
    }
    let commits = commits_in_log(&lab.store) - before;
    assert!(commits < 100, "400 units took {commits} commits");
    assert_eq!(count(&lab.store, "note").await, 400);
    note(&lab.store, 400).await.expect("written");
    assert_eq!(commits_in_log(&lab.store) - before, commits + 1, "the count counts");
}
