//! `/api/v1/people`: what a person may ask of whoever keeps their mail.

use axum::Json;
use axum::extract::State;
use postroom_operations::Receipt;
use serde::Deserialize;
use utoipa::ToSchema;

use super::messages::Trial;
use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Query};
use crate::problem::{Problem, ProblemView};

/// Whom it is about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// An e-mail address.
    address: String,
}

/// Erases all mail from or to an address, here and in the CRM. With `dry_run` the answer counts what would go. It cannot be
/// taken back; a repeat finishes what was interrupted.
#[utoipa::path(post, path = "/api/v1/people/erase", tag = "people", params(Trial), extensions(("x-permission" = json!("administer"))),
    responses((status = 200, body = schema::Erasure), (status = "4XX", body = ProblemView)))]
pub(super) async fn erase(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(person): input::Json<Person>,
) -> Result<Json<Receipt>, Problem> {
    Ok(Json(app.operations.erase_person(&actor, &person.address, trial.dry_run).await?))
}
