//! One JSON value in the form of its column, as the platform's OData reader takes it: numbers, dates and booleans also as
//! text, text never as a number.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use postroom_core::metadata::{ColumnInfo, ColumnKind};
use postroom_core::{Content, Value};
use postroom_formats::odata::options;
use serde_json::Value as Json;
use uuid::Uuid;

use super::Problem;
use crate::schema::Kind;

/// The value; null is null in every column.
pub(crate) fn read(column: &ColumnInfo, kind: Kind, json: &Json) -> Result<Value, Problem> {
    if json.is_null() {
        return Ok(Value::Null);
    }
    let value = match kind {
        Kind::File => json.as_str().and_then(bytes),
        _ => typed(column, json),
    };
    value.ok_or_else(|| {
        let shown = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        unfit(&shown, edm(column, kind))
    })
}

pub(crate) fn unfit(shown: &str, wanted: &str) -> Problem {
    Problem::payload(format!(
        "Cannot convert the literal '{}' to the expected type '{wanted}'.",
        clipped(shown)
    ))
}

/// Messages repeat what was sent, but not all of a long text.
pub(crate) fn clipped(text: &str) -> String {
    const LONGEST: usize = 100;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn typed(column: &ColumnInfo, json: &Json) -> Option<Value> {
    use ColumnKind as Is;
    match &column.kind {
        Is::String { .. } | Is::Memo { .. } | Is::EntityName | Is::MultiSelect { .. } => {
            json.as_str().map(Value::text)
        }
        Is::Boolean { .. } => match json {
            Json::Bool(value) => Some(Value::Bool(*value)),
            Json::String(text) => text.trim().to_ascii_lowercase().parse().ok().map(Value::Bool),
            _ => None,
        },
        Is::Integer { .. } | Is::Picklist { .. } | Is::State { .. } | Is::Status { .. } => {
            let number = whole(json)?;
            i32::try_from(number).ok().map(|number| Value::Int(number.into()))
        }
        Is::BigInt => whole(json).map(Value::Int),
        Is::Decimal { .. } | Is::Money { .. } => decimal(json).map(Value::Decimal),
        Is::Double { .. } => match json {
            Json::Number(number) => number.as_f64(),
            Json::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        }
        .map(Value::Float),
        Is::DateTime { .. } => time(json.as_str()?.trim()).map(Value::Time),
        Is::Uniqueidentifier => json.as_str().and_then(guid).map(Value::Guid),
        Is::File { .. } | Is::Image { .. } => json.as_str().and_then(bytes),
        Is::Lookup { .. } | Is::Customer { .. } | Is::Owner { .. } | Is::PartyList { .. } | Is::Virtual => {
            None
        }
    }
}

/// A guid in any case, with or without braces.
pub(crate) fn guid(text: &str) -> Option<Uuid> {
    options::guid(text.trim())
}

fn whole(json: &Json) -> Option<i64> {
    match json {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// In plain notation: the platform's decimals have no exponents.
fn decimal(json: &Json) -> Option<String> {
    match json {
        Json::Number(number) if number.is_f64() => number.as_f64().map(|number| number.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => {
            let digits = text.trim().trim_start_matches(['-', '+']);
            let plain = digits.starts_with(|first: char| first.is_ascii_digit())
                && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
                && digits.parse::<f64>().is_ok();
            plain.then(|| text.trim().to_owned())
        }
        _ => None,
    }
}

/// A date is its midnight in UTC; a time without a zone is in UTC.
fn time(text: &str) -> Option<Timestamp> {
    let day = || TimeZone::UTC.to_timestamp(options::date(text)?.to_datetime(Default::default())).ok();
    options::time(text).or_else(day)
}

fn bytes(text: &str) -> Option<Value> {
    let text: String = text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    BASE64.decode(text).ok().map(|bytes| Value::Content(Content::Bytes(bytes.into())))
}

fn edm(column: &ColumnInfo, kind: Kind) -> &'static str {
    use ColumnKind as Is;
    match &column.kind {
        _ if kind == Kind::File => "Edm.Binary",
        Is::Boolean { .. } => "Edm.Boolean",
        Is::Integer { .. } | Is::Picklist { .. } | Is::State { .. } | Is::Status { .. } => "Edm.Int32",
        Is::BigInt => "Edm.Int64",
        Is::Decimal { .. } | Is::Money { .. } => "Edm.Decimal",
        Is::Double { .. } => "Edm.Double",
        Is::DateTime { date_only: true, .. } => "Edm.Date",
        Is::DateTime { .. } => "Edm.DateTimeOffset",
        Is::Uniqueidentifier => "Edm.Guid",
        _ => "Edm.String",
    }
}
