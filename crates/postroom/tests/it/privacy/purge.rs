//! Bodies that age out.

use jiff::SignedDuration;
use postroom_core::{Change, Content, Crm, Envelope, MailState, Record, RecordRef, Value};
use postroom_testkit::on_both;
use postroom_tracking::privacy::purging::Purged;
use uuid::Uuid;

use super::bench::{ANNA, BEN, Bench, CLOSED, SECRET, about_the_case, letter};

on_both!(crate::privacy::bench::Bench:
    what_is_not_tracked_keeps_its_headers_only,
    what_is_tracked_or_waits_for_a_person_stays,
    a_trial_changes_nothing,
    bytes_that_the_crm_keeps_too_stay,
    seen_elsewhere_it_is_decided_on_all_of_it,
    a_decision_starts_the_time_anew,
);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn what_is_not_tracked_keeps_its_headers_only(bench: Bench) {
    let raw = letter("one", ANNA, "", "Hello", SECRET);
    let id = bench.mail("closed", &raw).await;
    assert_eq!(bench.state(id).await, MailState::NotTracked);
    bench.clock.advance(SignedDuration::from_hours(72) - HOUR);
    assert_eq!(bench.purging().run(false).await.unwrap(), Purged::default());
    assert!(bench.raw(id).await.contains(SECRET));

    bench.clock.advance(HOUR * 2);
    let purged = bench.purging().run(false).await.unwrap();
    assert_eq!((purged.messages, purged.bodies_removed, purged.bodies_kept), (1, 1, 0), "{purged:?}");
    assert_eq!(bench.raw(id).await, raw[..raw.find("\n\n").unwrap() + 2]);
    assert_eq!(bench.bodies_with(SECRET).await, 0);
    let message = bench.detail(id).await.message;
    assert_eq!((message.subject.as_str(), message.from.as_str()), ("Hello", ANNA));
    assert_eq!(message.purged_at, Some(bench.clock.now()));
    bench.balances().await;

    assert_eq!(bench.purging().run(false).await.unwrap(), Purged::default());
    // The same mail at the same door again is nothing new, and does not come back.
    let again = bench.taken("closed", Envelope::default(), &raw).await;
    assert_eq!((again.id, again.new), (id, false));
    bench.file().await;
    assert_eq!(bench.bodies_with(SECRET).await, 0);
}

async fn what_is_tracked_or_waits_for_a_person_stays(bench: Bench) {
    let tracked = bench.mail("desk", &letter("one", ANNA, "", &about_the_case("Pump"), SECRET)).await;
    let review = bench.mail("desk", &letter("two", BEN, "", "Hello", SECRET)).await;
    let waits = bench.taken("closed", Envelope::default(), &letter("three", BEN, "", "Hi", SECRET)).await.id;
    bench.clock.advance(HOUR * 1000);
    assert_eq!(bench.purging().run(false).await.unwrap(), Purged::default());
    let states = (bench.state(tracked).await, bench.state(review).await, bench.state(waits).await);
    assert_eq!(states, (MailState::Tracked, MailState::Review, MailState::Received));
    assert_eq!(bench.bodies_with(SECRET).await, 3);
}

async fn a_trial_changes_nothing(bench: Bench) {
    let raw = letter("one", ANNA, "", "Hello", SECRET);
    bench.mail("closed", &raw).await;
    bench.clock.advance(HOUR * 80);
    let trial = bench.purging().run(true).await.unwrap();
    let beyond = raw[raw.find("\n\n").unwrap() + 2..].replace('\n', "\r\n").len() as u64;
    assert_eq!(trial, Purged { messages: 1, bytes: beyond, dry_run: true, ..Purged::default() });
    assert_eq!(bench.bodies_with(SECRET).await, 1);
    let purged = bench.purging().run(false).await.unwrap();
    assert_eq!((purged.messages, purged.bytes), (trial.messages, trial.bytes));
}

/// Somebody put the mail, as a file, on a record of the CRM: the same bytes are kept once.
async fn bytes_that_the_crm_keeps_too_stay(bench: Bench) {
    let raw = letter("one", ANNA, "", "Hello", &SECRET.repeat(300));
    let id = bench.mail("closed", &raw).await;
    let bytes = bytes::Bytes::from(raw.replace('\n', "\r\n"));
    let email = Record::new(RecordRef::new("email", Uuid::from_u128(0xe1))).with("subject", "Kept");
    let file = Record::new(RecordRef::new("activitymimeattachment", Uuid::from_u128(0xf1)))
        .with("objectid", Value::lookup("email", Uuid::from_u128(0xe1)))
        .with("filename", "mail.eml")
        .with("body", Content::Bytes(bytes.clone()));
    bench.apply(vec![Change::Create(email), Change::Create(file)]).await;
    bench.clock.advance(HOUR * 80);
    let purged = bench.purging().run(false).await.unwrap();
    assert_eq!((purged.messages, purged.bodies_removed, purged.bodies_kept), (1, 0, 1), "{purged:?}");
    assert!(!bench.raw(id).await.contains(SECRET));
    let kept = bench.attachments(Uuid::from_u128(0xe1)).await.remove(0);
    let Some(Value::Content(content)) = kept.get("body") else { panic!("{kept:?}") };
    assert_eq!(bench.crm.read(content).await.unwrap(), bytes);
}

async fn seen_elsewhere_it_is_decided_on_all_of_it(bench: Bench) {
    let raw = letter("one", ANNA, "", &about_the_case("Pump"), SECRET);
    let id = bench.mail("closed", &raw).await;
    bench.clock.advance(HOUR * 80);
    bench.purging().run(false).await.unwrap();
    assert!(bench.detail(id).await.message.purged_at.is_some());
    let cc = Envelope { from: None, to: vec![CLOSED.into()] };
    bench.taken("closed", cc, &raw).await;
    bench.file().await;
    let message = bench.detail(id).await.message;
    assert_eq!((message.sightings, message.purged_at), (2, None));
    assert!(bench.raw(id).await.contains(SECRET));
    bench.clock.advance(HOUR * 80);
    assert_eq!(bench.purging().run(false).await.unwrap().messages, 1, "still not tracked: it goes again");
    assert_eq!(bench.bodies_with(SECRET).await, 0);
    bench.balances().await;
}

async fn a_decision_starts_the_time_anew(bench: Bench) {
    let id = bench.mail("desk", &letter("one", ANNA, "", "Hello", SECRET)).await;
    bench.clock.advance(HOUR * 500);
    let aside = postroom_tracking::filing::place::Placement::Aside("Skipped.".into());
    bench.filing.place(id, aside, "ines").await.unwrap();
    assert_eq!(bench.purging().run(false).await.unwrap().messages, 0);
    bench.clock.advance(HOUR * 80);
    assert_eq!(bench.purging().run(false).await.unwrap().messages, 1);
}
