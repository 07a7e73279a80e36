//! Campaigns and their totals in the CRM.

use jiff::SignedDuration;
use postroom_core::{Record, RecordRef, Value};
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::{RunState, SyncType, Trial};
use postroom_sandbox::dotdigital::{Act, Fault, Switch};
use uuid::Uuid;

use crate::bench::{On, on_all};
use crate::lab::{ACCOUNT, Lab};
use crate::office::{ODD, option};

on_all!(
    they_come_with_their_totals,
    what_users_filled_in_stays,
    nothing_changed_is_few_calls,
    a_dry_run_counts_and_writes_nothing,
    a_reading_that_is_cut_goes_on,
    words_that_nobody_knows_are_no_error,
);

impl Lab {
    /// A campaign that two people got, of whom one opened it.
    async fn sent_campaign(&self) -> crate::office::Campaign {
        let campaign = self.campaign("O'Brien's spring").await;
        let list = self.people(&["anna@x.example", ODD]).await;
        self.request(1, &campaign, &list, 2).await;
        self.minutes(5).await;
        assert_eq!(self.mailed(campaign.id).len(), 2);
        let id = i32::try_from(campaign.id).unwrap();
        self.world.act(1, ODD, Some(id), Act::Open { machine: false }).unwrap();
        campaign
    }
}

async fn they_come_with_their_totals(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.sent_campaign().await;
    let tied = RecordRef::new("campaign", Uuid::from_u128(0xca));
    lab.write(Record::new(tied.clone()).with("name", "All of spring").with("esc_synctargets", true)).await;
    lab.write(Record::new(campaign.row.clone()).with("esc_campaignid", tied.clone())).await;
    let run = lab.run(SyncType::Campaigns).await;
    assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
    let row = lab.record(&campaign.row).await.unwrap();
    assert_eq!(row.text("esc_campaignname"), Some("O'Brien's spring"));
    assert_eq!(row.int("esc_status"), Some(i64::from(option(Set::CampaignStatus, "Sent"))));
    assert_eq!((row.int("esc_numtotalsent"), row.int("esc_numtotaluniqueopens")), (Some(2), Some(1)));
    assert_eq!(row.get("esc_pctuniqueopens"), Some(&Value::Float(50.0)));
    let sums = lab.record(&tied).await.unwrap();
    assert_eq!((sums.int("esc_emailcampaigncount"), sums.int("esc_numsent")), (Some(1), Some(2)));
    let items = lab.rows("campaignitem").await;
    assert_eq!(items.len(), 1, "the list of the send is a target");
    // Figures are overwritten, never added.
    lab.advance(SignedDuration::from_hours(1));
    lab.run(SyncType::Campaigns).await;
    assert_eq!(lab.record(&tied).await.unwrap().int("esc_numsent"), Some(2));
}

async fn what_users_filled_in_stays(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.campaign("Spring").await;
    let row = lab.record(&campaign.row).await.unwrap();
    assert_eq!(row.int("esc_campaigntype"), Some(i64::from(option(Set::CampaignType, "Standard"))));
    let mine = Record::new(campaign.row.clone())
        .with("esc_campaigntype", option(Set::CampaignType, "New Member"))
        .with("esc_syncenabled", false)
        .with("esc_allowrepeatsends", true);
    let list = lab.people(&["anna@x.example"]).await;
    lab.request(1, &campaign, &list, 1).await;
    lab.minutes(4).await;
    lab.write(mine).await;
    lab.run(SyncType::Campaigns).await;
    let row = lab.record(&campaign.row).await.unwrap();
    assert_eq!(row.int("esc_numtotalsent"), Some(1));
    assert_eq!(row.int("esc_campaigntype"), Some(i64::from(option(Set::CampaignType, "New Member"))));
    assert_eq!(row.get("esc_syncenabled"), Some(&Value::Bool(false)));
    assert_eq!(row.get("esc_allowrepeatsends"), Some(&Value::Bool(true)));
}

async fn nothing_changed_is_few_calls(on: On) {
    let lab = Lab::new(on).await;
    for number in 0..12 {
        lab.draft(&format!("Campaign {number}")).await;
    }
    let first = lab.run(SyncType::Campaigns).await;
    assert_eq!((first.counts.to_crm.new, first.counts.balances()), (12, true), "{first:?}");
    lab.advance(SignedDuration::from_hours(1));
    lab.world.forget_calls();
    let run = lab.run(SyncType::Campaigns).await;
    assert_eq!((run.counts.to_crm.sent, run.counts.removed), (0, 0), "{run:?}");
    assert!(lab.world.calls().values().sum::<u64>() <= 1, "{:?}", lab.world.calls());
}

async fn a_dry_run_counts_and_writes_nothing(on: On) {
    let lab = Lab::new(on).await;
    lab.draft("Spring").await;
    let Trial { counts, question, .. } = lab.engine.dry_run(ACCOUNT, SyncType::Campaigns).await.unwrap();
    assert_eq!((counts.read, question), (1, None));
    assert!(lab.rows("esc_emailcampaign").await.is_empty());
}

async fn a_reading_that_is_cut_goes_on(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.campaign("Spring").await;
    let list = lab.people(&["anna@x.example"]).await;
    lab.request(1, &campaign, &list, 1).await;
    lab.minutes(4).await;
    // The totals cannot be had: what was read until then is kept, and the next run goes on.
    lab.world.fault(Switch {
        path: "/summary".into(),
        ..Switch::always(Fault::Refuse { status: 401, code: "ERROR_APIUSER_INVALID".into() })
    });
    let failed = lab.run(SyncType::Campaigns).await;
    assert_eq!(failed.state, RunState::Failed, "{failed:?}");
    lab.world.clear_faults();
    lab.advance(SignedDuration::from_hours(1));
    let run = lab.run(SyncType::Campaigns).await;
    assert_eq!(run.state, RunState::Done, "{run:?}");
    assert_eq!(lab.record(&campaign.row).await.unwrap().int("esc_numtotalsent"), Some(1));
}

async fn words_that_nobody_knows_are_no_error(on: On) {
    let lab = Lab::new(on).await;
    for number in 0..4 {
        lab.draft(&format!("Campaign {number}")).await;
    }
    lab.world.fault(Switch::always(Fault::UnknownValues));
    let run = lab.run(SyncType::Campaigns).await;
    assert_eq!((run.state, run.counts.to_crm.new), (RunState::Done, 4), "{run:?}");
}
