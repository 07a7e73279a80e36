//! Rows out of JSON, for `record import`: `{"table":"contact","id":"GUID","columns":{…}}`.
//!
//! Lookups are `"table/guid"`, `{"table","id"}` or, when the column has one target, a bare GUID; times are RFC 3339 or a
//! date; choices are numbers or labels; files are base64. What [`postroom_core::Record`] serialises to reads back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use postroom_core::{Code, Content, Fault, Record, RecordRef, Value};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::rules::Refusal;
use crate::schema::{Column, Kind, Schema, Table};

/// A row from one line of an import file, as it stands there.
pub(crate) fn line(schema: &Schema, line: &str) -> Result<Record, Fault> {
    let line = serde_json::from_str(line)
        .map_err(|error| Fault::reject(Code::API_INPUT, format!("the line is not JSON: {error}")))?;
    record(schema, &line)
}

/// A row from one line of an import file.
pub fn record(schema: &Schema, line: &Json) -> Result<Record, Fault> {
    let input = |what: &str| Fault::reject(Code::API_INPUT, what.to_owned());
    let line =
        line.as_object().ok_or_else(|| input("a line is an object: {\"table\",\"id\",\"columns\"}"))?;
    if let Some(key) = line.keys().find(|key| !["table", "id", "columns"].contains(&key.as_str())) {
        return Err(input(&format!("{key:?} is no key of a line; it has table, id and columns")));
    }
    let text = |key: &str| {
        line.get(key).and_then(Json::as_str).ok_or_else(|| input(&format!("{key} is missing or no text")))
    };
    let table = schema.table(text("table")?)?;
    let id = text("id")?;
    let id = Uuid::parse_str(id).map_err(|_| input(&format!("id {id:?} is not a GUID")))?;
    let none = Map::new();
    let given = match line.get("columns") {
        Some(Json::Object(given)) => given,
        None => &none,
        Some(_) => return Err(input("columns is an object: {\"column\": value}")),
    };
    columns(table, id, given).map_err(Fault::from)
}

/// The columns of one row.
pub fn columns(table: &Table, id: Uuid, given: &Map<String, Json>) -> Result<Record, Refusal> {
    let mut record = Record::new(RecordRef::new(table.name.clone(), id));
    for (name, value) in given {
        let column = &table.columns[table.known_place(name)?];
        record.columns.push((name.into(), value_of(table, column, value)?));
    }
    Ok(record)
}

/// One value in the form that its column takes.
pub fn value_of(table: &Table, column: &Column, value: &Json) -> Result<Value, Refusal> {
    let wrong = || Refusal::Type {
        table: table.name.clone(),
        column: column.name.clone(),
        wanted: column.kind.wanted(),
        got: shown(value),
    };
    let settled = match (column.kind, value) {
        (_, Json::Null) => Some(Value::Null),
        (Kind::Text | Kind::Body | Kind::MultiChoice, Json::String(text)) => Some(Value::Text(text.clone())),
        (Kind::File, Json::String(text)) => {
            BASE64.decode(text).ok().map(|bytes| Value::Content(Content::Bytes(Bytes::from(bytes))))
        }
        (Kind::Id | Kind::Guid, Json::String(text)) => Uuid::parse_str(text).ok().map(Value::Guid),
        (Kind::Boolean, Json::Bool(value)) => Some(Value::Bool(*value)),
        (Kind::Boolean, Json::String(text)) => text.parse().ok().map(Value::Bool),
        (Kind::Choice | Kind::State | Kind::Status, Json::String(text)) => {
            choice(table, column, text).map(Some)?
        }
        (
            Kind::Integer | Kind::BigInteger | Kind::Choice | Kind::State | Kind::Status,
            Json::Number(number),
        ) => number.as_i64().map(Value::Int),
        (Kind::Integer | Kind::BigInteger, Json::String(text)) => text.parse().ok().map(Value::Int),
        (Kind::Double, Json::Number(number)) => number.as_f64().map(Value::Float),
        (Kind::Double, Json::String(text)) => text.parse().ok().map(Value::Float),
        // As written: a binary fraction would lose digits.
        (Kind::Decimal | Kind::Money, Json::Number(number)) => Some(Value::Decimal(number.to_string())),
        (Kind::Decimal | Kind::Money, Json::String(text)) => Some(Value::Decimal(text.clone())),
        (Kind::Time, Json::String(text)) => time(text).map(Value::Time),
        (Kind::Lookup, value) => lookup(column, value).map(Value::Lookup),
        _ => None,
    };
    settled.ok_or_else(wrong)
}

