//! One person: shown, proved, erased, merged.

use jiff::SignedDuration;
use postroom_core::Record;
use postroom_marketing::consent::history::Scope;
use postroom_marketing::events::Kind;
use postroom_marketing::sync::{RunState, SyncType};
use postroom_sandbox::dotdigital::{Act, Fault, Switch};

use crate::bench::{On, on_all};
use crate::events::ODD;
use crate::lab::{ACCOUNT, Lab};

on_all!(
    both_sides_are_shown,
    consent_is_proved_of_a_day,
    erasure_takes_the_person_out_and_keeps_the_opt_out,
    an_erasure_that_was_cut_goes_on,
    a_rehearsed_erasure_changes_nothing,
    two_that_are_one,
);

impl Lab {
    /// Somebody who got a mail and did something, on both sides.
    async fn known_person(&self) -> (postroom_core::RecordRef, i64) {
        let odd = self.contact(1, ODD).await;
        let campaign = self.sent_to(&[ODD]).await;
        self.act(campaign, ODD, Act::Click { url: "https://x.example/a".into() });
        self.act(campaign, ODD, Act::Reply { text: "hello".into(), automatic: false });
        let run = self.run(SyncType::Events).await;
        assert_eq!(run.state, RunState::Done, "{run:?}");
        (odd, campaign)
    }
}

async fn both_sides_are_shown(on: On) {
    let lab = Lab::new(on).await;
    let (odd, _) = lab.known_person().await;
    lab.write(Record::new(odd.clone()).with("donotbulkemail", true)).await;
    lab.run(SyncType::Suppressions).await;
    let shown = lab.engine.show_person(" O'Brien+X@example.com ").await.unwrap();
    assert_eq!((shown.address.as_str(), shown.records.len()), (ODD, 1));
    assert_eq!(shown.records[0].at, odd);
    let there = &shown.there[0];
    assert!(there.contact.is_some() && there.fault.is_none(), "{there:?}");
    assert!(there.blocks.len() >= 2, "{:?}", there.blocks);
    assert_eq!((shown.suppressions.len(), shown.ledger.len(), shown.erased), (1, 1, None));
    let kinds: Vec<Kind> = shown.events.iter().map(|(_, row)| row.event.facts.kind()).collect();
    assert!(kinds.contains(&Kind::Click) && kinds.contains(&Kind::Reply), "{kinds:?}");
    // A service that is away is said to be so.
    lab.world.fault(Switch::always(Fault::Unavailable));
    let shown = lab.engine.show_person(ODD).await.unwrap();
    assert!(shown.there[0].fault.is_some() && !shown.events.is_empty());
}

async fn consent_is_proved_of_a_day(on: On) {
    let lab = Lab::new(on).await;
    lab.known_person().await;
    let before = lab.clock.now();
    lab.advance(SignedDuration::from_hours(24));
    lab.world.act(1, ODD, None, Act::Unsubscribe).unwrap();
    let day = lab.clock.now();
    lab.advance(SignedDuration::from_hours(24));
    lab.run(SyncType::Suppressions).await;
    let prove = async |on| lab.engine.prove_consent(ACCOUNT, ODD, &Scope::Account, on).await.unwrap();
    let proof = prove(before).await;
    assert!(proof.then && proof.in_truth, "{}", proof.sentence);
    // On that day nobody here knew it yet.
    let proof = prove(day).await;
    assert!(proof.then && !proof.in_truth, "{}", proof.sentence);
    assert!(proof.sentence.contains("Unsubscribed"), "{}", proof.sentence);
    let proof = prove(lab.clock.now()).await;
    assert!(!proof.then && !proof.in_truth, "{}", proof.sentence);
}

