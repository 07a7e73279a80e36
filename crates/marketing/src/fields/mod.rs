//! The values of mapped columns, on their way between the CRM and the service.
//!
//! # Design
//!
//! * [`Field`] is a value that both sides can have. [`convert`] makes one of a CRM column or of a data field and back, or
//!   says why it cannot: no value is ever made up, and an empty one is an empty one.
//! * [`merge`] compares three: what both sides had when they last agreed, and what each has now. One side's change goes to
//!   the other; a change on both is a conflict that a stated winner decides. What was cleared is cleared on the other side.
//! * [`base`] keeps what both sides last agreed on.
//! * [`digest`] of all fields of a person tells whether anything is to be sent at all.
//!
//! Sources: marketing-sync.md 4.5 (M7, M9, M10) and 5; dotdigital.md (value rules).

pub mod base;
pub mod convert;
pub mod merge;

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use postroom_core::marketing::FieldValue;
use sha2::{Digest, Sha256};

/// A value that both sides can have. Equal values are equal here, however either side writes them: a port's [`FieldValue`] and a
/// CRM's value are compared only as this.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Field {
    #[default]
    Null,
    Text(String),
    Number(Number),
    Day(Date),
    Moment(Timestamp),
    YesNo(bool),
}

/// A decimal number in its shortest plain notation: no exponent, no needless zero, no sign of a zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number(String);

impl From<&Field> for FieldValue {
    fn from(field: &Field) -> Self {
        match field {
            Field::Null => FieldValue::Clear,
            Field::Text(text) => FieldValue::Text(text.clone()),
            Field::Number(number) => FieldValue::Number(number.0.clone()),
            Field::Day(day) => FieldValue::Day(*day),
            Field::Moment(at) => FieldValue::Moment(*at),
            Field::YesNo(yes) => FieldValue::Bool(*yes),
        }
    }
}

impl Number {
    /// `None` when the text is no plain decimal number.
    pub fn of(text: &str) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !plain(whole) || !plain(part) {
            return None;
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        let sign = if whole.is_empty() && part.is_empty() { "" } else { sign };
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if part.is_empty() { "" } else { "." };
        Some(Number(format!("{sign}{whole}{point}{part}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Digits after the point.
    pub fn scale(&self) -> usize {
        self.0.split_once('.').map_or(0, |(_, part)| part.len())
    }
}

/// A hash of a person's fields under their labels, whatever order they come in. It is the same on every machine and in every
/// version, as it decides what is sent again.
pub fn digest<'f>(fields: impl IntoIterator<Item = (&'f str, &'f Field)>) -> [u8; 32] {
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.sort_unstable_by_key(|(label, _)| *label);
    let mut hash = Sha256::new();
    let mut put = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    for (label, field) in fields {
        put(label.as_bytes());
        let (kind, text) = match field {
            Field::Null => ("0", Cow::Borrowed("")),
            Field::Text(text) => ("t", text.as_str().into()),
            Field::Number(number) => ("n", number.as_str().into()),
            Field::Day(day) => ("d", day.to_string().into()),
            Field::Moment(at) => ("m", at.to_string().into()),
            Field::YesNo(yes) => ("b", yes.to_string().into()),
        };
        put(kind.as_bytes());
        put(text.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Number::of(text).as_ref().map(Number::as_str), expected, "{text:?}");
    }

    #[test]
    fn numbers() {
        check("12.50", Some("12.5"));
        check("-0.00", Some("0"));
        check("+007", Some("7"));
        check(".5", Some("0.5"));
        check("5.", Some("5"));
        check("99999999999999999999.0001", Some("99999999999999999999.0001"));
        check("", None);
        check(".", None);
        check("-", None);
        check("1e3", None);
        check("1,5", None);
        check("--1", None);
        check("1.2.3", None);
    }

    #[test]
    fn digests_tell_values_apart() {
        let text = |text: &str| Field::Text(text.to_owned());
        let of = |fields: &[(&str, &Field)]| digest(fields.iter().copied());
        let (a, b) = (text("a"), text("b"));
        assert_eq!(of(&[("X", &a), ("Y", &b)]), of(&[("Y", &b), ("X", &a)]));
        assert_ne!(of(&[("X", &a), ("Y", &b)]), of(&[("X", &b), ("Y", &a)]));
        assert_ne!(of(&[("X", &Field::Null)]), of(&[]));
        assert_ne!(of(&[("X", &Field::Null)]), of(&[("X", &text(""))]));
        assert_ne!(of(&[("X", &text("true"))]), of(&[("X", &Field::YesNo(true))]));
        assert_ne!(of(&[("AB", &text("c"))]), of(&[("A", &text("Bc"))]));
    }
}
