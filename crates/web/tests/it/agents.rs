//! The agents' door.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postroom_core::MailId;
use postroom_operations::{Actor, Scope};
use serde_json::{Value, json};

use crate::client::{Answer, Call};
use crate::house::{House, MAX_MESSAGE};

const MAIL: &str = "From: a@x.example\r\nTo: support@demo.example\r\nMessage-ID: <agent@x.example>\r\nSubject: Hi\r\n\r\nBody\r\n";

fn raw(house: &House, query: &str, token: &str) -> Call {
    house.post(&format!("/agent/v1/messages{query}")).bearer(token).body("message/rfc822", MAIL)
}

fn kernel(house: &House, body: &Value, token: &str) -> Call {
    house.post("/agent/v1/messages").bearer(token).body("application/json; charset=utf-8", body.to_string())
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["code"], code);
    assert_eq!(answer.json()["status"], status);
}

#[tokio::test]
async fn a_raw_mail_is_stored_with_its_envelope_and_a_repeat_is_the_same() {
    let house = House::open().await;
    let token = house.token(Scope::Agent).await;
    let query = "?mailbox=support&direction=INBOX&from=a@x.example&to=support@demo.example&to=b@demo.example&source=R:U1";
    let first = raw(&house, query, &token).send().await;
    assert_eq!(first.status, 202, "{}", first.text());
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(first.header("location"), format!("/agent/v1/messages/{id}"));
    let again = raw(&house, query, &token).send().await;
    assert_eq!((again.status, again.json()["id"].as_str()), (202, Some(id.as_str())));
    house.drain().await;
    let shown = house.get(&format!("/agent/v1/messages/{id}")).bearer(&token).send().await.json();
    assert_eq!(shown["sightings"], 1);
    assert_eq!(shown["direction"], "incoming");
    assert_eq!(shown["state"], "review");
    let seen = &shown["sightings_seen"][0];
    assert_eq!(seen["envelope_to"], json!(["support@demo.example", "b@demo.example"]));
    assert_eq!((seen["source"].as_str(), seen["source_id"].as_str()), (Some("http"), Some("R:U1")));
    assert_eq!(
        (seen["envelope_from"].as_str(), seen["peer"].as_str()),
        (Some("a@x.example"), Some("127.0.0.1"))
    );
}

#[tokio::test]
async fn sent_mail_is_outgoing() {
    let house = House::open().await;
    let token = house.token(Scope::Agent).await;
    let id = raw(&house, "?direction=Sent", &token).send().await.json()["id"].as_str().unwrap().to_owned();
    let shown = house.get(&format!("/agent/v1/messages/{id}")).bearer(&token).send().await.json();
    assert_eq!(shown["direction"], "outgoing");
}

#[tokio::test]
async fn a_kernel_becomes_a_mail() {
    let house = House::open().await;
    let token = house.token(Scope::Agent).await;
    let body = json!({
        "mailbox": "support", "direction": "Inbox", "source": "R:U2",
        "envelope": { "from": "jörg@x.example", "to": ["support@demo.example"] },
        "headers": [["From", "\"Jörg, Groß\" <joerg@x.example>"], ["To", "support@demo.example"],
            ["Bcc", "boss@demo.example"], ["Subject", "Grüße"], ["Message-ID", "<k@x.example>"]],
        "text": "Zeile\nübrig", "html": "<p>Zeile</p>",
        "attachments": [{ "name": "Prüfung.pdf", "type": "application/pdf", "content_id": null, "content": STANDARD.encode(b"%PDF") }]
    });
    let answer = kernel(&house, &body, &token).send().await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let again = kernel(&house, &body, &token).send().await;
    assert_eq!(again.json(), answer.json());
    let id: MailId = answer.json()["id"].as_str().unwrap().parse().unwrap();
    let detail = house.operations.message(&Actor::console(), id).await.unwrap();
    assert_eq!(detail.message.subject, "Grüße");
    assert_eq!(detail.message.from_name, "Jörg, Groß");
    assert_eq!(detail.message.sightings, 1);
    assert_eq!(detail.seen[0].envelope_to, ["support@demo.example", "boss@demo.example"]);
    let (view, _) = house.operations.message_view(&Actor::console(), id, None).await.unwrap();
    assert_eq!(view.text.replace("\r\n", "\n").trim_end(), "Zeile\nübrig");
    assert_eq!(view.attachments[0].name, "Prüfung.pdf");
    assert!(!view.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("bcc")));
}

