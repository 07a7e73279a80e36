//! Where clients sign in: the addresses of Entra ID and of AD FS, on our own host (dataverse.md D1, D2). The tenant in the
//! path may be anything.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE};
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::json;

use super::form::{self, Fields};
use super::origin::Client;
use super::token::{self, Shape};
use crate::app::App;

/// What lies at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    /// Gives tokens.
    Token(Shape),
    /// Says where everything is, for the tenant.
    Configuration(Shape, String),
    /// The keys that clients could check tokens with: none, as only we check them.
    Keys,
    /// Where a person would sign in. Nobody can here.
    Authorize,
}

impl Resource {
    pub(super) fn of(path: &str) -> Option<Resource> {
        let (tenant, rest) = path.strip_prefix('/')?.split_once('/')?;
        let old = if tenant.eq_ignore_ascii_case("adfs") { Shape::AdFs } else { Shape::V1 };
        Some(match rest {
            "oauth2/v2.0/token" => Resource::Token(Shape::V2),
            "oauth2/token" => Resource::Token(old),
            "v2.0/.well-known/openid-configuration" => Resource::Configuration(Shape::V2, tenant.to_owned()),
            ".well-known/openid-configuration" => Resource::Configuration(old, tenant.to_owned()),
            "discovery/keys" | "discovery/v2.0/keys" => Resource::Keys,
            "oauth2/authorize" | "oauth2/v2.0/authorize" => Resource::Authorize,
            _ => return None,
        })
    }
}

pub(super) async fn answer(
    app: &App,
    client: &Client,
    resource: Resource,
    parts: Parts,
    body: Body,
) -> Response {
    let wanted = if matches!(resource, Resource::Token(_)) { Method::POST } else { Method::GET };
    if parts.method != wanted {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, wanted.as_str().to_owned())]).into_response();
    }
    match resource {
        Resource::Token(shape) => {
            let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let body = axum::body::to_bytes(body, form::MOST).await.unwrap_or_default();
            let fields = Fields::read(kind.unwrap_or_default(), &body).unwrap_or_default();
            token::answer(app, client, shape, &parts, &fields).await
        }
        Resource::Configuration(shape, tenant) => {
            axum::Json(configuration(app, client, shape, &tenant)).into_response()
        }
        Resource::Keys => axum::Json(json!({ "keys": [] })).into_response(),
        Resource::Authorize => {
            let text = "Programs sign in here with a token of postroom's: POST it to the token endpoint beside this address \
                        (postroom apitoken create --scope crm). People sign in to the pages.";
            (StatusCode::NOT_IMPLEMENTED, text).into_response()
        }
    }
}

/// OpenID Connect Discovery 1.0, section 3, as far as clients read it.
fn configuration(app: &App, client: &Client, shape: Shape, tenant: &str) -> serde_json::Value {
    let (origin, id) = (&client.origin, app.operations.door_tenant());
    let (issuer, endpoints, keys) = match shape {
        Shape::V2 => (format!("{origin}/{id}/v2.0"), "oauth2/v2.0", "discovery/v2.0/keys"),
        Shape::V1 => (format!("{origin}/{id}/"), "oauth2", "discovery/keys"),
        Shape::AdFs => (format!("{origin}/adfs"), "oauth2", "discovery/keys"),
    };
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{origin}/{tenant}/{endpoints}/authorize"),
        "token_endpoint": format!("{origin}/{tenant}/{endpoints}/token"),
        "jwks_uri": format!("{origin}/{tenant}/{keys}"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "grant_types_supported": ["client_credentials", "password", "refresh_token"],
        "response_types_supported": ["token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "offline_access"],
        "tenant_region_scope": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<Resource>) {
        assert_eq!(Resource::of(path), expected, "{path}");
    }

    #[test]
    fn addresses() {
        check("/common/oauth2/token", Some(Resource::Token(Shape::V1)));
        check("/contoso.example/oauth2/v2.0/token", Some(Resource::Token(Shape::V2)));
        check("/adfs/oauth2/token", Some(Resource::Token(Shape::AdFs)));
        check(
            "/t/v2.0/.well-known/openid-configuration",
            Some(Resource::Configuration(Shape::V2, "t".into())),
        );
        check("/t/.well-known/openid-configuration", Some(Resource::Configuration(Shape::V1, "t".into())));
        check("/t/discovery/keys", Some(Resource::Keys));
        check("/t/oauth2/authorize", Some(Resource::Authorize));
        check("/oauth2/token", None);
        check("/records/contact/1", None);
    }
}
