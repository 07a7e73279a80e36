//! The embedded CRM as a server outside: its two doors on loopback, and the makes of the port that speak to them. Servers of
//! 2011 and 2016 are the same doors with what those did not have switched off.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode};
use postroom_core::{Clock, Content, Crm, Fault, Ids, Secret};
use postroom_crm::sign_in::{Bearer, Connection, Fingerprint};
use postroom_crm::soap::{self, Soap};
use postroom_crm::webapi::auth::Fixed;
use postroom_crm::webapi::{Bodies, Settings, WebApi};
use postroom_embedded::soap::{Door as SoapDoor, Generation, Settings as SoapSettings};
use postroom_embedded::webapi::{Door, Reply, Request as Asked};
use postroom_embedded::{Embedded, seed};

use crate::bench::On;

/// Where definitions are told from: the same for every server, so that what one told is what all would tell.
const ANYWHERE: &str = "http://127.0.0.1";

/// What was told of definitions, by server, address and body. They cost most of a test over a door, and a lab's are those of
/// every other lab of its kind.
static TOLD: LazyLock<Mutex<Told>> = LazyLock::new(Mutex::default);

type Told = HashMap<(On, String, Bytes), Reply>;

struct Server {
    embedded: Embedded,
    web: Door,
    soap: SoapDoor,
    origin: String,
    on: On,
    switches: Arc<Switches>,
}

/// What a test decides about a door while it is open.
#[derive(Debug, Default)]
pub struct Switches {
    /// Somebody changes the CRM's tables.
    pub changing: AtomicBool,
    /// Calls so far.
    pub calls: AtomicUsize,
    /// The call, counted from 1, that is done and whose answer nobody hears; 0 is none.
    pub lost: AtomicUsize,
}

/// The port to this CRM as it is met there: itself, or a client of a door of it.
pub async fn port(embedded: &Embedded, clock: &Clock, on: On, switches: &Arc<Switches>) -> Arc<dyn Crm> {
    if !on.is_outside() {
        return Arc::new(embedded.clone());
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let generation = if on == On::Soap2011 { Generation::Crm2011 } else { Generation::Dataverse };
    let server = Server {
        embedded: embedded.clone(),
        web: Door::new(Ids::random(), Default::default()),
        soap: SoapDoor::new(Ids::random(), SoapSettings { generation, ..SoapSettings::default() }),
        origin: url.clone(),
        on,
        switches: Arc::clone(switches),
    };
    let app = Router::new().fallback(answer).with_state(Arc::new(server));
    tokio::spawn(async move { axum::serve(listener, app).await });
    client(&url, embedded, clock, on)
}

fn client(url: &str, embedded: &Embedded, clock: &Clock, on: On) -> Arc<dyn Crm> {
    // A pin that fits nobody: with one the system's certificates are not read, which takes a debug build longer than a test.
    let pins = vec![Fingerprint::of(b"nobody")];
    let http = Connection { pins, ..Connection::default() }.client().unwrap();
    let sign_in = Arc::new(Bearer::new(http, Arc::new(Fixed(Secret::new("letmein")))));
    let bodies = Arc::new(Kept(embedded.clone()));
    match on {
        On::Soap | On::Soap2011 => {
            let mut settings = soap::Settings::new(url).unwrap();
            settings.timeout = Duration::from_secs(60);
            Arc::new(Soap::new(settings, sign_in, bodies, clock.clone(), Ids::random()))
        }
        _ => {
            let mut settings = Settings::new(url).unwrap();
            settings.timeout = Duration::from_secs(60);
            Arc::new(WebApi::new(settings, sign_in, bodies, clock.clone(), Ids::random()))
        }
    }
}

struct Kept(Embedded);

#[async_trait]
impl Bodies for Kept {
    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        self.0.read(content).await
    }
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let url = parts.uri.path_and_query().unwrap().to_string();
    let call = server.switches.calls.fetch_add(1, Ordering::SeqCst) + 1;
    let reply = match server.lacks(&url, &parts.headers) {
        Some(reply) => reply,
        None => server.told(parts.method, url, parts.headers, body).await,
    };
    let mut response = Response::builder().status(reply.status);
    *response.headers_mut().unwrap() = reply.headers;
    if server.switches.lost.load(Ordering::SeqCst) == call {
        // More is promised than comes: the connection breaks.
        let broken = [Err::<Bytes, _>(std::io::Error::other("lost"))];
        let body = Body::from_stream(futures_util::stream::iter(broken));
        return response.header("content-length", reply.body.len() + 100).body(body).unwrap();
    }
    response.body(Body::from(reply.body)).unwrap()
}

