//! When a mail that was not taken is tried again: a pure function.

use jiff::{SignedDuration, Timestamp};

/// Minutes before the second, third, … try of a submission to our own server (mail-tracking.md 12.2).
const MINUTES: [i64; 5] = [1, 5, 15, 30, 60];

/// The time of the next try, or `None` when it is time to give up. `tries` counts those that were made. A wait that the
/// server asked for is kept when it is longer. The last try is made at the end of the time allowed.
pub(super) fn next_try(
    tries: u32,
    first_at: Timestamp,
    now: Timestamp,
    asked: Option<SignedDuration>,
    give_up: SignedDuration,
) -> Option<Timestamp> {
    let end = first_at.checked_add(give_up).unwrap_or(Timestamp::MAX);
    if now >= end {
        return None;
    }
    let place = (tries.max(1) as usize - 1).min(MINUTES.len() - 1);
    let wait = SignedDuration::from_mins(MINUTES[place]).max(asked.unwrap_or_default());
    Some(now.checked_add(wait).unwrap_or(end).min(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    #[track_caller]
    fn check(tries: u32, now: i64, asked: Option<i64>, expected: Option<i64>) {
        let at = |second| Timestamp::from_second(second).unwrap();
        let asked = asked.map(SignedDuration::from_secs);
        let next = next_try(tries, at(0), at(now), asked, SignedDuration::from_hours(48));
        assert_eq!(next.map(Timestamp::as_second), expected);
    }

    #[test]
    fn waits_grow_to_an_hour_and_end_after_two_days() {
        check(1, 0, None, Some(60));
        check(2, 60, None, Some(60 + 5 * 60));
        check(3, 0, None, Some(15 * 60));
        check(4, 0, None, Some(30 * 60));
        check(5, 0, None, Some(HOUR));
        check(50, 0, None, Some(HOUR));
        check(1, 0, Some(600), Some(600));
        check(5, 0, Some(600), Some(HOUR));
        check(50, 48 * HOUR - 10, None, Some(48 * HOUR));
        check(50, 48 * HOUR, None, None);
    }
}
