//! Mails at the Web API door: parties, attachments, states (dataverse.md B).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_core::{Filter, RecordRef};
use postroom_embedded::seed;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::DoorBench;
use crate::bench::{On, on_both};

on_both!(
    mails_with_their_parties,
    parties_are_replaced,
    attachments_and_their_bytes,
    attachments_within_the_organisations_limits,
    states_are_set_by_patch,
);

const NONE: &str = "00000000-0000-0000-0000-0000000000ff";

/// B4 of the reference.
fn mail(account: Uuid, user: Uuid, contact: Uuid) -> Json {
    json!({"subject": "Quote 17", "description": "<p>Hello</p>", "directioncode": true,
        "regardingobjectid_account_email@odata.bind": format!("/accounts({account})"),
        "email_activity_parties": [
            {"partyid_systemuser@odata.bind": format!("/systemusers({user})"), "participationtypemask": 1},
            {"partyid_contact@odata.bind": format!("/contacts({contact})"), "participationtypemask": 2},
            {"addressused": "someone@example.org", "participationtypemask": 3}]})
}

async fn mail_door(on: On) -> (DoorBench, Uuid, Uuid) {
    let door = DoorBench::new(on).await;
    let account = door.send("POST", "accounts", json!({"name": "A"})).await.made();
    let contact = json!({"lastname": "Adler", "emailaddress1": "adler@example.org"});
    let contact = door.send("POST", "contacts", contact).await.made();
    let body = mail(account, postroom_embedded::seed::ADMINISTRATOR, contact);
    let email = door.send("POST", "emails", body).await.made();
    (door, email, contact)
}

async fn parties(door: &DoorBench, email: Uuid) -> Vec<(i64, String)> {
    let url = format!(
        "emails({email})?$select=subject&$expand=email_activity_parties($select=addressused,participationtypemask,_partyid_value)"
    );
    let row = door.get(&url).await.json;
    let party = |party: &Json| {
        let mask = party["participationtypemask"].as_i64().unwrap();
        (mask, party["addressused"].as_str().unwrap_or_default().to_owned())
    };
    let mut all: Vec<_> = row["email_activity_parties"].as_array().unwrap().iter().map(party).collect();
    all.retain(|(mask, _)| *mask < 8);
    all.sort();
    all
}

async fn mails_with_their_parties(on: On) {
    let (door, email, _) = mail_door(on).await;
    let all = parties(&door, email).await;
    let expected = [(1, ""), (2, "adler@example.org"), (3, "someone@example.org")];
    assert_eq!(all, expected.map(|(mask, address)| (mask, address.to_owned())));
    let row = door
        .get(&format!("emails({email})?$select=statuscode,directioncode,_regardingobjectid_value"))
        .await
        .json;
    assert_eq!((row["statuscode"].as_i64(), row["directioncode"].as_bool()), (Some(1), Some(true)));
    assert!(row["_regardingobjectid_value"].is_string());
    let check = async |party: Json, code: &str, says: &str| {
        let body = json!({"subject": "x", "email_activity_parties": [party]});
        door.send("POST", "emails", body).await.refused(400, code, says);
    };
    check(json!({"addressused": "a@b.c"}), "0x80043515", "participationtypemask").await;
    check(
        json!({"addressused": "a@b.c", "participationtypemask": 77}),
        "0x80043515",
        "participationtypemask",
    )
    .await;
    check(json!({"participationtypemask": 2}), "0x80040203", "addressused").await;
    check(json!({"addressused": "a@b.c", "participationtypemask": 2, "to": 1}), "0x80048d19", "'to'").await;
    let column = json!({"subject": "x", "to": "a@b.c"});
    door.send("POST", "emails", column).await.refused(400, "0x80048d19", "property named 'to'");
    assert_eq!(door.get("emails/$count").await.text, "1");
}

async fn parties_are_replaced(on: On) {
    let (door, email, contact) = mail_door(on).await;
    let url = format!("emails({email})/email_activity_parties");
    let list = json!({"value": [
        {"addressused": "new@example.org", "participationtypemask": 2},
        {"partyid_contact@odata.bind": format!("/contacts({contact})"), "participationtypemask": 4}]});
    let answer = door.send("PUT", &url, list.clone()).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let pair = |mask, address: &str| (mask, address.to_owned());
    assert_eq!(parties(&door, email).await, [pair(2, "new@example.org"), pair(4, "adler@example.org")]);
    let some =
        json!({"email_activity_parties": [{"addressused": "other@example.org", "participationtypemask": 2}]});
    assert_eq!(door.send("PATCH", &format!("emails({email})"), some).await.status, 204);
    assert_eq!(parties(&door, email).await, [pair(2, "other@example.org"), pair(4, "adler@example.org")]);
    let bad = json!({"value": [{"addressused": "x@example.org", "participationtypemask": 2}, {"participationtypemask": 3}]});
    assert_eq!(door.send("PUT", &url, bad).await.status, 400);
    assert_eq!(parties(&door, email).await.len(), 2, "all or nothing");
    let none = format!("emails({NONE})/email_activity_parties");
    door.send("PUT", &none, list).await.refused(404, "0x80040217", NONE);
}

