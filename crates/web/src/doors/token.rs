//! The token endpoint: a client's secret in, an access token for an hour out (RFC 6749, in Entra ID's shapes and words).
//!
//! The secret, the password and the refresh token are all the same thing here: an API token of scope `crm`. Application,
//! user name and tenant may be anything.

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::request::Parts;
use jiff::Timestamp;
use postroom_operations::{Access, Grant, NoAccess};
use serde_json::{Value, json};
use uuid::Uuid;

use super::form::Fields;
use super::origin::Client;
use crate::app::App;

/// Whose endpoint it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Entra ID's first: a resource is asked for, numbers are answered as text.
    V1,
    /// Entra ID's second: a scope is asked for.
    V2,
    AdFs,
}

/// An error as Entra ID says it.
struct Refused {
    status: StatusCode,
    /// RFC 6749 section 5.2.
    error: &'static str,
    /// `AADSTS` and this.
    number: u32,
    text: String,
    retry_after: Option<u64>,
}

impl Refused {
    fn new(status: StatusCode, error: &'static str, number: u32, text: impl Into<String>) -> Self {
        Refused { status, error, number, text: text.into(), retry_after: None }
    }

    fn bad(error: &'static str, number: u32, text: impl Into<String>) -> Self {
        Refused::new(StatusCode::BAD_REQUEST, error, number, text)
    }

    fn missing(parameter: &str) -> Self {
        let text = format!("The request body must contain the following parameter: '{parameter}'.");
        Refused::bad("invalid_request", 900_144, text)
    }
}

pub(super) async fn answer(
    app: &App,
    client: &Client,
    shape: Shape,
    parts: &Parts,
    fields: &Fields,
) -> Response {
    match given(app, client, shape, parts, fields).await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(refused) => refusal(app, parts, &refused),
    }
}

async fn given(
    app: &App,
    client: &Client,
    shape: Shape,
    parts: &Parts,
    fields: &Fields,
) -> Result<Value, Refused> {
    let basic = basic(parts);
    let (kind, secret) = secret(fields, basic.as_deref())?;
    let audience = audience(fields).unwrap_or_else(|| format!("{}/", client.origin));
    let grant = Grant {
        kind,
        secret,
        from: client.from,
        issuer: format!("{}/{}/", client.origin, app.operations.door_tenant()),
        audience: audience.clone(),
    };
    let access = app.operations.give_access(&grant).await.map_err(|denied| refused(kind, denied))?;
    let refresh = (kind != "client_credentials").then_some(secret);
    Ok(body(shape, &access, &audience, fields.get("scope"), refresh))
}

/// The grant, and the secret that it rests on.
fn secret<'f>(fields: &'f Fields, basic: Option<&'f str>) -> Result<(&'static str, &'f str), Refused> {
    let kind = fields.get("grant_type").ok_or_else(|| Refused::missing("grant_type"))?;
    let client = fields.get("client_secret").or(basic);
    match kind {
        "client_credentials" if client.is_none() && fields.get("client_assertion").is_some() => {
            let text = "Client assertions are not taken here: send a token of scope crm as client_secret.";
            Err(Refused::new(StatusCode::UNAUTHORIZED, "invalid_client", 700_027, text))
        }
        "client_credentials" => client.map(|secret| ("client_credentials", secret)).ok_or_else(|| {
            let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            Refused::new(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_218, text)
        }),
        // Either may be the token: some clients have an application's secret and a user's password to fill in.
        "password" => {
            let found = [fields.get("password"), client].into_iter().flatten();
            let best = found.max_by_key(|secret| secret.starts_with("prm_"));
            best.map(|secret| ("password", secret)).ok_or_else(|| Refused::missing("password"))
        }
        "refresh_token" => {
            let found = fields.get("refresh_token").map(|secret| ("refresh_token", secret));
            found.ok_or_else(|| Refused::missing("refresh_token"))
        }
        other => {
            let text = format!("The app requested an unsupported grant type '{}'.", shortened(other));
            Err(Refused::bad("unsupported_grant_type", 70_003, text))
        }
    }
}

/// The secret of `Authorization: Basic`, RFC 6749 section 2.3.1.
fn basic(parts: &Parts) -> Option<String> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let pair = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (_, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(percent_encoding::percent_decode_str(secret).decode_utf8_lossy().into_owned())
}

