//! Mails to single people, and people put into programs.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use postroom_core::marketing::Status;
use postroom_core::{Record, RecordRef};
use postroom_jobs::{Options as Jobs, Runner};
use postroom_marketing::preferences::choices::{self, SaidChoice};
use postroom_marketing::sends::{Decision, SingleSender};
use postroom_marketing::solution::options::Set;
use postroom_marketing::suppressions::rows::{self, Origin, SaidOut};
use postroom_marketing::sync::{RunState, SyncType};
use postroom_sandbox::dotdigital::{Act, Arrangement, Fault, ProgramStatus, Switch};
use postroom_store::Insert;
use postroom_testkit::poll;
use uuid::Uuid;

use crate::bench::{On, on_all};
use crate::lab::{ACCOUNT, Lab};
use crate::office::{Campaign, ODD, option};

on_all!(
    a_row_becomes_one_mail,
    a_campaign_that_is_not_triggered_goes_to_one_person,
    opt_outs_stop_marketing_and_not_what_was_asked_for,
    a_lost_answer_is_never_repeated,
    it_waits_for_its_time,
    people_are_put_into_a_program_in_one_call,
    a_lost_answer_of_a_program_is_looked_for,
    after_a_restore_a_person_says_what_became_of_it,
    a_campaigns_preference_counts,
    nothing_leaves_before_the_first_exchange,
    who_opts_out_between_two_calls,
);

impl Lab {
    pub async fn triggered(&self, name: &str) -> Campaign {
        let id = self.draft(name).await;
        let campaign = i32::try_from(id).unwrap();
        self.world.arrange(1, Arrangement::Triggered { campaign }).unwrap();
        self.run(SyncType::Campaigns).await;
        Campaign { id, row: self.campaign_row(id).await }
    }

    async fn single(&self, number: u128, person: &RecordRef, more: impl FnOnce(Record) -> Record) -> Uuid {
        let at = RecordRef::new("esc_emailsinglesend", Uuid::from_u128(0x0051_0000 + number));
        let row = Record::new(at.clone())
            .with("esc_name", format!("Single {number}"))
            .with("esc_contactid", person.clone())
            .with("esc_emailaccountid", self.account_row().await)
            .with("esc_sendstatus", option(Set::SendStatus, "Requested"));
        self.write(more(row)).await;
        at.id
    }

    pub async fn singles_minute(&self) {
        self.minute().await;
        self.single_jobs().await;
    }

    async fn single_jobs(&self) {
        let options = Jobs { poll: Duration::from_millis(20), ..Jobs::with_lease(Duration::from_secs(5)) };
        let workers = vec![Arc::new(SingleSender(self.engine.clone())) as Arc<dyn postroom_jobs::Worker>];
        let (store, ids) = (self.engine.store.clone(), self.engine.ids.clone());
        Runner::new(store, self.clock.clone(), ids, workers, options).drain_due().await.unwrap();
    }

    /// Status, block reason and error of a request.
    async fn single_shown(&self, id: Uuid) -> (String, Option<&'static str>, String) {
        let row = self.record(&RecordRef::new("esc_emailsinglesend", id)).await.unwrap();
        let label = |set: Set, column: &str| set.option(i32::try_from(row.int(column)?).ok()?);
        let status = label(Set::SendStatus, "esc_sendstatus").unwrap().to_owned();
        let error = row.text("esc_error").unwrap_or_default().to_owned();
        (status, label(Set::BlockReason, "esc_blockreason"), error)
    }
}

async fn a_row_becomes_one_mail(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.triggered("Quote").await;
    let odd = lab.contact(1, ODD).await;
    let text = r#"[{"label":"QUOTE","value":"o'brien 7"}]"#;
    let row =
        |row: Record| row.with("esc_emailcampaignid", campaign.row.clone()).with("esc_personalisation", text);
    let send = lab.single(1, &odd, row).await;
    for _ in 0..3 {
        lab.singles_minute().await;
    }
    assert_eq!(lab.single_shown(send).await, ("Sent".to_owned(), None, String::new()));
    assert_eq!(lab.mailed(campaign.id), [ODD]);
    lab.judge();
}

