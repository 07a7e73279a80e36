//! Moments as the service writes them, in each spelling that was seen, and as it reads them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads a moment. Without a zone it is UTC; years up to 1970 mean never.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let zoned = text.parse::<Timestamp>().ok();
    let plain = || {
        let plain: DateTime = text.trim_end_matches(['Z', 'z']).parse().ok()?;
        plain.to_zoned(TimeZone::UTC).ok().map(|moment| moment.timestamp())
    };
    zoned.or_else(plain).filter(|moment| *moment > Timestamp::UNIX_EPOCH)
}

/// Writes a moment for a path, a filter or a body: whole seconds, cut, so that `since` never begins too late.
pub(crate) fn write(moment: Timestamp) -> String {
    let seconds = moment.as_millisecond().div_euclid(1000);
    let cut = Timestamp::from_second(seconds).unwrap_or(moment);
    cut.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(read(text).map(|moment| moment.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn spellings_that_were_seen() {
        check("2020-01-01T09:40:18.527Z", Some("2020-01-01T09:40:18.527Z"));
        check("2020-01-01T09:40:18.00Z", Some("2020-01-01T09:40:18Z"));
        check("2021-09-24T09:21:55.66Z", Some("2021-09-24T09:21:55.66Z"));
        check("2016-08-01T10:09:22", Some("2016-08-01T10:09:22Z"));
        check("2020-01-01 09:40:18.527000+00:00", Some("2020-01-01T09:40:18.527Z"));
        check("2020-01-01T10:40:18+01:00", Some("2020-01-01T09:40:18Z"));
        check("2020-01-01", Some("2020-01-01T00:00:00Z"));
        check("0001-01-01T00:00:00", None);
        check("0001-01-01T00:00:00Z", None);
        check("1970-01-01T00:00:00Z", None);
        check("1900-01-01", None);
        check("never", None);
        check("", None);
    }

    #[test]
    fn since_never_begins_too_late() {
        let check = |moment: &str, expected: &str| assert_eq!(write(moment.parse().unwrap()), expected);
        check("2024-05-01T12:00:00.999Z", "2024-05-01T12:00:00Z");
        check("2024-05-01T12:00:00Z", "2024-05-01T12:00:00Z");
        check("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z");
        check("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z");
    }
}
