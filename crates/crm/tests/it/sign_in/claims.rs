//! WS-Trust against the sandbox's token service; a CRM that checks what is signed with it.

use std::sync::Arc;

use axum::Router;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::routing::get;
use jiff::SignedDuration;
use postroom_core::{Clock, Code, Ids, Secret, Verdict};
use postroom_crm::sign_in::claims::{Claims, Signer as _};
use postroom_crm::sign_in::policy::{Policy, policy, token_service};
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::xml::Element;
use postroom_sandbox::identity::{Identity, Trouble};

use super::{CRM, PASSWORD, USER, client, clock, provider, serve};

const STS: &str = "http://sts.example.com/adfs/services/trust";

pub fn service() -> String {
    format!("{CRM}/XRMServices/2011/Organization.svc")
}

pub fn claims(identity: &Identity, clock: &Clock, password: &str, service: &str) -> Claims {
    let sts = format!("{}/adfs/services/trust/13/usernamemixed", identity.url());
    let password = Secret::new(password);
    Claims::new(client(), sts, (USER, &password), service, clock.clone(), Ids::random())
}

/// Who a call signed with this header comes from.
async fn signer(identity: &Identity, claims: &Claims) -> Option<String> {
    let security = Some(claims.header().await.unwrap());
    let headers = Headers { security, ..Headers::request("action", "urn:uuid:1", service()) };
    let message = Envelope::new(Soap::V12, headers, Element::new("ns", "Execute")).write();
    identity.signer(&message, &service()).ok()
}

#[tokio::test]
async fn calls_are_signed_and_the_token_is_renewed_before_it_ends() {
    let clock = clock();
    let identity = provider(&clock, Vec::new());
    let claims = claims(&identity, &clock, PASSWORD, &service());
    assert_eq!(signer(&identity, &claims).await.as_deref(), Some(USER));
    clock.advance(SignedDuration::from_mins(49));
    assert_eq!(signer(&identity, &claims).await.as_deref(), Some(USER));
    assert_eq!(identity.issued(), 1);
    clock.advance(SignedDuration::from_mins(2));
    assert_eq!(signer(&identity, &claims).await.as_deref(), Some(USER));
    assert_eq!(identity.issued(), 2);
    identity.revoke_all();
    assert_eq!(signer(&identity, &claims).await, None);
    claims.refused();
    assert_eq!(signer(&identity, &claims).await.as_deref(), Some(USER));
}

#[tokio::test]
async fn a_token_that_holds_is_better_than_none() {
    let clock = clock();
    let identity = provider(&clock, Vec::new());
    let claims = claims(&identity, &clock, PASSWORD, &service());
    claims.header().await.unwrap();
    identity.trouble(Some(Trouble::Failing(503)));
    clock.advance(SignedDuration::from_mins(55));
    assert_eq!(signer(&identity, &claims).await.as_deref(), Some(USER));
    clock.advance(SignedDuration::from_mins(6));
    assert!(matches!(claims.header().await.unwrap_err().verdict, Verdict::Retry { .. }));
}

#[tokio::test]
async fn refusals_are_held() {
    let clock = clock();
    let identity = provider(&clock, Vec::new());
    let check = async |password: &str, service: &str, part: &str| {
        let fault = claims(&identity, &clock, password, service).header().await.unwrap_err();
        assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::CRM_SIGN_IN), "{fault}");
        assert!(fault.message.contains(part), "{fault}");
    };
    check("wrong", &service(), "ID3242").await;
    check(PASSWORD, "https://elsewhere.example.com/", "relying party").await;
    identity.skew(SignedDuration::from_mins(-30));
    check(PASSWORD, &service(), "this machine's clock is 30 minutes ahead").await;
    identity.trouble(Some(Trouble::Failing(503)));
    let fault = claims(&identity, &clock, PASSWORD, &service()).header().await.unwrap_err();
    assert_eq!(fault.verdict, Verdict::Retry { after: Some(SignedDuration::from_secs(7)) });
}

