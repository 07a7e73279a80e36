//! What the flows work with: the store, the CRM, and the accounts of the service.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use postroom_core::marketing::{Marketing, Polling};
use postroom_core::{Clock, Code, Crm, Fault, Ids};
use postroom_jobs::Worker;
use postroom_store::Store;

use crate::lists::reconcile::Guard;
use crate::mandate::Mandate;
use crate::sends::{CrmRoles, Permits, Sender, SingleSender};
use crate::suppressions::OnSuppress;
use crate::sync::{SyncType, Window};

/// Everything that a flow needs. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub store: Store,
    pub clock: Clock,
    pub ids: Ids,
    pub crm: Arc<dyn Crm>,
    /// By the name that the configuration gives them.
    pub accounts: Arc<BTreeMap<String, Account>>,
    pub rules: Arc<Rules>,
    pub mandate: Arc<Mandate>,
}

/// An account of the service.
#[derive(Clone)]
pub struct Account {
    pub name: String,
    pub service: Arc<dyn Marketing>,
    pub settings: Arc<Settings>,
}

/// What an administrator sets for one account.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Sync types that run at other intervals than [`SyncType::every`]; `None` runs only when asked.
    pub every: BTreeMap<SyncType, Option<SignedDuration>>,
    /// Hours of the day outside of which nothing but opt-outs is begun by itself.
    pub window: Option<Window>,
    pub on_suppress: OnSuppress,
    /// Whose records are kept in step.
    pub scope: Scope,
    pub events: crate::events::Settings,
    pub forms: crate::forms::Settings,
}

/// Which records of the CRM the service is to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Members of marketing lists that are activated for e-mail.
    #[default]
    Lists,
    /// Every active contact, lead and account with an address.
    Everybody,
}

/// Rules over all accounts.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What may go in one run without a person's word.
    pub guard: Guard,
    /// How far behind the newest thing seen a stream begins again: the service's rows may come late.
    pub overlap: SignedDuration,
    /// How long after a change of a person the service may show it at the latest, by its own clock: what is older has been read.
    pub late: SignedDuration,
    /// Nothing is sent when the last whole exchange of opt-outs began longer ago.
    pub exchange_age: SignedDuration,
    /// Sends to more people wait for a second person.
    pub approval_over: u64,
    /// The share, in percent, by which the people found may differ from those expected.
    pub tolerance: u64,
    /// Who may ask for what.
    pub permits: Arc<dyn Permits>,
    /// How soon a send that waits for opt-outs looks whether they have come.
    pub soon: SignedDuration,
    /// When a running import is asked about again.
    pub polling: Polling,
    /// Questions about one import in one run; one that has not ended then is settled by a later run.
    pub questions: u32,
    /// An import of which nothing was heard for so long is given up, and its people are sent again.
    pub import_age: SignedDuration,
    /// What runs wrote on the CRM's records is kept for so long, so that it can be taken back.
    pub undo_age: SignedDuration,
    /// Writes that are kept at most, over all runs; the oldest runs are forgotten first. 0 keeps none.
    pub undo_rows: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            guard: Guard::default(),
            overlap: SignedDuration::from_mins(10),
            late: SignedDuration::from_mins(30),
            exchange_age: SignedDuration::from_mins(15),
            approval_over: 5000,
            tolerance: 0,
            permits: Arc::new(CrmRoles),
            soon: SignedDuration::from_secs(5),
            polling: Polling::default(),
            questions: 30,
            import_age: SignedDuration::from_hours(24),
            undo_age: SignedDuration::from_hours(30 * 24),
            undo_rows: 2_000_000,
        }
    }
}

impl Engine {
    /// What does the marketing half's jobs, for a [`postroom_jobs::Runner`].
    pub fn workers(&self) -> Vec<Arc<dyn Worker>> {
        vec![Arc::new(self.clone()), Arc::new(Sender(self.clone())), Arc::new(SingleSender(self.clone()))]
    }

    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// The account of this name.
    ///
    /// # Errors
    /// A refusal that says where the names are.
    pub fn named(&self, name: &str) -> Result<&Account, Fault> {
        self.account(name).ok_or_else(|| {
            let text = format!("no account is called {name}; look at: postroom marketing account list");
            Fault::reject(Code::CONFIG_INVALID, text)
        })
    }
}

impl Settings {
    /// Between two runs of a sync type; `None` when it runs only when asked.
    pub fn every(&self, sync_type: SyncType) -> Option<SignedDuration> {
        self.every.get(&sync_type).copied().unwrap_or_else(|| sync_type.every())
    }
}
