//! The OpenAPI document: it is the one checked in, it names every permission, and real answers are as it says.

use postroom_operations::{Role, Scope};
use serde_json::Value;

use crate::house::House;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

pub fn document() -> Value {
    serde_json::from_str(&postroom_web::openapi()).unwrap()
}

#[test]
fn the_document_is_the_one_checked_in() {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(KEPT, postroom_web::openapi()).unwrap();
    }
    let kept = std::fs::read_to_string(KEPT).unwrap_or_default();
    assert!(
        kept == postroom_web::openapi(),
        "the API changed: look at it, then run this test with UPDATE=1 and commit openapi.json"
    );
}

#[test]
fn every_operation_has_a_name_and_names_its_permission() {
    let document = document();
    let own = ["read", "read_bodies", "submit", "decide", "write_records", "administer"];
    let marketing = postroom_operations::marketing::roles::DUTIES.map(|(_, name, _)| name);
    let known: Vec<&str> = own.into_iter().chain(marketing).collect();
    let (mut count, mut names) = (0, std::collections::BTreeSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let permission = operation["x-permission"].as_str().unwrap_or_default();
            assert!(known.contains(&permission), "{method} {path} has no x-permission");
            count += 1;
            assert!(names.insert(operation["operationId"].to_string()), "{method} {path} has another's name");
        }
    }
    assert_eq!(count, 100);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
}

/// One object of all the objects that a schema is made of.
fn merged(document: &Value, schema: &Value) -> Value {
    let (mut properties, mut required) = (serde_json::Map::new(), Vec::new());
    for part in schema["allOf"].as_array().unwrap() {
        let part = match part["$ref"].as_str() {
            Some(name) => &document["components"]["schemas"][name.rsplit('/').next().unwrap()],
            None => part,
        };
        properties.extend(part["properties"].as_object().unwrap().clone());
        required.extend(part["required"].as_array().into_iter().flatten().cloned());
    }
    serde_json::json!({ "type": "object", "properties": properties, "required": required })
}

/// Whether a value fits a schema of the document: types, required fields, and no field that is not described.
pub fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let found = &document["components"]["schemas"][name.rsplit('/').next().unwrap()];
        assert!(found.is_object(), "{name} is not in the document");
        return check(document, found, value, place);
    }
    if schema["allOf"].is_array() {
        return check(document, &merged(document, schema), value, place);
    }
    if let Some(options) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let option = options.iter().find(|option| (option["type"] == "null") == value.is_null());
        return check(document, option.unwrap_or_else(|| panic!("{place}: {value}")), value, place);
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(kinds.contains(&kind), "{place} is {kind}, described as {kinds:?}");
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{place}/{n}"));
    }
    let Some(fields) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(fields.contains_key(name), "{place} lacks {name}");
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, field) in fields {
        let described = properties.get(name).unwrap_or_else(|| panic!("{place}/{name} is not described"));
        check(document, described, field, &format!("{place}/{name}"));
    }
}

#[tokio::test]
async fn answers_are_as_described() {
    let house = House::open().await;
    let (tracked, shelved) = (house.tracked().await, house.shelve().await);
    house.review().await;
    let case = house.story.case_pump.to_string();
    let owner = house.browser(Role::Owner).await;
    house.token(Scope::Agent).await;
    let document = document();
    let cases = [
        ("/api/v1/messages", "/api/v1/messages".to_owned()),
        ("/api/v1/messages/{id}", format!("/api/v1/messages/{tracked}")),
        ("/api/v1/records/{table}", "/api/v1/records/contact".into()),
        ("/api/v1/records/{table}/{id}", format!("/api/v1/records/{case}")),
        ("/api/v1/records", "/api/v1/records?q=adler".into()),
        ("/api/v1/review", "/api/v1/review".into()),
        ("/api/v1/mailboxes", "/api/v1/mailboxes".into()),
        ("/api/v1/mailboxes/{name}", "/api/v1/mailboxes/support".into()),
        ("/api/v1/outgoing", "/api/v1/outgoing".into()),
        ("/api/v1/shelf", "/api/v1/shelf".into()),
        ("/api/v1/shelf/{id}", format!("/api/v1/shelf/{shelved}")),
        ("/api/v1/tokens", "/api/v1/tokens".into()),
        ("/api/v1/today", "/api/v1/today".into()),
        ("/api/v1/audit", format!("/api/v1/audit?object={tracked}")),
    ];
    for (pattern, path) in cases {
        let answer = house.look(&owner, &path).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let schema =
            &document["paths"][pattern]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{pattern} has no schema");
        check(&document, schema, &answer.json(), pattern);
    }
    let import = house.post("/api/v1/records/import").bearer(&house.token(Scope::Api).await);
    let report = import.body("application/x-ndjson", "{}").send().await.json();
    check(&document, &document["components"]["schemas"]["ImportReport"], &report, "import");
    let problem = house.get("/api/v1/today").send().await.json();
    check(&document, &document["components"]["schemas"]["Problem"], &problem, "problem");
    let served = house.get("/api/v1/openapi.json").send().await.json();
    assert_eq!(served, document);
}
