//! Every capture reads, and what we write for the same values has the same elements in the same order.

use std::path::PathBuf;

use postroom_formats::soap::Generation;
use postroom_formats::soap::envelope::Envelope;
use postroom_formats::soap::fault::Fault;
use postroom_formats::soap::operation::{Answer, Operation};
use postroom_formats::soap::value::Any;
use postroom_formats::xml::{Element, Limits};

pub fn capture(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/soap");
    std::fs::read_to_string(folder.join(name).with_extension("xml")).unwrap()
}

pub fn read(name: &str) -> Envelope {
    Envelope::read(&capture(name), &Limits::default()).unwrap()
}

/// An element without its prefixes and without the white space that someone put in by hand.
pub fn shape(at: &Element) -> String {
    let mut lines = Vec::new();
    describe(at, 0, &mut lines);
    lines.join("\n")
}

fn describe(at: &Element, depth: usize, lines: &mut Vec<String>) {
    let kind =
        at.kind.as_ref().map(|kind| format!(" {}:{}", kind.ns.as_str(), kind.local)).unwrap_or_default();
    let nil = if at.nil { " nil" } else { "" };
    let text: Vec<&str> = at.text.split_whitespace().collect();
    let name = (at.name.ns.as_str(), &at.name.local);
    lines.push(format!("{:depth$}{}:{}{kind}{nil} {}", "", name.0, name.1, text.join(" ")));
    for child in &at.children {
        describe(child, depth + 1, lines);
    }
}

/// The body as we write it, after a trip through text.
fn again(envelope: &Envelope, body: Element) -> Envelope {
    let written = Envelope { body, ..envelope.clone() }.write();
    Envelope::read(&written, &Limits::default()).unwrap()
}

#[track_caller]
fn same(name: &str, envelope: &Envelope, body: Element) {
    let again = again(envelope, body);
    assert_eq!(shape(&again.body), shape(&envelope.body), "{name}");
    assert_eq!(again.headers, envelope.headers, "{name}");
}

const ANSWERS: &[&str] = &[
    "associate_response",
    "create_response",
    "delete_response",
    "disassociate_response",
    "fetch_xml_response",
    "lose_opportunity_response",
    "retrieve_account_all_columns",
    "retrieve_attribute_identifier_response",
    "retrieve_attribute_response",
    "retrieve_entity_response",
    "retrieve_metadata_changes_response",
    "retrieve_multiple_result",
    "update_response",
    "who_am_i_result",
    "win_opportunity_response",
];

#[test]
fn answers() {
    for name in ANSWERS {
        let envelope = read(name);
        let answer = Answer::read(&envelope.body).unwrap();
        same(name, &envelope, answer.write(Generation::Crm2011));
        assert_eq!(envelope.headers.action, Some(answer.action()), "{name}");
    }
}

#[test]
fn requests() {
    for name in ["entity_array_response", "request_assign_soap11", "request_retrieve_multiple_soap11"] {
        let envelope = read(name);
        let operation = Operation::read(&envelope.body).unwrap();
        same(name, &envelope, operation.write(Generation::Crm2011));
    }
}

#[test]
fn faults() {
    for name in ["sender_fault", "receiver_fault"] {
        let envelope = read(name);
        let fault = Fault::read(&envelope.body).unwrap().unwrap();
        let written = Envelope::fault(envelope.soap, envelope.headers.clone(), &fault, Generation::Crm2011);
        let text = written.write().replace("w:InternalServiceFault", "a:InternalServiceFault");
        let again = Envelope::read(&text, &Limits::default()).unwrap();
        assert_eq!(shape(&again.body), shape(&envelope.body), "{name}");
    }
    let fault = Fault::read(&read("sender_fault").body).unwrap().unwrap();
    assert_eq!((fault.code, fault.receiver), (-2147217149, false));
    assert_eq!(fault.message, "'account' entity doesn't contain attribute with Name = 'ticketsymbol'.");
    let fault = Fault::read(&read("receiver_fault").body).unwrap().unwrap();
    assert_eq!(
        (fault.code, fault.receiver, fault.subcode.as_deref()),
        (0, true, Some("InternalServiceFault"))
    );
}

#[test]
fn every_capture_is_used() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/soap");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let count = files.filter(|path| path.extension().is_some_and(|end| end == "xml")).count();
    let tokens = 2;
    assert_eq!(count, ANSWERS.len() + 3 + 2 + tokens);
}

#[test]
fn what_a_row_holds() {
    let Answer::Retrieve(account) = Answer::read(&read("retrieve_account_all_columns").body).unwrap() else {
        panic!("a row")
    };
    assert_eq!(account.logical_name, "account");
    assert_eq!(account.get("exchangerate"), Some(&Any::Decimal("1.0000000000".into())));
    assert_eq!(account.get("territorycode"), Some(&Any::OptionSetValue(1)));
    assert_eq!(account.get("merged"), Some(&Any::Boolean(false)));
    assert!(matches!(account.get("owninguser"), Some(Any::EntityReference(to)) if to.table == "systemuser"));
}

#[test]
fn a_party_list_of_the_sdk() {
    let Operation::Create(call) = Operation::read(&read("entity_array_response").body).unwrap() else {
        panic!("a row")
    };
    let parties = call.get("from").and_then(Any::rows).unwrap();
    assert_eq!(parties.len(), 1);
    assert!(matches!(parties[0].get("partyid"), Some(Any::EntityReference(to)) if to.table == "systemuser"));
}

#[test]
fn the_letters_are_those_of_the_real_server() {
    let envelope = read("who_am_i_result");
    let text = again(&envelope, Answer::read(&envelope.body).unwrap().write(Generation::Crm2011)).write();
    let start =
        "<ExecuteResponse xmlns=\"http://schemas.microsoft.com/xrm/2011/Contracts/Services\"><ExecuteResult";
    let envelope =
        Envelope { body: Answer::read(&envelope.body).unwrap().write(Generation::Crm2011), ..envelope };
    assert!(envelope.write().contains(start), "{text}");
    for part in
        ["<b:ResponseName>WhoAmI</b:ResponseName>", "i:type=\"c:WhoAmIResponse\"", "<d:key>UserId</d:key>"]
    {
        assert!(envelope.write().contains(part), "{part} in {}", envelope.write());
    }
}
