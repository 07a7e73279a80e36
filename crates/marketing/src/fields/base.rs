//! What both sides last agreed on, as JSON: a sign for the kind and the value as text, null for an empty field.
//!
//! There is one for each person, so neither way makes a tree of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Field, Number};

/// Fields under their labels.
pub fn write(fields: &BTreeMap<String, Field>) -> String {
    let mut text = Vec::with_capacity(32 * fields.len());
    let mut to = serde_json::Serializer::new(&mut text);
    to.collect_map(fields.iter().map(|(label, field)| (label, Written(field))))
        .expect("texts can be written");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// What [`write()`] wrote. What another version wrote and this one does not know is left out.
pub fn read(text: &str) -> BTreeMap<String, Field> {
    let all: BTreeMap<String, Back> = serde_json::from_str(text).unwrap_or_default();
    all.into_iter().filter_map(|(label, Back(field))| Some((label, field?))).collect()
}

struct Written<'f>(&'f Field);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (sign, text) = match self.0 {
            Field::Null => return to.serialize_unit(),
            Field::Text(text) => return to.serialize_str(text),
            Field::YesNo(yes) => return to.serialize_bool(*yes),
            Field::Number(number) => ("n", number.as_str().to_owned()),
            Field::Day(day) => ("d", day.to_string()),
            Field::Moment(at) => ("m", at.to_string()),
        };
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry(sign, &text)?;
        map.end()
    }
}

/// A field, or something of another version.
struct Back(Option<Field>);

impl<'de> Deserialize<'de> for Back {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Signs).map(Back)
    }
}

struct Signs;

impl<'de> Visitor<'de> for Signs {
    type Value = Option<Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some(Field::Null))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Field::Text(text.to_owned())))
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Self::Value, E> {
        Ok(Some(Field::YesNo(yes)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        let mut field = None;
        while let Some((sign, text)) = all.next_entry::<String, Back>()? {
            let Back(Some(Field::Text(text))) = text else { continue };
            field = match sign.as_str() {
                "n" => Number::of(&text).map(Field::Number),
                "d" => text.parse().ok().map(Field::Day),
                "m" => text.parse().ok().map(Field::Moment),
                _ => None,
            };
        }
        Ok(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: Field) {
        let fields = BTreeMap::from([("A".to_owned(), field)]);
        assert_eq!(read(&write(&fields)), fields);
    }

    #[test]
    fn fields_read_back() {
        check(Field::Null);
        check(Field::Text("o'brien \"x\" \u{1f600}".into()));
        check(Field::Number(Number::of("-12.50").unwrap()));
        check(Field::Day("2024-02-29".parse().unwrap()));
        check(Field::Moment("2024-02-29T01:02:03.5Z".parse().unwrap()));
        check(Field::YesNo(false));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        assert!(read("").is_empty() && read("[1]").is_empty() && read(r#"{"A":{"z":"1"},"B":5}"#).is_empty());
    }
}
