//! What both sides last agreed on, as JSON: a sign for the kind and the value as text, null for an empty field.

use std::collections::BTreeMap;

use super::{Field, Number};
use crate::signed::{self, Plain, Signed};

/// Fields under their labels.
pub fn write(fields: &BTreeMap<String, Field>) -> String {
    signed::write(fields.iter().map(|(label, field)| (label.as_str(), under_sign(field))))
}

/// What [`write()`] wrote. What another version wrote and this one does not know is left out.
pub fn read(text: &str) -> BTreeMap<String, Field> {
    signed::read(text, field)
}

fn under_sign(field: &Field) -> Signed<'_> {
    match field {
        Field::Null => Signed::Plain(Plain::Null),
        Field::Text(text) => Signed::text(text),
        Field::YesNo(yes) => Signed::Plain(Plain::Yes(*yes)),
        Field::Number(number) => Signed::text_under('n', number.as_str()),
        Field::Day(day) => Signed::text_under('d', day.to_string()),
        Field::Moment(at) => Signed::text_under('m', at.to_string()),
    }
}

fn field(read: Signed<'_>) -> Option<Field> {
    match read {
        Signed::Plain(Plain::Null) => Some(Field::Null),
        Signed::Plain(Plain::Text(text)) => Some(Field::Text(text.into_owned())),
        Signed::Plain(Plain::Yes(yes)) => Some(Field::YesNo(yes)),
        Signed::Under('n', Plain::Text(text)) => Number::of(&text).map(Field::Number),
        Signed::Under('d', Plain::Text(text)) => text.parse().ok().map(Field::Day),
        Signed::Under('m', Plain::Text(text)) => text.parse().ok().map(Field::Moment),
        _ => None,
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
