//! Mailboxes that share a server, a login, or our memory: one that fares badly harms no other.

use std::time::Duration;

use postroom_core::{Secret, WatchState};
use postroom_mail::imap::{Account, Auth, FolderName, FolderRule, Watched};
use postroom_sandbox::domino::{Domino, Options, Quirks};

use super::book::{Book, Watching, account, mail, quick, wait_for};
use super::domino::{domino, watches};

#[tokio::test]
async fn a_login_that_is_refused_is_tried_once_for_all_its_mailboxes() {
    let (domino, book) = (domino(), Book::new());
    let auth = Auth::Password { user: "postroom".into(), password: Secret::new("wrong") };
    let bad = |number: usize| {
        let account = Account { auth: auth.clone(), ..account(domino.address(), "postroom", "wrong") };
        Watched::new(format!("bad{number}"), account)
    };
    let mut mailboxes: Vec<Watched> = (0..20).map(bad).collect();
    // The same user with the right password is another login, and so is another user.
    mailboxes.push(Watched::new("good", account(domino.address(), "postroom", "secret")));
    mailboxes.push(Watched::new("anna", account(domino.address(), "anna", "secret")));
    let _watching = Watching::start(&book, quick(), mailboxes);
    // After two refusals there is a pause of five minutes, and a person is told.
    for number in 0..20 {
        let name = format!("bad{number}");
        wait_for("all to be told", || {
            book.last_report(&name).is_some_and(|report| {
                report.state == WatchState::Stopped && report.text.contains("refused the sign-in")
            })
        })
        .await;
    }
    watches(&book, "good").await;
    watches(&book, "anna").await;
    let tried = domino.commands().iter().filter(|said| said.starts_with("AUTHENTICATE")).count();
    assert_eq!(tried, 2 + 2, "{:?}", domino.commands());
}

fn large(number: usize, bytes: usize) -> Vec<u8> {
    let mut raw = mail(number);
    raw.resize(bytes, b'x');
    raw
}

#[tokio::test]
async fn large_mail_that_trickles_holds_up_no_neighbour() {
    let server = || {
        let domino = Domino::start(Options { quirks: Quirks::none(), ..Options::default() });
        domino.add_account("anna", "secret");
        domino
    };
    let (slow, waiting, quick_one, book) = (server(), server(), server(), Book::new());
    let watched = |name: &str, domino: &Domino| Watched {
        folders: vec![FolderRule::new(FolderName::Inbox)],
        ..Watched::new(name, account(domino.address(), "anna", "secret"))
    };
    let mut options = quick();
    options.memory = 8 << 20;
    let mailboxes = vec![watched("slow", &slow), watched("waiting", &waiting), watched("quick", &quick_one)];
    let _watching = Watching::start(&book, options, mailboxes);
    for name in ["slow", "waiting", "quick"] {
        watches(&book, name).await;
    }
    slow.slow(Duration::from_secs(3));
    slow.deliver("anna", "Inbox", &large(1, 6 << 20));
    let says = |domino: &Domino, word: &str| domino.commands().iter().any(|said| said.contains(word));
    wait_for("the first part", || says(&slow, "BODY.PEEK[]<")).await;
    waiting.deliver("anna", "Inbox", &large(2, 6 << 20));
    wait_for("the second large one", || says(&waiting, "RFC822.SIZE")).await;
    // Together they are more than is held for small mail.
    for number in 3..6 {
        quick_one.deliver("anna", "Inbox", &large(number, 700 << 10));
    }
    for number in 3..6 {
        wait_for("the neighbour's mail", || book.has(&large(number, 700 << 10))).await;
    }
    assert!(!book.has(&large(1, 6 << 20)), "it came in its own time");
    assert!(!says(&waiting, "BODY.PEEK[]<"), "there is no memory for both");
}
