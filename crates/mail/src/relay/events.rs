//! What the relay tells its operators. No addresses, no subjects, no words of the next hop: it may quote an address.

use std::time::Duration;

use metrics::{counter, histogram};
use postroom_core::{Accepted, Code, Fault, Verdict};
use tracing::{debug, error, warn};

/// What became of a mail's subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamping {
    Stamped,
    /// The stamper wants it as it is.
    Unchanged,
    /// A machine's mail, which is never stamped.
    Automatic,
    /// Its signature covers the subject.
    Signed,
    /// The header is too broken, or the subject too strange.
    Unwritable,
    /// The stamper did not answer in time.
    Late,
    /// The stamper panicked.
    Broke,
}

impl Stamping {
    fn as_str(self) -> &'static str {
        match self {
            Stamping::Stamped => "stamped",
            Stamping::Unchanged => "unchanged",
            Stamping::Automatic => "automatic",
            Stamping::Signed => "signed",
            Stamping::Unwritable => "unwritable",
            Stamping::Late => "late",
            Stamping::Broke => "broke",
        }
    }
}

/// A mail was looked at for stamping.
pub(super) struct Stamped {
    pub what: Stamping,
    pub took: Duration,
}

impl Stamped {
    pub fn emit(self) {
        let Stamped { what, took } = self;
        let word = what.as_str();
        counter!("postroom_relay_stamps_total", "result" => word).increment(1);
        histogram!("postroom_relay_stamp_seconds").record(took.as_secs_f64());
        let dur_ms = took.as_millis() as u64;
        match what {
            Stamping::Late | Stamping::Broke => {
                warn!(
                    event = "relay.unstamped",
                    result = word,
                    dur_ms,
                    "A user's mail goes on unstamped: {word}"
                );
            }
            _ => debug!(event = "relay.stamped", result = word, dur_ms, "A user's mail: {word}"),
        }
    }
}

/// A mail was passed on, or not. Why not is told by the listener.
pub(super) struct Passed<'a> {
    pub outcome: &'a Result<Accepted, Fault>,
    pub took: Duration,
}

impl Passed<'_> {
    pub fn emit(self) {
        let Passed { outcome, took } = self;
        let result = match outcome {
            Ok(_) => "passed",
            Err(fault) => match fault.verdict {
                Verdict::Reject => "refused",
                Verdict::Unknown => "unknown",
                Verdict::Retry { .. } | Verdict::Hold | Verdict::Bug => "later",
            },
        };
        counter!("postroom_relay_mails_total", "result" => result).increment(1);
        histogram!("postroom_relay_seconds").record(took.as_secs_f64());
        debug!(
            event = "relay.passed",
            result,
            dur_ms = took.as_millis() as u64,
            "A user's mail was handled: {result}"
        );
    }
}

/// A mail has left, and the store will never take it.
pub(super) struct NotRecorded<'a> {
    pub fault: &'a Fault,
}

impl NotRecorded<'_> {
    pub fn emit(self) {
        counter!("postroom_relay_not_recorded_total").increment(1);
        error!(
            event = "relay.not_recorded", code = %Code::RELAY_NOT_RECORDED, reason = %self.fault.code,
            "A user's mail left unrecorded: {}", self.fault.message
        );
    }
}
