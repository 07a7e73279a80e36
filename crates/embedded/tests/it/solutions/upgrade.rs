//! Holding solutions and their promotion, patches, what managed definitions say of themselves, other languages.

use postroom_core::metadata::Label;
use postroom_core::{Filter, Record, RecordRef};
use postroom_formats::solution::Solution;
use serde_json::{Value as Json, json};

use super::{definitions, export, file, id_of, imported, rows, sample, uninstall, with_solution};
use crate::bench::{On, on_both};
use crate::door::{Answer, DoorBench};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

on_both!(
    a_holding_solution_takes_its_place,
    holding_needs_a_newer_managed_version,
    definitions_say_that_they_are_managed,
    patches_are_rolled_up,
    names_in_other_languages,
);

const NAME: &str = "EmailServiceConnector";

async fn hold(door: &DoorBench, solution: &Solution) -> Answer {
    let body = json!({
        "OverwriteUnmanagedCustomizations": false, "PublishWorkflows": false, "HoldingSolution": true,
        "CustomizationFile": BASE64.encode(file(solution)),
    });
    door.send("POST", "ImportSolution", body).await
}

/// The sample, newer, without a column and with another option set's option.
fn newer() -> Solution {
    let mut solution = sample(true);
    solution.manifest.version = "2.0".into();
    solution.entities[0].table.columns.retain(|column| column.logical_name != "esc_tags");
    solution
}

async fn has_column(door: &DoorBench, name: &str) -> bool {
    door.get(&format!("EntityDefinitions(LogicalName='esc_send')/Attributes(LogicalName='{name}')"))
        .await
        .status
        == 200
}

