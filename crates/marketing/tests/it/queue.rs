//! Requests in the queue that servers before 9.0 have: each done once, and told how it went.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use postroom_core::{Change, ChangeSet, Crm, Record, RecordRef, Value};
use postroom_embedded::access::roles::BASIC_USER;
use postroom_marketing::sends::state::State;
use postroom_marketing::solution::options::Set;
use postroom_marketing::solution::roles::Role;
use postroom_marketing::sync::{RunState, SyncType};
use postroom_sandbox::dotdigital::{Fault, Switch};
use uuid::Uuid;

use crate::bench::{On, on, on_old};
use crate::lab::Lab;
use crate::office::{Campaign, ODD, option};
use crate::sends::Nobody;

on_old!(
    a_row_becomes_one_send_in_its_maker_s_name,
    each_synchronisation_is_asked_for,
    a_list_that_waits_to_be_asked_for_is_synchronised,
    bad_rows_say_what_to_write,
    who_may_not_send_asks_for_nothing,
    it_waits_until_the_number_is_said,
    rows_wait_for_their_time,
    a_row_is_taken_by_one_and_not_for_ever,
    new_members_are_watched_for,
    one_person_is_mailed,
    lost_answers_double_nothing,
);

on! { WebApi webapi: { newer_servers_have_no_queue } }

impl Lab {
    /// A row of the queue, written by the user of `crm`.
    async fn queued_by(&self, crm: &dyn Crm, number: u128, kind: &str, payload: &str) -> RecordRef {
        let at = RecordRef::new("esc_messagequeue", Uuid::from_u128(0x90e0_0000 + number));
        let row = Record::new(at.clone())
            .with("esc_name", format!("Request {number}"))
            .with("esc_emailaccountid", self.account_row().await)
            .with("esc_messagetype", option(Set::MessageType, kind))
            .with("esc_payload", payload)
            .with("esc_scheduledon", self.clock.now())
            .with("esc_status", option(Set::QueueStatus, "Pending"));
        let made = crm.apply(vec![ChangeSet { changes: vec![Change::CreateNew(row)] }]).await.remove(0);
        made.unwrap();
        at
    }

    async fn queued(&self, number: u128, kind: &str, payload: &str) -> RecordRef {
        self.queued_by(&self.crm, number, kind, payload).await
    }

    /// A user who has one of the solution's own roles on top of an ordinary one, and the CRM as that user writes it.
    async fn marketer(&self, number: u128, role: Role) -> (Uuid, Arc<dyn Crm>) {
        let (id, crm) = self.user(number, None).await;
        let roles = [role.id(), BASIC_USER].map(|role| RecordRef::new("role", role));
        let user = RecordRef::new("systemuser", id);
        self.crm.associate("systemuserroles_association", &user, &roles).await.unwrap();
        (id, crm)
    }

    async fn queue_row(&self, at: &RecordRef) -> Record {
        self.record(at).await.unwrap()
    }

    /// The words of a row's status and error.
    async fn queue_shown(&self, at: &RecordRef) -> (&'static str, String) {
        let row = self.queue_row(at).await;
        let status = i32::try_from(row.int("esc_status").unwrap()).unwrap();
        let error = row.text("esc_error").unwrap_or_default().to_owned();
        (Set::QueueStatus.option(status).unwrap(), error)
    }

    async fn queue_until(&self, at: &RecordRef, status: &str) {
        for _ in 0..20 {
            if self.queue_shown(at).await.0 == status {
                return;
            }
            self.singles_minute().await;
            // What a row asked for.
            self.begin_all_asked().await;
            self.work().await;
        }
        panic!("{at:?} is not {status}: {:?}", self.queue_row(at).await);
    }
}

/// What asks for a send of a campaign to a list.
fn data(campaign: &Campaign, list: &RecordRef, more: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-16\"?><CampaignSendData><CampaignId>{}</CampaignId><AddressBookIds><string>{}\
         </string></AddressBookIds>{more}</CampaignSendData>",
        campaign.row.id, list.id
    )
}

