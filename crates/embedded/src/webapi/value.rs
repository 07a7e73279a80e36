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
            let text = text.trim();
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            let plain = digits.starts_with(|first: char| first.is_ascii_digit())
                && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
                && digits.parse::<f64>().is_ok();
            plain.then(|| text.to_owned())
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

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::definitions;
    use crate::schema::Schema;

    fn with<T>(table: &str, column: &str, ask: impl FnOnce(&ColumnInfo, Kind) -> T) -> T {
        static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(1, Schema::standard()));
        let schema = &*SCHEMA;
        let metadata = definitions::metadata(schema);
        let info = metadata.table(table).and_then(|table| table.column(column)).expect("a standard column");
        let kind = schema.table(table).ok().and_then(|table| table.column(column)).expect("the same").kind;
        ask(info, kind)
    }

    #[track_caller]
    fn check(table: &str, column: &str, json: Json, expected: Option<Value>) {
        assert_eq!(with(table, column, |info, kind| read(info, kind, &json)).ok(), expected, "{json}");
    }

    fn at(text: &str) -> Option<Value> {
        text.parse::<Timestamp>().ok().map(Value::Time)
    }

    #[test]
    fn values_in_their_columns_forms() {
        check("contact", "lastname", json!("A"), Some("A".into()));
        check("contact", "lastname", json!(1), None);
        check("contact", "lastname", json!(true), None);
        check("contact", "lastname", json!(null), Some(Value::Null));
        check("contact", "numberofchildren", json!(" 7 "), Some(7.into()));
        check("contact", "numberofchildren", json!(-7), Some((-7).into()));
        check("contact", "numberofchildren", json!(2147483648_u64), None);
        check("contact", "donotemail", json!("True"), Some(true.into()));
        check("contact", "donotemail", json!("yes"), None);
        check("contact", "annualincome", json!(1e-7), Some(Value::Decimal("0.0000001".into())));
        check("contact", "annualincome", json!(1e20), Some(Value::Decimal("100000000000000000000".into())));
        check(
            "contact",
            "annualincome",
            json!("922337203685477.5807"),
            Some(Value::Decimal("922337203685477.5807".into())),
        );
        for bad in ["", "-", ".5", "1.2.3", "1e5", "0x1", "NaN", "1,5", "--1"] {
            check("contact", "annualincome", json!(bad), None);
        }
        check("contact", "birthdate", json!("1970-02-28"), at("1970-02-28T00:00:00Z"));
        check("contact", "birthdate", json!("1970-02-30"), None);
        check(
            "email",
            "actualend",
            json!("2026-01-31T10:00:00.123456+01:00"),
            at("2026-01-31T09:00:00.123456Z"),
        );
        check("email", "actualend", json!(1), None);
        check(
            "activitymimeattachment",
            "body",
            json!("aG\r\nk="),
            Some(Value::Content(Content::Bytes("hi".into()))),
        );
        check("activitymimeattachment", "body", json!("aGk"), None);
        check("account", "primarycontactid", json!("x"), None);
        check("email", "to", json!("x"), None);
    }

    proptest! {
        #[test]
        fn no_text_or_number_panics(text in "\\PC{0,40}|[-+0-9.eE:TZ]{0,30}", number in any::<f64>(), whole in any::<i64>()) {
            let columns = ["lastname", "numberofchildren", "donotemail", "annualincome", "birthdate", "address1_latitude", "gendercode", "contactid"];
            for column in columns {
                for json in [json!(text), json!(number), json!(whole)] {
                    let value = with("contact", column, |info, kind| read(info, kind, &json));
                    if let Ok(Value::Decimal(digits)) = value {
                        let plain = digits.trim_start_matches(['-', '+']);
                        prop_assert!(plain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{}", digits);
                    }
                }
            }
        }
    }
}
