//! HTTP: who asks, where, how often; what goes wrong before and after the handler.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::json;
use tokio::net::TcpStream;

use super::Region;
use super::control;
use super::fault::{self, Ordeal};
use super::limit::Ruling;
use super::rest::call::{Call, Refusal, Reply};
use super::rest::{Found, Tier, find};
use super::soap;
use super::world::{State, World};

/// The largest body that is read: v3's imports may have 50 MB.
const LARGEST_BODY: usize = 64 << 20;

/// Serves one connection to its end.
pub(super) async fn connection(stream: TcpStream, world: Arc<World>, region: Region) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        answer(Arc::clone(&world), region, request)
    });
    // Without it large answers wait for acknowledgements; a socket that refuses is served all the same.
    let _ = stream.set_nodelay(true);
    // A client that goes away is no failure of the server's, and a lost answer is wanted.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Why a connection ends without an answer.
#[derive(Debug)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer is lost, as the switch says")
    }
}

impl std::error::Error for Lost {}

async fn answer(
    world: Arc<World>,
    region: Region,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<Response, Lost> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(Body::new(body), LARGEST_BODY).await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let Some(segments) = segments(parts.uri.path()) else {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    };
    if let Some(("_sandbox", rest)) = segments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        let response = control::answer(&world, parts.method.as_str(), rest, &body);
        return Ok(kept(&world, response));
    }
    let served = if soap::is_door(&segments) {
        by_soap(&world, region, &parts, &body).await
    } else {
        let query = query(parts.uri.query().unwrap_or_default());
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let asked = Question { method, path, segments: &segments, query, body: &body, operation: None };
        world.settled(|state, now| serve(&world, state, now, region, &parts.headers, asked))
    };
    let served = if parts.method == "GET" {
        served
    } else {
        Served { response: served.response.map(|response| kept(&world, response)), ..served }
    };
    if !served.slow.is_zero() {
        tokio::time::sleep(served.slow).await;
    }
    match served.response {
        None => Err(Lost),
        Some(response) if served.cut => Ok(cut(dated(response, world.now())).await),
        Some(response) => Ok(dated(response, world.now())),
    }
}

/// A question of REST, or a call that was made one.
struct Question<'q> {
    method: &'q str,
    path: &'q str,
    segments: &'q [String],
    query: Vec<(String, String)>,
    body: &'q [u8],
    /// The operation of SOAP that it is.
    operation: Option<&'static str>,
}

/// A call of the older door.
async fn by_soap(world: &World, region: Region, parts: &Parts, body: &Bytes) -> Served {
    if parts.method == "GET" {
        let address = format!("{}/v2/api.svc", world.endpoint(region));
        return Served::plainly(soap::described(parts.uri.query(), &address));
    }
    let action = parts.headers.get("soapaction").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (operation, asked) = match soap::read(body, action) {
        Ok(read) => read,
        Err(response) => return Served::plainly(*response),
    };
    let path = asked.path();
    let question = Question {
        method: asked.method,
        path: &path,
        segments: &asked.segments,
        query: asked.query.clone(),
        body: &asked.body,
        operation: Some(operation.name),
    };
    let served = world.settled(|state, now| serve(world, state, now, region, &parts.headers, question));
    match served.response {
        Some(response) => Served { response: Some(soap::said(operation, &asked, response).await), ..served },
        None => served,
    }
}

