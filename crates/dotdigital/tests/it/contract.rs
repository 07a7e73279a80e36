//! Every request against the service's own description of its API, by a validator that others wrote: Prism stands between the
//! client and a server, and refuses what the description does not allow, both ways.
//!
//! `tests/data/contract.json` holds names and types of the operations that the client uses, and an overlay: refusals, which
//! the description hardly has, and one path where it has two that a router cannot tell apart.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use postroom_dotdigital::Api;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::server::{Answer, client};
use crate::story::{Told, good_server, tell};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/prism");
const CONTRACT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/contract.json");

pub struct Prism {
    url: String,
    // Ends with the test.
    _child: Child,
}

impl Prism {
    pub async fn before(upstream: &str) -> Prism {
        let program = format!("{FOLDER}/node_modules/@stoplight/prism-cli/dist/index.js");
        assert!(
            Path::new(&program).exists(),
            "{program} is missing: run npm ci --ignore-scripts in {FOLDER}"
        );
        // Prism takes a number only: one that the kernel has just given out and taken back.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("node")
            .args([&program, "proxy", CONTRACT, upstream, "--errors", "--host", "127.0.0.1", "--port"])
            .arg(free.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            let line = lines.next_line().await.unwrap().expect("Prism says when it listens");
            if line.contains("is listening") {
                break;
            }
        }
        // Its log must go somewhere, or it stops.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Prism { url: format!("http://127.0.0.1:{free}"), _child: child }
    }
}

/// Stands before Prism and keeps what it refuses, with the reasons.
#[derive(Clone)]
pub struct Tap {
    prism: String,
    service: String,
    http: reqwest::Client,
    pub refused: Arc<Mutex<Vec<String>>>,
}

impl Tap {
    /// It, and where it listens.
    pub async fn before(prism: &Prism, service: &str) -> (Tap, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tap = Tap {
            prism: prism.url.clone(),
            service: service.to_owned(),
            http: plain(),
            refused: Arc::default(),
        };
        let app = axum::Router::new().fallback(pass).with_state(tap.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (tap, url)
    }
}

fn plain() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[expect(clippy::print_stderr, reason = "the test's own output, shown when it fails")]
async fn pass(State(tap): State<Tap>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    // Prism refuses to hand on what the description has once: a question with a body.
    let past = parts.method == "GET" && !body.is_empty();
    let origin = if past { &tap.service } else { &tap.prism };
    let url = format!("{origin}{}", parts.uri);
    let mut asked = tap.http.request(parts.method.clone(), url).body(body);
    for name in ["authorization", "content-type", "accept"] {
        if let Some(value) = parts.headers.get(name) {
            asked = asked.header(name, value);
        }
    }
    let answer = asked.send().await.unwrap();
    let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
    let text = answer.bytes().await.unwrap();
    let said = String::from_utf8_lossy(&text);
    if said.contains("stoplight.io/prism") {
        // Shown when the test fails otherwise.
        eprintln!("{} {}: {said}", parts.method, parts.uri);
        tap.refused.lock().unwrap().push(format!("{} {}: {said}", parts.method, parts.uri));
    }
    let mut response = Response::builder().status(status);
    if let Some(kind) = kind {
        response = response.header("content-type", kind);
    }
    response.body(text.into()).unwrap()
}

async fn check(api: Api) {
    let server = good_server().await;
    let prism = Prism::before(&server.url).await;
    let (tap, url) = Tap::before(&prism, &server.url).await;
    let home = url.clone();
    server.rule(move |seen| {
        let body = json!({"id": 1, "properties": [{"name": "ApiEndpoint", "type": "String", "value": home}]});
        seen.what.contains("account-info").then_some(Answer::Json(200, body))
    });
    let mut told = Told(Vec::new());
    tell(&client(&url, |settings| settings.api = api), &mut told).await;
    if api == Api::V2 {
        // The one thing that only the newer API has.
        told.0.retain(|(_, fault)| !fault.message.contains("single mails of marketing campaigns"));
    }
    let refused = tap.refused.lock().unwrap();
    assert!(refused.is_empty() && told.0.is_empty(), "{refused:#?}\n{:#?}", told.0);
    assert!(server.seen().len() > 70, "{} calls", server.seen().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_as_the_service_describes_them() {
    check(Api::V3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_v2_alone_are_as_the_service_describes_them() {
    check(Api::V2).await;
}

/// The judge is awake: it refuses nonsense for every operation that takes a body. (What it cannot compile it does not check:
/// schemas that are nullable without a type; the overlay says the same in another way.)
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_everywhere() {
    let server = good_server().await;
    let prism = Prism::before(&server.url).await;
    let contract: Value = serde_json::from_slice(&std::fs::read(CONTRACT).unwrap()).unwrap();
    let http = plain();
    let mut asked = 0;
    for (path, operations) in contract["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation.get("requestBody").is_none() {
                continue;
            }
            let parts = path.split('/').map(|part| if part.starts_with('{') { "7" } else { part });
            let url = format!("{}{}", prism.url, parts.collect::<Vec<_>>().join("/"));
            let asking = http.request(method.to_uppercase().parse().unwrap(), url).basic_auth("a", Some("b"));
            let asking = asking.header("content-type", "application/json").body("\"nonsense\"");
            let status = asking.send().await.unwrap().status().as_u16();
            assert_eq!(status, 422, "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 25, "{asked}");
    let wrong = http.get(format!("{}/v2/address-books?select=ten", prism.url)).basic_auth("a", Some("b"));
    assert_eq!(wrong.send().await.unwrap().status().as_u16(), 422);
}
