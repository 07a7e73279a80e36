//! Sends of campaigns to lists: once, to those who may be mailed, and never by accident.

mod restored;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use postroom_core::Fault as Refused;
use postroom_core::marketing::{Ask, ContactRow, Names};
use postroom_core::{Change, ChangeSet, Crm, Record, RecordRef, Value};
use postroom_embedded::seed::BUSINESS_UNIT;
use postroom_marketing::sends::state::State;
use postroom_marketing::sends::{CrmRoles, Decision, Permits};
use postroom_marketing::solution::options::Set;
use postroom_marketing::solution::roles::Duty;
use postroom_marketing::sync::{SyncType, Trial};
use postroom_sandbox::dotdigital::{Act, Fault, Switch};
use uuid::Uuid;

use crate::bench::{On, on_all, on_old};
use crate::lab::{ACCOUNT, Lab};
use crate::office::{Campaign, ODD, option};

on_all!(
    a_request_becomes_one_mail_for_each,
    who_opted_out_anywhere_is_left_out,
    an_opt_out_between_snapshot_and_time_counts,
    an_opt_out_in_the_last_second_counts,
    killed_after_any_step_each_is_mailed_once,
    killed_in_the_middle_of_the_call_it_is_unknown,
    a_lost_answer_of_the_send_is_never_repeated,
    what_a_person_decides_about_a_lost_answer,
    lost_answers_before_the_call_do_no_harm,
    it_is_held_until_its_time_and_while_paused,
    a_cancelled_one_mails_nobody,
    a_second_person_approves_a_large_one,
    the_number_of_people_must_be_right,
    one_campaign_mails_a_person_once,
    who_may_not_send_does_not,
    unfit_requests_say_why,
    strangers_on_the_single_use_list_stop_it,
    nothing_goes_before_opt_outs_were_read,
    two_workers_make_one_send,
    a_dry_run_of_the_scan_writes_nothing,
    nothing_asked_is_few_calls,
    the_single_use_list_goes_a_month_later,
    a_dynamic_list_is_asked_for_as_well,
);

on_old!(
    a_request_becomes_one_mail_for_each,
    who_opted_out_anywhere_is_left_out,
    an_opt_out_in_the_last_second_counts,
    killed_after_any_step_each_is_mailed_once,
    it_is_held_until_its_time_and_while_paused,
    a_cancelled_one_mails_nobody,
    who_may_not_send_does_not,
    two_workers_make_one_send,
);

/// Nobody may do anything.
#[derive(Debug)]
pub struct Nobody;

#[async_trait::async_trait]
impl Permits for Nobody {
    async fn may(&self, _: &dyn Crm, _: Uuid, _: Duty) -> Result<bool, Refused> {
        Ok(false)
    }
}

impl Lab {
    pub async fn three(&self) -> (Campaign, RecordRef) {
        let campaign = self.campaign("Spring").await;
        (campaign, self.people(&["anna@x.example", "bert@x.example", ODD]).await)
    }

    /// Writes to a request row as a user does.
    pub async fn wish(&self, send: Uuid, column: &str, value: impl Into<Value>) {
        self.write(Record::new(RecordRef::new("esc_emailsend", send)).with(column, value)).await;
    }

    async fn wish_status(&self, send: Uuid, label: &str) {
        self.wish(send, "esc_sendstatus", option(Set::SendStatus, label)).await;
    }

    /// A user with a role, and the CRM as that user writes it.
    pub async fn user(&self, number: u128, role: Option<&str>) -> (Uuid, Arc<dyn Crm>) {
        let id = Uuid::from_u128(0x05e4_0000 + number);
        let user = Record::new(RecordRef::new("systemuser", id))
            .with("firstname", "User")
            .with("lastname", number.to_string())
            .with("domainname", format!("user{number}"))
            .with("businessunitid", Value::lookup("businessunit", BUSINESS_UNIT));
        self.write(user).await;
        if let Some(name) = role {
            let at = RecordRef::new("role", Uuid::from_u128(0x701e_0000 + number));
            let row = Record::new(at.clone())
                .with("name", name)
                .with("businessunitid", Value::lookup("businessunit", BUSINESS_UNIT));
            self.write(row).await;
            let user = RecordRef::new("systemuser", id);
            self.crm.associate("systemuserroles_association", &user, &[at]).await.unwrap();
        }
        (id, Arc::new(self.crm.acting_as(id)))
    }

