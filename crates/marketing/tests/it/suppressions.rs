//! Opt-outs, both ways.

use jiff::SignedDuration;
use postroom_core::marketing::{ContactRow, Names};
use postroom_core::{Record, RecordRef, RunId, Value};
use postroom_marketing::solution::options::Set;
use postroom_marketing::suppressions::hand::{self, Consent, Lifted};
use postroom_marketing::suppressions::{tell_crm, tell_service};
use postroom_marketing::sync::run::Reject;
use postroom_marketing::sync::{self, RunState, SyncType, To, Trial};
use postroom_sandbox::dotdigital::{Act, Fault, Switch};
use uuid::Uuid;

use crate::bench::{On, on_every};
use crate::lab::{ACCOUNT, Lab};

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
    a_dry_run_asks_what_the_run_would_ask,
    very_many_marks_are_asked_about,
    a_row_made_by_a_user,
    a_row_made_active_again,
    a_no_said_meanwhile_is_not_overwritten,
    who_opted_out_again_is_not_let_back,
    what_is_refused_is_one_row,
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
    let Trial { counts, question, samples, .. } =
        lab.engine.dry_run("main", SyncType::Suppressions).await.unwrap();
    // The suppression, and the contact in whose flags there is nothing.
    assert_eq!((counts.read, question), (2, None));
    assert_eq!((counts.to_crm.sent, counts.to_service.sent), (1, 0), "{counts:?}");
    let [sample] = &samples[..] else { panic!("{samples:?}") };
    assert_eq!((sample.to, sample.act), (To::Crm, sync::Act::OptOut));
    assert!(!yes(&lab.record(&anna).await.unwrap(), "donotbulkemail"));
    assert!(lab.rows("esc_emailsupression").await.is_empty());
}

async fn a_dry_run_asks_what_the_run_would_ask(on: On) {
    let lab = Lab::new(on).await;
    lab.done().await;
    for number in 0..25 {
        let at = lab.contact(number, &format!("p{number}@x.example")).await;
        lab.write(Record::new(at).with("donotbulkemail", true)).await;
    }
    let trial = lab.engine.dry_run("main", SyncType::Suppressions).await.unwrap();
    assert!(trial.question.unwrap().contains("25 of 26 would be suppressed"));
    assert_eq!(trial.counts.to_service.sent, 25, "{:?}", trial.counts);
    let out = trial.samples.iter().filter(|sample| sample.to == To::Service).count();
    assert_eq!((out, trial.calls >= 25), (5, true), "the first few, and a call for each: {}", trial.calls);
    assert_eq!(lab.run(SyncType::Suppressions).await.state, RunState::Held);
}

async fn very_many_marks_are_asked_about(on: On) {
    let lab = Lab::new(on).await;
    let mut people = Vec::new();
    for number in 0..25 {
        let address = format!("p{number}@x.example");
        people.push(lab.contact(number, &address).await);
        lab.person(&address).await;
    }
    lab.done().await;
    for number in 0..25 {
        lab.world.act(1, &format!("p{number}@x.example"), None, Act::Unsubscribe).unwrap();
    }
    let held = lab.run(SyncType::Suppressions).await;
    assert_eq!(held.state, RunState::Held, "{held:?}");
    assert!(held.reason.unwrap().starts_with("25 of 26 would be marked in the CRM"));
    assert!(!yes(&lab.record(&people[3]).await.unwrap(), "donotbulkemail"));
    assert!(lab.is_out("p3@x.example").await, "nobody is mailed meanwhile");
    lab.engine.confirm(held.id, "anna").await.unwrap().unwrap();
    lab.work().await;
    assert!(yes(&lab.record(&people[3]).await.unwrap(), "donotbulkemail"));
}

/// A row as a user makes it.
fn by_hand(lab: &Lab, address: &str) -> Record {
    let reason = Set::ContactStatus.value("Unsubscribed").unwrap();
    Record::new(RecordRef::new("esc_emailsupression", Uuid::from_u128(0x50)))
        .with("esc_name", "by hand")
        .with("esc_emailaddress", address)
        .with("esc_reason", reason)
        .with("esc_datesuppressed", lab.clock.now())
        .with("esc_isactive", true)
}

impl Lab {
    /// Lifts it by consent of this moment, without telling anybody.
    async fn consents(&self, address: &str) {
        let consent = Consent {
            address: address.to_owned(),
            at: self.clock.now(),
            actor: "berta".to_owned(),
            proof: "letter 7".to_owned(),
        };
        let (ids, now) = (self.engine.ids.clone(), self.clock.now());
        let unit = self.engine.store.write("test.lifted", move |tx| {
            Box::pin(async move { hand::lift(tx, &ids, now, ACCOUNT, &consent).await })
        });
        let lifted: Result<Lifted, postroom_store::Error> = unit.await;
        assert!(matches!(lifted.unwrap(), Lifted::Done(_)));
    }

    async fn done(&self) -> sync::Counts {
        let run = self.run(SyncType::Suppressions).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
        run.counts
    }
}

