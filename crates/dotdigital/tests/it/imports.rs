//! Imports: how many rows one takes, and what its report says.

use postroom_core::marketing::*;
use postroom_core::{Code, Verdict};
use postroom_dotdigital::Api;
use serde_json::json;

use crate::server::{Answer, Server};
use crate::story::{GUID, ODD, consent, person};

fn rows(count: usize) -> Vec<ContactRow> {
    let row = |number: usize| ContactRow {
        names: Names { email: Some(format!("p{number}@x.example")), ..Names::default() },
        ..person()
    };
    (0..count).map(row).collect()
}

/// So many bytes that they do not stay in memory.
fn long(count: usize) -> Vec<ContactRow> {
    let mut rows = rows(count);
    for row in &mut rows {
        row.fields.insert("NOTE".into(), FieldValue::Text("x".repeat(800)));
    }
    rows
}

#[tokio::test]
async fn an_import_takes_what_fits() {
    let server = Server::new().await;
    server.on("PUT /contacts/v3/import", [Answer::Json(202, json!({"importId": GUID}))]);
    let service = server.client_with(|settings| settings.import_bytes = 2000);
    let rows = rows(20);
    let (mut from, mut calls) = (0, 0);
    while from < rows.len() {
        let order = ImportOrder { rows: &rows[from..], merge: Merge::OverwriteIfNotEmpty };
        let started = service.import(&order).await.unwrap();
        assert!(started.taken > 0);
        from += started.taken;
        calls += 1;
    }
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies.len(), calls);
    let sizes: Vec<usize> = bodies.iter().map(|body| body.to_string().len()).collect();
    assert!(calls > 2 && sizes.iter().all(|size| *size <= 2000), "{sizes:?}");
    let sent: Vec<_> = bodies.iter().flat_map(|body| body["contacts"].as_array().cloned().unwrap()).collect();
    assert_eq!(sent.len(), 20);
    assert_eq!(sent[19]["identifiers"]["email"], "p19@x.example");
    assert_eq!(bodies[0]["mergeOption"], "overwriteIfNotEmpty");
}

#[tokio::test]
async fn a_large_import_goes_out_whole_and_again() {
    for api in [Api::V3, Api::V2] {
        let server = Server::new().await;
        let taken = Answer::Json(202, json!({"importId": GUID, "id": GUID, "status": "NotFinished"}));
        server.on("PUT /contacts/v3/import", [Answer::Lost, taken.clone()]);
        server.on("POST /v2/contacts/import-collection", [Answer::Lost, taken]);
        let service = server.client_with(|settings| settings.api = api);
        let started =
            service.import(&ImportOrder { rows: &long(3000), merge: Merge::Overwrite }).await.unwrap();
        assert_eq!(started.taken, 3000);
        let seen = server.seen();
        assert_eq!(seen.len(), 2, "the lost one, and the next");
        for seen in seen {
            let sent = seen.body["contacts"].as_array().unwrap();
            assert!(seen.body.to_string().len() > 2 * 1024 * 1024 && sent.len() == 3000);
            assert!(sent[2999].to_string().contains("p2999@x.example"), "{}", sent[2999]);
        }
    }
}

#[tokio::test]
async fn an_import_of_v2_is_for_one_set_of_lists() {
    let server = Server::new().await;
    server.on(
        "POST /v2/contacts/import-collection",
        [Answer::Json(202, json!({"id": GUID, "status": "NotFinished"}))],
    );
    let service = server.client_with(|settings| settings.api = Api::V2);
    let mut rows = rows(5);
    rows[3].lists = vec![ListId(9)];
    let started = service.import(&ImportOrder { rows: &rows, merge: Merge::FillEmpty }).await.unwrap();
    assert_eq!((started.taken, started.id.0), (3, format!("v2/{GUID}")));
    let body = server.seen().pop().unwrap().body;
    assert_eq!(
        (&body["addressBookIds"], &body["mergeOption"]),
        (&json!([123]), &json!("OnlyOverwriteIfContactDataNotPopulated"))
    );
}

