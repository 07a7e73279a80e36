//! Opting out, and the three ways back.

use postroom_sandbox::dotdigital::{Act, Status};
use serde_json::{Value, json};

use super::{Service, pluck, start};

fn resubscribe(service: &Service, email: &str, unchallenged: bool) -> String {
    let path =
        if unchallenged { "/v2/contacts/resubscribe-with-no-challenge" } else { "/v2/contacts/resubscribe" };
    let answer = service.post(path, json!({ "unsubscribedContact": { "email": email } }), 200);
    answer["status"].as_str().unwrap().to_owned()
}

fn status(service: &Service, email: &str) -> Status {
    service.sandbox.person(1, email).unwrap().status
}

#[test]
fn an_unsubscription_holds_against_every_write_of_v2() {
    let service = start();
    let (list, id) = (service.list("L"), service.contact("a@x.io"));
    let answer = service.post("/v2/contacts/unsubscribe", json!({ "email": "A@x.io" }), 200);
    assert_eq!((&answer["reason"], &answer["suppressedContact"]["id"]), (&json!("Unsubscribed"), &json!(id)));
    let contact = json!({ "email": "a@x.io" });
    service.refuses("POST", "/v2/contacts", contact.clone(), 400, "ERROR_CONTACT_SUPPRESSED");
    let members = format!("/v2/address-books/{list}/contacts");
    service.refuses("POST", &members, contact, 400, "ERROR_CONTACT_SUPPRESSED");
    let by_id = format!("/v2/contacts/{id}");
    service.refuses("GET", &by_id, Value::Null, 404, "ERROR_CONTACT_NOT_FOUND");
    assert_eq!(service.get("/v2/contacts/a@x.io")["status"], "Unsubscribed");
    assert_eq!(service.get("/v2/contacts"), json!([]));
}

#[test]
fn an_unknown_address_can_unsubscribe_but_not_be_suppressed() {
    let service = start();
    service.post("/v2/contacts/unsubscribe", json!({ "email": "new@x.io" }), 200);
    assert_eq!(status(&service, "new@x.io"), Status::Unsubscribed);
    let answer =
        service.call("PUT", "/v2/contacts/suppress-contacts", json!([{ "email": "other@x.io" }]), 200);
    assert_eq!(answer, json!({ "suppressed": [], "notFound": [{ "id": 0, "email": "other@x.io" }] }));
}

#[test]
fn the_feed_has_reason_and_date_and_its_bound() {
    let service = start();
    for (email, act) in [("a@x.io", Act::Unsubscribe), ("b@x.io", Act::HardBounce), ("c@x.io", Act::Suppress)]
    {
        service.contact(email);
        service.sandbox.act(1, email, None, act).unwrap();
        service.pass(1);
    }
    let feed = service.get("/v2/contacts/suppressed-since/2026-03-02T10:00:00Z");
    assert_eq!(pluck(&feed, "reason"), ["HardBounced", "Suppressed"]);
    assert_eq!(pluck(&feed, "dateRemoved"), ["2026-03-02T10:00:00.000Z", "2026-03-02T11:00:00.000Z"]);
    let unsubscribed = service.get("/v2/contacts/unsubscribed-since/2026-03-02T00:00:00Z");
    assert_eq!(pluck(&unsubscribed, "reason"), ["Unsubscribed"]);
}

#[test]
fn each_reason_has_its_own_way_back() {
    let service = start();
    let cases = [
        (Act::Unsubscribe, false, "ContactChallenged", Status::PendingOptIn),
        (Act::Unsubscribe, true, "ContactAdded", Status::Subscribed),
        (Act::Suppress, false, "ContactAdded", Status::Subscribed),
        (Act::HardBounce, true, "ContactCannotBeUnsuppressed", Status::HardBounced),
        (Act::Complain, true, "ContactCannotBeUnsuppressed", Status::IspComplained),
    ];
    for (number, (act, unchallenged, answer, after)) in cases.into_iter().enumerate() {
        let email = format!("p{number}@x.io");
        service.contact(&email);
        service.sandbox.act(1, &email, None, act.clone()).unwrap();
        assert_eq!(resubscribe(&service, &email, unchallenged), answer, "{act:?}");
        assert_eq!(status(&service, &email), after, "{act:?}");
    }
}

#[test]
fn a_challenge_is_not_yet_a_subscription() {
    let service = start();
    let list = service.list("L");
    service.member(list, "a@x.io");
    service.sandbox.act(1, "a@x.io", None, Act::Unsubscribe).unwrap();
    assert_eq!(resubscribe(&service, "a@x.io", false), "ContactChallenged");
    let campaign = service.campaign("C");
    service.send(campaign, &[list]);
    assert!(service.mailed().is_empty());
    // Leaving again while the challenge waits is a new fact.
    service.pass(1);
    service.sandbox.act(1, "a@x.io", None, Act::Unsubscribe).unwrap();
    let feed = service.get("/v2/contacts/unsubscribed-since/2026-03-02T10:00:00Z");
    assert_eq!(pluck(&feed, "reason"), ["Unsubscribed"]);
    assert_eq!(resubscribe(&service, "a@x.io", false), "ContactChallenged");
    service.refuses("POST", "/v2/contacts", json!({ "email": "a@x.io" }), 400, "ERROR_CONTACT_SUPPRESSED");
    service.sandbox.act(1, "a@x.io", None, Act::Confirm).unwrap();
    assert_eq!(service.get("/v2/contacts/suppressed-since/2000-01-01"), json!([]));
    service.send(campaign, &[list]);
    assert_eq!(service.mailed(), ["a@x.io"]);
}

#[test]
fn suppression_stays_with_the_address_when_the_contact_goes() {
    let service = start();
    service.contact("a@x.io");
    service.sandbox.act(1, "a@x.io", None, Act::Unsubscribe).unwrap();
    service.call("DELETE", "/v2/contacts/a@x.io", Value::Null, 204);
    service.refuses("POST", "/v2/contacts", json!({ "email": "a@x.io" }), 400, "ERROR_CONTACT_SUPPRESSED");
    let id = service.contact("b@x.io");
    let moved = json!({ "identifiers": { "email": "a@x.io" } });
    service.call("PATCH", &format!("/contacts/v3/contactId/{id}"), moved, 200);
    assert_eq!(status(&service, "a@x.io"), Status::Unsubscribed, "whoever takes the address takes it");
}

#[test]
fn v3_lets_data_through_and_keeps_the_state_unless_asked() {
    let service = start();
    service.contact("a@x.io");
    service.sandbox.act(1, "a@x.io", None, Act::Unsubscribe).unwrap();
    let path = "/contacts/v3/email/a@x.io";
    service.call("PATCH", path, json!({ "dataFields": { "FIRSTNAME": "Ada" } }), 200);
    assert_eq!(status(&service, "a@x.io"), Status::Unsubscribed);
    let back = json!({ "channelProperties": { "email": { "status": "subscribed" } } });
    service.call("PATCH", path, back, 200);
    assert_eq!(status(&service, "a@x.io"), Status::Subscribed);
    let out = json!({ "channelProperties": { "email": { "status": "unsubscribed" } } });
    let answer = service.call("PATCH", path, out, 200);
    assert_eq!(answer["channelProperties"]["email"]["status"], "unsubscribed");
}
