//! `/api/v1/tracking-tokens`: the tokens that tie mail to records.

use axum::Json;
use axum::extract::State;
use postroom_operations::{TokensFound, TrackingToken};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input;
use crate::problem::{Problem, ProblemView};

/// Whose token is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeToken {
    /// GUID of the record.
    id: String,
}

/// Makes the token of a record: for a subject, and signed for a Message-ID. Nothing is stored.
#[utoipa::path(post, path = "/api/v1/tracking-tokens", tag = "tracking_tokens", extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::TrackingToken), (status = "4XX", body = ProblemView)))]
pub(super) async fn make(
    State(app): State<App>,
    Caller(actor): Caller,
    input::Json(body): input::Json<MakeToken>,
) -> Result<Json<TrackingToken>, Problem> {
    let id = Uuid::parse_str(&body.id);
    let id = id.map_err(|_| Problem::at("/id", format!("{:?} is no GUID", body.id)))?;
    Ok(Json(app.operations.make_tracking_token(&actor, id)?))
}

/// What may hold a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyToken {
    /// A subject, or a Message-ID in angle brackets.
    text: String,
}

/// Says whether a subject or Message-ID carries a token, and what it names.
#[utoipa::path(post, path = "/api/v1/tracking-tokens/verify", tag = "tracking_tokens",
    extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::TokensFound), (status = "4XX", body = ProblemView)))]
pub(super) async fn verify(
    State(app): State<App>,
    Caller(actor): Caller,
    input::Json(body): input::Json<VerifyToken>,
) -> Result<Json<TokensFound>, Problem> {
    Ok(Json(app.operations.verify_tracking_tokens(&actor, &body.text).await?))
}
