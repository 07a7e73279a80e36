//! The watcher and Dovecot: a real server with IDLE, CONDSTORE, MOVE, UIDPLUS and SPECIAL-USE.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use jiff::SignedDuration;
use postroom_core::{Direction, Orders, Secret, Source, WatchState};
use postroom_mail::imap::{
    Auth, Client, Dialer, FolderName, FolderRule, Known, Patience, Start, Touch, Watched, append,
};
use postroom_testkit::peers::{Dovecot, DovecotOptions, PASSWORD, Validity};

use super::book::{Book, Watching, account, mail, now, quick, wait_for};

fn anna() -> Dovecot {
    Dovecot::start(DovecotOptions::users(["anna"]))
}

fn watched(dovecot: &Dovecot, user: &str) -> Watched {
    Watched::new(user, account(dovecot.imap(), user, PASSWORD))
}

async fn watches(book: &Book, mailbox: &str) {
    wait_for("the first look", || {
        book.last_report(mailbox).is_some_and(|report| report.state == WatchState::Watching)
    })
    .await;
}

#[tokio::test]
async fn first_contact_reads_nothing_and_news_come_by_idle() {
    let (dovecot, book) = (anna(), Book::new());
    dovecot.deliver("anna", "INBOX", &mail(1));
    let mut options = quick();
    // Nothing but IDLE can bring it in time.
    (options.poll, options.poll_longest, options.look) =
        (Duration::from_secs(600), Duration::from_secs(600), Duration::from_secs(600));
    let _watching = Watching::start(&book, options, vec![watched(&dovecot, "anna")]);
    watches(&book, "anna").await;
    assert_eq!(book.count(), 0);
    let start = Instant::now();
    dovecot.append("anna", "INBOX", &mail(2));
    wait_for("the new mail", || book.has(&mail(2))).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(book.count(), 1);
    let seen = &book.of("anna")[0];
    assert_eq!((seen.source, seen.direction), (Source::Imap, Direction::Incoming));
    assert_eq!(seen.envelope.from.as_deref(), Some("a@b.example"));
    assert_eq!(seen.envelope.to, ["desk@ours.example"]);
    assert_eq!(seen.folder.as_deref(), Some("INBOX"));
    assert!(
        seen.source_id.as_deref().is_some_and(|id| id.starts_with("127.0.0.1/INBOX/") && id.ends_with("/2"))
    );
}

#[tokio::test]
async fn sent_mail_is_outgoing() {
    let (dovecot, book) = (anna(), Book::new());
    let _watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
    watches(&book, "anna").await;
    dovecot.append("anna", "Sent", &mail(1));
    wait_for("the sent mail", || book.count() == 1).await;
    assert_eq!(book.of("anna")[0].direction, Direction::Outgoing);
    assert_eq!(book.of("anna")[0].folder.as_deref(), Some("Sent"));
}

#[tokio::test]
async fn a_date_to_begin_with_goes_by_internaldate() {
    let (dovecot, book) = (anna(), Book::new());
    let day = Duration::from_secs(24 * 3600);
    for (number, days) in [(1, 30), (2, 3), (3, 20), (4, 1)] {
        dovecot.deliver_at("anna", "INBOX", &mail(number), SystemTime::from(now()) - day * days);
    }
    let since = now() - SignedDuration::from_hours(24 * 5);
    let watched = Watched { start: Start::Since(since), ..watched(&dovecot, "anna") };
    let _watching = Watching::start(&book, quick(), vec![watched]);
    watches(&book, "anna").await;
    assert!(book.has(&mail(2)) && book.has(&mail(4)) && book.count() == 2);
    // What is moved in later counts, however old it says it is.
    dovecot.deliver_at("anna", "INBOX", &mail(5), SystemTime::from(now()) - day * 100);
    wait_for("the old mail that was moved in", || book.has(&mail(5))).await;
}

