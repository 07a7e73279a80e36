//! The first day of an account with a year of history on both sides, over every flow; and an account that lives in another
//! region than its address says.

use std::sync::Arc;

use jiff::SignedDuration;
use postroom_core::{Crm, Record, RecordRef, Value};
use postroom_marketing::engine::{Scope, Settings};
use postroom_marketing::solution::roles::Role;
use postroom_marketing::sync::{Run, RunState, SyncType};
use postroom_sandbox::dotdigital::{Act, Dotdigital as StandIn, FormAnswer, Options, Region};
use serde_json::json;

use crate::bench::{On, on_every};
use crate::lab::{Lab, PASSWORD, service_at};
use crate::office::ODD;

on_every!(
    a_year_of_history_is_taken_once,
    an_account_of_another_region_is_followed,
    what_came_at_once_is_read_back_once
);

const ANNA: &str = "anna@x.example";
const STRANGER: &str = "stranger@x.example";

/// What happened before anybody connected the two. Answers two records of the CRM that have one address, and somebody else.
async fn lived(lab: &Lab) -> [RecordRef; 3] {
    let anna = lab.contact(1, ANNA).await;
    let twins = [lab.contact(2, ODD).await, lab.contact(3, ODD).await];
    lab.write(Record::new(anna.clone()).with("donotbulkemail", true)).await;
    let campaign = lab.sent_to(&[ANNA, ODD, STRANGER]).await;
    for _ in 0..2 {
        lab.act(campaign, ODD, Act::Click { url: "https://x.example/a".into() });
    }
    lab.act(campaign, ANNA, Act::Open { machine: false });
    lab.act(campaign, ODD, Act::Reply { text: "yes".into(), automatic: false });
    lab.act(campaign, ODD, Act::Buy { marker: "order".into(), value: json!(12.5) });
    lab.world.act(1, STRANGER, None, Act::Unsubscribe).unwrap();
    let form = lab.form();
    lab.answer(form, ODD, vec![FormAnswer { field: 1, row: None, value: json!("O'Brien") }], true);
    lab.advance(SignedDuration::from_hours(24 * 365));
    let [first, second] = twins;
    lab.list(1, &[anna.clone(), first.clone(), second.clone()]).await;
    [anna, first, second]
}

/// Runs every flow, in their order; answers how many rows were sent to either side.
async fn day(lab: &Lab) -> Vec<(SyncType, u64, u64)> {
    let mut sent = Vec::new();
    for sync_type in SyncType::ALL {
        lab.advance(SignedDuration::from_mins(1));
        let run = lab.run(*sync_type).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
        sent.push((*sync_type, run.counts.to_crm.sent, run.counts.to_service.sent));
    }
    sent
}

async fn a_year_of_history_is_taken_once(on: On) {
    let lab = Lab::new(on).await;
    let [anna, first, second] = lived(&lab).await;
    let mailed = lab.world.log(1).len();
    day(&lab).await;
    let out = |row: Record| row.get("donotbulkemail").and_then(Value::as_bool) == Some(true);
    let flags = [&anna, &first, &second].map(|at| lab.record(at));
    let flags = futures_util::future::join_all(flags).await.into_iter().map(|row| out(row.unwrap()));
    assert_eq!(flags.collect::<Vec<_>>(), [true, false, false]);
    for (address, mailable) in [(ANNA, false), (STRANGER, false), (ODD, true)] {
        assert_eq!(lab.world.person(1, address).unwrap().status.mailable(), mailable, "{address}");
    }
    let rows = async |table: &str| lab.rows(table).await.len();
    assert_eq!((lab.world.contacts(1), rows("esc_emailsupression").await), (3, 2));
    assert_eq!((rows("esc_emailcampaign").await, rows("esc_emailcampaigncontactclick").await), (1, 2));
    assert_eq!((rows("esc_emailroidetail").await, rows("esc_response").await), (1, 1));
    // A second day brings nothing again, in either direction, and nobody was mailed by all this.
    lab.advance(SignedDuration::from_hours(24));
    day(&lab).await;
    lab.advance(SignedDuration::from_hours(24));
    let sent = day(&lab).await;
    assert!(sent.iter().all(|(_, crm, service)| (*crm, *service) == (0, 0)), "{sent:?}");
    assert_eq!((rows("esc_emailcampaigncontactclick").await, rows("esc_formanswer").await), (2, 1));
    assert_eq!(lab.world.log(1).len(), mailed);
}

impl Lab {
    /// From now on the connector signs in as a user who has the role that was made for it, and no other.
    pub async fn by_its_own_role(&mut self) {
        let (user, _) = self.user(99, None).await;
        let (at, role) = (RecordRef::new("systemuser", user), RecordRef::new("role", Role::Service.id()));
        self.crm.associate("systemuserroles_association", &at, &[role]).await.unwrap();
        self.engine.crm = Arc::new(self.crm.acting_as(user));
    }
}

#[tokio::test]
async fn its_own_role_is_enough_for_a_day() {
    let mut days = Vec::new();
    for own in [false, true] {
        let mut lab = Lab::new(On::Sqlite).await;
        lived(&lab).await;
        if own {
            lab.by_its_own_role().await;
        }
        let first = day(&lab).await;
        lab.patch(ODD, |row| drop(row.fields.insert("LASTNAME".into(), "There".into()))).await;
        let second = day(&lab).await;
        let rejected: u64 = lab.runs().await.iter().map(|run| run.counts.to_crm.rejected).sum();
        days.push((first, second, rejected));
    }
    assert_eq!(days[1], days[0], "as for an administrator");
}

async fn an_account_of_another_region_is_followed(on: On) {
    let mut lab = Lab::new(on).await;
    let mut options = Options::one_account(PASSWORD);
    options.accounts[0].region = Region::R2;
    lab.world = StandIn::start(options, lab.clock.clone());
    lab.serve(service_at(&lab.world.url(Region::R1), &lab.clock));
    let odd = lab.contact(1, ODD).await;
    lab.write(Record::new(odd).with("donotbulkemail", true)).await;
    let run = lab.run(SyncType::Suppressions).await;
    assert_eq!((run.state, run.counts.to_service.new), (RunState::Done, 1), "{run:?}");
    assert!(!lab.world.person(1, ODD).unwrap().status.mailable());
    let accounts = lab.rows("esc_emailaccount").await;
    let there = lab.world.url(Region::R2);
    assert_eq!((accounts.len(), accounts[0].text("esc_apiendpoint")), (1, Some(there.as_str())));
}

/// Everybody changed at the service in one moment, by our import: the mark must not stay at that moment.
async fn what_came_at_once_is_read_back_once(on: On) {
    let settings = Settings { scope: Scope::Everybody, ..Settings::default() };
    let lab = Lab::with(on, settings).await;
    for number in 1..=3 {
        lab.contact(number, &format!("p{number}@x.example")).await;
    }
    lab.first().await;
    let read = |run: Run| run.counts.read;
    lab.advance(SignedDuration::from_mins(20));
    assert_eq!(read(lab.contacts_done().await), 3, "the service may still show changes of then");
    lab.advance(SignedDuration::from_hours(1));
    lab.contacts_done().await;
    lab.advance(SignedDuration::from_hours(1));
    assert_eq!(read(lab.contacts_done().await), 0);
    lab.patch("p2@x.example", |row| drop(row.fields.insert("LASTNAME".into(), "There".into()))).await;
    assert!(read(lab.contacts_done().await) > 0);
}