/// What the token is wanted for: the resource, or the scope without its last word.
fn audience(fields: &Fields) -> Option<String> {
    let of_scope = || {
        let mut scopes = fields.get("scope")?.split(' ').filter(|scope| scope.contains("://"));
        // `https://host//.default` is the resource `https://host/`.
        Some(scopes.next()?.rsplit_once('/')?.0)
    };
    let found = fields.get("resource").or_else(of_scope)?;
    Some(shortened(found))
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

fn body(shape: Shape, access: &Access, audience: &str, scope: Option<&str>, refresh: Option<&str>) -> Value {
    let life = access.until.as_second() - access.from.as_second();
    let mut answer = match shape {
        Shape::V1 => json!({
            "token_type": "Bearer",
            "expires_in": life.to_string(),
            "ext_expires_in": life.to_string(),
            "expires_on": access.until.as_second().to_string(),
            "not_before": access.from.as_second().to_string(),
            "resource": audience,
            "access_token": access.token,
        }),
        Shape::V2 => json!({
            "token_type": "Bearer",
            "expires_in": life,
            "ext_expires_in": life,
            "access_token": access.token,
        }),
        Shape::AdFs => json!({
            "access_token": access.token,
            "token_type": "bearer",
            "expires_in": life,
            "resource": audience,
        }),
    };
    if let Some(refresh) = refresh {
        answer["refresh_token"] = refresh.into();
        if let Some(scope) = scope.filter(|_| shape != Shape::AdFs) {
            answer["scope"] = scope.into();
        }
    }
    answer
}

fn refused(kind: &'static str, denied: NoAccess) -> Refused {
    let is_client = kind == "client_credentials";
    match denied {
        NoAccess::Wrong | NoAccess::Scope if is_client => {
            let text = "Invalid client secret provided. Ensure the secret being sent in the request is a token of scope crm \
                        (postroom apitoken create --scope crm).";
            Refused::new(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_215, text)
        }
        NoAccess::Ended if is_client => {
            let text = "The provided client secret keys are expired or revoked. Make a new one: postroom apitoken create \
                        --scope crm.";
            Refused::new(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_222, text)
        }
        NoAccess::Wrong | NoAccess::Scope if kind == "password" => {
            let text = "Error validating credentials due to invalid username or password.";
            Refused::bad("invalid_grant", 50_126, text)
        }
        NoAccess::Ended if kind == "password" => {
            Refused::bad("invalid_grant", 50_055, "The password is expired.")
        }
        NoAccess::Wrong | NoAccess::Scope => {
            let text = "The provided value for the input parameter 'refresh_token' is not valid.";
            Refused::bad("invalid_grant", 9_002_313, text)
        }
        NoAccess::Ended => {
            let text = "The refresh token has expired or was revoked.";
            Refused::bad("invalid_grant", 700_082, text)
        }
        NoAccess::User(text) => {
            Refused::bad("invalid_grant", 50_057, format!("The user account is disabled. {text}"))
        }
        NoAccess::TooMany(seconds) => {
            let text = "Too many wrong attempts came from this address. Wait, then try again.";
            let status = StatusCode::TOO_MANY_REQUESTS;
            let refused = Refused::new(status, "temporarily_unavailable", 90_055, text);
            Refused { retry_after: Some(seconds), ..refused }
        }
        NoAccess::Fault(fault) => {
            tracing::error!(event = "crm.sign_in_failed", code = %fault.code, error = %fault, "Nobody can sign in: {fault}");
            let text = "The service is temporarily unavailable. Please retry later.";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let refused = Refused::new(status, "temporarily_unavailable", 90_033, text);
            Refused { retry_after: Some(5), ..refused }
        }
    }
}

fn refusal(app: &App, parts: &Parts, refused: &Refused) -> Response {
    let asked =
        |name: &str| parts.headers.get(name).and_then(|value| Uuid::parse_str(value.to_str().ok()?).ok());
    let trace = asked("x-request-id").unwrap_or_default();
    let correlation = asked("client-request-id").unwrap_or(trace);
    let now = time(app.clock.now());
    let answer = json!({
        "error": refused.error,
        "error_description": format!(
            "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}",
            refused.number, refused.text
        ),
        "error_codes": [refused.number],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
    });
    let mut response = (refused.status, axum::Json(answer)).into_response();
    if let Some(seconds) = refused.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// `2026-03-10 09:00:00Z`
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::read("", text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn takes(text: &str, expected: Result<(&str, &str), u32>) {
        let fields = fields(text);
        assert_eq!(secret(&fields, None).map_err(|refused| refused.number), expected, "{text}");
    }

    #[test]
    fn grants_name_their_secret() {
        takes("grant_type=client_credentials&client_secret=s", Ok(("client_credentials", "s")));
        takes("grant_type=refresh_token&client_secret=s&refresh_token=r", Ok(("refresh_token", "r")));
        takes("grant_type=password&password=p", Ok(("password", "p")));
        takes("grant_type=password&password=p&client_secret=prm_s", Ok(("password", "prm_s")));
        takes("grant_type=password&password=prm_p&client_secret=s", Ok(("password", "prm_p")));
        takes("grant_type=client_credentials", Err(7_000_218));
        takes("grant_type=client_credentials&client_assertion=x", Err(700_027));
        takes("grant_type=device_code", Err(70_003));
        takes("client_secret=s", Err(900_144));
    }

    #[test]
    fn audiences() {
        for (text, expected) in [
            ("resource=https://h/", Some("https://h/")),
            ("scope=https://h/.default", Some("https://h")),
            ("scope=https://h//.default", Some("https://h/")),
            ("scope=openid https://h/user_impersonation", Some("https://h")),
            ("scope=openid", None),
        ] {
            assert_eq!(audience(&fields(text)).as_deref(), expected, "{text}");
        }
    }
}
