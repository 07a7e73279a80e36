//! Which tables can have relationships.

use serde_json::json;

use super::DoorBench;
use crate::bench::On;

#[tokio::test(flavor = "multi_thread")]
async fn which_tables_can_be_related() {
    let door = DoorBench::new(On::Sqlite).await;
    let names = async |url: &str| {
        let answer = door.get(url).await;
        let names =
            answer.json["EntityNames"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone();
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for url in [
        "GetValidManyToMany()",
        "GetValidReferencedEntities(ReferencingEntityName='contact')",
        "GetValidReferencingEntities(ReferencedEntityName='contact')",
    ] {
        let found = names(url).await;
        assert!(
            found.contains(&"account".to_owned()) && !found.contains(&"activityparty".to_owned()),
            "{url}"
        );
    }
    assert!(names("GetValidReferencedEntities(ReferencingEntityName='activityparty')").await.is_empty());
    for (message, table, can) in [
        ("CanBeReferenced", "contact", true),
        ("CanBeReferencing", "lead", true),
        ("CanManyToMany", "activityparty", false),
    ] {
        let answer = door.send("POST", message, json!({"EntityName": table})).await;
        assert_eq!(answer.json[message], can, "{}", answer.text);
    }
    let unknown = door.get("GetValidReferencedEntities(ReferencingEntityName='nothing')").await;
    assert_eq!(unknown.status, 400, "{}", unknown.text);
}
