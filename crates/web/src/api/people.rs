//! `/api/v1/people`: one person in mail, in the CRM and at the marketing service, and what they may ask. Addresses stand in
//! queries and bodies, never in paths.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use postroom_operations::Erased;
use postroom_operations::marketing::{PeopleMerged, PersonView, ProofWanted};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::marketing::mapping::record;
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

/// Erases a person by address: all mail from or to it, here and in the CRM, and everything of the marketing half but the
/// opt-out, which is said first. With `dry_run` the answer counts what would go. It cannot be taken back; a repeat finishes what
/// was interrupted.
#[utoipa::path(post, path = "/api/v1/people/erase", tag = "people", params(Trial), extensions(("x-permission" = json!("administer"))),
    responses((status = 200, body = schema::Erasure), (status = "4XX", body = ProblemView)))]
pub(super) async fn erase(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(person): input::Json<Person>,
) -> Result<Json<Erased>, Problem> {
    Ok(Json(app.operations.erase_person(&actor, &person.address, trial.dry_run).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Whom {
    /// An e-mail address.
    address: String,
}

/// Everything that is known of an address: both sides' fields, consent, what the person did and answered, mail.
#[utoipa::path(get, path = "/api/v1/people", tag = "people", params(Whom), extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Person), (status = "4XX", body = ProblemView)))]
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(whom): Query<Whom>,
) -> Result<Json<PersonView>, Problem> {
    Ok(Json(app.operations.person(&actor, &whom.address).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Proving {
    /// An e-mail address.
    address: String,
    /// Left out, every account.
    account: Option<String>,
    /// `account`, `list:12`, `preference:3`; left out, `account`.
    scope: Option<String>,
    /// RFC 3339; left out, now.
    on: Option<String>,
}

/// Says whether an address could be mailed on a day, and why, from the consent ledger.
#[utoipa::path(get, path = "/api/v1/people/consent", tag = "people", params(Proving),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Proofs), (status = "4XX", body = ProblemView)))]
pub(super) async fn prove(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Proving>,
) -> Result<Json<Value>, Problem> {
    let on = asked.on.map(|on| on.parse::<Timestamp>()).transpose();
    let on = on.map_err(|_| Problem::input("on is a time such as 2026-01-31T00:00:00Z"))?;
    let wanted = ProofWanted { address: asked.address, account: asked.account, scope: asked.scope, on };
    let items = app.operations.prove_consent(&actor, &wanted).await?;
    Ok(Json(json!({ "items": items })))
}

/// Two records of one person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergePeople {
    /// The record that goes: `TABLE/GUID`.
    from: String,
    /// The record that stays.
    into: String,
}

/// Gives everything known of one record to another of the same person. The CRM's records themselves are merged there.
#[utoipa::path(post, path = "/api/v1/people/merge", tag = "people", params(Trial),
    extensions(("x-permission" = json!("marketing_configure"))),
    responses((status = 200, body = schema::PeopleMerged), (status = "4XX", body = ProblemView)))]
pub(super) async fn merge(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(body): input::Json<MergePeople>,
) -> Result<Json<PeopleMerged>, Problem> {
    let (from, into) = (record(&body.from)?, record(&body.into)?);
    Ok(Json(app.operations.merge_people(&actor, &from, &into, trial.dry_run).await?))
}
