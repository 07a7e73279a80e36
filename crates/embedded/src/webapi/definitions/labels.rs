//! Labels in JSON, both ways.

use postroom_core::metadata::Label;
use postroom_core::{Filter, Query};
use serde_json::{Map, Value, json};

pub(super) use crate::definitions::labels::over;
use crate::webapi::Problem;
use crate::webapi::call::Call;

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

/// The language in which the caller sees names: `usersettings.uilanguageid`, else the organisation's.
pub(super) async fn language(call: &Call<'_>) -> Result<u32, Problem> {
    let own = Filter::eq("systemuserid", call.session.user());
    let query = Query::of("usersettings").select(&["uilanguageid"]).filter(own).top(1);
    let row = call.session.system(query).await?.pop();
    let language = row.and_then(|row| row.int("uilanguageid")).and_then(|id| u32::try_from(id).ok());
    Ok(language.filter(|id| *id != 0).unwrap_or(BASE))
}

/// Makes the text of this language the `UserLocalizedLabel` of every label that has one.
pub(super) fn choose(value: &mut Value, language: u32) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| choose(value, language)),
        Value::Object(members) => {
            let listed = members.get("LocalizedLabels").and_then(Value::as_array);
            let own = listed.and_then(|all| {
                all.iter()
                    .find(|one| one.get("LanguageCode").and_then(Value::as_u64) == Some(language.into()))
            });
            match own.cloned() {
                Some(own) => drop(members.insert("UserLocalizedLabel".into(), own)),
                None => members.values_mut().for_each(|value| choose(value, language)),
            }
        }
        _ => {}
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_sees_his_own_language() {
        let label = Label(vec![(1033, "Account".into()), (1031, "Firma".into())]);
        let mut rows = json!([{"DisplayName": json(&label), "Description": json(&Label::english("x"))}]);
        choose(&mut rows, 1031);
        assert_eq!(rows[0]["DisplayName"]["UserLocalizedLabel"]["Label"], "Firma");
        assert_eq!(rows[0]["DisplayName"]["LocalizedLabels"].as_array().map(Vec::len), Some(2));
        assert_eq!(rows[0]["Description"]["UserLocalizedLabel"]["Label"], "x");
    }

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
