//! Every path, and what stands before all of them.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use postroom_core::Fault;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::app::App;
use crate::problem::{self, Problem};
use crate::{agent, api, doors, health, pages, security};

/// A large mail over a slow line fits in here.
const LONGEST: Duration = Duration::from_secs(120);

/// The whole router.
pub(crate) fn router(app: App) -> Router {
    let health = Router::new()
        .route("/healthz", get(health::live))
        .route("/startupz", get(health::started))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics));
    Router::new()
        .merge(health)
        .merge(agent::routes(app.max_message))
        .merge(api::routes(app.max_message))
        .merge(pages::routes())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, LONGEST))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn_with_state((app.clone(), doors::router(app.clone())), doors::divert))
        .layer(middleware::from_fn_with_state(app.clone(), security::headers))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(())
                .on_response(answered)
                .on_failure(()),
        )
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .with_state(app)
}

fn span(request: &Request) -> tracing::Span {
    // No query: it may hold a subject or a one-time link.
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let path = without_values(request.uri().path());
    tracing::debug_span!("http", method = %request.method(), path = %path, trace_id = id)
}

/// The keys of the Web API name people: `contacts(emailaddress1='anna@adler.example')`.
fn without_values(path: &str) -> String {
    path.split('\'').enumerate().map(|(place, part)| if place % 2 == 0 { part } else { "'…'" }).collect()
}

fn answered(response: &Response, took: Duration, _: &tracing::Span) {
    let (status, dur_ms) = (response.status().as_u16(), took.as_millis() as u64);
    tracing::debug!(event = "http.answered", status, dur_ms, "Answered {status}");
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    Problem::from(Fault::bug(format!("a handler panicked: {}", text.unwrap_or("no message")))).into_response()
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn keys_are_not_logged() {
        let path = "/api/data/v9.2/contacts(emailaddress1='a@b.example',x='y')/fullname";
        assert_eq!(without_values(path), "/api/data/v9.2/contacts(emailaddress1='…',x='…')/fullname");
        assert_eq!(without_values("/messages/msg_1"), "/messages/msg_1");
    }
}
