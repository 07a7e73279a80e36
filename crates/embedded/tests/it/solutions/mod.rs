//! Solutions over the Web API: a file in, what it makes, the file out again, and gone without a trace.

mod coming;
mod doors;
mod going;
mod joined;
mod made;
// What a file can hold is written down once, beside the format.
#[path = "../../../../formats/tests/it/solution/sample.rs"]
mod sample;
mod upgrade;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_core::{Filter, Record};
use postroom_formats::solution::{self as format, Limits, Package, Solution};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::bench::On;
use crate::door::{Answer, DoorBench};

/// The sample without what this CRM cannot tell again: names of rows are English alone.
fn sample(managed: bool) -> Solution {
    let mut solution = sample::solution(Package::V9_2);
    solution.manifest.managed = managed;
    solution
}

fn file(solution: &Solution) -> Vec<u8> {
    format::write(solution, Package::V9_2).unwrap()
}

async fn import_as(door: &DoorBench, action: &str, solution: &Solution, job: Uuid) -> Answer {
    let body = json!({
        "OverwriteUnmanagedCustomizations": false, "PublishWorkflows": false, "ImportJobId": job,
        "CustomizationFile": BASE64.encode(file(solution)),
    });
    door.send("POST", action, body).await
}

async fn import(door: &DoorBench, solution: &Solution) -> Answer {
    import_as(door, "ImportSolution", solution, door.bench.ids.next()).await
}

/// An import that must be done.
async fn imported(door: &DoorBench, solution: &Solution) {
    let answer = import(door, solution).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

async fn with_solution(on: On, managed: bool) -> DoorBench {
    let door = DoorBench::new(on).await;
    imported(&door, &sample(managed)).await;
    door
}

async fn export(door: &DoorBench, name: &str, managed: bool) -> Solution {
    let answer = door.send("POST", "ExportSolution", json!({"SolutionName": name, "Managed": managed})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let bytes = BASE64.decode(answer.json["ExportSolutionFile"].as_str().unwrap()).unwrap();
    format::read(&bytes, &Limits::default()).unwrap()
}

/// The id of a solution.
async fn id_of(door: &DoorBench, name: &str) -> Uuid {
    door.bench.all("solution", Filter::eq("uniquename", name)).await[0].at.id
}

async fn uninstall(door: &DoorBench, name: &str) -> Answer {
    let id = id_of(door, name).await;
    door.ask("DELETE", &format!("solutions({id})"), &[], "").await
}

async fn rows(door: &DoorBench, table: &str) -> Vec<Record> {
    door.bench.all(table, Filter::All(Vec::new())).await
}

/// Every definition that a client sees, without the numbers that each organisation gives out itself.
async fn definitions(door: &DoorBench) -> Vec<Json> {
    let expand = "Attributes,Keys,OneToManyRelationships,ManyToOneRelationships,ManyToManyRelationships";
    let url = format!(
        "EntityDefinitions?$filter=IsCustomEntity eq true or LogicalName eq 'contact'&$expand={expand}"
    );
    let answer = door.get(&url).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut all = answer.json["value"].as_array().unwrap().clone();
    for table in &mut all {
        table["ObjectTypeCode"] = Json::Null;
        for list in
            ["Attributes", "OneToManyRelationships", "ManyToOneRelationships", "ManyToManyRelationships"]
        {
            let items = table[list].as_array_mut().unwrap();
            items.iter_mut().for_each(|item| item["ColumnNumber"] = Json::Null);
            items.sort_by_key(|item| item["MetadataId"].as_str().unwrap_or_default().to_owned());
        }
    }
    all.sort_by_key(|table| table["LogicalName"].as_str().unwrap_or_default().to_owned());
    all
}
