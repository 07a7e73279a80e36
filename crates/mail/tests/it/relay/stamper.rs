//! Stampers that hang, die or answer nonsense, and what one is asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::mail::Authentication;
use postroom_core::{
    Answer, Direction, Envelope, Fault, Handed, Inbox, Incoming, MailSender, Outgoing, Source, Stamp,
    StampAsk, Stamper,
};
use tokio::time::{Instant, sleep};

use super::{below_received, letter, relay};
use crate::harness::Shelf;

/// Takes everything.
struct Open;

#[async_trait]
impl MailSender for Open {
    async fn send(&self, mail: Outgoing) -> Result<Handed, Fault> {
        let answer = Answer { code: 250, status: None, text: String::new() };
        Ok(mail.to.into_iter().map(|to| (to, answer.clone())).collect())
    }

    async fn check(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

/// What it does, and what it was asked.
struct Odd {
    does: Does,
    asked: Mutex<Vec<StampAsk>>,
}

#[derive(Clone, Copy)]
enum Does {
    Hang,
    Panic,
    Say(&'static str),
}

#[async_trait]
impl Stamper for Odd {
    async fn stamp(&self, ask: StampAsk) -> Stamp {
        self.asked.lock().unwrap().push(ask);
        let subject = match self.does {
            Does::Hang => {
                sleep(Duration::from_secs(10)).await;
                "too late"
            }
            Does::Panic => panic!("a bug of the stamper's"),
            Does::Say(subject) => subject,
        };
        Stamp { subject: subject.to_owned(), record: None, reason: String::new() }
    }
}

fn incoming(raw: &str) -> Incoming {
    Incoming {
        source: Source::Smtp,
        direction: Direction::Incoming,
        mailbox: None,
        folder: None,
        envelope: Envelope {
            from: Some("anna@ours.example".into()),
            to: vec!["bert@customer.example".into(), "Bcc@Else.example".into()],
        },
        source_id: None,
        peer: None,
        authentication: Authentication::Unknown,
        received_at: Timestamp::UNIX_EPOCH,
        raw: Bytes::from(raw.to_owned()),
    }
}

/// Passes `raw` through with a stamper that `does` so. Gives what left, what was asked, and how long it took.
async fn pass(does: Does, raw: &str) -> (String, Vec<StampAsk>, Duration) {
    let (odd, shelf) = (Arc::new(Odd { does, asked: Mutex::default() }), Shelf::new());
    let (relay, _) = relay(odd.clone(), Arc::new(Open), shelf.clone());
    let started = Instant::now();
    relay.accept(incoming(raw)).await.unwrap();
    let asked = odd.asked.lock().unwrap().clone();
    (below_received(&shelf.mails()[0]), asked, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_stamper_that_hangs_costs_less_than_two_seconds() {
    let mail = letter("bert@customer.example", "1");
    let (out, asked, took) = pass(Does::Hang, &mail).await;
    assert_eq!((out, asked.len()), (mail, 1));
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_stamper_that_dies_or_talks_nonsense_changes_nothing() {
    let mail = letter("bert@customer.example", "1");
    for does in [Does::Panic, Does::Say("x\r\nBcc: evil@else.example"), Does::Say("=?utf-8?Q?x?=")] {
        assert_eq!(pass(does, &mail).await.0, mail);
    }
}

#[tokio::test]
async fn a_stamper_is_told_who_gets_it_and_what_it_answers() {
    let mail = "From: Anna <Anna@ours.example>\r\nTo: \"B, C\" <bert@customer.example>, <carl@x.example>\r\n\
        Cc: BCC@else.example\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <3@x>\r\nIn-Reply-To: <2@x>\r\n\
        References: <1@x>\r\n <2@x>\r\n\r\n";
    let (out, mut asked, _) = pass(Does::Say("Gr\u{fc}\u{df}e zur\u{fc}ck"), mail).await;
    let ask = StampAsk {
        subject: "Gr\u{fc}\u{df}e".into(),
        from: "Anna@ours.example".into(),
        to: ["bert@customer.example", "Bcc@Else.example", "carl@x.example"].map(Into::into).into(),
        message_id: Some("3@x".into()),
        in_reply_to: Some("2@x".into()),
        references: vec!["1@x".into(), "2@x".into()],
    };
    assert_eq!(asked.remove(0), ask);
    let field = "Subject: =?utf-8?B?";
    assert!(out.contains(field) || out.contains("Subject: =?utf-8?Q?"), "{out}");
}