/// The answer, once the file is written.
fn kept(world: &World, response: Response) -> Response {
    match world.keep() {
        Ok(()) => response,
        Err(error) => {
            let text = format!("The sandbox can't write its file: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

/// The decoded segments of a path.
fn segments(path: &str) -> Option<Vec<String>> {
    path.trim_start_matches('/').split('/').map(decoded).collect()
}

/// Percent-decoding; none when it is no UTF-8.
fn decoded(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
}

fn query(text: &str) -> Vec<(String, String)> {
    let pairs = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let plain = |text: &str| decoded(&text.replace('+', " ")).unwrap_or_default();
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

/// What becomes of a request.
struct Served {
    /// None: the connection ends.
    response: Option<Response>,
    slow: Duration,
    cut: bool,
}

impl Served {
    fn plainly(response: Response) -> Self {
        Served { response: Some(response), slow: Duration::ZERO, cut: false }
    }
}

fn serve(
    world: &World,
    state: &mut State,
    now: Timestamp,
    region: Region,
    headers: &HeaderMap,
    question: Question<'_>,
) -> Served {
    let Question { method, path, segments, query, body, operation } = question;
    let v3 = segments.get(1).is_some_and(|segment| segment == "v3");
    let Some(user) = signed_in(state, headers, now) else {
        return Served::plainly(unauthorised(v3));
    };
    let account = state.users[user].account;
    let home = state.regions.get(&account).copied().unwrap_or_default();
    if home != region && !(region == Region::R1 && path.eq_ignore_ascii_case("/v2/account-info")) {
        let why = "This account is served by another region".to_owned();
        return Served::plainly(
            Refusal::V2(StatusCode::FORBIDDEN, "ERROR_ACCOUNT_INVALID", why).into_response(),
        );
    }
    let found = find(method, segments);
    let name = match (operation, &found) {
        (Some(name), _) => format!("SOAP {name}"),
        (None, Found::Route(route, _)) => format!("{method} {}", route.pattern),
        _ => format!("{method} (unknown)"),
    };
    *state.received.entry(name.clone()).or_default() += body.len() as u64;
    *state.calls.entry(name).or_default() += 1;
    let ordeal = fault::take(&mut state.switches, method, path, account);
    let served = |response| Served { response, slow: ordeal.slow, cut: ordeal.cut };
    if ordeal.drop {
        return served(None);
    }
    if let Some((status, code)) = &ordeal.refuse {
        return served(Some(refused(*status, code, v3, now)));
    }
    let (route, captures) = match found {
        Found::Route(route, captures) => (route, captures),
        Found::OtherMethods(methods) => return served(Some(no_method(&methods))),
        Found::Nothing => return served(Some(no_path())),
    };
    let known = &mut state.users[user];
    let ruling = known.meter.count(known.limit, route.tier, now);
    if let Some(response) = limited(&ruling, v3) {
        return served(Some(with_limit(response, &ruling, route.tier)));
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let State { kept, behaviour, .. } = state;
    let Some(account) = kept.accounts.get_mut(&account) else { return Served::plainly(unauthorised(v3)) };
    let mut call = Call {
        account,
        behaviour,
        ids: &world.ids,
        now,
        captures,
        query,
        content_type: text(header::CONTENT_TYPE),
        body,
        endpoint: world.endpoint(home),
        usage: match ruling {
            Ruling::Flat { used, left, .. } => Some((used, left)),
            _ => None,
        },
        shift: ordeal.shift,
        import_fate: ordeal.import_fate,
    };
    let answer = (route.handler)(&mut call);
    let response = with_limit(written(answer, &ordeal, v3), &ruling, route.tier);
    served((!ordeal.lose).then_some(response))
}

fn written(answer: Result<Reply, Refusal>, ordeal: &Ordeal, v3: bool) -> Response {
    match answer {
        Ok(Reply::Json(status, mut body)) => {
            if ordeal.unknown && !v3 {
                fault::estrange(&mut body, &mut 0);
            }
            if ordeal.dates {
                fault::respell(&mut body, &mut 0);
            }
            Reply::Json(status, body).into_response()
        }
        Ok(reply) => reply.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

fn signed_in(state: &mut State, headers: &HeaderMap, now: Timestamp) -> Option<usize> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let pair = BASE64.decode(token.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let pair = String::from_utf8(pair).ok()?;
    let (name, password) = pair.split_once(':')?;
    state.sign_in(name, password, now)
}

/// v3 answers without a body.
fn unauthorised(v3: bool) -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"dotdigital\"")];
    if v3 {
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let why = "Authorization has been denied for this request".to_owned();
    (challenge, Refusal::V2(StatusCode::UNAUTHORIZED, "ERROR_INVALID_LOGIN", why)).into_response()
}

fn no_method(known: &[&str]) -> Response {
    let allow = HeaderValue::from_str(&known.join(", ")).unwrap_or(HeaderValue::from_static("GET"));
    let body = json!({ "message": "The resource does not support this method." });
    let mut response = Reply::Json(StatusCode::METHOD_NOT_ALLOWED, body).into_response();
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

fn no_path() -> Response {
    let body = json!({ "message": "No HTTP resource was found that matches the request." });
    Reply::Json(StatusCode::NOT_FOUND, body).into_response()
}

fn refused(status: u16, code: &str, v3: bool, now: Timestamp) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = match v3 {
        true => json!({ "errorCode": code, "description": "The service refuses", "details": [] }),
        false => json!({ "message": format!("Error: {code}") }),
    };
    let response = Reply::Json(status, body).into_response();
    if status != StatusCode::TOO_MANY_REQUESTS {
        return response;
    }
    let reset = (now.as_second().div_euclid(60) + 1) * 60;
    let scope = Tier::Low.scope();
    with_limit(response, &Ruling::Tiered { limit: 150, left: 0, reset, scope, within: false }, Tier::Low)
}

/// The refusal of a call that is beyond its limit.
fn limited(ruling: &Ruling, v3: bool) -> Option<Response> {
    match ruling {
        Ruling::Tiered { within: false, .. } if v3 => {
            let why = "The limit of this minute is reached".to_owned();
            Some(Refusal::V3(StatusCode::TOO_MANY_REQUESTS, "tooManyRequests", why).into_response())
        }
        Ruling::Tiered { within: false, .. } => {
            let body = json!({ "message": "Too many requests were made in this minute." });
            Some(Reply::Json(StatusCode::TOO_MANY_REQUESTS, body).into_response())
        }
        Ruling::Flat { within: false, .. } => {
            let why = "Your account has generated excess API activity and is being temporarily capped";
            Some(Refusal::because("ERROR_APIUSAGE_EXCEEDED", why).into_response())
        }
        _ => None,
    }
}

fn with_limit(mut response: Response, ruling: &Ruling, tier: Tier) -> Response {
    let Ruling::Tiered { limit, left, reset, scope, .. } = ruling else { return response };
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit", HeaderValue::from(*limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(*left));
    headers.insert("x-ratelimit-reset", HeaderValue::from(*reset));
    headers.insert("x-ratelimit-scope", HeaderValue::from_static(scope));
    debug_assert_eq!(*scope, tier.scope());
    response
}

/// An answer tells the time by the service's own clock, as its limits do: they end at a moment of it.
fn dated(mut response: Response, now: Timestamp) -> Response {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    if let Some(date) = date.ok().and_then(|date| HeaderValue::from_str(&date).ok()) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// Half of an answer whose length is told in full.
async fn cut(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = Half { sent: Some(whole.slice(..whole.len() / 2)), flushed: false, whole: whole.len() as u64 };
    Response::from_parts(parts, Body::new(half))
}

struct Half {
    sent: Option<Bytes>,
    flushed: bool,
    whole: u64,
}

impl HttpBody for Half {
    type Data = Bytes;
    type Error = Lost;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Lost>>> {
        if let Some(half) = self.sent.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        // What was written leaves while the server waits; an error would drop it.
        if !std::mem::replace(&mut self.flushed, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Lost)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole)
    }
}