    /// Calls of the one operation that sends.
    pub fn calls_to_send(&self) -> u64 {
        self.world
            .calls()
            .iter()
            .filter(|(name, _)| name.ends_with(" /v2/campaigns/send"))
            .map(|(_, n)| n)
            .sum()
    }

    pub async fn until(&self, send: Uuid, state: State) {
        for _ in 0..8 {
            let known = self.engine.campaign_send(send).await.unwrap();
            if known.is_some_and(|known| known.state == state) {
                return;
            }
            self.minute().await;
        }
        panic!("{send} is not {state:?}: {:?}", self.send(send).await);
    }
}

async fn a_request_becomes_one_mail_for_each(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.campaign("Spring").await;
    let list = lab.people(&["anna@x.example", ODD]).await;
    let send = lab.request(1, &campaign, &list, 2).await;
    lab.minutes(4).await;
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example", ODD], "{:?}", lab.send(send).await);
    lab.minutes(2).await;
    assert_eq!(lab.shown(send).await, ("Sent".to_owned(), String::new()));
    let row = lab.record(&RecordRef::new("esc_emailsend", send)).await.unwrap();
    let counts = ["esc_numpotential", "esc_numtosend", "esc_numduplicates"].map(|column| row.int(column));
    assert_eq!(counts, [Some(2), Some(2), Some(0)]);
    assert!(row.text("esc_servicesendid").is_some() && row.get("esc_datesent") != Some(&Value::Null));
    lab.judge();
}

#[tokio::test]
async fn the_connectors_own_role_is_enough_to_send() {
    let mut lab = Lab::new(On::Sqlite).await;
    lab.by_its_own_role().await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.until(send, State::Sent).await;
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example", "bert@x.example", ODD]);
}

async fn who_opted_out_anywhere_is_left_out(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.campaign("Spring").await;
    let names =
        ["anna@x.example", "bulk@x.example", "none@x.example", "mm@x.example", "there@x.example", ODD];
    let list = lab.people(&names).await;
    for (number, flag) in [(2, "donotbulkemail"), (3, "donotemail"), (4, "donotsendmm")] {
        // On another record with the address, which is on no list.
        let twin = lab.contact(100 + number, names[number as usize - 1]).await;
        lab.write(Record::new(twin).with(flag, true)).await;
    }
    let names = Names { email: Some("there@x.example".to_owned()), ..Names::default() };
    let person = ContactRow { names, ..ContactRow::default() };
    lab.account().service.patch_contact(&person, Default::default()).await.unwrap();
    lab.world.act(1, "there@x.example", None, Act::Unsubscribe).unwrap();
    let send = lab.request(1, &campaign, &list, 2).await;
    lab.until(send, State::Sent).await;
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example", ODD]);
    let details = lab.send(send).await.details;
    assert_eq!(details.members, details.to_send + details.left_out.values().sum::<u64>(), "{details:?}");
    lab.judge();
}

async fn an_opt_out_between_snapshot_and_time_counts(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let due = lab.clock.now() + SignedDuration::from_mins(30);
    let lists = std::slice::from_ref(&list);
    let row = |row: Record| row.with("esc_expectedcount", 3).with("esc_scheduledsenddate", due);
    let send = lab.request_by(&lab.crm, 1, &campaign, lists, row).await;
    lab.until(send, State::Due).await;
    assert_eq!(lab.shown(send).await.0, "Scheduled");
    lab.world.act(1, ODD, None, Act::Unsubscribe).unwrap();
    let bert = RecordRef::new("contact", Uuid::from_u128(0xc000_0002));
    lab.write(Record::new(bert).with("donotbulkemail", true)).await;
    lab.advance(SignedDuration::from_mins(30));
    lab.until(send, State::Sent).await;
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example"]);
    lab.judge();
}

