//! Mail that goes through.

use std::sync::Arc;

use postroom_core::Direction;
use postroom_mail::client::Client;
use postroom_mail::listener::Protocol;

use super::{Desk, Suffix, TOKEN, below_received, letter, sender_to, text, world};
use crate::harness::Shelf;

async fn desk() -> (Desk, Arc<Shelf>, crate::harness::Running) {
    let out = Shelf::new();
    let next = world(&out).await;
    (Desk::new(next.address, Shelf::new()).await, out, next)
}

#[tokio::test]
async fn a_mail_is_stamped_passed_on_and_recorded() {
    let (desk, out, _next) = desk().await;
    let mail = letter("bert@customer.example", "1");
    let said = desk.try_send(&["bert@customer.example", "bcc@else.example"], &mail).await;
    assert!(said.starts_with("250 2.0.0 Passed on as msg_"), "{said}");
    let (out, kept) = (out.mails(), desk.shelf.mails());
    assert_eq!((out.len(), kept.len()), (1, 1));
    assert_eq!(below_received(&out[0]), mail.replace("Subject: Offer", &format!("Subject: Offer{TOKEN}")));
    let received = text(&out[0]).replace("\r\n\t", " ");
    assert!(received.starts_with(
        "Received: from localhost ([127.0.0.1]) by crm.client.example (postroom) with ESMTP id postroom."
    ));
    assert!(!received.contains("bcc@"), "nobody learns of the others: {received}");
    assert_eq!(out[0].envelope, kept[0].envelope);
    assert_eq!(out[0].envelope.from.as_deref(), Some("anna@ours.example"));
    assert_eq!(out[0].envelope.to, ["bert@customer.example", "bcc@else.example"]);
    assert_eq!(kept[0].raw, out[0].raw, "recorded as it left");
    assert_eq!(kept[0].direction, Direction::Outgoing);
}

/// Sends `mail` and wants it to come out as it is.
#[track_caller]
fn check(mail: &str, from: &str, recorded: usize) -> impl Future<Output = ()> {
    let (mail, from) = (mail.to_owned(), from.to_owned());
    let caller = std::panic::Location::caller();
    async move {
        let (desk, out, _next) = desk().await;
        let answers = desk.send(&from, &["bert@customer.example"], &mail).await;
        assert!(answers[0].is_ok(), "{caller}: {answers:?}");
        assert_eq!(below_received(&out.mails()[0]), mail, "{caller}");
        assert_eq!(desk.shelf.mails().len(), recorded, "{caller}");
    }
}

#[tokio::test]
async fn some_mail_is_left_as_it_is() {
    let ordinary = letter("bert@customer.example", "1");
    let with = |header: &str| format!("{header}\r\n{ordinary}");
    // Reports are not even recorded.
    check(&ordinary, "", 0).await;
    check(&with("Auto-Submitted: auto-replied"), "anna@ours.example", 1).await;
    check(&with("X-Postroom-Loop: 0190f3c2-1111-2222-3333-444455556666; 1"), "anna@ours.example", 1).await;
    check(&with("DKIM-Signature: v=1; h=from:subject; b=x"), "anna@ours.example", 1).await;
    check(&ordinary.replace("Offer", &format!("Offer{TOKEN}")), "anna@ours.example", 1).await;
    check("no header at all\r\n", "anna@ours.example", 1).await;
}

#[tokio::test]
async fn lmtp_answers_each_recipient() {
    let out = Shelf::new();
    let next = crate::harness::Running::smtp(out.clone()).await;
    let desk = Desk::of(Protocol::Lmtp, Arc::new(Suffix), sender_to(next.address), Shelf::new()).await;
    let mut client = Client::connect_lmtp(desk.running.address).await.unwrap();
    let to = ["one@ours.example", "two@else.example", "three@ours.example"];
    let answers = client.send("anna@ours.example", &to, letter("x@y.example", "1").as_bytes()).await.unwrap();
    let codes: Vec<_> = answers.iter().map(|answer| answer.code).collect();
    assert_eq!(codes, [250, 550, 250], "{answers:?}");
    assert_eq!((out.mails().len(), desk.shelf.mails().len()), (2, 2));
    assert!(text(&out.mails()[0]).contains("with LMTP"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once() {
    let (desk, out, _next) = desk().await;
    let desk = Arc::new(desk);
    let senders = (0..20).map(|first| {
        let desk = desk.clone();
        tokio::spawn(async move {
            let mut client = Client::connect(desk.running.address).await.unwrap();
            for number in (first..200).step_by(20) {
                let known = if number % 2 == 0 { "customer" } else { "else" };
                let (to, body) = (format!("r{number}@{known}.example"), "x".repeat(number * 100));
                let mail = letter(&to, &number.to_string()) + &body + "\r\n";
                let answers = client.send("anna@ours.example", &[&to], mail.as_bytes()).await.unwrap();
                assert!(answers[0].is_ok(), "{answers:?}");
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let (out, kept) = (out.mails(), desk.shelf.mails());
    assert_eq!((out.len(), kept.len()), (200, 200));
    let mut numbers: Vec<usize> = out.iter().map(|mail| check_one(mail, &kept)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

/// Wants the mail to be what number `n` should have become, and gives `n`.
fn check_one(mail: &postroom_core::Incoming, kept: &[postroom_core::Incoming]) -> usize {
    let to = &mail.envelope.to[0];
    let number: usize = to[1..to.find('@').unwrap()].parse().unwrap();
    let plain = letter(to, &number.to_string()) + &"x".repeat(number * 100) + "\r\n";
    let subject =
        if number.is_multiple_of(2) { format!("Subject: Offer{TOKEN}") } else { "Subject: Offer".to_owned() };
    assert_eq!(below_received(mail), plain.replace("Subject: Offer", &subject));
    assert!(kept.iter().any(|kept| kept.raw == mail.raw));
    number
}
