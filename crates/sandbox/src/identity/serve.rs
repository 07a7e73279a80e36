//! HTTP: routes, and the troubles that come before any of them.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Form as Body, Path, Request, State as Of};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::oauth::{self, Form, Version};
use super::state::State;
use super::{Trouble, trust};

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(v2))
        .route("/{tenant}/oauth2/token", post(v1))
        .route("/adfs/services/trust/13/usernamemixed", post(issue))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), troubled))
        .route("/adfs/services/trust/mex", get(describe))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(configuration))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), dated))
        .with_state(state)
}

async fn v2(Of(state): Of<Arc<State>>, Path(tenant): Path<String>, Body(form): Body<Form>) -> Response {
    oauth::platform(&state, Version::V2, &tenant, &format!("{tenant}/oauth2/v2.0/token"), &form)
}

async fn v1(Of(state): Of<Arc<State>>, Path(tenant): Path<String>, Body(form): Body<Form>) -> Response {
    match tenant.as_str() {
        "adfs" => oauth::adfs(&state, &form),
        _ => oauth::platform(&state, Version::V1, &tenant, &format!("{tenant}/oauth2/token"), &form),
    }
}

async fn issue(Of(state): Of<Arc<State>>, message: String) -> Response {
    trust::issue(&state, &message)
}

async fn describe(headers: HeaderMap) -> Response {
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], trust::description(&origin(&headers)))
        .into_response()
}

/// Under which address it was asked.
fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}")
}

async fn configuration(Path(tenant): Path<String>, headers: HeaderMap) -> Response {
    Json(oauth::configuration(&origin(&headers), &tenant)).into_response()
}

async fn keys(Of(state): Of<Arc<State>>) -> Response {
    Json(state.signer.keys()).into_response()
}

async fn troubled(Of(state): Of<Arc<State>>, request: Request, next: Next) -> Response {
    state.count_question();
    match state.trouble() {
        Some(Trouble::Failing(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(header::RETRY_AFTER, "7")], "the provider is out of order").into_response()
        }
        Some(Trouble::Nonsense) => "<html>Welcome to the proxy</html>".into_response(),
        Some(Trouble::Slow(time)) => {
            tokio::time::sleep(time).await;
            next.run(request).await
        }
        Some(Trouble::ExpiredSecret) | None => next.run(request).await,
    }
}

/// The provider's own clock, by which clients see that theirs is wrong.
async fn dated(Of(state): Of<Arc<State>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let date = state.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// Serves one connection to its end.
pub(super) async fn connection(stream: TcpStream, router: Router) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move { answer(router, request.map(axum::body::Body::new)).await }
    });
    // A client that goes away is no failure of the server's.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

pub(super) async fn answer(router: Router, request: Request) -> Result<Response, Infallible> {
    router.oneshot(request).await
}
