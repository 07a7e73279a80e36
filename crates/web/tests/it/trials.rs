//! Trials over REST: the configuration, mailboxes, what needs a person; and forgetting a mailbox.

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::{Code, Fault};
use postroom_operations::{
    Actor, CheckWanted, Credential, MailboxTest, Role, Scope, Told, TrialStep, Trials, Tried,
};
use serde_json::json;

use crate::house::House;
use crate::openapi::{check, document};

/// Finds of each trial what it was asked for.
pub struct Stub;

#[async_trait]
impl Trials for Stub {
    async fn check(&self, wanted: &CheckWanted, _: Told<'_>) -> Result<Vec<Tried>, Fault> {
        let part = wanted.part.map_or("everything", |part| part.as_str());
        let said = format!("{} {}", wanted.name.as_deref().unwrap_or("all"), wanted.round_trip);
        let asleep = Tried { skipped: true, ..Tried::well("asleep", "not tried") };
        Ok(vec![Tried::failed(part, said, "mend it"), asleep])
    }

    async fn mailboxes(
        &self,
        name: Option<&str>,
        round_trip: bool,
        _: Told<'_>,
    ) -> Result<Vec<MailboxTest>, Fault> {
        let known = ["support", "sales"].into_iter().filter(|known| name.is_none_or(|name| name == *known));
        let steps = vec![TrialStep::well("tcp", "answers"), TrialStep::away("sign_in", "nobody answers")];
        let address = format!("{round_trip}@demo.example");
        let test = |name: &str| MailboxTest {
            name: name.to_owned(),
            address: address.clone(),
            ok: false,
            steps: steps.clone(),
            fix: None,
        };
        let all: Vec<MailboxTest> = known.map(test).collect();
        match all.as_slice() {
            [] => Err(Fault::reject(Code::API_NOT_FOUND, "no such mailbox is configured")),
            _ => Ok(all),
        }
    }

    async fn credentials(&self) -> Vec<Credential> {
        vec![Credential { connection: "http", key: "http.tls_cert", ends: Ok(Timestamp::MAX) }]
    }
}

#[tokio::test]
async fn what_the_configuration_names_is_tried() {
    let house = House::open().await;
    let api = house.token(Scope::Api).await;
    let document = document();
    for (query, part, said) in [
        ("", "everything", "all false"),
        ("?part=smtp-out", "smtp-out", "all false"),
        ("?part=mailbox&name=support&round_trip=true", "mailbox", "support true"),
    ] {
        let answer = house.post(&format!("/api/v1/check{query}")).bearer(&api).send().await.json();
        assert_eq!((&answer["ok"], &answer["items"][0]["part"]), (&json!(false), &json!(part)), "{answer}");
        assert_eq!(answer["items"][0]["said"], said, "{answer}");
        check(&document, &document["components"]["schemas"]["Findings"], &answer, "check");
    }
    for wrong in ["?part=smtp_out", "?name=support", "?round-trip=true"] {
        let answer = house.post(&format!("/api/v1/check{wrong}")).bearer(&api).send().await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_mailbox_is_tested_and_a_mail_that_leaves_is_in_the_audit_trail() {
    let house = House::open().await;
    let api = house.token(Scope::Api).await;
    let document = document();
    let tested = house.post("/api/v1/mailboxes/support/test").bearer(&api).send().await.json();
    assert_eq!((&tested["name"], &tested["address"]), (&json!("support"), &json!("false@demo.example")));
    check(&document, &document["components"]["schemas"]["MailboxTest"], &tested, "test");
    let trail = async || house.operations.audit_of(&Actor::console(), "sales", 9).await.unwrap().len();
    assert_eq!(house.post("/api/v1/mailboxes/sales/test").bearer(&api).send().await.status, 200);
    assert_eq!(trail().await, 0);
    let sent = house.post("/api/v1/mailboxes/sales/test?round_trip=true").bearer(&api).send().await.json();
    assert_eq!((&sent["address"], trail().await), (&json!("true@demo.example"), 1));
    assert_eq!(house.post("/api/v1/mailboxes/nobody/test").bearer(&api).send().await.status, 404);
}

#[tokio::test]
async fn the_doctor_says_over_rest_what_needs_a_person() {
    let house = House::open().await;
    let api = house.token(Scope::Api).await;
    let document = document();
    let well = house.post("/api/v1/doctor").bearer(&api).send().await.json();
    assert_eq!(well["ok"], true, "{well}");
    let said = |part: &str| {
        let items = well["items"].as_array().unwrap();
        items.iter().find(|item| item["part"] == part).unwrap_or_else(|| panic!("{part}: {well}"))["said"]
            .clone()
    };
    assert_eq!(said("credentials"), "http.tls_cert is good until 9999-12-30");
    check(&document, &document["components"]["schemas"]["Findings"], &well, "doctor");
    house.review().await;
    let found = house.post("/api/v1/doctor").bearer(&api).send().await.json();
    let review = &found["items"][0];
    assert_eq!((&found["ok"], &review["said"]), (&json!(false), &json!("1 waits in review")), "{found}");
    assert_eq!(review["do"], "postroom message review list");
}

#[tokio::test]
async fn a_mailbox_is_forgotten_by_an_owner() {
    let house = House::with_way_out().await;
    house.review().await;
    let owner = house.browser(Role::Owner).await;
    let forget = async |path: &str| {
        let call = house.delete(path).header("Cookie", &owner.cookie).header("X-CSRF-Token", &owner.csrf);
        call.header("Sec-Fetch-Site", "same-origin").send().await
    };
    let trial = forget("/api/v1/mailboxes/support?dry_run=true").await.json();
    assert_eq!((&trial["dry_run"], &trial["messages"]), (&json!(true), &json!(1)), "{trial}");
    let done = forget("/api/v1/mailboxes/support").await.json();
    assert_eq!((&done["dry_run"], &done["configured"]), (&json!(false), &json!(true)), "{done}");
    let document = document();
    check(&document, &document["components"]["schemas"]["MailboxForgotten"], &done, "forgotten");
    let trail = house.operations.audit_of(&Actor::console(), "support", 9).await.unwrap();
    assert_eq!(trail.len(), 1, "{trail:?}");
    assert_eq!(forget("/api/v1/mailboxes/nobody").await.status, 404);
}
