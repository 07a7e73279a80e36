//! A row of an answer: its members, found without regard to case and read tolerantly.
//!
//! The service's bodies are camelCase with exceptions (`campaignID`, `dateModifed`), members come and go, and numbers stand as
//! text here and there. A member that is missing, null or of another type is read as nothing.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::date;

/// An object, borrowed from its bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Row<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Row<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value::<&RawValue>()?));
                }
                Ok(Row(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A member's name, borrowed when nothing in it is escaped.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'a> Row<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Row<'a>, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The members in their order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// A member that is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value).filter(|value| value.get() != "null")
    }

    fn parse<T: Deserialize<'a>>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// Text; of a number or literal, as it is written.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(plain)
    }

    /// Text that is not empty.
    pub(crate) fn some_text(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// Text, or none.
    pub(crate) fn string(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        let text = self.text(name)?;
        text.parse().ok().or_else(|| {
            text.parse::<f64>().ok().filter(|float| float.fract() == 0.0).map(|float| float as i64)
        })
    }

    /// An id: services write 0 for none.
    pub(crate) fn id(&self, name: &str) -> Option<i64> {
        self.int(name).filter(|id| *id != 0)
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.int(name).and_then(|count| u64::try_from(count).ok()).unwrap_or_default()
    }

    pub(crate) fn float(&self, name: &str) -> f64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.get() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    pub(crate) fn moment(&self, name: &str) -> Option<Timestamp> {
        date::read(&self.text(name)?)
    }

    /// A word of an enumeration.
    pub(crate) fn word<W: for<'t> From<&'t str>>(&self, name: &str) -> W {
        W::from(&self.string(name))
    }

    pub(crate) fn row(&self, name: &str) -> Option<Row<'a>> {
        self.parse(name)
    }

    pub(crate) fn rows(&self, name: &str) -> Vec<Row<'a>> {
        self.parse(name).unwrap_or_default()
    }

    pub(crate) fn ints(&self, name: &str) -> Vec<i64> {
        self.parse(name).unwrap_or_default()
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.parse(name).unwrap_or_default()
    }
}

/// A value as text: what stands between the quotes, or the literal itself.
pub(crate) fn plain(value: &RawValue) -> String {
    serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_tolerantly() {
        let text = br#"{"campaignID":7,"a\u0062c":"x","n":"12","f":3.0,"none":null,"flag":true,"when":"0001-01-01T00:00:00","in":{"Id":1},"list":[{"x":1}],"weird":{"a":1}}"#;
        let row = Row::read(text).unwrap();
        assert_eq!(row.int("campaignId"), Some(7));
        assert_eq!(row.text("ABC").as_deref(), Some("x"));
        assert_eq!(
            (row.int("n"), row.int("f"), row.int("none"), row.int("weird")),
            (Some(12), Some(3), None, None)
        );
        assert!(row.is("flag") && row.moment("when").is_none() && row.get("none").is_none());
        assert_eq!(row.row("in").unwrap().id("id"), Some(1));
        assert_eq!(row.rows("list").len(), 1);
        assert!(row.rows("weird").is_empty());
    }
}
