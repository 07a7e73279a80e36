//! A record's mapped columns as JSON, and back: text, numbers and yes/no as themselves, everything else under a sign.

use std::collections::BTreeMap;

use postroom_core::{RecordRef, Value};

use crate::signed::{self, Plain, Signed};

/// Columns by name, in the order of the names; what is empty is left out.
pub fn write<'c>(columns: impl IntoIterator<Item = (&'c str, &'c Value)>) -> String {
    let kept = columns.into_iter().filter_map(|(name, value)| Some((name, under_sign(value)?)));
    let mut all: Vec<(&str, Signed<'_>)> = kept.collect();
    all.sort_by_key(|(name, _)| *name);
    signed::write(all.into_iter())
}

/// What [`write()`] wrote. What another version wrote and this one does not know is left out.
pub fn read(text: &str) -> BTreeMap<String, Value> {
    signed::read(text, value)
}

fn under_sign(value: &Value) -> Option<Signed<'_>> {
    Some(match value {
        Value::Null | Value::Content(_) => return None,
        Value::Text(text) => Signed::text(text),
        Value::Bool(yes) => Signed::Plain(Plain::Yes(*yes)),
        Value::Int(number) => Signed::Plain(Plain::Int(*number)),
        Value::Float(number) => Signed::Under('f', Plain::Float(*number)),
        Value::Decimal(text) => Signed::text_under('d', text.as_str()),
        Value::Guid(id) => Signed::text_under('g', id.to_string()),
        Value::Time(at) => Signed::text_under('t', at.to_string()),
        Value::Lookup(at) => Signed::text_under('l', at.to_string()),
    })
}

fn value(read: Signed<'_>) -> Option<Value> {
    match read {
        Signed::Plain(Plain::Text(text)) => Some(Value::Text(text.into_owned())),
        Signed::Plain(Plain::Yes(yes)) => Some(Value::Bool(yes)),
        Signed::Plain(Plain::Int(number)) => Some(Value::Int(number)),
        Signed::Plain(Plain::Float(number)) | Signed::Under('f', Plain::Float(number)) => {
            Some(Value::Float(number))
        }
        Signed::Under('f', Plain::Int(number)) => Some(Value::Float(number as f64)),
        Signed::Under('d', Plain::Text(text)) => Some(Value::Decimal(text.into_owned())),
        Signed::Under('g', Plain::Text(text)) => text.parse().ok().map(Value::Guid),
        Signed::Under('t', Plain::Text(text)) => text.parse().ok().map(Value::Time),
        Signed::Under('l', Plain::Text(text)) => text.parse::<RecordRef>().ok().map(Value::Lookup),
        _ => None,
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
