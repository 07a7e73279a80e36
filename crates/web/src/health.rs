//! Whether the process lives, has started, and can accept mail; and its metrics (`product-conventions.md` section 11).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::auth::{MaybeCaller, Peer};
use crate::problem::{Problem, Said};

/// The loop answers: no dependency is asked.
pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// Migrations ran before this server was bound.
pub(crate) async fn started() -> StatusCode {
    StatusCode::OK
}

/// 200 when mail can be stored. Strangers see the status only; callers see the checks.
pub(crate) async fn ready(State(app): State<App>, MaybeCaller(caller): MaybeCaller) -> Response {
    let mut health = app.operations.health().await;
    if app.stopping.is_cancelled() {
        health.ready = false;
        health.checks.insert("process", "stopping".into());
    }
    let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = match caller {
        Some(_) => (status, Json(health)).into_response(),
        None => (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], "").into_response(),
    };
    response.extensions_mut().insert(Said);
    response
}

/// Prometheus text, for peers on this machine and for callers with a token.
pub(crate) async fn metrics(
    State(app): State<App>,
    Peer(peer): Peer,
    MaybeCaller(caller): MaybeCaller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Behind a proxy on this machine everybody seems to be on it.
    let forwarded = headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded");
    if caller.is_none() && (forwarded || !peer.to_canonical().is_loopback()) {
        return Err(Problem::unauthorized("metrics are for this machine, or for a token of scope api"));
    }
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, (app.metrics)()).into_response())
}
