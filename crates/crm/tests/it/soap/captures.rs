//! What real servers said, read by the make; and what it writes beside what Microsoft's own clients wrote (the captures of
//! `formats`, with their licence there).

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use postroom_core::{Change, ChangeSet, Code, Crm, Fault, Ids, Query, Record, RecordRef, Secret, Verdict};
use postroom_crm::outside::Outside;
use postroom_crm::sign_in::{Bearer, Transport};
use postroom_crm::soap::Soap;
use postroom_crm::webapi::auth::Fixed;
use postroom_embedded::soap::{Generation, Settings};
use postroom_formats::soap::envelope::Envelope;
use postroom_formats::xml::{Element, Limits};

use crate::server::{On, Server, what};
use crate::sign_in::client;

fn capture(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/data/soap");
    std::fs::read_to_string(folder.join(name).with_extension("xml")).unwrap()
}

/// Between the make and a server: keeps what is sent, and answers one message with a capture.
struct Tape {
    inner: Bearer,
    answers: Option<(&'static str, u16, String)>,
    sent: Mutex<Vec<(String, String)>>,
}

#[async_trait]
impl Transport for Tape {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let name = what(request.method(), request.uri().path(), request.body());
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        self.sent.lock().unwrap().push((name.clone(), body));
        match &self.answers {
            Some((message, status, text)) if *message == name => {
                Ok(Response::builder().status(*status).body(Bytes::from(text.clone())).unwrap())
            }
            _ => self.inner.send(request).await,
        }
    }
}

