//! A Dotdigital account, or several, that holds state: REST v2 and v3 as the vendor's OpenAPI file describes them, people
//! who act, and a log of every mail that somebody asked for.
//!
//! # What answers
//!
//! | part | paths | rules in |
//! | --- | --- | --- |
//! | account, time, data fields | `/v2/account-info`, `/v2/server-time`, `/v2/data-fields` | `field` |
//! | contacts, v2 | `/v2/contacts…`, scores, consent, suppression and back | `writing`, `suppression` |
//! | contacts, v3 | `/contacts/v3…`, `/configuration/v3/customIdentifiers` | the same |
//! | imports and bulk deletions | `/v2/contacts/import…`, `import-collection`, `/contacts/v3/import`, `/contacts/v3/delete` | `import` |
//! | lists and segments | `/v2/address-books…`, `/v2/segments…` | `list` |
//! | preferences | `/v2/preferences…`, `…/with-preference/…` | `writing` |
//! | campaigns, sends, reports | `/v2/campaigns…` | `campaign`, `sending`, `report` |
//! | forms, programs | `/v2/surveys…`, `/v2/programs…` | `form`, `program` |
//! | the same by SOAP, as far as it goes | `/v2/api.svc` | `soap` |
//! | single mails | `/v2/email…`, `/marketing-email/v3…` | `sending` |
//!
//! `rest::routes` is the whole list. Not here: SOAP's v1 (`api.asmx`), insight data, events, webhooks, firehose, SMS, documents, images,
//! templates, e-commerce, provisioning, XLS files, TLS.
//!
//! # How it works
//!
//! One state behind one lock ([`world`]); three listeners, one for each region, as three hosts; the wrong one answers 403,
//! but `account-info` answers on r1 for everybody. Handlers are plain functions under the lock. Before each answer the
//! world is *settled*: acts that were planned, sends that are due and jobs that were asked for often enough happen, in the
//! order of time. Time is an injected [`Clock`] and what [`Dotdigital::advance`] adds to it; nothing happens by itself.
//!
//! What goes wrong is a [`Switch`]. The same controls are a door for other programs: `control`.
//!
//! Sources: dotdigital.md A1 to A24 and A27; the OpenAPI file decides on names and statuses. What neither says is marked
//! *(inferred)* at its place.

mod account;
mod control;
mod fault;
mod limit;
mod rest;
mod serve;
mod soap;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use postroom_core::Clock;

pub use account::behaviour::{Act, Behaviour};
pub use account::contact::Status;
pub use account::form::{Answer as FormAnswer, Form, Page as FormPage, Question};
pub use account::import::Pace;
pub use account::list::Rule;
pub use account::program::ProgramStatus;
pub use account::sending::{MailKind, Mailing};
pub use control::{Arrangement, Person};
pub use fault::{Fault, ImportEnd, Switch};
pub use limit::Limit;
pub use rest::Tier;

use crate::thread::ServerThread;
use world::World;

/// One of the service's three homes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Region {
    /// Europe; tells everybody where they belong.
    #[default]
    R1,
    R2,
    R3,
}

/// What the service begins with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Not empty.
    pub accounts: Vec<AccountOptions>,
    pub behaviour: Behaviour,
    pub pace: Pace,
    /// Keeps the accounts from one start to the next. Written after each change: for small accounts.
    pub file: Option<PathBuf>,
}

/// An account.
#[derive(Debug, Clone, Default)]
pub struct AccountOptions {
    pub id: i32,
    pub name: String,
    pub region: Region,
    pub users: Vec<ApiUser>,
    /// Contacts that the plan pays for.
    pub most_contacts: Option<usize>,
}

/// An API user.
#[derive(Clone, Default)]
pub struct ApiUser {
    pub name: String,
    pub password: String,
    pub limit: Limit,
}

impl std::fmt::Debug for ApiUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiUser {:?}", self.name)
    }
}

impl Options {
    /// One account (id 1) in region 1, whose user `apiuser-demo@apiconnector.com` has this password.
    pub fn one_account(password: &str) -> Self {
        let user = ApiUser {
            name: "apiuser-demo@apiconnector.com".to_owned(),
            password: password.to_owned(),
            limit: Limit::None,
        };
        let account = AccountOptions {
            id: 1,
            name: "Demo".to_owned(),
            region: Region::R1,
            users: vec![user],
            most_contacts: None,
        };
        Options { accounts: vec![account], ..Options::default() }
    }
}

