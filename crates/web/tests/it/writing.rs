//! Writing mail by REST, looking records up by words, and review with its candidates.

use postroom_core::{Clock, Crm, Query};
use postroom_operations::{Actor, OutgoingWanted, Role, Scope};
use serde_json::{Value, json};

use crate::client::Answer;
use crate::house::House;

const ANNA: &str = "anna.adler@adler-brauerei.example";

async fn post(house: &House, path: &str, body: &Value) -> Answer {
    let token = house.token(Scope::Api).await;
    house.post(path).bearer(&token).body("application/json", body.to_string()).send().await
}

async fn get(house: &House, path: &str) -> Value {
    let answer = house.get(path).bearer(&house.token(Scope::Api).await).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn queued(house: &House) -> usize {
    house.send_all().await;
    house.operations.outgoing(&Actor::console(), OutgoingWanted::default()).await.unwrap().len()
}

/// Files of all e-mails: name, type, bytes.
async fn files(house: &House) -> Vec<(String, String, Vec<u8>)> {
    let crm = postroom_embedded::Embedded::open(house.store(), Clock::system()).await.unwrap();
    let mut files = Vec::new();
    for row in crm.query(&Query::of("activitymimeattachment")).await.unwrap() {
        let Some(postroom_core::Value::Content(content)) = row.get("body") else { panic!("{row:?}") };
        let bytes = crm.read(content).await.unwrap().to_vec();
        let text = |column: &str| row.text(column).unwrap_or_default().to_owned();
        files.push((text("filename"), text("mimetype"), bytes));
    }
    files
}

#[tokio::test]
async fn a_mail_is_written_about_a_record_once() {
    let house = House::with_way_out().await;
    let path = format!("/api/v1/records/{}/mails", house.story.case_pump);
    let mail = json!({
        "id": "00000000-0000-0000-0000-0000000000f1", "to": ANNA, "subject": "Spare seals", "text": "On their way.",
        "files": [{"name": "list.pdf", "type": "application/pdf", "body": "JVBERg=="}],
    });
    let trial = post(&house, &format!("{path}?dry_run=true"), &mail).await;
    assert_eq!((trial.status, &trial.json()["dry_run"], trial.header("location")), (200, &json!(true), ""));
    assert_eq!(queued(&house).await, 0, "a trial writes nothing");
    let made = post(&house, &path, &mail).await;
    assert_eq!((made.status, &made.json()["new"]), (201, &json!(true)), "{}", made.text());
    let at = "/api/v1/records/email/00000000-0000-0000-0000-0000000000f1";
    assert_eq!(made.header("location"), at);
    assert_eq!(made.json()["regarding"]["id"], json!(house.story.case_pump.id));
    let again = post(&house, &path, &mail).await;
    assert_eq!((again.status, &again.json()["new"]), (200, &json!(false)));
    assert_eq!(queued(&house).await, 1);
    assert_eq!(files(&house).await, [("list.pdf".into(), "application/pdf".into(), b"%PDF".to_vec())]);
    assert!(get(&house, at).await["columns"]["subject"].as_str().unwrap().starts_with("Spare seals"));
}

#[tokio::test]
async fn an_answer_goes_to_whom_wrote_in_the_thread() {
    let house = House::with_way_out().await;
    let tracked = house.tracked().await;
    let path = format!("/api/v1/messages/{tracked}/answer");
    let made = post(&house, &path, &json!({"text": "We come tomorrow."})).await;
    let written = made.json();
    assert_eq!(made.status, 201, "{written}");
    assert_eq!(
        (written["to"].as_str(), written["subject"].as_str()),
        (Some(ANNA), Some("Re: The pump leaks"))
    );
    assert_eq!(written["regarding"]["id"], json!(house.story.case_pump.id));
    let message = get(&house, &format!("/api/v1/messages/{tracked}")).await;
    assert_eq!(written["answers"], message["activity_id"]);
    let review = house.review().await;
    let unfiled = post(&house, &format!("/api/v1/messages/{review}/answer"), &json!({"text": "Hi"})).await;
    assert_eq!(unfiled.status, 409, "{}", unfiled.text());
}

#[tokio::test]
async fn what_is_wrong_is_told_field_by_field() {
    let house = House::with_way_out().await;
    let path = format!("/api/v1/records/{}/mails", house.story.case_pump);
    let cases = [
        (json!({"to": "anna", "subject": "x", "text": "x"}), 422, "/to"),
        (json!({"to": "a@x.example\r\nBcc: b@x.example", "subject": "x", "text": "x"}), 422, "/to"),
        (json!({"to": ANNA, "subject": "x\ny", "text": "x"}), 422, "/subject"),
        (json!({"to": ANNA, "subject": "x", "text": " "}), 422, "/text"),
        (json!({"to": ANNA, "subject": "x", "text": "x", "from": "boss@else.example"}), 422, "/from"),
        (
            json!({"to": ANNA, "subject": "x", "text": "x", "files": [{"name": "../x", "body": ""}]}),
            422,
            "/files",
        ),
        (
            json!({"to": ANNA, "subject": "x", "text": "x", "files": [{"name": "x", "body": "§"}]}),
            400,
            "/files/0/body",
        ),
        (json!({"id": "7", "to": ANNA, "subject": "x", "text": "x"}), 400, "/id"),
    ];
    for (mail, status, pointer) in cases {
        let answer = post(&house, &path, &mail).await;
        let problem = answer.json();
        assert_eq!(
            (answer.status, problem["errors"][0]["pointer"].as_str()),
            (status, Some(pointer)),
            "{mail}"
        );
    }
    let two = post(&house, &path, &json!({"to": "", "subject": "", "text": "x"})).await.json();
    assert_eq!(two["errors"].as_array().unwrap().len(), 2, "{two}");
    assert_eq!(post(&house, &path, &json!({"to": ANNA})).await.status, 400, "text is needed");
    assert_eq!(queued(&house).await, 0);
    let closed = House::open().await;
    let path = format!("/api/v1/records/{}/mails", closed.story.case_pump);
    assert_eq!(post(&closed, &path, &json!({"to": ANNA, "text": "x"})).await.status, 409, "no way out");
}

#[tokio::test]
async fn viewers_write_nothing() {
    let house = House::with_way_out().await;
    let viewer = house.browser(Role::Viewer).await;
    let answer = house
        .post(&format!("/api/v1/records/{}/mails", house.story.case_pump))
        .header("Cookie", &viewer.cookie)
        .header("Origin", &format!("http://{}", house.at))
        .header("X-CSRF-Token", &viewer.csrf)
        .body("application/json", json!({"to": ANNA, "subject": "x", "text": "x"}).to_string())
        .send()
        .await;
    assert_eq!(answer.status, 403, "{}", answer.text());
}

#[tokio::test]
async fn records_are_found_by_words_in_any_order() {
    let house = House::open().await;
    let anna = house.story.contact_anna.to_string();
    let found = async |words: &str| -> Vec<String> {
        let items = get(&house, &format!("/api/v1/records?q={words}")).await["items"].clone();
        let record =
            |item: &Value| format!("{}/{}", item["record"]["table"], item["record"]["id"]).replace('"', "");
        items.as_array().unwrap().iter().map(record).collect()
    };
    assert!(found("adler+anna").await.contains(&anna));
    assert!(found("anna.adler%40").await.contains(&anna));
    assert!(!found("anna+nobody").await.contains(&anna));
    assert_eq!(found(&anna).await, [anna.clone()]);
    assert_eq!(found("").await, Vec::<String>::new());
    let answer = house.get("/api/v1/records").bearer(&house.token(Scope::Api).await).send().await;
    assert_eq!(answer.status, 400, "words are needed");
}

#[tokio::test]
async fn review_tells_candidates_and_why() {
    let house = House::open().await;
    let (first, second) = (house.review().await, house.mail(OTHER).await);
    // The sender becomes known while the mail waits.
    let lead = r#"{"table":"lead","id":"00000000-0000-0000-0000-0000000000a1","columns":{"lastname":"Body","emailaddress1":"somebody@elsewhere.example"}}"#;
    let mut report = postroom_operations::ImportReport::default();
    house
        .operations
        .import_records(&Actor::console(), vec![(1, lead.into())], false, &mut report)
        .await
        .unwrap();
    let all = get(&house, "/api/v1/review").await;
    assert_eq!((all["items"].as_array().unwrap().len(), &all["next"]), (2, &Value::Null), "{all:#}");
    let page = get(&house, "/api/v1/review?limit=1").await;
    assert_eq!(page["items"][0]["id"], second.to_string());
    let next = page["next"].as_str().unwrap();
    let page = get(&house, &format!("/api/v1/review?limit=1&cursor={next}")).await;
    let item = &page["items"][0];
    assert_eq!((&item["id"], &page["next"]), (&json!(first.to_string()), &Value::Null));
    let candidate = &item["candidates"][0];
    assert_eq!(candidate["record"]["table"], "lead", "{item:#}");
    assert_eq!(candidate["why"], "the sender's address is its emailaddress1");
}

/// From another stranger.
const OTHER: &str = "From: Kim <kim@nowhere.example>\nTo: support@demo.example\nMessage-ID: <three@nowhere.example>\n\
    Date: Tue, 10 Mar 2026 11:00:00 +0000\nSubject: Another question\n\nDo you?\n";
