//! What runs when, and how a run ends that could not do its work.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use postroom_core::Code;
use postroom_core::marketing::{ContactRow, Names};
use postroom_marketing::accounts;
use postroom_marketing::engine::{Account, Settings};
use postroom_marketing::sync::{RunState, SyncType, Window, plan};
use postroom_sandbox::dotdigital::{Act, Fault, Switch};

use crate::bench::{On, on_all};
use crate::lab::{ACCOUNT, Lab, service_with, start};

on_all!(
    opt_outs_run_by_themselves,
    opt_outs_run_outside_the_window,
    asked_while_it_runs,
    one_account_never_stops_another,
    a_wrong_password_is_noted_and_mended,
    what_is_away_is_tried_again_by_the_plan,
);

/// Only suppressions run by themselves.
fn only_opt_outs() -> Settings {
    let every = SyncType::ALL.iter().map(|sync_type| (*sync_type, None));
    let mut every: BTreeMap<_, _> = every.collect();
    every.insert(SyncType::Suppressions, Some(SignedDuration::from_mins(5)));
    Settings { every, ..Settings::default() }
}

impl Lab {
    async fn states(&self) -> Vec<(String, RunState)> {
        let mut runs = self.runs().await;
        runs.reverse();
        runs.into_iter().map(|run| (run.account, run.state)).collect()
    }

    async fn known(&self, account: &'static str) -> accounts::Known {
        let read =
            self.engine.store.read(move |tx| Box::pin(async move { accounts::known(tx, account).await }));
        let read: Result<_, postroom_store::Error> = read.await;
        read.unwrap()
    }

    async fn unsubscribed(&self, address: &str) {
        let names = Names { email: Some(address.to_owned()), ..Names::default() };
        let row = ContactRow { names, ..ContactRow::default() };
        self.account().service.patch_contact(&row, Default::default()).await.unwrap();
        self.world.act(1, address, None, Act::Unsubscribe).unwrap();
    }
}

async fn opt_outs_run_by_themselves(on: On) {
    let lab = Lab::with(on, only_opt_outs()).await;
    assert_eq!(lab.engine.plan().await.unwrap(), 1);
    assert_eq!(lab.engine.plan().await.unwrap(), 0, "one of a kind at a time");
    lab.work().await;
    lab.advance(SignedDuration::from_mins(4));
    assert_eq!(lab.engine.plan().await.unwrap(), 0);
    lab.advance(SignedDuration::from_mins(1));
    assert_eq!(lab.engine.plan().await.unwrap(), 1);
    lab.work().await;
    // What was missed in two days is not caught up with.
    lab.advance(SignedDuration::from_hours(48));
    assert_eq!(lab.engine.plan().await.unwrap(), 1);
    lab.work().await;
    assert_eq!(lab.engine.plan().await.unwrap(), 0);
    assert_eq!(lab.states().await, vec![(ACCOUNT.to_owned(), RunState::Done); 3]);
}

async fn opt_outs_run_outside_the_window(on: On) {
    let zone = TimeZone::UTC;
    let now = start().to_zoned(zone.clone()).time();
    let (from, to) = (now + SignedDuration::from_hours(2), now + SignedDuration::from_hours(3));
    let window = Some(Window { from, to, zone });
    let lab = Lab::with(on, Settings { window, ..Settings::default() }).await;
    // Suppressions, unsubscribes and preferences; everything else waits for its hours.
    assert_eq!(lab.engine.plan().await.unwrap(), 3);
    lab.advance(SignedDuration::from_hours(2));
    assert!(lab.engine.plan().await.unwrap() > 3);
}

async fn asked_while_it_runs(on: On) {
    let lab = Lab::with(on, only_opt_outs()).await;
    lab.engine.plan().await.unwrap();
    lab.engine.ask(ACCOUNT, SyncType::Suppressions, "anna").await.unwrap();
    assert_eq!(lab.engine.plan().await.unwrap(), 0);
    lab.work().await;
    // It was not forgotten.
    assert_eq!(lab.engine.plan().await.unwrap(), 1);
    lab.work().await;
    let asked: Vec<String> = lab.runs().await.into_iter().map(|run| run.asked).collect();
    assert_eq!(asked, ["anna", plan::SCHEDULE]);
}

async fn one_account_never_stops_another(on: On) {
    let mut lab = Lab::with(on, only_opt_outs()).await;
    let broken = Account {
        name: "broken".to_owned(),
        service: service_with(&lab.world, &lab.clock, "wrong", |_| {}),
        settings: lab.account().settings.clone(),
    };
    let mut accounts = BTreeMap::clone(&lab.engine.accounts);
    accounts.insert("broken".to_owned(), broken);
    lab.engine.accounts = Arc::new(accounts);
    assert_eq!(lab.engine.plan().await.unwrap(), 2);
    lab.work().await;
    let mut states = lab.states().await;
    states.sort();
    let expected = [("broken".to_owned(), RunState::Failed), (ACCOUNT.to_owned(), RunState::Done)];
    assert_eq!(states, expected);
    let broken = lab.known("broken").await;
    assert_eq!(broken.state, "bad_credentials", "{broken:?}");
    assert_eq!((broken.exchanged, lab.known(ACCOUNT).await.first_exchange.is_some()), (None, true));
}

async fn a_wrong_password_is_noted_and_mended(on: On) {
    let mut lab = Lab::with(on, only_opt_outs()).await;
    let right = lab.engine.accounts.clone();
    let wrong =
        Account { service: service_with(&lab.world, &lab.clock, "wrong", |_| {}), ..lab.account().clone() };
    lab.engine.accounts = Arc::new(BTreeMap::from([(ACCOUNT.to_owned(), wrong)]));
    let failed = lab.run(SyncType::Suppressions).await;
    assert_eq!((failed.state, failed.code), (RunState::Failed, Some(Code::MARKETING_SIGN_IN)));
    lab.engine.accounts = right;
    let done = lab.run(SyncType::Suppressions).await;
    assert_eq!(done.state, RunState::Done, "{done:?}");
    assert_eq!(lab.known(ACCOUNT).await.state, "connected");
}

async fn what_is_away_is_tried_again_by_the_plan(on: On) {
    let lab = Lab::with(on, only_opt_outs()).await;
    lab.contact(1, "anna@x.example").await;
    lab.unsubscribed("anna@x.example").await;
    lab.run(SyncType::Suppressions).await;
    lab.world.fault(Switch::always(Fault::Unavailable));
    lab.advance(SignedDuration::from_mins(5));
    lab.engine.plan().await.unwrap();
    lab.work().await;
    let failed = lab.last(SyncType::Suppressions).await;
    assert_eq!((failed.state, failed.code), (RunState::Failed, Some(Code::MARKETING_AWAY)), "{failed:?}");
    lab.world.clear_faults();
    lab.unsubscribed("bert@x.example").await;
    lab.advance(SignedDuration::from_mins(5));
    assert_eq!(lab.engine.plan().await.unwrap(), 1);
    lab.work().await;
    assert_eq!(lab.last(SyncType::Suppressions).await.state, RunState::Done);
    assert_eq!(lab.rows("esc_emailsupression").await.len(), 2);
}
