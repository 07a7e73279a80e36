//! `MSCRM.SolutionUniqueName` on requests that write: what is a component becomes part of the solution.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::made::solution;
use super::rows;
use crate::bench::{On, on_both};
use crate::door::batch::post;
use crate::door::{Answer, DoorBench};

on_both!(
    rows_become_components,
    other_rows_do_not,
    wrong_solutions_change_nothing,
    change_sets_join_whole,
    definitions_that_change_join,
);

const OWN: [(&str, &str); 2] = [("content-type", "application/json"), ("mscrm.solutionuniquename", "own")];

async fn with_solution(on: On) -> DoorBench {
    let door = DoorBench::new(on).await;
    solution(&door).await;
    door
}

async fn send(door: &DoorBench, solution: &str, method: &str, url: &str, body: &Json) -> Answer {
    let headers = [OWN[0], ("mscrm.solutionuniquename", solution)];
    door.ask(method, url, &headers, body.to_string()).await
}

fn view(name: &str) -> Json {
    json!({"name": name, "returnedtypecode": "contact", "querytype": 0, "fetchxml": "<fetch><entity name='contact'/></fetch>"})
}

/// What is in the solution: kinds and objects.
async fn held(door: &DoorBench) -> Vec<(i64, Uuid)> {
    let mut all: Vec<_> = rows(door, "solutioncomponent").await;
    all.sort_by_key(|row| row.int("componenttype"));
    let object = |row: &postroom_core::Record| match row.get("objectid") {
        Some(postroom_core::Value::Guid(id)) => *id,
        other => panic!("{other:?}"),
    };
    all.iter().map(|row| (row.int("componenttype").unwrap(), object(row))).collect()
}

async fn rows_become_components(on: On) {
    let door = with_solution(on).await;
    let made = send(&door, "own", "POST", "savedqueries", &view("V")).await.made();
    assert_eq!(held(&door).await, [(26, made)]);
    // Again is no error, and in another case it is the same solution.
    assert_eq!(
        send(&door, "own", "PATCH", &format!("savedqueries({made})"), &json!({"name": "W"})).await.status,
        204
    );
    assert_eq!(held(&door).await, [(26, made)]);
    let resource = json!({"name": "new_a", "displayname": "A", "webresourcetype": 3, "content": "YQ=="});
    let resource = send(&door, "own", "POST", "webresourceset", &resource).await.made();
    assert_eq!(held(&door).await, [(26, made), (61, resource)]);
    let other = door.send("POST", "savedqueries", view("X")).await.made();
    assert_eq!(held(&door).await.len(), 2, "nothing joins without the header");
    assert_eq!(
        send(&door, "own", "PATCH", &format!("savedqueries({other})"), &json!({"name": "Y"})).await.status,
        204
    );
    assert_eq!(held(&door).await.len(), 3, "what is changed joins, too");
    let told = super::export(&door, "own", false).await;
    let names: Vec<&str> = told.web_resources.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["new_a"]);
}

async fn other_rows_do_not(on: On) {
    let door = with_solution(on).await;
    for name in ["own", "theirs", "Default", ""] {
        send(&door, name, "POST", "contacts", &json!({"lastname": "Adler"})).await.made();
    }
    for name in ["Default", "default", ""] {
        send(&door, name, "POST", "savedqueries", &view("V")).await.made();
    }
    assert_eq!(held(&door).await, []);
    let made = send(&door, "own", "POST", "savedqueries", &view("V")).await.made();
    let answer = send(&door, "own", "DELETE", &format!("savedqueries({made})"), &json!({})).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

async fn wrong_solutions_change_nothing(on: On) {
    let door = with_solution(on).await;
    let before = rows(&door, "savedquery").await.len();
    let answer = send(&door, "theirs", "POST", "savedqueries", &view("V")).await;
    answer.refused(404, "0x80040217", "The solution with unique name theirs does not exist");
    let managed = super::with_solution(on, true).await;
    let views = rows(&managed, "savedquery").await.len();
    let answer = send(&managed, "EmailServiceConnector", "POST", "savedqueries", &view("V")).await;
    answer.refused(400, "0x80048036", "is managed");
    assert_eq!(
        (rows(&door, "savedquery").await.len(), rows(&managed, "savedquery").await.len()),
        (before, views)
    );
}

async fn change_sets_join_whole(on: On) {
    let door = with_solution(on).await;
    let part = |id: u8, name: &str, solution: &str| {
        format!(
            "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\n\
             POST savedqueries HTTP/1.1\r\nContent-Type: application/json\r\nMSCRM.SolutionUniqueName: {solution}\r\n\r\n{}\r\n",
            view(name)
        )
    };
    let set = |first: &str, second: &str| {
        format!("--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n{first}{second}--c--\r\n--b--\r\n")
    };
    let before = rows(&door, "savedquery").await.len();
    let (answer, _) = post(&door, "", &set(&part(1, "A", "own"), &part(2, "B", "theirs"))).await;
    assert_eq!((answer.status, held(&door).await), (400, vec![]), "{}", answer.text);
    assert_eq!(rows(&door, "savedquery").await.len(), before);
    let (answer, _) = post(&door, "", &set(&part(1, "A", "own"), &part(2, "B", "own"))).await;
    assert_eq!((answer.status, held(&door).await.len()), (200, 2), "{}", answer.text);
}

async fn definitions_that_change_join(on: On) {
    let door = with_solution(on).await;
    let table = "EntityDefinitions(LogicalName='contact')";
    let ids = door.get(&format!("{table}?$select=MetadataId")).await.json;
    let contact: Uuid = ids["MetadataId"].as_str().unwrap().parse().unwrap();
    let title = format!("{table}/Attributes(LogicalName='jobtitle')");
    let column: Uuid = door.get(&format!("{title}?$select=MetadataId")).await.json["MetadataId"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let label = json!({"LocalizedLabels": [{"Label": "Role", "LanguageCode": 1033}]});
    let body = json!({"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "DisplayName": label});
    assert_eq!(send(&door, "theirs", "PUT", &title, &body).await.status, 404);
    assert_eq!(send(&door, "own", "PUT", &title, &body).await.status, 204);
    // A column stands in a solution within its table, of which nothing else comes along.
    assert_eq!(held(&door).await, [(1, contact), (2, column)]);
    assert_eq!(send(&door, "own", "PUT", table, &json!({"DisplayName": label})).await.status, 204);
    assert_eq!(held(&door).await.len(), 2, "it is in there already");
    let behaviors: Vec<_> = rows(&door, "solutioncomponent")
        .await
        .iter()
        .filter_map(|row| row.int("rootcomponentbehavior"))
        .collect();
    assert_eq!(behaviors, [1]);
    let option = json!({
        "EntityLogicalName": "contact", "AttributeLogicalName": "preferredcontactmethodcode", "Label": label,
        "SolutionUniqueName": "own",
    });
    let answer = door.send("POST", "InsertOptionValue", option).await;
    assert_eq!((answer.status, held(&door).await.len()), (200, 3), "{}", answer.text);
}
