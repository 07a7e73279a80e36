//! `/api/v1/tokens`: tokens for programs. Only an owner may see or make them.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use postroom_operations::{NewToken, Scope, TokenOrder};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path};
use crate::problem::{Problem, ProblemView};

const DAY: u64 = 24 * 60 * 60;

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// `agent`, `crm` or `api`.
    scope: String,
    /// For whom.
    #[serde(default)]
    name: String,
    /// Scope `crm` or `api`: the user of the CRM to act as, by id, full name, domain name or address; left out, the
    /// administrator for `crm`, and nobody for `api`.
    user: Option<String>,
    /// 1 to 366, default 90.
    #[serde(default = "quarter")]
    days: u64,
}

fn quarter() -> u64 {
    90
}

/// All tokens, newest first; never their text.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", extensions(("x-permission" = json!("administer"))),
    responses((status = 200, body = schema::Tokens), (status = "4XX", body = ProblemView)))]
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Problem> {
    let items = app.operations.list_tokens(&actor).await?;
    Ok(Json(json!({ "items": items })))
}

/// Makes a token. Its text is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", extensions(("x-permission" = json!("administer"))),
    responses((status = 201, body = schema::NewToken), (status = "4XX", body = ProblemView)))]
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    input::Json(wanted): input::Json<TokenRequest>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let scope: Result<Scope, _> = wanted.scope.parse();
    let scope = scope.map_err(|fault: postroom_core::Fault| Problem::at("/scope", fault.message))?;
    let life = Duration::from_secs(wanted.days.saturating_mul(DAY));
    let order = TokenOrder { scope, name: &wanted.name, user: wanted.user.as_deref(), life };
    let token = app.operations.create_token(&actor, order).await?;
    Ok((StatusCode::CREATED, Json(token)))
}

/// Ends a token. Ending it again is no error.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path, description = "`tok_…`")),
    extensions(("x-permission" = json!("administer"))),
    responses((status = 204, description = "It is revoked"), (status = "4XX", body = ProblemView)))]
pub(super) async fn revoke(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.operations.revoke_token(&actor, input::id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
