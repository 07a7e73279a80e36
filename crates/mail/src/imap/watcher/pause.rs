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

impl Pauses {
    /// After one refused sign-in, with so many before it.
    pub fn after_refusal(&self, before: usize) -> Duration {
        let last = self.sign_in.len().saturating_sub(1);
        self.sign_in.get(before.min(last)).copied().unwrap_or(self.person)
    }
}

/// Counts the failures of one mailbox. Refused sign-ins are counted by [`Login`](super::gate::Login).
#[derive(Debug, Default)]
pub struct Failures {
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
            Remedy::SignIn | Remedy::Person => pauses.person,
            Remedy::Reconnect | Remedy::GoOn => {
                let pause =
                    pauses.network.saturating_mul(1 << self.network.min(16)).min(pauses.network_longest);
                self.network += 1;
                pause
            }
        };
        pause.mul_f64(spread(mailbox))
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
        let pauses = Pauses::default();
        let after = (0..5).map(|before| pauses.after_refusal(before).as_secs());
        assert_eq!(after.collect::<Vec<_>>(), [60, 300, 900, 3600, 3600]);
    }

    #[test]
    fn the_network_is_tried_soon() {
        let pauses = after(Remedy::Reconnect, 8);
        assert!(pauses[0] <= 1 && pauses[7] >= 45 && pauses[7] <= 60, "{pauses:?}");
        assert!(pauses.is_sorted());
    }
}
