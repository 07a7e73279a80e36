//! The solution over REST: in, again, as a file, out; and files of suppressions, purging, tokens of records.

use postroom_operations::{Role, Scope};
use serde_json::{Value, json};

use crate::client::Answer;
use crate::house::{Browser, House};
use crate::openapi::{check, document};

async fn post(house: &House, owner: &Browser, path: &str, body: &Value) -> Answer {
    let call = house.post(path).header("Cookie", &owner.cookie).header("X-CSRF-Token", &owner.csrf);
    call.header("Sec-Fetch-Site", "same-origin").body("application/json", body.to_string()).send().await
}

#[tokio::test]
async fn in_and_again_and_out() {
    let house = House::open().await;
    let owner = house.browser(Role::Owner).await;
    let document = document();
    let status = async || house.look(&owner, "/api/v1/solution").send().await.json();
    let order = async |what: &str, body: Value| {
        post(&house, &owner, &format!("/api/v1/solution/{what}"), &body).await
    };
    let absent = status().await;
    assert_eq!(absent["state"], "absent", "{absent}");
    check(&document, &document["components"]["schemas"]["Solution"], &absent, "solution");
    assert_eq!(order("upgrade", json!({})).await.status, 404, "there is nothing to upgrade");
    let trial = order("install?dry_run=true", json!({ "generation": "365" })).await.json();
    assert_eq!((&trial["dry_run"], &trial["outcome"]), (&json!(true), &Value::Null), "{trial}");
    assert_eq!(order("install", json!({})).await.json()["outcome"], "installed");
    assert_eq!(order("install", json!({})).await.json()["outcome"], "unchanged");
    assert_eq!(order("upgrade", json!({})).await.json()["outcome"], "unchanged");
    let installed = status().await;
    assert_eq!(installed["state"], "installed");
    check(&document, &document["components"]["schemas"]["Solution"], &installed, "solution");

    let trial = order("uninstall?dry_run=true", json!({})).await.json();
    let count = trial["tables"].as_array().map_or(0, Vec::len);
    assert!(count > 10, "{trial}");
    let unsaid = order("uninstall", json!({})).await;
    assert_eq!((unsaid.status, &unsaid.json()["errors"][0]["pointer"]), (400, &json!("/expected_count")));
    assert_eq!(order("uninstall", json!({ "expected_count": count + 1 })).await.status, 409);
    assert_eq!(status().await["state"], "installed", "nothing was done");
    let gone = order("uninstall", json!({ "expected_count": count })).await.json();
    assert_eq!(gone["outcome"], "uninstalled", "{gone}");
    assert_eq!(status().await["state"], "absent");
}

#[tokio::test]
async fn the_file_is_a_zip_of_the_asked_generation() {
    let house = House::open().await;
    let api = house.token(Scope::Api).await;
    for (query, name) in [
        ("", "EmailServiceConnector_1_0_0_2_365.zip"),
        ("?generation=2013&managed=true", "EmailServiceConnector_1_0_0_2_2013_managed.zip"),
    ] {
        let answer = house.get(&format!("/api/v1/solution/file{query}")).bearer(&api).send().await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/zip"));
        assert!(answer.header("content-disposition").contains(name), "{answer:?}");
        assert!(answer.body.starts_with(b"PK"), "{query}");
    }
    let wrong = house.get("/api/v1/solution/file?generation=2012").bearer(&api).send().await;
    assert_eq!((wrong.status, wrong.text().contains("2011, 2013")), (400, true), "{}", wrong.text());
}

#[tokio::test]
async fn suppressions_leave_as_a_file_that_an_import_reads() {
    let house = House::with_marketing().await;
    let api = house.token(Scope::Api).await;
    let path = "/api/v1/marketing/suppressions";
    let export = async |query: &str| {
        let answer = house.get(&format!("{path}/export{query}")).bearer(&api).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    };
    let head = export("").await.text();
    assert_eq!(head.lines().count(), 1, "a head alone: {head}");
    // More than a page of rows.
    let rows: String = (0..1500).map(|n| format!("p{n}@customer.example\n")).collect();
    let import = house.post(&format!("{path}/import")).bearer(&api);
    let report = import.body("text/csv", format!("email\n{rows}")).send().await.json();
    assert_eq!(report["new"], 1500, "{report}");
    let csv = export("?account=main").await;
    assert!(csv.header("content-type").starts_with("text/csv"), "{}", csv.header("content-type"));
    assert_eq!(csv.text().lines().count(), 1501);
    let again = house.post(&format!("{path}/import")).bearer(&api);
    let again = again.body("text/csv", csv.body).send().await.json();
    assert_eq!((&again["same"], &again["rejected"]), (&json!(1500), &json!([])), "{again}");
    let lines = export("?format=jsonl&all=true").await.text();
    let all: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((all.len(), &all[0]["account"]), (1500, &json!("main")));
    let wrong = house.get(&format!("{path}/export?format=xls")).bearer(&api).send().await;
    assert_eq!(wrong.status, 400, "{}", wrong.text());
}

#[tokio::test]
async fn bodies_are_purged_by_an_owner() {
    let house = House::open().await;
    let owner = house.browser(Role::Owner).await;
    let document = document();
    for (query, dry_run) in [("?dry_run=true", true), ("", false)] {
        let purged = post(&house, &owner, &format!("/api/v1/messages/purge{query}"), &json!({})).await.json();
        assert_eq!((&purged["dry_run"], &purged["messages"]), (&json!(dry_run), &json!(0)), "{purged}");
        check(&document, &document["components"]["schemas"]["Purged"], &purged, "purged");
    }
}

#[tokio::test]
async fn a_token_leads_back_to_its_record() {
    let house = House::open().await;
    let owner = house.browser(Role::Owner).await;
    let document = document();
    let case = &house.story.case_pump;
    let made = post(&house, &owner, "/api/v1/tracking-tokens", &json!({ "id": case.id })).await.json();
    check(&document, &document["components"]["schemas"]["TrackingToken"], &made, "token");
    let token = made["token"].as_str().unwrap();
    let verify = async |text: &str| {
        let found = post(&house, &owner, "/api/v1/tracking-tokens/verify", &json!({ "text": text })).await;
        let found = found.json();
        check(&document, &document["components"]["schemas"]["TokensFound"], &found, "tokens");
        found
    };
    let found = verify(&format!("Re: The pump {token}")).await;
    assert_eq!((&found["valid"], &found["tokens"][0]["record"]), (&json!(true), &json!(case.to_string())));
    assert_eq!(verify("Re: The pump").await["valid"], false);
    let wrong = post(&house, &owner, "/api/v1/tracking-tokens", &json!({ "id": "x" })).await;
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["pointer"]), (400, &json!("/id")));
}
