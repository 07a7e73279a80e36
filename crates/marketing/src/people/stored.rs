//! A record's mapped columns as JSON, and back: text, numbers and yes/no as themselves, everything else under a sign.
//!
//! There is one for each person, so neither way makes a tree of it.

use std::collections::BTreeMap;
use std::fmt;

use postroom_core::{RecordRef, Value};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Columns by name, in the order of the names; what is empty is left out.
pub fn write<'c>(columns: impl IntoIterator<Item = (&'c str, &'c Value)>) -> String {
    let is_kept = |(_, value): &(&str, &Value)| !matches!(value, Value::Null | Value::Content(_));
    let mut all: Vec<(&str, &Value)> = columns.into_iter().filter(is_kept).collect();
    all.sort_by_key(|(name, _)| *name);
    let mut text = Vec::with_capacity(40 * all.len());
    let mut to = serde_json::Serializer::new(&mut text);
    to.collect_map(all.into_iter().map(|(name, value)| (name, Written(value))))
        .expect("texts can be written");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// What [`write()`] wrote. What another version wrote and this one does not know is left out.
pub fn read(text: &str) -> BTreeMap<String, Value> {
    let all: BTreeMap<String, Back> = serde_json::from_str(text).unwrap_or_default();
    all.into_iter().filter_map(|(name, Back(value))| Some((name, value?))).collect()
}

struct Written<'v>(&'v Value);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (sign, text) = match self.0 {
            Value::Null | Value::Content(_) => return to.serialize_unit(),
            Value::Text(text) => return to.serialize_str(text),
            Value::Bool(yes) => return to.serialize_bool(*yes),
            Value::Int(number) => return to.serialize_i64(*number),
            Value::Float(number) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry("f", number)?;
                return map.end();
            }
            Value::Decimal(text) => ("d", text.clone()),
            Value::Guid(id) => ("g", id.to_string()),
            Value::Time(at) => ("t", at.to_string()),
            Value::Lookup(at) => ("l", at.to_string()),
        };
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry(sign, &text)?;
        map.end()
    }
}

/// A value, or something of another version.
struct Back(Option<Value>);

impl<'de> Deserialize<'de> for Back {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Signs).map(Back)
    }
}

struct Signs;

impl<'de> Visitor<'de> for Signs {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(text.to_owned())))
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Bool(yes)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::Int(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).ok().map(Value::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::Float(number)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some((sign, value)) = all.next_entry::<String, Back>()? {
            found = match (sign.as_str(), value.0) {
                ("f", Some(Value::Float(number))) => Some(Value::Float(number)),
                ("f", Some(Value::Int(number))) => Some(Value::Float(number as f64)),
                ("d", Some(Value::Text(text))) => Some(Value::Decimal(text)),
                ("g", Some(Value::Text(text))) => text.parse().ok().map(Value::Guid),
                ("t", Some(Value::Text(text))) => text.parse().ok().map(Value::Time),
                ("l", Some(Value::Text(text))) => text.parse::<RecordRef>().ok().map(Value::Lookup),
                _ => None,
            };
        }
        Ok(found)
    }
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