async fn a_campaign_that_is_not_triggered_goes_to_one_person(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.campaign("Offer").await;
    let (odd, out) = (lab.contact(1, ODD).await, lab.contact(2, "out@x.example").await);
    lab.contact(3, "other@x.example").await;
    lab.write(Record::new(out.clone()).with("donotbulkemail", true)).await;
    let text = r#"[{"label":"POSTCODE","value":"80331"}]"#;
    let row =
        |row: Record| row.with("esc_emailcampaignid", campaign.row.clone()).with("esc_personalisation", text);
    let (send, never) = (lab.single(1, &odd, row).await, lab.single(2, &out, row).await);
    for _ in 0..3 {
        lab.singles_minute().await;
    }
    assert_eq!(lab.single_shown(send).await, ("Sent".to_owned(), None, String::new()));
    assert!(lab.single_shown(never).await.1.is_some(), "blocked");
    assert_eq!(lab.mailed(campaign.id), [ODD], "one person, and not everybody");
    assert_eq!(lab.world.person(1, ODD).unwrap().fields["POSTCODE"], "80331");
    // A lost answer is held for a person, and never made again.
    lab.world.fault(Switch::once(Fault::LoseAnswer, "POST", "campaigns/send"));
    let lost = lab.single(3, &odd, row).await;
    for _ in 0..4 {
        lab.singles_minute().await;
    }
    assert_eq!(lab.single_shown(lost).await.0, "Needs attention");
    assert_eq!(lab.mailed(campaign.id), [ODD, ODD], "asked for twice, by two rows");
}

async fn after_a_restore_a_person_says_what_became_of_it(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.triggered("Invoice").await;
    let odd = lab.contact(1, ODD).await;
    let row = |row: Record| row.with("esc_emailcampaignid", campaign.row.clone());
    let old = lab.single(1, &odd, row).await;
    lab.engine.ask_after_restore().await.unwrap();
    for _ in 0..3 {
        lab.singles_minute().await;
    }
    assert_eq!(lab.single_shown(old).await.0, "Needs attention");
    assert!(lab.mailed(campaign.id).is_empty());
    let new = lab.single(2, &odd, row).await;
    for _ in 0..3 {
        lab.singles_minute().await;
    }
    assert_eq!((lab.single_shown(new).await.0, lab.mailed(campaign.id).len()), ("Sent".to_owned(), 1));
}

async fn opt_outs_stop_marketing_and_not_what_was_asked_for(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.triggered("Invoice").await;
    let (bulk, none) = (lab.contact(1, "bulk@x.example").await, lab.contact(2, "none@x.example").await);
    lab.write(Record::new(bulk.clone()).with("donotbulkemail", true)).await;
    lab.write(Record::new(none.clone()).with("donotemail", true)).await;
    let row = |row: Record| row.with("esc_emailcampaignid", campaign.row.clone());
    let marketing = lab.single(1, &bulk, row).await;
    let asked_for = lab.single(2, &bulk, |it| row(it).with("esc_istransactional", true)).await;
    let never = lab.single(3, &none, |it| row(it).with("esc_istransactional", true)).await;
    lab.singles_minute().await;
    lab.singles_minute().await;
    let (status, block, error) = lab.single_shown(marketing).await;
    assert_eq!((status.as_str(), block.is_some()), ("Failed", true), "{error}");
    assert!(error.contains("donotbulkemail"), "all reasons are told: {error}");
    assert_eq!(lab.single_shown(asked_for).await.0, "Sent");
    assert_eq!(lab.single_shown(never).await.1, Some("Do not e-mail"));
    assert_eq!(lab.mailed(campaign.id), ["bulk@x.example"]);
}

async fn a_lost_answer_is_never_repeated(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.triggered("Quote").await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.world.fault(Switch::once(Fault::LoseAnswer, "POST", "/marketing-email"));
    let send = lab.single(1, &anna, |row| row.with("esc_emailcampaignid", campaign.row.clone())).await;
    for _ in 0..4 {
        lab.singles_minute().await;
    }
    assert_eq!(lab.single_shown(send).await.0, "Needs attention");
    // A person looked, and says so once.
    assert!(lab.engine.decide_single(send, "berta", Decision::Pause, false).await.is_err());
    lab.engine.decide_single(send, "berta", Decision::Found, true).await.unwrap();
    lab.engine.decide_single(send, "berta", Decision::Found, false).await.unwrap();
    assert!(lab.engine.decide_single(send, "berta", Decision::Unsent, false).await.is_err());
    lab.singles_minute().await;
    assert_eq!(lab.single_shown(send).await.0, "Sent");
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example"]);
    lab.judge();
}

