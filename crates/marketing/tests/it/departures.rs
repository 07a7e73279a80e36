//! What was said late, by the link of a mail, or of a list that is not linked yet: no send goes against it.

use jiff::SignedDuration;
use postroom_core::marketing::ListId;
use postroom_core::{Crm, Record, RecordRef};
use postroom_marketing::sends::state::State;
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::{RunState, SyncType};
use postroom_sandbox::dotdigital::Act;
use uuid::Uuid;

use crate::bench::{On, on_all, on_old};
use crate::lab::Lab;
use crate::lists::option;
use crate::office::{Campaign, ODD};

on_all!(
    who_leaves_by_the_mail_gets_no_next_one,
    who_left_the_list_late_gets_none,
    a_late_no_to_a_preference_counts,
    who_leaves_by_the_mail_has_left_the_list_an_hour_later,
    who_left_one_of_two_lists_is_on_the_other,
    a_list_linked_since_the_request_counts,
    an_address_that_changed_gets_no_second_one,
    who_joined_and_left_again_gets_none,
);

on_old!(who_leaves_by_the_mail_gets_no_next_one, who_left_the_list_late_gets_none);

impl Lab {
    /// Somebody leaves by the link of a mail, which came by the single-use list of its send.
    async fn leaves_by_the_mail(&self, send: Uuid, address: &str) {
        let list = self.send(send).await.list.unwrap();
        self.leaves_there(&ListId(list), address);
    }

    fn leaves_there(&self, list: &ListId, address: &str) {
        let list = i32::try_from(list.0).unwrap();
        self.world.act(1, address, None, Act::LeaveList { list }).unwrap();
    }

    async fn lists(&self) {
        let run = self.run(SyncType::Lists).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
    }

    /// A send in half an hour, ready but for its time.
    async fn due(&self, campaign: &Campaign, list: &RecordRef) -> Uuid {
        let due = self.clock.now() + SignedDuration::from_mins(30);
        let row = |row: Record| row.with("esc_expectedcount", 3).with("esc_scheduledsenddate", due);
        let send = self.request_by(&self.crm, 1, campaign, std::slice::from_ref(list), row).await;
        self.until(send, State::Due).await;
        send
    }

    async fn its_time(&self, send: Uuid) {
        self.advance(SignedDuration::from_mins(30));
        self.until(send, State::Sent).await;
        self.judge();
    }

    /// A row that a user made.
    async fn noted_as_left(&self, list: &RecordRef, address: &str) {
        let row = Record::new(RecordRef::new("esc_listunsubscriber", Uuid::from_u128(77)))
            .with("esc_name", "by hand")
            .with("esc_listid", list.clone())
            .with("esc_emailaddress", address)
            .with("esc_reason", option(Set::ContactStatus, "Unsubscribed"))
            .with("esc_isactive", true);
        self.write(row).await;
    }
}

async fn who_leaves_by_the_mail_gets_no_next_one(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    lab.lists().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.until(send, State::Sent).await;
    lab.minute().await;
    lab.leaves_by_the_mail(send, ODD).await;
    let next = lab.campaign("Summer").await;
    let second = lab.request(2, &next, &list, 2).await;
    lab.until(second, State::Sent).await;
    assert_eq!(lab.mailed(next.id), ["anna@x.example", "bert@x.example"]);
    // Both sides hear of the list that the person left.
    let linked = lab.list_there("List 1").await.unwrap().id;
    assert_eq!(lab.run(SyncType::Unsubscribes).await.state, RunState::Done);
    assert_eq!((lab.here(&list).await.len(), lab.left(&linked).await.len()), (2, 1));
    lab.judge();
}

async fn who_leaves_by_the_mail_has_left_the_list_an_hour_later(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.until(send, State::Sent).await;
    lab.minute().await;
    lab.leaves_by_the_mail(send, ODD).await;
    lab.advance(SignedDuration::from_hours(1));
    lab.minute().await;
    // The list had none at the service until now.
    lab.lists().await;
    assert_eq!(lab.there("List 1").await.len(), 2);
    // As long as people read it.
    lab.leaves_by_the_mail(send, "bert@x.example").await;
    lab.advance(SignedDuration::from_hours(24 * 30));
    lab.minute().await;
    assert_eq!(lab.run(SyncType::Unsubscribes).await.state, RunState::Done);
    assert_eq!(lab.here(&list).await.len(), 1);
}

