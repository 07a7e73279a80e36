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
    keeper: Keeper<Secret>,
}

impl<I: Issue> Kept<I> {
    pub fn new(issuer: I, clock: Clock) -> Self {
        Kept { issuer, keeper: Keeper::new(clock, AHEAD) }
    }
}

#[async_trait]
impl<I: Issue> Token for Kept<I> {
    async fn bearer(&self) -> Result<Secret, Fault> {
        let ask = async { self.issuer.issue().await.map(|issued| (issued.token, issued.expires)) };
        self.keeper.good(ask).await
    }

    async fn refused(&self, token: &Secret) {
        self.keeper.forget(|held| held.expose() == token.expose());
    }
}

/// Keeps what one issuer gave, whatever it looks like.
pub(super) struct Keeper<T> {
    clock: Clock,
    /// A new one is asked for so long before the end of the old one, or when a fifth of its life is left.
    ahead: SignedDuration,
    held: Mutex<Option<Held<T>>>,
    caution: Caution,
    /// Held by the one who asks the issuer.
    asking: tokio::sync::Mutex<()>,
}

struct Held<T> {
    token: T,
    due: Timestamp,
    expires: Timestamp,
}

/// What is there now.
enum Now<T> {
    Good(T),
    /// Still good, but a new one should be fetched.
    Due(T),
    Refused(Fault),
    Nothing,
}

impl<T: Clone> Keeper<T> {
    pub fn new(clock: Clock, ahead: SignedDuration) -> Self {
        let caution = Caution::new(clock.clone());
        Keeper { clock, ahead, caution, held: Mutex::default(), asking: tokio::sync::Mutex::new(()) }
    }

    /// What is good for the next request; `ask` brings a new one and its end by our clock.
    pub async fn good(&self, ask: impl Future<Output = Result<(T, Timestamp), Fault>>) -> Result<T, Fault> {
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
            Now::Good(token) => return Ok(token),
            Now::Refused(fault) => return Err(fault),
            Now::Due(_) | Now::Nothing => {}
        }
        match self.caution.learn(ask.await) {
            Ok((token, expires)) => Ok(self.keep(token, expires)),
            // One that still holds is better than none.
            Err(fault) => match self.now() {
                Now::Good(token) | Now::Due(token) => Ok(token),
                Now::Refused(_) | Now::Nothing => Err(fault),
            },
        }
    }

    /// Forgets what is held when it is this one: it was refused.
    pub fn forget(&self, which: impl FnOnce(&T) -> bool) {
        self.held().take_if(|held| which(&held.token));
    }

    fn now(&self) -> Now<T> {
        let (held, now, allowed) = (self.held(), self.clock.now(), self.caution.allow());
        match (held.as_ref().filter(|held| now < held.expires), allowed) {
            (Some(held), Ok(())) if now >= held.due => Now::Due(held.token.clone()),
            (Some(held), _) => Now::Good(held.token.clone()),
            (None, Err(fault)) => Now::Refused(fault),
            (None, Ok(())) => Now::Nothing,
        }
    }

    fn keep(&self, token: T, expires: Timestamp) -> T {
        let left = expires.duration_since(self.clock.now());
        let due = expires.checked_sub(self.ahead.min(left / 5)).unwrap_or(expires);
        *self.held() = Some(Held { token: token.clone(), due, expires });
        token
    }

    fn held(&self) -> MutexGuard<'_, Option<Held<T>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
