//! Values with their kinds as JSON: what JSON has stands as itself, every other kind as text or number under a sign of one
//! letter (`{"t":"2026-01-02T03:04:05Z"}`).
//!
//! There is one for each person, so neither way makes a tree of it. Which sign stands for what is the caller's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// What JSON has itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plain<'t> {
    Null,
    Yes(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'t, str>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Signed<'t> {
    Plain(Plain<'t>),
    Under(char, Plain<'t>),
    /// Something of another version.
    Unknown,
}

impl<'t> Signed<'t> {
    pub(crate) fn text(text: &'t str) -> Self {
        Signed::Plain(Plain::Text(Cow::Borrowed(text)))
    }

    pub(crate) fn text_under(sign: char, text: impl Into<Cow<'t, str>>) -> Self {
        Signed::Under(sign, Plain::Text(text.into()))
    }
}

/// Values under their names, in the order in which they come.
pub(crate) fn write<'v>(values: impl ExactSizeIterator<Item = (&'v str, Signed<'v>)>) -> String {
    let mut text = Vec::with_capacity(40 * values.len());
    let mut to = serde_json::Serializer::new(&mut text);
    to.collect_map(values).expect("texts can be written");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// What [`write()`] wrote, as `of` makes values of it. What it makes none of is left out, and what is no such JSON is empty.
pub(crate) fn read<T>(text: &str, of: impl Fn(Signed<'_>) -> Option<T>) -> BTreeMap<String, T> {
    let mut from = serde_json::Deserializer::from_str(text);
    let all = from.deserialize_map(Named(of));
    all.ok().filter(|_| from.end().is_ok()).unwrap_or_default()
}

struct Named<F>(F);

impl<'de, T, F: Fn(Signed<'de>) -> Option<T>> Visitor<'de> for Named<F> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values under their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        // In their order, nearly always: then a map of them all together is made faster than one by one.
        let mut named = Vec::with_capacity(32);
        while let Some((name, value)) = all.next_entry::<String, Signed<'de>>()? {
            named.extend((self.0)(value).map(|value| (name, value)));
        }
        Ok(named.into_iter().collect())
    }
}

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Plain::Null => to.serialize_unit(),
            Plain::Yes(yes) => to.serialize_bool(*yes),
            Plain::Int(number) => to.serialize_i64(*number),
            Plain::Float(number) => to.serialize_f64(*number),
            Plain::Text(text) => to.serialize_str(text),
        }
    }
}

impl Serialize for Signed<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Signed::Plain(plain) => plain.serialize(to),
            Signed::Under(sign, plain) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry(sign, plain)?;
                map.end()
            }
            Signed::Unknown => to.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for Signed<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Kinds)
    }
}

struct Kinds;

impl<'de> Visitor<'de> for Kinds {
    type Value = Signed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Signed::Plain(Plain::Null))
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Self::Value, E> {
        Ok(Signed::Plain(Plain::Yes(yes)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Signed::Plain(Plain::Int(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        i64::try_from(number).map_or(Ok(Signed::Unknown), |number| self.visit_i64(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Signed::Plain(Plain::Float(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Signed::text(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Signed::Plain(Plain::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Signed::Unknown)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        let mut found = Signed::Unknown;
        while let Some((sign, value)) = all.next_entry::<Cow<'de, str>, Signed<'de>>()? {
            let mut letters = sign.chars();
            found = match (letters.next(), letters.next(), value) {
                (Some(sign), None, Signed::Plain(plain)) => Signed::Under(sign, plain),
                _ => Signed::Unknown,
            };
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: Signed<'_>, expected: &str) {
        let text = write([("a", value.clone())].into_iter());
        assert_eq!(text, format!("{{\"a\":{expected}}}"));
        let read = read(&text, |read| Some(read == value));
        assert_eq!(read.get("a"), Some(&true), "{text}");
    }

    #[test]
    fn values_read_back() {
        check(Signed::Plain(Plain::Null), "null");
        check(Signed::Plain(Plain::Yes(true)), "true");
        check(Signed::Plain(Plain::Int(-7)), "-7");
        check(Signed::Plain(Plain::Float(1.5)), "1.5");
        check(Signed::text("o'brien \"x\" \u{1f600}"), "\"o'brien \\\"x\\\" \u{1f600}\"");
        check(Signed::text_under('t', "1"), r#"{"t":"1"}"#);
        check(Signed::Under('f', Plain::Float(2.5)), r#"{"f":2.5}"#);
    }

    #[track_caller]
    fn check_read(text: &str, expected: &[(&str, Signed<'_>)]) {
        let unknown = |read: Signed<'_>| Some(format!("{read:?}"));
        let expected = expected.iter().map(|(name, value)| ((*name).to_owned(), format!("{value:?}")));
        assert_eq!(read(text, unknown), expected.collect(), "{text}");
    }

    #[test]
    fn what_is_not_known_is_said() {
        check_read(
            r#"{"a":[1,{"b":2}],"c":1}"#,
            &[("a", Signed::Unknown), ("c", Signed::Plain(Plain::Int(1)))],
        );
        check_read(r#"{"a":{"long":"1"}}"#, &[("a", Signed::Unknown)]);
        check_read(r#"{"a":{"t":{"t":"1"}}}"#, &[("a", Signed::Unknown)]);
        check_read(r#"{"a":{}}"#, &[("a", Signed::Unknown)]);
        check_read(r#"{"a":18446744073709551615}"#, &[("a", Signed::Unknown)]);
    }

    #[test]
    fn what_is_no_such_json_is_empty() {
        for text in ["", "[]", "1", "{\"a\":1", "{\"a\":1} x"] {
            check_read(text, &[]);
        }
    }
}
