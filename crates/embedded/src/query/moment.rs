//! The platform's conditions on time as ranges beside now, in UTC. Weeks begin on Sunday, as the platform's do by default;
//! fiscal years are calendar years of four quarters.
//!
//! *Last X days* begins at midnight X days ago and ends now; *next X days* begins now and ends at the midnight after X
//! days. The same holds for weeks, months and years. Hours are exact.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use postroom_core::Value;
use postroom_core::query::Operator;

/// From (inclusive) and until (exclusive).
pub(super) struct Range {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Everything else is meant.
    pub outside: bool,
}

/// A time as clients write it: RFC 3339, without an offset (UTC), or a date alone.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let civil = text.parse::<DateTime>().ok().or_else(|| text.parse::<Date>().ok().map(DateTime::from))?;
    at(civil)
}

fn at(civil: DateTime) -> Option<Timestamp> {
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn day(date: Date) -> Option<Timestamp> {
    at(date.into())
}

/// `None` when a value does not fit the operator.
pub(super) fn range(now: Timestamp, operator: Operator, values: &[Value]) -> Option<Range> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let number = || whole(values.first()?);
    let given = || values.first().and_then(date);
    let between = |from: Date, until: Date| {
        Some(Range { from: Some(day(from)?), until: Some(day(until)?), outside: false })
    };
    let from = |time: Option<Timestamp>| Some(Range { from: Some(time?), until: None, outside: false });
    let until = |time: Option<Timestamp>| Some(Range { from: None, until: Some(time?), outside: false });
    match operator {
        Operator::Yesterday => between(add(today, -1.days())?, today),
        Operator::Today => between(today, add(today, 1.days())?),
        Operator::Tomorrow => between(add(today, 1.days())?, add(today, 2.days())?),
        Operator::On => between(given()?, add(given()?, 1.days())?),
        Operator::NotOn => Some(Range { outside: true, ..range(now, Operator::On, values)? }),
        Operator::OnOrAfter => from(day(given()?)),
        Operator::OnOrBefore => until(day(add(given()?, 1.days())?)),
        Operator::OlderThanXMinutes => until(now.checked_sub(number()?.minutes()).ok()),
        Operator::OlderThanXHours => until(now.checked_sub(number()?.hours()).ok()),
        Operator::LastXHours => window(now.checked_sub(number()?.hours()).ok()?, now),
        Operator::NextXHours => window(now, now.checked_add(number()?.hours()).ok()?),
        Operator::Last7Days => last(now, today, 7.days()),
        Operator::Next7Days => next(now, today, 7.days()),
        _ => by_unit(now, today, operator, values),
    }
}

fn window(from: Timestamp, until: Timestamp) -> Option<Range> {
    Some(Range { from: Some(from), until: Some(until), outside: false })
}

fn add(date: Date, span: Span) -> Option<Date> {
    date.checked_add(span).ok()
}

fn last(now: Timestamp, today: Date, span: Span) -> Option<Range> {
    window(day(date_before(today, span)?)?, now)
}

fn next(now: Timestamp, today: Date, span: Span) -> Option<Range> {
    window(now, day(add(add(today, span)?, 1.days())?)?)
}

fn date_before(today: Date, span: Span) -> Option<Date> {
    today.checked_sub(span).ok()
}

