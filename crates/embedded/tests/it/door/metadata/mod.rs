//! Definitions at the Web API door: what real clients ask for and what they make, one request after the other.

mod links;
mod made;
mod read;

use serde_json::{Value as Json, json};

use super::{Answer, DoorBench};
use crate::bench::On;

const TYPE: &str = "Microsoft.Dynamics.CRM.";

fn label(text: &str) -> Json {
    json!({"@odata.type": "Microsoft.Dynamics.CRM.Label", "LocalizedLabels": [
        {"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": 1033, "IsManaged": false},
    ]})
}

fn text_column(schema_name: &str) -> Json {
    json!({
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "AttributeType": "String",
        "AttributeTypeName": {"Value": "StringType"}, "SchemaName": schema_name, "MaxLength": 100,
        "FormatName": {"Value": "Text"}, "DisplayName": label(schema_name),
        "RequiredLevel": {"Value": "None", "CanBeChanged": true, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings"},
    })
}

fn table(schema_name: &str) -> Json {
    let mut name = text_column("new_Name");
    name["IsPrimaryName"] = true.into();
    json!({
        "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", "SchemaName": schema_name, "DisplayName": label("Thing"),
        "DisplayCollectionName": label("Things"), "Description": label("A thing"), "OwnershipType": "UserOwned",
        "IsActivity": false, "HasActivities": false, "HasNotes": false, "Attributes": [name],
    })
}

async fn with_table(on: On) -> DoorBench {
    let door = DoorBench::new(on).await;
    door.send("POST", "EntityDefinitions", table("new_Thing")).await.made();
    door
}

/// The value at a JSON pointer, of an answer that must be 200.
#[track_caller]
fn at<'a>(answer: &'a Answer, pointer: &str) -> &'a Json {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", answer.text))
}

/// What this member is in each row of a list.
#[track_caller]
fn each(answer: &Answer, member: &str) -> Vec<String> {
    let rows = at(answer, "/value").as_array().unwrap();
    rows.iter()
        .map(|row| row[member].as_str().map_or_else(|| row[member].to_string(), str::to_owned))
        .collect()
}
