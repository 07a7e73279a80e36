//! A request to the CRM, sent signed in: what the Web API and SOAP makes speak through.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use postroom_core::{Code, Fault, Secret};
use postroom_formats::gzip;

use super::connection::{unanswered, unreachable};
use super::refusal::refused;
use super::token::Token;

/// Sends requests, each signed in. The answer is whole; what its status means is the caller's to say, but a sign-in that
/// is refused is a fault.
#[async_trait]
pub trait Transport: Send + Sync {
    /// The request's address is absolute.
    ///
    /// # Errors
    /// [`postroom_core::Verdict::Retry`] when nothing was done, or reading again does no harm;
    /// [`postroom_core::Verdict::Unknown`] when a write may have happened.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault>;
}

/// With a bearer token.
pub struct Bearer {
    client: reqwest::Client,
    token: Arc<dyn Token>,
}

impl Bearer {
    pub fn new(client: reqwest::Client, token: Arc<dyn Token>) -> Self {
        Bearer { client, token }
    }

    async fn once(&self, request: &Request<Bytes>, token: &Secret) -> Result<Response<Bytes>, Fault> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| refused("the identity provider's token is no header's value; check its address"))?;
        value.set_sensitive(true);
        let mut headers = request.headers().clone();
        headers.insert(AUTHORIZATION, value);
        plain("the CRM", &self.client, request, headers).await
    }
}

#[async_trait]
impl Transport for Bearer {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let token = self.token.bearer().await?;
        let answer = self.once(&request, &token).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // Revoked before its time, or of a server whose keys changed: one new token, then it is a refusal.
        self.token.refused(&token).await;
        let fresh = self.token.bearer().await?;
        if fresh.expose() == token.expose() {
            return Err(refused(
                "the CRM refuses the token: it has ended, was revoked or was made for another CRM; make a new one",
            ));
        }
        let answer = self.once(&request, &fresh).await?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => Err(refused(
                "the CRM refuses a fresh token: make the application a user of the organisation (application user) with a security role, and check that org_url is the address the token was made for",
            )),
            _ => Ok(answer),
        }
    }
}

/// An answer larger than this is not read.
const LARGEST: usize = 256 << 20;
/// Answers that are packed to more than this keep a thread for some ten milliseconds: they are unpacked on one of their own.
const MUCH: usize = 1 << 20;

/// Reads may be sent twice.
pub(super) fn repeatable(method: &Method) -> bool {
    method.is_safe()
}

/// Sends a request as it stands and reads the whole answer. `what` names the server in faults.
async fn plain(
    what: &str,
    client: &reqwest::Client,
    request: &Request<Bytes>,
    mut headers: HeaderMap,
) -> Result<Response<Bytes>, Fault> {
    let lost = |error| unanswered(what, error, repeatable(request.method()));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let sent = client.request(request.method().clone(), request.uri().to_string());
    let mut answer = sent.headers(headers).body(request.body().clone()).send().await.map_err(lost)?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let mut body = Vec::with_capacity(answer.content_length().unwrap_or(0).min(8 << 20) as usize);
    while let Some(part) = answer.chunk().await.map_err(lost)? {
        if body.len() + part.len() > LARGEST {
            return Err(too_large(what));
        }
        body.extend_from_slice(&part);
    }
    if let Some(coding) = headers.remove(CONTENT_ENCODING) {
        headers.remove(CONTENT_LENGTH);
        body = unpacked(what, &coding, body, repeatable(request.method())).await?;
    }
    let mut whole = Response::new(Bytes::from(body));
    *whole.status_mut() = status;
    *whole.headers_mut() = headers;
    Ok(whole)
}

fn too_large(what: &str) -> Fault {
    let text = format!("the answer of {what} is larger than {} MB; ask for smaller pages", LARGEST >> 20);
    Fault::reject(Code::CRM_REFUSED, text)
}

/// A body in this content coding.
async fn unpacked(
    what: &str,
    coding: &HeaderValue,
    body: Vec<u8>,
    repeatable: bool,
) -> Result<Vec<u8>, Fault> {
    let unreadable =
        |why: &str| unreachable(what, &format!("its answer cannot be unpacked: {why}"), repeatable);
    let unpacked = match coding.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" if body.len() > MUCH => {
            let unpacking = tokio::task::spawn_blocking(move || gzip::unpack(&body, LARGEST));
            unpacking.await.unwrap_or(Err(gzip::Error::Broken))
        }
        "gzip" | "x-gzip" => gzip::unpack(&body, LARGEST),
        other => return Err(unreadable(&format!("it is in {other:?}, and gzip was asked for"))),
    };
    unpacked.map_err(|error| match error {
        gzip::Error::Large(_) => too_large(what),
        gzip::Error::Broken => unreadable(&error.to_string()),
    })
}

/// A request that nobody has signed in: for tokens in the message itself, and for what is public.
pub struct Anonymous(pub reqwest::Client);

#[async_trait]
impl Transport for Anonymous {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        plain("the CRM", &self.0, &request, request.headers().clone()).await
    }
}

/// The same to the token service.
pub(super) struct ToTokenService(pub reqwest::Client);

#[async_trait]
impl Transport for ToTokenService {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let what = format!("the token service ({})", request.uri());
        plain(&what, &self.0, &request, request.headers().clone()).await
    }
}
