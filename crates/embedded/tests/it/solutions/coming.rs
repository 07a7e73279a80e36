//! Imports: what they make, a repeat, upgrades, and refusals that change nothing.

use postroom_core::metadata::ColumnKind;
use postroom_core::{Filter, Value};
use postroom_formats::solution::{Limits, Missing, Package, component, read};
use serde_json::json;

use super::{definitions, export, file, id_of, import, import_as, imported, rows, sample, with_solution};
use crate::bench::{On, on_both};
use crate::door::DoorBench;

on_both!(
    everything_is_made,
    the_same_again_changes_nothing,
    an_export_holds_the_same,
    an_export_makes_the_same_tables_elsewhere,
    an_upgrade_adds_and_keeps_data,
    an_upgrade_in_stages_takes_away,
    refusals_change_nothing,
    a_microsoft_package,
);

async fn everything_is_made(on: On) {
    let door = DoorBench::new(on).await;
    let job = door.bench.ids.next();
    let answer = import_as(&door, "ImportSolution", &sample(true), job).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let table = door.get("EntityDefinitions(LogicalName='esc_send')?$expand=Attributes,Keys").await;
    assert_eq!(
        (table.status, table.json["EntitySetName"].as_str()),
        (200, Some("esc_sends")),
        "{}",
        table.text
    );
    assert_eq!(table.json["Keys"][0]["KeyAttributes"], json!(["esc_mail", "esc_count"]));
    let german = &table.json["DisplayName"]["LocalizedLabels"][1]["Label"];
    assert_eq!(german, "esc_Send (de)");
    let score =
        door.get("EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='esc_score')").await;
    assert_eq!((score.status, &score.json["MaxValue"]), (200, &json!(10)));
    let about = "RelationshipDefinitions(SchemaName='esc_lead_esc_send_aboutid')/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata";
    let about = door.get(about).await;
    assert_eq!(about.json["CascadeConfiguration"]["Delete"], "Restrict", "{}", about.text);
    // The table can be used as its navigation properties are called.
    let contact = door.send("POST", "contacts", json!({"lastname": "Adler", "esc_score": 3})).await.made();
    let row = json!({"esc_name": "One", "esc_ContactId@odata.bind": format!("/contacts({contact})"), "esc_tags": "1,2"});
    door.send("POST", "esc_sends", row).await.made();
    let view =
        rows(&door, "savedquery").await.into_iter().find(|row| row.text("name") == Some("Active sends"));
    let view = view.unwrap().at.id;
    let seen = door.get(&format!("esc_sends?savedQuery={view}")).await;
    assert_eq!(seen.json["value"][0]["esc_name"], "One", "{}", seen.text);

    let job = door.get(&format!("importjobs({job})")).await.json;
    assert_eq!((&job["progress"], &job["solutionname"]), (&json!(100.0), &json!("EmailServiceConnector")));
    let data = job["data"].as_str().unwrap();
    assert!(data.contains("result=\"success\"") && data.contains("<entity id=\"esc_send\""), "{data}");
    let solution = rows(&door, "solution").await;
    let solution =
        solution.iter().find(|row| row.text("uniquename") == Some("EmailServiceConnector")).unwrap();
    assert_eq!(
        (solution.text("version"), solution.get("ismanaged")),
        (Some("1.2.0.3"), Some(&Value::Bool(true)))
    );
    for (table, count) in [
        ("systemform", 1),
        ("sitemap", 1),
        ("appmodule", 1),
        ("webresource", 1),
        ("ribbondiff", 1),
        ("appmoduleroles", 1),
    ] {
        assert_eq!(rows(&door, table).await.len(), count, "{table}");
    }
    let role = rows(&door, "role").await;
    let role = role.iter().find(|row| row.text("name") == Some("Email Marketing Viewer")).unwrap().at.id;
    assert_eq!(door.bench.all("roleprivileges", Filter::eq("roleid", role)).await.len(), 2);
    let path = format!("solutions({})/solution_solutioncomponent", solution.at.id);
    let _ = door.get(&path).await;
    let held = door.bench.all("solutioncomponent", Filter::eq("solutionid", solution.at.id)).await;
    let kinds = |kind: i32| held.iter().filter(|row| row.int("componenttype") == Some(kind.into())).count();
    assert_eq!(
        [component::ENTITY, component::ENTITY_KEY, component::RELATIONSHIP, component::ROLE].map(kinds),
        [2, 1, 6, 1]
    );
}

