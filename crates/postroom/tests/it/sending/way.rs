//! The way of a mail: accepted, refused for some, put off, given up.

use jiff::SignedDuration;
use postroom_core::{Code, MailState, Verdict};
use postroom_tracking::sending::{Options, Standing};

use super::bench::{ANNA, BEN, Bench, Draft, On, SALES};

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_mail_leaves_and_is_sent() {
    for on in [On::Sqlite, On::Postgres] {
        let bench = Bench::on(on, Options::default()).await;
        let id = bench.send(Draft::to_anna("Order 12").to(3, BEN)).await;
        let book = bench.server.book();
        assert_eq!(book.len(), 1, "{on:?}");
        assert_eq!(
            (book[0].from.as_str(), book[0].to.join(" ")),
            (SALES, "anna@customer.example ben@customer.example".into())
        );
        assert_eq!(bench.status(id).await, (1, 3));
        let entry = bench.entry(id).await;
        assert_eq!((entry.state, entry.attempts, entry.tries), (MailState::Sent, 1, 1));
        assert!(entry.recipients.iter().all(|one| one.state == Standing::Accepted && one.code == Some(250)));
        let email = bench.row("email", "activityid", id).await;
        assert_eq!(email.int("deliveryattempts"), Some(1));
        assert_eq!(email.text("messageid"), Some(format!("<{}>", entry.message_id.unwrap()).as_str()));
        assert!(
            email.text("subject").unwrap().ends_with(":MRC") && email.get("senton").is_some(),
            "{email:?}"
        );
        bench.turn().await;
        assert_eq!(bench.server.book().len(), 1, "it is not sent again");
        assert!(bench.notes(id).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_set_for_later_waits() {
    let bench = Bench::new().await;
    let due = bench.clock.now() + SignedDuration::from_hours(2);
    let id = bench.send(Draft::to_anna("Later").with("delayedemailsendtime", due)).await;
    assert_eq!((bench.server.book().len(), bench.status(id).await), (0, (1, 6)));
    bench.later(SignedDuration::from_hours(3)).await;
    assert_eq!((bench.server.book().len(), bench.status(id).await), (1, (1, 3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_and_incoming_mail_stay() {
    let bench = Bench::new().await;
    bench.send(Draft::to_anna("Draft").with("statecode", 0).with("statuscode", 1)).await;
    bench.send(Draft::to_anna("Incoming").with("directioncode", false)).await;
    assert!(bench.server.book().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_of_two_is_sent_with_a_note() {
    let bench = Bench::new().await;
    bench.server.answers(&["ben@customer.example"], 550, "no such user");
    let id = bench.send(Draft::to_anna("Order 12").to(2, BEN)).await;
    let entry = bench.entry(id).await;
    assert_eq!((entry.state, bench.status(id).await), (MailState::Sent, (1, 3)));
    let states: Vec<_> = entry.recipients.iter().map(|one| (one.state, one.code)).collect();
    assert_eq!(states, [(Standing::Accepted, Some(250)), (Standing::Refused, Some(550))]);
    let notes = bench.notes(id).await;
    assert!(
        notes.len() == 1 && notes[0].contains("ben@customer.example: 550 5.0.0 no such user"),
        "{notes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_for_all_fails_with_the_reason_and_can_be_sent_again() {
    let bench = Bench::new().await;
    bench.server.answers(&["anna@customer.example"], 550, "no such user");
    let id = bench.send(Draft::to_anna("Order 12")).await;
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Failed, (0, 8)));
    let notes = bench.notes(id).await;
    assert!(notes.len() == 1 && notes[0].contains("no such user"), "{notes:?}");
    bench.clock.advance(SignedDuration::from_mins(1));
    let again = postroom_core::Record::new(postroom_core::RecordRef::new("email", id))
        .with("statecode", 1)
        .with("statuscode", 6);
    bench.apply(vec![postroom_core::Change::Update(again)]).await;
    bench.turn().await;
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Sent, (1, 3)));
    assert_eq!(bench.server.book().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn put_off_by_the_schedule_and_only_for_whom_it_was() {
    let bench = Bench::new().await;
    bench.server.answers(&["ben@customer.example"], 451, "greylisted").answers(
        &["ben@customer.example"],
        451,
        "busy",
    );
    let id = bench.send(Draft::to_anna("Order 12").to(2, BEN)).await;
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Queued, (1, 3)), "one has it");
    bench.later(SignedDuration::from_secs(50)).await;
    assert_eq!(bench.server.book().len(), 1, "a minute is not over");
    bench.later(SignedDuration::from_secs(11)).await;
    assert_eq!(bench.server.book()[1].to, ["ben@customer.example"]);
    bench.later(SignedDuration::from_mins(4)).await;
    assert_eq!(bench.server.book().len(), 2, "five minutes are not over");
    bench.later(SignedDuration::from_secs(61)).await;
    let book = bench.server.book();
    assert_eq!(book.len(), 3);
    assert!(book.iter().all(|mail| mail.raw == book[0].raw), "the same bytes each time");
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Sent, (1, 3)));
    assert_eq!(bench.row("email", "activityid", id).await.int("deliveryattempts"), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn given_up_after_two_days() {
    let bench = Bench::new().await;
    for _ in 0..60 {
        bench.server.fails(Verdict::Retry { after: None }, Code::SMTP_OUT_UNREACHABLE);
    }
    let id = bench.send(Draft::to_anna("Order 12")).await;
    assert_eq!(bench.status(id).await, (1, 7));
    for _ in 0..55 {
        bench.later(SignedDuration::from_mins(61)).await;
    }
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Failed, (0, 8)));
    let notes = bench.notes(id).await;
    assert!(notes.iter().any(|note| note.contains("given up after 48 hours")), "{notes:?}");
    assert_eq!(notes.len(), 2, "one that it is delayed, one that it failed");
    let tries = bench.server.book().len();
    assert!((45..=55).contains(&tries), "{tries}");
    assert_eq!(bench.entry(id).await.recipients[0].state, Standing::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sign_in_fails_no_mail() {
    let bench = Bench::new().await;
    bench.server.fails(Verdict::Hold, Code::SMTP_OUT_SIGN_IN);
    let id = bench.send(Draft::to_anna("Order 12").to(2, ANNA)).await;
    assert_eq!((bench.state(id).await, bench.entry(id).await.tries), (MailState::Queued, 0));
    bench.later(SignedDuration::from_mins(2)).await;
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Sent, (1, 3)));
}

/// Set back by days, a clock makes what waits wait longer and holds up nothing new; set forward, what waits is due. Each mail
/// leaves once.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_moved_by_days_loses_and_doubles_nothing() {
    let bench = Bench::new().await;
    bench.server.answers(&["anna@customer.example"], 451, "busy");
    let waits = bench.send(Draft::to_anna("First")).await;
    assert_eq!((bench.state(waits).await, bench.server.book().len()), (MailState::Queued, 1));
    bench.later(SignedDuration::from_hours(-72)).await;
    assert_eq!(bench.server.book().len(), 1, "it is not due yet");
    let new = bench.send(Draft::to_anna("Second")).await;
    assert_eq!((bench.state(new).await, bench.server.book().len()), (MailState::Sent, 2));
    bench.later(SignedDuration::from_hours(74)).await;
    assert_eq!((bench.state(waits).await, bench.server.book().len()), (MailState::Sent, 3));
    for hours in [-240, 480, -24] {
        bench.later(SignedDuration::from_hours(hours)).await;
        let third = bench.send(Draft::to_anna(&format!("After {hours}"))).await;
        assert_eq!(bench.state(third).await, MailState::Sent, "after {hours} hours");
    }
    let book = bench.server.book();
    assert_eq!(book.len(), 6, "each once, and the first twice");
    assert_eq!(book[0].raw, book[2].raw, "the same bytes again");
    let books = postroom_tracking::verify::verify(&bench.store, &bench.crm, super::bench::INSTALLATION).await;
    let books = books.expect("the database answers");
    assert!(books.balance(), "{:?}", books.findings);
}
