//! How long to wait after a failure: growing, and different for each mailbox, so that five hundred do not come at once.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use super::super::error::Remedy;

/// Pauses after failures.
#[derive(Debug, Clone)]
pub struct Pauses {
    /// After each refused sign-in; the last one stays.
    pub sign_in: Vec<Duration>,
    /// After the first failure of the network; doubles.
    pub network: Duration,
    pub network_longest: Duration,
    /// After a failure that a person must mend.
    pub person: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses {
            sign_in: [1, 5, 15, 60].map(|minutes| Duration::from_secs(minutes * 60)).to_vec(),
            network: Duration::from_secs(1),
            network_longest: Duration::from_secs(60),
            person: Duration::from_secs(15 * 60),
        }
    }
}

/// Counts the failures of one mailbox.
#[derive(Debug, Default)]
pub struct Failures {
    sign_in: usize,
    network: u32,
}

impl Failures {
    /// All is well again.
    pub fn forget(&mut self) {
        *self = Failures::default();
    }

    /// Notes a failure and says how long to wait.
    pub fn after(&mut self, remedy: Remedy, pauses: &Pauses, mailbox: &str) -> Duration {
        let pause = match remedy {
            Remedy::SignIn => {
                let last = pauses.sign_in.len().saturating_sub(1);
                let pause = pauses.sign_in.get(self.sign_in.min(last)).copied().unwrap_or(pauses.person);
                self.sign_in += 1;
                return pause;
            }
            Remedy::Person => pauses.person,
            Remedy::Reconnect | Remedy::GoOn => {
                let pause =
                    pauses.network.saturating_mul(1 << self.network.min(16)).min(pauses.network_longest);
                self.network += 1;
                pause
            }
        };
        pause.mul_f64(spread(mailbox))
    }

    /// Whether all intervals for the sign-in were used up.
    pub fn needs_a_person(&self, pauses: &Pauses) -> bool {
        self.sign_in >= pauses.sign_in.len()
    }
}

/// 0.75 to 1, by the mailbox's name.
fn spread(mailbox: &str) -> f64 {
    let mut hasher = DefaultHasher::new();
    mailbox.hash(&mut hasher);
    0.75 + f64::from((hasher.finish() & 0xFF) as u8) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(remedy: Remedy, times: usize) -> Vec<u64> {
        let (mut failures, pauses) = (Failures::default(), Pauses::default());
        (0..times).map(|_| failures.after(remedy, &pauses, "anna").as_secs()).collect()
    }

    #[test]
    fn sign_ins_are_spared() {
        assert_eq!(after(Remedy::SignIn, 5), [60, 300, 900, 3600, 3600]);
    }

    #[test]
    fn the_network_is_tried_soon() {
        let pauses = after(Remedy::Reconnect, 8);
        assert!(pauses[0] <= 1 && pauses[7] >= 45 && pauses[7] <= 60, "{pauses:?}");
        assert!(pauses.is_sorted());
    }
}
