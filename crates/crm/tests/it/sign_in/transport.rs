//! Requests with a bearer token: a 401 renews it once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use postroom_core::{Code, Verdict};
use postroom_crm::sign_in::Bearer;
use postroom_crm::sign_in::policy::authority;
use postroom_sandbox::identity::Identity;

use super::{CRM, client, clock, get, post, provider, serve, text, tokens};

/// A CRM that counts its requests and lets in those whose token the provider gave, when `open`.
async fn crm(identity: Arc<Identity>, open: bool) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let answer = move |headers: HeaderMap, body: String| {
        counted.fetch_add(1, Ordering::SeqCst);
        let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let known = open.then(|| identity.bearer(given, CRM)).flatten();
        async move {
            match known {
                Some(_) => (StatusCode::OK, HeaderMap::new(), body),
                None => {
                    let challenge = "Bearer authorization_uri=https://login.example.com/contoso/oauth2/authorize, resource_id=https://org.example.com/";
                    let headers = HeaderMap::from_iter([(
                        "www-authenticate".parse().unwrap(),
                        challenge.parse().unwrap(),
                    )]);
                    (StatusCode::UNAUTHORIZED, headers, String::new())
                }
            }
        }
    };
    (serve(Router::new().fallback(answer)).await, count)
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let clock = clock();
    let identity = Arc::new(provider(&clock, Vec::new()));
    let (url, count) = crm(Arc::clone(&identity), true).await;
    let bearer = Bearer::new(client(), tokens(&identity, &clock));
    assert_eq!(text(&post(&bearer, &url, "body").await.unwrap()), "body");
    identity.revoke_all();
    assert_eq!(text(&post(&bearer, &url, "again").await.unwrap()), "again");
    assert_eq!((identity.issued(), count.load(Ordering::SeqCst)), (2, 3));
}

#[tokio::test]
async fn a_crm_that_refuses_every_token_is_held() {
    let clock = clock();
    let identity = Arc::new(provider(&clock, Vec::new()));
    let (url, count) = crm(Arc::clone(&identity), false).await;
    let bearer = Bearer::new(client(), tokens(&identity, &clock));
    let fault = get(&bearer, &url).await.unwrap_err();
    assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::CRM_SIGN_IN));
    assert!(fault.message.contains("application user"), "{fault}");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_called_undone() {
    let (clock, listener) = (clock(), tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap());
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Takes connections and drops them after the first bytes.
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.readable().await.unwrap();
            let _ = stream.try_read(&mut [0; 9000]);
        }
    });
    let identity = provider(&clock, Vec::new());
    let bearer = Bearer::new(client(), tokens(&identity, &clock));
    assert_eq!(post(&bearer, &url, "write").await.unwrap_err().verdict, Verdict::Unknown);
    assert_eq!(get(&bearer, &url).await.unwrap_err().verdict, Verdict::Retry { after: None });
    let nobody = get(&bearer, "http://127.0.0.1:1").await.unwrap_err();
    assert_eq!(nobody.verdict, Verdict::Retry { after: None });
}

#[tokio::test]
async fn the_crm_names_its_authority() {
    let identity = Arc::new(provider(&clock(), Vec::new()));
    let (url, _) = crm(identity, true).await;
    let found = authority(&client(), &url).await.unwrap().unwrap();
    assert_eq!(found.tenant().unwrap(), "contoso");
    assert_eq!(found.resource.unwrap(), "https://org.example.com/");
}
