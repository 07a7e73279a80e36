//! The doors of the embedded CRM on the wire: `/api/data/…` and `/XRMServices/2011/…`, with an organisation's name before
//! them or without, and the token endpoint that their clients sign in at.
//!
//! # Design
//!
//! * These paths are other people's: they answer as Dynamics does, errors included, and have no part in the problems, pages
//!   and roles of postroom itself. So they are taken out before the router sees them ([`divert`]).
//! * Nobody's body is read before it is known who sends it. Then: the limits of the user, the port, the answer.
//! * A request that was begun is carried through when its client goes away, so that a write is done or not done, and the log
//!   says which.
//! * [`origin`]: the address that the client used, for every absolute URL. [`sign_in`]: tokens, and where to get them.

mod form;
mod origin;
mod sign_in;
mod token;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use postroom_core::{DoorKind, DoorRefusal, DoorReply, DoorRequest, Fault};
use postroom_operations::{DoorUser, Stranger};
use tower::ServiceExt;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::Predicate;
use tracing::Instrument;

use crate::app::App;
use crate::auth::Peer;
use crate::problem::Said;

/// A request may take as long as at the platform.
const LONGEST: Duration = Duration::from_secs(120);
/// Signing in is a matter of a few bytes.
const SIGN_IN: Duration = Duration::from_secs(15);
/// Answers from this size on are compressed for those who ask.
const COMPRESS_FROM: u64 = 4 * 1024;
/// Bodies larger than this are read a few at a time, so that all of them together fit into memory.
const LARGE: u64 = 1 << 20;
/// How many of those.
pub(crate) const LARGE_AT_ONCE: usize = 8;

/// The platform's numbers for what is refused here.
mod codes {
    /// InvalidUserAuth
    pub(super) const NOBODY: u32 = 0x8004_0204;
    /// AccessDenied
    pub(super) const DENIED: u32 = 0x8004_8405;
    /// InvalidArgument
    pub(super) const ARGUMENT: u32 = 0x8004_0203;
    /// UnExpected
    pub(super) const UNEXPECTED: u32 = 0x8004_0216;
}

/// Everything behind the doors' paths.
pub(crate) fn router(app: App) -> Router {
    // The quickest level shrinks a page of rows to an eighth in JSON and to a thirtieth in XML; the usual one takes four to six
    // times the CPU, half of what a page takes in all, to make that a twelfth and a ninetieth.
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(WorthIt);
    Router::new().fallback(answer).layer(compression).with_state(app)
}

/// Takes the doors' requests out of the way of all others.
pub(crate) async fn divert(
    State((app, doors)): State<(App, Router)>,
    request: Request,
    next: Next,
) -> Response {
    match app.operations.has_doors() && is_ours(request.uri().path()) {
        true => match doors.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        false => next.run(request).await,
    }
}

fn is_ours(path: &str) -> bool {
    DoorKind::of(path).is_some() || sign_in::Resource::of(path).is_some()
}

async fn answer(State(app): State<App>, Peer(peer): Peer, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(client) = origin::Client::of(&app, peer, &parts) else {
        return said((StatusCode::BAD_REQUEST, "The Host header is missing or malformed.").into_response());
    };
    let path = parts.uri.path().to_owned();
    match (DoorKind::of(&path), sign_in::Resource::of(&path)) {
        (Some(kind), _) => {
            let asked = asked(kind, &client, parts);
            // A task of its own: a client that goes away does not cut a write in two, and a panic has an answer.
            let task = tokio::spawn(through(app.clone(), asked.clone(), body).in_current_span());
            let reply = task.await.unwrap_or_else(|error| {
                tracing::error!(event = "crm.door_panicked", %error, "A request at the CRM's door panicked");
                let text = "An unexpected error occurred.";
                let refusal = DoorRefusal::new(StatusCode::INTERNAL_SERVER_ERROR, codes::UNEXPECTED, text);
                app.operations.refuse_at_door(&asked, &refusal)
            });
            said(response(reply))
        }
        (None, Some(resource)) => {
            let work = sign_in::answer(&app, &client, resource, parts, body);
            let late = |_| StatusCode::REQUEST_TIMEOUT.into_response();
            said(tokio::time::timeout(SIGN_IN, work).await.unwrap_or_else(late))
        }
        (None, None) => StatusCode::NOT_FOUND.into_response(),
    }
}

fn asked(kind: DoorKind, client: &origin::Client, parts: Parts) -> DoorRequest {
    let url = parts.uri.path_and_query().map_or("/", |url| url.as_str()).to_owned();
    let (method, headers) = (parts.method, parts.headers);
    DoorRequest { kind, method, url, origin: client.origin.clone(), headers, body: Bytes::new() }
}