async fn the_same_again_changes_nothing(on: On) {
    let door = with_solution(on, true).await;
    let before = (door.bench.crm.schema().await.unwrap(), versions(&door).await, definitions(&door).await);
    imported(&door, &sample(true)).await;
    let after = (door.bench.crm.schema().await.unwrap(), versions(&door).await, definitions(&door).await);
    assert_eq!(format!("{:?}", after.0), format!("{:?}", before.0), "the very same definitions");
    assert_eq!(after.1, before.1, "no row was written again");
    assert_eq!(after.2, before.2);
}

/// Every row's version, but for jobs.
async fn versions(door: &DoorBench) -> Vec<(String, Option<i64>)> {
    let mut all = Vec::new();
    for table in [
        "solution",
        "solutioncomponent",
        "publisher",
        "savedquery",
        "systemform",
        "role",
        "roleprivileges",
        "sitemap",
        "appmodule",
        "appmodulecomponent",
        "webresource",
        "ribbondiff",
    ] {
        all.extend(rows(door, table).await.iter().map(|row| (row.at.to_string(), row.int("versionnumber"))));
    }
    all.sort();
    all
}

async fn an_export_holds_the_same(on: On) {
    let door = with_solution(on, false).await;
    let given = read(&file(&sample(false)), &Limits::default()).unwrap();
    let told = export(&door, "EmailServiceConnector", false).await;
    assert_eq!(told.manifest.publisher.prefix, "esc");
    assert_eq!((told.manifest.version.as_str(), told.manifest.managed), ("1.2.0.3", false));
    let names = |solution: &postroom_formats::solution::Solution| {
        let mut names: Vec<String> = solution.one_to_many.iter().map(|one| one.schema_name.clone()).collect();
        names.extend(solution.many_to_many.iter().map(|many| many.schema_name.clone()));
        names.extend(solution.option_sets.iter().map(|set| set.name.clone()));
        names.retain(|name| name.starts_with("esc_"));
        names.sort();
        names
    };
    assert_eq!(names(&told), names(&given));
    for entity in &given.entities {
        let same =
            told.entities.iter().find(|known| known.table.logical_name == entity.table.logical_name).unwrap();
        for column in entity.table.columns.iter().filter(|column| column.is_custom) {
            let known = same.table.column(&column.logical_name).unwrap();
            assert_eq!((&known.label, &known.schema_name), (&column.label, &column.schema_name));
            match (&known.kind, &column.kind) {
                // Told with the options of the set here, by its name alone in the file.
                (ColumnKind::Picklist { options: one, .. }, ColumnKind::Picklist { options: other, .. }) => {
                    assert_eq!((one.is_global, one.options.len()), (other.is_global, other.options.len()));
                }
                // A set of one column is called as that column.
                (ColumnKind::MultiSelect { options: one }, ColumnKind::MultiSelect { options: other }) => {
                    assert_eq!(one.options, other.options);
                }
                (one, other) => assert_eq!(one, other, "{}", column.logical_name),
            }
        }
        assert_eq!(same.table.keys, entity.table.keys);
        assert_eq!(
            same.forms.iter().map(|form| &form.body).collect::<Vec<_>>(),
            entity.forms.iter().map(|form| &form.body).collect::<Vec<_>>()
        );
        let queries = |of: &postroom_formats::solution::Entity| {
            let mut all: Vec<_> =
                of.views.iter().map(|view| (view.id, format!("{:?}{:?}", view.fetch, view.layout))).collect();
            all.sort();
            all
        };
        assert_eq!(queries(same), queries(entity));
        assert_eq!(same.ribbon, entity.ribbon);
    }
    let mut given_roles = given.roles.clone();
    given_roles.iter_mut().for_each(|role| role.privileges.sort());
    assert_eq!(told.roles, given_roles);
    assert_eq!(told.web_resources, given.web_resources);
    assert_eq!(told.app_site_maps[0].body, given.app_site_maps[0].body);
    assert_eq!(
        (&told.apps[0].components, &told.apps[0].roles),
        (&given.apps[0].components, &given.apps[0].roles)
    );
}