async fn it_waits_for_its_time(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.triggered("Quote").await;
    let anna = lab.contact(1, "anna@x.example").await;
    let due = lab.clock.now() + SignedDuration::from_hours(1);
    let row =
        |row: Record| row.with("esc_emailcampaignid", campaign.row.clone()).with("esc_scheduledon", due);
    let send = lab.single(1, &anna, row).await;
    lab.singles_minute().await;
    assert_eq!((lab.single_shown(send).await.0.as_str(), lab.mailed(campaign.id).len()), ("Scheduled", 0));
    // An opt-out before its time counts.
    lab.world.act(1, "anna@x.example", None, Act::Unsubscribe).unwrap();
    let bert = lab.contact(2, "bert@x.example").await;
    let other = lab.single(2, &bert, row).await;
    lab.advance(SignedDuration::from_hours(1));
    lab.singles_minute().await;
    lab.singles_minute().await;
    let (status, block, error) = lab.single_shown(send).await;
    assert_eq!((status.as_str(), block), ("Failed", Some("Suppressed")), "{error}");
    assert_eq!(lab.single_shown(other).await.0, "Sent");
    assert_eq!(lab.mailed(campaign.id), ["bert@x.example"]);
}

async fn people_are_put_into_a_program_in_one_call(on: On) {
    let lab = Lab::new(on).await;
    let arrangement =
        Arrangement::Program { name: "Welcome".into(), status: ProgramStatus::Active, campaign: None };
    let program = lab.world.arrange(1, arrangement).unwrap();
    let run = lab.run(SyncType::Programs).await;
    assert_eq!((run.state, run.counts.read), (RunState::Done, 1), "{run:?}");
    let people = [
        lab.contact(1, "anna@x.example").await,
        lab.contact(2, ODD).await,
        lab.contact(3, "out@x.example").await,
    ];
    lab.write(Record::new(people[2].clone()).with("donotbulkemail", true)).await;
    let row = |row: Record| row.with("esc_isprogram", true).with("esc_programid", program);
    let mut asked = Vec::new();
    for (number, person) in (1..).zip(&people) {
        asked.push(lab.single(number, person, row).await);
    }
    for _ in 0..6 {
        lab.singles_minute().await;
    }
    let mut shown = Vec::new();
    for id in asked {
        shown.push(lab.single_shown(id).await.0);
    }
    assert_eq!(shown, ["Sent", "Sent", "Failed"]);
    let calls: u64 = lab
        .world
        .calls()
        .iter()
        .filter(|(name, _)| name.ends_with("POST /v2/programs/enrolments"))
        .map(|(_, n)| n)
        .sum();
    assert_eq!(calls, 1, "{:?}", lab.world.calls());
}

async fn a_lost_answer_of_a_program_is_looked_for(on: On) {
    let lab = Lab::new(on).await;
    let arrangement =
        Arrangement::Program { name: "Welcome".into(), status: ProgramStatus::Active, campaign: None };
    let program = lab.world.arrange(1, arrangement).unwrap();
    let row = |row: Record| row.with("esc_isprogram", true).with("esc_programid", program);
    let anna = lab.contact(1, "anna@x.example").await;
    let found = lab.single(1, &anna, row).await;
    lab.world.fault(Switch::once(Fault::LoseAnswer, "POST", "/programs/enrolments"));
    for _ in 0..8 {
        lab.singles_minute().await;
    }
    assert_eq!(lab.single_shown(found).await.0, "Sent");
    // One that never arrived is nobody's to repeat.
    let bert = lab.contact(2, "bert@x.example").await;
    let lost = lab.single(2, &bert, row).await;
    lab.world.fault(Switch::once(Fault::Drop, "POST", "/programs/enrolments"));
    for _ in 0..4 {
        lab.singles_minute().await;
    }
    assert_eq!(lab.single_shown(lost).await.0, "Needs attention");
    lab.engine.decide_single(lost, "berta", Decision::Unsent, false).await.unwrap();
    lab.world.forget_calls();
    for _ in 0..2 {
        lab.singles_minute().await;
    }
    let (status, _, error) = lab.single_shown(lost).await;
    assert_eq!(status, "Failed", "{error}");
    let looks = lab.world.calls();
    assert!(
        !looks.keys().any(|name| name.contains("/programs/enrolments")),
        "nobody looks any more: {looks:?}"
    );
}