async fn a_row_becomes_one_send_in_its_maker_s_name(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let (manager, hers) = lab.marketer(1, Role::Manager).await;
    let text = data(&campaign, &list, "<ExpectedCount>3</ExpectedCount>");
    let row = lab.queued_by(hers.as_ref(), 1, "SendEmailCampaign", &text).await;
    lab.minute().await;
    assert_eq!(lab.queue_shown(&row).await, ("InProgress", String::new()));
    lab.queue_until(&row, "Complete").await;
    assert_eq!((lab.mailed(campaign.id).len(), lab.calls_to_send()), (3, 1));
    // The send is the row's, and asked for by who wrote it.
    let send = lab.record(&RecordRef::new("esc_emailsend", row.id)).await.unwrap();
    assert_eq!(send.lookup("createdby").map(|at| at.id), Some(manager));
    let row = lab.queue_row(&row).await;
    assert_eq!(row.int("esc_attempts"), Some(1));
    for column in ["esc_startedon", "esc_completedon"] {
        assert!(matches!(row.get(column), Some(Value::Time(_))), "{column}: {row:?}");
    }
    for column in ["esc_lockedby", "esc_lockeduntil", "esc_error"] {
        assert!(matches!(row.get(column), None | Some(Value::Null)), "{column}: {row:?}");
    }
    lab.judge();
}

async fn each_synchronisation_is_asked_for(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.campaign("Spring").await;
    let account = lab.account_row().await.id.to_string();
    lab.advance(SignedDuration::from_mins(1));
    let cases: [(&str, String, &[SyncType]); 5] = [
        ("SynchroniseAllEmailCampaignHeaders", String::new(), &[SyncType::Campaigns]),
        ("SynchroniseEmailCampaign", campaign.row.id.to_string(), &[SyncType::Campaigns, SyncType::Events]),
        ("Sync suppressions", String::new(), &[SyncType::Suppressions]),
        ("Sync forms", String::new(), &[SyncType::Forms]),
        ("SynchroniseEmailAccount", account, &[SyncType::Labels, SyncType::Contacts, SyncType::Deletions]),
    ];
    for (number, (kind, payload, types)) in (1..).zip(cases) {
        lab.advance(SignedDuration::from_mins(1));
        let begun = lab.clock.now();
        let row = lab.queued(number, kind, &payload).await;
        lab.queue_until(&row, "Complete").await;
        for sync_type in types {
            let last = lab.last(*sync_type).await;
            // Opt-outs are asked for by every minute of a test.
            let asked = last.asked.contains("queue") || *sync_type == SyncType::Suppressions;
            assert!(last.started >= begun && asked, "{kind}: {last:?}");
        }
    }
    // A run that goes wrong is told, and is not asked for again.
    lab.world.fault(Switch { path: "/v2/campaigns".to_owned(), ..Switch::always(Fault::Unavailable) });
    let row = lab.queued(9, "SynchroniseAllEmailCampaignHeaders", "").await;
    lab.queue_until(&row, "Failed").await;
    let (_, error) = lab.queue_shown(&row).await;
    assert!(error.starts_with("the run of campaigns failed"), "{error}");
}

async fn a_list_that_waits_to_be_asked_for_is_synchronised(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.people(&["anna@x.example", ODD]).await;
    lab.write(Record::new(list.clone()).with("esc_manualsynconly", true)).await;
    lab.run(SyncType::Suppressions).await;
    lab.run(SyncType::Lists).await;
    let there = async || lab.record(&list).await.unwrap().int("esc_serviceaddressbookid");
    assert_eq!(there().await, None);
    lab.advance(SignedDuration::from_mins(1));
    let row = lab.queued(1, "SynchroniseEmailAddressBook", &format!("list/{{{}}}", list.id)).await;
    lab.queue_until(&row, "Complete").await;
    assert!(there().await.is_some());
    // The service keeps this name to itself: the row says what the list says.
    let test = lab.list(2, &[]).await;
    lab.write(Record::new(test.clone()).with("listname", "All contacts")).await;
    let row = lab.queued(2, "SynchroniseEmailAddressBook", &test.id.to_string()).await;
    lab.queue_until(&row, "Failed").await;
    assert!(!lab.queue_shown(&row).await.1.is_empty());
}

