//! Defects that were found, a test for each, named after what was wrong.

use std::sync::Arc;

use jiff::SignedDuration;
use postroom_core::{Code, Record, RecordRef};
use postroom_marketing::engine::{Scope, Settings};
use postroom_marketing::sync::look::{Refusals, refusals};
use postroom_marketing::sync::{RunState, SyncType};
use postroom_sandbox::dotdigital::{Fault, ImportEnd, Switch};
use uuid::Uuid;

use crate::bench::{On, on_every};
use crate::lab::Lab;
use crate::office::ODD;

on_every!(a_crm_that_was_put_back_is_read_anew);

impl Lab {
    fn defects_imports(&self) -> u64 {
        let calls = self.world.calls();
        calls.iter().filter(|(name, _)| name.contains("PUT") && name.contains("import")).map(|(_, n)| n).sum()
    }
}

/// *Sync now* waited for the schedule's own next run.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sync_now_is_at_once() {
    let lab = Lab::new(On::Sqlite).await;
    let list = lab.people(&["anna@x.example"]).await;
    lab.run(SyncType::Lists).await;
    lab.advance(SignedDuration::from_mins(1));
    lab.run(SyncType::Sends).await;
    assert_eq!(lab.begin_all_asked().await, 0, "nobody asked");
    lab.write(Record::new(list.clone()).with("esc_syncrequested", true)).await;
    lab.run(SyncType::Sends).await;
    assert_eq!(lab.begin_all_asked().await, 1);
    lab.work().await;
    let run = lab.last(SyncType::Lists).await;
    assert_eq!((run.state, run.asked.as_str()), (RunState::Done, "the CRM"), "{run:?}");
    assert_eq!(lab.record(&list).await.unwrap().get("esc_syncrequested"), Some(&false.into()));
    lab.run(SyncType::Sends).await;
    assert_eq!(lab.begin_all_asked().await, 0, "once");
}

/// What the service's filter had stopped went out again with every run.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_filter_stopped_is_not_sent_again_as_it_was() {
    let lab = Lab::with(On::Sqlite, Settings { scope: Scope::Everybody, ..Settings::default() }).await;
    let (anna, odd) = (lab.contact(1, "anna@x.example").await, lab.contact(2, ODD).await);
    lab.run(SyncType::Labels).await;
    let stops = Fault::ImportEnds { phase: ImportEnd::RejectedByWatchdog };
    lab.world.fault(Switch::once(stops, "PUT", "/import"));
    let run = lab.run(SyncType::Contacts).await;
    assert_eq!((run.state, run.code), (RunState::Failed, Some(Code::MARKETING_WATCHDOG)), "{run:?}");
    assert_eq!((run.counts.to_service.rejected, run.counts.balances()), (2, true), "{run:?}");
    let shown = lab.engine.store.read(|tx| {
        Box::pin(async move { refusals(tx, &Refusals { open: true, limit: 9, ..Refusals::default() }).await })
    });
    let shown: Result<Vec<_>, postroom_store::Error> = shown.await;
    let shown = shown.unwrap();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown.iter().all(|row| row.reject.reason.contains("filter against abuse")), "{shown:?}");
    lab.world.forget_calls();
    for _ in 0..2 {
        lab.advance(SignedDuration::from_mins(20));
        let run = lab.run(SyncType::Contacts).await;
        assert_eq!((run.state, lab.defects_imports()), (RunState::Done, 0), "{run:?}");
    }
    // One that changed goes again, and one that a person puts back.
    lab.write(Record::new(anna).with("firstname", "Anne")).await;
    lab.run(SyncType::Contacts).await;
    assert_eq!(lab.defects_imports(), 1, "{:?}", lab.world.calls());
    assert!(lab.world.person(1, "anna@x.example").is_some() && lab.world.person(1, ODD).is_none());
    let ids = shown.iter().filter(|row| row.reject.subject == odd.to_string()).map(|row| row.id).collect();
    assert_eq!(lab.engine.replay(ids, "anna").await.unwrap().rows.len(), 1);
    lab.begin_all_asked().await;
    lab.work().await;
    assert!(lab.world.person(1, ODD).is_some());
}

