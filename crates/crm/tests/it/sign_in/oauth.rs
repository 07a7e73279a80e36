//! Tokens by secret, certificate and password: got, kept, renewed, refused.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::StatusCode;
use jiff::SignedDuration;
use postroom_core::{Clock, Code, Fault, Ids, Secret, Verdict};
use postroom_crm::sign_in::oauth::{AtCrm, Endpoint, Grant};
use postroom_crm::sign_in::{Connection, Kept, Token};
use postroom_sandbox::identity::{Identity, Trouble};

use super::{
    CLIENT, CRM, PAIR, PASSWORD, Pair, TENANT, USER, client, clock, oauth, provider, secret, serve, tokens,
};

async fn ask(endpoint: Endpoint, grant: Grant, clock: &Clock) -> Result<Secret, Fault> {
    Kept::new(oauth(endpoint, grant, clock), clock.clone()).bearer().await
}

fn password(password: &str) -> Grant {
    Grant::Password { user: USER.into(), password: Secret::new(password) }
}

#[track_caller]
fn is_good(identity: &Identity, token: Result<Secret, Fault>) {
    let header = format!("Bearer {}", token.unwrap().expose());
    assert!(identity.bearer(&header, CRM).is_some());
    assert!(identity.bearer(&header, "https://other.example.com").is_none());
}

#[tokio::test]
async fn every_grant_at_every_endpoint() {
    let (pair, clock) = (&*PAIR, clock());
    let identity = provider(&clock, vec![pair.der.clone()]);
    let url = identity.url();
    is_good(&identity, ask(Endpoint::v2(&url, TENANT), secret(), &clock).await);
    is_good(&identity, ask(Endpoint::v1(&url, TENANT), secret(), &clock).await);
    is_good(&identity, ask(Endpoint::v2(&url, TENANT), pair.grant(), &clock).await);
    is_good(&identity, ask(Endpoint::v1(&url, TENANT), pair.grant(), &clock).await);
    is_good(&identity, ask(Endpoint::adfs(&url), password(PASSWORD), &clock).await);
    assert_eq!(identity.issued(), 5);
}

#[track_caller]
fn held(result: Result<Secret, Fault>, part: &str) {
    let fault = result.unwrap_err();
    assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::CRM_SIGN_IN), "{fault}");
    assert!(fault.message.contains(part), "{fault}");
}

#[tokio::test]
async fn refusals_are_held_and_explained() {
    let (pair, clock) = (&*PAIR, clock());
    let identity = provider(&clock, vec![pair.der.clone()]);
    let url = identity.url();
    let v2 = || Endpoint::v2(&url, TENANT);
    held(ask(v2(), Grant::Secret(Secret::new("wrong")), &clock).await, "the client secret is wrong");
    held(ask(Endpoint::v2(&url, "fabrikam"), secret(), &clock).await, "the tenant does not exist");
    held(ask(v2(), Pair::new().grant(), &clock).await, "not the application's");
    held(ask(Endpoint::adfs(&url), password("wrong"), &clock).await, "crm.username and crm.password");
    let mut stranger = oauth(v2(), secret(), &clock);
    stranger.client_id = "stranger".into();
    held(Kept::new(stranger, clock.clone()).bearer().await, "crm.client_id and crm.tenant");
    let mut elsewhere = oauth(v2(), secret(), &clock);
    elsewhere.resource = "https://elsewhere.example.com".into();
    held(Kept::new(elsewhere, clock.clone()).bearer().await, "org_url");
    identity.trouble(Some(Trouble::ExpiredSecret));
    held(ask(v2(), secret(), &clock).await, "has expired");
    identity.trouble(None);
    identity.skew(SignedDuration::from_mins(20));
    held(ask(v2(), pair.grant(), &clock).await, "this machine's clock is 20 minutes behind");
    identity.trouble(Some(Trouble::Nonsense));
    held(ask(v2(), secret(), &clock).await, "check crm.authority");
}

/// Eleven years later, by the provider's clock and then by ours too.
#[tokio::test]
async fn a_certificate_that_has_ended_is_held() {
    let (pair, clock, later) = (&*PAIR, clock(), SignedDuration::from_hours(11 * 365 * 24));
    let identity = provider(&clock, vec![pair.der.clone()]);
    let v2 = || Endpoint::v2(&identity.url(), TENANT);
    identity.skew(later);
    held(ask(v2(), pair.grant(), &clock).await, "The key used is expired");
    assert_eq!(identity.asked(), 1);
    clock.advance(later);
    held(ask(v2(), pair.grant(), &clock).await, "set crm.client_certificate and crm.client_private_key");
    assert_eq!(identity.asked(), 1, "nobody is asked");
}

/// A wrong host or path of the provider: the setting is named.
#[tokio::test]
async fn a_wrong_authority_is_named() {
    let (clock, nobody) = (clock(), "http://127.0.0.1:1");
    let fault = ask(Endpoint::adfs(nobody), password(PASSWORD), &clock).await.unwrap_err();
    assert_eq!(fault.verdict, Verdict::Retry { after: None });
    assert!(fault.message.contains(nobody) && fault.message.contains("check crm.authority"), "{fault}");
    let other = serve(Router::new()).await;
    held(ask(Endpoint::adfs(&other), password(PASSWORD), &clock).await, "check crm.authority");
    held(ask(Endpoint::v2(&other, TENANT), secret(), &clock).await, "check crm.authority");
}

