//! How many connections a server is burdened with, so that five hundred mailboxes on one server neither storm it at the
//! start nor wait for one of them; and how often a login is tried that the server refuses, whichever mailbox uses it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::super::account::Auth;
use super::pause::Pauses;

/// One server, as all its mailboxes share it.
#[derive(Debug)]
pub struct Server {
    /// Connections that may be open.
    pub seats: Semaphore,
    /// Sign-ins that may be under way.
    pub doors: Semaphore,
    /// Every mailbox may keep its connection while it waits for news; else they take turns.
    pub keep: bool,
    /// By user and password.
    logins: Mutex<HashMap<(String, u64), Arc<Login>>>,
}

impl Server {
    /// The login of an account, shared with all who use the same.
    pub fn login(&self, auth: &Auth) -> Arc<Login> {
        let mut hasher = DefaultHasher::new();
        // Another password for the same user may be the right one.
        match auth {
            Auth::Password { password, .. } | Auth::Master { password, .. } => {
                password.expose().hash(&mut hasher);
            }
            Auth::Token { .. } => {}
        }
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.entry((auth.login(), hasher.finish())).or_default().clone()
    }
}

/// One login: five hundred mailboxes may share it, and servers lock it after a few refusals.
#[derive(Debug, Default)]
pub struct Login {
    standing: Mutex<Standing>,
    /// Held by the one who tries a login that nobody has got in with since it was refused.
    pub turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Standing {
    /// Somebody got in, and nobody was refused since.
    is_good: bool,
    /// Refusals in a row, those of tries at the same time counted once.
    refusals: usize,
    /// Until when nobody tries, and what the server said.
    barred: Option<(Instant, String)>,
}

impl Login {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the server said, while nobody may try.
    pub fn barred(&self) -> Option<String> {
        let standing = self.standing();
        let (until, text) = standing.barred.as_ref()?;
        (*until > Instant::now()).then(|| text.clone())
    }

    /// Whether all may try at once.
    pub fn is_good(&self) -> bool {
        self.standing().is_good
    }

    pub fn accepted(&self) {
        *self.standing() = Standing { is_good: true, ..Standing::default() };
    }

    pub fn refused(&self, text: &str, pauses: &Pauses) {
        let mut standing = self.standing();
        let now = Instant::now();
        if standing.barred.as_ref().is_some_and(|(until, _)| *until > now) {
            return;
        }
        let until = now + pauses.after_refusal(standing.refusals);
        *standing = Standing {
            is_good: false,
            refusals: standing.refusals + 1,
            barred: Some((until, text.to_owned())),
        };
    }

    /// How long to wait, and whether a person must look at it: all intervals were used up.
    pub fn pause(&self, pauses: &Pauses) -> (Duration, bool) {
        let standing = self.standing();
        let left = standing.barred.as_ref().map(|(until, _)| until.duration_since(Instant::now()));
        (left.unwrap_or_default(), standing.refusals >= pauses.sign_in.len())
    }
}

/// The servers of all mailboxes.
pub fn servers<'a>(
    mailboxes: impl Iterator<Item = &'a str>,
    connections: usize,
    sign_ins: usize,
) -> HashMap<String, Arc<Server>> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for server in mailboxes {
        *counts.entry(server.to_owned()).or_default() += 1;
    }
    let make = |(name, count): (String, usize)| {
        let server = Server {
            seats: Semaphore::new(connections.max(1)),
            doors: Semaphore::new(sign_ins.max(1)),
            keep: count <= connections.max(1),
            logins: Mutex::default(),
        };
        (name, Arc::new(server))
    };
    counts.into_iter().map(make).collect()
}
