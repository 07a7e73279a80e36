//! What the service allows: its limits as its answers told, and when the next request may go.
//!
//! Two schemes exist. *Tiered*: calls in a minute, counted for each of four tiers; every answer says which tier the call was
//! of, how many are left and when they are all back. *Flat*: calls in a rolling hour; the refusal is all there is to see, so
//! everything rests for a while. Which tier a route is of is learnt from its first answer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use postroom_core::Clock;

/// A wait when the service names none: the window of the tiered scheme.
pub(crate) const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// The rest after a refusal of the flat scheme.
pub(crate) const FLAT: SignedDuration = SignedDuration::from_mins(5);

/// A window's end that is further away is none.
const FARTHEST: SignedDuration = SignedDuration::from_hours(1);

pub(crate) struct Limits {
    clock: Clock,
    /// In per cent of a limit.
    reserve: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The tier that a route was of last time.
    tiers: HashMap<&'static str, String>,
    left: HashMap<String, Left>,
    /// Nothing goes before this moment.
    all: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    limit: u64,
    remaining: u64,
    reset: Timestamp,
}

impl Limits {
    pub(crate) fn new(clock: Clock, reserve: u32) -> Limits {
        Limits { clock, reserve: reserve.min(90), state: Mutex::default() }
    }

    /// Takes one call of a route; when there is none, how long to wait before asking again. What is not urgent leaves a
    /// reserve for what is.
    pub(crate) fn take(&self, route: &'static str, urgent: bool) -> Option<SignedDuration> {
        let now = self.clock.now();
        let mut state = self.lock();
        if let Some(until) = state.all.filter(|until| now < *until) {
            return Some(until.duration_since(now));
        }
        let State { tiers, left, .. } = &mut *state;
        let left = left.get_mut(tiers.get(route)?)?;
        if now >= left.reset {
            return None;
        }
        let kept = if urgent { 0 } else { left.limit * u64::from(self.reserve) / 100 };
        if left.remaining <= kept {
            return Some(left.reset.duration_since(now));
        }
        left.remaining -= 1;
        None
    }

    /// Learns from the headers of an answer.
    pub(crate) fn learn(&self, route: &'static str, headers: &HeaderMap) {
        let Some(scope) = text(headers, "x-ratelimit-scope") else { return };
        let mut state = self.lock();
        state.tiers.insert(route, scope.to_owned());
        let (Some(limit), Some(remaining)) =
            (number(headers, "x-ratelimit-limit"), number(headers, "x-ratelimit-remaining"))
        else {
            return;
        };
        let reset = self.clock.now() + reset(headers, self.clock.now()).unwrap_or(WINDOW);
        let known = state.left.get(scope).copied();
        // Answers overtake each other: within a window the lowest number is the newest.
        let remaining = match known {
            Some(known) if known.reset.duration_since(reset).abs() < SignedDuration::from_secs(2) => {
                remaining.min(known.remaining)
            }
            _ => remaining,
        };
        state.left.insert(scope.to_owned(), Left { limit, remaining, reset });
        let scarcest = state.left.values().map(|left| left.remaining as f64 / left.limit.max(1) as f64);
        let scarcest = scarcest.fold(1.0, f64::min);
        metrics::gauge!("postroom_peer_budget_ratio", "connection" => "dotdigital").set(scarcest);
    }

    /// A call was refused for a tier; how long to wait.
    pub(crate) fn spent(&self, route: &'static str, headers: &HeaderMap) -> SignedDuration {
        let now = self.clock.now();
        let wait = retry_after(headers).or_else(|| reset(headers, now)).unwrap_or(WINDOW);
        let wait = wait.max(SignedDuration::from_secs(1));
        let mut state = self.lock();
        let scope = text(headers, "x-ratelimit-scope").map(str::to_owned);
        match scope.or_else(|| state.tiers.get(route).cloned()) {
            Some(scope) => {
                let limit = number(headers, "x-ratelimit-limit").unwrap_or(1);
                state.tiers.insert(route, scope.clone());
                state.left.insert(scope, Left { limit, remaining: 0, reset: now + wait });
            }
            None => state.all = Some(now + wait),
        }
        wait
    }

