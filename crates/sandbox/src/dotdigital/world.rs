//! The one state behind the one lock: accounts, users, switches, and time that passes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Ids};
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::account::behaviour::Behaviour;
use super::account::import::Pace;
use super::fault::Switch;
use super::limit::{Limit, Meter};
use super::{Options, Region};

/// Wrong passwords in a row that lock a user.
const MOST_TRIES: u32 = 5;
/// How long a user stays locked.
const LOCK: SignedDuration = SignedDuration::from_mins(30);

pub(super) struct World {
    pub ids: Ids,
    clock: Clock,
    file: Option<PathBuf>,
    /// The regions' addresses, known once they listen.
    endpoints: OnceLock<[String; 3]>,
    state: Mutex<State>,
}

/// What changes.
pub(super) struct State {
    pub kept: Kept,
    pub users: Vec<User>,
    pub regions: BTreeMap<i32, Region>,
    pub switches: Vec<Switch>,
    pub behaviour: Behaviour,
    pub pace: Pace,
    pub calls: BTreeMap<String, u64>,
    /// Bytes of bodies, by operation.
    pub received: BTreeMap<String, u64>,
}

/// What survives in the file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub accounts: BTreeMap<i32, Account>,
    /// By which the service's time is ahead of the clock.
    ahead: SignedDuration,
}

/// An API user and what it did.
pub(super) struct User {
    pub name: String,
    password: String,
    pub account: i32,
    pub limit: Limit,
    pub meter: Meter,
    bad_tries: u32,
    locked_until: Option<Timestamp>,
}

impl State {
    pub fn account(&mut self, id: i32) -> Option<&mut Account> {
        self.kept.accounts.get_mut(&id)
    }

    pub fn limit(&mut self, user: &str, limit: Limit) {
        for known in self.users.iter_mut().filter(|known| known.name == user) {
            (known.limit, known.meter) = (limit, Meter::default());
        }
    }

    /// The place of the user who signs in with this. Too many wrong passwords lock the user.
    pub fn sign_in(&mut self, name: &str, password: &str, now: Timestamp) -> Option<usize> {
        let place = self.users.iter().position(|user| user.name.eq_ignore_ascii_case(name))?;
        let user = &mut self.users[place];
        if user.locked_until.is_some_and(|until| now < until) {
            return None;
        }
        if user.password == password {
            user.bad_tries = 0;
            return Some(place);
        }
        user.bad_tries += 1;
        if user.bad_tries >= MOST_TRIES {
            (user.bad_tries, user.locked_until) = (0, Some(now + LOCK));
        }
        None
    }

    /// Lets everything happen that is due.
    pub fn settle(&mut self, now: Timestamp) {
        let State { kept, pace, behaviour, .. } = self;
        for account in kept.accounts.values_mut() {
            loop {
                let act = account.planned.first().map(|planned| planned.at);
                let send = account.next_send(pace);
                let due = act.into_iter().chain(send.map(|(at, _)| at)).min();
                if due.is_none_or(|due| due > now) {
                    break;
                }
                match send.filter(|(at, _)| act.is_none_or(|act| *at < act)) {
                    Some((at, id)) => account.step_send(id, behaviour, pace, at),
                    None => {
                        if let Some(planned) = account.planned.pop_first() {
                            // What is no longer possible (a campaign that was deleted) does not happen.
                            let _ = account.act(planned.at, &planned.email, planned.campaign, planned.act);
                        }
                    }
                }
            }
            account.settle_jobs(pace, now);
            account.settle_enrolments(pace, behaviour, now);
        }
    }
}

impl World {
    pub fn new(options: Options, clock: Clock) -> Self {
        let file = options.file;
        let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        let kept = text.and_then(|text| serde_json::from_str::<Kept>(&text).ok());
        let mut kept = kept.unwrap_or(Kept { accounts: BTreeMap::new(), ahead: SignedDuration::ZERO });
        let (mut users, mut regions) = (Vec::new(), BTreeMap::new());
        for account in options.accounts {
            let known =
                kept.accounts.entry(account.id).or_insert_with(|| Account::new(account.id, &account.name));
            known.most_contacts = account.most_contacts;
            regions.insert(account.id, account.region);
            users.extend(account.users.into_iter().map(|user| User {
                name: user.name,
                password: user.password,
                account: account.id,
                limit: user.limit,
                meter: Meter::default(),
                bad_tries: 0,
                locked_until: None,
            }));
        }
        let state = State {
            kept,
            users,
            regions,
            switches: Vec::new(),
            behaviour: options.behaviour,
            pace: options.pace,
            calls: BTreeMap::new(),
            received: BTreeMap::new(),
        };
        World { ids: Ids::random(), clock, file, endpoints: OnceLock::new(), state: Mutex::new(state) }
    }

    pub fn know(&self, endpoints: [String; 3]) {
        // Set once, by the start.
        let _ = self.endpoints.set(endpoints);
    }

    pub fn endpoint(&self, region: Region) -> &str {
        self.endpoints.get().map_or("", |all| &all[region as usize])
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Timestamp {
        let ahead = self.state().kept.ahead;
        self.time(ahead)
    }

    fn time(&self, ahead: SignedDuration) -> Timestamp {
        self.clock.now().checked_add(ahead).unwrap_or(Timestamp::MAX)
    }

    /// Under the lock.
    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state())
    }

    /// Under the lock, with everything done that is due before and after.
    pub fn settled<T>(&self, work: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let mut state = self.state();
        let now = self.time(state.kept.ahead);
        state.settle(now);
        work(&mut state, now)
    }

    pub fn advance(&self, by: SignedDuration) {
        let mut state = self.state();
        state.kept.ahead = state.kept.ahead.saturating_add(by);
        let now = self.time(state.kept.ahead);
        state.settle(now);
    }

    /// Writes the file, if there is one: a whole new one in the place of the old.
    pub fn keep(&self) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let text = serde_json::to_vec(&self.state().kept)?;
        let new = file.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(new, file)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.keep();
    }
}
