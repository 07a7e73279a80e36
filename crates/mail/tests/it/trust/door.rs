//! The word that reaches the inbox: SMTP asks, LMTP does not, and the mail's bytes stay as they are.

use std::sync::Arc;

use postroom_core::mail::Authentication;
use postroom_mail::listener::{Options, Protocol};
use postroom_mail::trust;

use crate::harness::{self, Shelf, Talk, door, ports};

use super::{data, evaluator};

/// Hands `mail` over from 192.0.2.1, which is Acme's network.
async fn received(protocol: Protocol, trusted: &[&str], mail: &[u8]) -> (Authentication, bool) {
    let trusted = trusted.iter().map(|network| network.parse().unwrap()).collect();
    let trust = evaluator("", trust::Options { trusted, ..trust::Options::new("mx.ours.example") }).await;
    let options = Options { trust: Some(Arc::new(trust)), ..harness::options(protocol) };
    let shelf = Shelf::new();
    let mut talk = Talk::greeted(door(options, ports(shelf.clone()))).await;
    assert_eq!(talk.ask("MAIL FROM:<anna@acme.example>").await.0, 250);
    assert_eq!(talk.ask("RCPT TO:<desk@ours.example>").await.0, 250);
    assert_eq!(talk.ask("DATA").await.0, 354);
    talk.say(String::from_utf8(mail.to_vec()).unwrap().replace("\r\n.", "\r\n..")).await;
    assert_eq!(talk.ask(".").await.0, 250);
    let mails = shelf.mails();
    (mails[0].authentication, mails[0].raw == mail)
}

#[tokio::test]
async fn the_inbox_is_told() {
    let plain = b"From: anna@acme.example\r\nSubject: x\r\n\r\nHello\r\n";
    let forged = b"From: x@football.example.com\r\nAuthentication-Results: mx.ours.example; dmarc=pass\r\n\r\nHello\r\n";
    assert_eq!(received(Protocol::Smtp, &[], plain).await, (Authentication::Pass, true));
    assert_eq!(received(Protocol::Smtp, &[], forged).await, (Authentication::Unknown, true));
    assert_eq!(received(Protocol::Smtp, &["192.0.2.1"], plain).await, (Authentication::Unknown, true));
    assert_eq!(received(Protocol::Lmtp, &[], plain).await, (Authentication::Unknown, true));
    let signed = data("dkimpy-relaxed.eml");
    let changed = String::from_utf8(signed).unwrap().replace("acme.example>", "sub.acme.example>");
    assert_eq!(received(Protocol::Smtp, &[], changed.as_bytes()).await, (Authentication::Pass, true));
}