async fn a_holding_solution_takes_its_place(on: On) {
    let door = DoorBench::new(on).await;
    let before = definitions(&door).await;
    imported(&door, &sample(true)).await;
    assert!(has_column(&door, "esc_tags").await);
    let send = door.send("POST", "esc_sends", json!({"esc_name": "Stays"})).await.made();
    let answer = hold(&door, &newer()).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    // Both are there, and what only the old one has.
    let holding = id_of(&door, "EmailServiceConnector_Upgrade").await;
    assert!(has_column(&door, "esc_tags").await);
    let answer = door.send("POST", "DeleteAndPromote", json!({"UniqueName": NAME})).await;
    assert_eq!(
        (answer.status, answer.json["SolutionId"].as_str()),
        (200, Some(holding.to_string().as_str())),
        "{}",
        answer.text
    );
    assert!(!has_column(&door, "esc_tags").await);
    let all = rows(&door, "solution").await;
    let mut named: Vec<_> = all.iter().map(|row| (row.text("uniquename"), row.text("version"))).collect();
    named.retain(|(name, _)| *name != Some("Default"));
    assert_eq!(named, [(Some(NAME), Some("2.0"))]);
    assert_eq!(door.get(&format!("esc_sends({send})?$select=esc_name")).await.json["esc_name"], "Stays");
    // And the one after it.
    let mut third = newer();
    third.manifest.version = "3.0".into();
    assert_eq!(hold(&door, &third).await.status, 204);
    let answer = door.send("POST", "DeleteAndPromote", json!({"UniqueName": NAME})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let all = door.bench.all("solution", Filter::eq("ismanaged", true)).await;
    assert_eq!(all.iter().map(|row| row.text("version")).collect::<Vec<_>>(), [Some("3.0")]);
    // What was promoted is whole: it goes without a trace.
    let answer = uninstall(&door, NAME).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(definitions(&door).await, before);
}

async fn holding_needs_a_newer_managed_version(on: On) {
    let door = with_solution(on, true).await;
    hold(&door, &sample(true)).await.refused(400, "0x80048038", "newer");
    let mut unmanaged = newer();
    unmanaged.manifest.managed = false;
    hold(&door, &unmanaged).await.refused(400, "0x80048038", "managed");
    let none = door.send("POST", "DeleteAndPromote", json!({"UniqueName": NAME})).await;
    none.refused(404, "0x80040217", "HoldingSolution");
    let other = DoorBench::new(on).await;
    hold(&other, &newer()).await.refused(404, "0x80040217", NAME);
}

async fn definitions_say_that_they_are_managed(on: On) {
    let door = with_solution(on, true).await;
    let told = async |url: &str| -> Vec<Json> {
        let one = door.get(&format!("{url}?$select=IsManaged,IsCustomizable")).await;
        assert_eq!(one.status, 200, "{url}: {}", one.text);
        vec![one.json["IsManaged"].clone(), one.json["IsCustomizable"]["CanBeChanged"].clone()]
    };
    let managed = [json!(true), json!(false)];
    assert_eq!(told("EntityDefinitions(LogicalName='esc_send')").await, managed);
    assert_eq!(
        told("EntityDefinitions(LogicalName='esc_send')/Attributes(LogicalName='esc_tags')").await,
        managed
    );
    let plain = [json!(false), json!(true)];
    assert_eq!(told("EntityDefinitions(LogicalName='contact')").await, plain);
    assert_eq!(
        told("EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='lastname')").await,
        plain
    );
    let count = async |url: &str| {
        let all = door.get(&format!("{url}?$select=IsManaged&$filter=IsManaged eq true")).await;
        all.json["value"].as_array().unwrap_or_else(|| panic!("{}", all.text)).len()
    };
    let lists = ["EntityDefinitions", "GlobalOptionSetDefinitions", "RelationshipDefinitions"];
    for list in lists {
        assert_ne!(count(list).await, 0, "{list}");
    }
    // Another process sees it; when the solution is gone, nothing is managed.
    let other = door.bench.second().await;
    let metadata = postroom_embedded::definitions::metadata(&other.schema().await.unwrap());
    assert!(metadata.table("esc_send").unwrap().is_managed && !metadata.table("contact").unwrap().is_managed);
    assert_eq!(uninstall(&door, NAME).await.status, 204);
    for list in lists {
        assert_eq!(count(list).await, 0, "{list}");
    }
    let open = with_solution(on, false).await;
    let one = open.get("EntityDefinitions(LogicalName='esc_send')?$select=IsManaged").await;
    assert_eq!(one.json["IsManaged"], false);
}

async fn patches_are_rolled_up(on: On) {
    let door = with_solution(on, false).await;
    let clone = async |action: &str, of: &str, version: &str| {
        let body =
            json!({"ParentSolutionUniqueName": of, "DisplayName": "Patched", "VersionNumber": version});
        door.send("POST", action, body).await
    };
    clone("CloneAsPatch", NAME, "1.2.0.3").await.refused(400, "0x8004f01e", "1.2");
    clone("CloneAsPatch", NAME, "1.3.0.4").await.refused(400, "0x8004f01e", "1.2");
    let answer = clone("CloneAsPatch", NAME, "1.2.0.4").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let id: uuid::Uuid = answer.json["SolutionId"].as_str().unwrap().parse().unwrap();
    let patch = door.bench.found(&RecordRef::new("solution", id)).await;
    let parent = id_of(&door, NAME).await;
    assert_eq!(patch.lookup("parentsolutionid").map(|at| at.id), Some(parent));
    let name = patch.text("uniquename").unwrap().to_owned();
    assert!(name.starts_with("EmailServiceConnector_Patch_"), "{name}");
    clone("CloneAsPatch", &name, "1.2.0.5").await.refused(501, "0x80040800", "its parent");
    // A column made in the patch is the patch's; the parent takes nothing meanwhile.
    let column = json!({"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "esc_New",
        "MaxLength": 10, "FormatName": {"Value": "Text"},
        "DisplayName": {"LocalizedLabels": [{"Label": "New", "LanguageCode": 1033}]}});
    let make = async |solution: &str| {
        let headers = [("content-type", "application/json"), ("mscrm.solutionuniquename", solution)];
        let url = "EntityDefinitions(LogicalName='esc_send')/Attributes";
        door.ask("POST", url, &headers, column.to_string()).await
    };
    make(NAME).await.refused(501, "0x80040800", "as long as it has patches");
    let made = make(&name).await;
    assert_eq!(made.status, 204, "{}", made.text);
    let in_patch = export(&door, &name, false).await;
    assert_eq!(in_patch.entities.len(), 1);
    assert!(in_patch.entities[0].table.column("esc_new").is_some());
    clone("CloneAsSolution", NAME, "1.2.0.9").await.refused(400, "0x8004f01e", "1.2");
    let whole = clone("CloneAsSolution", NAME, "1.3.0.0").await;
    assert_eq!(
        (whole.status, whole.json["SolutionId"].as_str()),
        (200, Some(parent.to_string().as_str())),
        "{}",
        whole.text
    );
    assert!(door.bench.all("solution", Filter::eq("uniquename", name.as_str())).await.is_empty());
    let all = export(&door, NAME, false).await;
    assert_eq!(all.manifest.version, "1.3.0.0");
    let send = all.entities.iter().find(|entity| entity.table.logical_name == "esc_send").unwrap();
    assert!(send.table.column("esc_new").is_some() && send.table.column("esc_tags").is_some());
    let again = make(NAME).await;
    assert!(
        ![204, 501].contains(&again.status),
        "the column is there, and the parent is free: {}",
        again.text
    );
}

async fn names_in_other_languages(on: On) {
    let door = DoorBench::new(on).await;
    let mut german = sample(false);
    let table = &mut german.entities[0].table;
    table.label = Label(vec![(1033, "Send".into()), (1031, "Versand".into())]);
    let name = table.columns.iter_mut().find(|column| column.logical_name == "esc_name").unwrap();
    name.label = Label(vec![(1033, "Name".into()), (1031, "Bezeichnung".into())]);
    imported(&door, &german).await;
    let user = door.session.user();
    let seen = async || {
        let url = "EntityDefinitions(LogicalName='esc_send')?$select=DisplayName&$expand=Attributes($select=DisplayName;$filter=LogicalName eq 'esc_name')";
        let one = door.get(url).await.json;
        let of = |label: &Json| {
            let count = label["LocalizedLabels"].as_array().map(Vec::len);
            (label["UserLocalizedLabel"]["Label"].as_str().unwrap_or_default().to_owned(), count)
        };
        (of(&one["DisplayName"]), of(&one["Attributes"][0]["DisplayName"]))
    };
    assert_eq!(seen().await, (("Send".into(), Some(2)), ("Name".into(), Some(2))));
    let settings = RecordRef::new("usersettings", user);
    let row = Record::new(settings).with("uilanguageid", 1031);
    door.bench.apply(vec![postroom_core::Change::Upsert(row)]).await.unwrap();
    assert_eq!(seen().await, (("Versand".into(), Some(2)), ("Bezeichnung".into(), Some(2))));
    let told = export(&door, NAME, false).await;
    assert_eq!(told.languages, [1033, 1031]);
    assert_eq!(
        told.entities.iter().find(|entity| entity.table.logical_name == "esc_send").unwrap().table.label,
        german.entities[0].table.label
    );
}