async fn bad_rows_say_what_to_write(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let nobody = RecordRef::new("list", Uuid::from_u128(9));
    let off = lab.list(2, &[]).await;
    lab.write(Record::new(off.clone()).with("esc_activatedforemail", false)).await;
    let gone = Campaign { id: 0, row: RecordRef::new("esc_emailcampaign", Uuid::from_u128(9)) };
    let cases = [
        ("SendEmailCampaign", "send it".to_owned(), "write <CampaignSendData>"),
        ("SendEmailCampaign", data(&campaign, &nobody, ""), "names no list"),
        ("SendEmailCampaign", data(&campaign, &off, ""), "is not activated for e-mail"),
        ("SendEmailCampaign", data(&gone, &list, ""), "gone from the CRM"),
        ("SendSplitEmailCampaign", data(&campaign, &list, ""), "a split test says"),
        ("SynchroniseEmailAddressBook", "News".to_owned(), "write the GUID of a row of list"),
        ("SynchroniseEmailAddressBook", off.id.to_string(), "is not activated for e-mail"),
        ("SynchroniseEmailCampaign", gone.row.id.to_string(), "gone from the CRM"),
        ("SynchroniseEmailAccount", gone.row.id.to_string(), "another account"),
        ("Single send", "<SingleSendData/>".to_owned(), "one ContactId"),
    ];
    let mut rows = Vec::new();
    for (number, (kind, payload, says)) in (1..).zip(cases) {
        rows.push((lab.queued(number, kind, &payload).await, says));
    }
    lab.minute().await;
    for (row, says) in rows {
        let (status, error) = lab.queue_shown(&row).await;
        assert!(status == "Failed" && error.contains(says), "{says}: {status} {error}");
        assert!(matches!(lab.queue_row(&row).await.get("esc_completedon"), Some(Value::Time(_))));
    }
    assert_eq!((lab.rows("esc_emailsend").await.len(), lab.calls_to_send()), (0, 0));
}

async fn who_may_not_send_asks_for_nothing(on: On) {
    let mut lab = Lab::new(on).await;
    lab.rule(|rules| rules.permits = Arc::new(Nobody));
    let (campaign, list) = lab.three().await;
    let text = data(&campaign, &list, "<ExpectedCount>3</ExpectedCount>");
    let row = lab.queued(1, "SendEmailCampaign", &text).await;
    lab.minute().await;
    let (status, error) = lab.queue_shown(&row).await;
    assert!(status == "Failed" && error.contains("Email Marketing Manager"), "{error}");
    assert!(lab.rows("esc_emailsend").await.is_empty());
}

async fn it_waits_until_the_number_is_said(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let row = lab.queued(1, "SendEmailCampaign", &data(&campaign, &list, "")).await;
    lab.minutes(4).await;
    let (status, error) = lab.queue_shown(&row).await;
    assert!(status == "InProgress" && error.contains("3 of 3 people would be mailed"), "{status} {error}");
    assert_eq!(lab.calls_to_send(), 0);
    lab.wish(row.id, "esc_expectedcount", 3).await;
    lab.queue_until(&row, "Complete").await;
    assert_eq!((lab.mailed(campaign.id).len(), lab.queue_shown(&row).await.1.as_str()), (3, ""));
    // What is cancelled there is said here.
    let other = lab.campaign("Summer").await;
    let row = lab.queued(2, "SendEmailCampaign", &data(&other, &list, "")).await;
    lab.minutes(4).await;
    lab.wish(row.id, "esc_sendstatus", option(Set::SendStatus, "Cancelled")).await;
    lab.queue_until(&row, "Failed").await;
    assert!(lab.queue_shown(&row).await.1.contains("cancelled"));
    assert!(lab.mailed(other.id).is_empty());
}

async fn rows_wait_for_their_time(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let due = lab.clock.now() + SignedDuration::from_hours(2);
    let text = data(&campaign, &list, "<ExpectedCount>3</ExpectedCount>");
    let row = lab.queued(1, "SendEmailCampaign", &text).await;
    lab.write(Record::new(row.clone()).with("esc_scheduledon", due)).await;
    lab.minutes(3).await;
    assert_eq!(lab.queue_shown(&row).await.0, "Pending");
    lab.advance(SignedDuration::from_hours(2));
    lab.queue_until(&row, "Complete").await;
    let send = lab.record(&RecordRef::new("esc_emailsend", row.id)).await.unwrap();
    assert_eq!(send.get("esc_scheduledsenddate"), Some(&Value::Time(due)));
    assert_eq!(lab.calls_to_send(), 1);
}