#[tokio::test]
async fn a_provider_in_trouble_is_asked_again_later() {
    let clock = clock();
    let identity = provider(&clock, Vec::new());
    let asked = || oauth(Endpoint::v2(&identity.url(), TENANT), secret(), &clock);
    let kept = Kept::new(asked(), clock.clone());
    identity.trouble(Some(Trouble::Failing(503)));
    let fault = kept.bearer().await.unwrap_err();
    assert_eq!(fault.verdict, Verdict::Retry { after: Some(SignedDuration::from_secs(7)) });
    identity.trouble(Some(Trouble::Slow(Duration::from_secs(60))));
    // Only this one may be short of time on a busy machine.
    let mut hasty = asked();
    hasty.client =
        Connection { timeout: Duration::from_millis(200), ..Connection::default() }.client().unwrap();
    let fault = Kept::new(hasty, clock.clone()).bearer().await.unwrap_err();
    assert_eq!(fault.verdict, Verdict::Retry { after: None });
    identity.trouble(None);
    kept.bearer().await.unwrap();
    drop(identity);
    clock.advance(SignedDuration::from_hours(2));
    assert_eq!(kept.bearer().await.unwrap_err().code, Code::CRM_AWAY);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let clock = clock();
    let identity = provider(&clock, Vec::new());
    let kept = tokens(&identity, &clock);
    let first = kept.bearer().await.unwrap();
    clock.advance(SignedDuration::from_mins(54));
    assert_eq!(kept.bearer().await.unwrap().expose(), first.expose());
    clock.advance(SignedDuration::from_mins(2));
    let second = kept.bearer().await.unwrap();
    assert_ne!(second.expose(), first.expose());
    assert_eq!(identity.issued(), 2);
    is_good(&identity, Ok(second));
}

#[tokio::test]
async fn a_token_that_holds_is_better_than_none() {
    let clock = clock();
    let identity = provider(&clock, Vec::new());
    let kept = tokens(&identity, &clock);
    let first = kept.bearer().await.unwrap();
    identity.trouble(Some(Trouble::Failing(500)));
    clock.advance(SignedDuration::from_mins(57));
    assert_eq!(kept.bearer().await.unwrap().expose(), first.expose());
    clock.advance(SignedDuration::from_mins(3));
    assert!(kept.bearer().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_ask_and_one_request_is_made() {
    let clock = clock();
    let identity = provider(&clock, Vec::new());
    identity.trouble(Some(Trouble::Slow(Duration::from_millis(50))));
    let kept = tokens(&identity, &clock);
    for round in 1..3 {
        let all: Vec<_> = (0..20)
            .map(|_| {
                tokio::spawn({
                    let kept = Arc::clone(&kept);
                    async move { kept.bearer().await }
                })
            })
            .collect();
        for one in all {
            is_good(&identity, one.await.unwrap());
        }
        assert_eq!(identity.asked(), round);
        clock.advance(SignedDuration::from_mins(56));
    }
}

#[tokio::test]
async fn a_wrong_secret_is_not_tried_at_every_request() {
    let clock = clock();
    let identity = provider(&clock, Vec::new());
    let wrong = oauth(Endpoint::v2(&identity.url(), TENANT), Grant::Secret(Secret::new("wrong")), &clock);
    let kept = Kept::new(wrong, clock.clone());
    // A minute, then two, then four.
    for (minutes, asked) in [(0, 1), (0, 1), (1, 2), (1, 2), (1, 3), (3, 3), (1, 4)] {
        clock.advance(SignedDuration::from_mins(minutes));
        held(kept.bearer().await, "the client secret is wrong");
        assert_eq!(identity.asked(), asked);
    }
}

#[tokio::test]
async fn the_providers_configuration_names_its_endpoints() {
    let identity = provider(&clock(), Vec::new());
    let read = |url: String| async move {
        super::client().get(url).send().await.unwrap().json::<serde_json::Value>().await.unwrap()
    };
    let known = read(format!("{}/{TENANT}/v2.0/.well-known/openid-configuration", identity.url())).await;
    assert_eq!(known["token_endpoint"], Endpoint::v2(&identity.url(), TENANT).url);
    let keys = read(known["jwks_uri"].as_str().unwrap().to_owned()).await;
    assert_eq!(keys["keys"][0]["crv"], "P-256");
}

/// A CRM whose challenge sends people to `authority`.
async fn challenging(authority: &str) -> String {
    let value = format!("Bearer authorization_uri={authority}, resource_id={CRM}/");
    let handler = move || async move { (StatusCode::UNAUTHORIZED, [("www-authenticate", value)]) };
    serve(Router::new().fallback(handler)).await
}

/// Without a tenant: the CRM says where, at Microsoft's platform and at AD FS alike.
#[tokio::test]
async fn the_crm_says_where_to_sign_in() {
    let clock = clock();
    let identity = provider(&clock, Vec::new());
    for (place, grant) in [(TENANT, secret()), ("adfs", password(PASSWORD))] {
        let url = challenging(&format!("{}/{place}/oauth2/authorize", identity.url())).await;
        let at = AtCrm::new(client(), url, CLIENT, grant, clock.clone(), Ids::random());
        is_good(&identity, Kept::new(at, clock.clone()).bearer().await);
    }
    let asked = identity.asked();
    for place in ["http://login.example.com/x/oauth2/authorize", "https://login.example.com/elsewhere"] {
        let url = challenging(place).await;
        let at = AtCrm::new(client(), url, CLIENT, secret(), clock.clone(), Ids::random());
        held(Kept::new(at, clock.clone()).bearer().await, "set crm.tenant");
    }
    assert_eq!(identity.asked(), asked, "a secret goes nowhere without TLS");
}