fn shown(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "this text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// A choice by its number or its label, in any case.
fn choice(table: &Table, column: &Column, text: &str) -> Result<Value, Refusal> {
    let wanted = text.trim().to_lowercase();
    let labelled = column.choices.iter().find(|choice| choice.label.trim().to_lowercase() == wanted);
    match (labelled, wanted.parse()) {
        (Some(choice), _) => Ok(Value::Int(choice.value)),
        (None, Ok(number)) => Ok(Value::Int(number)),
        (None, Err(_)) => Err(Refusal::Choice {
            table: table.name.clone(),
            column: column.name.clone(),
            got: format!("{:?}", text.chars().take(40).collect::<String>()),
            known: crate::rules::choices(column),
        }),
    }
}

fn time(text: &str) -> Option<Timestamp> {
    let date = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(date)
}

fn lookup(column: &Column, value: &Json) -> Option<RecordRef> {
    match value {
        Json::String(text) if text.contains('/') => text.parse().ok(),
        Json::String(text) => Some(RecordRef::new(column.targets.only()?, Uuid::parse_str(text).ok()?)),
        Json::Object(parts) => {
            let part = |key: &str| parts.get(key).and_then(Json::as_str);
            Some(RecordRef::new(part("table")?, Uuid::parse_str(part("id")?).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11";

    #[track_caller]
    fn check(table: &str, column: &str, given: Json, expected: Option<Value>) {
        let schema = Schema::new(1, Schema::standard());
        let line = json!({"table": table, "id": ID, "columns": {column: given}});
        let value = record(&schema, &line).ok().and_then(|record| record.get(column).cloned());
        assert_eq!(value, expected);
    }

    #[test]
    fn values_in_every_form() {
        let id: Uuid = ID.parse().unwrap();
        check("contact", "firstname", json!("Anna"), Some(Value::text("Anna")));
        check("contact", "donotemail", json!(true), Some(Value::Bool(true)));
        check("contact", "numberofchildren", json!(3), Some(Value::Int(3)));
        check("contact", "annualincome", json!("12.50"), Some(Value::Decimal("12.50".into())));
        check(
            "contact",
            "parentcustomerid",
            json!(format!("account/{ID}")),
            Some(Value::lookup("account", id)),
        );
        check(
            "contact",
            "parentcustomerid",
            json!({"table": "account", "id": ID}),
            Some(Value::lookup("account", id)),
        );
        check("contact", "parentcustomerid", json!(ID), None);
        check("account", "primarycontactid", json!(ID), Some(Value::lookup("contact", id)));
        check("incident", "statecode", json!("resolved"), Some(Value::Int(1)));
        check("incident", "statecode", json!("asleep"), None);
        check(
            "email",
            "actualend",
            json!("2026-11-02"),
            "2026-11-02T00:00:00Z".parse::<Timestamp>().ok().map(Value::Time),
        );
        check(
            "email",
            "actualend",
            json!("2026-11-02T11:00:00+01:00"),
            "2026-11-02T10:00:00Z".parse::<Timestamp>().ok().map(Value::Time),
        );
        check("email", "actualend", json!("yesterday"), None);
        check(
            "attachment",
            "body",
            json!("aGk="),
            Some(Value::Content(Content::Bytes(Bytes::from_static(b"hi")))),
        );
    }

    #[test]
    fn shown_rows_read_back() {
        let schema = Schema::new(1, Schema::standard());
        let line = json!({"table": "contact", "id": ID, "columns": {
            "firstname": "Anna", "donotemail": false, "numberofchildren": 2, "parentcustomerid": format!("account/{ID}"),
            "lastusedincampaign": "2026-11-02T10:00:00Z", "annualincome": "10.00",
        }});
        assert_eq!(serde_json::to_value(record(&schema, &line).unwrap()).unwrap(), line);
    }

    #[test]
    fn bad_lines_say_what_is_wrong() {
        let schema = Schema::new(1, Schema::standard());
        let says = |line: Json| record(&schema, &line).unwrap_err().to_string();
        assert!(says(json!([])).contains("object"));
        assert!(says(json!({"table": "contact", "id": "7"})).contains("GUID"));
        assert!(says(json!({"table": "contcat", "id": ID})).contains("contact"));
        assert!(says(json!({"table": "contact", "id": ID, "colums": {}})).contains("colums"));
        assert!(
            says(json!({"table": "contact", "id": ID, "columns": {"emailadress1": "x"}}))
                .contains("emailaddress1")
        );
    }
}