async fn a_row_is_taken_by_one_and_not_for_ever(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let text = data(&campaign, &list, "<ExpectedCount>3</ExpectedCount>");
    let row = lab.queued(1, "SendEmailCampaign", &text).await;
    // Another one took it, and died.
    let until = lab.clock.now() + SignedDuration::from_mins(4);
    let taken = Record::new(row.clone())
        .with("esc_status", option(Set::QueueStatus, "InProgress"))
        .with("esc_attempts", 1)
        .with("esc_lockedby", "another")
        .with("esc_lockeduntil", until);
    lab.write(taken.clone()).await;
    lab.minutes(3).await;
    assert_eq!(lab.queue_row(&row).await.text("esc_lockedby"), Some("another"));
    assert!(lab.rows("esc_emailsend").await.is_empty());
    lab.queue_until(&row, "Complete").await;
    assert_eq!(lab.queue_row(&row).await.int("esc_attempts"), Some(2));
    assert_eq!((lab.mailed(campaign.id).len(), lab.calls_to_send()), (3, 1));
    // One that nobody comes to an end with is given up.
    let row = lab.queued(2, "SendEmailCampaign", &text).await;
    lab.write(Record { at: row.clone(), ..taken }.with("esc_attempts", 5)).await;
    lab.queue_until(&row, "Dead").await;
    assert!(lab.queue_shown(&row).await.1.contains("taken 5 times"));
    assert_eq!(lab.rows("esc_emailsend").await.len(), 1);
}

async fn new_members_are_watched_for(on: On) {
    let lab = Lab::new(on).await;
    let (list, campaign) = (lab.people(&["a@x.example"]).await, lab.campaign("Welcome").await);
    let text = data(&campaign, &list, "<ExpectedCount>5</ExpectedCount>");
    let row = lab.queued(1, "SendNewMemberCampaign", &text).await;
    lab.queue_until(&row, "Complete").await;
    assert_eq!(lab.send(row.id).await.state, State::Watching);
    lab.joins(&list, 7, ODD).await;
    lab.quarter().await;
    assert_eq!(lab.mailed(campaign.id), [ODD]);
    lab.judge();
}

async fn one_person_is_mailed(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.triggered("Quote").await;
    let (odd, out) = (lab.contact(1, ODD).await, lab.contact(2, "out@x.example").await);
    lab.write(Record::new(out.clone()).with("donotbulkemail", true)).await;
    let text = |person: &RecordRef| {
        format!(
            "<SingleSendData><CampaignId>{}</CampaignId><ContactId>{}</ContactId></SingleSendData>",
            campaign.row.id, person.id
        )
    };
    let (manager, hers) = lab.marketer(1, Role::Manager).await;
    // She may only write about people of her own.
    let row = lab.queued_by(hers.as_ref(), 1, "Single send", &text(&odd)).await;
    lab.queue_until(&row, "Failed").await;
    let (_, error) = lab.queue_shown(&row).await;
    assert!(
        error.contains("in the name of who wrote the row") && error.contains("AppendToAccess"),
        "{error}"
    );
    lab.write(Record::new(odd.clone()).with("ownerid", Value::lookup("systemuser", manager))).await;
    let row = lab.queued_by(hers.as_ref(), 2, "Single send", &text(&odd)).await;
    let never = lab.queued(3, "Single send", &text(&out)).await;
    lab.queue_until(&row, "Complete").await;
    lab.queue_until(&never, "Failed").await;
    assert_eq!(lab.mailed(campaign.id), [ODD]);
    lab.judge();
}

/// The answer to one call after the other is lost while a row is taken, begun and told: it is done once.
async fn lost_answers_double_nothing(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    lab.write(Record::new(campaign.row.clone()).with("esc_allowrepeatsends", true)).await;
    lab.minute().await;
    let text = data(&campaign, &list, "<ExpectedCount>3</ExpectedCount>");
    for number in 1..=15 {
        let row = lab.queued(number, "SendEmailCampaign", &text).await;
        lab.run_asked(SyncType::Suppressions).await;
        let calls = lab.door.calls.load(Ordering::SeqCst);
        lab.door.lost.store(calls + usize::try_from(number).unwrap(), Ordering::SeqCst);
        lab.run_asked(SyncType::Sends).await;
        lab.door.lost.store(0, Ordering::SeqCst);
        lab.queue_until(&row, "Complete").await;
        let sends = u64::try_from(number).unwrap();
        assert_eq!(lab.calls_to_send(), sends, "after the answer of call {number} was lost");
        assert_eq!(lab.mailed(campaign.id).len() as u64, 3 * sends);
    }
    assert_eq!(lab.rows("esc_emailsend").await.len(), 15);
}

async fn newer_servers_have_no_queue(on: On) {
    let lab = Lab::new(on).await;
    assert!(lab.crm.metadata(&["esc_messagequeue"]).await.is_err());
    lab.minutes(2).await;
    let last = lab.last(SyncType::Sends).await;
    assert_eq!((last.state, last.counts.read), (RunState::Done, 0), "{last:?}");
}