/// Conditions whose names carry a unit: `ThisMonth`, `LastXWeeks`, `OlderThanXYears`, `InFiscalYear`.
fn by_unit(now: Timestamp, today: Date, operator: Operator, values: &[Value]) -> Option<Range> {
    let name = operator.name();
    let number = || whole(values.first()?);
    if let Some(unit) = name.strip_prefix("OlderThanX") {
        let time = day(date_before(today, spans(unit, number()?)?)?);
        return Some(Range { from: None, until: Some(time?), outside: false });
    }
    if let Some(unit) = name.strip_prefix("LastX") {
        return last(now, today, spans(unit, number()?)?);
    }
    if let Some(unit) = name.strip_prefix("NextX") {
        return next(now, today, spans(unit, number()?)?);
    }
    let (shift, unit) = [("Last", -1), ("This", 0), ("Next", 1)]
        .into_iter()
        .find_map(|(word, shift)| name.strip_prefix(word).map(|unit| (shift, unit)))
        .or_else(|| name.strip_prefix("In").map(|unit| (0, unit)))?;
    let (from, until) = match name {
        "InFiscalYear" => year_of(number()?)?,
        "InFiscalPeriod" => quarter_of(i64::from(today.year()), number()?)?,
        "InFiscalPeriodAndYear" => quarter_of(whole(values.get(1)?)?, number()?)?,
        "InOrBeforeFiscalPeriodAndYear" => {
            let (_, until) = quarter_of(whole(values.get(1)?)?, number()?)?;
            return Some(Range { from: None, until: Some(day(until)?), outside: false });
        }
        "InOrAfterFiscalPeriodAndYear" => {
            let (from, _) = quarter_of(whole(values.get(1)?)?, number()?)?;
            return Some(Range { from: Some(day(from)?), until: None, outside: false });
        }
        _ => period(today, unit, shift)?,
    };
    window(day(from)?, day(until)?)
}

fn spans(unit: &str, count: i64) -> Option<Span> {
    match unit {
        "Days" => Span::new().try_days(count).ok(),
        "Weeks" => Span::new().try_weeks(count).ok(),
        "Months" => Span::new().try_months(count).ok(),
        "Years" | "FiscalYears" => Span::new().try_years(count).ok(),
        "FiscalPeriods" => Span::new().try_months(count.checked_mul(3)?).ok(),
        _ => None,
    }
}

/// The week, month, quarter or year of today, moved by `shift` of them.
fn period(today: Date, unit: &str, shift: i64) -> Option<(Date, Date)> {
    let (start, length) = match unit {
        "Week" => {
            let since = i64::from(today.weekday().to_sunday_zero_offset());
            (date_before(today, since.days())?, 1.weeks())
        }
        "Month" => (today.first_of_month(), 1.months()),
        "Year" | "FiscalYear" => (today.first_of_year(), 1.years()),
        "FiscalPeriod" => {
            let into = i64::from((today.month() - 1) % 3);
            (date_before(today.first_of_month(), into.months())?, 3.months())
        }
        _ => return None,
    };
    let start = add(start, length.checked_mul(shift).ok()?)?;
    Some((start, add(start, length)?))
}

fn year_of(year: i64) -> Option<(Date, Date)> {
    let first = Date::new(i16::try_from(year).ok()?, 1, 1).ok()?;
    Some((first, add(first, 1.years())?))
}

fn quarter_of(year: i64, quarter: i64) -> Option<(Date, Date)> {
    let month = i8::try_from(quarter.checked_sub(1)?.checked_mul(3)?.checked_add(1)?).ok()?;
    let first = Date::new(i16::try_from(year).ok()?, month, 1).ok()?;
    Some((first, add(first, 3.months())?))
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Text(text) | Value::Decimal(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.abs() < 1_000_000)
}

