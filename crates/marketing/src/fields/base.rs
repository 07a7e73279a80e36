//! What both sides last agreed on, as JSON: a sign for the kind and the value as text, null for an empty field.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Field, Number};

/// Fields under their labels.
pub fn write(fields: &BTreeMap<String, Field>) -> String {
    let one = |field: &Field| match field {
        Field::Null => Json::Null,
        Field::Text(text) => json!(text),
        Field::YesNo(yes) => json!(yes),
        Field::Number(number) => json!({ "n": number.as_str() }),
        Field::Day(day) => json!({ "d": day.to_string() }),
        Field::Moment(at) => json!({ "m": at.to_string() }),
    };
    let all: Map<String, Json> = fields.iter().map(|(label, field)| (label.clone(), one(field))).collect();
    Json::Object(all).to_string()
}

/// What [`write()`] wrote. What another version wrote and this one does not know is left out: the label then meets for the first
/// time again.
pub fn read(text: &str) -> BTreeMap<String, Field> {
    let Ok(Json::Object(all)) = serde_json::from_str(text) else { return BTreeMap::new() };
    all.into_iter().filter_map(|(label, value)| Some((label, back(value)?))).collect()
}

fn back(value: Json) -> Option<Field> {
    Some(match value {
        Json::Null => Field::Null,
        Json::String(text) => Field::Text(text),
        Json::Bool(yes) => Field::YesNo(yes),
        Json::Object(signed) => {
            let (sign, value) = signed.into_iter().next()?;
            let text = value.as_str()?;
            match sign.as_str() {
                "n" => Field::Number(Number::of(text)?),
                "d" => Field::Day(text.parse().ok()?),
                "m" => Field::Moment(text.parse().ok()?),
                _ => return None,
            }
        }
        Json::Number(_) | Json::Array(_) => return None,
    })
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
