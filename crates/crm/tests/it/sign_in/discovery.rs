//! The three generations of discovery services.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use jiff::SignedDuration;
use postroom_core::{Code, Ids, Secret, Verdict};
use postroom_crm::sign_in::discovery::{By, Discover, Global, Organization, Service2011};
use postroom_crm::sign_in::hosted::Hosted;
use postroom_crm::sign_in::transport::Anonymous;
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::fault::Fault;
use postroom_formats::soap::{Generation, crm4, discovery};
use postroom_formats::xml::Limits;
use postroom_sandbox::identity::windows::{Front, Options};
use uuid::Uuid;

use super::claims::claims;
use super::windows::windows;
use super::{CRM, PASSWORD, USER, client, clock, provider, serve, user};

fn organization() -> discovery::Organization {
    discovery::Organization {
        endpoints: vec![
            ("OrganizationService".into(), format!("{CRM}/XRMServices/2011/Organization.svc")),
            ("WebApplication".into(), format!("{CRM}/")),
        ],
        friendly_name: "Contoso".into(),
        version: "6.1.1.1143".into(),
        state: "Enabled".into(),
        unique_name: "contoso".into(),
        ..discovery::Organization::default()
    }
}

fn expected() -> Organization {
    Organization {
        unique_name: "contoso".into(),
        friendly_name: "Contoso".into(),
        version: "6.1.1.1143".into(),
        enabled: true,
        web: Some(format!("{CRM}/")),
        organization_service: Some(format!("{CRM}/XRMServices/2011/Organization.svc")),
        ..Organization::default()
    }
}

fn answered(message: &str) -> String {
    let envelope = Envelope::read(message, &Limits::default()).unwrap();
    let question = discovery::Question::read(&envelope.body).unwrap();
    let body = discovery::write_answer(&question, &[organization()]);
    Envelope::new(envelope.soap, envelope.headers.answer(discovery::ANSWER_ACTION), body).write()
}

#[tokio::test]
async fn discovery_svc_by_windows_sign_in() {
    let handler =
        Router::new().route("/Discovery.svc/web", post(|message: String| async move { answered(&message) }));
    let front = Front::start(Options { users: vec![user()], ..Options::default() }, clock(), handler);
    let transport = Arc::new(windows(USER, PASSWORD, None));
    let service = Service2011 {
        url: format!("{}/Discovery.svc", front.url()),
        by: By::Transport(transport),
        ids: Ids::counted(),
    };
    assert_eq!(service.organizations().await.unwrap(), [expected()]);
}

#[tokio::test]
async fn discovery_svc_by_claims() {
    let clock = clock();
    let identity = Arc::new(provider(&clock, Vec::new()));
    let address = format!("{CRM}/XRMServices/2011/Discovery.svc");
    let (known, for_) = (Arc::clone(&identity), address.clone());
    let answer = move |message: String| {
        let signer = known.signer(&message, &for_);
        async move {
            match signer {
                Ok(_) => (StatusCode::OK, answered(&message)),
                Err(refusal) => (StatusCode::INTERNAL_SERVER_ERROR, fault(Soap::V12, &refusal.to_string())),
            }
        }
    };
    let url = format!("{}/Discovery.svc", serve(Router::new().route("/Discovery.svc", post(answer))).await);
    let claims = Box::new(claims(&identity, &clock, PASSWORD, &address));
    let by = By::Claims { client: client(), claims };
    let service = Service2011 { url, by, ids: Ids::counted() };
    assert_eq!(service.organizations().await.unwrap(), [expected()]);
    identity.revoke_all();
    let refused = service.organizations().await.unwrap_err();
    assert_eq!(refused.verdict, Verdict::Hold, "{refused}");
}

fn fault(soap: Soap, message: &str) -> String {
    let fault = Fault { message: message.to_owned(), ..Fault::default() };
    Envelope::fault(soap, Headers::default(), &fault, Generation::Crm2011).write()
}

/// CrmDiscoveryService of 2007.
fn hosted(expires: &'static str) -> Router {
    let answer = move |message: String| async move {
        let envelope = Envelope::read(&message, &Limits::default()).unwrap();
        let organization = crm4::Organization {
            id: Uuid::nil(),
            name: "contoso".into(),
            friendly_name: "Contoso".into(),
            crm_service: "https://contoso.example.com/MSCrmServices/2007/CrmService.asmx".into(),
            ..crm4::Organization::default()
        };
        let answer = match crm4::Question::read(&envelope.body).unwrap() {
            crm4::Question::Organizations { password, .. } | crm4::Question::Ticket { password, .. }
                if password != PASSWORD =>
            {
                return (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    fault(Soap::V11, "Invalid user name or password"),
                );
            }
            crm4::Question::Organizations { .. } => crm4::Answer::Organizations(vec![organization]),
            crm4::Question::Ticket { .. } => crm4::Answer::Ticket {
                ticket: "canary-of-the-ticket".into(),
                organization,
                expires: expires.into(),
            },
        };
        (StatusCode::OK, Envelope::new(Soap::V11, Headers::default(), answer.write()).write())
    };
    Router::new().fallback(answer)
}

#[tokio::test]
async fn hosted_organisations_and_tickets() {
    let clock = clock();
    let url = serve(hosted("11/22/2026 10:00:00 AM")).await;
    let hosted = Hosted::new(client(), &*url, USER, &Secret::new(PASSWORD), clock.clone());
    let found = Discover::organizations(&hosted).await.unwrap();
    assert_eq!(
        found[0].crm_service.as_deref(),
        Some("https://contoso.example.com/MSCrmServices/2007/CrmService.asmx")
    );
    let ticket = hosted.ticket("CONTOSO").await.unwrap();
    assert_eq!(ticket.token(Uuid::nil()).ticket.as_deref(), Some("canary-of-the-ticket"));
    assert!(!format!("{ticket:?}").contains("canary"));
    clock.advance(SignedDuration::from_hours(3));
    hosted.ticket("contoso").await.unwrap();
    let wrong = Hosted::new(client(), &*url, USER, &Secret::new("wrong"), clock);
    let refused = wrong.ticket("contoso").await.unwrap_err();
    assert_eq!((refused.verdict, refused.code), (Verdict::Hold, Code::CRM_SIGN_IN));
    assert!(refused.message.contains("Invalid user name"), "{refused}");
}

#[tokio::test]
async fn the_global_service_takes_users_only() {
    let answer = |headers: HeaderMap| async move {
        match headers.get("authorization") {
            Some(_) => (
                StatusCode::OK,
                r#"{"value":[{"Id":"1","UniqueName":"contoso","FriendlyName":"Contoso","Url":"https://org.example.com",
                "ApiUrl":"https://org.api.example.com","State":0,"Version":"9.2.1"}]}"#,
            ),
            None => (StatusCode::UNAUTHORIZED, ""),
        }
    };
    let url = serve(Router::new().route("/api/discovery/v2.0/Instances", get(answer))).await;
    let as_nobody = Global { transport: Arc::new(Anonymous(client())), url: url.clone() };
    let refused = as_nobody.organizations().await.unwrap_err();
    assert!(refused.message.contains("users only"), "{refused}");
    let token = Arc::new(super::secrets::Given("token"));
    let bearer = postroom_crm::sign_in::Bearer::new(client(), token);
    let found = Global { transport: Arc::new(bearer), url }.organizations().await.unwrap();
    assert_eq!(
        found[0].organization_service.as_deref(),
        Some("https://org.example.com/XRMServices/2011/Organization.svc")
    );
}
