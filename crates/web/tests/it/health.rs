//! Health and metrics.

use postroom_operations::Scope;

use crate::house::House;

#[tokio::test]
async fn strangers_see_the_status_only() {
    let house = House::open().await;
    for path in ["/healthz", "/readyz", "/startupz"] {
        let answer = house.get(path).send().await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
}

#[tokio::test]
async fn callers_see_the_checks() {
    let house = House::open().await;
    let token = house.token(Scope::Api).await;
    let answer = house.get("/readyz").bearer(&token).send().await;
    assert_eq!(answer.json()["checks"]["storage"], "ok");
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_a_token() {
    let house = House::open().await;
    let answer = house.get("/metrics").send().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "postroom_ready 1\n"));
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let forwarded = house.get("/metrics").header("X-Forwarded-For", "192.0.2.1");
    assert_eq!(forwarded.send().await.status, 401);
    let token = house.token(Scope::Api).await;
    let forwarded = house.get("/metrics").header("X-Forwarded-For", "192.0.2.1").bearer(&token);
    assert_eq!(forwarded.send().await.status, 200);
}
