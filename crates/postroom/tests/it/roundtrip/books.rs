//! `verify` balances the books of outgoing mail, and notices whatever is out of place in them.

use futures_util::FutureExt;
use postroom_store::Error;
use postroom_store::sql::{Expr, Query, QueryStatementWriter};
use postroom_testkit::poll;
use postroom_tracking::verify::{Books, verify};

use super::world;
use crate::house::PATIENCE;
use crate::sending::bench::{BEN, Bench, Draft, INSTALLATION, On};

async fn change(bench: &Bench, statement: impl QueryStatementWriter + Send + Sync + 'static) {
    let unit =
        bench.store.write("test.change", move |tx| async move { tx.execute(&statement).await }.boxed());
    let done: Result<u64, Error> = unit.await;
    assert!(done.expect("the statement is right") > 0, "the drill changes something");
}

async fn books(bench: &Bench) -> Books {
    verify(&bench.store, &bench.crm, INSTALLATION).await.expect("the database answers")
}

/// What a drill breaks.
enum Break {
    /// A column of the outgoing mail.
    Outgoing(&'static str, Expr),
    Message(&'static str, Expr),
    Recipients(&'static str),
    /// Every row of this table goes.
    Gone(&'static str),
}

/// Sends a mail, breaks the books, and looks what `verify` finds.
async fn found(on: On, breaks: Vec<Break>) -> Vec<String> {
    let bench = Bench::on(on, postroom_tracking::sending::Options::default()).await;
    bench.send(Draft::to_anna("Order 12").to(3, BEN)).await;
    let before = books(&bench).await;
    assert!(before.balance() && before.outgoing == 1, "{:?}", before.findings);
    for one in breaks {
        match one {
            Break::Outgoing(column, value) => {
                change(&bench, Query::update().table("outgoing").value(column, value).to_owned()).await;
            }
            Break::Message(column, value) => {
                change(&bench, Query::update().table("message").value(column, value).to_owned()).await;
            }
            Break::Recipients(state) => {
                change(&bench, Query::update().table("outgoing_recipient").value("state", state).to_owned())
                    .await;
            }
            Break::Gone(table) => change(&bench, Query::delete().from_table(table).to_owned()).await,
        }
    }
    books(&bench).await.findings
}

#[track_caller]
fn check(findings: &[String], expected: &str) {
    assert!(findings.iter().any(|found| found.contains(expected)), "{expected:?} is not among {findings:?}");
}

/// The state of the outgoing mail and its message.
fn state(state: &'static str) -> Vec<Break> {
    vec![Break::Outgoing("state", Expr::val(state)), Break::Message("state", Expr::val(state))]
}

async fn every_check_finds_what_it_is_for(on: On) {
    let message = vec![Break::Message("state", Expr::val("failed"))];
    check(&found(on, message).await, "is sent, but its message is failed");
    check(&found(on, vec![Break::Gone("message")]).await, "is sent, but has no message");
    let bytes = Break::Outgoing("body", Expr::val(Option::<Vec<u8>>::None));
    check(&found(on, vec![bytes]).await, "is sent, but has no bytes");
    check(&found(on, vec![Break::Gone("body")]).await, "1 outgoing mails whose bytes are gone");
    check(&found(on, vec![Break::Recipients("waiting")]).await, "is sent, but 2 recipients have no answer");
    check(&found(on, vec![Break::Recipients("refused")]).await, "is sent, but no recipient was accepted");
    check(&found(on, vec![Break::Gone("outgoing_recipient")]).await, "no recipient was accepted");
    check(&found(on, state("failed")).await, "is failed, but 2 recipients were accepted");
    for word in ["queued", "sending", "unknown"] {
        check(&found(on, state(word)).await, &format!("is {word}, but no job is left to go on with it"));
    }
    let untold = Break::Outgoing("told", Expr::val(Option::<i64>::None));
    check(&found(on, vec![untold]).await, "is sent, but no job is left to tell the CRM");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_finds_what_it_is_for_on_sqlite() {
    every_check_finds_what_it_is_for(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_finds_what_it_is_for_on_postgresql() {
    every_check_finds_what_it_is_for(On::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_waits_for_its_time_is_in_order() {
    let bench = Bench::new().await;
    bench.server.answers(&["anna@customer.example"], 451, "busy");
    bench.send(Draft::to_anna("Order 12")).await;
    let held =
        Bench::with(postroom_tracking::sending::Options { max_recipients: 0, ..Default::default() }).await;
    held.send(Draft::to_anna("Order 13")).await;
    for (bench, what) in [(&bench, "queued"), (&held, "held")] {
        let books = books(bench).await;
        assert!(books.balance() && books.outgoing == 1, "{what}: {:?}", books.findings);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_a_watcher_could_not_read_is_shown() {
    let bench = Bench::new().await;
    let cursor = postroom_core::Cursor {
        uid: 9,
        waiting: vec![
            postroom_core::Waiting { uid: 7, tries: 3, due: None, error: "too large".into() },
            postroom_core::Waiting { uid: 8, tries: 1, due: Some(bench.clock.now()), error: "NO".into() },
        ],
        ..Default::default()
    };
    let text = serde_json::to_string(&cursor).expect("a cursor has a JSON form");
    let insert = Query::insert()
        .into_table("watch_folder")
        .columns(["mailbox", "server", "folder", "cursor", "at"])
        .values_panic(["sales".into(), "imap:143".into(), "INBOX".into(), text.into(), 1_i64.into()])
        .to_owned();
    change(&bench, insert).await;
    let books = books(&bench).await;
    assert_eq!((books.unread_count, books.finding_count), (2, 0), "{:?}", books.unread);
    assert_eq!(
        books.unread[0],
        "message 7 of INBOX in mailbox sales on imap:143: too large; tried 3 times, given up until a person looks"
    );
    assert!(books.unread[1].contains("tried again at 2026-11-02"), "{:?}", books.unread);
}

/// The books of the running world balance too, once nothing is on its way.
#[test]
fn the_world_s_books_balance() {
    let world = world();
    let id = world.put(Draft::to_anna("For the books"));
    world.outgoing(id, "the copy in Sent", |entry| entry.is_copied());
    let mut said = String::new();
    let balances = poll::until(PATIENCE, || {
        let answer = world.house.run(&["verify"]);
        said = String::from_utf8_lossy(&answer.out).into_owned();
        answer.exit == 0
    });
    assert!(balances, "{said}");
    assert!(said.contains("\"outgoing\""), "{said}");
}
