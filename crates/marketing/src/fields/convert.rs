//! From a CRM's value to a data field's, and back (marketing-sync.md 5; dotdigital.md, value rules).
//!
//! A conversion gives the value or says why there is none. Nothing is cut but by an explicit rule, and never an address.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use postroom_core::Value;
use postroom_core::marketing::{FieldType, FieldValue};
use postroom_core::metadata::{ColumnKind, OptionSet};

use super::{Field, Number};

/// Why a value cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("{value:?} is not {wanted}; map the column to a label of another type, or correct the value")]
    Type { value: String, wanted: &'static str },
    #[error(
        "{value:?} is none of the column's choices; add the choice in the CRM, or correct the value in the service"
    )]
    Choice { value: String },
    #[error(
        "the value has {length} characters and the column takes {most}; lengthen the column or shorten the value"
    )]
    Long { length: usize, most: u32 },
    #[error("{value} is outside the column's bounds {min} to {max}")]
    Bounds { value: String, min: String, max: String },
    #[error("a column of this type cannot be written from a data field")]
    Column,
    #[error("the label's type is not known to this version; update postroom before mapping it")]
    Label,
}

/// How a choice goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChoiceFormat {
    #[default]
    Label,
    Value,
}

/// The text that stands for a lookup: the primary name of the row it names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown<'a> {
    pub lookup: Option<&'a str>,
    pub choices: ChoiceFormat,
}

/// The field of a CRM's value, for a label of this type.
///
/// # Errors
/// [`Unfit`] when the label cannot hold the value; the record is reported and its other fields go on.
pub fn to_service(
    value: &Value,
    column: &ColumnKind,
    label: &FieldType,
    shown: Shown<'_>,
) -> Result<Field, Unfit> {
    if matches!(value, Value::Null) {
        return Ok(Field::Null);
    }
    match label {
        FieldType::Text => Ok(text_of(value, column, shown)?.map_or(Field::Null, Field::Text)),
        FieldType::Number => number_of(value),
        FieldType::Date => moment_of(value, column),
        FieldType::Bool => match value {
            Value::Bool(yes) => Ok(Field::YesNo(*yes)),
            other => Err(wrong(other, "yes or no")),
        },
        FieldType::Other(_) => Err(Unfit::Label),
    }
}

/// The text of any simple value; an empty one is no value.
fn text_of(value: &Value, column: &ColumnKind, shown: Shown<'_>) -> Result<Option<String>, Unfit> {
    let text = match (value, column) {
        (Value::Int(choice), kind) if options(kind).is_some() => {
            choice_text(*choice, options(kind), shown.choices)?
        }
        (Value::Text(values), ColumnKind::MultiSelect { options }) => {
            several(values, options, shown.choices)?
        }
        (Value::Text(text) | Value::Decimal(text), _) => text.clone(),
        (Value::Int(number), _) => number.to_string(),
        (Value::Float(number), _) => number.to_string(),
        (Value::Bool(yes), _) => if *yes { "Yes" } else { "No" }.to_owned(),
        (Value::Guid(id), _) => id.to_string(),
        (Value::Time(at), kind) => match day_only(kind) {
            true => Zoned::new(*at, TimeZone::UTC).date().to_string(),
            false => at.to_string(),
        },
        (Value::Lookup(to), _) => shown.lookup.map_or_else(|| to.id.to_string(), str::to_owned),
        (Value::Content(_) | Value::Null, _) => return Err(wrong(value, "a text")),
    };
    Ok((!text.is_empty()).then_some(text))
}

fn number_of(value: &Value) -> Result<Field, Unfit> {
    let text = match value {
        Value::Int(number) => number.to_string(),
        Value::Decimal(text) | Value::Text(text) => text.trim().to_owned(),
        Value::Float(number) if number.is_finite() => number.to_string(),
        other => return Err(wrong(other, "a number")),
    };
    match text.is_empty() {
        true => Ok(Field::Null),
        false => Number::of(&text).map(Field::Number).ok_or_else(|| wrong(value, "a number")),
    }
}

fn moment_of(value: &Value, column: &ColumnKind) -> Result<Field, Unfit> {
    match value {
        Value::Time(at) if day_only(column) => Ok(Field::Day(Zoned::new(*at, TimeZone::UTC).date())),
        Value::Time(at) => Ok(Field::Moment(*at)),
        other => Err(wrong(other, "a date")),
    }
}

