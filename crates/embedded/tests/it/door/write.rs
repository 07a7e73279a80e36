//! Rows made, changed and deleted at the Web API door.

use super::DoorBench;
use crate::bench::{On, on_both};

on_both!(the_service_document_answers);

async fn the_service_document_answers(on: On) {
    let door = DoorBench::new(on).await;
    let answer = door.get("").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json["@odata.context"], format!("{}/$metadata", super::ROOT));
}