async fn an_export_makes_the_same_tables_elsewhere(on: On) {
    let door = with_solution(on, false).await;
    let told = export(&door, "EmailServiceConnector", true).await;
    // Unmanaged, as it is here: definitions say so of themselves.
    let mut open = told.clone();
    open.manifest.managed = false;
    let other = DoorBench::new(on).await;
    imported(&other, &open).await;
    let (here, there) = (definitions(&door).await, definitions(&other).await);
    assert_eq!(here.len(), there.len());
    for (one, two) in here.iter().zip(&there) {
        assert_eq!(one, two, "{}", one["LogicalName"]);
    }
    // And once more from there it is the same file.
    let mut last = export(&other, "EmailServiceConnector", true).await;
    last.entities
        .iter_mut()
        .zip(&told.entities)
        .for_each(|(one, two)| one.table.type_code = two.table.type_code);
    assert_eq!(last, told);
}

async fn an_upgrade_adds_and_keeps_data(on: On) {
    let door = with_solution(on, true).await;
    let row = door.send("POST", "esc_sends", json!({"esc_name": "Kept"})).await.made();
    let mut newer = sample(true);
    newer.manifest.version = "1.10.0.0".into();
    newer.entities[0]
        .table
        .columns
        .push(super::sample::column("esc_Added", ColumnKind::Memo { max_length: 50 }));
    newer.entities[0].table.columns.retain(|column| column.logical_name != "esc_big");
    imported(&door, &newer).await;
    door.send("PATCH", &format!("esc_sends({row})"), json!({"esc_added": "x", "esc_big": 7})).await.made();
    let kept = door.get(&format!("esc_sends({row})")).await.json;
    assert_eq!((&kept["esc_name"], &kept["esc_added"]), (&json!("Kept"), &json!("x")));
    let id = id_of(&door, "EmailServiceConnector").await;
    assert_eq!(door.get(&format!("solutions({id})")).await.json["version"], "1.10.0.0");
    // 1.10 is newer than 1.9.
    newer.manifest.version = "1.9.0.0".into();
    import(&door, &newer).await.refused(400, "0x80048038", "1.10.0.0 is installed");
}

async fn an_upgrade_in_stages_takes_away(on: On) {
    let door = with_solution(on, true).await;
    let row = door.send("POST", "esc_sends", json!({"esc_name": "Kept", "esc_big": 7})).await.made();
    let mut newer = sample(true);
    newer.manifest.version = "2.0".into();
    newer.entities[0].table.columns.retain(|column| column.logical_name != "esc_big");
    newer.entities[0].views.truncate(1);
    newer.entities.truncate(1);
    newer.manifest.roots.retain(|root| root.schema_name.as_deref() != Some("contact"));
    newer.one_to_many.retain(|relation| relation.referenced_table != "lead");
    let answer = import_as(&door, "StageAndUpgrade", &newer, door.bench.ids.next()).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let kept = door.get(&format!("esc_sends({row})")).await.json;
    assert_eq!((&kept["esc_name"], kept.get("esc_big")), (&json!("Kept"), None));
    for gone in [
        "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='esc_score')",
        "RelationshipDefinitions(SchemaName='esc_lead_esc_send_aboutid')",
    ] {
        assert_eq!(door.get(gone).await.status, 404, "{gone}");
    }
    assert!(rows(&door, "savedquery").await.iter().all(|view| view.text("name") != Some("Find sends")));
    assert_eq!(door.get("EntityDefinitions(LogicalName='contact')").await.status, 200);
}

