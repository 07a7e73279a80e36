//! Wrong secrets, counted by where they come from, so that guessing fills neither the audit trail nor the log.
//!
//! A good secret is always taken: its 256 bits cannot be guessed, and a neighbour's mistakes behind one address lock
//! nobody out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Wrong secrets that are answered one by one in a [`WINDOW`].
const TOLD: u32 = 20;
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// Addresses that are remembered; when there are more, the ones whose window is over are forgotten.
const KEPT: usize = 10_000;

#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, (Timestamp, u32)>>);

impl Attempts {
    /// Counts a wrong secret. `Some(seconds)` when there were too many: come again after that.
    pub(super) fn wrong(&self, from: IpAddr, now: Timestamp) -> Option<u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |began: Timestamp| now.duration_since(began) >= WINDOW;
        if seen.len() >= KEPT {
            seen.retain(|_, (began, _)| !is_over(*began));
        }
        if seen.len() >= KEPT {
            return Some(WINDOW.as_secs().unsigned_abs());
        }
        let (began, count) = seen.entry(network(from)).or_insert((now, 0));
        if is_over(*began) {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        let left = WINDOW - now.duration_since(*began);
        (*count > TOLD).then(|| left.as_secs().unsigned_abs().max(1))
    }
}

/// Whoever has one address of IPv6 has all of its /64.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_to_wait_and_forgotten_in_a_minute() {
        let (attempts, start) = (Attempts::default(), Timestamp::UNIX_EPOCH);
        let here = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..TOLD {
            assert_eq!(attempts.wrong(here, start), None);
        }
        assert_eq!(attempts.wrong(here, start + SignedDuration::from_secs(20)), Some(40));
        assert_eq!(attempts.wrong(IpAddr::from([192, 0, 2, 2]), start), None, "a neighbour");
        assert_eq!(attempts.wrong(here, start + WINDOW), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let attempts = Attempts::default();
        for host in 0..u16::try_from(TOLD).unwrap() {
            let from = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
            assert_eq!(attempts.wrong(from, Timestamp::UNIX_EPOCH), None);
        }
        let from = IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9]);
        assert!(attempts.wrong(from, Timestamp::UNIX_EPOCH).is_some());
    }
}
