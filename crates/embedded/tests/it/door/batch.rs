//! `$batch`, as the clients write it.

use postroom_formats::odata::batch::{BatchAnswer, read_responses};
use serde_json::{Value as Json, json};

use super::{Answer, DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(
    a_set_refers_to_its_own_rows,
    a_set_is_all_or_nothing,
    the_first_failure_stops_the_batch,
    references_in_bodies_and_urls,
    the_forms_of_single_clients,
    batches_that_are_refused_whole,
    actions_on_rows_of_the_same_set,
    rows_of_a_table_made_before,
    going_on_after_errors,
);

pub async fn post(door: &DoorBench, prefer: &str, body: &str) -> (Answer, Vec<BatchAnswer>) {
    let mut headers = vec![("content-type", "multipart/mixed;boundary=b"), ("if-none-match", "null")];
    if !prefer.is_empty() {
        headers.push(("prefer", prefer));
    }
    let answer = door.ask("POST", "$batch", &headers, body.to_owned()).await;
    let parts = match answer.header("content-type") {
        kind if kind.starts_with("multipart/") => read_responses(kind, answer.text.as_bytes()).unwrap(),
        _ => Vec::new(),
    };
    (answer, parts)
}

pub fn part(request: &str, body: &str) -> String {
    format!(
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n{request} HTTP/1.1\r\nContent-Type: application/json; type=entry\r\n\r\n{body}\r\n"
    )
}

/// Content-ID, request line, body.
pub fn set(requests: &[(&str, &str, Json)]) -> String {
    let mut text = "--b\r\nContent-Type: multipart/mixed; boundary=\"c\"\r\n\r\n".to_owned();
    for (id, request, body) in requests {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        text += &format!(
            "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\n{request} HTTP/1.1\r\nContent-Type: application/json; type=entry\r\nIf-Match: *\r\n\r\n{body}\r\n"
        );
    }
    text + "--c--\r\n"
}

pub fn statuses(answers: &[BatchAnswer]) -> Vec<Vec<u16>> {
    let of = |answer: &BatchAnswer| match answer {
        BatchAnswer::One(response) => vec![response.status],
        BatchAnswer::ChangeSet(set) => set.iter().map(|response| response.status).collect(),
    };
    answers.iter().map(of).collect()
}

fn body(answer: &BatchAnswer) -> Json {
    match answer {
        BatchAnswer::One(response) => serde_json::from_slice(&response.body).unwrap_or_default(),
        BatchAnswer::ChangeSet(_) => Json::Null,
    }
}

/// A12 of the reference.
async fn a_set_refers_to_its_own_rows(on: On) {
    let door = DoorBench::new(on).await;
    let contact = door.send("POST", "contacts", json!({"lastname": "Adler"})).await.made();
    let text = set(&[
        ("1", "POST /api/data/v9.2/accounts", json!({"name": "A"})),
        (
            "2",
            "PUT $1/primarycontactid/$ref",
            json!({"@odata.id": format!("/api/data/v9.2/contacts({contact})")}),
        ),
    ]) + &part("GET /api/data/v9.2/accounts?$select=name,_primarycontactid_value", "")
        + "--b--\r\n";
    let (answer, parts) = post(&door, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (200, vec![vec![204, 204], vec![200]]), "{}", answer.text);
    assert!(answer.text.starts_with("--batchresponse_") && answer.text.contains("--changesetresponse_"));
    let BatchAnswer::ChangeSet(set) = &parts[0] else { panic!("{}", answer.text) };
    assert_eq!(set[0].content_id.as_deref(), Some("1"));
    let url = set[0].header("OData-EntityId").unwrap();
    assert!(url.starts_with(&format!("{ROOT}/accounts(")) && answer.text.contains("\r\nOData-EntityId: "));
    assert!(answer.text.contains("\r\nHTTP/1.1 204 No Content\r\n"));
    assert_eq!(body(&parts[1])["value"][0]["_primarycontactid_value"], contact.to_string());
}

async fn a_set_is_all_or_nothing(on: On) {
    let door = DoorBench::new(on).await;
    let text = set(&[
        ("1", "POST contacts", json!({"lastname": "Fine"})),
        ("2", "POST contacts", json!({"lastname": "x".repeat(51)})),
    ]) + &part("GET contacts/$count", "")
        + "--b--\r\n";
    let (answer, parts) = post(&door, "odata.continue-on-error", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (200, vec![vec![400], vec![200]]), "{}", answer.text);
    assert_eq!(body(&parts[0])["error"]["code"], "0x80044331");
    assert_eq!(body(&parts[1]), json!(0), "nothing of the set is there");
    assert_eq!(answer.header("preference-applied"), "odata.continue-on-error");
    // Refused already while it is read.
    let text = set(&[
        ("1", "POST contacts", json!({"lastname": "Fine"})),
        ("2", "POST contacts", json!({"lastnam": "x"})),
    ]) + "--b--\r\n";
    let (answer, parts) = post(&door, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (400, vec![vec![400]]));
    assert_eq!(door.get("contacts/$count").await.text, "0");
}

async fn the_first_failure_stops_the_batch(on: On) {
    let door = DoorBench::new(on).await;
    let post_one = |name: &str| part("POST contacts", &json!({"lastname": name}).to_string());
    let text = post_one("A") + &part("GET contakts", "") + &post_one("B") + "--b--";
    let (answer, parts) = post(&door, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (400, vec![vec![204], vec![404]]), "{}", answer.text);
    assert!(answer.text.contains("\r\nREQ_ID: "));
    assert_eq!(body(&parts[1])["error"]["message"], "Resource not found for the segment 'contakts'.");
    assert_eq!(door.get("contacts/$count").await.text, "1");
    let (answer, parts) = post(&door, "odata.continue-on-error", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (200, vec![vec![204], vec![404], vec![204]]));
    assert_eq!(door.get("contacts/$count").await.text, "3");
}

async fn references_in_bodies_and_urls(on: On) {
    let door = DoorBench::new(on).await;
    let text = set(&[
        ("1", "POST contacts", json!({"lastname": "A"})),
        ("2", "POST accounts", json!({"name": "B", "primarycontactid@odata.bind": "$1"})),
        ("3", &format!("PATCH {ROOT}/accounts(00000000-0000-0000-0000-0000000000aa)"), json!({"name": "C"})),
    ]) + "--b--\r\n";
    // If-Match: * says that the third must be there: all of it goes.
    let (answer, parts) = post(&door, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (400, vec![vec![404]]), "{}", answer.text);
    let text = set(&[
        ("100001", "POST contacts", json!({"lastname": "A"})),
        ("two", "POST accounts", json!({"name": "B", "primarycontactid@odata.bind": "/$100001"})),
        ("3", "PATCH $100001", json!({"jobtitle": "Buyer"})),
        ("4", "POST $two/contact_customer_accounts/$ref", json!({"@odata.id": "$100001"})),
        ("5", "POST $two/contact_customer_accounts", json!({"lastname": "D"})),
        ("6", "POST contacts", json!({"lastname": "E"})),
        ("7", "DELETE $6", Json::Null),
    ]) + &part(
        "GET accounts?$select=name&$expand=primarycontactid($select=jobtitle),contact_customer_accounts($select=lastname)",
        "",
    ) + "--b--\r\n";
    let (answer, parts) = post(&door, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (200, vec![vec![204; 7], vec![200]]), "{}", answer.text);
    let row = &body(&parts[1])["value"][0];
    assert_eq!(row["primarycontactid"]["jobtitle"], "Buyer");
    assert_eq!(row["contact_customer_accounts"].as_array().map(Vec::len), Some(2));
    assert_eq!(door.get("contacts/$count").await.text, "2");
    let check = async |request: &str, content: Json| {
        let text =
            set(&[("1", "POST contacts", json!({"lastname": "A"})), ("2", request, content)]) + "--b--\r\n";
        let (answer, parts) = post(&door, "", &text).await;
        assert_eq!((answer.status, statuses(&parts)), (400, vec![vec![400]]), "{}", answer.text);
        assert_eq!(
            body(&parts[0])["error"]["message"],
            "Content-ID Reference: '$9' does not exist in the batch context."
        );
    };
    check("PATCH $9", json!({})).await;
    check("POST accounts", json!({"primarycontactid@odata.bind": "$9"})).await;
    check("POST $1/Contact_Tasks/$ref", json!({"@odata.id": "$9"})).await;
    assert_eq!(door.get("contacts/$count").await.text, "2");
}

async fn the_forms_of_single_clients(on: On) {
    let door = DoorBench::new(on).await;
    door.send("POST", "contacts", json!({"lastname": "O'Brien x", "telephone1": "1"})).await.made();
    // A URL as it is written by hand, with spaces and quotes.
    let url = format!("GET {ROOT}/contacts?$select=lastname&$filter=lastname eq 'O''Brien x'&$top=2");
    let (answer, parts) = post(&door, "", &(part(&url, "") + "--b--\r\n")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(body(&parts[0])["value"][0]["lastname"], "O'Brien x");
    // LF alone, blank lines around, a header without a space, a body behind an empty line too many.
    let id = body(&parts[0])["value"][0]["contactid"].as_str().unwrap().to_owned();
    let text = format!(
        "\n--b\nContent-Type: application/http\nContent-Transfer-Encoding:binary\n\nDELETE {ROOT}/contacts({id})/telephone1 HTTP/1.1\nContent-Type: application/json\n\n\n--b\nContent-Type: application/http\n\nPOST {ROOT}/contacts HTTP/1.1\nContent-Type: application/json; type=entry\n\n\n{{\"lastname\":\"B\"}}\n\n--b--\n"
    );
    let (answer, parts) = post(&door, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (200, vec![vec![204], vec![204]]), "{}", answer.text);
    let row = door.get(&format!("contacts({id})?$select=telephone1")).await.json;
    assert_eq!(row["telephone1"], Json::Null);
    // Two sets with a read between them.
    let one = |name: &str| set(&[("1", "POST contacts", json!({"lastname": name}))]);
    let text = one("C") + &part("GET contacts/$count", "") + &one("D") + "--b--\r\n";
    let (_, parts) = post(&door, "", &text).await;
    assert_eq!((statuses(&parts), body(&parts[1])), (vec![vec![204], vec![200], vec![204]], json!(3)));
    // Preferences and annotations of a single part.
    let text = "--b\r\nContent-Type: application/http\r\n\r\nPOST contacts?$select=lastname HTTP/1.1\r\nPrefer: return=representation\r\nContent-Type: application/json\r\n\r\n{\"lastname\":\"E\"}\r\n--b--\r\n";
    let (answer, parts) = post(&door, "", text).await;
    assert_eq!((statuses(&parts), body(&parts[0])["lastname"].as_str()), (vec![vec![201]], Some("E")));
    assert!(answer.text.contains("\r\nPreference-Applied: return=representation\r\n"), "{}", answer.text);
}

async fn batches_that_are_refused_whole(on: On) {
    let door = DoorBench::new(on).await;
    let check = async |text: &str, says: &str| {
        let (answer, parts) = post(&door, "", text).await;
        assert!(answer.status == 400 && parts.is_empty(), "{}", answer.text);
        let message = answer.json["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(says), "{message}");
    };
    check("", "").await;
    check(&(set(&[("1", "GET contacts", Json::Null)]) + "--b--"), "change set").await;
    let one = ("1", "POST contacts", json!({"lastname": "A"}));
    check(&(set(&[one.clone(), one.clone()]) + "--b--"), "more than once").await;
    check(&(part("GET contacts", "").repeat(1001) + "--b--"), "1000").await;
    let (answer, parts) = post(&door, "", &(part("POST $batch", "") + "--b--")).await;
    assert_eq!((answer.status, statuses(&parts)), (400, vec![vec![400]]));
    door.ask("POST", "$batch", &[("content-type", "application/json")], "{}").await.refused(
        400,
        "0x80060888",
        "multipart",
    );
    assert_eq!(door.get("contacts/$count").await.text, "0");
}

/// `$1/Action` and `$1` as an action's parameter: the row is not there yet, and its parties neither.
async fn actions_on_rows_of_the_same_set(on: On) {
    let door = DoorBench::new(on).await;
    let queue = door.send("POST", "queues", json!({"name": "Q"})).await.made();
    let me = door.session.user();
    let mail = json!({"subject": "Offer", "email_activity_parties": [
        {"partyid_systemuser@odata.bind": format!("/systemusers({me})"), "participationtypemask": 1, "addressused": "me@x.example"},
        {"partyid_contact@odata.bind": "$1", "participationtypemask": 2}]});
    let target = json!({"@odata.type": "Microsoft.Dynamics.CRM.email", "@odata.id": "$2"});
    let text = set(&[
        ("1", "POST contacts", json!({"lastname": "A", "emailaddress1": "a@x.example"})),
        ("2", "POST emails", mail.clone()),
        ("3", "POST $2/Microsoft.Dynamics.CRM.SendEmail", json!({"IssueSend": true})),
        ("4", &format!("POST queues({queue})/Microsoft.Dynamics.CRM.AddToQueue"), json!({"Target": target})),
        ("5", "POST lists", json!({"listname": "L", "createdfromcode": 2, "type": false})),
        (
            "6",
            "POST $5/Microsoft.Dynamics.CRM.AddListMembersList",
            json!({"Members": [{"@odata.type": "Microsoft.Dynamics.CRM.contact", "@odata.id": "$1"}]}),
        ),
    ]) + "--b--\r\n";
    let (answer, parts) = post(&door, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)[0].len()), (200, 6), "{}", answer.text);
    let mails = door.get("emails?$select=statuscode,subject").await.json;
    assert_eq!(mails["value"][0]["statuscode"], 6, "{mails}");
    assert_eq!(mails["value"][0]["subject"], "Offer CRM:0001001", "a token that a preview took is not lost");
    let items = door.get("queueitems?$select=title").await.json;
    assert_eq!(items["value"][0]["title"], "Offer CRM:0001001", "{items}");
    assert_eq!(door.get("listmembers/$count").await.text, "1");
    // What an action refuses takes the whole set back, with what it was shown.
    let nobody = json!({"subject": "No", "email_activity_parties": []});
    let text = set(&[
        ("1", "POST emails", nobody),
        ("2", "POST $1/Microsoft.Dynamics.CRM.SendEmail", json!({"IssueSend": true})),
    ]) + "--b--\r\n";
    let (answer, parts) = post(&door, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (400, vec![vec![400]]), "{}", answer.text);
    assert_eq!(body(&parts[0])["error"]["code"], "0x80040b04");
    assert_eq!(door.get("emails/$count").await.text, "1");
}

async fn rows_of_a_table_made_before(on: On) {
    let door = DoorBench::new(on).await;
    let label = json!({"LocalizedLabels": [{"Label": "Thing", "LanguageCode": 1033}]});
    let table = json!({"@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", "SchemaName": "new_Thing",
        "DisplayName": label, "DisplayCollectionName": label, "OwnershipType": "UserOwned", "Attributes": [
        {"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_Name",
         "IsPrimaryName": true, "MaxLength": 100, "FormatName": {"Value": "Text"}}]});
    let row = |name: &str| json!({"new_name": name}).to_string();
    let text = part("POST EntityDefinitions", &table.to_string())
        + &part("POST new_things", &row("A"))
        + &set(&[
            ("1", "POST new_things", json!({"new_name": "B"})),
            ("2", "PATCH $1", json!({"new_name": "C"})),
        ])
        + &part("GET new_things?$select=new_name&$orderby=new_name", "")
        + "--b--\r\n";
    let (answer, parts) = post(&door, "", &text).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(body(&parts[3])["value"][1]["new_name"], "C", "{}", answer.text);
}

/// The header counts on the batch alone; it is echoed when it is honoured, and a set stays whole within it.
async fn going_on_after_errors(on: On) {
    let door = DoorBench::new(on).await;
    let wrong = part("GET nothings", "");
    let bad = set(&[
        ("1", "POST contacts", json!({"lastname": "A"})),
        ("2", "DELETE contacts(00000000-0000-0000-0000-0000000000aa)", Json::Null),
    ]);
    let good = set(&[("1", "POST contacts", json!({"lastname": "B"}))]);
    let text = [&wrong, &bad, &good, &wrong].map(String::as_str).concat() + "--b--\r\n";
    for prefer in
        ["odata.continue-on-error", "odata.continue-on-error=true", "return=minimal,odata.continue-on-error"]
    {
        let (answer, parts) = post(&door, prefer, &text).await;
        let expected = vec![vec![404], vec![404], vec![204], vec![404]];
        assert_eq!((answer.status, statuses(&parts)), (200, expected), "{prefer}: {}", answer.text);
        assert!(answer.header("preference-applied").contains("odata.continue-on-error"), "{prefer}");
    }
    for prefer in ["", "odata.continue-on-error=false"] {
        let (answer, parts) = post(&door, prefer, &text).await;
        assert_eq!((answer.status, statuses(&parts)), (400, vec![vec![404]]), "{prefer}: {}", answer.text);
    }
    // Of a part by itself it means nothing.
    let own = "--b\r\nContent-Type: application/http\r\n\r\nGET nothings HTTP/1.1\r\nPrefer: odata.continue-on-error\r\n\r\n\r\n";
    let (answer, parts) = post(&door, "", &(own.to_owned() + &good + "--b--\r\n")).await;
    assert_eq!((answer.status, statuses(&parts)), (400, vec![vec![404]]), "{}", answer.text);
    assert_eq!(door.get("contacts/$count").await.text, "3");
}