impl Server {
    /// What the Web API of 2016 answers otherwise. It keeps no account of changes of these tables, and has no messages of many
    /// rows.
    fn lacks(&self, url: &str, headers: &HeaderMap) -> Option<Reply> {
        if self.on != On::WebApi2016 {
            return None;
        }
        let Some(path) = url.strip_prefix("/api/data/v8.2/") else {
            return Some(refused(
                StatusCode::NOT_FOUND,
                "0x80060888",
                "Resource not found for the segment 'api'.",
            ));
        };
        let tracks =
            headers.get("prefer").is_some_and(|value| value.to_str().unwrap().contains("track-changes"));
        if path.starts_with("RetrieveVersion") {
            let version = Generation::Crm2016.version();
            return Some(Reply::json(StatusCode::OK, format!("{{\"Version\":\"{version}\"}}")));
        }
        if tracks {
            let text = "Entity isn't enabled for change tracking";
            return Some(refused(StatusCode::BAD_REQUEST, "0x80072491", text));
        }
        let text = "Resource not found for the segment 'Microsoft.Dynamics.CRM.CreateMultiple'.";
        path.contains("Multiple").then(|| refused(StatusCode::NOT_FOUND, "0x80060888", text))
    }

    async fn told(&self, method: Method, url: String, headers: HeaderMap, body: Bytes) -> Reply {
        let in_soap = url.starts_with("/XRMServices/");
        let settled = !self.switches.changing.load(Ordering::SeqCst);
        let describes = settled && describes(in_soap, &method, &url, &body);
        let key = (self.on, url.clone(), body.clone());
        let known = TOLD.lock().unwrap().get(&key).filter(|_| describes).cloned();
        if let Some(reply) = known {
            return reply;
        }
        let session = match headers.get("mscrmcallerid") {
            Some(user) => {
                let user = user.to_str().unwrap().parse().unwrap();
                self.embedded.session_as(seed::ADMINISTRATOR, user)
            }
            None => self.embedded.session(seed::ADMINISTRATOR),
        };
        let origin = if describes { ANYWHERE.to_owned() } else { self.origin.clone() };
        let asked = Asked { method, url, origin, headers, body };
        let reply = match in_soap {
            true => self.soap.answer(&session, asked).await,
            false => self.web.answer(&session, asked).await,
        };
        if describes && reply.status.is_success() {
            TOLD.lock().unwrap().insert(key, reply.clone());
        }
        reply
    }
}

/// Whether definitions are asked for, not rows.
fn describes(in_soap: bool, method: &Method, url: &str, body: &[u8]) -> bool {
    // As texts, which the standard library searches as fast in a debug build.
    let body = std::str::from_utf8(body).unwrap_or_default();
    let names = |text: &str| body.contains(text);
    match in_soap {
        true => (names("RetrieveEntity") || names("RetrieveMetadata")) && !names("RetrieveEntityChanges"),
        false => *method == Method::GET && url.contains("/EntityDefinitions"),
    }
}

fn refused(status: StatusCode, code: &str, text: &str) -> Reply {
    Reply::json(status, format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"{text}\"}}}}"))
}
