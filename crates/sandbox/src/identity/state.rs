//! What the provider knows and has issued.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Ids};
use ring::rand::{SecureRandom, SystemRandom};

use super::jwt::Signer;
use super::{Application, Options, Trouble, User};

pub(super) struct State {
    pub options: Options,
    pub signer: Signer,
    pub ids: Ids,
    clock: Clock,
    changing: Mutex<Changing>,
}

#[derive(Default)]
struct Changing {
    trouble: Option<Trouble>,
    skew: SignedDuration,
    asked: usize,
    issued: usize,
    /// By the token itself.
    bearers: HashMap<String, Issued>,
    /// By key identifier.
    keys: HashMap<String, (Issued, Vec<u8>)>,
    /// Assertions that were used: each is good once.
    assertions: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Issued {
    pub to: String,
    pub resource: String,
    pub expires: Timestamp,
}

/// Addresses are the same with and without a slash at the end.
pub(super) fn same_resource(a: &str, b: &str) -> bool {
    a.trim_end_matches('/').eq_ignore_ascii_case(b.trim_end_matches('/'))
}

impl State {
    pub fn new(options: Options, clock: Clock) -> Self {
        State { options, signer: Signer::new(), ids: Ids::random(), clock, changing: Mutex::default() }
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Timestamp {
        let skew = self.changing().skew;
        self.clock.now().checked_add(skew).unwrap_or(Timestamp::MAX)
    }

    pub fn set_trouble(&self, trouble: Option<Trouble>) {
        self.changing().trouble = trouble;
    }

    pub fn set_skew(&self, skew: SignedDuration) {
        self.changing().skew = skew;
    }

    pub fn trouble(&self) -> Option<Trouble> {
        self.changing().trouble.clone()
    }

    pub fn count_question(&self) {
        self.changing().asked += 1;
    }

    pub fn asked(&self) -> usize {
        self.changing().asked
    }

    pub fn issued(&self) -> usize {
        self.changing().issued
    }

    pub fn revoke_all(&self) {
        let mut changing = self.changing();
        changing.bearers.clear();
        changing.keys.clear();
    }

    pub fn application(&self, client_id: &str) -> Option<&Application> {
        self.options.applications.iter().find(|known| known.client_id.eq_ignore_ascii_case(client_id))
    }

    pub fn user(&self, name: &str, password: &str) -> Option<&User> {
        let known = self.options.users.iter().find(|known| known.name.eq_ignore_ascii_case(name));
        known.filter(|known| known.password == password)
    }

    pub fn knows_resource(&self, resource: &str) -> bool {
        self.options.resources.iter().any(|known| same_resource(known, resource))
    }

    pub fn keep_bearer(&self, token: &str, issued: Issued) {
        let mut changing = self.changing();
        changing.issued += 1;
        changing.bearers.insert(token.to_owned(), issued);
    }

    pub fn keep_key(&self, key: &str, issued: Issued, secret: Vec<u8>) {
        let mut changing = self.changing();
        changing.issued += 1;
        changing.keys.insert(key.to_owned(), (issued, secret));
    }

    pub fn key(&self, key: &str) -> Option<(Issued, Vec<u8>)> {
        self.changing().keys.get(key).cloned()
    }

    /// False when an assertion with this id was used before.
    pub fn first_use(&self, assertion: &str) -> bool {
        let mut changing = self.changing();
        let fresh = !changing.assertions.iter().any(|used| used == assertion);
        changing.assertions.push(assertion.to_owned());
        fresh
    }

    pub fn bearer(&self, token: &str, resource: &str) -> Option<String> {
        let now = self.now();
        let changing = self.changing();
        let issued = changing.bearers.get(token)?;
        (now < issued.expires && same_resource(&issued.resource, resource)).then(|| issued.to.clone())
    }
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system has random numbers");
    bytes
}
