//! One write beside the record as it is now: what goes back, and what is left and why. A pure function.

use postroom_core::{Record, Value};

use super::written::{Columns, Write};

/// Columns that say something about consent: what was said is only ever added to (P6), so they never go back.
const CONSENT: [&str; 4] = ["esc_optintype", "donotbulkemail", "donotemail", "donotsendmm"];

pub(super) const CONSENT_STAYS: &str = "what was said about consent is never taken back";
pub(super) const CHANGED: &str = "changed since";
pub(super) const GONE: &str = "the record is gone";

/// What a write comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Verdict {
    /// Columns that get back what they had; empty where they were.
    pub back: Columns,
    /// Columns that are as they were before the run.
    pub as_before: Columns,
    /// Columns that stay, with the reason.
    pub left: Vec<(String, &'static str)>,
}

impl Verdict {
    /// The reasons in one sentence; `None` when nothing is left.
    pub fn why(&self) -> Option<String> {
        let all: Vec<String> = self.left.iter().map(|(column, why)| format!("{column}: {why}")).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// Compares the columns of a write with the record.
pub(super) fn compare(write: &Write, current: Option<&Record>) -> Verdict {
    let mut verdict = Verdict::default();
    let names: std::collections::BTreeSet<&String> = write.was.keys().chain(write.now.keys()).collect();
    for name in names {
        let of = |columns: &Columns| columns.get(name).cloned().unwrap_or(Value::Null);
        let (was, wrote) = (of(&write.was), of(&write.now));
        let Some(current) = current else {
            verdict.left.push((name.clone(), GONE));
            continue;
        };
        let is = current.get(name).unwrap_or(&Value::Null);
        match () {
            () if CONSENT.contains(&name.as_str()) => verdict.left.push((name.clone(), CONSENT_STAYS)),
            () if same(is, &was) => drop(verdict.as_before.insert(name.clone(), was)),
            () if same(is, &wrote) => drop(verdict.back.insert(name.clone(), was)),
            () => verdict.left.push((name.clone(), CHANGED)),
        }
    }
    verdict
}

/// Whether a CRM that was given one of the values may show it as the other: it cuts spaces, knows no empty text, and keeps
/// moments by the second; makes of the port show amounts in different ways.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Time(one), Value::Time(other)) => one.as_second() == other.as_second(),
        (Value::Text(text), Value::Null) | (Value::Null, Value::Text(text)) => text.trim().is_empty(),
        (Value::Text(one), Value::Text(other)) => one.trim_end() == other.trim_end(),
        _ => match (number(one), number(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        },
    }
}

/// A number in its shortest plain form.
fn number(value: &Value) -> Option<String> {
    let text = match value {
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Decimal(text) => text.clone(),
        _ => return None,
    };
    Some(match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    })
}

#[cfg(test)]
mod tests {
    use postroom_core::RecordRef;
    use uuid::Uuid;

    use super::super::written::Kind;
    use super::*;

    /// The column before, as the run wrote it, and now; `back`, `before` or why it is left.
    #[track_caller]
    fn check(was: impl Into<Value>, wrote: impl Into<Value>, is: impl Into<Value>, expected: &str) {
        check_of("firstname", [was.into(), wrote.into(), is.into()], expected);
    }

    #[track_caller]
    fn check_of(column: &str, [was, wrote, is]: [Value; 3], expected: &str) {
        let at = RecordRef::new("contact", Uuid::nil());
        let kept =
            |value: Value| Columns::from_iter((value != Value::Null).then(|| (column.to_owned(), value)));
        let write = Write { was: kept(was), now: kept(wrote), ..Write::of(Kind::Columns, at.clone()) };
        let verdict = compare(&write, Some(&Record::new(at).with(column.to_owned(), is)));
        let found = match (verdict.back.is_empty(), verdict.as_before.is_empty(), verdict.left.first()) {
            (false, true, None) => "back",
            (true, false, None) => "before",
            (true, true, Some((_, why))) => why,
            _ => "nothing",
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn goes_back_only_while_it_is_what_the_run_wrote() {
        check("Ann", "Anna", "Anna", "back");
        check(Value::Null, "Anna", "Anna", "back");
        check("Ann", Value::Null, Value::Null, "back");
        check("Ann", "Anna", "Ann", "before");
        check("Ann", "Anna", "Annette", CHANGED);
        check("Ann", "Anna", Value::Null, CHANGED);
    }

    #[test]
    fn as_the_crm_shows_it() {
        check("Ann", "Anna ", "Anna", "back");
        check(Value::Null, Value::Decimal("12.50".into()), Value::Float(12.5), "back");
        check(7, 8, Value::Decimal("8.0000".into()), "back");
        let at = |text: &str| Value::Time(text.parse().unwrap());
        check(Value::Null, at("2026-01-02T03:04:05.7Z"), at("2026-01-02T03:04:05Z"), "back");
        check(10, 20, 200, CHANGED);
    }

    #[test]
    fn consent_never_goes_back() {
        for column in CONSENT {
            check_of(column, [Value::Bool(false), Value::Bool(true), Value::Bool(true)], CONSENT_STAYS);
        }
    }

    #[test]
    fn a_record_that_is_gone() {
        let at = RecordRef::new("contact", Uuid::nil());
        let now = Columns::from([("firstname".to_owned(), Value::from("x"))]);
        let write = Write { now, ..Write::of(Kind::Columns, at) };
        assert_eq!(compare(&write, None).why().as_deref(), Some("firstname: the record is gone"));
    }
}