#[tokio::test]
async fn fifty_mailboxes() {
    let users: Vec<String> = (0..50).map(|number| format!("user{number}")).collect();
    let (dovecot, book) = (Dovecot::start(DovecotOptions::users(users.clone())), Book::new());
    let _watching =
        Watching::start(&book, quick(), users.iter().map(|user| watched(&dovecot, user)).collect());
    for user in &users {
        watches(&book, user).await;
    }
    for (index, user) in users.iter().enumerate() {
        (0..3).for_each(|number| dovecot.deliver(user, "INBOX", &mail(index * 10 + number)));
    }
    wait_for("150 mails", || book.count() == 150).await;
    assert!(users.iter().all(|user| book.of(user).len() == 3));
}

#[tokio::test]
async fn more_mailboxes_than_connections_take_turns() {
    let users: Vec<String> = (0..6).map(|number| format!("user{number}")).collect();
    let (dovecot, book) = (Dovecot::start(DovecotOptions::users(users.clone())), Book::new());
    let mut options = quick();
    options.connections = 2;
    let _watching =
        Watching::start(&book, options, users.iter().map(|user| watched(&dovecot, user)).collect());
    for user in &users {
        watches(&book, user).await;
    }
    users.iter().enumerate().for_each(|(index, user)| dovecot.deliver(user, "INBOX", &mail(index)));
    wait_for("a mail each", || book.count() == 6).await;
}

#[tokio::test]
async fn a_folder_that_is_numbered_anew_is_read_again_and_doubles_nothing() {
    for validity in [Validity::Changed, Validity::Kept] {
        let (dovecot, book) = (anna(), Book::new());
        let watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
        watches(&book, "anna").await;
        (0..4).for_each(|number| dovecot.deliver("anna", "INBOX", &mail(number)));
        wait_for("four mails", || book.count() == 4).await;
        dovecot.run("anna", &["SELECT INBOX", "UID STORE 1:2 +FLAGS (\\Deleted)", "EXPUNGE"]);
        watching.stop().await;
        dovecot.renumber("anna", "INBOX", validity);
        let _watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
        dovecot.deliver("anna", "INBOX", &mail(9));
        wait_for("the new mail after renumbering", || book.has(&mail(9))).await;
        wait_for("the cursor", || book.cursor_of("anna", "INBOX").is_some_and(|cursor| cursor.uid == 3))
            .await;
        assert_eq!(book.count(), 5, "{validity:?}");
        book.check("anna", "INBOX", &dovecot.messages("anna", "INBOX"));
    }
}

#[tokio::test]
async fn another_uidvalidity_while_we_watch() {
    let (dovecot, book) = (anna(), Book::new());
    let _watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
    watches(&book, "anna").await;
    (0..4).for_each(|number| dovecot.deliver("anna", "INBOX", &mail(number)));
    wait_for("four mails", || book.count() == 4).await;
    let validity = dovecot.bump_uidvalidity("anna", "INBOX");
    dovecot.deliver("anna", "INBOX", &mail(9));
    wait_for("the new mail", || book.has(&mail(9))).await;
    wait_for("the cursor", || {
        book.cursor_of("anna", "INBOX").is_some_and(|cursor| cursor.uid_validity == validity)
    })
    .await;
    wait_for("the second reading", || book.sightings(&mail(0)) == 2).await;
    assert_eq!(book.count(), 5);
}

#[tokio::test]
async fn mail_that_comes_and_goes() {
    let (dovecot, book) = (anna(), Book::new());
    let _watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
    watches(&book, "anna").await;
    dovecot.append("anna", "INBOX", &mail(1));
    wait_for("the first", || book.has(&mail(1))).await;
    // Out, in again, and expunged under our feet.
    dovecot.run("anna", &["CREATE Away", "SELECT INBOX", "UID MOVE 1 Away"]);
    dovecot.append("anna", "INBOX", &mail(2));
    dovecot.run(
        "anna",
        &["SELECT Away", "UID MOVE 1 INBOX", "SELECT INBOX", "UID STORE 2 +FLAGS (\\Deleted)", "EXPUNGE"],
    );
    dovecot.append("anna", "INBOX", &mail(3));
    wait_for("the last", || book.has(&mail(3)) && book.sightings(&mail(1)) == 2).await;
    book.check("anna", "INBOX", &dovecot.messages("anna", "INBOX"));
}

