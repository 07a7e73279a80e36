//! The bodies of errors: by the version in the URL, and with the annotations asked for.

use http::StatusCode;
use http::header::HeaderMap;
use postroom_embedded::webapi::{ApiVersion, Problem, Settings};
use postroom_formats::odata::batch::BatchAnswer;
use serde_json::{Value as Json, json};

use super::DoorBench;
use super::batch::post;
use crate::bench::{On, on_both};

on_both!(shapes_of_versions, annotations_of_errors, errors_within_batches, strangers_are_refused_in_shape);

const MISSING: &str = "contacts(00000000-0000-0000-0000-000000000001)";
const TEXT: &str = "contact With Id = 00000000-0000-0000-0000-000000000001 Does Not Exist";
const CDS: &str = "Microsoft.PowerApps.CDS";

fn new_shape() -> Json {
    json!({"error": {"code": "0x80040217", "message": TEXT}})
}

fn old_shape(text: &str) -> Json {
    let inner = json!({"message": text, "type": "Microsoft.Crm.CrmHttpException", "stacktrace": ""});
    json!({"error": {"code": "", "message": text, "innererror": inner}})
}

async fn shapes_of_versions(on: On) {
    let mut door = DoorBench::new(on).await;
    for version in ApiVersion::ALL {
        let expected = if *version < ApiVersion::V90 { old_shape(TEXT) } else { new_shape() };
        let answer = door.get(&format!("/api/data/v{}/{MISSING}", version.in_url())).await;
        assert_eq!((answer.status, answer.json), (404, expected), "{version:?}");
        assert_eq!(answer.headers["odata-version"], "4.0");
    }
    // What cannot be read, and what is not there, has the shape of its URL, too.
    for (url, status) in [("contacts?$filter=a b", 400), ("contacts/x//y", 400), ("nothings", 404)] {
        let answer = door.get(&format!("/api/data/v8.2/{url}")).await;
        let text = answer.json["error"]["message"].as_str().unwrap();
        assert_eq!((answer.status, &answer.json), (status, &old_shape(text)), "{url}");
    }
    // A version that a server does not have is refused in its own shape.
    assert!(door.get("/api/data/v9.9/WhoAmI").await.json["error"].get("innererror").is_none());
    door.be(Settings { version: ApiVersion::V82, ..Settings::default() });
    assert_eq!(door.get("/api/data/v9.0/WhoAmI").await.json["error"]["code"], "");
}

async fn annotations_of_errors(on: On) {
    let door = DoorBench::new(on).await;
    let all = [
        (format!("@{CDS}.ErrorDetails.OperationStatus"), "0".to_owned()),
        (format!("@{CDS}.ErrorDetails.SubErrorCode"), "0".to_owned()),
        (
            format!("@{CDS}.HelpLink"),
            "http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException%3a80040217&client=platform"
                .to_owned(),
        ),
        (format!("@{CDS}.TraceText"), String::new()),
        (format!("@{CDS}.InnerError.Message"), TEXT.to_owned()),
    ];
    let check = async |list: &str, places: &[usize]| {
        let mut expected = new_shape();
        for place in places {
            expected["error"][all[*place].0.as_str()] = all[*place].1.as_str().into();
        }
        let prefer = format!("odata.include-annotations={list}");
        let answer = door.ask("GET", MISSING, &[("prefer", &prefer)], "").await;
        assert_eq!((answer.status, answer.json), (404, expected), "{list}");
        let old = door.ask("GET", &format!("/api/data/v8.1/{MISSING}"), &[("prefer", &prefer)], "").await;
        assert_eq!(old.json, old_shape(TEXT), "they are younger than version 8");
    };
    check("\"*\"", &[0, 1, 2, 3, 4]).await;
    check("*", &[0, 1, 2, 3, 4]).await;
    check("\"Microsoft.PowerApps.CDS.ErrorDetails*\"", &[0, 1]).await;
    check("\"Microsoft.PowerApps.CDS.HelpLink\"", &[2]).await;
    check("\"Microsoft.PowerApps.CDS.TraceText,Microsoft.PowerApps.CDS.InnerError.Message\"", &[3, 4]).await;
    check("\"*,-Microsoft.PowerApps.CDS.HelpLink\"", &[0, 1, 3, 4]).await;
    check("\"OData.Community.Display.V1.FormattedValue\"", &[]).await;
}

async fn errors_within_batches(on: On) {
    let door = DoorBench::new(on).await;
    let link = format!("@{CDS}.HelpLink");
    let part = |prefer: &str| {
        format!(
            "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET {MISSING} HTTP/1.1\r\n{prefer}\r\n--b--\r\n"
        )
    };
    let said = async |prefer: &str| {
        let (_, parts) = post(&door, "odata.continue-on-error", &part(prefer)).await;
        let [BatchAnswer::One(response)] = parts.as_slice() else { panic!("{parts:?}") };
        serde_json::from_slice::<Json>(&response.body).unwrap()
    };
    assert_eq!(said("").await, new_shape());
    assert!(said("Prefer: odata.include-annotations=\"*\"\r\n").await["error"].get(&link).is_some());
    let set = "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\
               Content-Transfer-Encoding: binary\r\nContent-ID: 1\r\n\r\nPOST contacts HTTP/1.1\r\n\
               Content-Type: application/json\r\nPrefer: odata.include-annotations=\"*\"\r\n\r\n{\"x\":1}\r\n--c--\r\n--b--\r\n";
    let (_, parts) = post(&door, "", set).await;
    let [BatchAnswer::One(response)] = parts.as_slice() else { panic!("{parts:?}") };
    let error = serde_json::from_slice::<Json>(&response.body).unwrap();
    assert_eq!(error["error"][&format!("@{CDS}.TraceText")], "");
    let headers = [("content-type", "multipart/mixed;boundary=b")];
    let old = door.ask("POST", "/api/data/v8.0/$batch", &headers, part("")).await;
    assert!(old.text.contains("\"innererror\":{"), "{}", old.text);
}

/// Those who are refused before anything is read.
async fn strangers_are_refused_in_shape(on: On) {
    let door = DoorBench::new(on).await;
    let problem = || Problem {
        retry_after: Some(7),
        ..Problem::new(StatusCode::TOO_MANY_REQUESTS, 0x8007_2322, "Too many")
    };
    let mut headers = HeaderMap::new();
    headers.insert("prefer", "odata.include-annotations=\"*\"".parse().unwrap());
    for (url, old) in [("/api/data/v8.2/contacts", true), ("/api/data/v9.2/contacts", false)] {
        let reply = door.door.refuse(url, &headers, problem());
        let body: Json = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status.as_u16(), &reply.headers["retry-after"]), (429, &"7".parse().unwrap()));
        assert!(
            reply.headers.contains_key("req_id") && reply.headers.contains_key("x-ms-service-request-id")
        );
        assert_eq!(body["error"].get("innererror").is_some(), old);
        assert_eq!(body["error"].get(format!("@{CDS}.HelpLink")).is_some(), !old);
    }
}
