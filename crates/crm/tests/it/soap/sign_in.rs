//! The make behind every kind of sign-in: a token, Windows, claims in the message.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use jiff::SignedDuration;
use postroom_core::{Code, Crm, Ids, Secret, Verdict};
use postroom_crm::outside::Outside;
use postroom_crm::sign_in::Bearer;
use postroom_crm::sign_in::claims::Claims;
use postroom_crm::sign_in::transport::Anonymous;
use postroom_crm::soap::{Settings, Soap};
use postroom_crm::webapi::auth::Fixed;
use postroom_embedded::seed;
use postroom_formats::soap::Generation;
use postroom_formats::soap::envelope::{Envelope, Headers, Soap as Version};
use postroom_formats::soap::fault::Fault;
use postroom_sandbox::identity::windows::{Front, Options, Visitor};
use postroom_sandbox::identity::{Identity, Options as IdentityOptions};

use crate::server::{On, Server};
use crate::sign_in::{PASSWORD, TENANT, USER, client, user, windows::windows};

#[tokio::test(flavor = "multi_thread")]
async fn a_token() {
    let server = Server::new(On::Sqlite).await;
    let text = server.soap().check().await.unwrap();
    assert!(text.contains("version 9.2") && text.contains(&seed::ADMINISTRATOR.to_string()), "{text}");
    let wrong = Arc::new(Bearer::new(client(), Arc::new(Fixed(Secret::new("wrong")))));
    let fault = server.soap_at(&server.url, wrong, |_| {}).check().await.unwrap_err();
    assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::CRM_SIGN_IN), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_in_front() {
    let server = Server::new(On::Sqlite).await;
    server.gate(Arc::new(|parts, _| match parts.extensions.get::<Visitor>() {
        Some(_) => None,
        None => Some(Response::builder().status(StatusCode::UNAUTHORIZED).body(Body::empty()).unwrap()),
    }));
    let front = Front::start(
        Options { users: vec![user()], ..Options::default() },
        server.clock.clone(),
        server.router(),
    );
    let signed = server.soap_at(&front.url(), Arc::new(windows(USER, PASSWORD, None)), |_| {});
    assert_eq!(signed.who().await.unwrap().user, seed::ADMINISTRATOR);
    let wrong = server.soap_at(&front.url(), Arc::new(windows(USER, "wrong", None)), |_| {});
    let fault = wrong.check().await.unwrap_err();
    assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::CRM_SIGN_IN), "{fault}");
}

/// A CRM that believes this provider's signatures only.
fn federated(server: &Server, service: &str) -> Arc<Identity> {
    let options = IdentityOptions {
        tenant: TENANT.into(),
        applications: Vec::new(),
        users: vec![user()],
        resources: vec![service.to_owned()],
        token_life: SignedDuration::from_hours(1),
    };
    let identity = Arc::new(Identity::start(options, server.clock.clone()));
    let (judge, service) = (Arc::clone(&identity), service.to_owned());
    server.gate(Arc::new(move |parts, body| {
        let signed = judge.signer(std::str::from_utf8(body).unwrap(), &service);
        let plain = parts.headers.get("authorization").is_none() && !parts.uri.path().ends_with("/web");
        match signed {
            Ok(name) if plain && name == USER => None,
            _ => {
                let fault = Fault { subcode: Some("FailedAuthentication".into()), ..Fault::new(0, "no") };
                let envelope =
                    Envelope::fault(Version::V12, Headers::default(), &fault, Generation::Dataverse);
                let answer = Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR);
                Some(answer.body(Body::from(envelope.write())).unwrap())
            }
        }
    }));
    identity
}

fn signed(server: &Server, identity: &Identity, service: &str) -> Soap {
    let sts = format!("{}/adfs/services/trust/13/usernamemixed", identity.url());
    let password = Secret::new(PASSWORD);
    let claims = Claims::new(client(), sts, (USER, &password), service, server.clock.clone(), Ids::random());
    server.soap_at(&server.url, Arc::new(Anonymous(client())), |_| {}).signed(Arc::new(claims))
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_in_the_message() {
    let server = Server::new(On::Sqlite).await;
    let service = Settings::new(&server.url).unwrap().service();
    let identity = federated(&server, &service);
    let client = signed(&server, &identity, &service);
    assert_eq!(client.who().await.unwrap().user, seed::ADMINISTRATOR);
    assert!(client.metadata(&["contact"]).await.unwrap().table("contact").is_some());
    assert_eq!(identity.issued(), 1);
    // A token that the CRM no longer knows is asked for anew, once, and the call goes on.
    identity.revoke_all();
    assert_eq!(client.who().await.unwrap().user, seed::ADMINISTRATOR);
    assert_eq!(identity.issued(), 2);
    server.gate(federated_by_nobody());
    let fault = client.check().await.unwrap_err();
    assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::CRM_SIGN_IN), "{fault}");
}

fn federated_by_nobody() -> crate::server::Gate {
    Arc::new(|_, _| {
        let fault = Fault { subcode: Some("InvalidSecurity".into()), ..Fault::new(0, "expired") };
        let envelope = Envelope::fault(Version::V12, Headers::default(), &fault, Generation::Dataverse);
        let answer = Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR);
        Some(answer.body(Body::from(envelope.write())).unwrap())
    })
}

/// What `check crm` tells an administrator, over SOAP.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_may_do() {
    let server = Server::new(On::Sqlite).await;
    let client = server.soap();
    let who = client.who().await.unwrap();
    let held = client.privileges(who.user).await.unwrap().unwrap();
    let metadata = client.metadata(&["email"]).await.unwrap();
    let needed = &metadata.table("email").unwrap().privileges;
    assert!(!needed.is_empty());
    let has = |id| held.iter().any(|held| held.privilege == id && held.whole);
    assert!(needed.iter().all(|privilege| has(privilege.id)), "{needed:?}");
    assert!(client.seen().date.is_some());
}
