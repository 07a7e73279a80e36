//! The API user. Credentials that were refused rest for a while: the service locks users after a few wrong passwords.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Code, Fault, Secret, Verdict};

/// After a refusal the credentials rest this long, then twice as long, and so on.
const FIRST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// Name and password of an API user, as the service's own pages show them.
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub password: Secret,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Credentials with what is remembered of them.
pub(crate) struct Keys {
    credentials: Credentials,
    clock: Clock,
    /// Until when they rest, and for how long that was.
    rest: Mutex<Option<(Timestamp, SignedDuration)>>,
}

impl Keys {
    pub(crate) fn new(credentials: Credentials, clock: Clock) -> Keys {
        Keys { credentials, clock, rest: Mutex::default() }
    }

    /// The credentials, unless they rest.
    pub(crate) fn get(&self) -> Result<&Credentials, Fault> {
        match *self.rest.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((until, _)) if self.clock.now() < until => Err(refused(until)),
            _ => Ok(&self.credentials),
        }
    }

    /// The service took them.
    pub(crate) fn taken(&self) {
        *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The service refused them.
    pub(crate) fn refused(&self) -> Fault {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let length = rest.map_or(FIRST, |(_, last)| LONGEST.min(last * 2));
        let until = self.clock.now().checked_add(length).unwrap_or(Timestamp::MAX);
        *rest = Some((until, length));
        refused(until)
    }
}

fn refused(until: Timestamp) -> Fault {
    let text = format!(
        "Dotdigital refuses the API user: correct its name and password (not tried again before {until:.0})"
    );
    Fault::new(Verdict::Hold, Code::MARKETING_SIGN_IN, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_credentials_rest_longer_each_time() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let credentials = Credentials { user: "apiuser-1".into(), password: Secret::new("hunter2") };
        let keys = Keys::new(credentials, clock.clone());
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(keys.get().is_ok());
            assert_eq!(keys.refused().verdict, Verdict::Hold);
            clock.advance(SignedDuration::from_mins(minutes) - SignedDuration::from_secs(1));
            assert_eq!(keys.get().unwrap_err().code, Code::MARKETING_SIGN_IN);
            clock.advance(SignedDuration::from_secs(1));
        }
        keys.taken();
        keys.refused();
        clock.advance(FIRST);
        assert!(keys.get().is_ok(), "a success forgets");
        assert!(!format!("{:?}", keys.credentials).contains("hunter2"));
    }
}
