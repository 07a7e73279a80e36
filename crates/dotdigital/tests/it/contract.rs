//! Every request against the service's own description of its API, by a validator that others wrote: Prism stands between the
//! client and a server, and refuses what the description does not allow, both ways.
//!
//! `tests/data/contract.json` holds names and types of the operations that the client uses, and an overlay: refusals, which
//! the description hardly has, and one path where it has two that a router cannot tell apart.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use postroom_core::Fault;
use postroom_dotdigital::Api;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::server::client;
use crate::story::{Told, good_server, tell};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/prism");
const CONTRACT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/contract.json");

struct Prism {
    url: String,
    /// What it complained about.
    log: Arc<Mutex<Vec<String>>>,
    // Ends with the test.
    _child: Child,
}

impl Prism {
    async fn before(upstream: &str) -> Prism {
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
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("iolation") || line.contains("✖") {
                    kept.lock().unwrap().push(line);
                }
            }
        });
        Prism { url: format!("http://127.0.0.1:{free}"), log, _child: child }
    }
}

/// Faults, by the call.
fn shown(told: &[(&'static str, Fault)]) -> Vec<String> {
    told.iter().map(|(what, fault)| format!("{what}: {fault}")).collect()
}

async fn check(api: Api) {
    let server = good_server().await;
    let prism = Prism::before(&server.url).await;
    let home = prism.url.clone();
    server.rule(move |seen| {
        let body = serde_json::json!({"id": 1, "properties": [{"name": "ApiEndpoint", "type": "String", "value": home}]});
        seen.what.contains("account-info").then_some(crate::server::Answer::Json(200, body))
    });
    let mut told = Told(Vec::new());
    tell(&client(&prism.url, |settings| settings.api = api), &mut told).await;
    assert!(told.0.is_empty(), "{:#?}\n{:#?}", shown(&told.0), prism.log.lock().unwrap());
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

/// The judge is awake: a request that the description does not allow is refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_description_does_not_allow_is_refused() {
    let server = good_server().await;
    let prism = Prism::before(&server.url).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let status = async |path: &str| {
        let url = format!("{}{path}", prism.url);
        http.get(url).basic_auth("a", Some("b")).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("/v2/address-books?select=10").await, 200);
    assert_eq!(status("/v2/address-books?select=ten").await, 422);
    assert_eq!(status("/v2/adress-books").await, 404);
    let send = http.post(format!("{}/v2/campaigns/send", prism.url)).basic_auth("a", Some("b"));
    let answer =
        send.header("content-type", "application/json").body(r#"{"campaignId":"x"}"#).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 422);
}
