//! Opt-outs, both ways.

use jiff::SignedDuration;
use postroom_core::marketing::{ContactRow, Names};
use postroom_core::{Record, RecordRef, Value};
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::{Counts, RunState, SyncType};
use postroom_sandbox::dotdigital::{Act, Fault, Switch};
use uuid::Uuid;

use crate::bench::{On, on_every};
use crate::lab::Lab;

/// An address that is awkward in paths, queries and tables.
const ODD: &str = "o'brien+x@example.com";

on_every!(
    they_go_both_ways,
    the_first_exchange_takes_all_history,
    nothing_new_changes_nothing,
    a_lost_answer_doubles_nothing,
    every_record_with_the_address,
    a_flag_taken_back_lifts_nothing,
    very_many_are_asked_about,
    a_dry_run_writes_nothing,
);

fn yes(record: &Record, column: &str) -> bool {
    record.get(column).and_then(Value::as_bool) == Some(true)
}

impl Lab {
    async fn person(&self, address: &str) {
        let names = Names { email: Some(address.to_owned()), ..Names::default() };
        let row = ContactRow { names, ..ContactRow::default() };
        self.account().service.patch_contact(&row, Default::default()).await.unwrap();
    }

    async fn is_suppressed(&self, address: &str) -> bool {
        let since = jiff::Timestamp::UNIX_EPOCH;
        let page = self.account().service.suppressions(since, &Default::default()).await.unwrap();
        page.rows.iter().any(|row| row.email.eq_ignore_ascii_case(address))
    }
}

async fn they_go_both_ways(on: On) {
    let lab = Lab::new(on).await;
    let (anna, bert) = (lab.contact(1, "Anna@x.example").await, lab.contact(2, ODD).await);
    for address in ["anna@x.example", ODD] {
        lab.person(address).await;
    }
    lab.world.act(1, "anna@x.example", None, Act::Unsubscribe).unwrap();
    lab.write(Record::new(bert.clone()).with("donotbulkemail", true)).await;

    let run = lab.run(SyncType::Suppressions).await;
    assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
    assert!(yes(&lab.record(&anna).await.unwrap(), "donotbulkemail"));
    let row = lab.record(&anna).await.unwrap();
    assert!(!yes(&row, "donotemail"));
    let unsubscribed = Set::ContactStatus.value("Unsubscribed").map(i64::from);
    for column in ["esc_emailstatus", "esc_suppressionreason"] {
        assert_eq!(row.int(column), unsubscribed, "{column}");
    }
    assert_eq!(row.get("esc_suppressedon"), Some(&Value::Time(lab.clock.now())));
    assert!(lab.is_suppressed(ODD).await);

    let rows = lab.rows("esc_emailsupression").await;
    let addresses: Vec<_> = rows.iter().filter_map(|row| row.text("esc_emailaddress")).collect();
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    let row = rows.iter().find(|row| row.text("esc_emailaddress") == Some("anna@x.example")).unwrap();
    assert_eq!(row.lookup("esc_contactid"), Some(&anna));
}