#[tokio::test]
async fn a_report_of_v3_adds_up() {
    let server = Server::new().await;
    let failure = |email: &str, code: &str| json!({"matchIdentifier": "email", "identifiers": {"email": email}, "failures": [{"failureCode": code, "description": "d"}]});
    let running = json!({"importId": GUID, "status": "NotFinished"});
    let done = json!({"importId": GUID, "status": "Finished",
        "summary": {"newContacts": 1, "updatedContacts": 2, "globallySuppressed": 1, "invalidEntries": 1, "duplicateIdentifiers": 0},
        "created": [{"contactId": 1, "identifiers": {"email": "a@x.example"}}],
        "updated": [{"contactId": 2, "identifiers": {"email": "b@x.example"}}, {"contactId": 3, "identifiers": {"email": ODD}}],
        "failures": [failure(ODD, "contacts:preferenceNotFound"), failure("s@x.example", "contacts:contactSuppressed"),
            failure("bad@", "contacts:invalidEmail"), failure("odd@x.example", "contacts:brandNew")]});
    server.on("GET /contacts/v3/import", [Answer::Json(200, running), Answer::Json(200, done)]);
    let service = server.client();
    let id = ImportId(GUID.into());
    assert!(service.import_status(&id).await.unwrap().running());
    let report = service.import_status(&id).await.unwrap().report.unwrap();
    assert_eq!(report.counts.settle(6), 0, "{:?}", report.counts);
    assert_eq!((report.created.len(), report.updated.len(), report.faults.len()), (1, 2, 4));
    let classes: Vec<FaultClass> = report.faults.iter().map(|fault| fault.class).collect();
    assert_eq!(classes, [FaultClass::Data, FaultClass::Consent, FaultClass::Data, FaultClass::Unknown]);
}

#[tokio::test]
async fn a_report_of_v2_has_its_faults() {
    let server = Server::new().await;
    server.json("GET /v2/contacts/import/i", json!({"id": GUID, "status": "Finished"}));
    server.json(
        "GET /v2/contacts/import/i/report",
        json!({"newContacts": 2, "unsubscribed": 1, "failures": 1}),
    );
    let csv =
        format!("Reason,email,FIRSTNAME\r\nUnsubscribed,{ODD},\"O'Brien, Jr\"\r\nFailures,x@x.example,\r\n");
    server.on("GET /v2/contacts/import/i/report-faults", [Answer::Text(200, csv)]);
    let report = server.client().import_status(&ImportId("v2/i".into())).await.unwrap().report.unwrap();
    assert_eq!(report.counts.settle(4), 0);
    assert_eq!((report.faults[0].class, report.faults[1].class), (FaultClass::Consent, FaultClass::Unknown));
}

#[tokio::test]
async fn states_of_an_import() {
    for (word, expected) in [
        ("RejectedByWatchdog", ImportStatus::RejectedByWatchdog),
        ("ExceedsAllowedContactLimit", ImportStatus::ExceedsAllowedContactLimit),
        ("Exploded", ImportStatus::Other("Exploded".into())),
    ] {
        let server = Server::new().await;
        server.json("GET /contacts/v3/import", json!({"importId": GUID, "status": word, "summary": null}));
        let import = server.client().import_status(&ImportId(GUID.into())).await.unwrap();
        assert_eq!((import.status, import.report), (expected, None));
    }
}

#[tokio::test]
async fn too_many_imports_wait_elsewhere() {
    let server = Server::new().await;
    server.on(
        "PUT /contacts/v3/import",
        [Answer::Json(429, json!({"errorCode": "contacts:tooManyActiveImports"}))],
    );
    let service = server.client();
    let order = rows(1);
    let order = ImportOrder { rows: &order, merge: Merge::Overwrite };
    let fault = service.import(&order).await.unwrap_err();
    assert_eq!(fault.code, Code::MARKETING_BUSY);
    assert!(matches!(fault.verdict, Verdict::Retry { after: Some(_) }));
    assert_eq!(server.seen().len(), 1, "the job's machinery waits, not the call");
}

/// An import that says what people agreed to is not repeated: it would be said twice.
#[tokio::test]
async fn lost_imports() {
    for (consents, calls, verdict) in [(vec![], 2, None), (vec![consent()], 1, Some(Verdict::Unknown))] {
        let server = Server::new().await;
        server.on("PUT /contacts/v3/import", [Answer::Lost, Answer::Json(202, json!({"importId": GUID}))]);
        let row = ContactRow { consents, ..person() };
        let order = ImportOrder { rows: std::slice::from_ref(&row), merge: Merge::Overwrite };
        let answer = server.client().import(&order).await;
        assert_eq!((server.seen().len(), answer.err().map(|fault| fault.verdict)), (calls, verdict));
    }
}
