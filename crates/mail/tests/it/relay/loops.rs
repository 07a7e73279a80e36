//! Mail that comes back.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use postroom_core::{Fault, Handed, MailSender, Outgoing};
use postroom_mail::listener::Protocol;
use postroom_mail::sender::SmtpSender;
use tokio::time::timeout;

use super::{Desk, Suffix, letter, sender_to, text, world};
use crate::harness::{SOON, Shelf};

/// A way on that is known only after the relay has its port.
#[derive(Default)]
struct Ring(OnceLock<Arc<SmtpSender>>);

#[async_trait]
impl MailSender for Ring {
    async fn send(&self, mail: Outgoing) -> Result<Handed, Fault> {
        self.0.get().unwrap().send(mail).await
    }

    async fn check(&self) -> Result<String, Fault> {
        self.0.get().unwrap().check().await
    }
}

#[tokio::test]
async fn a_ring_is_broken_at_the_second_round() {
    let ring = Arc::new(Ring::default());
    let desk = Desk::of(Protocol::Smtp, Arc::new(Suffix), ring.clone(), Shelf::new()).await;
    ring.0.set(sender_to(desk.running.address)).ok().unwrap();
    for from in ["anna@ours.example", ""] {
        // A ring that nobody breaks uses up all connections and stands still.
        let mail = letter("x@y.example", "1");
        let sending = desk.send(from, &["a@customer.example"], &mail);
        let said = timeout(SOON, sending).await.expect("the ring is broken").remove(0);
        assert!(said.code == 554 && said.text.starts_with("5.4.6 This mail was here before"), "{said:?}");
    }
    assert!(desk.shelf.mails().is_empty());
}

#[tokio::test]
async fn a_mail_that_was_here_on_its_way_to_another_is_no_loop() {
    let out = Shelf::new();
    let next = world(&out).await;
    let desk = Desk::new(next.address, Shelf::new()).await;
    let mail = letter("x@y.example", "1");
    assert!(desk.try_send(&["list@ours.example"], &mail).await.starts_with("250"));
    let forwarded = text(&out.mails()[0]);
    assert!(desk.try_send(&["member@customer.example"], &forwarded).await.starts_with("250"));
    let again = text(&out.mails()[1]);
    for (to, mail) in [
        ("LIST@ours.example", &forwarded),
        ("list@ours.example", &again),
        ("member@customer.example", &again),
    ] {
        let said = desk.try_send(&[to], mail).await;
        assert!(said.starts_with("554 5.4.6"), "{to}: {said}");
    }
}

#[tokio::test]
async fn too_many_hops_are_a_loop() {
    let out = Shelf::new();
    let next = world(&out).await;
    let desk = Desk::new(next.address, Shelf::new()).await;
    let mail = "Received: from x\r\n".repeat(51) + &letter("x@y.example", "1");
    let said = desk.try_send(&["a@customer.example"], &mail).await;
    assert!(said.starts_with("554 5.4.6"), "{said}");
    assert!(out.mails().is_empty());
}
