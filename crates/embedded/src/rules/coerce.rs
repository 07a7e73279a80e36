//! One value against one column: type, length, bounds, choices. The result is in the one form that rows are kept and
//! compared in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::{Content, RecordRef, Value};

use super::Refusal;
use crate::schema::{Column, Kind, Table};

/// Checks and settles a value. Null passes; so does an empty text, which the platform keeps as null.
pub(crate) fn coerce(table: &Table, column: &Column, value: Value) -> Result<Value, Refusal> {
    let wrong = |got: &'static str| Refusal::Type {
        table: table.name.clone(),
        column: column.name.clone(),
        wanted: column.kind.wanted(),
        got,
    };
    let got = shown(&value);
    let settled = match (column.kind, value) {
        (_, Value::Null) => Value::Null,
        (Kind::Text | Kind::Body | Kind::File | Kind::MultiChoice, Value::Text(text)) if text.is_empty() => {
            Value::Null
        }
        (Kind::Text | Kind::Body, Value::Text(text)) if text.contains('\0') => {
            return Err(wrong("a text with a NUL"));
        }
        (Kind::Text, Value::Text(text)) => Value::Text(text),
        (Kind::Id | Kind::Guid, Value::Guid(id)) => Value::Guid(id),
        (Kind::Id | Kind::Guid, Value::Text(text)) => Value::Guid(text.parse().map_err(|_| wrong(got))?),
        (Kind::Boolean, Value::Bool(value)) => Value::Bool(value),
        (
            Kind::Integer | Kind::BigInteger | Kind::Choice | Kind::State | Kind::Status,
            Value::Int(number),
        ) => Value::Int(number),
        (Kind::Double, Value::Float(number)) if number.is_finite() => Value::Float(number),
        (Kind::Double, Value::Int(number)) => Value::Float(number as f64),
        (Kind::Decimal | Kind::Money, value) => Value::Decimal(decimal(&value).ok_or_else(|| wrong(got))?),
        (Kind::Time, Value::Time(time)) => Value::Time(micros(time)),
        (Kind::Lookup, Value::Lookup(at)) => Value::Lookup(at),
        (Kind::Lookup, Value::Guid(id)) => match column.targets.only() {
            Some(target) => Value::Lookup(RecordRef::new(target, id)),
            None => return Err(wrong("a bare GUID, though it may name several tables")),
        },
        (Kind::MultiChoice, Value::Int(number)) => several(table, column, &number.to_string())?,
        (Kind::MultiChoice, Value::Text(text)) => several(table, column, &text)?,
        (Kind::Body, Value::Text(text)) => Value::Text(text),
        (Kind::Body, Value::Content(Content::Bytes(bytes))) => match String::from_utf8(bytes.into()) {
            Ok(text) => Value::Text(text),
            Err(_) => return Err(wrong("bytes that are not UTF-8")),
        },
        (Kind::File, Value::Text(text)) => match BASE64.decode(text.as_bytes()) {
            Ok(bytes) => Value::Content(Content::Bytes(Bytes::from(bytes))),
            Err(_) => return Err(wrong("text that is not base64")),
        },
        (Kind::Body | Kind::File, Value::Content(content)) => Value::Content(content),
        (Kind::PartyList, _) => {
            let what = "written; write rows of activityparty";
            return Err(Refusal::Use { table: table.name.clone(), column: column.name.clone(), what });
        }
        _ => return Err(wrong(got)),
    };
    within(table, column, &settled)?;
    Ok(settled)
}

/// Several choices in their one form: rising, without repeats.
fn several(table: &Table, column: &Column, text: &str) -> Result<Value, Refusal> {
    let mut numbers = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let number: i64 = part.parse().map_err(|_| Refusal::Type {
            table: table.name.clone(),
            column: column.name.clone(),
            wanted: column.kind.wanted(),
            got: "this text",
        })?;
        if !column.choices.is_empty() {
            known_choice(table, column, number)?;
        }
        numbers.push(number);
    }
    numbers.sort_unstable();
    numbers.dedup();
    let text = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    Ok(if text.is_empty() { Value::Null } else { Value::Text(text) })
}

/// What a value of the wrong type is called in an error.
fn shown(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Int(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Decimal(_) => "a decimal number",
        Value::Text(_) => "text",
        Value::Guid(_) => "a GUID",
        Value::Time(_) => "a time",
        Value::Lookup(_) => "a record",
        Value::Content(_) => "a body",
    }
}

/// Times are kept to the microsecond, as the store keeps them.
fn micros(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).expect("a time cut to microseconds stays in range")
}

/// Plain notation: sign, digits, point, digits.
fn decimal(value: &Value) -> Option<String> {
    match value {
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) if number.is_finite() => Some(number.to_string()),
        Value::Decimal(text) | Value::Text(text) => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
            let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            (all_digits(whole) && all_digits(fraction)).then(|| text.trim_start_matches('+').to_owned())
        }
        _ => None,
    }
}

fn within(table: &Table, column: &Column, value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Text(text) => short_enough(table, column, text),
        Value::Int(number) if !column.choices.is_empty() => known_choice(table, column, *number),
        Value::Int(number) => bounded(table, column, *number as f64, number),
        Value::Float(number) => bounded(table, column, *number, number),
        Value::Decimal(text) => bounded(table, column, text.parse().unwrap_or(f64::NAN), text),
        _ => Ok(()),
    }
}

/// Counts UTF-16 units, as SQL Server's `nvarchar` and every client do.
fn short_enough(table: &Table, column: &Column, text: &str) -> Result<(), Refusal> {
    let Some(max) = column.max_length else { return Ok(()) };
    // A text has at least as many bytes as UTF-16 units: most need no counting.
    if text.len() <= max as usize {
        return Ok(());
    }
    let length = text.encode_utf16().count();
    match length <= max as usize {
        true => Ok(()),
        false => {
            Err(Refusal::TooLong { table: table.name.clone(), column: column.name.clone(), length, max })
        }
    }
}

fn known_choice(table: &Table, column: &Column, number: i64) -> Result<(), Refusal> {
    if column.choices.iter().any(|choice| choice.value == number) {
        return Ok(());
    }
    Err(Refusal::Choice {
        table: table.name.clone(),
        column: column.name.clone(),
        got: number.to_string(),
        known: choices(column),
    })
}

/// `0 Low, 1 Normal, 2 High`.
pub(crate) fn choices(column: &Column) -> String {
    let one = |choice: &crate::schema::Choice| format!("{} {}", choice.value, choice.label.trim());
    column.choices.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn bounded(
    table: &Table,
    column: &Column,
    number: f64,
    shown: &dyn std::fmt::Display,
) -> Result<(), Refusal> {
    let refuse = |bound: String| {
        Err(Refusal::Range {
            table: table.name.clone(),
            column: column.name.clone(),
            bound,
            got: shown.to_string(),
        })
    };
    match (column.min, column.max) {
        (Some(min), _) if number < min => refuse(format!("at least {min}")),
        (_, Some(max)) if number > max => refuse(format!("at most {max}")),
        _ => Ok(()),
    }
}