/// After the exchange that the send waited for, and before its call.
async fn an_opt_out_in_the_last_second_counts(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.until(send, State::Due).await;
    lab.advance(SignedDuration::from_secs(10));
    lab.run(SyncType::Suppressions).await;
    lab.world.act(1, ODD, None, Act::Unsubscribe).unwrap();
    let bert = RecordRef::new("contact", Uuid::from_u128(0xc000_0002));
    lab.write(Record::new(bert).with("donotemail", true)).await;
    lab.engine.go_on(send, 100).await.unwrap();
    assert!(lab.send(send).await.state > State::Intent, "{:?}", lab.send(send).await);
    lab.advance(SignedDuration::from_mins(1));
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example"]);
    lab.judge();
}

async fn killed_after_any_step_each_is_mailed_once(on: On) {
    let mut lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.advance(SignedDuration::from_mins(1));
    lab.run(SyncType::Suppressions).await;
    lab.run(SyncType::Sends).await;
    let mut steps = 0;
    while lab.send(send).await.state != State::Sent {
        steps += 1;
        assert!(steps < 40, "{:?}", lab.send(send).await);
        lab.restarted();
        if lab.engine.go_on(send, 1).await.unwrap() {
            lab.advance(SignedDuration::from_mins(1));
            lab.run_asked(SyncType::Suppressions).await;
        }
    }
    assert!(steps > 7, "{steps} steps");
    assert_eq!((lab.mailed(campaign.id).len(), lab.calls_to_send()), (3, 1));
    lab.judge();
}

