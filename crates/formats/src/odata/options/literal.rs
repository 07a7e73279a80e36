//! Values as they stand in URLs: `'text'`, numbers, guids, dates, lists, JSON, parameter aliases.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use uuid::Uuid;

/// One value. What column it is meant for is not known here, so nothing is converted.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    /// A number with a point or an exponent, or one too large for [`Literal::Int`], as written.
    Number(String),
    Text(String),
    Guid(Uuid),
    Time(Timestamp),
    Date(Date),
    /// `Microsoft.Dynamics.CRM.EndpointAccessType'Default'`: the type and the member.
    Enum(String, String),
    List(Vec<Literal>),
    /// An object, as valid JSON: single-quoted strings in it were made double-quoted.
    Json(String),
    /// `@p1`, without the sign. Only in paths; in options aliases are replaced by what they stand for.
    Alias(String),
}

impl Literal {
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Literal::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A guid, bare or quoted.
    pub fn as_guid(&self) -> Option<Uuid> {
        match self {
            Literal::Guid(id) => Some(*id),
            Literal::Text(text) => guid(text),
            _ => None,
        }
    }
}

/// A guid with hyphens, perhaps in braces. The other forms that parsers take are not guids to the platform.
pub fn guid(text: &str) -> Option<Uuid> {
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// A date with a time; without a zone it is UTC, as the platform takes it.
pub fn time(text: &str) -> Option<Timestamp> {
    if !text.contains(['T', 't', ' ']) {
        return None;
    }
    let zoned = text.parse::<Timestamp>().ok();
    zoned.or_else(|| TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())
}

/// `2026-01-31`, and nothing else that parsers take.
pub fn date(text: &str) -> Option<Date> {
    (text.len() == 10 && text.as_bytes()[4] == b'-').then(|| text.parse().ok()).flatten()
}

/// A bare word that starts like a number.
pub(super) fn bare(text: &str) -> Option<Literal> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(Literal::Int(number));
    }
    if let Some(number) = number(text) {
        return Some(number);
    }
    date(text).map(Literal::Date).or_else(|| time(text).map(Literal::Time))
}

/// Digits with at most one point and exponent; the suffixes are those of OData 3 (`5L`, `1.5m`), which old clients send.
pub(crate) fn number(text: &str) -> Option<Literal> {
    let digits = text.trim_end_matches(['L', 'l', 'M', 'm', 'D', 'd', 'F', 'f']);
    if text.len() - digits.len() > 1 {
        return None;
    }
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    let value: f64 = digits.chars().all(plain).then(|| digits.parse().ok()).flatten()?;
    match digits.parse::<i64>() {
        Ok(number) => Some(Literal::Int(number)),
        Err(_) => value.is_finite().then(|| Literal::Number(digits.to_owned())),
    }
}

/// `guid'…'`, `datetime'…'` (OData 2 and 3, which old clients send) and members of enumerations.
pub(super) fn prefixed(prefix: &str, text: String) -> Option<Literal> {
    match prefix {
        "guid" => guid(&text).map(Literal::Guid),
        "datetime" | "datetimeoffset" => {
            time(&text).map(Literal::Time).or_else(|| date(&text).map(Literal::Date))
        }
        "date" => date(&text).map(Literal::Date),
        "duration" | "binary" => None,
        _ => Some(Literal::Enum(prefix.to_owned(), text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Literal>) {
        assert_eq!(bare(text), expected, "{text}");
    }

    #[test]
    fn bare_words() {
        check("7", Some(Literal::Int(7)));
        check("-7", Some(Literal::Int(-7)));
        check("7L", Some(Literal::Int(7)));
        check("7LL", None);
        check("1.50", Some(Literal::Number("1.50".into())));
        check("1.50M", Some(Literal::Number("1.50".into())));
        check("1e3", Some(Literal::Number("1e3".into())));
        check("1e999", None);
        check("99999999999999999999", Some(Literal::Number("99999999999999999999".into())));
        check("2026-01-31", Some(Literal::Date(jiff::civil::date(2026, 1, 31))));
        check("2026-02-30", None);
        check("20260131", Some(Literal::Int(20_260_131)));
        check("2026-01-31T08:00:00Z", "2026-01-31T08:00:00Z".parse().ok().map(Literal::Time));
        check("2026-01-31T08:00:00", "2026-01-31T08:00:00Z".parse().ok().map(Literal::Time));
        check("2026-01-31T08:00:00.250+01:00", "2026-01-31T07:00:00.25Z".parse().ok().map(Literal::Time));
        check("12:00", None);
        check("0x10", None);
        check("-", None);
    }

    #[test]
    fn guids_have_hyphens() {
        let id = "70bf4d48-34cb-ed11-b596-0022481d68cd";
        assert_eq!(guid(id), guid(&format!("{{{id}}}")));
        assert!(guid(id).is_some());
        assert!(guid(&id.replace('-', "")).is_none());
        assert!(guid("urn:uuid:70bf4d48-34cb-ed11-b596-0022481d68cd").is_none());
    }
}
