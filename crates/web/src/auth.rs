//! Who asks: bearer tokens, the session cookie, and what a browser must prove before it may change anything.
//!
//! A handler that takes one of these extractors has a caller; whether that caller may do the thing is asked by the operation.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};
use postroom_core::Code;
use postroom_operations::{Actor, Door, Scope, Session};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::problem::Problem;

/// The client's address, put into each request by the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Unknown peers are strangers.
        Ok(parts.extensions.get::<Peer>().copied().unwrap_or(Peer(IpAddr::from([0, 0, 0, 0]))))
    }
}

/// A mail agent: a bearer token of scope `agent`.
pub(crate) struct Agent(pub Actor);

impl FromRequestParts<App> for Agent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?
            .ok_or_else(|| Problem::unauthorized("send Authorization: Bearer prm_…"))?;
        known(app, token, Scope::Agent).await.map(Agent)
    }
}

/// A user of the REST API: a bearer token of scope `api`, or a signed-in browser.
pub(crate) struct Caller(pub Actor);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(token) = bearer(&parts.headers)? {
            return known(app, token, Scope::Api).await.map(Caller);
        }
        let SignedIn(session) = SignedIn::from_request_parts(parts, app).await?;
        if !is_safe(&parts.method) {
            same_origin(app, parts)?;
            let sent = parts.headers.get("x-csrf-token").and_then(|value| value.to_str().ok());
            same_csrf(&session, sent.unwrap_or_default())?;
        }
        Ok(Caller(Actor { door: Door::Api, ..session.actor }))
    }
}

/// Whoever may see details that strangers may not; never refuses.
pub(crate) struct MaybeCaller(pub Option<Actor>);

impl FromRequestParts<App> for MaybeCaller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let caller = Caller::from_request_parts(parts, app).await;
        Ok(MaybeCaller(caller.ok().map(|Caller(actor)| actor)))
    }
}

/// A signed-in browser that looks.
pub(crate) struct SignedIn(pub Session);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let refused =
            || Problem::unauthorized("open a sign-in link first, or send Authorization: Bearer prm_…");
        let Some(cookie) = cookie(&parts.headers, cookie_name(app)) else {
            return Err(match bearer(&parts.headers)? {
                Some(token) => lost(app, token).await,
                None => refused(),
            });
        };
        app.operations.session(cookie).await?.map(SignedIn).ok_or_else(refused)
    }
}

/// A program at a door for people. Sent to the sign-in page, it would take that page for its answer.
async fn lost(app: &App, token: &str) -> Problem {
    match app.operations.authenticate(token, &SCOPES).await {
        Ok(_) => {
            Problem::denied("pages are for people; a program asks /api/v1, or /agent/v1 as a mail agent")
        }
        Err(fault) => fault.into(),
    }
}

const SCOPES: [Scope; 3] = [Scope::Agent, Scope::Crm, Scope::Api];

/// A form sent by a signed-in browser from one of our own pages.
pub(crate) struct Sent {
    session: Session,
    /// The session's secret, for ending it.
    pub cookie: String,
    fields: BTreeMap<String, String>,
}

impl FromRequest<App> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let SignedIn(session) = SignedIn::from_request_parts(&mut parts, app).await?;
        same_origin(app, &parts)?;
        let cookie = cookie(&parts.headers, cookie_name(app)).unwrap_or_default().to_owned();
        let form = Form::<Vec<(String, String)>>::from_request(Request::from_parts(parts, body), app).await;
        let Form(pairs) = form.map_err(|rejection| Problem::input(rejection.body_text()))?;
        let fields: BTreeMap<String, String> = pairs.into_iter().collect();
        same_csrf(&session, fields.get("csrf").map(String::as_str).unwrap_or_default())?;
        Ok(Sent { session, cookie, fields })
    }
}

impl Sent {
    /// A field of the form, trimmed; empty when it was not sent.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map(|value| value.trim()).unwrap_or_default()
    }

    pub fn actor(&self) -> &Actor {
        &self.session.actor
    }

    /// For a form that is shown again.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// The `__Host-` prefix binds a cookie to this host and to TLS; browsers refuse it without.
pub(crate) fn cookie_name(app: &App) -> &'static str {
    if app.secure { "__Host-postroom" } else { "postroom" }
}

/// The value of a cookie in a request.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The bearer token; `None` when the request carries no `Authorization` at all.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Problem::unauthorized("Authorization must be: Bearer TOKEN")),
    }
}

/// The actor of a token. One of another scope is a known caller at the wrong door: 403, not 401.
async fn known(app: &App, token: &str, wanted: Scope) -> Result<Actor, Problem> {
    match app.operations.authenticate(token, &[wanted]).await {
        Err(fault) if fault.code == Code::API_TOKEN => {
            app.operations.authenticate(token, &SCOPES).await?;
            Err(Problem::denied(format!("this door needs a token of scope {}", wanted.as_str())))
        }
        answer => Ok(answer?),
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses a change that another site's page asks for. Browsers send one of these headers with every such request.
pub(crate) fn same_origin(app: &App, parts: &Parts) -> Result<(), Problem> {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let refused = || Problem::denied("the request came from another site");
    if let Some(site) = text("sec-fetch-site") {
        return if matches!(site, "same-origin" | "none") { Ok(()) } else { Err(refused()) };
    }
    let origin = text(ORIGIN.as_str()).map(str::to_ascii_lowercase).ok_or_else(refused)?;
    // HTTP/2 has the host in the request line.
    let host =
        parts.uri.authority().map(ToString::to_string).or_else(|| text(HOST.as_str()).map(str::to_owned));
    let own = host.map(|host| host.to_ascii_lowercase());
    let from_host = origin.split_once("://").map(|(_, host)| host.to_owned());
    match Some(&origin) == app.public_origin.as_ref() || (from_host.is_some() && from_host == own) {
        true => Ok(()),
        false => Err(refused()),
    }
}

fn same_csrf(session: &Session, sent: &str) -> Result<(), Problem> {
    match bool::from(session.csrf.as_bytes().ct_eq(sent.as_bytes())) {
        true => Ok(()),
        false => Err(Problem::denied("the form is from an older session; load the page again")),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; postroom=secret"));
        assert_eq!(cookie(&headers, "postroom"), Some("secret"));
        assert_eq!(cookie(&headers, "room"), None);
    }

    #[test]
    fn only_bearer_is_taken() {
        let mut headers = HeaderMap::new();
        assert!(matches!(bearer(&headers), Ok(None)));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic eA=="));
        assert!(bearer(&headers).is_err());
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer prm_1"));
        assert_eq!(bearer(&headers).unwrap(), Some("prm_1"));
    }
}
