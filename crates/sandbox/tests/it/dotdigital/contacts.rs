//! Contacts by both frameworks, data fields, custom identifiers, preferences.

use serde_json::{Value, json};

use super::{pluck, start};

#[test]
fn addresses_are_one_in_any_case_and_keep_their_spelling() {
    let service = start();
    let first = service.contact("O'Brien+x@Example.com");
    let again = service.post("/v2/contacts", json!({ "email": "o'brien+x@example.com" }), 201);
    assert_eq!(again["id"], first);
    let found = service.get("/v2/contacts/O'BRIEN%2Bx@example.com");
    assert_eq!(found["id"], first);
    assert_eq!(service.get("/contacts/v3/email/o%27brien+x@example.com")["contactId"], first);
}

#[test]
fn data_fields_are_typed_in_both_frameworks() {
    let service = start();
    for (name, kind) in [("SPENT", "Numeric"), ("VIP", "Boolean"), ("RENEWAL", "Date")] {
        service.post("/v2/data-fields", json!({ "name": name, "type": kind }), 201);
    }
    let fields = json!([
        { "key": "spent", "value": "12.5" }, { "key": "VIP", "value": "Yes" },
        { "key": "RENEWAL", "value": "2026-05-01T12:00:00" }, { "key": "FIRSTNAME", "value": "Ada" },
    ]);
    service.post("/v2/contacts", json!({ "email": "ada@x.io", "dataFields": fields }), 201);
    let found = service.get("/contacts/v3/email/ada@x.io");
    assert_eq!(found["dataFields"]["SPENT"], 12.5);
    assert_eq!(found["dataFields"]["VIP"], true);
    assert_eq!(found["dataFields"]["RENEWAL"], "2026-05-01T12:00:00Z");
    let bad =
        |value: Value| json!({ "email": "ada@x.io", "dataFields": [{ "key": "SPENT", "value": value }] });
    service.refuses("POST", "/v2/contacts", bad(json!("much")), 400, "ERROR_DATAFIELD_INVALID");
    let unknown = json!({ "email": "ada@x.io", "dataFields": [{ "key": "NONE", "value": "1" }] });
    service.refuses("POST", "/v2/contacts", unknown, 400, "ERROR_DATAFIELD_NOTFOUND");
    service.refuses("POST", "/v2/data-fields", json!({ "name": "spent" }), 400, "ERROR_NON_UNIQUE_DATAFIELD");
    // A null of v3 empties.
    service.call("PATCH", "/contacts/v3/email/ada@x.io", json!({ "dataFields": { "FIRSTNAME": null } }), 200);
    assert!(!service.sandbox.person(1, "ada@x.io").unwrap().fields.contains_key("FIRSTNAME"));
}

#[test]
fn a_field_in_use_is_not_deleted_and_the_status_is_still_200() {
    use postroom_sandbox::dotdigital::Arrangement;
    let service = start();
    service.post("/v2/data-fields", json!({ "name": "SHOE", "type": "Numeric" }), 201);
    let used = Arrangement::FieldUse { field: "SHOE".into(), kind: "Campaign".into(), object: 5 };
    service.sandbox.arrange(1, used).unwrap();
    let answer = service.call("DELETE", "/v2/data-fields/SHOE", Value::Null, 200);
    assert_eq!(answer, json!({ "result": false, "dependencies": [{ "type": "Campaign", "objectId": 5 }] }));
}

#[test]
fn merge_options_of_v3() {
    let service = start();
    let put = |option: &str, first: Value, last: Value| {
        let body = json!({ "dataFields": { "FIRSTNAME": first, "LASTNAME": last } });
        let path = format!("/contacts/v3/email/m@x.io?merge-option={option}");
        let reply = service.ask("PATCH", &path, &body).unwrap();
        (reply.status, service.sandbox.person(1, "m@x.io").unwrap().fields)
    };
    let (status, fields) = put("overwrite", json!("A"), Value::Null);
    assert_eq!((status, fields.get("FIRSTNAME")), (201, Some(&json!("A"))));
    let (status, fields) = put("overwrite-if-empty", json!("B"), json!("C"));
    assert_eq!((status, &fields["FIRSTNAME"], &fields["LASTNAME"]), (200, &json!("A"), &json!("C")));
    let (_, fields) = put("overwrite-if-not-empty", Value::Null, json!("D"));
    assert_eq!((&fields["FIRSTNAME"], &fields["LASTNAME"]), (&json!("A"), &json!("D")));
    let (_, fields) = put("overwrite", Value::Null, json!("D"));
    assert_eq!(fields.get("FIRSTNAME"), None);
}

