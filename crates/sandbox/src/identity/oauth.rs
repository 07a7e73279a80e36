//! The token endpoints.

use std::collections::HashMap;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Trouble;
use super::answer::Refusal;
use super::assertion;
use super::state::{Issued, State};

/// A form, each field once.
pub(super) type Form = HashMap<String, String>;

/// Which endpoint is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

fn field<'f>(form: &'f Form, name: &str) -> &'f str {
    form.get(name).map_or("", String::as_str)
}

/// Client credentials, at `path` of this tenant.
pub(super) fn platform(state: &State, version: Version, tenant: &str, path: &str, form: &Form) -> Response {
    match credentials(state, version, tenant, path, form) {
        Ok(resource) => Json(issue(state, version, field(form, "client_id"), resource)).into_response(),
        Err(refusal) => refusal.response(state),
    }
}

fn credentials(
    state: &State,
    version: Version,
    tenant: &str,
    path: &str,
    form: &Form,
) -> Result<String, Refusal> {
    if tenant != state.options.tenant {
        return Err(Refusal::Tenant);
    }
    if field(form, "grant_type") != "client_credentials" {
        return Err(Refusal::Grant);
    }
    let application = state.application(field(form, "client_id")).ok_or(Refusal::Client)?;
    match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(_), _) if state.trouble() == Some(Trouble::ExpiredSecret) => {
            return Err(Refusal::ExpiredSecret);
        }
        (Some(secret), _) if application.secret.as_ref() == Some(secret) => {}
        (Some(_), _) => return Err(Refusal::Secret),
        (None, Some(token)) if field(form, "client_assertion_type").ends_with(":jwt-bearer") => {
            assertion::check(state, application, path, token)?;
        }
        (None, _) => return Err(Refusal::NoSecret),
    }
    let resource = match version {
        Version::V2 => field(form, "scope").strip_suffix("/.default").ok_or(Refusal::Resource)?,
        Version::V1 => field(form, "resource"),
    };
    if state.knows_resource(resource) { Ok(resource.to_owned()) } else { Err(Refusal::Resource) }
}

/// AD FS: a user's name and password.
pub(super) fn adfs(state: &State, form: &Form) -> Response {
    let known = || {
        if field(form, "grant_type") != "password" {
            return Err(Refusal::Grant);
        }
        state.application(field(form, "client_id")).ok_or(Refusal::AdfsClient)?;
        if !state.knows_resource(field(form, "resource")) {
            return Err(Refusal::AdfsResource);
        }
        state.user(field(form, "username"), field(form, "password")).ok_or(Refusal::Password)
    };
    match known() {
        Ok(user) => {
            let mut answer = issue(state, Version::V2, &user.name, field(form, "resource").to_owned());
            answer["token_type"] = json!("bearer");
            Json(answer).into_response()
        }
        Err(refusal) => refusal.response(state),
    }
}

fn issue(state: &State, version: Version, to: &str, resource: String) -> Value {
    let (now, life) = (state.now(), state.options.token_life);
    let expires = now.checked_add(life).unwrap_or(now);
    let claims = json!({
        "aud": resource,
        "iss": format!("sandbox/{}", state.options.tenant),
        "sub": to,
        "appid": to,
        "iat": now.as_second(),
        "nbf": now.as_second(),
        "exp": expires.as_second(),
        "uti": state.ids.next().to_string(),
    });
    let token = state.signer.sign(&claims);
    state.keep_bearer(&token, Issued { to: to.to_owned(), resource: resource.clone(), expires });
    let seconds = life.as_secs();
    match version {
        Version::V2 => json!({
            "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
        }),
        // The old endpoint writes numbers as texts.
        Version::V1 => json!({
            "token_type": "Bearer", "expires_in": seconds.to_string(), "ext_expires_in": seconds.to_string(),
            "expires_on": expires.as_second().to_string(), "not_before": now.as_second().to_string(),
            "resource": resource, "access_token": token,
        }),
    }
}

/// What a client reads before it asks for anything.
pub(super) fn configuration(base: &str, tenant: &str) -> Value {
    json!({
        "issuer": format!("{base}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}
