//! Credentials that were refused are not tried again at once: directories lock accounts after a few wrong passwords.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Code, Fault, Verdict};

/// After a refusal the same credentials rest for this long, then twice as long, and so on.
const FIRST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// What is remembered of one set of credentials.
pub(super) struct Caution {
    clock: Clock,
    refusal: Mutex<Option<Refusal>>,
}

struct Refusal {
    message: String,
    until: Timestamp,
    rest: SignedDuration,
}

impl Caution {
    pub fn new(clock: Clock) -> Self {
        Caution { clock, refusal: Mutex::default() }
    }

    fn refusal(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last refusal again, while the credentials rest.
    pub fn allow(&self) -> Result<(), Fault> {
        match &*self.refusal() {
            Some(refusal) if self.clock.now() < refusal.until => {
                let message = format!("{} (not tried again before {:.0})", refusal.message, refusal.until);
                Err(Fault::new(Verdict::Hold, Code::CRM_SIGN_IN, message))
            }
            _ => Ok(()),
        }
    }

    /// Learns from how a sign-in ended, and hands that on.
    pub fn learn<T>(&self, ended: Result<T, Fault>) -> Result<T, Fault> {
        let mut refusal = self.refusal();
        match &ended {
            Ok(_) => *refusal = None,
            Err(fault) if fault.code == Code::CRM_SIGN_IN => {
                let rest = refusal.as_ref().map_or(FIRST, |last| LONGEST.min(last.rest * 2));
                let until = self.clock.now().checked_add(rest).unwrap_or(Timestamp::MAX);
                *refusal = Some(Refusal { message: fault.message.clone(), until, rest });
            }
            Err(_) => {}
        }
        ended
    }
}