async fn the_first_exchange_takes_all_history(on: On) {
    let lab = Lab::new(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.person("anna@x.example").await;
    lab.world.act(1, "anna@x.example", None, Act::Unsubscribe).unwrap();
    lab.advance(SignedDuration::from_hours(24 * 400));
    lab.run(SyncType::Suppressions).await;
    assert!(yes(&lab.record(&anna).await.unwrap(), "donotbulkemail"));
}

async fn nothing_new_changes_nothing(on: On) {
    let lab = Lab::new(on).await;
    for number in 0..5 {
        let address = format!("p{number}@x.example");
        lab.contact(number, &address).await;
        lab.person(&address).await;
        lab.world.act(1, &address, None, Act::Unsubscribe).unwrap();
    }
    let first = lab.run(SyncType::Suppressions).await;
    assert_eq!(first.counts.to_crm.sent, 5, "{first:?}");
    // Its own writes come back as changes of the CRM, and mean nothing new.
    for _ in 0..2 {
        lab.advance(SignedDuration::from_hours(1));
        lab.world.forget_calls();
        let run = lab.run(SyncType::Suppressions).await;
        assert_eq!((run.counts.to_crm.sent, run.counts.to_service.sent), (0, 0), "{run:?}");
        let calls: u64 = lab.world.calls().values().sum();
        assert!(calls <= 2, "{:?}", lab.world.calls());
    }
}

async fn a_lost_answer_doubles_nothing(on: On) {
    let lab = Lab::new(on).await;
    for number in 0..3 {
        let address = format!("p{number}@x.example");
        let at = lab.contact(number, &address).await;
        lab.write(Record::new(at).with("donotemail", true)).await;
    }
    lab.world.fault(Switch { method: "POST".into(), times: Some(6), ..Switch::always(Fault::LoseAnswer) });
    let run = lab.run(SyncType::Suppressions).await;
    assert_eq!(run.state, RunState::Done, "{run:?}");
    assert_eq!(run.counts.to_service.new, 3);
    for number in 0..3 {
        assert!(lab.is_suppressed(&format!("p{number}@x.example")).await);
    }
}

async fn every_record_with_the_address(on: On) {
    let lab = Lab::new(on).await;
    lab.contact(1, "shared@x.example").await;
    let lead = RecordRef::new("lead", Uuid::from_u128(77));
    let row = Record::new(lead.clone()).with("subject", "x").with("lastname", "y");
    lab.write(row.with("emailaddress2", "Shared@X.example")).await;
    let account = RecordRef::new("account", Uuid::from_u128(78));
    lab.write(Record::new(account.clone()).with("name", "z").with("emailaddress3", "shared@x.example")).await;
    lab.person("shared@x.example").await;
    lab.world.act(1, "shared@x.example", None, Act::Complain).unwrap();
    lab.run(SyncType::Suppressions).await;
    for at in [lead, account] {
        assert!(yes(&lab.record(&at).await.unwrap(), "donotbulkemail"), "{at}");
    }
}

async fn a_flag_taken_back_lifts_nothing(on: On) {
    let lab = Lab::new(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.person("anna@x.example").await;
    lab.write(Record::new(anna.clone()).with("donotbulkemail", true)).await;
    lab.run(SyncType::Suppressions).await;
    assert!(lab.is_suppressed("anna@x.example").await);
    lab.write(Record::new(anna).with("donotbulkemail", false)).await;
    lab.run(SyncType::Suppressions).await;
    assert!(lab.is_suppressed("anna@x.example").await);
}

async fn very_many_are_asked_about(on: On) {
    let lab = Lab::new(on).await;
    for number in 0..25 {
        let at = lab.contact(number, &format!("p{number}@x.example")).await;
        lab.write(Record::new(at).with("donotbulkemail", true)).await;
    }
    let held = lab.run(SyncType::Suppressions).await;
    assert_eq!(held.state, RunState::Held, "{held:?}");
    assert!(held.reason.unwrap().starts_with("25 of 26 would be suppressed"));
    assert!(!lab.is_suppressed("p3@x.example").await);
    lab.engine.confirm(held.id, "anna").await.unwrap().unwrap();
    lab.work().await;
    assert_eq!(lab.last(SyncType::Suppressions).await.state, RunState::Done);
    assert!(lab.is_suppressed("p3@x.example").await);
}

async fn a_dry_run_writes_nothing(on: On) {
    let lab = Lab::new(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.person("anna@x.example").await;
    lab.world.act(1, "anna@x.example", None, Act::Unsubscribe).unwrap();
    let (counts, question) = lab.engine.dry_run("main", SyncType::Suppressions).await.unwrap();
    // The suppression, and the contact in whose flags there is nothing.
    assert_eq!((counts.read, question), (2, None));
    assert_ne!(counts, Counts::default());
    assert!(!yes(&lab.record(&anna).await.unwrap(), "donotbulkemail"));
    assert!(lab.rows("esc_emailsupression").await.is_empty());
}
