//! Refusals with the numbers and statuses of Microsoft's platform and of AD FS.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::state::State;

/// Why no token is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Tenant,
    Client,
    Secret,
    ExpiredSecret,
    NoSecret,
    /// Not one of the application's certificates, a bad signature, or used before.
    Assertion,
    AssertionTime,
    /// The certificate has ended.
    ExpiredCertificate,
    Resource,
    Grant,
    /// AD FS.
    Password,
    AdfsClient,
    AdfsResource,
}

impl Refusal {
    fn parts(self) -> (StatusCode, &'static str, Option<i64>, &'static str) {
        let (bad, denied) = (StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED);
        match self {
            Refusal::Tenant => (bad, "invalid_request", Some(90_002), "Tenant not found."),
            Refusal::Client => {
                (bad, "unauthorized_client", Some(700_016), "Application was not found in the directory.")
            }
            Refusal::Secret => (denied, "invalid_client", Some(7_000_215), "Invalid client secret provided."),
            Refusal::ExpiredSecret => {
                (denied, "invalid_client", Some(7_000_222), "The provided client secret keys are expired.")
            }
            Refusal::NoSecret => (
                denied,
                "invalid_client",
                Some(7_000_218),
                "The request body must contain 'client_assertion' or 'client_secret'.",
            ),
            Refusal::Assertion => {
                (denied, "invalid_client", Some(700_027), "Client assertion failed signature validation.")
            }
            Refusal::AssertionTime => (
                denied,
                "invalid_client",
                Some(700_024),
                "Client assertion is not within its valid time range.",
            ),
            Refusal::ExpiredCertificate => (
                denied,
                "invalid_client",
                Some(700_027),
                "Client assertion contains an invalid signature. [Reason - The key used is expired.]",
            ),
            Refusal::Resource => (
                bad,
                "invalid_resource",
                Some(500_011),
                "The resource principal was not found in the tenant.",
            ),
            Refusal::Grant => {
                (bad, "unsupported_grant_type", Some(70_003), "The grant type is not supported.")
            }
            Refusal::Password => (bad, "invalid_grant", None, "MSIS9659: Invalid 'username' or 'password'."),
            Refusal::AdfsClient => (bad, "invalid_client", None, "MSIS9607: The 'client_id' is not valid."),
            Refusal::AdfsResource => {
                (bad, "invalid_resource", None, "MSIS9602: The received 'resource' parameter is invalid.")
            }
        }
    }

    pub fn response(self, state: &State) -> Response {
        let (status, error, number, text) = self.parts();
        let (trace, correlation) = (state.ids.next(), state.ids.next());
        let body = match number {
            Some(number) => json!({
                "error": error,
                "error_description": format!(
                    "AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {:.0}", state.now()
                ),
                "error_codes": [number],
                "timestamp": format!("{:.0}", state.now()),
                "trace_id": trace.to_string(),
                "correlation_id": correlation.to_string(),
            }),
            None => json!({ "error": error, "error_description": text }),
        };
        (status, Json(body)).into_response()
    }
}
