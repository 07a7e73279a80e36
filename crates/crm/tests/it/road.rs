//! The road between a make and its server: an HTTP proxy on loopback on which one chosen call goes wrong.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use postroom_core::{Crm, Secret};
use postroom_crm::sign_in::Bearer;
use postroom_crm::webapi::Settings;
use postroom_crm::webapi::auth::Fixed;
use postroom_embedded::soap::{Generation, Settings as SoapSettings};

use crate::server::{self, PROTECTION, Server};

/// What is spoken on a road.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    WebApi,
    Soap(Generation),
}

impl Wire {
    /// Whether a server of this wire keeps account of changes.
    pub fn tracks(self) -> bool {
        matches!(self, Wire::WebApi | Wire::Soap(Generation::Dataverse))
    }
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Too much at once, with this wait in seconds: one limit of the three after the other; nothing is done.
    Limited(Option<&'static str>),
    /// 503 with this `Retry-After`; nothing is done.
    Away(Option<&'static str>),
    /// Done, but what stands between waited too long: 504.
    Late,
    /// Done, and the connection breaks before the answer.
    Lost,
    /// Done, and the connection breaks in the middle of the answer.
    Broken,
    /// Done, and the answer ends in the middle as if it were whole.
    Cut,
    /// Half open: taken and never answered; nothing is done.
    Deaf,
    /// Half open: done and never answered.
    Mute,
}

impl Wrong {
    pub const ALL: &[Wrong] = &[
        Wrong::Limited(Some("0")),
        Wrong::Limited(None),
        Wrong::Away(Some("0")),
        Wrong::Away(None),
        Wrong::Late,
        Wrong::Lost,
        Wrong::Broken,
        Wrong::Cut,
        Wrong::Deaf,
        Wrong::Mute,
    ];
}

pub struct Road {
    pub url: String,
    wire: Wire,
    way: Arc<Way>,
}

struct Way {
    to: String,
    http: reqwest::Client,
    calls: AtomicUsize,
    /// The call that goes wrong, from now on counted, and how.
    trap: Mutex<Option<(usize, Wrong)>>,
    /// What the trap does, or did.
    wrong: Mutex<Option<Wrong>>,
}

impl Road {
    pub async fn to(server: &Server, wire: Wire) -> Road {
        if let Wire::Soap(generation) = wire {
            server.be(SoapSettings { generation, ..SoapSettings::default() });
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let way = Arc::new(Way {
            to: server.url.clone(),
            http: server::plain(),
            calls: AtomicUsize::new(0),
            trap: Mutex::default(),
            wrong: Mutex::default(),
        });
        let app = Router::new().fallback(pass).with_state(Arc::clone(&way));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Road { url, wire, way }
    }

    /// The nth call from now goes wrong.
    pub fn trap(&self, nth: usize, wrong: Wrong) {
        let call = self.way.calls.load(Ordering::SeqCst) + nth;
        *self.way.trap.lock().unwrap() = Some((call, wrong));
        *self.way.wrong.lock().unwrap() = Some(wrong);
    }

    /// Whether the call that was to go wrong came by.
    pub fn sprung(&self) -> bool {
        self.way.trap.lock().unwrap().is_none()
    }

    /// A new client, as a new process has it, that comes by this road. It waits long where nothing is silent, so that a busy
    /// machine breaks nothing else than what is broken on purpose.
    pub fn client(&self, server: &Server) -> Arc<dyn Crm> {
        let silent = matches!(*self.way.wrong.lock().unwrap(), Some(Wrong::Deaf | Wrong::Mute));
        let timeout = Duration::from_secs(if silent { 2 } else { 60 });
        match self.wire {
            Wire::WebApi => Arc::new(server.client_with(|settings| {
                *settings = Settings::new(&self.url).unwrap();
                (settings.timeout, settings.batch) = (timeout, 4);
            })),
            Wire::Soap(_) => {
                let token = Arc::new(Fixed(Secret::new("letmein")));
                let transport = Arc::new(Bearer::new(self.way.http.clone(), token));
                Arc::new(server.soap_at(&self.url, transport, |settings| {
                    (settings.timeout, settings.batch) = (timeout, 4);
                }))
            }
        }
    }
}

async fn pass(State(way): State<Arc<Way>>, request: Request) -> Response {
    let call = way.calls.fetch_add(1, Ordering::SeqCst) + 1;
    let wrong = {
        let mut trap = way.trap.lock().unwrap();
        trap.take_if(|(at, _)| *at == call).map(|(_, wrong)| wrong)
    };
    match wrong {
        Some(Wrong::Limited(wait)) => return limited(request.uri().path(), PROTECTION[call % 3], wait),
        Some(Wrong::Away(wait)) => return refused(StatusCode::SERVICE_UNAVAILABLE, "", wait),
        Some(Wrong::Deaf) => return std::future::pending().await,
        _ => {}
    }
    let (parts, body) = request.into_parts();
    let url = format!("{}{}", way.to, parts.uri);
    let mut headers = parts.headers;
    headers.remove("host");
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let answer = way.http.request(parts.method, url).headers(headers).body(body).send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    let mut fields = answer.headers().clone();
    fields.remove("transfer-encoding");
    fields.remove("content-length");
    *response.headers_mut().unwrap() = fields;
    let body = answer.bytes().await.unwrap();
    let half = body.slice(..body.len() / 2);
    match wrong {
        Some(Wrong::Late) => refused(StatusCode::GATEWAY_TIMEOUT, "", None),
        Some(Wrong::Lost) => broken(response, Bytes::new(), body.len() + 100),
        Some(Wrong::Broken) => broken(response, half, body.len() + 100),
        Some(Wrong::Cut) => response.body(Body::from(half)).unwrap(),
        Some(Wrong::Mute) => std::future::pending().await,
        _ => response.body(Body::from(body)).unwrap(),
    }
}

/// Promises more than comes: the connection breaks.
fn broken(response: axum::http::response::Builder, part: Bytes, promised: usize) -> Response {
    let parts = [Ok(part), Err(std::io::Error::other("cut"))];
    let body = Body::from_stream(futures_util::stream::iter(parts));
    response.header("content-length", promised).body(body).unwrap()
}

/// One of the limits, as either wire says it.
fn limited(path: &str, code: u32, wait: Option<&str>) -> Response {
    match path.starts_with("/XRMServices/") {
        true => server::limited(code, wait.map(|wait| wait.parse().unwrap())),
        false => refused(StatusCode::TOO_MANY_REQUESTS, &format!("{code:#x}"), wait),
    }
}

fn refused(status: StatusCode, code: &str, wait: Option<&str>) -> Response {
    let body = format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"on the road\"}}}}");
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    if let Some(wait) = wait {
        response = response.header("retry-after", wait);
    }
    response.body(Body::from(body)).unwrap()
}
