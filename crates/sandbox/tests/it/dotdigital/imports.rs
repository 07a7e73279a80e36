//! Imports: the state machine, what rows do, what is reported.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_sandbox::dotdigital::{Act, Fault, ImportEnd, Switch};
use serde_json::{Value, json};

use super::{PASSWORD, Service, USER, basic, request, start};

fn person(email: &str) -> Value {
    json!({ "matchIdentifier": "email", "identifiers": { "email": email } })
}

fn import(service: &Service, people: &[Value]) -> String {
    let answer = service.call("PUT", "/contacts/v3/import", json!({ "contacts": people }), 202);
    answer["importId"].as_str().unwrap().to_owned()
}

/// Asks until it is done.
fn finish(service: &Service, id: &str) -> Value {
    let path = format!("/contacts/v3/import/{id}");
    assert_eq!(service.get(&path)["status"], "NotFinished");
    service.get(&path);
    service.get(&path)
}

#[test]
fn rows_take_effect_when_the_import_finishes_and_tell_their_ids() {
    let service = start();
    let known = service.contact("b@x.io");
    let id = import(&service, &[person("a@x.io"), person("b@x.io"), person("bad@"), person("A@x.io")]);
    assert_eq!(service.sandbox.person(1, "a@x.io"), None, "not yet");
    let done = finish(&service, &id);
    assert_eq!(done["status"], "Finished");
    assert_eq!(
        done["summary"],
        json!({ "newContacts": 1, "updatedContacts": 1, "globallySuppressed": 0, "invalidEntries": 1, "duplicateIdentifiers": 1 })
    );
    assert_eq!(done["updated"][0]["contactId"], known);
    assert_eq!(done["created"][0]["identifiers"]["email"], "a@x.io");
    assert_eq!(done["failures"][0]["failures"][0]["failureCode"], "invalidEmail");
    assert_eq!(done["failures"][1]["failures"][0]["failureCode"], "duplicateIdentifier");
}

#[test]
fn a_contact_can_be_written_and_still_fail_in_part() {
    let service = start();
    let list = service.list("L");
    let mut row = person("a@x.io");
    row["lists"] = json!([list, 4711]);
    let id = import(&service, &[row]);
    let done = finish(&service, &id);
    assert_eq!(done["summary"]["newContacts"], 1);
    assert_eq!(done["failures"][0]["failures"][0]["failureCode"], "listNotFound");
    assert_eq!(done["failures"][0]["contactId"], done["created"][0]["contactId"]);
    assert_eq!(service.sandbox.person(1, "a@x.io").unwrap().lists, [list as i32]);
}

#[test]
fn an_address_is_changed_by_matching_the_id() {
    let service = start();
    let id = service.contact("old@x.io");
    let row =
        json!({ "matchIdentifier": "contactId", "identifiers": { "contactId": id, "email": "new@x.io" } });
    let job = import(&service, &[row]);
    assert_eq!(finish(&service, &job)["summary"]["updatedContacts"], 1);
    assert_eq!(i64::from(service.sandbox.person(1, "new@x.io").unwrap().id), id);
}

#[test]
fn who_opted_out_is_a_fault_and_stays_out() {
    let service = start();
    for (email, act) in [
        ("u@x.io", Act::Unsubscribe),
        ("h@x.io", Act::HardBounce),
        ("c@x.io", Act::Complain),
        ("s@x.io", Act::Suppress),
    ] {
        service.contact(email);
        service.sandbox.act(1, email, None, act).unwrap();
    }
    let csv =
        "Email,FIRSTNAME\r\nu@x.io,U\r\nh@x.io,H\r\nc@x.io,C\r\ns@x.io,S\r\nok@x.io,\"O, K\"\r\nbad,B\r\n";
    let body = json!({ "fileName": "people.csv", "data": BASE64.encode(csv) });
    let job = service.post("/v2/contacts/import", body, 202);
    let path = format!("/v2/contacts/import/{}", job["id"].as_str().unwrap());
    for status in ["NotFinished", "NotFinished", "Finished"] {
        assert_eq!(service.get(&path)["status"], status);
    }
    let report = service.get(&format!("{path}/report"));
    for (name, count) in [
        ("newContacts", 1),
        ("unsubscribed", 1),
        ("hardBounced", 1),
        ("ispComplaints", 1),
        ("suppressedContacts", 1),
        ("invalidEntries", 1),
        ("updatedContacts", 0),
    ] {
        assert_eq!(report[name], count, "{name}");
    }
    let faults = service.get(&format!("{path}/report-faults"));
    let expected = "Reason,Email,FIRSTNAME\r\nUnsubscribed,u@x.io,U\r\nHard Bounced,h@x.io,H\r\n\
        Isp Complaints,c@x.io,C\r\nSuppressed by you,s@x.io,S\r\nInvalid Entries,bad,B\r\n";
    assert_eq!(faults, expected);
    // The report lives a week.
    service.pass(7 * 24);
    service.refuses("GET", &format!("{path}/report"), Value::Null, 404, "ERROR_IMPORT_REPORT_NOT_FOUND");
    assert_eq!(service.get(&path)["status"], "Finished");
}

