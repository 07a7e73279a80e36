//! Bearer tokens: kept until shortly before they run out, renewed with one request at a time.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Code, Fault, Secret, Verdict};

/// What signs requests to the CRM.
#[async_trait]
pub trait Token: Send + Sync {
    /// A token that is good for the next request.
    ///
    /// # Errors
    /// [`Verdict::Hold`] for wrong credentials, [`Verdict::Retry`] when the identity provider is away.
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
/// After a refusal the same credentials are not tried again for this long, then twice as long, and so on.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// The tokens of one issuer.
pub struct Kept<I> {
    issuer: I,
    clock: Clock,
    state: Mutex<State>,
    /// Held by the one who asks the issuer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    refusal: Option<Refusal>,
}

#[derive(Clone)]
struct Held {
    token: Secret,
    due: Timestamp,
    expires: Timestamp,
}

/// Credentials that were refused.
#[derive(Clone)]
struct Refusal {
    code: Code,
    message: String,
    until: Timestamp,
    wait: SignedDuration,
}

/// What the state allows now.
enum Now {
    Good(Secret),
    /// Still good, but a new one should be fetched.
    Due(Secret),
    Refused(Fault),
    Nothing,
}

impl<I: Issue> Kept<I> {
    pub fn new(issuer: I, clock: Clock) -> Self {
        Kept { issuer, clock, state: Mutex::default(), asking: tokio::sync::Mutex::new(()) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        let (state, now) = (self.state(), self.clock.now());
        let held = state.held.as_ref().filter(|held| now < held.expires);
        let refusal = state.refusal.as_ref().filter(|refusal| now < refusal.until);
        match (held, refusal) {
            (Some(held), None) if now >= held.due => Now::Due(held.token.clone()),
            (Some(held), _) => Now::Good(held.token.clone()),
            (None, Some(refusal)) => Now::Refused(refusal.fault()),
            (None, None) => Now::Nothing,
        }
    }

    async fn ask(&self) -> Result<Secret, Fault> {
        match self.issuer.issue().await {
            Ok(issued) => Ok(self.keep(issued)),
            Err(fault) => {
                self.remember(&fault);
                // A token that still holds is better than none.
                match (self.now(), fault.verdict) {
                    (Now::Good(token) | Now::Due(token), _) => Ok(token),
                    _ => Err(fault),
                }
            }
        }
    }

    fn keep(&self, issued: Issued) -> Secret {
        let left = issued.expires.duration_since(self.clock.now());
        let ahead = AHEAD.min(left / 5);
        let due = issued.expires.checked_sub(ahead).unwrap_or(issued.expires);
        let held = Held { token: issued.token.clone(), due, expires: issued.expires };
        *self.state() = State { held: Some(held), refusal: None };
        issued.token
    }

    fn remember(&self, fault: &Fault) {
        if fault.verdict != Verdict::Hold {
            return;
        }
        let mut state = self.state();
        let wait = state.refusal.as_ref().map_or(FIRST_WAIT, |last| LONGEST_WAIT.min(last.wait * 2));
        let until = self.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX);
        state.refusal = Some(Refusal { code: fault.code, message: fault.message.clone(), until, wait });
    }
}

impl Refusal {
    fn fault(&self) -> Fault {
        let message = format!("{} (not tried again before {:.0})", self.message, self.until);
        Fault::new(Verdict::Hold, self.code, message)
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
        let mut state = self.state();
        if state.held.as_ref().is_some_and(|held| held.token.expose() == token.expose()) {
            state.held = None;
        }
    }
}
