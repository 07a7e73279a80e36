//! Components made here and put into a solution, by a header, a parameter or a message.

use serde_json::json;

use super::{export, imported, rows};
use crate::bench::{On, on_both};
use crate::door::DoorBench;

on_both!(
    what_is_made_with_the_header_is_exported,
    components_are_added_and_removed,
    managed_solutions_take_nothing
);

pub(super) async fn solution(door: &DoorBench) {
    let publisher = json!({
        "friendlyname": "P", "uniquename": "pub", "customizationprefix": "new", "customizationoptionvalueprefix": 20000,
    });
    let publisher = door.send("POST", "publishers", publisher).await.made();
    let solution = json!({
        "friendlyname": "S", "uniquename": "own", "version": "1.0.0.0", "publisherid@odata.bind": format!("/publishers({publisher})"),
    });
    door.send("POST", "solutions", solution).await.made();
}

const HEADERS: [(&str, &str); 2] =
    [("content-type", "application/json"), ("mscrm.solutionuniquename", "own")];

async fn what_is_made_with_the_header_is_exported(on: On) {
    let door = DoorBench::new(on).await;
    solution(&door).await;
    let label = |text: &str| json!({"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]});
    let name = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_Name", "MaxLength": 100,
        "IsPrimaryName": true, "DisplayName": label("Name"),
    });
    let table = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", "SchemaName": "new_Thing", "DisplayName": label("Thing"),
        "DisplayCollectionName": label("Things"), "OwnershipType": "UserOwned", "HasNotes": true, "Attributes": [name],
    });
    door.ask("POST", "EntityDefinitions", &HEADERS, table.to_string()).await.made();
    let column =
        json!({"@odata.type": "Microsoft.Dynamics.CRM.BigIntAttributeMetadata", "SchemaName": "new_Big"});
    let at = "EntityDefinitions(LogicalName='account')/Attributes";
    door.ask("POST", at, &HEADERS, column.to_string()).await.made();
    let lookup = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", "SchemaName": "new_thing_lead",
        "ReferencedEntity": "new_thing", "ReferencingEntity": "lead",
        "Lookup": {"@odata.type": "Microsoft.Dynamics.CRM.LookupAttributeMetadata", "SchemaName": "new_ThingId"},
    });
    door.ask("POST", "RelationshipDefinitions", &HEADERS, lookup.to_string()).await.made();
    let told = export(&door, "own", true).await;
    let names: Vec<&str> = told.entities.iter().map(|entity| entity.table.logical_name.as_str()).collect();
    assert_eq!(names, ["account", "lead", "new_thing"]);
    let columns = |place: usize| -> Vec<&str> {
        told.entities[place].table.columns.iter().map(|column| column.logical_name.as_str()).collect()
    };
    assert_eq!((columns(0), columns(1)), (vec!["new_big"], vec!["new_thingid"]));
    assert!(columns(2).contains(&"new_name") && columns(2).contains(&"ownerid"));
    let other = DoorBench::new(on).await;
    imported(&other, &told).await;
    let row = other.send("POST", "new_things", json!({"new_name": "One"})).await.made();
    let lead =
        json!({"subject": "x", "lastname": "y", "new_ThingId@odata.bind": format!("/new_things({row})")});
    other.send("POST", "leads", lead).await.made();
}

async fn components_are_added_and_removed(on: On) {
    let door = DoorBench::new(on).await;
    solution(&door).await;
    let view = rows(&door, "savedquery").await[0].at.id;
    let body = json!({"ComponentId": view, "ComponentType": 26, "SolutionUniqueName": "own", "AddRequiredComponents": false});
    let added = door.send("POST", "AddSolutionComponent", body.clone()).await;
    assert_eq!(added.status, 200, "{}", added.text);
    let id = added.json["id"].as_str().unwrap().to_owned();
    let held = door.get(&format!("solutioncomponents({id})")).await;
    assert_eq!(
        (&held.json["componenttype"], &held.json["objectid"]),
        (&json!(26), &json!(view)),
        "{}",
        held.text
    );
    assert_eq!(
        door.send("POST", "AddSolutionComponent", body.clone()).await.status,
        200,
        "a repeat is success"
    );
    assert_eq!(rows(&door, "solutioncomponent").await.len(), 1);
    let wrong = json!({"ComponentId": view, "ComponentType": 1, "SolutionUniqueName": "own", "AddRequiredComponents": false});
    door.send("POST", "AddSolutionComponent", wrong).await.refused(
        400,
        "0x8004801f",
        "not in the target system",
    );
    let nowhere = json!({"ComponentId": view, "ComponentType": 26, "SolutionUniqueName": "no", "AddRequiredComponents": false});
    door.send("POST", "AddSolutionComponent", nowhere).await.refused(404, "0x80040217", "no");
    let body = json!({"ComponentId": view, "ComponentType": 26, "SolutionUniqueName": "own"});
    assert_eq!(door.send("POST", "RemoveSolutionComponent", body).await.status, 200);
    assert_eq!(rows(&door, "solutioncomponent").await.len(), 0);
}

async fn managed_solutions_take_nothing(on: On) {
    let door = super::with_solution(on, true).await;
    let headers = [HEADERS[0], ("mscrm.solutionuniquename", "EmailServiceConnector")];
    let column =
        json!({"@odata.type": "Microsoft.Dynamics.CRM.BigIntAttributeMetadata", "SchemaName": "new_Big"});
    let at = "EntityDefinitions(LogicalName='account')/Attributes";
    let answer = door.ask("POST", at, &headers, column.to_string()).await;
    answer.refused(400, "0x80048036", "is managed");
    assert_eq!(door.get(&format!("{at}(LogicalName='new_big')")).await.status, 404, "nothing was made");
    let body = json!({"SolutionName": "EmailServiceConnector", "Managed": true});
    door.send("POST", "ExportSolution", body).await.refused(400, "0x80048036", "cannot be exported");
}
