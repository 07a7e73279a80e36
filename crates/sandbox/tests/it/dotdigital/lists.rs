//! Lists, members, segments.

use postroom_sandbox::dotdigital::{Arrangement, Rule};
use serde_json::{Value, json};

use super::{pluck, start};

#[test]
fn names_are_single_and_reserved_lists_stay() {
    let service = start();
    let id = service.list("Buyers");
    let create = |name: &str, code: &str| {
        service.refuses("POST", "/v2/address-books", json!({ "name": name }), 400, code);
    };
    create("buyers", "ERROR_ADDRESSBOOK_DUPLICATE");
    create("All Contacts", "ERROR_ADDRESSBOOK_NOTWRITABLE");
    create("test", "ERROR_ADDRESSBOOK_NOTWRITABLE");
    create("", "ERROR_ADDRESSBOOK_INVALID");
    service.call("PUT", &format!("/v2/address-books/{id}"), json!({ "name": "Shoppers" }), 200);
    assert_eq!(service.get(&format!("/v2/address-books/{id}"))["name"], "Shoppers");
    service.refuses("DELETE", "/v2/address-books/2", Value::Null, 400, "ERROR_ADDRESSBOOK_NOTWRITABLE");
    service.call("DELETE", &format!("/v2/address-books/{id}"), Value::Null, 200);
    let path = format!("/v2/address-books/{id}/contacts");
    service.refuses("GET", &path, Value::Null, 404, "ERROR_ADDRESSBOOK_NOT_FOUND");
}

#[test]
fn members_come_and_go_by_jobs() {
    let service = start();
    let list = service.list("L");
    let ids = ["a@x.io", "b@x.io", "c@x.io"].map(|email| service.member(list, email));
    let path = format!("/v2/address-books/{list}/contacts");
    let job = service.post(&format!("{path}/delete"), json!([ids[0], 999_999]), 202);
    let progress = format!("/v2/contacts/deletion/{}", job["id"].as_str().unwrap());
    assert_eq!(service.get(&progress)["status"], "Started");
    assert_eq!(service.get(&path).as_array().unwrap().len(), 3, "not yet");
    service.get(&progress);
    assert_eq!(service.get(&progress)["status"], "Completed");
    assert_eq!(pluck(&service.get(&path), "email"), ["b@x.io", "c@x.io"]);
    assert_eq!(service.get("/v2/contacts/a@x.io")["email"], "a@x.io", "only off the list");
    service.call("DELETE", &format!("{path}/{}", ids[1]), Value::Null, 204);
    let gone = format!("{path}/{}", ids[1]);
    service.refuses("DELETE", &gone, Value::Null, 404, "ERROR_CONTACT_NOT_FOUND");
    assert_eq!(service.get(&format!("/v2/address-books/{list}"))["contacts"], 1);
}

#[test]
fn leaving_a_list_is_not_leaving_the_account() {
    let service = start();
    let (one, two) = (service.list("One"), service.list("Two"));
    service.member(one, "a@x.io");
    service.member(two, "a@x.io");
    let path = format!("/v2/address-books/{one}/contacts");
    service.post(&format!("{path}/unsubscribe"), json!({ "email": "a@x.io" }), 200);
    let refused = json!({ "email": "a@x.io" });
    service.refuses("POST", &path, refused, 400, "ERROR_CONTACT_SUPPRESSEDFORADDRESSBOOK");
    let gone = service.get(&format!("{path}/unsubscribed-since/2026-03-02T09:00:00Z"));
    assert_eq!(gone[0]["suppressedContact"]["email"], "a@x.io");
    assert_eq!(service.get("/v2/contacts/suppressed-since/2000-01-01"), json!([]));
    assert_eq!(service.sandbox.person(1, "a@x.io").unwrap().lists, [two as i32]);
    let back = json!({ "unsubscribedContact": { "email": "a@x.io" } });
    service.post(&format!("{path}/resubscribe"), back, 200);
    assert_eq!(service.sandbox.person(1, "a@x.io").unwrap().lists, [one as i32, two as i32]);
}

#[test]
fn segments_are_refreshed_and_read_as_lists() {
    let service = start();
    let female = json!([{ "key": "GENDER", "value": "F" }]);
    service.post("/v2/contacts", json!({ "email": "f@x.io", "dataFields": female }), 201);
    let rule = Rule::Field { name: "GENDER".into(), text: "F".into() };
    let id = service.sandbox.arrange(1, Arrangement::Segment { name: "Women".into(), rule }).unwrap();
    service.post("/v2/contacts", json!({ "email": "g@x.io", "dataFields": female }), 201);
    let members = format!("/v2/address-books/{id}/contacts");
    assert_eq!(pluck(&service.get(&members), "email"), ["f@x.io"]);
    let refresh = format!("/v2/segments/refresh/{id}");
    service.post(&refresh, Value::Null, 202);
    assert_eq!(service.get(&refresh)["status"], "NotFinished");
    service.pass(1);
    assert_eq!(service.get(&refresh)["status"], "Finished");
    assert_eq!(pluck(&service.get(&members), "email"), ["f@x.io", "g@x.io"]);
    let taken = json!({ "name": "women" });
    service.refuses("POST", "/v2/address-books", taken, 400, "ERROR_ADDRESSBOOK_DUPLICATE");
}