fn date(value: &Value) -> Option<Date> {
    let time = match value {
        Value::Time(time) => *time,
        Value::Text(text) => read(text.trim())?,
        _ => return None,
    };
    Some(time.to_zoned(TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Now is a Wednesday.
    #[track_caller]
    fn check(operator: Operator, values: &[Value], expected: &str) {
        let now: Timestamp = "2026-11-18T10:30:00Z".parse().unwrap();
        let range = range(now, operator, values).expect("a range");
        let show = |time: Option<Timestamp>| time.map_or("*".to_owned(), |time| time.to_string());
        let not = if range.outside { "not " } else { "" };
        assert_eq!(format!("{not}{}..{}", show(range.from), show(range.until)), expected, "{operator:?}");
    }

    #[test]
    fn ranges_beside_now() {
        let seven = [Value::Int(7)];
        check(Operator::Yesterday, &[], "2026-11-17T00:00:00Z..2026-11-18T00:00:00Z");
        check(Operator::Today, &[], "2026-11-18T00:00:00Z..2026-11-19T00:00:00Z");
        check(Operator::Tomorrow, &[], "2026-11-19T00:00:00Z..2026-11-20T00:00:00Z");
        check(Operator::Last7Days, &[], "2026-11-11T00:00:00Z..2026-11-18T10:30:00Z");
        check(Operator::Next7Days, &[], "2026-11-18T10:30:00Z..2026-11-26T00:00:00Z");
        check(Operator::ThisWeek, &[], "2026-11-15T00:00:00Z..2026-11-22T00:00:00Z");
        check(Operator::LastWeek, &[], "2026-11-08T00:00:00Z..2026-11-15T00:00:00Z");
        check(Operator::NextMonth, &[], "2026-12-01T00:00:00Z..2027-01-01T00:00:00Z");
        check(Operator::LastYear, &[], "2025-01-01T00:00:00Z..2026-01-01T00:00:00Z");
        check(Operator::LastXHours, &seven, "2026-11-18T03:30:00Z..2026-11-18T10:30:00Z");
        check(Operator::LastXDays, &seven, "2026-11-11T00:00:00Z..2026-11-18T10:30:00Z");
        check(Operator::NextXWeeks, &[Value::text("1")], "2026-11-18T10:30:00Z..2026-11-26T00:00:00Z");
        check(Operator::LastXMonths, &seven, "2026-04-18T00:00:00Z..2026-11-18T10:30:00Z");
        check(Operator::OlderThanXMonths, &seven, "*..2026-04-18T00:00:00Z");
        check(Operator::OlderThanXMinutes, &seven, "*..2026-11-18T10:23:00Z");
        check(Operator::ThisFiscalPeriod, &[], "2026-10-01T00:00:00Z..2027-01-01T00:00:00Z");
        check(Operator::LastFiscalYear, &[], "2025-01-01T00:00:00Z..2026-01-01T00:00:00Z");
        check(Operator::InFiscalYear, &[Value::Int(2024)], "2024-01-01T00:00:00Z..2025-01-01T00:00:00Z");
        let second = [Value::Int(2), Value::Int(2025)];
        check(Operator::InFiscalPeriodAndYear, &second, "2025-04-01T00:00:00Z..2025-07-01T00:00:00Z");
        check(Operator::InOrBeforeFiscalPeriodAndYear, &second, "*..2025-07-01T00:00:00Z");
    }

    #[test]
    fn ranges_of_a_date() {
        let date = [Value::text("2026-02-28")];
        check(Operator::On, &date, "2026-02-28T00:00:00Z..2026-03-01T00:00:00Z");
        check(Operator::NotOn, &date, "not 2026-02-28T00:00:00Z..2026-03-01T00:00:00Z");
        check(Operator::OnOrAfter, &date, "2026-02-28T00:00:00Z..*");
        check(Operator::OnOrBefore, &[Value::text("2026-02-28T17:00:00Z")], "*..2026-03-01T00:00:00Z");
    }

    #[test]
    fn every_operator_on_time_has_a_range() {
        let now: Timestamp = "2026-11-18T10:30:00Z".parse().unwrap();
        let (mut ranges, numbers) = (0, [Value::Int(1), Value::Int(2026)]);
        for operator in Operator::ALL {
            let date = [Value::text("2026-02-28")];
            let answer = range(now, *operator, &numbers).or_else(|| range(now, *operator, &date));
            ranges += usize::from(answer.is_some());
        }
        assert_eq!(ranges, Operator::ALL.iter().position(|op| *op == Operator::EqualUserId).unwrap());
    }

    #[test]
    fn values_that_do_not_fit() {
        let now = Timestamp::UNIX_EPOCH;
        for (operator, value) in [
            (Operator::LastXDays, Value::text("many")),
            (Operator::LastXDays, Value::Int(i64::MAX)),
            (Operator::On, Value::text("soon")),
            (Operator::InFiscalPeriodAndYear, Value::Int(9)),
        ] {
            assert!(range(now, operator, &[value]).is_none(), "{operator:?}");
        }
    }
}
