//! INTERNALDATE and the date of SEARCH SINCE (RFC 3501, `date-time` and `date`).

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `17-Jul-1996 02:44:25 -0700`. `None` for what is no date, such as Domino's `00-Jan-0000 00:00:00 +0000`.
pub fn internal_date(text: &str) -> Option<Timestamp> {
    let mut words = text.split_ascii_whitespace();
    let (date, time) = (words.next()?, words.next()?);
    let zone = words.next().unwrap_or("+0000");
    let mut parts = date.splitn(3, '-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? + 1;
    let year: i16 = year.parse().ok().filter(|year| *year >= 1970)?;
    let date = Date::new(year, i8::try_from(month).ok()?, day.parse().ok()?).ok()?;
    let mut clock = time.splitn(3, ':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // A leap second is the one before it.
    let time = Time::new(hour, minute, second.min(59), 0).ok()?;
    let zone = TimeZone::fixed(offset(zone)?);
    Some(DateTime::from_parts(date, time).to_zoned(zone).ok()?.timestamp())
}

fn offset(zone: &str) -> Option<Offset> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes): (i32, i32) = (zone.get(1..3)?.parse().ok()?, zone.get(3..5)?.parse().ok()?);
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// The date for `SEARCH SINCE` that finds everything from `since` on: SINCE goes by the server's own days, in a zone we
/// do not know, so it is a day early; who asks looks at each INTERNALDATE besides.
pub fn since(since: Timestamp) -> String {
    let early = since.checked_sub(SignedDuration::from_hours(24)).unwrap_or(since);
    let date = early.to_zoned(TimeZone::UTC).date();
    format!("{}-{}-{:04}", date.day(), MONTHS[usize::from(date.month().unsigned_abs()) - 1], date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(internal_date(text).map(|date| date.to_string()).as_deref(), expected);
    }

    #[test]
    fn internal_dates() {
        check("17-Jul-1996 02:44:25 -0700", Some("1996-07-17T09:44:25Z"));
        check(" 1-Feb-2026 23:59:60 +0100", Some("2026-02-01T22:59:59Z"));
        check("01-Feb-2026 23:59:58", Some("2026-02-01T23:59:58Z"));
        check("00-Jan-0000 00:00:00 +0000", None);
        check("31-Feb-2026 00:00:00 +0000", None);
        check("01-Jan-2026", None);
        check("01-Jan-2026 00:00:00 +é000", None);
        check("", None);
    }

    #[test]
    fn since_is_a_day_early() {
        assert_eq!(since("2026-03-01T00:30:00Z".parse().unwrap()), "28-Feb-2026");
        assert_eq!(since("2026-11-21T12:00:00Z".parse().unwrap()), "20-Nov-2026");
    }
}
