//! What option sets say of themselves: choices, states, statuses, and the two options of a Boolean.

use postroom_core::metadata::{ColumnInfo, ColumnKind, Label, OptionItem, OptionSet, TableInfo};
use serde_json::{Value, json};
use uuid::Uuid;

use super::labels;
use super::tables::INTRODUCED;
use super::types::Member;

pub(super) fn member(set: &OptionSet, kind: &str, member: &Member) -> Option<Value> {
    Some(match member.name {
        "Description" => labels::json(&set.description),
        "DisplayName" => labels::json(&set.label),
        "IntroducedVersion" => INTRODUCED.into(),
        "IsCustomOptionSet" => set.is_custom.into(),
        "IsGlobal" => set.is_global.into(),
        "Name" => set.name.as_str().into(),
        "OptionSetType" => kind.into(),
        "Options" => set.options.iter().map(|item| option(item, kind)).collect(),
        _ => return None,
    })
}

fn option(item: &OptionItem, kind: &str) -> Value {
    let mut value = json!({
        "Value": item.value, "Label": labels::json(&item.label), "Description": labels::json(&Label::default()),
        "Color": null, "IsManaged": false, "ExternalValue": "", "ParentValues": [], "Tag": null, "IsHidden": false,
        "MetadataId": null, "HasChanged": null,
    });
    match kind {
        "State" => {
            value["@odata.type"] = "#Microsoft.Dynamics.CRM.StateOptionMetadata".into();
            value["DefaultStatus"] = item.default_status.into();
            value["InvariantName"] = item.label.text().map(|text| text.replace(' ', "")).into();
        }
        "Status" => {
            value["@odata.type"] = "#Microsoft.Dynamics.CRM.StatusOptionMetadata".into();
            value["State"] = item.state.into();
            value["TransitionData"] = Value::Null;
        }
        _ => {}
    }
    value
}

pub(super) fn yes_no_name(table: &TableInfo, column: &ColumnInfo) -> String {
    format!("{}_{}", table.logical_name, column.logical_name)
}

pub(super) fn yes_no_id(table: &TableInfo, column: &ColumnInfo) -> Uuid {
    crate::definitions::id("optionset", &yes_no_name(table, column))
}

pub(super) fn yes_no_member(table: &TableInfo, column: &ColumnInfo, member: &Member) -> Option<Value> {
    let ColumnKind::Boolean { yes, no, .. } = &column.kind else { return None };
    let two = |value: i32, label: &Label| {
        option(&OptionItem { value, label: label.clone(), state: None, default_status: None }, "Boolean")
    };
    Some(match member.name {
        "DisplayName" => labels::json(&column.label),
        "FalseOption" => two(0, no),
        "IntroducedVersion" => INTRODUCED.into(),
        "IsCustomOptionSet" => column.is_custom.into(),
        "Name" => yes_no_name(table, column).into(),
        "OptionSetType" => "Boolean".into(),
        "TrueOption" => two(1, yes),
        _ => return None,
    })
}