#[test]
fn a_file_comes_as_multipart_too() {
    let service = start();
    let list = service.list("L");
    let body = "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p.csv\"\r\n\
        Content-Type: text/csv\r\n\r\nEMAIL,Lastname\r\na@x.io,Lovelace\r\n\r\n--X--\r\n";
    let head = basic(USER, PASSWORD) + "content-type: multipart/form-data; boundary=X\r\n";
    let path = format!("/v2/address-books/{list}/contacts/import");
    let reply = request(&service.base, "POST", &path, &head, body).unwrap();
    assert_eq!(reply.status, 202, "{}", reply.body);
    let job = reply.json();
    for _ in 0..3 {
        service.get(&format!("/v2/contacts/import/{}", job["id"].as_str().unwrap()));
    }
    let person = service.sandbox.person(1, "a@x.io").unwrap();
    assert_eq!((&person.fields["LASTNAME"], person.lists), (&json!("Lovelace"), vec![list as i32]));
}

#[test]
fn files_are_judged() {
    let service = start();
    let upload = |name: &str, text: &str| json!({ "fileName": name, "data": BASE64.encode(text) });
    let path = "/v2/contacts/import";
    service.refuses("POST", path, upload("a.pdf", "Email"), 400, "ERROR_IMPORT_UNSUPPORTED_FORMAT");
    service.refuses("POST", path, upload("a.csv", "Name\r\nx"), 400, "ERROR_NO_EMAIL_COLUMN");
    let job = service.post(path, upload("a.csv", ""), 202);
    let progress = format!("{path}/{}", job["id"].as_str().unwrap());
    (0..2).for_each(|_| drop(service.get(&progress)));
    assert_eq!(service.get(&progress)["status"], "InvalidFileFormat");
    let unknown = format!("{path}/00000000-0000-0000-0000-000000000000");
    service.refuses("GET", &unknown, Value::Null, 404, "ERROR_IMPORT_NOT_FOUND");
}

#[test]
fn twenty_five_run_at_once() {
    let service = start();
    service.sandbox.fault(Switch::always(Fault::ImportStuck));
    for number in 0..25 {
        import(&service, &[person(&format!("p{number}@x.io"))]);
    }
    let one_more = json!({ "contacts": [person("z@x.io")] });
    service.refuses("PUT", "/contacts/v3/import", one_more, 429, "contacts:tooManyActiveImports");
    let v2 = json!({ "contacts": [{ "email": "z@x.io" }] });
    service.refuses("POST", "/v2/contacts/import-collection", v2, 400, "ERROR_IMPORT_TOOMANYACTIVEIMPORTS");
    service.pass(48);
    assert_eq!(service.sandbox.contacts(1), 0, "they are stuck");
}

#[test]
fn the_watchdog_refuses_a_whole_file() {
    let service = start();
    let phase = ImportEnd::RejectedByWatchdog;
    service.sandbox.fault(Switch::once(Fault::ImportEnds { phase }, "PUT", "/import"));
    let job = import(&service, &[person("a@x.io")]);
    assert_eq!(finish(&service, &job)["status"], "RejectedByWatchdog");
    assert_eq!(service.sandbox.contacts(1), 0);
    let next = import(&service, &[person("a@x.io")]);
    assert_eq!(finish(&service, &next)["status"], "Finished");
}

#[test]
fn a_collection_carries_lists_preferences_and_consent() {
    let service = start();
    let list = service.list("L");
    let leaf = json!({ "publicName": "Shoes", "privateName": "shoes", "isPreference": true });
    let shoes = service.post("/v2/preferences", leaf, 200)["id"].as_i64().unwrap();
    let person = json!({
        "email": "a@x.io", "optInType": "Double",
        "dataFields": [{ "key": "FIRSTNAME", "value": "Ada" }, { "key": "Preference:News>>Shoes", "value": "True" }],
        "consentFields": [{ "key": "TEXT", "value": "Yes" }, { "key": "DATETIMECONSENTED", "value": "2026-01-01T00:00:00Z" }],
    });
    let body = json!({ "contacts": [person], "addressBookIds": [list], "mergeOption": "Overwrite" });
    let job = service.post("/v2/contacts/import-collection", body, 202);
    for _ in 0..3 {
        service.get(&format!("/v2/contacts/import/{}", job["id"].as_str().unwrap()));
    }
    let found = service.sandbox.person(1, "a@x.io").unwrap();
    assert_eq!((found.lists, found.preferences.get(&(shoes as i32))), (vec![list as i32], Some(&true)));
    let consent = service.get("/v2/contacts/a@x.io/with-consent");
    assert_eq!(consent["consentFields"][0]["fields"][0]["value"], "Yes");
    assert_eq!(consent["contact"]["optInType"], "Double");
}