/// A refused import leaves nothing behind but its job, which says why.
async fn refusals_change_nothing(on: On) {
    let door = DoorBench::new(on).await;
    let before = (definitions(&door).await, versions(&door).await);
    let mut bad = sample(true);
    bad.one_to_many.push(super::sample::lookup("esc_send", "esc_otherid", "esc_nowhere", "esc_OtherId"));
    bad.entities[0]
        .table
        .columns
        .push(super::sample::column("esc_OtherId", ColumnKind::Lookup { targets: Vec::new() }));
    let job = door.bench.ids.next();
    let answer = import_as(&door, "ImportSolution", &bad, job).await;
    answer.refused(400, "0x8004801d", "esc_esc_nowhere_esc_send_otherid");
    let told = door.get(&format!("importjobs({job})")).await.json;
    assert_eq!(told["progress"], json!(0.0));
    assert!(told["data"].as_str().unwrap().contains("errorcode=\"0x8004801D\""), "{told}");

    let mut needs = sample(true);
    needs.manifest.missing.push(Missing {
        kind: "1".into(),
        schema_name: Some("msdyn_thing".into()),
        id: None,
        display_name: "Thing".into(),
        solution: "msdyn_Things (1.0)".into(),
        needed_by: "esc_send".into(),
    });
    import(&door, &needs).await.refused(400, "0x8004801d", "msdyn_Things (1.0)");

    let mut odd = sample(true);
    odd.entities[0].table.columns.push(super::sample::column("nope", ColumnKind::BigInt));
    import(&door, &odd).await.refused(400, "0x80048033", "the table esc_send");

    let mut orphan = sample(true);
    orphan.one_to_many.retain(|relation| relation.referencing_column != "esc_contactid");
    import(&door, &orphan).await.refused(400, "0x8004801d", "esc_send.esc_contactid");

    let mut future = sample(true);
    future.manifest.package = Package { major: 9, minor: 2 };
    let bytes = postroom_formats::solution::write(&future, Package { major: 9, minor: 9 }).unwrap();
    let body = json!({"CustomizationFile": base64_of(&bytes), "OverwriteUnmanagedCustomizations": true, "PublishWorkflows": true});
    door.send("POST", "ImportSolution", body).await.refused(400, "0x80048068", "9.9");
    let body =
        json!({"CustomizationFile": base64_of(b"PK no zip"), "OverwriteUnmanagedCustomizations": true});
    door.send("POST", "ImportSolution", body).await.refused(400, "0x80048060", "no zip archive");
    assert_eq!((definitions(&door).await, versions(&door).await), before);

    // The modes must match.
    imported(&door, &sample(false)).await;
    import(&door, &sample(true)).await.refused(400, "0x80048040", "unmanaged solution");
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A package that Microsoft's own server wrote.
async fn a_microsoft_package(on: On) {
    let door = DoorBench::new(on).await;
    let bytes = include_bytes!("../../data/solution/ChangeTrackingSample_1_0_0_0_managed.zip");
    let body = json!({"CustomizationFile": base64_of(bytes), "OverwriteUnmanagedCustomizations": false, "PublishWorkflows": false});
    let answer = door.send("POST", "ImportSolution", body).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let table = door.get("EntityDefinitions(LogicalName='sample_book')?$expand=Keys").await.json;
    assert_eq!((&table["ChangeTrackingEnabled"], &table["HasNotes"]), (&json!(true), &json!(true)));
    assert_eq!(table["Keys"][0]["KeyAttributes"], json!(["sample_bookcode"]));
    door.send("POST", "sample_books", json!({"sample_name": "One", "sample_bookcode": "1"})).await.made();
    let by_key = door.get("sample_books(sample_bookcode='1')").await;
    assert_eq!(by_key.json["sample_name"], "One", "{}", by_key.text);
    assert_eq!(super::uninstall(&door, "ChangeTrackingSample").await.status, 204);
    assert_eq!(door.get("EntityDefinitions(LogicalName='sample_book')").await.status, 404);
}
