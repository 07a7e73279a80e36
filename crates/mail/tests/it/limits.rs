//! Limits of size, memory, disk and time. Time stands still here and jumps when everybody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postroom_mail::listener::{Budget, Door, Protocol};

use crate::harness::{Shelf, Talk, answers, door, options, ports, smtp};

const ENVELOPE: &str = "MAIL FROM:<a@client.example>\r\nRCPT TO:<desk@ours.example>\r\n";

fn with_max_message(shelf: Arc<Shelf>, max_message: u64) -> Arc<Door> {
    let mut options = options(Protocol::Smtp);
    options.limits.max_message = max_message;
    door(options, ports(shelf))
}

#[tokio::test]
async fn a_mail_over_the_limit_is_read_to_its_end_and_refused() {
    let shelf = Shelf::new();
    let data = |size: usize| format!("{ENVELOPE}DATA\r\n{}\r\n.\r\n", "x".repeat(size));
    let chunk = |size: usize| format!("{ENVELOPE}BDAT {size} LAST\r\n{}", "x".repeat(size));
    let session = format!("EHLO c\r\n{}{}{}{}QUIT\r\n", data(200_000), data(998), chunk(1001), chunk(1000));
    let out = answers(with_max_message(shelf.clone(), 1000), &session).await;
    assert_eq!([&out[4], &out[8], &out[11], &out[14]], ["552 5.3.4", "250 2.0.0", "552 5.3.4", "250 2.0.0"]);
    assert_eq!(shelf.mails().iter().map(|mail| mail.raw.len()).collect::<Vec<_>>(), [1000, 1000]);
}

#[tokio::test]
async fn chunks_are_added_up() {
    let shelf = Shelf::new();
    let session = format!("EHLO c\r\n{ENVELOPE}BDAT 3\r\nabcBDAT 9\r\n123456789BDAT 1 LAST\r\nxQUIT\r\n");
    let out = answers(with_max_message(shelf.clone(), 10), &session).await;
    assert_eq!(out[3..], ["250 2.0.0", "552 5.3.4", "503 5.5.1", "221 2.0.0"]);
    assert!(shelf.mails().is_empty());
}

#[tokio::test]
async fn a_short_disk_refuses_at_mail_and_after_the_data() {
    let free = Arc::new(AtomicU64::new(0));
    let (shelf, asked) = (Shelf::new(), free.clone());
    let mut ports = ports(shelf.clone());
    ports.disk = Arc::new(move || Ok(asked.load(Ordering::SeqCst)));
    let door = door(options(Protocol::Smtp), ports);
    let reserve = door.options.limits.disk_reserve;
    let mut talk = Talk::greeted(door).await;
    free.store(reserve - 1, Ordering::SeqCst);
    assert!(talk.ask("MAIL FROM:<>").await.1.starts_with("452 4.3.1 "));
    free.store(reserve + 99, Ordering::SeqCst);
    assert!(talk.ask("MAIL FROM:<> SIZE=100").await.1.starts_with("452 4.3.1 "));
    assert_eq!(talk.ask("MAIL FROM:<> SIZE=99").await.0, 250);
    assert_eq!(talk.ask("RCPT TO:<desk@ours.example>").await.0, 250);
    assert_eq!(talk.ask("DATA").await.0, 354);
    free.store(reserve, Ordering::SeqCst);
    assert!(talk.ask("x\r\n.").await.1.starts_with("452 4.3.1 "));
    assert!(shelf.mails().is_empty());
    free.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(talk.ask("MAIL FROM:<>").await.0, 250, "and the session goes on");
}

#[tokio::test]
async fn an_unreadable_disk_takes_nothing() {
    let mut ports = ports(Shelf::new());
    ports.disk = Arc::new(|| Err(std::io::ErrorKind::NotFound.into()));
    let out = answers(door(options(Protocol::Smtp), ports), "EHLO c\r\nMAIL FROM:<>\r\n").await;
    assert_eq!(out[1], "452 4.3.1");
}

fn with_budget(shelf: Arc<Shelf>, budget: &Budget) -> Arc<Door> {
    let mut ports = ports(shelf);
    ports.budget = budget.clone();
    door(options(Protocol::Smtp), ports)
}