#[tokio::test]
async fn a_kernel_that_is_wrong_says_where() {
    let house = House::open().await;
    let token = house.token(Scope::Agent).await;
    let cases = [
        (json!({ "headers": [["Subject", "a\r\nBcc: x@y.example"]] }), "/headers/0/1"),
        (json!({ "headers": [["Sub ject", "a"]] }), "/headers/0/0"),
        (json!({ "headers": [["", "a"]] }), "/headers/0/0"),
        (json!({ "envelope": { "to": ["a@x", "b\n@x"] } }), "/envelope/to/1"),
        (json!({ "direction": "sideways" }), "/direction"),
        (json!({ "attachments": [{ "content": "###" }] }), "/attachments/0/content"),
        (json!({ "attachments": [{ "content": "", "type": "multipart/mixed" }] }), "/attachments/0/type"),
        (json!({ "attachments": [{ "content": "", "name": "a\nb" }] }), "/attachments/0/name"),
        (json!({ "attachments": [{ "content": "", "content_id": "a b" }] }), "/attachments/0/content_id"),
    ];
    for (body, pointer) in cases {
        let answer = kernel(&house, &body, &token).send().await;
        refused(&answer, 400, "PR-8001");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
    }
}

#[tokio::test]
async fn what_is_not_in_the_interface_is_refused() {
    let house = House::open().await;
    let token = house.token(Scope::Agent).await;
    let answer = kernel(&house, &json!({ "subject": "x" }), &token).send().await;
    refused(&answer, 400, "PR-8001");
    assert!(answer.json()["detail"].as_str().unwrap().contains("subject"), "{}", answer.text());
    refused(&raw(&house, "?form=a@x.example", &token).send().await, 400, "PR-8001");
    refused(&raw(&house, "?mailbox=nowhere", &token).send().await, 400, "PR-8001");
    let text = house.post("/agent/v1/messages").bearer(&token).body("text/plain", MAIL).send().await;
    refused(&text, 415, "PR-8001");
    let broken = house.post("/agent/v1/messages").bearer(&token).body("application/json", "{").send().await;
    refused(&broken, 400, "PR-8001");
    let empty = house.post("/agent/v1/messages").bearer(&token).body("message/rfc822", "").send().await;
    refused(&empty, 400, "PR-8001");
    let gone = house.get("/agent/v1/messages/msg_00000000000000000000000000").bearer(&token).send().await;
    refused(&gone, 404, "PR-8004");
    refused(&house.get("/agent/v1/messages/zzz").bearer(&token).send().await, 404, "PR-8004");
}

#[tokio::test]
async fn who_may_hand_in() {
    let house = House::open().await;
    let nobody = house.post("/agent/v1/messages").body("message/rfc822", MAIL).send().await;
    refused(&nobody, 401, "PR-8002");
    assert!(nobody.header("www-authenticate").starts_with("Bearer"));
    refused(&raw(&house, "", "prm_wrong").send().await, 401, "PR-8002");
    for scope in [Scope::Api, Scope::Crm] {
        let token = house.token(scope).await;
        refused(&raw(&house, "", &token).send().await, 403, "PR-8003");
    }
    let agent = house.token(Scope::Agent).await;
    refused(&house.get("/api/v1/messages").bearer(&agent).send().await, 403, "PR-8003");
}

#[tokio::test]
async fn larger_than_allowed_is_413() {
    let house = House::open().await;
    let token = house.token(Scope::Agent).await;
    for size in [MAX_MESSAGE as usize + 1, MAX_MESSAGE as usize * 4] {
        let answer = house
            .post("/agent/v1/messages")
            .bearer(&token)
            .body("message/rfc822", vec![b'x'; size])
            .send()
            .await;
        refused(&answer, 413, "PR-3002");
    }
    let file = STANDARD.encode(vec![7_u8; MAX_MESSAGE as usize]);
    let body = json!({ "attachments": [{ "name": "a", "type": "a/b", "content": file }] });
    refused(&kernel(&house, &body, &token).send().await, 413, "PR-3002");
}

#[tokio::test]
async fn a_stamp_is_answered_to_agents_only_and_leaves_the_subject_when_it_cannot_know() {
    let house = House::open().await;
    let token = house.token(Scope::Agent).await;
    let ask = |token: &str, body: Value| {
        house.post("/agent/v1/stamp").bearer(token).body("application/json", body.to_string())
    };
    let asked = json!({ "subject": "Offer", "from": "ines@demo.example", "to": ["anna.adler@adler-brauerei.example"] });
    let answer = ask(&token, asked.clone()).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // This house has no stamper.
    assert_eq!((&answer.json()["subject"], &answer.json()["record"]), (&json!("Offer"), &json!(null)));
    assert!(!answer.json()["reason"].as_str().unwrap().is_empty());
    refused(&ask(&house.token(Scope::Api).await, asked).send().await, 403, "PR-8003");
    refused(&ask(&token, json!({ "subject": 7 })).send().await, 400, "PR-8001");
    refused(&ask(&token, json!({ "to": vec!["a@b.example"; 1001] })).send().await, 400, "PR-8001");
}
