//! What people do with outgoing mail.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;
use postroom_core::{Change, Code, Fault, MailState, Record, RecordRef};
use postroom_tracking::sending::verbs::{self, Answer, Wanted};
use postroom_tracking::sending::{Options, SentCopy};

use super::bench::{Bench, Draft, SALES};

async fn queued() -> (Bench, uuid::Uuid) {
    let bench = Bench::new().await;
    bench.server.answers(&["anna@customer.example"], 451, "busy");
    let id = bench.send(Draft::to_anna("Order 12")).await;
    assert_eq!(bench.state(id).await, MailState::Queued);
    (bench, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_mail_is_held_and_released() {
    let (bench, id) = queued().await;
    let (mail, now) = (bench.entry(id).await.id, bench.clock.now());
    let held = verbs::hold(&bench.store, &bench.ids, now, mail).await.unwrap();
    assert!(matches!(held, Answer::Done(entry) if entry.state == MailState::Held));
    bench.later(SignedDuration::from_hours(3)).await;
    assert_eq!(bench.server.book().len(), 1);
    verbs::release(&bench.store, &bench.ids, bench.clock.now(), mail).await.unwrap();
    bench.turn().await;
    assert_eq!((bench.state(id).await, bench.server.book().len()), (MailState::Sent, 2));
    let again = verbs::hold(&bench.store, &bench.ids, now, mail).await.unwrap();
    assert_eq!(again, Answer::NotNow(MailState::Sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_does_not_wait_for_the_schedule() {
    let (bench, id) = queued().await;
    let mail = bench.entry(id).await.id;
    verbs::release(&bench.store, &bench.ids, bench.clock.now(), mail).await.unwrap();
    bench.turn().await;
    assert_eq!((bench.state(id).await, bench.server.book().len()), (MailState::Sent, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_given_up_fails_in_the_crm() {
    let (bench, id) = queued().await;
    let mail = bench.entry(id).await.id;
    verbs::fail(&bench.store, &bench.ids, bench.clock.now(), mail).await.unwrap();
    bench.turn().await;
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Failed, (0, 8)));
    assert!(bench.notes(id).await[0].contains("a person gave it up"));
    bench.later(SignedDuration::from_hours(3)).await;
    assert_eq!(bench.server.book().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_unknown_ids() {
    let (bench, id) = queued().await;
    let other = bench.send(Draft::to_anna("Another")).await;
    let list = |state| verbs::list(&bench.store, Wanted { state, limit: 10, ..Wanted::default() });
    let ids: Vec<_> = list(None).await.unwrap().iter().map(|entry| entry.activity).collect();
    assert_eq!(ids, [other, id], "newest first");
    assert_eq!(list(Some(MailState::Sent)).await.unwrap().len(), 1);
    let unknown = postroom_core::MailId(uuid::Uuid::from_u128(1));
    assert_eq!(verbs::show(&bench.store, unknown).await.unwrap(), None);
    assert_eq!(
        verbs::hold(&bench.store, &bench.ids, bench.clock.now(), unknown).await.unwrap(),
        Answer::NotFound
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_taken_back_in_the_crm_does_not_leave() {
    let bench = Bench::with(Options { max_recipients: 0, ..Options::default() }).await;
    let id = bench.send(Draft::to_anna("Oops")).await;
    assert_eq!(bench.state(id).await, MailState::Held);
    let back = Record::new(RecordRef::new("email", id)).with("statecode", 2).with("statuscode", 5);
    bench.apply(vec![Change::Update(back)]).await;
    let mail = bench.entry(id).await.id;
    verbs::release(&bench.store, &bench.ids, bench.clock.now(), mail).await.unwrap();
    bench.turn().await;
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Suppressed, (2, 5)));
    assert!(bench.server.book().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_the_crm_lost_is_told_again_and_nothing_is_sent_twice() {
    let bench = Bench::new().await;
    let id = bench.send(Draft::to_anna("Order 12")).await;
    let lost = Record::new(RecordRef::new("email", id)).with("statecode", 1).with("statuscode", 6);
    bench.apply(vec![Change::Update(lost)]).await;
    bench.turn().await;
    assert_eq!((bench.status(id).await, bench.server.book().len()), ((1, 3), 1));
}

/// A Sent folder that fails as often as it was told to.
struct Folder {
    failures: Mutex<u32>,
    kept: Mutex<Vec<(String, Bytes)>>,
}

#[async_trait]
impl SentCopy for Folder {
    async fn keep(&self, from: &str, raw: Bytes) -> Result<(), Fault> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(Fault::retry(Code::IMAP_AWAY, "the server is away"));
        }
        self.kept.lock().unwrap().push((from.to_owned(), raw));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_goes_to_the_sent_folder_once_and_signing_comes_first() {
    let mut bench = Bench::new().await;
    let folder = Arc::new(Folder { failures: Mutex::new(1), kept: Mutex::default() });
    bench.sending.copy = Some(folder.clone());
    bench.sending.sign = Some(Arc::new(|raw: &[u8]| Ok([b"DKIM-Signature: v=1\r\n", raw].concat())));
    let id = bench.send(Draft::to_anna("Order 12")).await;
    bench.later(SignedDuration::from_mins(5)).await;
    bench.later(SignedDuration::from_mins(5)).await;
    let (book, kept) = (bench.server.book(), folder.kept.lock().unwrap().clone());
    assert_eq!((book.len(), kept.len()), (1, 1));
    assert_eq!(kept[0], (SALES.to_owned(), book[0].raw.clone()));
    assert!(book[0].raw.starts_with(b"DKIM-Signature: v=1\r\nDate: "));
    assert_eq!(bench.status(id).await, (1, 3));
}
