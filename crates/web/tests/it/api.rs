//! The REST API: each endpoint once with what it answers.

use postroom_core::MailState;
use postroom_operations::{Actor, Role, Scope};
use serde_json::json;

use crate::client::Answer;
use crate::house::House;

struct Api {
    house: House,
    token: String,
}

impl Api {
    async fn open() -> Api {
        let house = House::open().await;
        let token = house.token(Scope::Api).await;
        Api { house, token }
    }

    async fn get(&self, path: &str) -> Answer {
        self.house.get(path).bearer(&self.token).send().await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.house.post(path).bearer(&self.token).body("application/json", body).send().await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.house.delete(path).bearer(&self.token).send().await
    }
}

#[tokio::test]
async fn messages_are_listed_by_state_record_and_words() {
    let api = Api::open().await;
    let (tracked, review) = (api.house.tracked().await, api.house.review().await);
    let record = &api.house.story.case_pump;
    let ids = |answer: &Answer| -> Vec<String> {
        let items = answer.json()["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&api.get("/api/v1/messages").await), [review.to_string(), tracked.to_string()]);
    assert_eq!(ids(&api.get("/api/v1/messages?state=review").await), [review.to_string()]);
    assert_eq!(ids(&api.get(&format!("/api/v1/messages?record={record}")).await), [tracked.to_string()]);
    assert_eq!(ids(&api.get("/api/v1/messages?q=leaks").await), [tracked.to_string()]);
    assert_eq!(ids(&api.get("/api/v1/messages?mailbox=support&q=nothing").await), Vec::<String>::new());
    let shown = api.get(&format!("/api/v1/messages/{tracked}")).await.json();
    assert_eq!((shown["state"].as_str(), shown["method"].as_str()), (Some("tracked"), Some("token")));
    assert_eq!(shown["record"], json!({ "table": record.table, "id": record.id }));
}

#[tokio::test]
async fn pages_follow_each_other_by_cursor() {
    let api = Api::open().await;
    let (first, second) = (api.house.tracked().await, api.house.review().await);
    let page = api.get("/api/v1/messages?limit=1").await.json();
    assert_eq!(page["items"][0]["id"], second.to_string());
    let cursor = page["next"].as_str().unwrap();
    let page = api.get(&format!("/api/v1/messages?limit=1&cursor={cursor}")).await.json();
    assert_eq!(
        (page["items"][0]["id"].as_str(), page["next"].as_str()),
        (Some(first.to_string().as_str()), None)
    );
}

#[tokio::test]
async fn raw_bytes_come_back_as_they_were_and_are_audited() {
    let api = Api::open().await;
    let id = api.house.review().await;
    let raw = api.get(&format!("/api/v1/messages/{id}/raw")).await;
    assert_eq!(raw.header("content-type"), "message/rfc822");
    assert!(raw.text().contains("Do you repair pumps?\r\n"));
    let audit = api.get(&format!("/api/v1/audit?object={id}")).await.json();
    assert_eq!(audit["items"][0]["action"], "message.open");
}

#[tokio::test]
async fn a_mail_is_imported_once_and_explained_without_a_trace() {
    let api = Api::open().await;
    let mail = format!(
        "From: anna.adler@adler-brauerei.example\r\nTo: support@demo.example\r\nMessage-ID: <i@x.example>\r\nSubject: CRM: {}:MRC\r\n\r\nHi\r\n",
        api.house.story.case_pump.id
    );
    let send = |path: &'static str| {
        api.house.post(path).bearer(&api.token).body("message/rfc822", mail.clone()).send()
    };
    let why = send("/api/v1/messages/why").await.json();
    assert_eq!((why["state"].as_str(), why["crm_asked"].as_bool()), (Some("tracked"), Some(true)));
    assert_eq!(api.get("/api/v1/messages").await.json()["items"], json!([]));
    let first = send("/api/v1/messages?direction=incoming").await;
    assert_eq!((first.status, first.json()["new"].as_bool()), (201, Some(true)));
    let again = send("/api/v1/messages?direction=incoming").await;
    assert_eq!((again.status, again.json()["id"].clone()), (200, first.json()["id"].clone()));
}

#[tokio::test]
async fn a_person_decides() {
    let api = Api::open().await;
    let id = api.house.review().await;
    let state = || async { api.house.operations.message(&Actor::console(), id).await.unwrap().message.state };
    let record = &api.house.story.case_pump;
    let target = json!({ "record": record.to_string() }).to_string();
    let tried = api.post(&format!("/api/v1/messages/{id}/attach?dry_run=true"), &target).await.json();
    assert_eq!(tried, json!({ "changed": [id.to_string()], "dry_run": true }));
    assert_eq!(state().await, MailState::Review);
    let done = api.post(&format!("/api/v1/messages/{id}/attach"), &target).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(state().await, MailState::Tracked);
    let elsewhere = json!({ "record": api.house.story.account_adler.to_string() }).to_string();
    let moved = api.post(&format!("/api/v1/messages/{id}/move"), &elsewhere).await;
    assert_eq!(moved.json()["changed"], json!([id.to_string()]));
    assert_eq!(api.post(&format!("/api/v1/messages/{id}/replay"), "").await.json()["changed"], json!([]));
    assert_eq!(api.post(&format!("/api/v1/messages/{id}/reject"), "").await.status, 409);
    let wrong = api.post(&format!("/api/v1/messages/{id}/attach"), r#"{"record":"nowhere"}"#).await.json();
    assert_eq!(wrong["errors"][0]["pointer"], "/record");
    let unknown =
        api.post(&format!("/api/v1/messages/{id}/attach"), r#"{"record":"contact/1","force":true}"#).await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn a_person_rejects_or_skips() {
    let api = Api::open().await;
    let id = api.house.review().await;
    assert_eq!(
        api.post(&format!("/api/v1/messages/{id}/skip?dry_run=true"), "").await.json()["dry_run"],
        true
    );
    assert_eq!(api.post(&format!("/api/v1/messages/{id}/reject"), "").await.status, 200);
    assert_eq!(api.get(&format!("/api/v1/messages/{id}")).await.json()["state"], "not_tracked");
}

#[tokio::test]
async fn records_are_listed_and_shown() {
    let api = Api::open().await;
    api.house.tracked().await;
    let rows = api.get("/api/v1/records/contact?filter[lastname]=Adler&limit=5").await.json();
    assert_eq!(rows["items"].as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(rows["items"][0]["columns"]["lastname"], "Adler");
    let case = api.get(&format!("/api/v1/records/{}", api.house.story.case_pump)).await.json();
    assert_eq!(case["activities"][0]["direction"], "incoming");
    assert_eq!(api.get("/api/v1/records/contact?filter[nothing]=1").await.status, 400);
    assert_eq!(api.get("/api/v1/records/Con%2ftact").await.status, 404);
    assert_eq!(api.get("/api/v1/records/contact/00000000-0000-0000-0000-000000000009").await.status, 404);
}

#[tokio::test]
async fn the_shelf_is_worked() {
    let api = Api::open().await;
    let id = api.house.shelve().await;
    assert_eq!(api.get("/api/v1/shelf").await.json()["items"][0]["id"], id);
    assert_eq!(api.get(&format!("/api/v1/shelf/{id}")).await.json()["code"], "PR-9001");
    assert_eq!(api.post(&format!("/api/v1/shelf/{id}/replay"), "").await.status, 202);
    api.house.drain().await;
    let id = api.get("/api/v1/shelf").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(api.delete(&format!("/api/v1/shelf/{id}")).await.status, 204);
    assert_eq!(api.delete(&format!("/api/v1/shelf/{id}")).await.status, 404);
    assert_eq!(api.get("/api/v1/shelf").await.json()["items"], json!([]));
}

#[tokio::test]
async fn how_things_stand() {
    let api = Api::open().await;
    api.house.tracked().await;
    assert_eq!(api.get("/api/v1/today").await.json()["counts"]["tracked"], 1);
    assert_eq!(api.get("/api/v1/mailboxes").await.json()["items"][0]["name"], "support");
    let books = api.post("/api/v1/verify", "").await.json();
    assert_eq!((books["tracked"].as_u64(), books["finding_count"].as_u64()), (Some(1), Some(0)));
}

#[tokio::test]
async fn an_owner_makes_and_ends_tokens_from_a_browser() {
    let house = House::open().await;
    let owner = house.browser(Role::Owner).await;
    let make = |body: &str| {
        let call =
            house.post("/api/v1/tokens").header("Cookie", &owner.cookie).header("X-CSRF-Token", &owner.csrf);
        call.header("Sec-Fetch-Site", "same-origin").body("application/json", body).send()
    };
    let made = make(r#"{"scope":"api","name":"reports","days":1}"#).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let token = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(house.get("/api/v1/today").bearer(&token).send().await.status, 200);
    assert_eq!(make(r#"{"scope":"all"}"#).await.json()["errors"][0]["pointer"], "/scope");
    assert_eq!(make(r#"{"scope":"api","days":400}"#).await.status, 400);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let end = house.delete(&format!("/api/v1/tokens/{id}")).header("Cookie", &owner.cookie);
    let end = end.header("X-CSRF-Token", &owner.csrf).header("Origin", &format!("http://{}", house.at));
    assert_eq!(end.send().await.status, 204);
    assert_eq!(house.get("/api/v1/today").bearer(&token).send().await.status, 401);
    let list = house.look(&owner, "/api/v1/tokens").send().await.json();
    assert!(!list.to_string().contains(&token) && list.to_string().contains(&id));
}

#[tokio::test]
async fn strangers_to_the_interface_are_refused() {
    let api = Api::open().await;
    for path in [
        "messages?sort=x",
        "messages?limit=0",
        "messages?limit=201",
        "messages?state=x",
        "messages?cursor=x",
        "shelf?x=1",
        "audit",
    ] {
        let answer = api.get(&format!("/api/v1/{path}")).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some("PR-8001")), "{path}");
    }
    let answer = api.delete("/api/v1/messages").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET,HEAD,POST"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let answer = api.get("/api/v1/nothing").await;
    assert_eq!((answer.status, answer.json()["status"].as_u64()), (404, Some(404)));
    assert!(!answer.json()["trace_id"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_word_can_be_taken_back() {
    let api = Api::open().await;
    let id = api.house.review().await;
    let show = || async { api.get(&format!("/api/v1/messages/{id}")).await.json() };
    let undo = |query: &'static str| {
        let path = format!("/api/v1/messages/{id}/undo{query}");
        let api = &api;
        async move { api.post(&path, "").await }
    };
    assert_eq!(undo("").await.status, 409, "nobody decided yet");
    let (case, account) = (&api.house.story.case_pump, &api.house.story.account_adler);
    let to = |record: &postroom_core::RecordRef| json!({ "record": record.to_string() }).to_string();
    api.post(&format!("/api/v1/messages/{id}/attach"), &to(case)).await;
    api.post(&format!("/api/v1/messages/{id}/move"), &to(account)).await;
    assert_eq!(undo("?dry_run=true").await.json(), json!({ "changed": [id.to_string()], "dry_run": true }));
    assert_eq!(show().await["record"], json!(account));
    assert_eq!(undo("").await.status, 200);
    let back = show().await;
    assert_eq!((&back["record"], &back["method"]), (&json!(case), &json!("person")));
    assert!(back["reason"].as_str().unwrap().starts_with("Undone by"), "{back}");
    // Where it lies in the CRM, too.
    let email = format!("/api/v1/records/email/{}", back["activity_id"].as_str().unwrap());
    assert_eq!(api.get(&email).await.json()["columns"]["regardingobjectid"], json!(case.to_string()));
    let books = api.post("/api/v1/verify", "").await.json();
    assert_eq!(books["findings"], json!([]));
}

#[tokio::test]
async fn an_attaching_taken_back_leaves_no_activity() {
    let api = Api::open().await;
    let id = api.house.review().await;
    let target = json!({ "record": api.house.story.case_pump.to_string() }).to_string();
    api.post(&format!("/api/v1/messages/{id}/attach"), &target).await;
    let show = || async { api.get(&format!("/api/v1/messages/{id}")).await.json() };
    let email = format!("/api/v1/records/email/{}", show().await["activity_id"].as_str().unwrap());
    assert_eq!(api.get(&email).await.status, 200);
    api.post(&format!("/api/v1/messages/{id}/undo"), "").await;
    let back = show().await;
    assert_eq!(
        (&back["state"], &back["activity_id"], &back["record"]),
        (&json!("review"), &json!(null), &json!(null))
    );
    assert_eq!(api.get(&email).await.status, 404);
    assert_eq!(api.post(&format!("/api/v1/messages/{id}/undo"), "").await.status, 409);
    // It can be attached anew, and the books balance all the while.
    assert_eq!(api.post("/api/v1/verify", "").await.json()["findings"], json!([]));
    api.post(&format!("/api/v1/messages/{id}/attach"), &target).await;
    assert_eq!(api.get(&email).await.status, 200);
    assert_eq!(api.post("/api/v1/verify", "").await.json()["findings"], json!([]));
}

#[tokio::test]
async fn a_replay_tells_first_what_it_would_change() {
    let api = Api::open().await;
    let lead = "00000000-0000-0000-0000-00000000077a";
    let id = api
        .house
        .mail(&format!(
            "From: somebody@elsewhere.example\nTo: support@demo.example\nMessage-ID: <late@elsewhere.example>\n\
             Date: Tue, 10 Mar 2026 10:00:00 +0000\nSubject: Early CRM: {{{lead}}}:MRC\n\nHello\n"
        ))
        .await;
    let all = "/api/v1/messages/replay?dry_run=true";
    let nothing = json!({ "changed": [], "dry_run": true, "changes": [], "looked_at": 1 });
    assert_eq!(api.post(all, "").await.json(), nothing);
    let line = format!(r#"{{"table":"lead","id":"{lead}","columns":{{"subject":"Late"}}}}"#);
    let api_token = api.house.token(Scope::Api).await;
    let import = api.house.post("/api/v1/records/import").bearer(&api_token);
    assert_eq!(import.body("application/x-ndjson", line).send().await.status, 200);
    let foreseen = api.post(all, "").await.json();
    assert_eq!(foreseen["changed"], json!([id.to_string()]));
    let turn = &foreseen["changes"][0];
    assert_eq!((&turn["from"]["state"], &turn["to"]["state"]), (&json!("review"), &json!("tracked")));
    assert_eq!(turn["to"]["record"], json!({ "table": "lead", "id": lead }));
    let state = || async { api.house.operations.message(&Actor::console(), id).await.unwrap().message.state };
    assert_eq!(state().await, MailState::Review, "a dry run writes nothing");
    api.post("/api/v1/messages/replay", "").await;
    api.house.drain().await;
    assert_eq!(state().await, MailState::Tracked);
}

#[tokio::test]
async fn a_mailbox_that_is_sent_to_us_takes_no_orders() {
    let api = Api::open().await;
    api.house.tracked().await;
    let shown = api.get("/api/v1/mailboxes/support").await.json();
    assert_eq!(
        (&shown["watched"], &shown["lag_seconds"], &shown["messages"]),
        (&json!(false), &json!(null), &json!(1))
    );
    assert_eq!(shown["last_decisions"][0]["state"], "tracked");
    assert_eq!(api.get("/api/v1/mailboxes/nobody").await.status, 404);
    assert_eq!(api.post("/api/v1/mailboxes/support/pause", "").await.status, 409);
    assert_eq!(api.post("/api/v1/mailboxes/support/rescan", r#"{"since":"yesterday"}"#).await.status, 400);
}
