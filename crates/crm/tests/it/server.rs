//! A CRM server on loopback: the embedded CRM's doors behind HTTP, and things that go wrong on the way.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use postroom_core::{Clock, Content, Crm, Fault, Ids, Secret};
use postroom_crm::sign_in::{Bearer, Connection, Fingerprint, Transport, Windows};
use postroom_crm::soap::{self, Soap};
use postroom_crm::webapi::auth::Fixed;
use postroom_crm::webapi::{Bodies, Settings, WebApi};
use postroom_embedded::soap::{Door as SoapDoor, Settings as SoapSettings};
use postroom_embedded::webapi::{
    Ability, ApiVersion, Door, Reply, Request as Asked, Settings as DoorSettings,
};
use postroom_embedded::{Embedded, MIGRATIONS, seed};
use postroom_formats::soap::envelope::{Envelope, Headers, Soap as Version};
use postroom_formats::soap::{Generation, fault};
use postroom_sandbox::identity::User;
use postroom_sandbox::identity::windows::{Front, Options as WindowsOptions};
use postroom_store::{Options, Store};
use postroom_testkit::database::{Database, Template};

/// Which database a test runs on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

/// What an old server does not know, and what breaks on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mood {
    #[default]
    Well,
    /// The door lacks this.
    Without(Ability),
    /// The door is the server whose newest version this is.
    Version(ApiVersion),
    NoWebApi,
    /// Changes are refused, whatever the definitions say.
    NoTracking,
    /// The organisation's settings may not be read.
    NoOrganization,
    /// A message that holds this text is refused for an attachment of a blocked kind.
    Blocks(&'static str),
    /// Every nth call is done, and the gateway before the server waited too long.
    Late(usize),
    /// Every nth call: 429 with a short wait.
    Limits(usize),
    /// Every nth call: 503 before anything is done.
    Away(usize),
    /// Every nth call is done, and its answer thrown away.
    Lost(usize),
    /// Every nth call is done, and its answer ends in the middle.
    Cut(usize),
    /// Every nth call is never answered.
    Silent(usize),
    /// Only the nth call is done, and its answer thrown away.
    LostOnce(usize),
}

impl Mood {
    /// What it means for this call.
    fn now(self, call: usize) -> Mood {
        match self {
            Mood::LostOnce(nth) if nth == call => Mood::Lost(1),
            Mood::LostOnce(_) => Mood::Well,
            other => other,
        }
    }
}

pub struct Server {
    pub embedded: Embedded,
    pub clock: Clock,
    pub url: String,
    state: Arc<Here>,
    _database: Database,
}

/// The database of an organisation in which nothing was done yet.
static INSTALLED: Template = Template::new();

async fn open(url: &str) -> (Embedded, Clock) {
    let clock = Clock::manual("2026-11-02T08:00:00Z".parse::<Timestamp>().unwrap());
    let store = Store::open(url, &Options::default(), &[MIGRATIONS]).await.unwrap();
    (Embedded::open(store, clock.clone()).await.unwrap(), clock)
}

/// Refuses a request that is not signed in.
pub type Gate = Arc<dyn Fn(&Parts, &[u8]) -> Option<Response> + Send + Sync>;

struct Here {
    door: Mutex<Door>,
    gate: Mutex<Gate>,
    soap: Mutex<SoapDoor>,
    embedded: Embedded,
    origin: String,
    mood: Mutex<Mood>,
    calls: AtomicUsize,
    /// Calls by method and first segment.
    seen: Mutex<BTreeMap<String, usize>>,
    /// Answers about definitions, by address and body: no test changes a table, so each is made once.
    described: Mutex<HashMap<(String, Bytes), Reply>>,
}

struct NoBodies(Embedded);

#[async_trait]
impl Bodies for NoBodies {
    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        self.0.read(content).await
    }
}

