//! Next hops that refuse, want it later, are away or hang up, and an inbox that fails after the mail has left.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use postroom_core::{Code, Fault, Inbox};
use postroom_mail::listener::Protocol;

use super::{Desk, below_received, letter, open, relay, sender_to, world};
use crate::harness::{Running, Shelf, Talk, door, ports, until};

/// A next hop that takes mail for `ours.example` only.
async fn picky(out: &Arc<Shelf>) -> (Desk, Running) {
    let next = Running::smtp(out.clone()).await;
    (Desk::new(next.address, Shelf::new()).await, next)
}

#[track_caller]
fn starts(said: &str, expected: &str) {
    assert!(said.starts_with(expected), "{said}");
}

#[tokio::test]
async fn a_refusal_is_the_client_s_answer() {
    let out = Shelf::new();
    let (desk, _next) = picky(&out).await;
    let said = desk.try_send(&["bert@customer.example"], &letter("x@y.example", "1")).await;
    starts(&said, "550 5.7.1 Relay denied: not a recipient of ours");
    assert_eq!((out.mails().len(), desk.shelf.mails().len()), (0, 0));
}

#[tokio::test]
async fn later_is_the_client_s_answer() {
    let out = Shelf::with(|_| Err(Fault::retry(Code::STORE_AWAY, "x")));
    let next = world(&out).await;
    let desk = Desk::new(next.address, Shelf::new()).await;
    let said = desk.try_send(&["bert@customer.example"], &letter("x@y.example", "1")).await;
    starts(&said, "451 4.3.0 Not stored, try again later (PR-7001)");
    assert!(desk.shelf.mails().is_empty());
}

#[tokio::test]
async fn a_next_hop_that_is_away_means_later() {
    let gone = Running::smtp(Shelf::new()).await;
    gone.stop.cancel();
    let address = gone.address;
    until(|| gone.task.is_finished(), || "the listener stops".to_owned()).await;
    let desk = Desk::new(address, Shelf::new()).await;
    let said = desk.try_send(&["bert@customer.example"], &letter("x@y.example", "1")).await;
    starts(&said, "451 4.4.1 The next mail server cannot be reached, try again later (PR-4001)");
}

/// The connection is cut after the final dot, before the answer: the first mail is there, and nobody was told.
#[tokio::test]
async fn a_lost_answer_costs_a_repeat_with_the_same_message_id() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let out = Shelf::with(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("the next hop dies with the mail in its hands"),
        _ => Ok(()),
    });
    let next = world(&out).await;
    let desk = Desk::new(next.address, Shelf::new()).await;
    let mail = letter("bert@customer.example", "1");
    let said = desk.try_send(&["bert@customer.example"], &mail).await;
    starts(&said, "451 4.4.2 The next mail server's answer is lost, send again (PR-4004)");
    assert!(desk.shelf.mails().is_empty(), "what nobody has taken is not recorded");
    starts(&desk.try_send(&["bert@customer.example"], &mail).await, "250 2.0.0");
    assert_eq!((seen.load(Ordering::SeqCst), desk.shelf.mails().len()), (2, 1));
    assert!(below_received(&out.mails()[0]).contains("Message-ID: <1@ours.example>"));
}

#[tokio::test]
async fn mixed_answers_come_to_an_end_and_nobody_gets_it_twice() {
    let out = Shelf::new();
    let (desk, _next) = picky(&out).await;
    let (to, mail) = (["one@ours.example", "two@customer.example"], letter("x@y.example", "1"));
    let said = desk.try_send(&to, &mail).await;
    starts(&said, "451 4.5.3 Not passed on yet for 1 recipients; 1 others have the mail");
    assert!(said.contains("<two@customer.example>: 550 5.7.1 Relay denied"), "{said}");
    assert_eq!(
        desk.shelf.mails()[0].envelope.to,
        ["one@ours.example"],
        "it is on its way, so it is recorded"
    );
    let said = desk.try_send(&to, &mail).await;
    starts(&said, "550 5.7.1 Refused for 1 recipients; 1 others have the mail");
    assert_eq!(out.mails().len(), 1);
    // The client was told; what it sends now is another try.
    starts(&desk.try_send(&to, &mail).await, "451 4.5.3");
    assert_eq!(out.mails().len(), 2);
    // And so is what comes after the memory has faded.
    desk.clock.advance(SignedDuration::from_hours(4));
    starts(&desk.try_send(&to, &mail).await, "451 4.5.3");
    assert_eq!(out.mails().len(), 3);
}

