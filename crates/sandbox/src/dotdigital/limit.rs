//! Call limits: the tiered scheme (429 and headers) and the flat one (400). Source: dotdigital.md A3.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::rest::Tier;

/// How an API user is limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Limit {
    #[default]
    None,
    /// Calls in a minute for each tier.
    Tiered { low: u32, medium: u32, high: u32 },
    /// Calls in the last hour, whatever they are.
    Flat { hourly: u32 },
}

/// What a user has called.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The minute, and how many calls.
    minutes: HashMap<Tier, (i64, u32)>,
    hour: VecDeque<Timestamp>,
}

/// What the limit says of one call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    Free,
    /// Limit, calls left, when the window ends (Unix time), scope; whether the call is within it.
    Tiered {
        limit: u32,
        left: u32,
        reset: i64,
        scope: &'static str,
        within: bool,
    },
    /// Calls in the last hour, and left; whether the call is within it.
    Flat {
        used: u32,
        left: u32,
        within: bool,
    },
}

impl Meter {
    /// Counts one call.
    pub fn count(&mut self, limit: Limit, tier: Tier, now: Timestamp) -> Ruling {
        match limit {
            Limit::None => Ruling::Free,
            Limit::Tiered { low, medium, high } => {
                let limit = match tier {
                    Tier::Low => low,
                    Tier::Medium => medium,
                    Tier::High => high,
                    Tier::Unlimited => return Ruling::Free,
                };
                let minute = now.as_second().div_euclid(60);
                let window = self.minutes.entry(tier).or_insert((minute, 0));
                if window.0 != minute {
                    *window = (minute, 0);
                }
                let within = window.1 < limit;
                window.1 += u32::from(within);
                let (left, reset) = (limit - window.1, (minute + 1) * 60);
                Ruling::Tiered { limit, left, reset, scope: tier.scope(), within }
            }
            Limit::Flat { hourly } => {
                let old = |at: &Timestamp| now.duration_since(*at) >= SignedDuration::from_hours(1);
                while self.hour.front().is_some_and(old) {
                    self.hour.pop_front();
                }
                let within = (self.hour.len() as u32) < hourly;
                if within {
                    self.hour.push_back(now);
                }
                let used = self.hour.len() as u32;
                Ruling::Flat { used, left: hourly.saturating_sub(used), within }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_040 + second).unwrap()
    }

    #[test]
    fn a_tier_is_full_until_the_minute_ends() {
        let limit = Limit::Tiered { low: 2, medium: 1, high: 1 };
        let mut meter = Meter::default();
        let ruling =
            |within, left, reset| Ruling::Tiered { limit: 2, left, reset, scope: "lowCallRate", within };
        let end = at(0).as_second() + 60;
        assert_eq!(meter.count(limit, Tier::Low, at(0)), ruling(true, 1, end));
        assert_eq!(meter.count(limit, Tier::Low, at(1)), ruling(true, 0, end));
        assert_eq!(meter.count(limit, Tier::Low, at(59)), ruling(false, 0, end));
        assert_eq!(meter.count(limit, Tier::Unlimited, at(59)), Ruling::Free);
        assert!(matches!(meter.count(limit, Tier::High, at(59)), Ruling::Tiered { within: true, .. }));
        assert_eq!(meter.count(limit, Tier::Low, at(60)), ruling(true, 1, end + 60));
    }

    #[test]
    fn the_flat_hour_rolls() {
        let limit = Limit::Flat { hourly: 2 };
        let mut meter = Meter::default();
        for (second, within) in
            [(0, true), (1800, true), (3599, false), (3600, true), (3601, false), (5400, true)]
        {
            let ruling = meter.count(limit, Tier::Low, at(second));
            assert!(
                matches!(ruling, Ruling::Flat { within: found, .. } if found == within),
                "{second}: {ruling:?}"
            );
        }
    }
}