impl Server {
    pub async fn new(on: On) -> Server {
        let install = async |url: String| drop(open(&url).await);
        let database = match on {
            On::Sqlite => INSTALLED.sqlite(install).await,
            On::Postgres => INSTALLED.postgres(install).await,
        };
        let (embedded, clock) = open(&database.url).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Here {
            door: Mutex::new(Door::new(Ids::random(), DoorSettings::default())),
            gate: Mutex::new(Arc::new(|parts, _| bearer(parts))),
            soap: Mutex::new(SoapDoor::new(Ids::random(), SoapSettings::default())),
            embedded: embedded.clone(),
            origin: origin.clone(),
            mood: Mutex::default(),
            calls: AtomicUsize::new(0),
            seen: Mutex::default(),
            described: Mutex::default(),
        });
        let server = Server { embedded, clock, url: origin, state, _database: database };
        let app = server.router();
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    pub fn mood(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
        let settings = match mood {
            Mood::Without(ability) => DoorSettings { without: vec![ability], ..DoorSettings::default() },
            Mood::Version(version) => DoorSettings { version, ..DoorSettings::default() },
            _ => DoorSettings::default(),
        };
        *self.state.door.lock().unwrap() = Door::new(Ids::random(), settings);
        self.state.described.lock().unwrap().clear();
    }

    /// Which server the SOAP door is from now on.
    pub fn be(&self, settings: SoapSettings) {
        *self.state.soap.lock().unwrap() = SoapDoor::new(Ids::random(), settings);
        self.state.described.lock().unwrap().clear();
    }

    /// From now on requests are let in by this.
    pub fn gate(&self, gate: Gate) {
        *self.state.gate.lock().unwrap() = gate;
    }

    /// The server's own handler, to be put behind something else.
    pub fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(Arc::clone(&self.state))
    }

    /// A new client of the SOAP door.
    pub fn soap(&self) -> Soap {
        self.soap_with(|_| {})
    }

    pub fn soap_with(&self, change: impl FnOnce(&mut soap::Settings)) -> Soap {
        let token = Arc::new(Fixed(Secret::new("letmein")));
        self.soap_at(&self.url, Arc::new(Bearer::new(plain(), token)), change)
    }

    /// A client that finds the server at this address.
    pub fn soap_at(
        &self,
        url: &str,
        transport: Arc<dyn Transport>,
        change: impl FnOnce(&mut soap::Settings),
    ) -> Soap {
        let mut settings = soap::Settings::new(url).unwrap();
        settings.timeout = Duration::from_secs(30);
        change(&mut settings);
        let bodies = Arc::new(NoBodies(self.embedded.clone()));
        Soap::new(settings, transport, bodies, self.clock.clone(), Ids::random())
    }

    pub fn calls(&self) -> usize {
        self.state.calls.load(Ordering::SeqCst)
    }

    /// Calls of this kind, such as `POST $batch`.
    pub fn seen(&self, what: &str) -> usize {
        self.state.seen.lock().unwrap().get(what).copied().unwrap_or_default()
    }

    /// A new client of it.
    pub fn client(&self) -> WebApi {
        self.client_with(|_| {})
    }

    /// A client that signs in with a Windows account, at a front before the same server.
    pub fn windows_client(&self) -> (WebApi, Front) {
        let bearer = HeaderValue::from_static("Bearer letmein");
        let admit = axum::middleware::map_request(move |mut request: Request| {
            request.headers_mut().insert("authorization", bearer.clone());
            async move { request }
        });
        let app = Router::new().fallback(answer).layer(admit).with_state(Arc::clone(&self.state));
        let users = vec![User { name: "CONTOSO\\alice".into(), password: "letmein".into() }];
        let front =
            Front::start(WindowsOptions { users, ..WindowsOptions::default() }, self.clock.clone(), app);
        let (password, connection) = (Secret::new("letmein"), Connection::default());
        let windows =
            Windows::new(connection, "CONTOSO\\alice", &password, None, self.clock.clone()).unwrap();
        let bodies = Arc::new(NoBodies(self.embedded.clone()));
        let settings = Settings::new(&front.url()).unwrap();
        let client = WebApi::new(settings, Arc::new(windows), bodies, self.clock.clone(), Ids::random());
        (client, front)
    }

    pub fn client_with(&self, change: impl FnOnce(&mut Settings)) -> WebApi {
        let mut settings = Settings::new(&self.url).unwrap();
        settings.timeout = Duration::from_secs(30);
        change(&mut settings);
        let bearer = Arc::new(Bearer::new(plain(), Arc::new(Fixed(Secret::new("letmein")))));
        let bodies = Arc::new(NoBodies(self.embedded.clone()));
        WebApi::new(settings, bearer, bodies, self.clock.clone(), Ids::random())
    }
}