/// The service, listening. It ends with this value.
pub struct Dotdigital {
    world: Arc<World>,
    regions: [ServerThread; 3],
}

impl Dotdigital {
    /// Listens on three free ports of 127.0.0.1, one for each region.
    ///
    /// # Panics
    /// When the machine has no port or thread to spare.
    pub fn start(options: Options, clock: Clock) -> Self {
        let world = Arc::new(World::new(options, clock));
        let regions = [Region::R1, Region::R2, Region::R3].map(|region| {
            let world = Arc::clone(&world);
            ServerThread::start("dotdigital", move |stream| {
                serve::connection(stream, Arc::clone(&world), region)
            })
        });
        world.know(regions.each_ref().map(|thread| format!("http://{}", thread.address)));
        Dotdigital { world, regions }
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self, region: Region) -> String {
        format!("http://{}", self.regions[region as usize].address)
    }

    /// The service's time.
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Lets time pass, and everything happen that falls into it.
    pub fn advance(&self, by: SignedDuration) {
        self.world.advance(by);
    }

    /// Switches a fault on.
    pub fn fault(&self, switch: Switch) {
        self.world.with(|state| state.switches.push(switch));
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        self.world.with(|state| state.switches.clear());
    }

    /// People act differently from now on; what is planned stays.
    pub fn behave(&self, behaviour: Behaviour) {
        self.world.with(|state| state.behaviour = behaviour);
    }

    /// Limits an API user differently from now on.
    pub fn limit(&self, user: &str, limit: Limit) {
        self.world.with(|state| state.limit(user, limit));
    }

    /// Somebody does something now. An error says what is missing.
    pub fn act(
        &self,
        account: i32,
        email: &str,
        campaign: Option<i32>,
        act: Act,
    ) -> Result<(), &'static str> {
        self.world.settled(|state, now| {
            state.account(account).ok_or("there is no such account")?.act(now, email, campaign, act)
        })
    }

    /// Somebody did, or will do, something at this moment.
    pub fn act_at(
        &self,
        account: i32,
        at: Timestamp,
        email: &str,
        campaign: Option<i32>,
        act: Act,
    ) -> Result<(), &'static str> {
        self.world.settled(|state, now| {
            let account = state.account(account).ok_or("there is no such account")?;
            if at <= now {
                return account.act(at, email, campaign, act);
            }
            account.schedule_at(at, email.into(), campaign, act);
            Ok(())
        })
    }

    /// Makes what the API cannot make, and answers its id. An error says what is missing.
    pub fn arrange(&self, account: i32, arrangement: Arrangement) -> Result<i32, &'static str> {
        self.world.settled(|state, now| {
            arrangement.make(state.account(account).ok_or("there is no such account")?, now)
        })
    }

    /// Every mail that was asked for, in the order of time. Empty for an account that is not there.
    pub fn log(&self, account: i32) -> Vec<Mailing> {
        self.world
            .settled(|state, _| state.account(account).map(|account| account.log.clone()).unwrap_or_default())
    }

    /// A contact, as it stands.
    pub fn person(&self, account: i32, email: &str) -> Option<Person> {
        self.world.settled(|state, _| Person::of(state.account(account)?, email))
    }

    /// How many contacts there are, the suppressed among them.
    pub fn contacts(&self, account: i32) -> usize {
        self.world.settled(|state, _| state.account(account).map_or(0, |account| account.contacts.len()))
    }

    /// How often each operation (method and pattern) was called, refused calls too.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.world.with(|state| state.calls.clone())
    }

    /// Counts calls from nought again.
    pub fn forget_calls(&self) {
        self.world.with(|state| state.calls.clear());
    }

    /// Everything that is answered: method and pattern, `{}` for each capture.
    pub fn operations() -> impl Iterator<Item = (&'static str, &'static str)> {
        rest::ROUTES.iter().map(|route| (route.method, route.pattern))
    }
}
