//! `POST /api/v1/records/import`: the counts, the refusals, the dry run and the limits.

use postroom_core::Code;
use postroom_operations::{Actor, Door, ImportReport, Role, Scope};
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

/// Imports one row by an API token.
async fn import(house: &House, table: &str, columns: Value) -> Answer {
    let row = json!({ "table": table, "id": "00000000-0000-0000-0000-000000000005", "columns": columns });
    post(house, "", "application/x-ndjson", row.to_string()).await
}

/// The connector's own user would stand as the one who asked for it.
#[tokio::test]
async fn nobody_asks_for_a_send_by_an_import() {
    let house = House::with_marketing().await;
    let to = json!({ "esc_name": "x", "esc_istransactional": true });
    for request in ["esc_emailsinglesend", "esc_emailsend", "esc_messagequeue"] {
        let refused = import(&house, request, to.clone()).await;
        assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("PR-8003")), "{request}");
    }
    let mapping = import(&house, "esc_emaildatamapping", json!({ "esc_fieldpath": "salary" })).await;
    assert_eq!(mapping.status, 403, "{}", mapping.text());
    assert!(mapping.text().contains("marketing_configure"), "{}", mapping.text());
    let role = import(&house, "systemuserroles", json!({})).await;
    assert_eq!(role.status, 403, "{}", role.text());
    assert_eq!(trail(&house).await, 0);
    // An operator may suppress, and import people.
    let person = import(&house, "contact", json!({ "lastname": "Adler", "donotbulkemail": true })).await;
    assert_eq!((person.status, person.json()["created"].as_u64()), (200, Some(1)), "{}", person.text());
}

/// A user of the CRM without one of the seed's roles sees the people, and nothing of the marketing half.
#[tokio::test]
async fn rows_of_the_marketing_half_need_its_roles() {
    let house = House::with_marketing().await;
    let name = "Clara Keine";
    let user = json!({ "table": "systemuser", "id": "00000000-0000-0000-0000-0000000000aa",
        "columns": { "firstname": "Clara", "lastname": "Keine", "domainname": "clara@demo.example" } });
    let mut report = ImportReport::default();
    let lines = vec![(1, user.to_string())];
    house.operations.import_records(&Actor::console(), lines, false, &mut report).await.unwrap();
    assert!(report.rejected.is_empty(), "{report:?}");
    let actor = |name: &str, role| Actor { name: name.into(), role, door: Door::Page, signed_in: true };
    let looks = async |actor: Actor| {
        let listed = house.operations.records(&actor, "esc_emailsupression", &[], 5).await;
        let people = house.operations.records(&actor, "contact", &[], 5).await;
        (listed.map(drop).map_err(|fault| fault.code), people.is_ok())
    };
    assert_eq!(looks(actor(name, Role::Operator)).await, (Err(Code::API_DENIED), true));
    // Who may ask hears that the solution is not installed here.
    let allowed = Err(Code::CRM_UNKNOWN_COLUMN);
    assert_eq!(looks(actor("somebody else", Role::Viewer)).await, (allowed, true));
}