    /// The hour's calls are spent.
    pub(crate) fn flat(&self) -> SignedDuration {
        self.lock().all = Some(self.clock.now() + FLAT);
        FLAT
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

fn retry_after(headers: &HeaderMap) -> Option<SignedDuration> {
    let seconds = text(headers, "retry-after")?.parse::<u32>().ok()?;
    Some(SignedDuration::from_secs(seconds.into()))
}

/// How long until the window ends. The documents call the number seconds since 1970, the service's own client calls it seconds
/// to wait: the size tells. The service's `date` is taken rather than ours, as clocks differ.
fn reset(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let number = text(headers, "x-ratelimit-reset")?.parse::<i64>().ok()?;
    if number < 1_000_000_000 {
        return Some(SignedDuration::from_secs(number.max(0)));
    }
    let theirs = text(headers, "date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let theirs = theirs.map_or(now, |date| date.timestamp());
    let until = Timestamp::from_second(number).ok()?.duration_since(theirs);
    // A reset that is long past, or further away than any window, tells of clocks that differ, and nothing of the window.
    let told = -WINDOW < until && until <= FARTHEST;
    told.then_some(until.max(SignedDuration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn tier(remaining: &str, reset: &str) -> HeaderMap {
        headers(&[
            ("x-ratelimit-scope", "lowCallRate"),
            ("x-ratelimit-limit", "10"),
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset", reset),
            ("date", "Sun, 22 Nov 2026 06:00:00 GMT"),
        ])
    }

    fn limits() -> (Limits, Clock) {
        // Our clock is an hour behind the service's.
        let clock = Clock::manual("2026-11-22T05:00:00Z".parse().unwrap());
        (Limits::new(clock.clone(), 20), clock)
    }

    const SIX: i64 = 1_795_327_200;

    #[test]
    fn calls_are_counted_down_to_the_reserve() {
        let (limits, clock) = limits();
        assert_eq!(limits.take("a", false), None, "nothing is known yet");
        limits.learn("a", &tier("4", &(SIX + 30).to_string()));
        limits.learn("b", &tier("4", &(SIX + 30).to_string()));
        assert_eq!([limits.take("a", false), limits.take("b", false)], [None, None]);
        let wait = limits.take("a", false).unwrap();
        assert_eq!(wait.as_secs(), 30, "two are kept");
        assert_eq!([limits.take("a", true), limits.take("b", true)], [None, None]);
        assert!(limits.take("b", true).is_some());
        assert_eq!(limits.take("c", false), None, "another tier, perhaps");
        clock.advance(wait);
        assert_eq!(limits.take("a", false), None, "a new window");
    }

    #[test]
    fn resets_of_both_kinds() {
        let check = |reset: &str, seconds: i64| {
            let (limits, _) = limits();
            assert_eq!(limits.spent("a", &tier("0", reset)).as_secs(), seconds, "{reset}");
            assert_eq!(limits.take("a", true).map(|wait| wait.as_secs()), Some(seconds));
        };
        check(&(SIX + 17).to_string(), 17);
        check("17", 17);
        check(&(SIX - 17).to_string(), 1);
        check(&(SIX - 4000).to_string(), 60);
        check(&(SIX + 5 * 3600).to_string(), 60);
        check("99999999999", 60);
        check("soon", 60);
    }

    #[test]
    fn refusals_without_headers_stop_everything() {
        let (limits, clock) = limits();
        assert_eq!(limits.spent("a", &HeaderMap::new()), WINDOW);
        assert_eq!(limits.take("b", true), Some(WINDOW));
        clock.advance(WINDOW);
        assert_eq!(limits.take("b", true), None);
        assert_eq!(limits.spent("a", &headers(&[("retry-after", "7")])).as_secs(), 7);
        limits.flat();
        assert_eq!(limits.take("b", true), Some(FLAT));
    }

    #[test]
    fn answers_that_overtake_each_other_do_not_give_calls_back() {
        let (limits, _) = limits();
        limits.learn("a", &tier("3", "40"));
        limits.learn("a", &tier("9", "40"));
        assert_eq!(limits.take("a", false), None);
        assert!(limits.take("a", false).is_some());
    }
}