async fn who_left_one_of_two_lists_is_on_the_other(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let other = lab.list(2, &[RecordRef::new("contact", Uuid::from_u128(0xc000_0001))]).await;
    lab.lists().await;
    let lists = [list.clone(), other.clone()];
    let send = lab.request_by(&lab.crm, 1, &campaign, &lists, |row| row.with("esc_expectedcount", 3)).await;
    lab.until(send, State::Sent).await;
    lab.minute().await;
    // One is on both lists, one on the first only.
    lab.leaves_by_the_mail(send, "anna@x.example").await;
    lab.leaves_by_the_mail(send, ODD).await;
    lab.advance(SignedDuration::from_hours(1));
    lab.minute().await;
    assert_eq!(lab.run(SyncType::Unsubscribes).await.state, RunState::Done);
    assert_eq!((lab.here(&list).await.len(), lab.here(&other).await.len()), (1, 0));
    assert_eq!(lab.rows("esc_listunsubscriber").await.len(), 3);
}

async fn who_left_the_list_late_gets_none(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    lab.lists().await;
    let send = lab.due(&campaign, &list).await;
    let linked = lab.list_there("List 1").await.unwrap().id;
    // One there, one here; no run but that of opt-outs from the account comes before the send.
    lab.leaves_there(&linked, ODD);
    lab.noted_as_left(&list, "bert@x.example").await;
    lab.its_time(send).await;
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example"]);
}

async fn a_list_linked_since_the_request_counts(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.due(&campaign, &list).await;
    lab.noted_as_left(&list, "bert@x.example").await;
    lab.lists().await;
    lab.leaves_there(&lab.list_there("List 1").await.unwrap().id, ODD);
    lab.its_time(send).await;
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example"]);
}

async fn a_late_no_to_a_preference_counts(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let golf = lab.preference("Golf", None, false).await;
    let tennis = lab.preference("Tennis", None, false).await;
    lab.run(SyncType::Preferences).await;
    let send = lab.due(&campaign, &list).await;
    // Tied after people were counted: the campaign to one, the list to another.
    lab.set(&campaign.row, "esc_marketingpreferenceid", lab.preference_row(&golf).await).await;
    lab.set(&list, "esc_marketingpreferenceid", lab.preference_row(&tennis).await).await;
    lab.chooses(ODD, &golf, false).await;
    let bert = RecordRef::new("contact", Uuid::from_u128(0xc000_0002));
    lab.writes_choice(1, &bert, &tennis, false).await;
    lab.its_time(send).await;
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example"]);
}

async fn an_address_that_changed_gets_no_second_one(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.until(send, State::Sent).await;
    let anna = RecordRef::new("contact", Uuid::from_u128(0xc000_0001));
    lab.set(&anna, "emailaddress1", "anna@new.example").await;
    let again = lab.request(2, &campaign, &list, 1).await;
    lab.until(again, State::Failed).await;
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example", "bert@x.example", ODD]);
}

async fn who_joined_and_left_again_gets_none(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list, send) = lab.watching(10).await;
    let at = lab.joins(&list, 2, ODD).await;
    // On another list of the account the person stays.
    lab.list(2, std::slice::from_ref(&at)).await;
    lab.advance(SignedDuration::from_mins(15));
    lab.run(SyncType::Suppressions).await;
    assert!(lab.engine.go_on(send, 1).await.unwrap());
    assert_eq!(lab.batches(send).await.len(), 1);
    lab.crm.disassociate("listcontact_association", &list, &[at]).await.unwrap();
    lab.lists().await;
    lab.minutes(6).await;
    assert_eq!(lab.mailed(campaign.id), [""; 0]);
}