/// Somebody whom a send wrote first was mailed with empty fields.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_send_brings_the_fields_of_people_who_are_new_to_the_service() {
    let lab = Lab::new(On::Sqlite).await;
    lab.run(SyncType::Labels).await;
    let list = lab.people(&["anna@x.example", ODD]).await;
    let campaign = lab.campaign("Spring").await;
    lab.request(1, &campaign, &list, 2).await;
    lab.minutes(4).await;
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example", ODD]);
    let there = lab.world.person(1, ODD).unwrap();
    assert_eq!(there.fields.get("FIRSTNAME"), Some(&"First2".into()), "{there:?}");
}

/// A CRM whose database was put back to an earlier copy gave out lower versions than those that we had seen: an opt-out that was
/// said there before we looked again was never read.
async fn a_crm_that_was_put_back_is_read_anew(on: On) {
    let (mut lab, copy) = (Lab::new(on).await, Lab::new(on).await);
    for number in 0..10 {
        lab.contact(number, &format!("p{number}@x.example")).await;
    }
    lab.run(SyncType::Suppressions).await;
    // In the copy there is only she, and she says no.
    copy.account_row().await;
    let anna = copy.contact(1, "anna@x.example").await;
    copy.write(Record::new(anna).with("donotbulkemail", true)).await;
    lab.crm = copy.crm.clone();
    lab.engine.crm = Arc::clone(&copy.engine.crm);
    let run = lab.run(SyncType::Suppressions).await;
    assert_eq!(run.state, RunState::Done, "{run:?}");
    assert_eq!(run.counts.to_service.new, 1, "{run:?}");
}

/// A send that ran before contacts told of a new address made a second, subscribed person.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_send_makes_no_second_person_of_a_new_address() {
    let lab = Lab::new(On::Sqlite).await;
    lab.run(SyncType::Labels).await;
    let list = lab.people(&["anna@x.example", "bert@x.example"]).await;
    let first = lab.campaign("Spring").await;
    lab.request(1, &first, &list, 2).await;
    lab.minutes(4).await;
    assert_eq!(lab.mailed(first.id), ["anna@x.example", "bert@x.example"]);
    let id = lab.world.person(1, "anna@x.example").unwrap().id;
    let anna = RecordRef::new("contact", Uuid::from_u128(0xc000_0001));
    lab.write(Record::new(anna).with("emailaddress1", ODD)).await;
    let second = lab.campaign("Summer").await;
    lab.request(2, &second, &list, 2).await;
    lab.minutes(4).await;
    assert_eq!(lab.mailed(second.id), ["bert@x.example", ODD]);
    assert_eq!(lab.world.person(1, ODD).unwrap().id, id, "the same person");
    assert!(lab.world.person(1, "anna@x.example").is_none(), "and no second one");
}

/// Rows that were refused one by one were kept without what the service had against them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refused_row_keeps_what_was_answered() {
    let lab = Lab::with(On::Sqlite, Settings { scope: Scope::Everybody, ..Settings::default() }).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.run(SyncType::Suppressions).await;
    lab.write(Record::new(anna).with("donotbulkemail", true)).await;
    let no = Fault::Refuse { status: 400, code: "ERROR_CONTACT_NOT_FOUND".to_owned() };
    lab.world.fault(Switch::once(no, "POST", "/unsubscribe"));
    let run = lab.run(SyncType::Suppressions).await;
    assert_eq!(run.counts.to_service.rejected, 1, "{run:?}");
    let shown = lab.engine.store.read(|tx| {
        Box::pin(async move { refusals(tx, &Refusals { open: true, limit: 9, ..Refusals::default() }).await })
    });
    let shown: Result<Vec<_>, postroom_store::Error> = shown.await;
    let reject = &shown.unwrap()[0].reject;
    assert!(reject.sent.contains("Unsubscribed"), "{reject:?}");
    assert!(reject.received.contains(r#""message":"#) && reject.received.contains("ERROR_CONTACT_NOT_FOUND"));
}
