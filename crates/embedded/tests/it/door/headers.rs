//! Headers: what they bring about, and those that may be sent and bring about nothing.

use serde_json::{Value as Json, json};

use super::{Answer, DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(
    every_answer_has_its_marks,
    what_is_written_is_named,
    readers_that_have_it,
    headers_that_change_nothing
);

async fn every_answer_has_its_marks(on: On) {
    let door = DoorBench::new(on).await;
    for (method, url) in [
        ("GET", "WhoAmI"),
        ("GET", "contacts"),
        ("GET", "contacts/$count"),
        ("GET", "$metadata"),
        ("GET", "nothings"),
        ("POST", "contacts"),
        ("DELETE", "contacts"),
        ("GET", "/api/data/v7.0/contacts"),
    ] {
        let answer = door.send(method, url, json!({"lastname": "Adler"})).await;
        assert_eq!(answer.header("odata-version"), "4.0", "{method} {url}");
        let id = answer.header("req_id");
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{method} {url}: {id:?}");
        assert_eq!(answer.header("x-ms-service-request-id"), id);
    }
}

/// `OData-EntityId` says it as an absolute URL when the body does not say it.
async fn what_is_written_is_named(on: On) {
    let door = DoorBench::new(on).await;
    let made = door.send("POST", "contacts", json!({"lastname": "Adler"})).await;
    let url = format!("{ROOT}/contacts({})", made.made());
    assert_eq!((made.header("odata-entityid"), made.header("location")), (url.as_str(), url.as_str()));
    let row = url.strip_prefix(&format!("{ROOT}/")).unwrap();
    let name = r#"{"lastname":"Berg"}"#;
    let check = |answer: Answer, status: u16, named: bool, applied: &str| {
        let expected = if named { url.as_str() } else { "" };
        assert_eq!((answer.status, answer.header("odata-entityid")), (status, expected), "{}", answer.text);
        assert_eq!(answer.header("preference-applied"), applied);
        assert_eq!(answer.json == Json::Null, status == 204);
    };
    let whole = "return=representation";
    let patch = async |prefer: &str| door.ask("PATCH", row, &[("prefer", prefer)], name).await;
    check(patch("handling=lenient").await, 204, true, "");
    check(patch("return=minimal").await, 204, true, "return=minimal");
    check(patch(whole).await, 200, false, whole);
    check(patch("respond-async, return=representation,odata.track-changes").await, 200, false, whole);
    let put = door.ask("PUT", &format!("{row}/lastname"), &[("prefer", whole)], r#"{"value":"C"}"#).await;
    check(put, 204, false, "");
    check(door.ask("GET", row, &[("prefer", whole)], "").await, 200, false, "");
    check(door.ask("DELETE", row, &[("prefer", whole)], "").await, 204, false, "");
    let elsewhere = door.send("POST", "/contoso/api/data/v9.1/contacts", json!({"lastname": "Dahl"})).await;
    let root = ROOT.replace("/api/data/v9.2", "/contoso/api/data/v9.1");
    assert_eq!(elsewhere.header("odata-entityid"), format!("{root}/contacts({})", elsewhere.made()));
}

async fn readers_that_have_it(on: On) {
    let door = DoorBench::new(on).await;
    let id = door.send("POST", "contacts", json!({"lastname": "Adler"})).await.made();
    let row = format!("contacts({id})?$select=lastname");
    let tag = door.get(&row).await.header("etag").to_owned();
    let strong = tag.trim_start_matches("W/").to_owned();
    let read = async |tags: &str, url: &str| {
        let answer = door.ask("GET", url, &[("if-none-match", tags)], "").await;
        assert_eq!(answer.header("etag"), tag, "{tags}");
        assert_eq!(answer.text.is_empty(), answer.status == 304, "{tags}");
        answer.status
    };
    for tags in [tag.as_str(), strong.as_str(), &format!("W/\"1\", {tag}"), &format!("{strong},\"2\"")] {
        assert_eq!(read(tags, &row).await, 304, "{tags}");
    }
    for tags in ["null", "", "W/\"1\"", "\"x\"", "W/\"-1\",W/\"0\""] {
        assert_eq!(read(tags, &row).await, 200, "{tags}");
    }
    // What is beside the row may have changed without it.
    assert_eq!(read(&tag, &format!("{row}&$expand=ownerid($select=name)")).await, 200);
    let annotated = [("if-none-match", tag.as_str()), ("prefer", "odata.include-annotations=\"*\"")];
    assert_eq!(door.ask("GET", &row, &annotated, "").await.status, 200);
    let null = [("if-none-match", "null")];
    for url in ["contacts", "contacts/$count", "WhoAmI", "$metadata", "EntityDefinitions?$select=LogicalName"]
    {
        assert_eq!(door.ask("GET", url, &null, "").await.status, 200, "{url}");
    }
}

async fn headers_that_change_nothing(on: On) {
    let door = DoorBench::new(on).await;
    for header in [
        ("mscrm.suppressduplicatedetection", "false"),
        ("mscrm.suppressduplicatedetection", "true"),
        ("mscrm.bypasscustompluginexecution", "true"),
        ("mscrm.bypassbusinesslogicexecution", "CustomSync,CustomAsync"),
        ("mscrm.bypassbusinesslogicexecutionstepids", "00000000-0000-0000-0000-0000000000ff"),
        ("mscrm.suppresscallbackregistrationexpanderjob", "true"),
        ("mscrm.mergelabels", "true"),
        ("consistency", "Strong"),
        ("odata-version", "4.0"),
        ("odata-maxversion", "4.0"),
        ("x-ms-client-request-id", "00000000-0000-0000-0000-0000000000ff"),
        ("x-ms-correlation-id", "x"),
        ("content-type", "application/json; type=entry; charset=utf-8"),
        ("prefer", "something-else"),
    ] {
        let headers = [header];
        let name = r#"{"lastname":"Adler"}"#;
        let id = door.ask("POST", "contacts?tag=x&partitionId=y", &headers, name).await.made();
        let row = format!("contacts({id})");
        let changed = door.ask("PATCH", &format!("{row}?tag=x"), &headers, r#"{"lastname":"Berg"}"#).await;
        assert_eq!((changed.status, changed.header("preference-applied")), (204, ""), "{header:?}");
        let read = door.ask("GET", &row, &headers, "").await;
        assert_eq!((read.status, &read.json["lastname"]), (200, &json!("Berg")), "{header:?}");
        assert_eq!(door.ask("DELETE", &row, &headers, "").await.status, 204, "{header:?}");
    }
}
