//! What a kind does while its peer refuses everything: one job at a time, at growing intervals, until one goes through.
//!
//! Wrong credentials fail every job, and trying them all locks the account; but a hold of one mailbox must not stop the
//! others. So a held kind keeps probing with whatever job is next.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Brake {
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    wait: Duration,
    until: Instant,
}

impl Brake {
    /// Takes note of a lot's end: how many jobs were held, how many went through.
    pub(crate) fn note(&mut self, held: usize, passed: usize, now: Instant) {
        if passed > 0 {
            self.held = None;
        } else if held > 0 {
            let wait = self.held.as_ref().map_or(FIRST, |held| (held.wait * 2).min(LONGEST));
            self.held = Some(Held { wait, until: now + wait });
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.held.is_some()
    }

    /// When the next claim may be made; `None`: now.
    pub(crate) fn until(&self, now: Instant) -> Option<Instant> {
        self.held.as_ref().map(|held| held.until).filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_slow_down_and_one_success_frees() {
        let (mut brake, now) = (Brake::default(), Instant::now());
        assert!(!brake.is_on());
        let mut waits = Vec::new();
        for _ in 0..8 {
            brake.note(1, 0, now);
            waits.push(brake.until(now).expect("held") - now);
        }
        assert_eq!(waits.iter().map(Duration::as_secs).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 60, 60]);
        brake.note(0, 0, now); // a lot of retries says nothing about credentials
        assert!(brake.is_on());
        brake.note(3, 1, now);
        assert!(!brake.is_on() && brake.until(now).is_none());
    }
}
