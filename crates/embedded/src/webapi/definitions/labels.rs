//! Labels in JSON, both ways.

use postroom_core::metadata::Label;
use serde_json::{Map, Value, json};

/// The language of an organisation here.
pub(crate) const BASE: u32 = 1033;

/// `{"LocalizedLabels":[…],"UserLocalizedLabel":…}`; `IsManaged` is never null, as some clients insist.
pub(super) fn json(label: &Label) -> Value {
    let one = |(language, text): &(u32, String)| json!({"Label": text, "LanguageCode": language, "IsManaged": false, "MetadataId": null, "HasChanged": null});
    let user = label.0.iter().find(|(language, _)| *language == BASE).or(label.0.first());
    json!({
        "LocalizedLabels": label.0.iter().map(one).collect::<Vec<_>>(),
        "UserLocalizedLabel": user.map(one),
    })
}

/// The label of this member; `None` when it is not there or says nothing.
pub(super) fn read(body: &Map<String, Value>, member: &str) -> Option<Label> {
    value(body.get(member)?)
}

pub(super) fn value(value: &Value) -> Option<Label> {
    let one = |label: &Value| {
        let text = label.get("Label")?.as_str()?;
        let language =
            label.get("LanguageCode").and_then(Value::as_u64).and_then(|code| u32::try_from(code).ok());
        Some((language.unwrap_or(BASE), text.to_owned()))
    };
    let listed = value.get("LocalizedLabels").and_then(Value::as_array);
    let mut texts: Vec<(u32, String)> = listed.into_iter().flatten().filter_map(one).collect();
    if texts.is_empty() {
        texts.extend(value.get("UserLocalizedLabel").and_then(one));
    }
    (!texts.is_empty()).then_some(Label(texts))
}

/// A label over the one that is there: with `merge` languages that it does not name stay.
pub(super) fn over(have: &Label, given: Option<Label>, merge: bool) -> Label {
    let Some(Label(mut texts)) = given else { return have.clone() };
    if merge {
        let named: Vec<u32> = texts.iter().map(|(language, _)| *language).collect();
        texts.extend(have.0.iter().filter(|(language, _)| !named.contains(language)).cloned());
    }
    Label(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_read_as_they_were_written() {
        let label = Label(vec![(1033, "Account".into()), (1031, "Firma".into())]);
        assert_eq!(value(&json(&label)), Some(label.clone()));
        assert_eq!(value(&json(&Label::default())), None);
        assert_eq!(
            value(&json!({"UserLocalizedLabel": {"Label": "x", "LanguageCode": 1031}})),
            Some(Label(vec![(1031, "x".into())]))
        );
        let given = || Some(Label::english("Company"));
        assert_eq!(over(&label, given(), false), Label::english("Company"));
        assert_eq!(
            over(&label, given(), true),
            Label(vec![(1033, "Company".into()), (1031, "Firma".into())])
        );
        assert_eq!(over(&label, None, false), label);
    }
}
