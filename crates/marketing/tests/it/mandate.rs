//! Who may work on an organisation, and when: nothing leaves a database that came from a backup, nor beside another connector.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use jiff::SignedDuration;
use postroom_core::{Code, Fault, Record, RecordRef, Verdict};
use postroom_marketing::mandate::{Mandate, Open, Outlet};
use postroom_marketing::sends::state::State;
use postroom_marketing::solution::mark::{self, Connector};
use postroom_marketing::sync::{RunState, SyncType};

use crate::bench::{On, on_all};
use crate::lab::{Lab, connector};

on_all!(
    in_safe_mode_nothing_leaves,
    a_run_on_anothers_organisation_writes_nothing,
    an_organisation_without_a_mark_gets_ours,
    the_mark_says_when_we_last_worked,
);

/// An outlet with a lid.
struct Lid(Arc<AtomicBool>);

#[async_trait]
impl Outlet for Lid {
    async fn open(&self) -> Result<(), Fault> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(Fault::new(Verdict::Hold, Code::SAFE_MODE, "a lid is on it")),
            false => Ok(()),
        }
    }
}

async fn in_safe_mode_nothing_leaves(on: On) {
    let mut lab = Lab::new(on).await;
    let shut = Arc::new(AtomicBool::new(false));
    lab.engine.mandate = Arc::new(Mandate::new(connector(), Lid(shut.clone())));
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.minute().await;
    // Runs and a send are on their way when the database is taken from a backup.
    lab.begin(SyncType::Lists).await;
    lab.world.forget_calls();
    shut.store(true, Ordering::SeqCst);
    lab.work().await;
    let run = lab.last(SyncType::Lists).await;
    assert_eq!((run.state, run.code), (RunState::Failed, Some(Code::SAFE_MODE)));
    lab.minutes(6).await;
    assert_eq!(lab.begin_all_asked().await, 0, "nothing begins, not even what was asked for");
    lab.engine.erase_person("anna@x.example", "anna").await.unwrap_err();
    assert!(lab.world.calls().is_empty(), "{:?}", lab.world.calls());
    // The reconciliation is confirmed, and everything goes on where it was.
    shut.store(false, Ordering::SeqCst);
    lab.until(send, State::Sent).await;
    assert_eq!(lab.mailed(campaign.id).len(), 3);
    lab.judge();
}

async fn a_run_on_anothers_organisation_writes_nothing(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request(1, &campaign, &list, 3).await;
    lab.minute().await;
    let other = Connector { id: "other".to_owned(), name: "https://other.example".to_owned() };
    mark::write(&lab.crm, &other, lab.clock.now(), true).await.unwrap();
    lab.world.forget_calls();
    lab.advance(SignedDuration::from_mins(10));
    let run = lab.run(SyncType::Contacts).await;
    assert_eq!((run.state, run.code), (RunState::Failed, Some(Code::CRM_SOLUTION)));
    assert!(run.reason.unwrap().contains("https://other.example"));
    lab.minutes(6).await;
    assert!(lab.world.calls().is_empty(), "{:?}", lab.world.calls());
    assert!(lab.mailed(campaign.id).is_empty());
    // Taken over, it goes on.
    mark::write(&lab.crm, &connector(), lab.clock.now(), true).await.unwrap();
    lab.until(send, State::Sent).await;
    lab.judge();
}

async fn an_organisation_without_a_mark_gets_ours(on: On) {
    let lab = Lab::new(on).await;
    let marked = lab.rows("esc_emailcampaignconfiguration").await.remove(0);
    lab.delete(&marked.at).await;
    assert_eq!(lab.run(SyncType::Suppressions).await.state, RunState::Done);
    assert_eq!(mark::read(&lab.crm).await.unwrap().unwrap().connector, connector());
}

async fn the_mark_says_when_we_last_worked(on: On) {
    let mut lab = Lab::new(on).await;
    lab.advance(SignedDuration::from_hours(1));
    lab.run(SyncType::Suppressions).await;
    let first = lab.clock.now();
    lab.advance(SignedDuration::from_mins(2));
    lab.run(SyncType::Suppressions).await;
    assert_eq!(
        mark::read(&lab.crm).await.unwrap().unwrap().heartbeat,
        Some(first),
        "a look every few minutes"
    );
    lab.advance(SignedDuration::from_mins(3));
    lab.run(SyncType::Suppressions).await;
    assert_eq!(mark::read(&lab.crm).await.unwrap().unwrap().heartbeat, Some(lab.clock.now()));
    // A row that another program keeps is a mark as well.
    let strange = RecordRef::new("esc_emailcampaignconfiguration", uuid::Uuid::from_u128(7));
    lab.write(Record::new(strange).with("esc_name", "Somebody")).await;
    lab.engine.mandate = Arc::new(Mandate::new(connector(), Open));
    assert_eq!(lab.run(SyncType::Suppressions).await.code, Some(Code::CRM_SOLUTION));
}