async fn through(app: App, asked: DoorRequest, body: Body) -> DoorReply {
    let head = DoorRequest { body: Bytes::new(), ..asked.clone() };
    match tokio::time::timeout(LONGEST, admitted(&app, asked, body)).await {
        Ok(reply) => reply,
        Err(_) => {
            let text = "The request took too long; ask for less at a time.";
            let refusal = DoorRefusal::new(StatusCode::GATEWAY_TIMEOUT, codes::UNEXPECTED, text);
            app.operations.refuse_at_door(&head, &refusal)
        }
    }
}

async fn admitted(app: &App, mut asked: DoorRequest, body: Body) -> DoorReply {
    if let Some(reply) = app.operations.describe_door(&asked) {
        return reply;
    }
    let who = match user(app, &asked.headers).await {
        Ok(who) => who,
        Err(refusal) => return refuse(app, &asked, &refusal),
    };
    match read(app, &asked.headers, body).await {
        Ok(body) => asked.body = body,
        Err(refusal) => return refuse(app, &asked, &refusal),
    }
    app.operations.through_door(&who, asked).await
}

async fn user(app: &App, headers: &HeaderMap) -> Result<DoorUser, DoorRefusal> {
    let nobody = |text: &str| DoorRefusal::new(StatusCode::UNAUTHORIZED, codes::NOBODY, text);
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
    let Some(bearer) = bearer else {
        return Err(nobody(
            "HTTP Error 401 - Unauthorized: Access is denied. Send Authorization: Bearer TOKEN.",
        ));
    };
    app.operations.door_user(bearer).await.map_err(|stranger| match stranger {
        Stranger::Unknown => nobody(
            "HTTP Error 401 - Unauthorized: Access is denied. The token is unknown, expired or revoked.",
        ),
        Stranger::Scope(scope) => {
            let text =
                format!("The token has the scope {}; this door needs one of scope crm.", scope.as_str());
            DoorRefusal::new(StatusCode::FORBIDDEN, codes::DENIED, text)
        }
        Stranger::Fault(fault) => away(&fault),
    })
}

/// The token of `Bearer TOKEN`.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn away(fault: &Fault) -> DoorRefusal {
    tracing::error!(event = "crm.door_failed", code = %fault.code, error = %fault, "Nobody can be let in: {fault}");
    let text = "The server is not able to process the request now.";
    let refusal = DoorRefusal::new(StatusCode::SERVICE_UNAVAILABLE, codes::UNEXPECTED, text);
    DoorRefusal { retry_after: Some(5), ..refusal }
}

/// A refusal; to strangers with where to sign in.
fn refuse(app: &App, asked: &DoorRequest, refusal: &DoorRefusal) -> DoorReply {
    let mut reply = app.operations.refuse_at_door(asked, refusal);
    if refusal.status == StatusCode::UNAUTHORIZED {
        let (origin, tenant) = (&asked.origin, app.operations.door_tenant());
        let challenge =
            format!("Bearer authorization_uri={origin}/{tenant}/oauth2/authorize, resource_id={origin}/");
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            reply.headers.insert(WWW_AUTHENTICATE, challenge);
        }
    }
    reply
}

/// The whole body, when it is not too large.
async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, DoorRefusal> {
    let limit = app.operations.door_max_request();
    let too_large = || {
        let text = format!("The request is larger than the {limit} bytes that are taken; send it in parts.");
        DoorRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, codes::ARGUMENT, text)
    };
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let is_large =
        length.unwrap_or(if headers.contains_key("transfer-encoding") { u64::MAX } else { 0 }) > LARGE;
    let _turn = match is_large {
        true => Some(app.large_bodies.acquire().await.expect("the semaphore is never closed")),
        false => None,
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    axum::body::to_bytes(body, most).await.map_err(|error| {
        let text = error.to_string();
        match text.contains("length limit") {
            true => too_large(),
            false => DoorRefusal::new(StatusCode::BAD_REQUEST, codes::ARGUMENT, "The body ended early."),
        }
    })
}

fn response(reply: DoorReply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// Complete as it is: no problem of ours is to be written over it.
fn said(mut response: Response) -> Response {
    response.extensions_mut().insert(Said);
    response
}

/// Text of some size.
#[derive(Clone, Copy)]
struct WorthIt;

impl Predicate for WorthIt {
    fn should_compress<B: http_body::Body>(&self, response: &http::Response<B>) -> bool {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default();
        let is_text = ["json", "xml", "text", "multipart"].iter().any(|word| kind.contains(word));
        let size = response.body().size_hint();
        is_text && size.exact().unwrap_or(size.lower()) >= COMPRESS_FROM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearers() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("Bearer ", None),
        ] {
            assert_eq!(bearer(value), expected, "{value}");
        }
    }

    #[test]
    fn only_the_doors_paths_are_taken() {
        for (path, expected) in [
            ("/api/data/v9.2/", true),
            ("/org/XRMServices/2011/Organization.svc", true),
            ("/common/oauth2/token", true),
            ("/api/v1/tokens", false),
            ("/messages", false),
        ] {
            assert_eq!(is_ours(path), expected, "{path}");
        }
    }
}
