//! A lost answer: visible, looked for, then sent again with the same Message-ID or left to a person.

use jiff::SignedDuration;
use postroom_core::{Code, Direction, MailState, Verdict};
use postroom_tracking::sending::{Options, Standing, verbs};

use super::bench::{Bench, Draft, SALES, read};

async fn lost(options: Options) -> (Bench, uuid::Uuid) {
    let bench = Bench::with(options).await;
    bench.server.fails(Verdict::Unknown, Code::SMTP_OUT_UNKNOWN);
    let id = bench.send(Draft::to_anna("Order 12")).await;
    let entry = bench.entry(id).await;
    assert_eq!(
        (entry.state, entry.code),
        (MailState::Unknown, Some(Code::SMTP_OUT_UNKNOWN.0)),
        "{}",
        entry.reason
    );
    assert_eq!(bench.status(id).await, (1, 7), "it is still being sent, as far as the CRM knows");
    (bench, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_sent_again_after_the_stated_time_and_not_before() {
    let (bench, id) = lost(Options::default()).await;
    bench.later(SignedDuration::from_mins(14)).await;
    assert_eq!((bench.server.book().len(), bench.state(id).await), (1, MailState::Unknown));
    bench.later(SignedDuration::from_mins(2)).await;
    let book = bench.server.book();
    assert_eq!((book.len(), bench.state(id).await, bench.status(id).await), (2, MailState::Sent, (1, 3)));
    assert_eq!(book[0].raw, book[1].raw, "the same Message-ID and every other byte");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_the_sent_folder_settles_it() {
    let (bench, id) = lost(Options::default()).await;
    bench.comes_in(bench.server.book()[0].raw.clone(), Direction::Outgoing).await;
    bench.later(SignedDuration::from_mins(2)).await;
    let entry = bench.entry(id).await;
    assert_eq!(
        (entry.state, entry.recipients[0].state),
        (MailState::Sent, Standing::Accepted),
        "{}",
        entry.reason
    );
    assert!(entry.recipients[0].text.contains("seen in a mailbox"));
    bench.later(SignedDuration::from_mins(60)).await;
    assert_eq!((bench.server.book().len(), bench.status(id).await), (1, (1, 3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_it_settles_it_too() {
    let (bench, id) = lost(Options::default()).await;
    let own = read(&bench.server.book()[0]).message_id.clone().unwrap();
    let reply = format!(
        "From: anna@customer.example\r\nTo: {SALES}\r\nSubject: Re\r\nDate: Mon, 02 Nov 2026 09:00:00 +0000\r\nMessage-ID: <r@customer.example>\r\n\
         In-Reply-To: <{own}>\r\n\r\nThanks\r\n"
    );
    bench.comes_in(reply.into(), Direction::Incoming).await;
    bench.later(SignedDuration::from_mins(2)).await;
    assert_eq!((bench.state(id).await, bench.server.book().len()), (MailState::Sent, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_stated_time_a_person_decides() {
    let (bench, id) = lost(Options { resend_after: None, ..Options::default() }).await;
    bench.later(SignedDuration::from_hours(24)).await;
    assert_eq!((bench.state(id).await, bench.server.book().len()), (MailState::Unknown, 1));
    let mail = bench.entry(id).await.id;
    verbs::release(&bench.store, &bench.ids, bench.clock.now(), mail).await.unwrap();
    bench.turn().await;
    assert_eq!((bench.state(id).await, bench.server.book().len()), (MailState::Sent, 2));
}
