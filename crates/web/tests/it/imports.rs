//! `POST /api/v1/records/import`: the counts, the refusals, the dry run and the limits.

use postroom_operations::{Actor, Scope};
use serde_json::{Value, json};

use crate::client::Answer;
use crate::house::House;

const LINES: &str = r#"{"table":"account","id":"00000000-0000-0000-0000-000000000001","columns":{"name":"Adler Brauerei"}}

{"table":"contact","id":"00000000-0000-0000-0000-000000000002","columns":{"lastname":"Adler","parentcustomerid":"account/00000000-0000-0000-0000-000000000001"}}
{"table":"contact","id":"00000000-0000-0000-0000-000000000003","columns":{"parentcustomerid":"account/00000000-0000-0000-0000-000000000009"}}
{"table":"contact","id":"00000000-0000-0000-0000-000000000004","columns":{"lastnam":"Adler"}}
not json
"#;

async fn post(house: &House, query: &str, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
    let token = house.token(Scope::Api).await;
    let call = house.post(&format!("/api/v1/records/import{query}")).bearer(&token);
    call.body(kind, body).send().await
}

async fn report(house: &House, query: &str) -> Value {
    let answer = post(house, query, "application/x-ndjson", LINES).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut report = answer.json();
    for rejected in report["rejected"].as_array_mut().unwrap() {
        let code: String = rejected["reason"].as_str().unwrap().chars().take(7).collect();
        rejected["reason"] = json!(code);
    }
    report
}

fn expected(created: u64, unchanged: u64, dry_run: bool) -> Value {
    json!({
        "created": created, "updated": 0, "unchanged": unchanged, "dry_run": dry_run,
        "rejected": [
            {"line": 4, "record": "contact/00000000-0000-0000-0000-000000000003", "reason": "PR-2004"},
            {"line": 5, "record": null, "reason": "PR-2003"},
            {"line": 6, "record": null, "reason": "PR-8001"},
        ],
    })
}

#[tokio::test]
async fn lines_are_counted_and_refusals_told() {
    let house = House::open().await;
    let account = "/api/v1/records/account/00000000-0000-0000-0000-000000000001";
    let token = house.token(Scope::Api).await;
    assert_eq!(report(&house, "?dry_run=true").await, expected(2, 0, true));
    assert_eq!(house.get(account).bearer(&token).send().await.status, 404, "a dry run writes nothing");
    assert_eq!(trail(&house).await, 0);
    assert_eq!(report(&house, "").await, expected(2, 0, false));
    assert_eq!(house.get(account).bearer(&token).send().await.json()["columns"]["name"], "Adler Brauerei");
    assert_eq!(trail(&house).await, 1);
    assert_eq!(report(&house, "").await, expected(0, 2, false), "a repeat changes nothing");
    assert_eq!(report(&house, "?dry_run=true").await, expected(0, 2, true));
}

async fn trail(house: &House) -> usize {
    let entries = house.operations.audit_of(&Actor::console(), "records", 50).await.unwrap();
    entries.iter().filter(|entry| entry.action == "record.import").count()
}

#[tokio::test]
async fn what_is_no_import_is_refused() {
    let house = House::open().await;
    assert_eq!(post(&house, "", "application/json", LINES).await.status, 415);
    assert_eq!(post(&house, "?force=1", "application/x-ndjson", LINES).await.status, 400);
    assert_eq!(post(&house, "", "application/x-ndjson", [0xff, 0xfe]).await.status, 400);
    assert_eq!(post(&house, "", "application/jsonl", "").await.json()["created"], 0);
    // More than other bodies may have is taken; more than an import may have is not.
    let blank = |bytes: usize| vec![b'\n'; bytes];
    assert_eq!(post(&house, "", "application/x-ndjson", blank(2 << 20)).await.status, 200);
    let large = post(&house, "", "application/x-ndjson", blank((16 << 20) + 1)).await;
    assert_eq!((large.status, large.json()["code"].as_str()), (413, Some("PR-8001")));
}