async fn attachments_and_their_bytes(on: On) {
    let (door, email, _) = mail_door(on).await;
    // Ten thousand bytes, in base64 with line ends: kept as a body of the store.
    let line = format!("{}\r\n", "QUJD".repeat(19));
    let body = json!({"objectid_email@odata.bind": format!("/emails({email})"), "objecttypecode": "email",
        "filename": "a.pdf", "mimetype": "application/pdf", "subject": "a.pdf", "body": line.repeat(200)});
    let id = door.send("POST", "activitymimeattachments", body).await.made();
    let row = door.get(&format!("activitymimeattachments({id})?$select=filesize,body,filename")).await.json;
    assert_eq!(row["filesize"], 57 * 200);
    assert_eq!(row["body"].as_str().map(str::len), Some(76 * 200));
    assert_eq!(
        door.get(&format!("emails({email})?$select=attachmentcount")).await.json["attachmentcount"],
        1
    );
    let deep =
        json!({"subject": "x", "email_activity_mime_attachment": [{"filename": "b.txt", "body": "aGk="}]});
    let deep = door.send("POST", "emails", deep).await.made();
    assert_eq!(door.get(&format!("emails({deep})?$select=attachmentcount")).await.json["attachmentcount"], 1);
    let bad = json!({"objectid_email@odata.bind": format!("/emails({email})"), "filename": "a", "body": "!"});
    door.send("POST", "activitymimeattachments", bad).await.refused(400, "0x80048d19", "Edm.Binary");
}

async fn states_are_set_by_patch(on: On) {
    let (door, email, _) = mail_door(on).await;
    let url = format!("emails({email})");
    let done = json!({"statecode": 1, "statuscode": 4, "actualend": "2026-11-02T07:00:00Z"});
    assert_eq!(door.send("PATCH", &url, done).await.status, 204);
    let row = door.get(&format!("{url}?$select=statecode,statuscode,senton")).await.json;
    assert_eq!(
        (&row["statecode"], &row["statuscode"], &row["senton"]),
        (&json!(1), &json!(4), &json!("2026-11-02T07:00:00Z"))
    );
    let wrong = json!({"statecode": 0, "statuscode": 4});
    door.send("PATCH", &url, wrong).await.refused(
        400,
        "0x80048408",
        "4 is not a valid status code for state code 0",
    );
}

async fn attachments_within_the_organisations_limits(on: On) {
    let door = DoorBench::new(on).await;
    let organization = RecordRef::new("organization", seed::ORGANIZATION);
    door.bench.update(&organization, "blockedattachments", "exe;js").await;
    door.bench.update(&organization, "maxuploadfilesize", 8).await;
    let email = door.send("POST", "emails", json!({"subject": "S"})).await.made();
    let file = |name: &str, size: usize| {
        json!({"objectid_email@odata.bind": format!("/emails({email})"), "objecttypecode": "email",
            "filename": name, "body": BASE64.encode(vec![7; size])})
    };
    let id = door.send("POST", "activitymimeattachments", file("a.txt", 8)).await.made();
    for (name, size, code, says) in
        [("a.txt", 9, "0x80044a02", "too large"), ("a.EXE", 1, "0x80043e09", "blocked")]
    {
        door.send("POST", "activitymimeattachments", file(name, size)).await.refused(400, code, says);
        let part = json!({"filename": name, "body": BASE64.encode(vec![7; size])});
        let deep = json!({"subject": "D", "email_activity_mime_attachment": [part]});
        door.send("POST", "emails", deep).await.refused(400, code, says);
        let change = json!({"filename": name, "body": BASE64.encode(vec![7; size])});
        door.send("PATCH", &format!("activitymimeattachments({id})"), change).await.refused(400, code, says);
    }
    // What is there is nobody's fault: the rest of it can be changed.
    door.bench.update(&organization, "maxuploadfilesize", 4).await;
    let change = json!({"mimetype": "text/plain"});
    assert_eq!(door.send("PATCH", &format!("activitymimeattachments({id})"), change).await.status, 204);
    assert_eq!(door.bench.all("activitymimeattachment", Filter::All(vec![])).await.len(), 1);
    assert_eq!(door.bench.all("email", Filter::All(vec![])).await.len(), 1);
}
