//! A server on loopback that answers as it was told, keeps what it was asked, and breaks connections.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use postroom_core::{Clock, Ids, Secret};
use postroom_dotdigital::{Credentials, Dotdigital, Settings};
use serde_json::Value;

pub const PASSWORD: &str = "correct horse";

/// What is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    Json(u16, Value),
    Text(u16, String),
    /// With headers.
    With(u16, Vec<(&'static str, String)>, Value),
    /// Nothing: the connection breaks after the request came whole.
    Lost,
    /// The answer ends in its middle.
    Cut(Value),
    /// Nothing, for ever.
    Silent,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET /v2/contacts?select=1`
    pub what: String,
    pub body: Value,
}

type Rule = Box<dyn FnMut(&Seen) -> Option<Answer> + Send>;

struct Here {
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    origin: String,
}

pub struct Server {
    pub url: String,
    here: Arc<Here>,
}

/// The answer to what nobody was told about: it fails whoever asks.
const UNTOLD: u16 = 418;

impl Server {
    pub async fn new() -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let here = Arc::new(Here { rules: Mutex::default(), seen: Mutex::default(), origin: url.clone() });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&here));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Server { url, here }
    }

    /// Asked before the rules that were there.
    pub fn rule(&self, rule: impl FnMut(&Seen) -> Option<Answer> + Send + 'static) -> &Server {
        self.here.rules.lock().unwrap().insert(0, Box::new(rule));
        self
    }

    /// These answers in turn to requests that begin so, the last one for ever.
    pub fn on(&self, start: &'static str, answers: impl IntoIterator<Item = Answer>) -> &Server {
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        self.rule(move |seen| {
            let next = || if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
            seen.what.starts_with(start).then(next).flatten()
        })
    }

    pub fn json(&self, start: &'static str, body: Value) -> &Server {
        self.on(start, [Answer::Json(200, body)])
    }

    /// What came, without the questions where the account lives.
    pub fn seen(&self) -> Vec<Seen> {
        let seen = self.here.seen.lock().unwrap();
        seen.iter().filter(|seen| !seen.what.contains("account-info")).cloned().collect()
    }

    pub fn whats(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.what).collect()
    }

    pub fn client(&self) -> Dotdigital {
        self.client_with(|_| {})
    }

    pub fn client_with(&self, change: impl FnOnce(&mut Settings)) -> Dotdigital {
        client(&self.url, change)
    }
}

/// A client that is not patient, for tests.
pub fn client(url: &str, change: impl FnOnce(&mut Settings)) -> Dotdigital {
    client_as(url, PASSWORD, Clock::system(), change)
}

pub fn client_as(url: &str, password: &str, clock: Clock, change: impl FnOnce(&mut Settings)) -> Dotdigital {
    let mut settings = Settings::new(url).unwrap();
    settings.pause = Duration::from_millis(1);
    settings.patience = Duration::from_secs(3);
    settings.timeout = Duration::from_secs(20);
    change(&mut settings);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let credentials =
        Credentials { user: "apiuser-1@apiconnector.com".into(), password: Secret::new(password) };
    Dotdigital::new(settings, http, credentials, clock, Ids::random())
}

async fn answer(State(here): State<Arc<Here>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path_and_query().unwrap().as_str();
    let seen = Seen {
        what: format!("{} {path}", parts.method),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    here.seen.lock().unwrap().push(seen.clone());
    let told = here.rules.lock().unwrap().iter_mut().find_map(|rule| rule(&seen));
    let told = told.or_else(|| {
        let home = serde_json::json!({"id": 1, "properties": [{"name": "ApiEndpoint", "type": "String", "value": here.origin}]});
        path.starts_with("/v2/account-info").then_some(Answer::Json(200, home))
    });
    let told = told.unwrap_or_else(|| Answer::Text(UNTOLD, format!("nobody was told about {}", seen.what)));
    match told {
        Answer::Json(status, body) => reply(status, &[], body.to_string()),
        Answer::With(status, headers, body) => reply(status, &headers, body.to_string()),
        Answer::Text(status, text) => reply(status, &[], text),
        Answer::Lost => broken(String::new()),
        Answer::Cut(body) => {
            let text = body.to_string();
            broken(text[..text.len() / 2].to_owned())
        }
        Answer::Silent => std::future::pending().await,
    }
}

fn reply(status: u16, headers: &[(&'static str, String)], body: String) -> Response {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    if serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok() {
        response = response.header("content-type", "application/json");
    }
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body)).unwrap()
}

/// Promises more than comes: the connection breaks.
fn broken(part: String) -> Response {
    let promised = part.len() + 100;
    let parts = [Ok(Bytes::from(part)), Err(std::io::Error::other("cut"))];
    let body = Body::from_stream(futures_util::stream::iter(parts));
    Response::builder().header("content-length", promised).body(body).unwrap()
}