/// What the service says of a field of this type that is mapped to a column of this kind. An empty text is no value, and a
/// moment is a day where the column has days only.
///
/// # Errors
/// [`Unfit::Type`] when the value is none of the type.
pub fn of_service(
    value: Option<&FieldValue>,
    label: &FieldType,
    column: &ColumnKind,
) -> Result<Field, Unfit> {
    let field = match value {
        None | Some(FieldValue::Clear) => Field::Null,
        Some(FieldValue::Text(text)) => of_text(text, label)?,
        Some(FieldValue::Number(text)) => {
            Field::Number(Number::of(text.trim()).ok_or(unfit(text, "a number"))?)
        }
        Some(FieldValue::Bool(yes)) => Field::YesNo(*yes),
        Some(FieldValue::Moment(at)) => Field::Moment(*at),
        Some(FieldValue::Day(day)) => Field::Day(*day),
    };
    match field {
        Field::Moment(at) if day_only(column) => Ok(Field::Day(Zoned::new(at, TimeZone::UTC).date())),
        other => Ok(other),
    }
}

fn of_text(text: &str, label: &FieldType) -> Result<Field, Unfit> {
    let value = text.trim();
    match label {
        _ if value.is_empty() => Ok(Field::Null),
        FieldType::Text | FieldType::Other(_) => Ok(Field::Text(text.to_owned())),
        FieldType::Number => Number::of(value).map(Field::Number).ok_or(unfit(text, "a number")),
        FieldType::Date => date(value).ok_or(unfit(text, "a date")),
        FieldType::Bool => match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Field::YesNo(true)),
            "false" | "no" | "0" => Ok(Field::YesNo(false)),
            _ => Err(unfit(text, "yes or no")),
        },
    }
}

fn unfit(value: &str, wanted: &'static str) -> Unfit {
    Unfit::Type { value: start(value), wanted }
}

/// The service's dates have a zone or are in UTC.
fn date(text: &str) -> Option<Field> {
    let at = text.parse::<Timestamp>().ok();
    let at = at.or_else(|| {
        let local = text.parse::<DateTime>().ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    });
    at.map(Field::Moment).or_else(|| text.parse::<Date>().ok().map(Field::Day))
}

/// The moment that a text names as the service and its exports write dates; a day begins at midnight, UTC.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    match date(text.trim())? {
        Field::Moment(at) => Some(at),
        Field::Day(day) => day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()),
        _ => None,
    }
}

/// The CRM's value of a field, for a column of this kind.
///
/// # Errors
/// [`Unfit`] when the column cannot hold it.
pub fn to_crm(field: &Field, column: &ColumnKind) -> Result<Value, Unfit> {
    match (field, column) {
        (Field::Null, _) => Ok(Value::Null),
        (_, ColumnKind::String { max_length, .. } | ColumnKind::Memo { max_length }) => {
            fitting(plain(field), *max_length)
        }
        (_, ColumnKind::Picklist { options, .. }) => choice(&plain(field), options),
        (Field::YesNo(yes), ColumnKind::Boolean { .. }) => Ok(Value::Bool(*yes)),
        (Field::Number(number), ColumnKind::Integer { min, max, .. }) => {
            whole(number, i64::from(*min), i64::from(*max))
        }
        (Field::Number(number), ColumnKind::BigInt) => whole(number, i64::MIN, i64::MAX),
        (
            Field::Number(number),
            ColumnKind::Decimal { min, max, precision } | ColumnKind::Money { min, max, precision, .. },
        ) => decimal(number, *min, *max, *precision),
        (Field::Number(number), ColumnKind::Double { min, max, .. }) => {
            bounded(number, *min, *max).map(Value::Float)
        }
        (Field::Day(day), ColumnKind::DateTime { .. }) => day
            .to_zoned(TimeZone::UTC)
            .map(|zoned| Value::Time(zoned.timestamp()))
            .map_err(|_| Unfit::Type { value: day.to_string(), wanted: "a date of the calendar" }),
        (Field::Moment(at), ColumnKind::DateTime { .. }) => Ok(Value::Time(*at)),
        (
            _,
            ColumnKind::Boolean { .. }
            | ColumnKind::Integer { .. }
            | ColumnKind::BigInt
            | ColumnKind::Decimal { .. }
            | ColumnKind::Money { .. }
            | ColumnKind::Double { .. }
            | ColumnKind::DateTime { .. },
        ) => Err(Unfit::Type { value: start(&plain(field)), wanted: "of the column's type" }),
        _ => Err(Unfit::Column),
    }
}

