//! Taking back a run, and single sends whose answer was lost, in REST and pages.

use futures_util::FutureExt;
use postroom_marketing::sends::single::row::{self, Kind, Single, State};
use postroom_marketing::sync::{RunState, SyncType};
use postroom_operations::{Role, Scope};
use postroom_store::Insert;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::House;
use crate::marketing::ran;
use crate::openapi::{check, document};

const ODD: &str = "o'brien+x@example.com";

fn described(pattern: &str, method: &str, answer: &Value) {
    let document = document();
    let schema =
        &document["paths"][pattern][method]["responses"]["200"]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{pattern} has no schema");
    check(&document, schema, answer, pattern);
}

#[tokio::test]
async fn a_run_is_taken_back_once_and_says_by_what() {
    let house = House::with_marketing().await;
    let run = ran(&house, SyncType::Contacts, RunState::Done, None).await;
    let path = format!("/api/v1/marketing/runs/{run}/undo");
    let operator = house.browser(Role::Operator).await;
    let token = house.token(Scope::Api).await;
    let none = house.look(&operator, &path).send().await.json();
    assert_eq!((&none["kept"], &none["undo"]), (&json!(0), &Value::Null));
    let store = house.store();
    let unit = store.write("test.written", move |tx| {
        async move {
            let mut head = Insert::into("sync_written_run", &["run", "account", "at", "rows", "whole"]);
            head.row([run.0.into(), "main".into(), 0_i64.into(), 1_i64.into(), true.into()]);
            tx.insert(&head).await?;
            let columns = ["run", "place", "kind", "record_table", "record", "was", "now", "outcome", "why"];
            let mut row = Insert::into("sync_written", &columns);
            row.row([
                run.0.into(),
                0_i64.into(),
                "columns".into(),
                "contact".into(),
                Uuid::from_u128(7).into(),
                "{}".into(),
                "{\"lastname\":\"There\"}".into(),
                "left".into(),
                "lastname: changed since".into(),
            ]);
            tx.insert(&row).await
        }
        .boxed()
    });
    unit.await.unwrap();
    let viewer = house.browser(Role::Viewer).await;
    let page = format!("/sync/runs/{run}/undo");
    assert_eq!(house.submit(&viewer, &page, "").send().await.status, 403);
    let begun = house.post(&path).bearer(&token).send().await;
    assert_eq!(begun.status, 200, "{}", begun.text());
    described("/api/v1/marketing/runs/{id}/undo", "post", &begun.json());
    let undo = begun.json()["undo"].as_str().unwrap().to_owned();
    let again = house.post(&path).bearer(&token).send().await;
    assert!(again.text().contains("on its way"), "{}", again.text());
    let page = house.look(&viewer, &format!("/sync/runs/{run}")).send().await.page();
    assert!(page.contains(&format!("/sync/runs/{undo}")) && page.contains("changed since"), "{page}");
    assert!(!page.contains("See what would go back"), "a viewer orders nothing");
    let page = house.look(&operator, &format!("/sync/runs/{run}")).send().await.page();
    assert!(page.contains("See what would go back"));
    let page = house.look(&viewer, &format!("/sync/runs/{undo}")).send().await.page();
    assert!(page.contains("Takes back") && page.contains(&run.to_string()));
}

/// A single send of a kind whose answer was lost.
async fn lost(house: &House, number: u128, kind: Kind) -> Uuid {
    let id = Uuid::from_u128(number);
    let mut single = Single::new(id, "main", kind, house.clock.now());
    single.person = ODD.to_owned();
    single.end(State::Unknown, Some("the line went down".to_owned()));
    let store = house.store();
    let unit = store.write("test.single", move |tx| {
        async move { row::add(tx, std::slice::from_ref(&single)).await }.boxed()
    });
    unit.await.unwrap();
    id
}

#[tokio::test]
async fn a_lost_answer_of_a_single_send_is_decided_by_who_may_send() {
    let house = House::with_marketing().await;
    let (marketing, transactional) =
        (lost(&house, 7, Kind::Marketing).await, lost(&house, 8, Kind::Transactional).await);
    let viewer = house.browser(Role::Viewer).await;
    let operator = house.browser(Role::Operator).await;
    let token = house.token(Scope::Api).await;
    let all = house.look(&viewer, "/api/v1/marketing/singles?state=unknown").send().await.json();
    described("/api/v1/marketing/singles", "get", &all);
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let path = |id: Uuid| format!("/api/v1/marketing/singles/{id}/found");
    let denied = house.submit(&viewer, &format!("/sends/single/{marketing}/found"), "").send().await;
    assert_eq!(denied.status, 403);
    // A transactional one is a manager's business.
    assert_eq!(house.post(&path(transactional)).bearer(&token).send().await.status, 403);
    let trial = house.post(&format!("{}?dry_run=true", path(marketing))).bearer(&token).send().await;
    assert_eq!(trial.json()["single"]["state"], "done", "{}", trial.text());
    let page = house.look(&operator, &format!("/sends/single/{marketing}")).send().await.page();
    assert!(page.contains("It was done") && page.contains("the line went down"), "{page}");
    let page = house.look(&viewer, "/sends/single").send().await.page();
    assert!(page.contains("o&#x27;brien+x@example.com"), "{page}");
    let done = house.post(&path(marketing)).bearer(&token).send().await;
    assert_eq!(
        (done.status, done.json()["single"]["state"].as_str()),
        (200, Some("done")),
        "{}",
        done.text()
    );
    described("/api/v1/marketing/singles/{id}/{answer}", "post", &done.json());
    assert_ne!(house.post(&path(marketing)).bearer(&token).send().await.status, 200, "once");
    let page = house.look(&operator, &format!("/sends/single/{marketing}")).send().await.page();
    assert!(!page.contains("It was done"), "{page}");
}

#[tokio::test]
async fn a_table_without_ages_is_listed() {
    let house = House::open().await;
    let owner = house.browser(Role::Owner).await;
    for table in ["systemuserroles", "contact", "activityparty"] {
        let answer = house.look(&owner, &format!("/api/v1/records/{table}")).send().await;
        assert_eq!(answer.status, 200, "{table}: {}", answer.text());
    }
}
