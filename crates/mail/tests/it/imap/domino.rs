//! The watcher and a Domino-like server: no IDLE, `\` between folders, answers out of order and out of shape.

use jiff::SignedDuration;
use postroom_core::{Direction, Orders, Secret, WatchState};
use postroom_mail::imap::{Account, Auth, FolderName, FolderRule, Watched};
use postroom_sandbox::domino::{Domino, Fault, Options, Quirks};

use super::book::{Book, Watching, account, mail, now, quick, wait_for};

pub fn domino() -> Domino {
    let domino = Domino::start(Options { quirks: Quirks::all(), ..Options::default() });
    for user in ["anna", "ines", "postroom"] {
        domino.add_account(user, "secret");
    }
    domino
}

fn watched(domino: &Domino, user: &str) -> Watched {
    Watched::new(user, account(domino.address(), user, "secret"))
}

pub async fn watches(book: &Book, mailbox: &str) {
    let state = |report: postroom_core::WatchReport| report.state == WatchState::Watching;
    wait_for("the first look", || book.last_report(mailbox).is_some_and(state)).await;
}

#[tokio::test]
async fn news_come_whatever_shape_the_answers_have() {
    let (domino, book) = (domino(), Book::new());
    domino.deliver("anna", "Inbox", &mail(0));
    let _watching = Watching::start(&book, quick(), vec![watched(&domino, "anna")]);
    watches(&book, "anna").await;
    for number in 1..=40 {
        domino.deliver("anna", "Inbox", &mail(number));
    }
    wait_for("all news", || book.count() >= 40).await;
    assert_eq!(book.count(), 40, "each once, and nothing from before");
    assert!(!book.has(&mail(0)));
}

#[tokio::test]
async fn sent_mail_shows_once_the_server_is_told_to_show_it() {
    let (domino, book) = (domino(), Book::new());
    let _watching = Watching::start(&book, quick(), vec![watched(&domino, "anna")]);
    watches(&book, "anna").await;
    domino.send_as("anna", &mail(1));
    domino.deliver("anna", "Inbox", &mail(2));
    wait_for("the mail in the Inbox", || book.count() == 1).await;
    assert!(book.has(&mail(2)), "Sent is hidden: NOTES.INI lacks EnableImapFolderSynch");
    domino.enable_imap_folder_synch();
    domino.send_as("anna", &mail(3));
    wait_for("the sent mail", || book.has(&mail(3))).await;
    let sent = book.of("anna").into_iter().find(|seen| seen.raw == mail(3));
    assert_eq!(sent.map(|seen| seen.direction), Some(Direction::Outgoing));
}

#[tokio::test]
async fn one_login_reads_the_mailboxes_delegated_to_it() {
    let (domino, book) = (domino(), Book::new());
    let below = |owner: &str| Account {
        auth: Auth::Password { user: "postroom".into(), password: Secret::new("secret") },
        below: Some(format!("Other\\{owner}")),
        ..account(domino.address(), "postroom", "secret")
    };
    domino.delegate("anna", "postroom");
    let inbox = |owner: &str| Watched {
        folders: vec![FolderRule::new(FolderName::Inbox)],
        ..Watched::new(owner, below(owner))
    };
    let _watching = Watching::start(&book, quick(), vec![inbox("anna"), inbox("ines")]);
    watches(&book, "anna").await;
    domino.deliver("anna", "Inbox", &mail(1));
    domino.deliver("ines", "Inbox", &mail(2));
    wait_for("anna's mail", || book.has(&mail(1))).await;
    assert_eq!(book.of("ines").len(), 0, "ines has not delegated");
    domino.delegate("ines", "postroom");
    wait_for("ines' mailbox", || {
        book.last_report("ines").is_some_and(|report| report.state == WatchState::Watching)
    })
    .await;
}

#[tokio::test]
async fn another_replica_is_read_again_and_nothing_is_doubled() {
    let (domino, book) = (domino(), Book::new());
    let _watching = Watching::start(&book, quick(), vec![watched(&domino, "anna")]);
    watches(&book, "anna").await;
    for number in 1..=10 {
        domino.deliver("anna", "Inbox", &mail(number));
    }
    wait_for("the first ten", || book.count() == 10).await;
    domino.fail_over();
    domino.deliver("anna", "Inbox", &mail(11));
    wait_for("the eleventh", || book.has(&mail(11))).await;
    assert_eq!(book.count(), 11);
}

#[tokio::test]
async fn faults_in_the_middle_lose_nothing() {
    let (domino, book) = (domino(), Book::new());
    let _watching = Watching::start(&book, quick(), vec![watched(&domino, "anna")]);
    watches(&book, "anna").await;
    let mut number = 0;
    for fault in [Fault::No, Fault::Bad, Fault::Bye, Fault::Drop] {
        domino.fail_next("UID FETCH", fault);
        for _ in 0..5 {
            number += 1;
            domino.deliver("anna", "Inbox", &mail(number));
        }
        wait_for("this round's mail", || book.count() == number).await;
    }
    let broken = domino.deliver("anna", "Inbox", &mail(90));
    domino.break_message("anna", "Inbox", broken, true);
    domino.deliver("anna", "Inbox", &mail(91));
    wait_for("the neighbour", || book.has(&mail(91))).await;
    let waits = || {
        let cursor = book.cursor_of("anna", "Inbox").unwrap_or_default();
        cursor.waiting.iter().any(|waiting| waiting.uid == broken && waiting.due.is_some())
    };
    wait_for("the broken one to be set aside, to be tried again", waits).await;
    assert!(!book.has(&mail(90)));
}

/// A folder of 200 messages, every second UID being gone: no set may have more than 50 parts here.
fn sparse(domino: &Domino) {
    for number in 1..=400 {
        let uid = domino.deliver("anna", "Inbox", &mail(number));
        if number % 2 == 0 {
            assert!(domino.expunge("anna", "Inbox", uid));
        }
    }
}

fn rescan(book: &Book) {
    let since = now().checked_sub(SignedDuration::from_hours(1)).unwrap();
    book.order("anna", Orders { paused: false, rescan: Some(("order".into(), since)) });
}

#[tokio::test]
async fn a_rescan_of_a_sparse_folder() {
    let (domino, book) = (domino(), Book::new());
    sparse(&domino);
    let _watching = Watching::start(&book, quick(), vec![watched(&domino, "anna")]);
    watches(&book, "anna").await;
    assert_eq!(book.count(), 0);
    rescan(&book);
    wait_for("the rescan", || book.is_done("order")).await;
    assert_eq!(book.count(), 200);
    let singly = domino.commands().iter().filter(|said| said.contains("BODY.PEEK[]")).count();
    assert!(singly < 20, "{singly} commands for 200 messages");
}

#[tokio::test]
async fn a_rescan_that_is_refused_is_not_done() {
    let (domino, book) = (domino(), Book::new());
    domino.deliver("anna", "Inbox", &mail(1));
    let _watching = Watching::start(&book, quick(), vec![watched(&domino, "anna")]);
    watches(&book, "anna").await;
    domino.fail_next("UID SEARCH", Fault::No);
    rescan(&book);
    let told = |report: postroom_core::WatchReport| report.text.contains("the rescan is not done");
    wait_for("the refusal to be told", || book.last_report("anna").is_some_and(told)).await;
    assert!(!book.is_done("order"));
    wait_for("the second try", || book.is_done("order")).await;
    assert!(book.has(&mail(1)));
    wait_for("the report", || book.last_report("anna").is_some_and(|report| report.code.is_none())).await;
}