#[test]
fn a_changed_address_is_the_same_contact_when_matched_by_a_custom_identifier() {
    let service = start();
    service.post("/configuration/v3/customIdentifiers", json!({ "name": "CRM_ID" }), 201);
    let body = json!({ "identifiers": { "email": "old@x.io", "CRM_ID": "c-1" } });
    let id = service.post("/contacts/v3", body, 201)["contactId"].clone();
    let moved = json!({ "identifiers": { "email": "new@x.io" } });
    assert_eq!(service.call("PATCH", "/contacts/v3/CRM_ID/c-1", moved, 200)["contactId"], id);
    assert_eq!(service.sandbox.person(1, "old@x.io"), None);
    assert_eq!(service.sandbox.person(1, "new@x.io").unwrap().custom["CRM_ID"], "c-1");
    // Another contact may not take either.
    let taken = json!({ "identifiers": { "email": "new@x.io" } });
    service.refuses("POST", "/contacts/v3", taken, 409, "contacts:idAlreadyExists");
    let in_use = "/configuration/v3/customIdentifiers/CRM_ID";
    service.refuses("DELETE", in_use, Value::Null, 400, "customIdentifiers:inUse");
    service.refuses("GET", "/contacts/v3/NONE/1", Value::Null, 400, "contacts:invalidId");
    service.refuses("GET", "/contacts/v3/CRM_ID/c-2", Value::Null, 404, "contacts:contactNotFound");
}

#[test]
fn markers_lead_through_every_contact_once() {
    let service = start();
    for number in 0..23 {
        service.contact(&format!("p{number}@x.io"));
    }
    let (mut seen, mut marker, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = service.get(&format!("/contacts/v3?limit=5&marker={marker}"));
        seen.extend(page["_items"].as_array().unwrap().iter().map(|row| row["contactId"].as_i64().unwrap()));
        pages += 1;
        match page["_links"]["next"]["marker"].as_str() {
            Some(next) => marker = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((seen, pages), ((1..=23).collect(), 5));
    service.refuses("GET", "/contacts/v3?limit=0", Value::Null, 400, "contacts:invalidFilter");
    service.refuses("GET", "/contacts/v3?~modified=2026", Value::Null, 400, "contacts:invalidFilter");
}

#[test]
fn pages_of_v2_have_limits() {
    let service = start();
    for number in 0..3 {
        service.contact(&format!("p{number}@x.io"));
    }
    assert_eq!(pluck(&service.get("/v2/contacts?select=2&skip=1"), "email"), ["p1@x.io", "p2@x.io"]);
    for select in ["0", "1001", "-1", "x"] {
        let path = format!("/v2/contacts?select={select}");
        service.refuses("GET", &path, Value::Null, 400, "ERROR_PARAMETER_INVALID");
    }
}

#[test]
fn changes_are_found_by_their_second() {
    let service = start();
    service.contact("early@x.io");
    service.pass(1);
    service.contact("late@x.io");
    let since = |at: &str| service.get(&format!("/v2/contacts/modified-since/{at}"));
    assert_eq!(pluck(&since("2026-03-02T10:00:00Z"), "email"), ["late@x.io"], "the bound belongs to it");
    assert_eq!(pluck(&since("2026-03-02T09%3A00%3A00Z"), "email"), ["early@x.io", "late@x.io"]);
    let found = service.get("/contacts/v3?~modified=gte::2026-03-02T10:00:00Z");
    assert_eq!(found["_items"].as_array().unwrap().len(), 1);
    service.refuses("GET", "/v2/contacts/modified-since/soon", Value::Null, 400, "ERROR_PARAMETER_INVALID");
}

#[test]
fn preferences_are_a_tree_with_an_answer_at_each_leaf() {
    let service = start();
    let make = |body: Value| service.post("/v2/preferences", body, 200)["id"].as_i64().unwrap();
    let news = make(json!({ "publicName": "News", "privateName": "news", "isPreference": false }));
    let leaf =
        json!({ "publicName": "Shoes", "privateName": "shoes", "isPreference": true, "categoryId": news });
    let shoes = make(leaf);
    let id = service.contact("pat@x.io");
    let answers = json!([{ "id": news, "isPreference": false,
        "preferences": [{ "id": shoes, "isPreference": true, "isOptedIn": true }] }]);
    let tree = service.call("PUT", "/v2/contacts/pat@x.io/preferences", answers, 200);
    assert_eq!(tree[0]["preferences"][0]["isOptedIn"], true);
    assert_eq!(tree[0]["isOptedIn"], Value::Null);
    let with = service.get(&format!("/v2/contacts/with-preference/{shoes}?minContactId=0"));
    assert_eq!(with, json!([{ "id": id, "email": "pat@x.io" }]));
    let next = service.get(&format!("/v2/contacts/with-preference/{shoes}?minContactId={}", id + 1));
    assert_eq!(next, json!([]));
    let path = format!("/v2/contacts/with-preference/{shoes}/opt-ins-since/2026-03-02T09:00:00Z");
    assert_eq!(
        service.get(&path)[0]["marketingPreferenceOptIns"][0]["dateModifed"],
        "2026-03-02T09:00:00.000Z"
    );
    service.call("DELETE", &format!("/v2/preferences/{news}"), Value::Null, 200);
    assert_eq!(service.get("/v2/preferences"), json!([]));
}