/// A client of CRM 2013, as the captures are, and its tape.
async fn taped(answers: Option<(&'static str, u16, &str)>) -> (Server, Soap, Arc<Tape>) {
    let server = Server::new(On::Sqlite).await;
    server.be(Settings { generation: Generation::Crm2013, ..Settings::default() });
    let token = Arc::new(Fixed(Secret::new("letmein")));
    let tape = Arc::new(Tape {
        inner: Bearer::new(client(), token),
        answers: answers.map(|(message, status, name)| (message, status, capture(name))),
        sent: Mutex::default(),
    });
    let crm = server.soap_at(&server.url, Arc::clone(&tape) as Arc<dyn Transport>, |_| {});
    (server, crm, tape)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_am_i() {
    let (_server, client, _) = taped(Some(("WhoAmI", 200, "who_am_i_result"))).await;
    let who = client.who().await.unwrap();
    assert_eq!(who.user.to_string(), "1bfa3886-df7e-468c-8435-b5adfb0441ed");
    assert_eq!(who.organization.to_string(), "0140d597-e270-494a-89e1-bd0b43774e50");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_real_server() {
    let (_server, client, _) = taped(Some(("RetrieveMultiple", 200, "retrieve_multiple_result"))).await;
    let page = client.page(&Query::of("account").select(&["accountid", "name"]), 50, None).await.unwrap();
    assert!(!page.records.is_empty());
    for row in &page.records {
        assert!(!row.at.id.is_nil() && row.get("accountid") == Some(&row.at.id.into()), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_of_a_real_server() {
    let (_server, client, _) = taped(Some(("RetrieveEntity", 200, "retrieve_entity_response"))).await;
    let found = client.metadata(&["opportunity"]).await.unwrap();
    let table = found.table("opportunity").unwrap();
    assert_eq!((table.primary_id.as_str(), table.type_code), ("opportunityid", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_real_server() {
    for (name, code, verdict) in [
        ("sender_fault", Code::CRM_UNKNOWN_COLUMN, Verdict::Reject),
        ("receiver_fault", Code::CRM_AWAY, Verdict::Retry { after: None }),
    ] {
        let (_server, client, _) = taped(Some(("RetrieveMultiple", 500, name))).await;
        let fault = client.query(&Query::of("account").select(&["name"])).await.unwrap_err();
        assert_eq!((fault.code, fault.verdict), (code, verdict), "{name}: {fault}");
    }
}

/// Elements with their namespaces and types, in their order; texts do not count.
fn shape(at: &Element) -> Vec<String> {
    let kind = at.kind.as_ref().map(|kind| format!(" {}:{}", kind.ns.as_str(), kind.local));
    let nil = if at.nil { " nil" } else { "" };
    let own = format!("{}:{}{}{nil}", at.name.ns.as_str(), at.name.local, kind.unwrap_or_default());
    let inner = at.children.iter().flat_map(shape).map(|line| format!(" {line}"));
    std::iter::once(own).chain(inner).collect()
}

fn body(text: &str) -> Element {
    Envelope::read(text, &Limits::default()).unwrap().body
}

fn sent(tape: &Tape, name: &str) -> Element {
    let sent = tape.sent.lock().unwrap();
    let (_, text) = sent.iter().rev().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}"));
    body(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_as_the_sdk_writes_it() {
    let (_server, client, tape) = taped(None).await;
    client.query(&Query::of("account").select(&["name", "emailaddress1"])).await.unwrap();
    let theirs = body(&capture("request_retrieve_multiple_soap11"));
    assert_eq!(shape(&sent(&tape, "RetrieveMultiple")), shape(&theirs));
}

/// The capture's list of parties is an `ArrayOfEntity`, ours an `EntityCollection`, which servers take as well: what is in
/// it is the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_activity_with_its_parties_as_the_sdk_writes_it() {
    let (server, client, tape) = taped(None).await;
    let user = server.embedded.query(&Query::of("systemuser").select(&[])).await.unwrap()[0].at.clone();
    let ids = Ids::random();
    let call = Record::new(RecordRef::new("phonecall", ids.next()));
    let party = Record::new(RecordRef::new("activityparty", ids.next()))
        .with("activityid", call.at.clone())
        .with("participationtypemask", 1)
        .with("partyid", user);
    let set = ChangeSet { changes: [call, party].map(Change::Create).into() };
    client.apply(vec![set]).await.remove(0).unwrap();
    let (mut ours, mut theirs) = (sent(&tape, "Create"), body(&capture("entity_array_response")));
    let ours_list = take_list(&mut ours).child("Entities").unwrap().clone();
    let theirs_list = take_list(&mut theirs);
    assert_eq!(shape(&ours), shape(&theirs));
    assert_eq!(shape(&ours_list)[1..], shape(&theirs_list)[1..]);
}

/// Before 2015 Update 1 an owner changes by a message of its own.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_changed_as_the_sdk_does_it() {
    let (server, client, tape) = taped(None).await;
    let user = server.embedded.query(&Query::of("systemuser").select(&[])).await.unwrap()[0].at.clone();
    let row = Record::new(RecordRef::new("account", Ids::random().next())).with("name", "Litware");
    let change = Record::new(row.at.clone()).with("name", "Fabrikam").with("ownerid", user.clone());
    for change in [Change::Create(row), Change::Update(change)] {
        client.apply(vec![ChangeSet { changes: vec![change] }]).await.remove(0).unwrap();
    }
    let rows = server.embedded.query(&Query::of("account").select(&["name", "ownerid"])).await.unwrap();
    assert_eq!((rows[0].text("name"), rows[0].lookup("ownerid")), (Some("Fabrikam"), Some(&user)));
    let multiple = sent(&tape, "ExecuteMultiple");
    let ours = first(&multiple, "Assign").expect("the owner is assigned");
    let theirs = body(&capture("request_assign_soap11"));
    assert_eq!(shape(ours)[1..], shape(first(&theirs, "Assign").unwrap())[1..]);
}

/// The request with this name.
fn first<'e>(at: &'e Element, name: &str) -> Option<&'e Element> {
    match at.text_of("RequestName") == Some(name) {
        true => Some(at),
        false => at.children.iter().find_map(|child| first(child, name)),
    }
}

/// Takes the value of the only attribute out of a `Create`.
fn take_list(create: &mut Element) -> Element {
    let attributes = &mut create.children[0].children[0];
    assert_eq!(attributes.name.local, "Attributes");
    attributes.children[0].children.pop().unwrap()
}