#[tokio::test]
async fn used_up_memory_refuses_at_mail_data_and_chunk() {
    let budget = Budget::new(1000);
    let shelf = Shelf::new();
    let mut talk = Talk::greeted(with_budget(shelf.clone(), &budget)).await;
    let held = budget.lease(900).unwrap();
    assert!(talk.ask("MAIL FROM:<> SIZE=200").await.1.starts_with("452 4.3.1 "));
    for begin in ["DATA", "BDAT 4 LAST\r\nQUIT"] {
        assert_eq!(talk.ask("MAIL FROM:<>").await.0, 250);
        assert_eq!(talk.ask("RCPT TO:<desk@ours.example>").await.0, 250);
        talk.say(format!("{begin}{}", if begin == "DATA" { "\r\n" } else { "" })).await;
        assert!(talk.hear().await.1.starts_with("452 4.3.1 "), "{begin}");
    }
    drop(held);
    assert_eq!(talk.ask("MAIL FROM:<> SIZE=200").await.0, 250);
    assert_eq!(talk.ask("RCPT TO:<desk@ours.example>").await.0, 250);
    assert_eq!(talk.ask("DATA").await.0, 354);
    assert_eq!(talk.ask("x\r\n.").await.0, 250);
    assert_eq!(budget.used(), 0, "everything was given back");
}

#[tokio::test]
async fn a_mail_that_outgrows_the_memory_is_read_to_its_end_and_refused() {
    let (budget, shelf) = (Budget::new(1000), Shelf::new());
    let session = format!(
        "EHLO c\r\n{ENVELOPE}DATA\r\n{}\r\n.\r\n{ENVELOPE}DATA\r\nx\r\n.\r\nQUIT\r\n",
        "x".repeat(100_000)
    );
    let out = answers(with_budget(shelf.clone(), &budget), &session).await;
    assert_eq!((out[4].as_str(), out[8].as_str()), ("452 4.3.1", "250 2.0.0"));
    assert_eq!((shelf.only().as_str(), budget.used()), ("x\r\n", 0));
}

#[tokio::test]
async fn memory_is_held_until_the_inbox_has_the_mail() {
    let (budget, shelf) = (Budget::new(1000), Shelf::held());
    let mut talk = Talk::greeted(with_budget(shelf.clone(), &budget)).await;
    talk.say(format!("{ENVELOPE}DATA\r\n{}\r\n.\r\n", "x".repeat(700))).await;
    for _ in 0..3 {
        talk.hear().await;
    }
    while budget.used() < 700 {
        tokio::task::yield_now().await;
    }
    shelf.release();
    assert_eq!((talk.hear().await.0, budget.used()), (250, 0));
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_is_told_and_closed() {
    let started = tokio::time::Instant::now();
    let mut talk = Talk::greeted(smtp(Shelf::new())).await;
    talk.say("NO").await; // half a command is no sign of life
    assert!(talk.hear_out().await.starts_with("421 4.4.2 "));
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(300) && waited < Duration::from_secs(310), "{waited:?}");
}

/// A client that sends a byte every now and then.
async fn drip(begin: &str) -> Duration {
    let mut talk = Talk::greeted(smtp(Shelf::new())).await;
    talk.say(format!("{ENVELOPE}{begin}\r\n")).await;
    let started = tokio::time::Instant::now();
    for _ in 0..2 + usize::from(begin == "DATA") {
        talk.hear().await;
    }
    loop {
        talk.say("x").await;
        if let Ok((code, _)) = tokio::time::timeout(Duration::from_secs(20), talk.hear()).await {
            assert_eq!(code, 421);
            return started.elapsed();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dripping_mail_is_cut_off_at_the_time_for_data() {
    for begin in ["DATA", "BDAT 1000"] {
        let waited = drip(begin).await;
        assert!(
            waited >= Duration::from_secs(600) && waited <= Duration::from_secs(621),
            "{begin}: {waited:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_a_451() {
    let mut talk = Talk::greeted(smtp(Shelf::held())).await;
    talk.say(format!("{ENVELOPE}DATA\r\nx\r\n.\r\n")).await;
    for _ in 0..3 {
        talk.hear().await;
    }
    assert!(talk.hear_within(Duration::from_secs(301)).await.1.starts_with("451 4.3.0 "));
}