/// A field as a text column shows it.
fn plain(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Text(text) => text.clone(),
        Field::Number(number) => number.as_str().to_owned(),
        Field::Day(day) => day.to_string(),
        Field::Moment(at) => at.to_string(),
        Field::YesNo(yes) => if *yes { "Yes" } else { "No" }.to_owned(),
    }
}

/// Lengths are UTF-16 units, as the platform counts.
fn fitting(text: String, most: u32) -> Result<Value, Unfit> {
    let length = text.encode_utf16().count();
    match length <= most as usize {
        true => Ok(Value::Text(text)),
        false => Err(Unfit::Long { length, most }),
    }
}

fn choice(text: &str, options: &OptionSet) -> Result<Value, Unfit> {
    let wanted = text.trim();
    let by_label = options
        .options
        .iter()
        .find(|option| option.label.0.iter().any(|(_, label)| label.eq_ignore_ascii_case(wanted)));
    let by_value = || options.options.iter().find(|option| option.value.to_string() == wanted);
    match by_label.or_else(by_value) {
        Some(option) => Ok(Value::Int(i64::from(option.value))),
        None => Err(Unfit::Choice { value: start(text) }),
    }
}

fn whole(number: &Number, min: i64, max: i64) -> Result<Value, Unfit> {
    if number.scale() > 0 {
        return Err(Unfit::Type { value: start(number.as_str()), wanted: "a whole number" });
    }
    let value = number.as_str().parse::<i64>().ok().filter(|value| (min..=max).contains(value));
    value.map(Value::Int).ok_or_else(|| Unfit::Bounds {
        value: start(number.as_str()),
        min: min.to_string(),
        max: max.to_string(),
    })
}

fn decimal(number: &Number, min: f64, max: f64, precision: u8) -> Result<Value, Unfit> {
    bounded(number, min, max)?;
    match number.scale() <= usize::from(precision) {
        true => Ok(Value::Decimal(number.as_str().to_owned())),
        false => Err(Unfit::Type {
            value: start(number.as_str()),
            wanted: "a number with as few digits after the point as the column has",
        }),
    }
}

fn bounded(number: &Number, min: f64, max: f64) -> Result<f64, Unfit> {
    let value = number.as_str().parse::<f64>().ok().filter(|value| (min..=max).contains(value));
    value.ok_or_else(|| Unfit::Bounds {
        value: start(number.as_str()),
        min: min.to_string(),
        max: max.to_string(),
    })
}

fn options(kind: &ColumnKind) -> Option<&OptionSet> {
    match kind {
        ColumnKind::Picklist { options, .. }
        | ColumnKind::State { options }
        | ColumnKind::Status { options } => Some(options),
        _ => None,
    }
}

fn choice_text(choice: i64, options: Option<&OptionSet>, format: ChoiceFormat) -> Result<String, Unfit> {
    if format == ChoiceFormat::Value {
        return Ok(choice.to_string());
    }
    let known = options.and_then(|set| set.options.iter().find(|option| i64::from(option.value) == choice));
    let label = known.and_then(|option| option.label.text());
    label.map(str::to_owned).ok_or_else(|| Unfit::Choice { value: choice.to_string() })
}

/// Several choices: their values stand in one text, separated by commas.
fn several(values: &str, options: &OptionSet, format: ChoiceFormat) -> Result<String, Unfit> {
    let parts = values.split(',').map(str::trim).filter(|part| !part.is_empty());
    let texts = parts.map(|part| {
        let choice = part.parse().map_err(|_| Unfit::Choice { value: start(part) })?;
        choice_text(choice, Some(options), format)
    });
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join("; "))
}

fn day_only(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::DateTime { date_only: true, .. })
}

fn wrong(value: &Value, wanted: &'static str) -> Unfit {
    let shown = match value {
        Value::Text(text) | Value::Decimal(text) => start(text),
        Value::Bool(yes) => yes.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Time(at) => at.to_string(),
        _ => "this value".to_owned(),
    };
    Unfit::Type { value: shown, wanted }
}

/// Enough of a value to find it by.
fn start(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
