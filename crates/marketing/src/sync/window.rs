//! The hours of the day in which runs begin by themselves, by an account's own clock.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// From the first time of day up to, not including, the second; over midnight when the second comes first.
#[derive(Debug, Clone)]
pub struct Window {
    pub from: Time,
    pub to: Time,
    pub zone: TimeZone,
}

impl Window {
    pub fn is_open(&self, now: Timestamp) -> bool {
        let time = now.to_zoned(self.zone.clone()).time();
        match self.from <= self.to {
            true => self.from <= time && time < self.to,
            false => self.from <= time || time < self.to,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;

    #[track_caller]
    fn check(from: i8, to: i8, now: &str, open: bool) {
        let zone = TimeZone::get("Europe/Paris").unwrap();
        let window = Window { from: time(from, 0, 0, 0), to: time(to, 0, 0, 0), zone };
        assert_eq!(window.is_open(now.parse().unwrap()), open, "{from} to {to} at {now}");
    }

    #[test]
    fn hours() {
        // Paris is an hour ahead of UTC in winter.
        check(8, 18, "2026-01-15T07:00:00Z", true);
        check(8, 18, "2026-01-15T06:59:59Z", false);
        check(8, 18, "2026-01-15T17:00:00Z", false);
        check(22, 6, "2026-01-15T22:00:00Z", true);
        check(22, 6, "2026-01-15T04:59:00Z", true);
        check(22, 6, "2026-01-15T12:00:00Z", false);
        check(9, 9, "2026-01-15T08:00:00Z", false);
    }
}
