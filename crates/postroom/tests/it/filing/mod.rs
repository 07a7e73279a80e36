//! Filing as a job and by hand, below the commands: one bad mail in a lot, names that only a directory knows, bodies that
//! were purged. On both databases, with the embedded CRM.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

mod names;

use futures_util::FutureExt;
use jiff::SignedDuration;
use postroom_core::{Direction, Envelope, MailId, MailState, RecordRef};
use postroom_jobs::shelf;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, body};
use postroom_testkit::on_both;
use postroom_tracking::filing::place::Placement;
use postroom_tracking::filing::shelved;
use postroom_tracking::why;

use crate::privacy::bench::{ANNA, BEN, Bench, CASE, SECRET, about_the_case, letter};

on_both!(crate::privacy::bench::Bench:
    one_damaged_mail_stops_none_of_its_lot,
    a_mail_given_up_on_the_shelf_waits_for_a_person,
    what_was_decided_stands_while_a_second_look_lies_on_the_shelf,
    mail_that_a_person_attaches_after_the_purge_says_what_is_missing,
    a_stored_mail_is_no_rival_of_itself,
);

/// Breaks the bytes of a mail as a bad disk would.
async fn damage(bench: &Bench, mail: MailId) {
    let hash = bench.detail(mail).await.message.body;
    // Nothing of it is at hand any more.
    drop(body::take(&bench.store, vec![hash]).await.unwrap());
    let update = Query::update()
        .table("body")
        .value("data", b"damaged".to_vec())
        .and_where(Expr::col("hash").eq(hash.0.to_vec()))
        .to_owned();
    let unit =
        bench.store.write("test.damage", move |tx| async move { tx.execute(&update).await }.boxed()).await;
    let changed: Result<u64, Error> = unit;
    assert_eq!(changed.unwrap(), 1);
}

async fn one_damaged_mail_stops_none_of_its_lot(bench: Bench) {
    let mut mails = Vec::new();
    for number in 0..10 {
        let raw = letter(&format!("lot-{number}"), ANNA, "", &about_the_case("Pump"), SECRET);
        mails.push(bench.taken("desk", Envelope::default(), &raw).await.id);
    }
    damage(&bench, mails[4]).await;
    bench.file().await;
    for (place, mail) in mails.iter().enumerate() {
        let wanted = if place == 4 { MailState::Shelf } else { MailState::Tracked };
        let message = bench.detail(*mail).await.message;
        assert_eq!(message.state, wanted, "{}", message.reason);
    }
    let message = bench.detail(mails[4]).await.message;
    assert!(message.reason.starts_with("It could not be filed: PR-"), "{}", message.reason);
    bench.balances().await;
}

/// The one job on the shelf is taken off it, with what belongs to it.
async fn drop_from_shelf(bench: &Bench, mail: MailId) {
    let job = shelf::list(&bench.store, shelf::Page::default()).await.unwrap().remove(0).id;
    let (ids, now) = (bench.ids.clone(), bench.clock.now());
    let unit = bench.store.write("test.drop", move |tx| {
        async move {
            assert!(shelf::discard(tx, job).await?);
            shelved::dropped(tx, &ids, now, mail, "ines").await
        }
        .boxed()
    });
    let done: Result<(), Error> = unit.await;
    done.unwrap();
}

async fn a_mail_given_up_on_the_shelf_waits_for_a_person(bench: Bench) {
    let raw = letter("lost", ANNA, "", &about_the_case("Pump"), SECRET);
    let mail = bench.taken("desk", Envelope::default(), &raw).await.id;
    damage(&bench, mail).await;
    bench.file().await;
    assert_eq!(bench.state(mail).await, MailState::Shelf);
    bench.balances().await;
    drop_from_shelf(&bench, mail).await;
    let message = bench.detail(mail).await.message;
    assert_eq!(message.state, MailState::Review, "{}", message.reason);
    assert!(message.reason.contains("ines gave it up"), "{}", message.reason);
    bench.balances().await;
}

async fn what_was_decided_stands_while_a_second_look_lies_on_the_shelf(bench: Bench) {
    let raw = letter("again", ANNA, "", &about_the_case("Pump"), SECRET);
    let mail = bench.mail("desk", &raw).await;
    // Another mailbox has it too, and by now its bytes are broken.
    bench.taken("closed", Envelope::default(), &raw).await;
    damage(&bench, mail).await;
    bench.file().await;
    let message = bench.detail(mail).await.message;
    assert_eq!((message.state, message.record.map(|record| record.id)), (MailState::Tracked, Some(CASE)));
    assert_eq!(shelf::list(&bench.store, shelf::Page::default()).await.unwrap().len(), 1);
    drop_from_shelf(&bench, mail).await;
    assert_eq!(bench.state(mail).await, MailState::Tracked);
    bench.balances().await;
}

async fn mail_that_a_person_attaches_after_the_purge_says_what_is_missing(bench: Bench) {
    let mail = bench.mail("closed", &letter("late", ANNA, "", "Hello", SECRET)).await;
    bench.clock.advance(SignedDuration::from_hours(80));
    assert_eq!(bench.purging().run(false).await.unwrap().messages, 1);
    let case = RecordRef::new("incident", CASE);
    bench.filing.place(mail, Placement::Attach(case), "ines").await.unwrap();
    let message = bench.detail(mail).await.message;
    assert_eq!(message.state, MailState::Tracked);
    assert!(message.flags.contains(&"body_purged".to_owned()), "{:?}", message.flags);
    assert!(message.reason.contains("were purged before"), "{}", message.reason);
    bench.balances().await;
}

/// Asked about again, it has used its Message-ID itself, and answers nobody.
async fn a_stored_mail_is_no_rival_of_itself(bench: Bench) {
    let head = "Thread-Index: AdcB1Z3x0Q9vZbGfSrKq7m2yYpV4EQ==\n";
    let raw = letter("own", BEN, head, &about_the_case("Pump"), SECRET).replace('\n', "\r\n");
    bench.mail("desk", &raw.replace("\r\n", "\n")).await;
    let why = why::explain(&bench.filing, raw.as_bytes(), Direction::Incoming, Some("desk".into())).await;
    let why = why.unwrap();
    assert!(!why.flags.contains(&"message_id_reused".to_owned()), "{:?}", why.flags);
    assert_eq!(why.signals.len(), 1, "{:?}", why.signals);
    assert_eq!(why.method.as_str(), "token");
}