async fn a_row_made_by_a_user(on: On) {
    let lab = Lab::new(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.person("anna@x.example").await;
    lab.write(by_hand(&lab, "Anna@X.example")).await;
    lab.done().await;
    assert!(lab.is_suppressed("anna@x.example").await);
    assert!(yes(&lab.record(&anna).await.unwrap(), "donotbulkemail"));
    // Consent that is newer lifts it, though the user's row stays as it is; until a user says it anew.
    lab.advance(SignedDuration::from_hours(1));
    lab.consents("anna@x.example").await;
    for _ in 0..2 {
        lab.advance(SignedDuration::from_hours(1));
        lab.done().await;
        assert!(!lab.is_suppressed("anna@x.example").await);
    }
    lab.write(by_hand(&lab, "anna@x.example").with("esc_name", "she called once more")).await;
    lab.done().await;
    assert!(lab.is_suppressed("anna@x.example").await);
}

async fn a_row_made_active_again(on: On) {
    let lab = Lab::new(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.person("anna@x.example").await;
    lab.world.act(1, "anna@x.example", None, Act::Unsubscribe).unwrap();
    lab.done().await;
    lab.advance(SignedDuration::from_hours(1));
    lab.consents("anna@x.example").await;
    lab.done().await;
    assert!(!lab.is_suppressed("anna@x.example").await);
    let row = lab.rows("esc_emailsupression").await.remove(0);
    assert_eq!(row.get("esc_isactive").and_then(Value::as_bool), Some(false));
    lab.write(Record::new(row.at).with("esc_isactive", true)).await;
    lab.done().await;
    assert!(lab.is_suppressed("anna@x.example").await);
    assert!(yes(&lab.record(&anna).await.unwrap(), "donotbulkemail"));
}

async fn a_no_said_meanwhile_is_not_overwritten(on: On) {
    let lab = Lab::new(on).await;
    let (anna, twin) = (lab.contact(1, "anna@x.example").await, lab.contact(2, "anna@x.example").await);
    lab.person("anna@x.example").await;
    lab.world.act(1, "anna@x.example", None, Act::Unsubscribe).unwrap();
    lab.done().await;
    lab.write(Record::new(twin.clone()).with("donotbulkemail", false)).await;
    lab.engine.read_people().await.unwrap();
    lab.advance(SignedDuration::from_hours(1));
    lab.consents("anna@x.example").await;
    // After people were read, and before the CRM hears of the consent.
    lab.write(Record::new(twin.clone()).with("donotbulkemail", true)).await;
    let mut turn = lab.turn(SyncType::Suppressions).await;
    tell_crm::run(&mut turn, false).await.unwrap();
    assert!(yes(&lab.record(&twin).await.unwrap(), "donotbulkemail"));
    assert!(yes(&lab.record(&anna).await.unwrap(), "donotbulkemail"));
    assert!(lab.is_out("anna@x.example").await);
    lab.done().await;
    assert!(lab.is_suppressed("anna@x.example").await);
}

async fn who_opted_out_again_is_not_let_back(on: On) {
    let lab = Lab::new(on).await;
    lab.contact(1, "anna@x.example").await;
    lab.person("anna@x.example").await;
    lab.write(by_hand(&lab, "anna@x.example")).await;
    lab.done().await;
    lab.advance(SignedDuration::from_hours(1));
    lab.consents("anna@x.example").await;
    // She leaves once more, after the service was read.
    lab.advance(SignedDuration::from_hours(1));
    for act in [Act::SignUp, Act::Unsubscribe] {
        lab.world.act(1, "anna@x.example", None, act).unwrap();
    }
    let mut turn = lab.turn(SyncType::Suppressions).await;
    tell_service::run(&mut turn).await.unwrap();
    assert!(lab.is_suppressed("anna@x.example").await);
    assert!(lab.is_out("anna@x.example").await);
}

async fn what_is_refused_is_one_row(on: On) {
    let lab = Lab::new(on).await;
    let (ids, now) = (lab.engine.ids.clone(), lab.clock.now());
    let runs = [ids.next(), ids.next()].map(RunId);
    let reject = Reject {
        subject: "anna@x.example".to_owned(),
        code: None,
        reason: "no such column".to_owned(),
        sent: "Unsubscribed".to_owned(),
        received: String::new(),
    };
    let other = Reject { reason: "another".to_owned(), ..reject.clone() };
    let unit = lab.engine.store.write("test.rejected", move |tx| {
        Box::pin(async move {
            for id in runs {
                let run = (id, ACCOUNT, SyncType::Suppressions);
                let both = [reject.clone(), other.clone()];
                sync::run::reject(tx, &ids, now, run, &both).await?;
            }
            sync::run::load_rejected(tx, &sync::run::select_rejected()).await
        })
    });
    let rejected: Result<Vec<_>, postroom_store::Error> = unit.await;
    let rejected = rejected.unwrap();
    assert_eq!(rejected.len(), 2, "{rejected:?}");
    assert!(rejected.iter().all(|row| row.run == runs[1]));
}