#[tokio::test]
async fn a_mail_that_left_unrecorded_is_recorded_at_the_repeat_and_sent_once() {
    let tries = AtomicUsize::new(0);
    let shelf = Shelf::with(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Fault::retry(Code::STORE_AWAY, "x")),
        _ => Ok(()),
    });
    let out = Shelf::new();
    let next = world(&out).await;
    let desk = Desk::new(next.address, shelf).await;
    let (to, mail) = (["one@customer.example", "two@customer.example"], letter("x@y.example", "1"));
    starts(&desk.try_send(&to, &mail).await, "451 4.3.0 Not stored");
    starts(&desk.try_send(&to, &mail).await, "250 2.0.0");
    assert_eq!((out.mails().len(), desk.shelf.mails().len()), (1, 1));
    assert_eq!(desk.shelf.mails()[0].envelope.to, to);
    // Another mail to the same people is another mail.
    starts(&desk.try_send(&to, &letter("x@y.example", "2")).await, "250 2.0.0");
    assert_eq!((out.mails().len(), desk.shelf.mails().len()), (2, 2));
}

#[tokio::test]
async fn what_can_never_be_recorded_has_left_all_the_same() {
    let shelf = Shelf::with(|_| Err(Fault::reject(Code::MAIL_TOO_LARGE, "x")));
    let out = Shelf::new();
    let next = world(&out).await;
    let desk = Desk::new(next.address, shelf).await;
    starts(&desk.try_send(&["one@customer.example"], &letter("x@y.example", "1")).await, "250 2.0.0");
    assert_eq!(out.mails().len(), 1);
}

/// The listener waits so long and no longer; what the sending comes to is remembered.
#[tokio::test]
async fn sending_goes_on_when_the_caller_stops_waiting() {
    let out = Shelf::held();
    let next = world(&out).await;
    let shelf = Shelf::new();
    let (relay, _) = relay(Arc::new(super::Suffix), sender_to(next.address), shelf.clone());
    let mut options = open(Protocol::Smtp);
    options.limits.store = Duration::from_millis(50);
    let running = Running::start(options, ports(Arc::new(relay))).await;
    let desk = Desk { running, shelf: shelf.clone(), clock: postroom_core::Clock::system() };
    let mail = letter("x@y.example", "1");
    starts(&desk.try_send(&["one@customer.example"], &mail).await, "451 4.3.0");
    out.release();
    until(|| shelf.mails().len() == 1, || "it is recorded in the end".to_owned()).await;
}

#[tokio::test]
async fn broken_line_ends_are_refused() {
    let out = Shelf::new();
    let next = world(&out).await;
    let desk = Desk::new(next.address, Shelf::new()).await;
    let said = desk.try_send(&["one@customer.example"], "Subject: x\r\n\r\nlone\nline\r\n").await;
    starts(&said, "554 5.6.0 Lone CR or LF in the mail");
    assert!(out.mails().is_empty());
}

#[tokio::test]
async fn strangers_are_turned_away() {
    let next = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let (relay, _) = relay(Arc::new(super::Suffix), sender_to(next), Shelf::new());
    let inbox: Arc<dyn Inbox> = Arc::new(relay);
    let mut talk = Talk::open(door(open(Protocol::Smtp), ports(inbox)));
    talk.say("EHLO x\r\nMAIL FROM:<a@b.example>\r\n").await;
    assert_eq!(talk.hear().await.1, "554 5.7.1 No mail is taken from this address\r\n");
    assert_eq!(talk.hear_out().await, "");
}
