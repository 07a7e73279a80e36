//! The services beside the organization service: discovery, tickets, tokens.

use jiff::{SignedDuration, Timestamp};
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::trust::{Lifetime, Refusal, Token, TokenRequest, verify};
use postroom_formats::soap::{crm4, discovery};
use postroom_formats::xml::{self, Element, Limits};
use uuid::Uuid;

use super::captures::{read, shape};

fn again(element: &Element) -> Element {
    xml::read(&xml::write(element), &Limits::default()).unwrap()
}

#[test]
fn discovery_of_2011() {
    use discovery::{Organization, Question, read_answer, write_answer};
    let organization = Organization {
        endpoints: vec![(
            "OrganizationService".into(),
            "https://org.example.com/XRMServices/2011/Organization.svc".into(),
        )],
        friendly_name: "Contoso & Co".into(),
        id: Uuid::from_u128(1),
        version: "6.1.1.1143".into(),
        state: "Enabled".into(),
        unique_name: "contoso".into(),
        url_name: "contoso".into(),
    };
    for question in [Question::Organizations, Question::Organization("contoso".into())] {
        assert_eq!(Question::read(&again(&question.write())), Ok(question.clone()));
        let answer = write_answer(&question, std::slice::from_ref(&organization));
        assert!(xml::write(&answer).contains("<KeyValuePairOfEndpointTypestringztYlk6OT>"));
        assert_eq!(read_answer(&again(&answer)), Ok(vec![organization.clone()]));
    }
}

#[test]
fn discovery_and_tickets_of_crm_4() {
    use crm4::{Answer, Organization, Question, Token};
    let (user, password) = ("DOMAIN\\user".to_owned(), " p<w ".to_owned());
    for question in [
        Question::Organizations { user: user.clone(), password: password.clone() },
        Question::Ticket { organization: "contoso".into(), user, password },
    ] {
        assert_eq!(Question::read(&again(&question.write())), Ok(question.clone()));
        assert!(!format!("{question:?}").contains("p<w"));
    }
    let organization =
        Organization { id: Uuid::from_u128(1), name: "contoso".into(), ..Organization::default() };
    for answer in [
        Answer::Organizations(vec![organization.clone()]),
        Answer::Ticket { ticket: "opaque".into(), organization, expires: "2026-01-31T08:00:00Z".into() },
    ] {
        assert_eq!(Answer::read(&again(&answer.write())), Ok(answer));
    }
    let token =
        Token { kind: 2, ticket: Some("t".into()), organization: "contoso".into(), caller: Uuid::nil() };
    assert_eq!(Token::read(&again(&token.write())), Ok(token));
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn lifetime() -> Lifetime {
    Lifetime { created: at("2026-01-31T08:00:00Z"), expires: at("2026-01-31T08:05:00Z") }
}

fn token() -> Token {
    Token::read(&read("request_security_token_response_onpremise").body).unwrap()
}

#[test]
fn captured_tokens() {
    let issued = token();
    assert_eq!(issued.key, "_ed121435-64ea-45b0-9b15-e5769afdb746");
    assert_eq!(issued.applies_to, "https://psavtest.crm.powerobjects.net/");
    assert_eq!(issued.lifetime.expires, at("2014-11-25T19:46:16.542Z"));
    assert_eq!(
        shape(&again(&issued.write())),
        shape(&read("request_security_token_response_onpremise").body)
    );
    let online = Token::read(&read("request_security_token_response").body).unwrap();
    assert_eq!((online.secret.len(), online.key.as_str()), (23, "uuid-c121e335-ae42-4685-a6fd-8de9bc0fcdc7"));
}

#[test]
fn requests_for_tokens() {
    let request =
        TokenRequest { user: "a@b.c".into(), password: " p ".into(), applies_to: "https://org/".into() };
    let security = again(&request.security(lifetime()));
    assert_eq!(TokenRequest::read(&again(&request.body()), &security), Ok(request));
}

fn signed() -> String {
    let security = Some(token().sign(lifetime()));
    let headers = Headers { security, ..Headers::request("urn:action", "urn:uuid:1", "https://org/") };
    Envelope::new(Soap::V12, headers, Element::new("urn:x", "Create")).write()
}

fn judge(message: &str, now: &str) -> Result<String, Refusal> {
    let secret = |key: &str| (key == token().key).then(|| token().secret);
    let skew = SignedDuration::from_secs(60);
    verify(message, &Limits::default(), secret, at(now), skew).map(|(key, _)| key)
}

#[test]
fn signed_headers() {
    let now = "2026-01-31T08:03:00Z";
    assert_eq!(judge(&signed(), now), Ok(token().key));
    assert_eq!(judge(&signed(), "2026-01-31T08:07:00Z"), Err(Refusal::Expired));
    assert_eq!(judge(&signed(), "2026-01-31T07:58:00Z"), Err(Refusal::Expired));
    assert_eq!(judge(&signed().replace("08:05:00", "09:05:00"), now), Err(Refusal::Signature));
    assert_eq!(judge(&signed().replace(&token().key, "_other"), now), Err(Refusal::Unknown));
    let unsigned = signed().replace("hmac-sha1", "hmac-md5");
    assert_eq!(judge(&unsigned, now), Err(Refusal::Signature));
    assert!(matches!(judge("<a/>", now), Err(Refusal::Unreadable(_))));
}

/// Another writer's prefixes and shape: what counts is the canonical form.
#[test]
fn a_header_in_another_shape_holds() {
    let text = signed().replace("<u:Created>", "<u:Created >").replace(" u:Id=\"_0\"", "\n u:Id='_0'");
    assert_eq!(judge(&text, "2026-01-31T08:03:00Z"), Ok(token().key));
}

/// A fresh timestamp beside the signed old one does not make the old one fresh.
#[test]
fn a_second_timestamp_changes_nothing() {
    let fresh = format!(
        "<u:Timestamp xmlns:u=\"{}\" u:Id=\"_1\"><u:Created>2026-02-01T08:00:00.000Z</u:Created><u:Expires>2026-02-01T08:05:00.000Z</u:Expires></u:Timestamp>",
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
    );
    let before = signed().replace("<s:Header>", &format!("<s:Header>{fresh}"));
    let behind = signed().replace("</s:Header>", &format!("{fresh}</s:Header>"));
    let now = "2026-02-01T08:03:00Z";
    assert_eq!(judge(&before, now), Err(Refusal::Method));
    assert_eq!(judge(&behind, now), Err(Refusal::Expired));
}
