//! A record's mapped columns as JSON, and back: text, numbers and yes/no as themselves, everything else under a sign.

use std::collections::BTreeMap;

use postroom_core::{RecordRef, Value};
use serde_json::{Map, Value as Json, json};

/// Columns by name; what is empty is left out.
pub fn write<'c>(columns: impl IntoIterator<Item = (&'c str, &'c Value)>) -> String {
    let mut all = Map::new();
    for (name, value) in columns {
        if let Some(value) = one(value) {
            all.insert(name.to_owned(), value);
        }
    }
    Json::Object(all).to_string()
}

fn one(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Null | Value::Content(_) => return None,
        Value::Text(text) => json!(text),
        Value::Bool(yes) => json!(yes),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!({ "f": number }),
        Value::Decimal(text) => json!({ "d": text }),
        Value::Guid(id) => json!({ "g": id }),
        Value::Time(at) => json!({ "t": at.to_string() }),
        Value::Lookup(at) => json!({ "l": at.to_string() }),
    })
}

/// What [`write()`] wrote. What another version wrote and this one does not know is left out.
pub fn read(text: &str) -> BTreeMap<String, Value> {
    let Ok(Json::Object(all)) = serde_json::from_str(text) else { return BTreeMap::new() };
    all.into_iter().filter_map(|(name, value)| Some((name, back(value)?))).collect()
}

fn back(value: Json) -> Option<Value> {
    Some(match value {
        Json::String(text) => Value::Text(text),
        Json::Bool(yes) => Value::Bool(yes),
        Json::Number(number) => Value::Int(number.as_i64()?),
        Json::Object(signed) => {
            let (sign, value) = signed.into_iter().next()?;
            match sign.as_str() {
                "f" => Value::Float(value.as_f64()?),
                "d" => Value::Decimal(value.as_str()?.to_owned()),
                "g" => Value::Guid(value.as_str()?.parse().ok()?),
                "t" => Value::Time(value.as_str()?.parse().ok()?),
                "l" => Value::Lookup(value.as_str()?.parse::<RecordRef>().ok()?),
                _ => return None,
            }
        }
        Json::Null | Json::Array(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[track_caller]
    fn check(value: Value) {
        let text = write([("a", &value)]);
        assert_eq!(read(&text).remove("a"), Some(value), "{text}");
    }

    #[test]
    fn values_read_back() {
        check(Value::text("o'brien \"x\" \u{1f600}"));
        check(Value::Bool(true));
        check(Value::Int(-7));
        check(Value::Float(1.5));
        check(Value::Decimal("12.50".into()));
        check(Value::Guid(Uuid::from_u128(7)));
        check(Value::Time("2026-01-02T03:04:05.123456Z".parse().unwrap()));
        check(Value::lookup("account", Uuid::from_u128(9)));
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(write([("a", &Value::Null)]), "{}");
        assert!(read("").is_empty() && read("[]").is_empty() && read(r#"{"a":{"x":1}}"#).is_empty());
    }
}