/// An HTTP client for servers without TLS. Its pin fits nobody, and with a pin the system's certificates are not read, which
/// takes a debug build longer than all that such a client is made for.
pub fn plain() -> reqwest::Client {
    let pins = vec![Fingerprint::of(b"nobody")];
    Connection { pins, ..Connection::default() }.client().unwrap()
}

fn bearer(parts: &Parts) -> Option<Response> {
    let given = parts.headers.get("authorization").map(|value| value.to_str().unwrap());
    (given != Some("Bearer letmein")).then(|| refused(StatusCode::UNAUTHORIZED, "0x80040220", "no token"))
}

impl Here {
    async fn reply(&self, asked: Asked) -> Reply {
        let in_soap = asked.url.starts_with("/XRMServices/");
        let describes = match in_soap {
            // `RetrieveEntityChanges` begins so, too, and is about rows.
            true => {
                let named =
                    ["RetrieveEntity", "RetrieveMetadata"].iter().any(|name| holds(&asked.body, name));
                named && !holds(&asked.body, "RetrieveEntityChanges")
            }
            false => asked.method == Method::GET && asked.url.contains("/EntityDefinitions"),
        };
        let key = (asked.url.clone(), asked.body.clone());
        let known = self.described.lock().unwrap().get(&key).filter(|_| describes).cloned();
        if let Some(reply) = known {
            return reply;
        }
        let session = match asked.headers.get("mscrmcallerid") {
            Some(user) => {
                let user = user.to_str().unwrap().parse().unwrap();
                self.embedded.session_as(seed::ADMINISTRATOR, user)
            }
            None => self.embedded.session(seed::ADMINISTRATOR),
        };
        let (soap, door) = (self.soap.lock().unwrap().clone(), self.door.lock().unwrap().clone());
        let reply = match in_soap {
            true => soap.answer(&session, asked).await,
            false => door.answer(&session, asked).await,
        };
        if describes && reply.status.is_success() {
            self.described.lock().unwrap().insert(key, reply.clone());
        }
        reply
    }
}

fn holds(body: &[u8], text: &str) -> bool {
    // As texts, which the standard library searches as fast in a debug build.
    std::str::from_utf8(body).is_ok_and(|body| body.contains(text))
}

async fn answer(State(here): State<Arc<Here>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let gate = Arc::clone(&*here.gate.lock().unwrap());
    if let Some(refusal) = gate(&parts, &body) {
        return refusal;
    }
    let url = parts.uri.path_and_query().unwrap().to_string();
    let what = what(&parts.method, &url, &body);
    let in_soap = url.starts_with("/XRMServices/");
    *here.seen.lock().unwrap().entry(what).or_default() += 1;
    let call = here.calls.fetch_add(1, Ordering::SeqCst) + 1;
    let mood = here.mood.lock().unwrap().now(call);
    let hit = |nth: usize| call.is_multiple_of(nth);
    match mood {
        Mood::NoTracking if tracks(&parts.headers) => {
            return refused(
                StatusCode::BAD_REQUEST,
                "0x80072491",
                "Entity isn't enabled for change tracking",
            );
        }
        Mood::Limits(nth) if hit(nth) && in_soap => return limited(PROTECTION[call % 3], Some(0)),
        Mood::NoWebApi if !in_soap => return unknown("api"),
        Mood::NoOrganization
            if url.contains("/organizations?") || in_soap && holds(&body, ">organization<") =>
        {
            let text = "Principal user is missing prvReadOrganization privilege";
            return denied(in_soap, StatusCode::FORBIDDEN, 0x8004_0220, text);
        }
        Mood::Blocks(name) if holds(&body, name) => {
            let text = "The attachment is either not a valid type or is too large. It cannot be uploaded or downloaded.";
            return denied(in_soap, StatusCode::BAD_REQUEST, 0x8004_3e09, text);
        }
        Mood::Limits(nth) if hit(nth) => return limited_web(call),
        Mood::Away(nth) if hit(nth) => return refused(StatusCode::SERVICE_UNAVAILABLE, "", "away"),
        _ => {}
    }
    let reply = here.reply(Asked {
        method: parts.method,
        url,
        origin: here.origin.clone(),
        headers: parts.headers,
        body,
    });
    let reply = reply.await;
    let mut response = Response::builder().status(reply.status);
    *response.headers_mut().unwrap() = reply.headers;
    match mood {
        Mood::Lost(nth) if hit(nth) => broken(response, Vec::new(), reply.body.len() + 100),
        Mood::Cut(nth) if hit(nth) => {
            let half = reply.body[..reply.body.len() / 2].to_vec();
            broken(response, half, reply.body.len() + 100)
        }
        Mood::Late(nth) if hit(nth) => {
            refused(StatusCode::GATEWAY_TIMEOUT, "", "the gateway waited too long")
        }
        Mood::Silent(nth) if hit(nth) => {
            std::future::pending::<()>().await;
            unreachable!("nobody is answered")
        }
        _ => response.body(Body::from(reply.body)).unwrap(),
    }
}