#[tokio::test]
async fn a_wrong_password_backs_off_and_the_neighbour_goes_on() {
    let (dovecot, book) = (Dovecot::start(DovecotOptions::users(["anna", "bert"])), Book::new());
    let wrong = Watched::new("anna", account(dovecot.imap(), "anna", "wrong"));
    let _watching = Watching::start(&book, quick(), vec![wrong, watched(&dovecot, "bert")]);
    watches(&book, "bert").await;
    dovecot.deliver("bert", "INBOX", &mail(1));
    wait_for("the neighbour's mail", || book.count() == 1).await;
    wait_for("the last pause", || {
        book.last_report("anna").is_some_and(|report| report.state == WatchState::Stopped)
    })
    .await;
    let report = book.last_report("anna").unwrap();
    assert_eq!(report.code.as_deref(), Some("PR-3103"));
    assert!(report.text.contains("Check user and password"), "{}", report.text);
}

#[tokio::test]
async fn a_mail_of_twenty_megabytes() {
    let (dovecot, book) = (anna(), Book::new());
    let _watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
    watches(&book, "anna").await;
    let mut large = mail(1);
    while large.len() < 20 << 20 {
        large
            .extend_from_slice(b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
    }
    dovecot.deliver("anna", "INBOX", &large);
    dovecot.deliver("anna", "INBOX", &mail(2));
    wait_for("both", || book.count() == 2).await;
    assert!(book.has(&large) && book.has(&mail(2)));
}

#[tokio::test]
async fn one_that_is_too_large_holds_nobody_up() {
    let (dovecot, book) = (anna(), Book::new());
    let mut options = quick();
    options.max_message = 1000;
    let _watching = Watching::start(&book, options, vec![watched(&dovecot, "anna")]);
    watches(&book, "anna").await;
    let large = [mail(1), vec![b'x'; 2000]].concat();
    [mail(2), large, mail(3)].iter().for_each(|mail| dovecot.deliver("anna", "INBOX", mail));
    wait_for("its neighbours", || book.count() == 2).await;
    wait_for("the cursor", || book.cursor_of("anna", "INBOX").is_some_and(|cursor| cursor.uid == 3)).await;
    let cursor = book.cursor_of("anna", "INBOX").unwrap();
    assert!(cursor.waiting.len() == 1 && cursor.waiting[0].due.is_none(), "{cursor:?}");
    assert!(cursor.waiting[0].error.contains("1000 are allowed"), "{cursor:?}");
}

#[tokio::test]
async fn one_that_the_store_refuses_holds_nobody_up() {
    let (dovecot, book) = (anna(), Book::new());
    book.refuse_mail_with("Text 2\r\n");
    let _watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
    watches(&book, "anna").await;
    (1..=3).for_each(|number| dovecot.deliver("anna", "INBOX", &mail(number)));
    wait_for("its neighbours", || book.has(&mail(1)) && book.has(&mail(3))).await;
    wait_for("the cursor", || book.cursor_of("anna", "INBOX").is_some_and(|cursor| cursor.uid == 3)).await;
    let cursor = book.cursor_of("anna", "INBOX").unwrap();
    assert_eq!(cursor.waiting.iter().map(|waiting| waiting.uid).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_store_that_is_away_loses_nothing() {
    let (dovecot, book) = (anna(), Book::new());
    let _watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
    watches(&book, "anna").await;
    book.refuse(5);
    (0..10).for_each(|number| dovecot.deliver("anna", "INBOX", &mail(number)));
    wait_for("ten mails", || book.count() == 10).await;
    book.check("anna", "INBOX", &dovecot.messages("anna", "INBOX"));
}

#[tokio::test]
async fn people_pause_and_rescan() {
    let (dovecot, book) = (anna(), Book::new());
    (0..3).for_each(|number| dovecot.deliver("anna", "INBOX", &mail(number)));
    let _watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
    watches(&book, "anna").await;
    dovecot.deliver("anna", "INBOX", &mail(3));
    wait_for("the new one", || book.has(&mail(3))).await;
    let since = now() - SignedDuration::from_hours(1);
    book.order("anna", Orders { paused: false, rescan: Some(("again".into(), since)) });
    wait_for("the rescan", || book.is_done("again")).await;
    assert_eq!((book.count(), book.sightings(&mail(3))), (4, 2));
    book.order("anna", Orders { paused: true, rescan: None });
    wait_for("the pause", || {
        book.last_report("anna").is_some_and(|report| report.state == WatchState::Paused)
    })
    .await;
    dovecot.deliver("anna", "INBOX", &mail(4));
    let takes = book.takes();
    book.order("anna", Orders::default());
    wait_for("the one that came meanwhile", || book.has(&mail(4))).await;
    assert!(book.takes() > takes);
}

#[tokio::test]
async fn stored_mail_is_marked_or_moved() {
    for (touch, folder) in
        [(Touch::MarkSeen, "INBOX"), (Touch::Move(FolderName::Named("Done".into())), "Done")]
    {
        let (dovecot, book) = (anna(), Book::new());
        dovecot.run("anna", &["CREATE Done"]);
        let rule = FolderRule { touch, ..FolderRule::new(FolderName::Inbox) };
        let watched = Watched { folders: vec![rule], ..watched(&dovecot, "anna") };
        let _watching = Watching::start(&book, quick(), vec![watched]);
        watches(&book, "anna").await;
        dovecot.append("anna", "INBOX", &mail(1));
        wait_for("the mail", || book.has(&mail(1))).await;
        let select = format!("EXAMINE {folder}");
        let is_touched = || {
            let said = dovecot.run("anna", &[&select, "UID FETCH 1:* (FLAGS)"]).join("\n");
            said.contains("FETCH") && (said.contains("\\Seen") || folder == "Done")
        };
        wait_for("the touch", is_touched).await;
    }
}

#[tokio::test]
async fn a_master_reads_for_anna() {
    let options = DovecotOptions {
        master: Some(("postroom".into(), "master's".into())),
        ..DovecotOptions::users(["anna"])
    };
    let (dovecot, book) = (Dovecot::start(options), Book::new());
    let mut watched = watched(&dovecot, "anna");
    watched.account.auth =
        Auth::Master { user: "anna".into(), master: "postroom".into(), password: Secret::new("master's") };
    let _watching = Watching::start(&book, quick(), vec![watched]);
    watches(&book, "anna").await;
    dovecot.deliver("anna", "INBOX", &mail(1));
    wait_for("the mail", || book.has(&mail(1))).await;
}

#[tokio::test]
async fn one_login_reads_what_others_share() {
    let options = DovecotOptions { shared: true, ..DovecotOptions::users(["anna", "reader"]) };
    let (dovecot, book) = (Dovecot::start(options), Book::new());
    dovecot.deliver("anna", "INBOX", &mail(1));
    dovecot.append("anna", "Sent", &mail(2));
    dovecot.share("anna", "reader");
    let mut watched = Watched::new("anna", account(dovecot.imap(), "reader", PASSWORD));
    watched.account.below = Some("user/anna".into());
    let _watching = Watching::start(&book, quick(), vec![watched]);
    watches(&book, "anna").await;
    dovecot.deliver("anna", "INBOX", &mail(3));
    dovecot.append("anna", "Sent", &mail(4));
    wait_for("both", || book.count() == 2).await;
    assert!(book.has(&mail(3)) && book.has(&mail(4)));
}

#[tokio::test]
async fn a_copy_goes_into_sent() {
    let dovecot = anna();
    let account = account(dovecot.imap(), "anna", PASSWORD);
    let uid = append(&account, &Dialer::default(), &FolderName::Sent, Bytes::from(mail(1))).await.unwrap();
    assert_eq!(uid, Some(1));
    assert_eq!(dovecot.messages("anna", "Sent"), [(1, mail(1))]);
}

#[tokio::test]
async fn a_missing_folder_is_told_and_the_others_go_on() {
    let (dovecot, book) = (anna(), Book::new());
    let mut watched = watched(&dovecot, "anna");
    watched.folders.push(FolderRule::new(FolderName::Named("Kunden/Müller".into())));
    let _watching = Watching::start(&book, quick(), vec![watched]);
    watches(&book, "anna").await;
    let report = book.last_report("anna").unwrap();
    assert_eq!(report.code.as_deref(), Some("PR-3104"));
    assert!(report.text.contains("Kunden/Müller"), "{}", report.text);
    dovecot.run("anna", &["CREATE Kunden/M&APw-ller"]);
    wait_for("the folder", || book.last_report("anna").is_some_and(|report| report.code.is_none())).await;
    dovecot.append("anna", "Kunden/M&APw-ller", &mail(1));
    wait_for("its mail", || book.count() == 1).await;
    assert_eq!(book.of("anna")[0].folder.as_deref(), Some("Kunden/Müller"));
}

/// A cursor that names messages asks for them when the folder is opened again, and is told which are gone.
#[tokio::test]
async fn a_server_with_qresync_tells_what_vanished() {
    let dovecot = anna();
    for number in 1..=4 {
        dovecot.append("anna", "INBOX", &mail(number));
    }
    let account = account(dovecot.imap(), "anna", PASSWORD);
    let open = async || {
        let mut client = Client::connect(&account, &Dialer::default(), Patience::default()).await.unwrap();
        client.sign_in(&account.auth).await.unwrap();
        client
    };
    let mut client = open().await;
    assert!(!client.resyncs(), "nothing is in force that was not asked for");
    client.enable().await.unwrap();
    assert!(client.resyncs());
    let (standing, gone) = client.reopen(b"INBOX", false, None).await.unwrap();
    assert!(gone.is_empty());
    let (uid_validity, mod_seq) = (standing.uid_validity.unwrap(), standing.mod_seq.unwrap());
    dovecot.run(
        "anna",
        &["SELECT INBOX", "UID STORE 2:3 +FLAGS (\\Deleted)", "EXPUNGE", "UID STORE 4 +FLAGS (\\Seen)"],
    );
    let known = |uid_validity: u32, uids: &[u32]| Known { uid_validity, mod_seq, uids: uids.to_vec() };
    let check = async |known: Known, expected: &[u32]| {
        let mut client = open().await;
        client.enable().await.unwrap();
        let (standing, gone) = client.reopen(b"INBOX", false, Some(&known)).await.unwrap();
        assert_eq!((standing.uid_next, standing.messages), (Some(5), Some(2)));
        assert_eq!(gone, expected, "{known:?}");
    };
    check(known(uid_validity, &[1, 2, 4]), &[2]).await;
    check(known(uid_validity, &[3]), &[3]).await;
    check(known(uid_validity, &[4]), &[]).await;
    check(known(uid_validity + 1, &[2]), &[]).await;
    // Without ENABLE the plain path is as it was.
    let mut client = open().await;
    let (standing, gone) = client.reopen(b"INBOX", false, Some(&known(uid_validity, &[2]))).await.unwrap();
    assert_eq!((standing.uid_next, gone), (Some(5), Vec::new()));
}

/// The message at the cursor's mark is expunged while nobody looks: the watcher goes on where it was, and tells by VANISHED
/// of a change as it did by EXPUNGE.
#[tokio::test]
async fn an_expunged_mark_is_no_new_beginning() {
    let (dovecot, book) = (anna(), Book::new());
    let watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
    watches(&book, "anna").await;
    dovecot.append("anna", "INBOX", &mail(1));
    wait_for("the first mail", || book.has(&mail(1))).await;
    drop(watching);
    dovecot.run("anna", &["SELECT INBOX", "UID STORE 1 +FLAGS (\\Deleted)", "EXPUNGE"]);
    let _watching = Watching::start(&book, quick(), vec![watched(&dovecot, "anna")]);
    dovecot.append("anna", "INBOX", &mail(2));
    wait_for("the second mail", || book.has(&mail(2))).await;
    assert_eq!(book.count(), 2);
    assert!(book.last_report("anna").is_some_and(|report| !report.quirks.contains(&"no QRESYNC".to_owned())));
}
