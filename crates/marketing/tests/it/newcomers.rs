//! Sends to whoever joins a list.

use jiff::SignedDuration;
use postroom_core::{Crm, Filter, Query, Record, RecordRef};
use postroom_marketing::sends::Decision;
use postroom_marketing::sends::state::State;
use postroom_marketing::solution::options::Set;
use uuid::Uuid;

use crate::bench::{On, on_all};
use crate::lab::Lab;
use crate::office::{Campaign, ODD, option};

on_all!(
    who_joins_gets_it_once,
    who_opted_out_or_had_it_gets_none,
    very_many_at_once_are_asked_about,
    nobody_joins_after_it_was_cancelled,
    the_campaign_s_type_says_it_too,
);

impl Lab {
    /// A list with `a@x.example`, and a request that watches it.
    pub async fn watching(&self, expected: i64) -> (Campaign, RecordRef, Uuid) {
        let (list, campaign) = (self.people(&["a@x.example"]).await, self.campaign("Welcome").await);
        let lists = std::slice::from_ref(&list);
        let new = option(Set::SendType, "New Member");
        let more = |row: Record| row.with("esc_expectedcount", expected).with("esc_sendtype", new);
        let send = self.request_by(&self.crm, 1, &campaign, lists, more).await;
        self.minutes(3).await;
        assert_eq!(self.send(send).await.state, State::Watching);
        assert_eq!(self.shown(send).await, ("Scheduled".to_owned(), String::new()));
        (campaign, list, send)
    }

    /// Somebody new joins the list.
    pub async fn joins(&self, list: &RecordRef, number: u128, address: &str) -> RecordRef {
        let at = self.contact(number, address).await;
        self.join(list, std::slice::from_ref(&at)).await;
        at
    }

    /// A quarter of an hour, and what it brings.
    pub async fn quarter(&self) {
        self.advance(SignedDuration::from_mins(15));
        self.minutes(6).await;
    }

    /// The sends that a request made.
    pub async fn batches(&self, parent: Uuid) -> Vec<Record> {
        let new = option(Set::SendType, "New Member");
        let rows = self.crm.query(&Query::of("esc_emailsend").filter(Filter::eq("esc_sendtype", new))).await;
        rows.unwrap().into_iter().filter(|row| row.at.id != parent).collect()
    }
}

async fn who_joins_gets_it_once(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list, send) = lab.watching(10).await;
    lab.quarter().await;
    assert_eq!(lab.mailed(campaign.id), [""; 0], "who was there gets none");
    lab.joins(&list, 2, ODD).await;
    lab.joins(&list, 3, "b@x.example").await;
    lab.quarter().await;
    assert_eq!(lab.mailed(campaign.id), ["b@x.example", ODD]);
    // The row of that send tells how it went, in the name of who made the request.
    let made = lab.batches(send).await;
    assert_eq!(made.len(), 1, "{made:?}");
    let batch = lab.send(made[0].at.id).await;
    assert_eq!((batch.details.parent, batch.details.to_send), (Some(send), 2), "{batch:?}");
    assert_eq!(batch.details.request.actor, lab.send(send).await.details.request.actor);
    // Leaving and joining again is not joining.
    let gone = lab.joins(&list, 4, "c@x.example").await;
    lab.quarter().await;
    lab.crm.disassociate("listcontact_association", &list, std::slice::from_ref(&gone)).await.unwrap();
    lab.quarter().await;
    lab.crm.associate("listcontact_association", &list, std::slice::from_ref(&gone)).await.unwrap();
    lab.quarter().await;
    assert_eq!(lab.mailed(campaign.id), ["b@x.example", "c@x.example", ODD]);
    lab.judge();
}

async fn who_opted_out_or_had_it_gets_none(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list, send) = lab.watching(10).await;
    let out = lab.joins(&list, 2, "out@x.example").await;
    lab.write(Record::new(out).with("donotbulkemail", true)).await;
    lab.joins(&list, 3, "b@x.example").await;
    lab.quarter().await;
    assert_eq!(lab.mailed(campaign.id), ["b@x.example"]);
    // Another record with the address of one who had it.
    lab.joins(&list, 4, "b@x.example").await;
    lab.quarter().await;
    assert_eq!(lab.mailed(campaign.id), ["b@x.example"]);
    assert_eq!(lab.batches(send).await.len(), 2);
    assert_eq!(lab.send(send).await.state, State::Watching, "one lot of which nobody is mailed ends nothing");
    lab.judge();
}

async fn very_many_at_once_are_asked_about(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list, send) = lab.watching(1).await;
    lab.joins(&list, 2, ODD).await;
    lab.joins(&list, 3, "b@x.example").await;
    lab.quarter().await;
    assert_eq!(lab.mailed(campaign.id), [""; 0]);
    let (status, question) = lab.shown(send).await;
    assert_eq!(status, "Awaiting approval");
    assert!(question.starts_with("2 people joined"), "{question}");
    lab.engine.decide(send, "berta", Decision::Expect(2)).await.unwrap();
    lab.quarter().await;
    assert_eq!(lab.mailed(campaign.id), ["b@x.example", ODD]);
}

async fn nobody_joins_after_it_was_cancelled(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list, send) = lab.watching(10).await;
    lab.engine.decide(send, "berta", Decision::Cancel).await.unwrap();
    lab.joins(&list, 2, ODD).await;
    lab.quarter().await;
    assert_eq!((lab.mailed(campaign.id), lab.shown(send).await.0), (Vec::new(), "Cancelled".to_owned()));
}

async fn the_campaign_s_type_says_it_too(on: On) {
    let lab = Lab::new(on).await;
    let (list, campaign) = (lab.people(&["a@x.example"]).await, lab.campaign("Welcome").await);
    lab.write(
        Record::new(campaign.row.clone()).with("esc_campaigntype", option(Set::CampaignType, "New Member")),
    )
    .await;
    let send = lab.request(1, &campaign, &list, 5).await;
    lab.minutes(3).await;
    assert_eq!(lab.send(send).await.state, State::Watching);
}
