//! Windows sign-in against the sandbox's front.

use std::sync::Arc;

use axum::{Extension, Router};
use postroom_core::{Code, Secret, Verdict};
use postroom_crm::sign_in::windows::Scheme;
use postroom_crm::sign_in::{Connection, Windows};
use postroom_sandbox::identity::User;
use postroom_sandbox::identity::windows::{Front, Options, Visitor};

use super::{PASSWORD, USER, clock, get, post, text, user};

fn handler() -> Router {
    Router::new().fallback(|Extension(Visitor(name)): Extension<Visitor>, body: String| async move {
        format!("{name}|{body}")
    })
}

pub fn front(options: Options) -> Front {
    let users = vec![user(), User { name: "bob@contoso.local".into(), password: PASSWORD.into() }];
    Front::start(Options { users, ..options }, clock(), handler())
}

pub fn windows(name: &str, password: &str, scheme: Option<Scheme>) -> Windows {
    Windows::new(Connection::default(), name, &Secret::new(password), scheme, clock()).unwrap()
}

async fn check(name: &str, scheme: Option<Scheme>, options: Options) {
    let front = front(options);
    let windows = windows(name, PASSWORD, scheme);
    assert_eq!(text(&post(&windows, &front.url(), "body").await.unwrap()), format!("{name}|body"));
    assert_eq!(text(&get(&windows, &format!("{}/a?b=c", front.url())).await.unwrap()), format!("{name}|"));
    assert_eq!((front.connections(), front.sign_ins()), (1, 1), "one connection serves both");
}

#[tokio::test]
async fn every_scheme_and_form_of_name() {
    for scheme in [None, Some(Scheme::Ntlm), Some(Scheme::Negotiate)] {
        check(USER, scheme, Options::default()).await;
        check("bob@contoso.local", scheme, Options::default()).await;
    }
}

#[tokio::test]
async fn a_server_with_ntlm_only() {
    check(USER, None, Options { no_negotiate: true, ..Options::default() }).await;
    let front = front(Options { no_negotiate: true, ..Options::default() });
    let fault = get(&windows(USER, PASSWORD, Some(Scheme::Negotiate)), &front.url()).await.unwrap_err();
    assert_eq!(fault.verdict, Verdict::Hold, "{fault}");
}

#[tokio::test]
async fn wrong_names_and_passwords_are_held() {
    let front = front(Options::default());
    for (name, password) in [(USER, "wrong"), ("CONTOSO\\mallory", PASSWORD), ("alice", PASSWORD), (USER, "")]
    {
        for scheme in [Scheme::Ntlm, Scheme::Negotiate] {
            let fault = get(&windows(name, password, Some(scheme)), &front.url()).await.unwrap_err();
            assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::CRM_SIGN_IN), "{fault}");
        }
    }
    assert_eq!(front.sign_ins(), 0);
}

#[tokio::test]
async fn a_closed_connection_is_signed_in_anew() {
    // Challenge, answer, answer; then the server closes.
    let front = front(Options { close_after: Some(3), ..Options::default() });
    let windows = windows(USER, PASSWORD, None);
    for round in 0..6 {
        let body = round.to_string();
        assert_eq!(text(&post(&windows, &front.url(), &body).await.unwrap()), format!("{USER}|{body}"));
    }
    assert_eq!((front.connections(), front.sign_ins()), (3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_at_once_have_a_connection_each() {
    let front = front(Options::default());
    let (windows, url) = (Arc::new(windows(USER, PASSWORD, None)), front.url());
    for _ in 0..3 {
        let all: Vec<_> = (0..8)
            .map(|n| {
                let (windows, url) = (Arc::clone(&windows), url.clone());
                tokio::spawn(
                    async move { text(&post(&*windows, &url, &n.to_string()).await.unwrap()).to_owned() },
                )
            })
            .collect();
        for (n, one) in all.into_iter().enumerate() {
            assert_eq!(one.await.unwrap(), format!("{USER}|{n}"));
        }
    }
    assert_eq!(front.connections(), front.sign_ins());
}

#[tokio::test]
async fn a_server_that_asks_for_nothing() {
    let url = super::serve(Router::new().fallback(|body: String| async move { body })).await;
    let windows = windows(USER, PASSWORD, None);
    assert_eq!(text(&post(&windows, &url, "body").await.unwrap()), "body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_locks_no_account() {
    let front = front(Options::default());
    let (windows, url) = (Arc::new(windows(USER, "wrong", None)), front.url());
    let all: Vec<_> = (0..8)
        .map(|_| {
            let (windows, url) = (Arc::clone(&windows), url.clone());
            tokio::spawn(async move { get(&*windows, &url).await.unwrap_err().verdict })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap(), Verdict::Hold);
    }
    assert_eq!(front.connections(), 1, "one try stands for all");
}