async fn a_campaigns_preference_counts(on: On) {
    let lab = Lab::new(on).await;
    let (tied, free) = (lab.triggered("Golf").await, lab.triggered("Quote").await);
    let anna = lab.contact(1, "anna@x.example").await;
    let (ids, now, id) = (lab.engine.ids.clone(), lab.clock.now(), tied.id.to_string());
    let unit = lab.engine.store.write("test.declined", move |tx| {
        Box::pin(async move {
            let mut tie = Insert::into("preference_tie", &["account", "kind", "id", "preference"]);
            tie.row([ACCOUNT.into(), "campaign".into(), id.into(), 7.into()]);
            tx.insert(&tie).await?;
            let no = SaidChoice {
                address: "anna@x.example".to_owned(),
                chosen: false,
                at: now,
                source: "test".to_owned(),
                actor: String::new(),
            };
            choices::take(tx, &ids, now, (ACCOUNT, 7), Origin::Service, &[no]).await
        })
    });
    let written: Result<_, postroom_store::Error> = unit.await;
    written.unwrap();
    let mut asked = Vec::new();
    for (number, campaign) in (1..).zip([&tied, &free]) {
        let row = |row: Record| row.with("esc_emailcampaignid", campaign.row.clone());
        asked.push(lab.single(number, &anna, row).await);
    }
    for _ in 0..4 {
        lab.singles_minute().await;
    }
    let (status, block, error) = lab.single_shown(asked[0]).await;
    assert_eq!((status.as_str(), block), ("Failed", Some("Unsubscribed from list")), "{error}");
    assert_eq!(lab.single_shown(asked[1]).await.0, "Sent");
    assert!(lab.mailed(tied.id).is_empty());
}

async fn nothing_leaves_before_the_first_exchange(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.triggered("Invoice").await;
    let anna = lab.contact(1, "anna@x.example").await;
    let row =
        |row: Record| row.with("esc_emailcampaignid", campaign.row.clone()).with("esc_istransactional", true);
    let send = lab.single(1, &anna, row).await;
    lab.run_asked(SyncType::Sends).await;
    lab.single_jobs().await;
    assert!(lab.mailed(campaign.id).is_empty());
    for _ in 0..2 {
        lab.singles_minute().await;
    }
    assert_eq!(lab.single_shown(send).await.0, "Sent");
}

async fn who_opts_out_between_two_calls(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.campaign("Offer").await;
    let row = |row: Record| row.with("esc_emailcampaignid", campaign.row.clone());
    let mut asked = Vec::new();
    for (number, address) in (1..).zip(["anna@x.example", "bert@x.example"]) {
        let person = lab.contact(number, address).await;
        asked.push(lab.single(number, &person, row).await);
    }
    lab.minute().await;
    lab.world.fault(Switch::once(Fault::Slow { milliseconds: 1500 }, "POST", "campaigns/send"));
    let both = async {
        let called = || lab.world.calls().keys().any(|name| name.ends_with("POST /v2/campaigns/send"));
        assert!(poll::until_async(Duration::from_secs(30), async || called()).await);
        let (ids, now) = (lab.engine.ids.clone(), lab.clock.now());
        let said = ["anna@x.example", "bert@x.example"].map(|address| SaidOut {
            address: address.to_owned(),
            status: Status::Unsubscribed,
            at: now,
            contact: None,
            source: "test".to_owned(),
            actor: String::new(),
        });
        let unit = lab.engine.store.write("test.out", move |tx| {
            Box::pin(async move { rows::take(tx, &ids, now, ACCOUNT, Origin::Service, &said).await })
        });
        let written: Result<_, postroom_store::Error> = unit.await;
        written.unwrap();
    };
    tokio::join!(lab.single_jobs(), both);
    assert_eq!(lab.mailed(campaign.id).len(), 1, "the second one heard of it");
    let mut shown = Vec::new();
    for id in asked {
        shown.push(lab.single_shown(id).await.0);
    }
    shown.sort();
    assert_eq!(shown, ["Failed", "Sent"]);
}