async fn killed_in_the_middle_of_the_call_it_is_unknown(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.until(send, State::Due).await;
    lab.advance(SignedDuration::from_secs(10));
    lab.run(SyncType::Suppressions).await;
    lab.world.fault(Switch::once(Fault::Slow { milliseconds: 60_000 }, "POST", "/campaigns/send"));
    let cut = async {
        while lab.send(send).await.state != State::Intent || lab.calls_to_send() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Whoever is dropped here dies in the middle of the call.
    tokio::select! {
        done = lab.engine.go_on(send, 100) => panic!("{done:?}"),
        () = cut => {}
    }
    lab.world.clear_faults();
    lab.minutes(3).await;
    assert_eq!(lab.send(send).await.state, State::Unknown);
    assert_eq!(lab.shown(send).await.0, "Needs attention");
    assert_eq!(lab.calls_to_send(), 1);
    lab.judge();
}

async fn a_lost_answer_of_the_send_is_never_repeated(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.world.fault(Switch::once(Fault::LoseAnswer, "POST", "/v2/campaigns/send"));
    lab.until(send, State::Unknown).await;
    for _ in 0..5 {
        lab.advance(SignedDuration::from_mins(20));
        lab.minute().await;
    }
    let known = lab.send(send).await;
    assert_eq!((known.state, lab.calls_to_send()), (State::Unknown, 1));
    let evidence = known.details.evidence.unwrap();
    assert!(evidence.list && evidence.recipients == 3, "{evidence:?}");
    assert_eq!(lab.mailed(campaign.id).len(), 3);
    lab.judge();
}

async fn what_a_person_decides_about_a_lost_answer(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let made = lab.request(1, &campaign, &list, 3).await;
    lab.world.fault(Switch::once(Fault::LoseAnswer, "POST", "/v2/campaigns/send"));
    lab.until(made, State::Unknown).await;
    lab.minute().await;
    let refused = lab.engine.decide(made, "anna", Decision::Unsent).await.unwrap_err();
    assert!(refused.message.contains("shows that this send was made"), "{refused}");
    lab.engine.decide(made, "anna", Decision::Found).await.unwrap();
    lab.until(made, State::Sent).await;

    let other = lab.campaign("Summer").await;
    let unmade = lab.request(2, &other, &list, 3).await;
    lab.world.fault(Switch::once(Fault::Drop, "POST", "/v2/campaigns/send"));
    lab.until(unmade, State::Unknown).await;
    lab.engine.decide(unmade, "anna", Decision::Unsent).await.unwrap();
    lab.minute().await;
    assert_eq!(lab.shown(unmade).await.0, "Failed");
    // Whoever was not mailed may be: by another request.
    let again = lab.request(3, &other, &list, 3).await;
    lab.until(again, State::Sent).await;
    assert_eq!(lab.mailed(other.id).len(), 3);
    lab.judge();
}

async fn lost_answers_before_the_call_do_no_harm(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.world.fault(Switch::once(Fault::LoseAnswer, "POST", "/address-books"));
    lab.world.fault(Switch::once(Fault::LoseAnswer, "", "import"));
    lab.until(send, State::Sent).await;
    let lists = lab.account().service.lists(&Ask::default()).await.unwrap().rows;
    let ours = lists.iter().filter(|list| list.name.starts_with("postroom send")).count();
    assert_eq!((lab.mailed(campaign.id).len(), ours, lab.calls_to_send()), (3, 1, 1));
    lab.judge();
}

async fn it_is_held_until_its_time_and_while_paused(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let due = lab.clock.now() + SignedDuration::from_hours(2);
    let lists = std::slice::from_ref(&list);
    let row = |row: Record| row.with("esc_expectedcount", 3).with("esc_scheduledsenddate", due);
    let send = lab.request_by(&lab.crm, 1, &campaign, lists, row).await;
    lab.minutes(5).await;
    assert_eq!((lab.shown(send).await.0.as_str(), lab.calls_to_send()), ("Scheduled", 0));
    lab.wish_status(send, "Paused").await;
    lab.advance(SignedDuration::from_hours(3));
    lab.minutes(3).await;
    assert_eq!((lab.shown(send).await.0.as_str(), lab.calls_to_send()), ("Paused", 0));
    lab.wish_status(send, "Requested").await;
    lab.until(send, State::Sent).await;
    assert_eq!(lab.mailed(campaign.id).len(), 3);
    lab.judge();
}

async fn a_cancelled_one_mails_nobody(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let due = lab.clock.now() + SignedDuration::from_hours(2);
    let lists = std::slice::from_ref(&list);
    let row = |row: Record| row.with("esc_expectedcount", 3).with("esc_scheduledsenddate", due);
    let send = lab.request_by(&lab.crm, 1, &campaign, lists, row).await;
    lab.until(send, State::Due).await;
    lab.wish_status(send, "Cancelled").await;
    lab.advance(SignedDuration::from_hours(3));
    lab.minutes(3).await;
    let known = lab.send(send).await;
    assert_eq!((known.state, known.details.list_deleted), (State::Cancelled, true));
    assert_eq!((lab.shown(send).await.0.as_str(), lab.calls_to_send()), ("Cancelled", 0));
    // Neither does one whose row is deleted.
    let gone = lab.request_by(&lab.crm, 2, &campaign, lists, row).await;
    lab.minute().await;
    let delete = Change::Delete(RecordRef::new("esc_emailsend", gone));
    lab.crm.apply(vec![ChangeSet { changes: vec![delete] }]).await.remove(0).unwrap();
    lab.minutes(2).await;
    assert_eq!(lab.send(gone).await.state, State::Cancelled);
    assert!(lab.mailed(campaign.id).is_empty());
}

async fn a_second_person_approves_a_large_one(on: On) {
    let mut lab = Lab::new(on).await;
    lab.rule(|rules| rules.approval_over = 2);
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.minutes(5).await;
    let (status, error) = lab.shown(send).await;
    assert_eq!((status.as_str(), lab.calls_to_send()), ("Awaiting approval", 0));
    assert!(error.contains("waits for a second person"), "{error}");
    let asker = lab.crm.acting().id.to_string();
    let refused = lab.engine.decide(send, &asker, Decision::Approve).await.unwrap_err();
    assert!(refused.message.contains("second person"), "{refused}");
    // Nor in the row, nor in another's name.
    let (other, _) = lab.user(1, Some("Email Marketing Manager")).await;
    lab.wish(send, "esc_approvedby", Value::lookup("systemuser", other)).await;
    lab.minutes(2).await;
    assert_eq!(lab.calls_to_send(), 0);
    lab.engine.decide(send, &other.to_string(), Decision::Approve).await.unwrap();
    lab.until(send, State::Sent).await;
    assert_eq!(lab.mailed(campaign.id).len(), 3);
    lab.judge();
}

async fn the_number_of_people_must_be_right(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let lists = std::slice::from_ref(&list);
    let silent = lab.request_by(&lab.crm, 1, &campaign, lists, |row| row).await;
    lab.minutes(3).await;
    let (status, error) = lab.shown(silent).await;
    assert_eq!((status.as_str(), lab.calls_to_send()), ("Awaiting approval", 0));
    assert!(error.starts_with("3 of 3 people would be mailed"), "{error}");
    let wrong = lab.request(2, &campaign, &list, 30).await;
    lab.minutes(3).await;
    assert!(lab.shown(wrong).await.1.contains("30 were expected"), "{:?}", lab.shown(wrong).await);
    lab.wish(silent, "esc_expectedcount", 3).await;
    lab.until(silent, State::Sent).await;
    assert_eq!((lab.mailed(campaign.id).len(), lab.calls_to_send()), (3, 1));
    lab.judge();
}

async fn one_campaign_mails_a_person_once(on: On) {
    let mut lab = Lab::new(on).await;
    lab.rule(|rules| rules.tolerance = 50);
    let (campaign, list) = lab.three().await;
    // Both at once, over one more person each.
    let carl = lab.contact(20, "carl@x.example").await;
    let other = lab.list(2, &[carl, RecordRef::new("contact", Uuid::from_u128(0xc000_0001))]).await;
    let (first, second) =
        (lab.request(1, &campaign, &list, 3).await, lab.request(2, &campaign, &other, 2).await);
    lab.minutes(8).await;
    assert_eq!(lab.mailed(campaign.id).len(), 4, "{:?} {:?}", lab.send(first).await, lab.send(second).await);
    lab.judge();
    // A third finds nobody left, unless repeats are wanted.
    let third = lab.request(3, &campaign, &list, 3).await;
    lab.until(third, State::Failed).await;
    lab.write(Record::new(campaign.row.clone()).with("esc_allowrepeatsends", true)).await;
    let fourth = lab.request(4, &campaign, &list, 3).await;
    lab.until(fourth, State::Sent).await;
    assert_eq!(lab.mailed(campaign.id).len(), 7);
}

async fn who_may_not_send_does_not(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    // The row's maker is what counts, and that user lost the right.
    let mut lab = lab;
    lab.rule(|rules| rules.permits = Arc::new(Nobody));
    lab.until(send, State::Failed).await;
    let (status, error) = lab.shown(send).await;
    assert!(status == "Failed" && error.contains("Email Marketing Manager"), "{error}");
    assert_eq!(lab.calls_to_send(), 0);
    let crm = &lab.crm;
    for (number, role, duty, may) in [
        (1, Some("Email Marketing Manager"), Duty::Send, true),
        (2, Some("Email Marketing Professional"), Duty::Send, false),
        (3, Some("Email Marketing Professional"), Duty::SendSingle, true),
        (4, None, Duty::SendSingle, false),
    ] {
        let (user, _) = lab.user(number, role).await;
        assert_eq!(CrmRoles.may(crm, user, duty).await.unwrap(), may, "{role:?} {duty:?}");
        let off = Record::new(RecordRef::new("systemuser", user)).with("isdisabled", true);
        lab.write(off).await;
        assert!(!CrmRoles.may(crm, user, duty).await.unwrap(), "{role:?} disabled");
    }
}

async fn unfit_requests_say_why(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    lab.write(Record::new(list.clone()).with("esc_activatedforemail", false)).await;
    let inactive = lab.request(1, &campaign, &list, 3).await;
    let lists = std::slice::from_ref(&list);
    let split = |row: Record| {
        let row = row.with("esc_issplittestsend", true).with("esc_splittestpercent", 10);
        row.with("esc_splittesthours", 2).with("esc_splittestmetric", option(Set::SplitMetric, "Opens"))
    };
    let split = lab.request_by(&lab.crm, 2, &campaign, lists, split).await;
    lab.minutes(2).await;
    for (send, why) in [(inactive, "not activated for e-mail"), (split, "one version only")] {
        let (status, error) = lab.shown(send).await;
        assert!(status == "Failed" && error.contains(why), "{status} {error}");
    }
}

async fn strangers_on_the_single_use_list_stop_it(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let due = lab.clock.now() + SignedDuration::from_hours(2);
    let lists = std::slice::from_ref(&list);
    let row = |row: Record| row.with("esc_expectedcount", 3).with("esc_scheduledsenddate", due);
    let send = lab.request_by(&lab.crm, 1, &campaign, lists, row).await;
    lab.until(send, State::Due).await;
    let single_use = postroom_core::marketing::ListId(lab.send(send).await.list.unwrap());
    let names = Names { email: Some("stranger@x.example".to_owned()), ..Names::default() };
    let stranger = ContactRow { names, lists: vec![single_use], ..ContactRow::default() };
    lab.account().service.patch_contact(&stranger, Default::default()).await.unwrap();
    lab.advance(SignedDuration::from_hours(3));
    lab.minutes(3).await;
    let (status, error) = lab.shown(send).await;
    assert!(status == "Awaiting approval" && error.contains("1 people who were not asked for"), "{error}");
    assert_eq!(lab.calls_to_send(), 0);
}

async fn nothing_goes_before_opt_outs_were_read(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    for _ in 0..4 {
        lab.advance(SignedDuration::from_mins(1));
        // Only the scan: the exchange that is asked for does not come.
        let mut turn = lab.turn(SyncType::Sends).await;
        postroom_marketing::sends::run(&mut turn).await.unwrap();
        lab.send_jobs().await;
    }
    let known = lab.send(send).await;
    assert_eq!((known.state, lab.calls_to_send()), (State::Validated, 0));
    lab.until(send, State::Sent).await;
    lab.judge();
}

async fn two_workers_make_one_send(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.advance(SignedDuration::from_mins(1));
    lab.run(SyncType::Suppressions).await;
    lab.run(SyncType::Sends).await;
    for _ in 0..4 {
        // Both believe that the send is theirs, as after a lease that was lost.
        let both = [lab.engine.clone(), lab.engine.clone()];
        let (one, other) = tokio::join!(both[0].go_on(send, 100), both[1].go_on(send, 100));
        drop((one, other));
        lab.advance(SignedDuration::from_mins(1));
        lab.run_asked(SyncType::Suppressions).await;
    }
    assert!(lab.calls_to_send() <= 1);
    assert!(lab.mailed(campaign.id).len() <= 3);
    lab.judge();
}

async fn a_dry_run_of_the_scan_writes_nothing(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    let Trial { counts, question, .. } = lab.engine.dry_run(ACCOUNT, SyncType::Sends).await.unwrap();
    assert_eq!((counts.read, question), (1, None));
    assert_eq!(lab.engine.campaign_send(send).await.unwrap(), None);
    assert_eq!(lab.shown(send).await.0, "Requested");
    let preview = lab.engine.preview(ACCOUNT, campaign.row.id, &[list.id]).await.unwrap();
    assert_eq!((preview.members, preview.to_send, preview.fresh), (3, 3, false));
}

async fn nothing_asked_is_few_calls(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.until(send, State::Sent).await;
    lab.minute().await;
    lab.world.forget_calls();
    let run = lab.run(SyncType::Sends).await;
    lab.send_jobs().await;
    assert!(run.counts.balances(), "{run:?}");
    assert_eq!(lab.world.calls().values().sum::<u64>(), 0, "{:?}", lab.world.calls());
}

async fn the_single_use_list_goes_a_month_later(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.until(send, State::Sent).await;
    lab.minutes(2).await;
    assert!(!lab.send(send).await.details.list_deleted);
    lab.advance(SignedDuration::from_hours(32 * 24));
    lab.minutes(1).await;
    assert!(lab.send(send).await.details.list_deleted);
    let lists = lab.account().service.lists(&Ask::default()).await.unwrap().rows;
    assert!(lists.iter().all(|list| !list.name.starts_with("postroom send")));
}

async fn a_dynamic_list_is_asked_for_as_well(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, _) = lab.three().await;
    let query = "<fetch><entity name='contact'><filter>\
        <condition attribute='lastname' operator='like' value='Last%'/></filter></entity></fetch>";
    let list = lab.list(2, &[]).await;
    lab.write(Record::new(list.clone()).with("type", true).with("query", query)).await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.until(send, State::Sent).await;
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example", "bert@x.example", ODD]);
    lab.judge();
}
