//! Solutions that are deleted: managed ones take along what is theirs alone.

use base64::Engine as _;
use postroom_core::Filter;
use serde_json::json;

use super::{definitions, file, id_of, imported, rows, sample, uninstall, with_solution};
use crate::bench::{On, on_both};
use crate::door::DoorBench;

on_both!(
    a_managed_solution_leaves_no_trace,
    an_unmanaged_solution_leaves_its_components,
    what_was_there_before_stays,
    what_was_there_before_goes_when_it_was_converted,
    what_another_solution_holds_stays,
    what_others_need_refuses,
    the_port_deletes_too,
);

const NAME: &str = "EmailServiceConnector";

async fn a_managed_solution_leaves_no_trace(on: On) {
    let door = DoorBench::new(on).await;
    let before = definitions(&door).await;
    let count = async |table| rows(&door, table).await.len();
    let tables = [
        "savedquery",
        "systemform",
        "role",
        "roleprivileges",
        "sitemap",
        "appmodule",
        "appmodulecomponent",
        "appmoduleroles",
        "webresource",
        "ribbondiff",
        "solution",
        "solutioncomponent",
        "privilege",
    ];
    let mut counts = Vec::new();
    for table in tables {
        counts.push(count(table).await);
    }
    imported(&door, &sample(true)).await;
    door.send("POST", "esc_sends", json!({"esc_name": "Gone"})).await.made();
    let answer = uninstall(&door, NAME).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(definitions(&door).await, before);
    for (table, before) in tables.into_iter().zip(counts) {
        assert_eq!(count(table).await, before, "{table}");
    }
    assert_eq!(
        door.bench.all("publisher", Filter::eq("uniquename", "esc")).await.len(),
        1,
        "publishers stay"
    );
    imported(&door, &sample(true)).await;
}

async fn an_unmanaged_solution_leaves_its_components(on: On) {
    let door = with_solution(on, false).await;
    let before = definitions(&door).await;
    assert_eq!(uninstall(&door, NAME).await.status, 204);
    assert_eq!(definitions(&door).await, before);
    assert_eq!(rows(&door, "solutioncomponent").await.len(), 0);
    assert_eq!(rows(&door, "systemform").await.len(), 1);
}

async fn what_was_there_before_stays(on: On) {
    let door = DoorBench::new(on).await;
    let column = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.IntegerAttributeMetadata", "SchemaName": "esc_Score", "MinValue": 0, "MaxValue": 5,
    });
    door.send("POST", "EntityDefinitions(LogicalName='contact')/Attributes", column).await.made();
    let row = door.send("POST", "contacts", json!({"lastname": "Adler", "esc_score": 3})).await.made();
    imported(&door, &sample(true)).await;
    assert_eq!(uninstall(&door, NAME).await.status, 204);
    let kept = door.get(&format!("contacts({row})?$select=esc_score")).await;
    assert_eq!(kept.json["esc_score"], 3, "{}", kept.text);
    assert_eq!(door.get("EntityDefinitions(LogicalName='esc_send')").await.status, 404);
}

async fn what_was_there_before_goes_when_it_was_converted(on: On) {
    let door = DoorBench::new(on).await;
    let column = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.IntegerAttributeMetadata", "SchemaName": "esc_Score", "MinValue": 0, "MaxValue": 5,
    });
    door.send("POST", "EntityDefinitions(LogicalName='contact')/Attributes", column).await.made();
    // Also what an earlier import left to the organisation.
    imported(&door, &sample(true)).await;
    let body = json!({"OverwriteUnmanagedCustomizations": false, "PublishWorkflows": false, "ConvertToManaged": true,
        "CustomizationFile": base64::engine::general_purpose::STANDARD.encode(file(&sample(true)))});
    let answer = door.send("POST", "ImportSolution", body).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(uninstall(&door, NAME).await.status, 204);
    let gone = door.get("EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='esc_score')").await;
    assert_eq!(gone.status, 404, "{}", gone.text);
}

async fn what_another_solution_holds_stays(on: On) {
    let door = with_solution(on, true).await;
    let mut other = sample(true);
    other.manifest.unique_name = "Other".into();
    imported(&door, &other).await;
    assert_eq!(uninstall(&door, NAME).await.status, 204);
    assert_eq!(door.get("EntityDefinitions(LogicalName='esc_send')").await.status, 200);
    assert_eq!(rows(&door, "systemform").await.len(), 1);
    assert_eq!(uninstall(&door, "Other").await.status, 204);
    assert_eq!(door.get("EntityDefinitions(LogicalName='esc_send')").await.status, 404);
    assert_eq!(rows(&door, "systemform").await.len(), 0);
}

async fn what_others_need_refuses(on: On) {
    let door = with_solution(on, true).await;
    let before = definitions(&door).await;
    let lookup = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", "SchemaName": "new_send_contact",
        "ReferencedEntity": "esc_send", "ReferencingEntity": "contact",
        "Lookup": {"@odata.type": "Microsoft.Dynamics.CRM.LookupAttributeMetadata", "SchemaName": "new_SendId"},
    });
    door.send("POST", "RelationshipDefinitions", lookup).await.made();
    uninstall(&door, NAME).await.refused(400, "0x8004f01f", "contact.new_sendid");
    assert_eq!(id_of(&door, NAME).await, id_of(&door, NAME).await);
    assert!(definitions(&door).await.len() >= before.len());
    let gone = door.ask("DELETE", "RelationshipDefinitions(SchemaName='new_send_contact')", &[], "").await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    assert_eq!(uninstall(&door, NAME).await.status, 204);
}

async fn the_port_deletes_too(on: On) {
    use postroom_core::{Change, Outcome, RecordRef};
    let door = with_solution(on, true).await;
    let at = RecordRef::new("solution", id_of(&door, NAME).await);
    assert_eq!(door.bench.must(Change::Delete(at.clone())).await, Outcome::Deleted);
    assert_eq!(door.bench.must(Change::Delete(at)).await, Outcome::Unchanged, "a repeat is success");
    assert_eq!(door.get("EntityDefinitions(LogicalName='esc_send')").await.status, 404);
}
