//! Two accounts of the service beside one CRM, and jobs by the lab's own clock: nothing waits for the machine's time, so that
//! a step costs what its calls cost. A retry is due when the model lets time pass; only the jobs of a process that was killed
//! wait for a lease, which is short.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use postroom_core::marketing::Status;
use postroom_core::{Change, ChangeSet, Crm, Ids, Record, RecordRef};
use postroom_embedded::messages::{Message, Parameter, prepare};
use postroom_embedded::seed;
use postroom_jobs::counts::backlog;
use postroom_jobs::{Options as Jobs, Runner};
use postroom_marketing::engine::{Account, Scope, Settings};
use postroom_marketing::suppressions::rows::{self, Origin, SaidOut};
use postroom_marketing::sync::{Run, SyncType, look};
use postroom_sandbox::dotdigital::{
    AccountOptions, ApiUser, Dotdigital as StandIn, Limit, Options as Service, Region,
};
use postroom_testkit::poll;
use tokio_util::sync::CancellationToken;

use crate::bench::On;
use crate::lab::{Lab, PASSWORD, service_for};

/// Name, number at the service, API user, whose records it keeps in step.
pub const ACCOUNTS: [(&str, i32, &str, Scope); 2] = [
    ("main", 1, "apiuser-demo@apiconnector.com", Scope::Lists),
    ("other", 2, "apiuser-other@apiconnector.com", Scope::Everybody),
];

/// After which a process that does not move is taken for dead: there is never another one that works.
const LEASE: Duration = Duration::from_millis(40);

fn accounts() -> Service {
    let account = |(name, id, user, _): (&str, i32, &str, Scope)| AccountOptions {
        id,
        name: name.to_owned(),
        region: Region::R1,
        users: vec![ApiUser { name: user.to_owned(), password: PASSWORD.to_owned(), limit: Limit::None }],
        most_contacts: None,
    };
    Service { accounts: ACCOUNTS.map(account).into(), ..Service::default() }
}

impl Lab {
    /// Nothing of the schedule's own, and any number is right: not the numbers are tried here.
    pub async fn consent_lab(on: On) -> Lab {
        let mut lab = Lab::new(on).await;
        lab.rule(|rules| (rules.tolerance, rules.guard.number) = (1_000_000, 1_000_000));
        lab.world = StandIn::start(accounts(), lab.clock.clone());
        let never = SyncType::ALL.iter().map(|sync_type| (*sync_type, None)).collect::<BTreeMap<_, _>>();
        let account = |(name, _, user, scope): (&str, i32, &str, Scope)| {
            let settings = Settings { every: never.clone(), scope, ..Settings::default() };
            let service = service_for(&lab.world, &lab.clock, user);
            (name.to_owned(), Account { name: name.to_owned(), service, settings: Arc::new(settings) })
        };
        lab.engine.accounts = Arc::new(ACCOUNTS.map(account).into());
        lab
    }

    fn consent_runner(&self, lease: Duration) -> Runner {
        let options = Jobs { poll: Duration::from_millis(5), ..Jobs::with_lease(lease) };
        let (store, clock, ids) = (self.engine.store.clone(), self.clock.clone(), self.engine.ids.clone());
        Runner::new(store, clock, ids, self.engine.workers(), options)
    }

    /// Does every job that is due.
    pub async fn consent_jobs(&self) {
        self.consent_runner(Duration::from_secs(60)).drain_due().await.unwrap();
    }

    /// Writes the run and its job. One that is on its way is left to go on.
    pub async fn consent_begin(&self, account: &str, sync_type: SyncType) {
        self.engine.ask(account, sync_type, "anna").await.unwrap();
        self.engine.plan().await.unwrap();
    }

    /// The last run of a sync type, after every job that is due.
    pub async fn consent_run(&self, account: &str, sync_type: SyncType) -> Run {
        self.consent_begin(account, sync_type).await;
        self.consent_jobs().await;
        let account = account.to_owned();
        let last = self
            .engine
            .store
            .read(move |tx| Box::pin(async move { look::last(tx, &account, sync_type).await }));
        let last: Result<_, postroom_store::Error> = last.await;
        last.unwrap().unwrap()
    }

    /// Does jobs for so long, and dies in the middle; the next process takes over what was left. Answers whether it died.
    pub async fn consent_killed(&self, alive: Duration) -> bool {
        let died = tokio::time::timeout(alive, self.consent_jobs()).await.is_err();
        if self.consent_leased().await > 0 {
            let stop = CancellationToken::new();
            let mut next = Box::pin(self.consent_runner(LEASE).run(stop.clone()));
            let patience = Duration::from_secs(60);
            tokio::select! {
                ended = &mut next => ended.unwrap(),
                taken = poll::until_async(patience, async || self.consent_leased().await == 0) => assert!(taken),
            }
            stop.cancel();
            next.await.unwrap();
        }
        died
    }

    async fn consent_leased(&self) -> u64 {
        backlog(&self.engine.store).await.unwrap().kinds.values().map(|counts| counts.leased).sum()
    }

    /// What a user does with a button of the CRM; false when the CRM refuses.
    pub async fn consent_message(&self, name: &str, parameters: Vec<(&str, Parameter)>) -> bool {
        let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let message = Message { name: name.to_owned(), target: None, parameters };
        let session = self.crm.session(seed::ADMINISTRATOR);
        match prepare(&session, &Ids::random(), message).await {
            Ok(prepared) => {
                let sets = vec![ChangeSet { changes: prepared.changes }];
                self.crm.apply(sets).await.remove(0).is_ok()
            }
            Err(_) => false,
        }
    }

    /// False when the CRM keeps it, as something else needs it.
    pub async fn consent_delete(&self, at: &RecordRef) -> bool {
        let changes = vec![Change::Delete(at.clone())];
        self.crm.apply(vec![ChangeSet { changes }]).await.remove(0).is_ok()
    }

    /// The account's row in the CRM.
    /// Somebody is read in from a list of people who opted out.
    pub async fn consent_noted(&self, account: &str, address: &str) {
        let (ids, now, account) = (self.engine.ids.clone(), self.clock.now(), account.to_owned());
        let said = SaidOut {
            address: address.to_owned(),
            status: Status::Unsubscribed,
            at: now,
            contact: None,
            source: "a list".to_owned(),
            actor: "anna".to_owned(),
        };
        let taken = self.engine.store.write("marketing.suppressed_by_hand", move |tx| {
            Box::pin(async move { rows::take(tx, &ids, now, &account, Origin::Here, &[said]).await })
        });
        let taken: Result<rows::Written, postroom_store::Error> = taken.await;
        taken.unwrap();
    }

    pub async fn consent_account(&self, name: &str) -> RecordRef {
        let account = self.engine.account(name).unwrap();
        self.engine.connect(account).await.unwrap().row()
    }

    /// A list of an account, of contacts (2) or leads (4).
    pub async fn consent_list(&self, number: u128, account: &str, of: i32) -> RecordRef {
        let list = RecordRef::new("list", uuid::Uuid::from_u128(0x1157_0000 + number));
        let row = Record::new(list.clone())
            .with("listname", format!("List {number}"))
            .with("createdfromcode", of)
            .with("type", false)
            .with("esc_activatedforemail", true)
            .with("esc_emailaccountid", self.consent_account(account).await);
        self.write(row).await;
        list
    }
}