/// Too many requests, in the Web API's words.
fn limited_web(call: usize) -> Response {
    let code = format!("{:#x}", PROTECTION[call % 3]);
    let mut response = refused(StatusCode::TOO_MANY_REQUESTS, &code, "Number of requests exceeded");
    response.headers_mut().insert("retry-after", "0".parse().unwrap());
    response
}

/// How a call is counted: `POST $batch`, or the SOAP message's name.
pub fn what(method: &axum::http::Method, url: &str, body: &[u8]) -> String {
    if url.starts_with("/XRMServices/") {
        let text = String::from_utf8_lossy(body);
        let name =
            text.rsplit_once("RequestName>").and_then(|(before, _)| before.rsplit_once("RequestName>"));
        let name = name.map(|(_, name)| name.split('<').next().unwrap_or_default());
        let operation = || text.split("Body><").nth(1)?.split([' ', '>']).next();
        return name.or_else(operation).unwrap_or_default().to_owned();
    }
    let path = url.strip_prefix("/api/data/v9.2/").unwrap_or(url);
    format!("{method} {}", path.split(['/', '?', '(']).next().unwrap_or_default())
}

/// The limits of service protection: requests, execution time, concurrency.
pub const PROTECTION: [u32; 3] = [0x8007_2322, 0x8007_2321, 0x8007_2326];

/// One of them, in SOAP, with this wait in seconds.
pub fn limited(code: u32, wait: Option<i64>) -> Response {
    let retry_after = wait.map(jiff::SignedDuration::from_secs);
    faulted(&fault::Fault {
        retry_after,
        ..fault::Fault::new(code.cast_signed(), "Number of requests exceeded")
    })
}

fn faulted(fault: &fault::Fault) -> Response {
    let envelope = Envelope::fault(Version::V11, Headers::default(), fault, Generation::Dataverse);
    Response::builder()
        .status(StatusCode::INTERNAL_SERVER_ERROR)
        .header("content-type", "text/xml; charset=utf-8")
        .body(Body::from(envelope.write()))
        .unwrap()
}

/// A refusal over either wire.
fn denied(in_soap: bool, status: StatusCode, code: u32, text: &str) -> Response {
    match in_soap {
        true => faulted(&fault::Fault::new(code.cast_signed(), text)),
        false => refused(status, &format!("{code:#x}"), text),
    }
}

/// Promises more than comes: the connection breaks.
fn broken(response: axum::http::response::Builder, part: Vec<u8>, promised: usize) -> Response {
    let parts = [Ok(Bytes::from(part)), Err(std::io::Error::other("cut"))];
    let body = Body::from_stream(futures_util::stream::iter(parts));
    response.header("content-length", promised).body(body).unwrap()
}

fn tracks(headers: &HeaderMap) -> bool {
    headers.get("prefer").is_some_and(|value| value.to_str().unwrap().contains("track-changes"))
}

fn unknown(segment: &str) -> Response {
    let text = format!("Resource not found for the segment '{segment}'.");
    refused(StatusCode::NOT_FOUND, "0x80060888", &text)
}

fn refused(status: StatusCode, code: &str, text: &str) -> Response {
    let body = format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"{text}\"}}}}");
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap()
}

/// Each test twice: on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(crate::server::On::Sqlite).await }) + }
        mod postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(crate::server::On::Postgres).await }) + }
    };
}
pub(crate) use on_both;

/// Each test on SQLite alone.
macro_rules! on_sqlite {
    ($($name:ident),+ $(,)?) => {
        mod sqlite_alone { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(crate::server::On::Sqlite).await }) + }
    };
}
pub(crate) use on_sqlite;