/// The definitions of a service: the policy is in a part of its own, as real servers have it.
fn wsdl(policy: &'static str) -> Router {
    let answer = move |RawQuery(query): RawQuery| async move {
        match query.as_deref() {
            Some("wsdl") => (StatusCode::OK, "<definitions xmlns='http://schemas.xmlsoap.org/wsdl/'>\
                <import namespace='n' location='http://inner.name/Organization.svc?wsdl=wsdl0'/></definitions>".to_owned()),
            Some("wsdl=wsdl0") => (StatusCode::OK, format!(
                "<definitions xmlns='http://schemas.xmlsoap.org/wsdl/'><p:Policy xmlns:p='http://schemas.xmlsoap.org/ws/2004/09/policy'>\
                 <m:AuthenticationPolicy xmlns:m='http://schemas.microsoft.com/xrm/2011/Contracts/Services'>{policy}\
                 </m:AuthenticationPolicy></p:Policy></definitions>")),
            _ => (StatusCode::NOT_FOUND, String::new()),
        }
    };
    Router::new().route("/Organization.svc", get(answer))
}

#[tokio::test]
async fn the_token_service_is_found_through_the_definitions() {
    let federation = "<m:Authentication>Federation</m:Authentication><m:SecureTokenService><m:Identifier>\
        http://sts.example.com/adfs/services/trust</m:Identifier></m:SecureTokenService>";
    let url = format!("{}/Organization.svc", serve(wsdl(federation)).await);
    assert_eq!(
        policy(&client(), &url).await.unwrap(),
        Policy::Federation { identifier: STS.into(), metadata: None }
    );
    let found = token_service(&client(), &url).await.unwrap();
    assert_eq!(found, "https://sts.example.com/adfs/services/trust/13/usernamemixed");
}

/// The policy's issuer says where it describes itself, and that is believed before the identifier; one that does not answer is
/// passed over.
#[tokio::test]
async fn the_token_service_describes_itself() {
    let identity = provider(&clock(), Vec::new());
    let text = identity.policy();
    let wsdl = serve(Router::new().fallback(move || async move { text })).await;
    let found = token_service(&client(), &format!("{wsdl}/Organization.svc")).await.unwrap();
    assert_eq!(found, format!("{}/adfs/services/trust/13/usernamemixed", identity.url()));
    drop(identity);
    let found = token_service(&client(), &format!("{wsdl}/Organization.svc")).await.unwrap();
    assert_eq!(found, "https://sts.contoso.local/adfs/services/trust/13/usernamemixed");
}

/// A password goes nowhere without TLS, whatever a description says.
#[tokio::test]
async fn a_description_without_tls_elsewhere_is_not_believed() {
    let port = "<definitions xmlns='http://schemas.xmlsoap.org/wsdl/'><service><port name='UserNameWSTrustBinding_IWSTrust13Async'>\
        <address location='http://sts.example.com/adfs/services/trust/13/usernamemixed'/></port></service></definitions>";
    let mex = serve(Router::new().fallback(move || async move { port })).await;
    let identity = provider(&clock(), Vec::new());
    let text = identity.policy().replace(&identity.url(), &mex);
    let wsdl = serve(Router::new().fallback(move || async move { text })).await;
    let found = token_service(&client(), &format!("{wsdl}/Organization.svc")).await.unwrap();
    assert_eq!(found, "https://sts.contoso.local/adfs/services/trust/13/usernamemixed");
}

#[tokio::test]
async fn a_crm_without_claims_says_how_it_signs_in() {
    for (policy, part) in [("ActiveDirectory", "Windows"), ("OnlineFederation", "OAuth 2")] {
        let policy: &'static str = format!("<m:Authentication>{policy}</m:Authentication>").leak();
        let url = format!("{}/Organization.svc", serve(wsdl(policy)).await);
        let fault = token_service(&client(), &url).await.unwrap_err();
        assert!(fault.verdict == Verdict::Hold && fault.message.contains(part), "{fault}");
    }
    let fault = policy(&client(), &serve(Router::new()).await).await.unwrap_err();
    assert!(fault.verdict == Verdict::Hold && fault.message.contains("404"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_and_one_token() {
    let clock = clock();
    let identity = Arc::new(provider(&clock, Vec::new()));
    let claims = Arc::new(claims(&identity, &clock, PASSWORD, &service()));
    let all: Vec<_> = (0..10)
        .map(|_| {
            let claims = Arc::clone(&claims);
            tokio::spawn(async move { claims.header().await.map(|_| ()) })
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert_eq!(identity.issued(), 1);
}