async fn erasure_takes_the_person_out_and_keeps_the_opt_out(on: On) {
    let lab = Lab::new(on).await;
    let (odd, campaign) = lab.known_person().await;
    let receipt = lab.engine.erase_person(ODD, "anna").await.unwrap();
    assert!(receipt.done.is_some() && receipt.actor == "anna", "{receipt:?}");
    assert!(receipt.remains.iter().any(|text| text.contains(&odd.to_string())), "{receipt:?}");
    assert!(!format!("{receipt:?}").contains("brien"), "{receipt:?}");
    for table in ["esc_emailcampaigncontactsummary", "esc_emailcampaigncontactclick"] {
        assert!(lab.rows(table).await.is_empty(), "{table}");
    }
    assert!(lab.world.person(1, ODD).is_none(), "the service's person is gone");
    // Figures stay, without a person.
    let clicks = lab.stored(Kind::Click).await;
    assert_eq!((clicks.len(), clicks[0].event.address.as_str(), clicks[0].event.contact), (1, "", 0));
    assert!(lab.stored(Kind::Reply).await.is_empty());
    // Reading everything again brings nobody back.
    lab.advance(SignedDuration::from_mins(1));
    let run = lab.run(SyncType::Events).await;
    assert_eq!((run.state, run.counts.to_crm.sent), (RunState::Done, 0), "{run:?}");
    assert!(lab.rows("esc_emailcampaigncontactclick").await.is_empty());
    let report = lab.engine.reconcile_campaign(ACCOUNT, campaign).await.unwrap().0;
    assert_eq!((report.totals.sent, report.human_clicks), (1, 1));
    // Nobody mails the address again, and the ledger still answers.
    lab.run(SyncType::Suppressions).await;
    let shown = lab.engine.show_person(ODD).await.unwrap();
    assert!(shown.erased.is_some() && !shown.there[0].blocks.is_empty(), "{shown:?}");
    assert!(shown.events.is_empty() && shown.links.is_empty());
    let now = lab.clock.now();
    let proof = lab.engine.prove_consent(ACCOUNT, ODD, &Scope::Account, now).await.unwrap();
    assert!(!proof.then, "{}", proof.sentence);
    assert_eq!(lab.engine.erasures(5).await.unwrap().len(), 1);
}

async fn an_erasure_that_was_cut_goes_on(on: On) {
    let lab = Lab::new(on).await;
    lab.known_person().await;
    lab.world.fault(Switch { path: "/contacts".into(), ..Switch::always(Fault::Unavailable) });
    lab.engine.erase_person(ODD, "anna").await.unwrap_err();
    // The gate is shut at once.
    let shown = lab.engine.show_person(ODD).await.unwrap();
    assert!(!shown.there[0].blocks.is_empty());
    assert_eq!(lab.engine.erasures(5).await.unwrap()[0].done, None);
    lab.world.clear_faults();
    lab.world.fault(Switch { path: "/contacts".into(), times: Some(3), ..Switch::always(Fault::LoseAnswer) });
    let mut receipt = lab.engine.erase_person(ODD, "bert").await;
    for _ in 0..5 {
        if receipt.as_ref().is_ok_and(|receipt| receipt.done.is_some()) {
            break;
        }
        receipt = lab.engine.erase_person(ODD, "bert").await;
    }
    let receipt = receipt.unwrap();
    assert!(receipt.done.is_some() && receipt.actor == "anna", "{receipt:?}");
    assert!(lab.world.person(1, ODD).is_none());
    assert_eq!(lab.engine.erasures(5).await.unwrap().len(), 1);
    lab.engine.erase_person("no address", "anna").await.unwrap_err();
}

async fn a_rehearsed_erasure_changes_nothing(on: On) {
    let lab = Lab::new(on).await;
    lab.known_person().await;
    let receipt = lab.engine.rehearse_erasure(ODD).await.unwrap();
    let counted = |name: &str| receipt.counts.get(name).copied();
    assert_eq!(counted(&format!("service {ACCOUNT}")), Some(1), "{receipt:?}");
    assert_eq!((counted("esc_emailcampaigncontactclick"), counted("events")), (Some(1), Some(3)));
    assert_eq!(receipt.done, None);
    assert!(lab.world.person(1, ODD).is_some());
    assert_eq!(lab.rows("esc_emailcampaigncontactclick").await.len(), 1);
    assert_eq!(lab.stored(Kind::Click).await[0].event.address, ODD);
    assert!(lab.engine.erasures(5).await.unwrap().is_empty());
}

async fn two_that_are_one(on: On) {
    let lab = Lab::new(on).await;
    let (odd, _) = lab.known_person().await;
    let other = lab.contact(2, "other@x.example").await;
    lab.run(SyncType::Suppressions).await;
    let moved = lab.engine.merge_people(&odd, &other).await.unwrap();
    assert_eq!(moved.events, 2, "{moved:?}");
    lab.run(SyncType::Events).await;
    let click = &lab.rows("esc_emailcampaigncontactclick").await[0];
    assert_eq!(click.lookup("esc_contactid"), Some(&other));
    assert_eq!(lab.engine.merge_people(&odd, &other).await.unwrap().events, 0);
    lab.engine.merge_people(&odd, &odd).await.unwrap_err();
}
