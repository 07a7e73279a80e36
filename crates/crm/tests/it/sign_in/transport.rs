//! Requests with a bearer token: a 401 renews it once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use postroom_core::{Code, Verdict};
use postroom_crm::sign_in::Bearer;
use postroom_crm::sign_in::policy::authority;
use postroom_crm::sign_in::transport::Anonymous;
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

/// "a row, and a row, and a row"
const PACKED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\x54\x28\xca\x2f\xd7\x51\x48\xcc\x4b\x51\x48\x44\x63\x02\x00\xf4\x04\x5d\xc7\x1b\x00\x00\x00";

/// Answers in the content coding that the path names, if the client takes it.
async fn packer() -> String {
    let answer = async |uri: Uri, headers: HeaderMap| {
        assert_eq!(headers["accept-encoding"], "gzip");
        let (coding, body) = match uri.path() {
            "/plain" => return (HeaderMap::new(), b"a row".to_vec()),
            "/cut" => ("gzip", &PACKED[..PACKED.len() - 9]),
            "/unknown" => ("br", PACKED),
            "/upper" => ("GZIP", PACKED),
            _ => ("gzip", PACKED),
        };
        (
            HeaderMap::from_iter([("content-encoding".parse().unwrap(), coding.parse().unwrap())]),
            body.to_vec(),
        )
    };
    serve(Router::new().fallback(answer)).await
}

#[tokio::test]
async fn answers_are_unpacked() {
    let (url, anonymous) = (packer().await, Anonymous(client()));
    let at = |path: &str| format!("{url}{path}");
    assert_eq!(text(&get(&anonymous, &at("/plain")).await.unwrap()), "a row");
    for path in ["/", "/upper"] {
        let answer = get(&anonymous, &at(path)).await.unwrap();
        assert_eq!(text(&answer), "a row, and a row, and a row");
        // What was said of the packed bytes is not said of these.
        assert!(
            !["content-encoding", "content-length"].iter().any(|name| answer.headers().contains_key(*name))
        );
    }
    for path in ["/cut", "/unknown"] {
        assert_eq!(get(&anonymous, &at(path)).await.unwrap_err().verdict, Verdict::Retry { after: None });
        assert_eq!(post(&anonymous, &at(path), "write").await.unwrap_err().verdict, Verdict::Unknown);
    }
}
