//! Bearer tokens: kept until shortly before they run out, renewed with one request at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Fault, Secret};

use super::caution::Caution;

/// What signs requests to the CRM.
#[async_trait]
pub trait Token: Send + Sync {
    /// A token that is good for the next request.
    ///
    /// # Errors
    /// `Verdict::Hold` for wrong credentials, `Verdict::Retry` when the identity provider is away.
    async fn bearer(&self) -> Result<Secret, Fault>;

    /// The CRM refused this token (401): the next [`Token::bearer`] gives another one, if it can.
    async fn refused(&self, _token: &Secret) {}
}

/// A token as its issuer gives it.
#[derive(Debug, Clone)]
pub struct Issued {
    pub token: Secret,
    /// By our own clock.
    pub expires: Timestamp,
}

/// Somebody who issues tokens.
#[async_trait]
pub trait Issue: Send + Sync {
    async fn issue(&self) -> Result<Issued, Fault>;
}

/// A new token is asked for when less than this is left of the old one, or a fifth of its life.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// The tokens of one issuer.
pub struct Kept<I> {
    issuer: I,
    clock: Clock,
    held: Mutex<Option<Held>>,
    caution: Caution,
    /// Held by the one who asks the issuer.
    asking: tokio::sync::Mutex<()>,
}

struct Held {
    token: Secret,
    due: Timestamp,
    expires: Timestamp,
}

/// What is there now.
enum Now {
    Good(Secret),
    /// Still good, but a new one should be fetched.
    Due(Secret),
    Refused(Fault),
    Nothing,
}

impl<I: Issue> Kept<I> {
    pub fn new(issuer: I, clock: Clock) -> Self {
        let caution = Caution::new(clock.clone());
        Kept { issuer, clock, held: Mutex::default(), caution, asking: tokio::sync::Mutex::new(()) }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        let (held, now, allowed) = (self.held(), self.clock.now(), self.caution.allow());
        match (held.as_ref().filter(|held| now < held.expires), allowed) {
            (Some(held), Ok(())) if now >= held.due => Now::Due(held.token.clone()),
            (Some(held), _) => Now::Good(held.token.clone()),
            (None, Err(fault)) => Now::Refused(fault),
            (None, Ok(())) => Now::Nothing,
        }
    }

    async fn ask(&self) -> Result<Secret, Fault> {
        match self.caution.learn(self.issuer.issue().await) {
            Ok(issued) => Ok(self.keep(issued)),
            // A token that still holds is better than none.
            Err(fault) => match self.now() {
                Now::Good(token) | Now::Due(token) => Ok(token),
                Now::Refused(_) | Now::Nothing => Err(fault),
            },
        }
    }

    fn keep(&self, issued: Issued) -> Secret {
        let left = issued.expires.duration_since(self.clock.now());
        let ahead = AHEAD.min(left / 5);
        let due = issued.expires.checked_sub(ahead).unwrap_or(issued.expires);
        *self.held() = Some(Held { token: issued.token.clone(), due, expires: issued.expires });
        issued.token
    }
}

#[async_trait]
impl<I: Issue> Token for Kept<I> {
    async fn bearer(&self) -> Result<Secret, Fault> {
        let _asking = match self.now() {
            Now::Good(token) => return Ok(token),
            Now::Refused(fault) => return Err(fault),
            // One renews; the others go on with what they have.
            Now::Due(token) => match self.asking.try_lock() {
                Ok(asking) => asking,
                Err(_) => return Ok(token),
            },
            Now::Nothing => self.asking.lock().await,
        };
        match self.now() {
            // Somebody else asked while we waited.
            Now::Good(token) => Ok(token),
            Now::Refused(fault) => Err(fault),
            Now::Due(_) | Now::Nothing => self.ask().await,
        }
    }

    async fn refused(&self, token: &Secret) {
        let mut held = self.held();
        if held.as_ref().is_some_and(|held| held.token.expose() == token.expose()) {
            *held = None;
        }
    }
}
