//! `/api/v1/marketing/mappings`: which columns of the CRM go with which data labels.

use axum::Json;
use axum::extract::State;
use postroom_core::RecordRef;
use postroom_operations::marketing::{MappingChange, MappingOrder, SampleView};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::api::messages::Trial;
use crate::api::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MappingListing {
    account: String,
    /// Only those that cannot be used or may lose something.
    #[serde(default)]
    wrong: bool,
}

/// All mappings of an account, those that cannot be used too.
#[utoipa::path(get, path = "/api/v1/marketing/mappings", tag = "marketing_mappings", params(MappingListing),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Mappings), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(listing): Query<MappingListing>,
) -> Result<Json<Value>, Problem> {
    let items = app.operations.mappings(&actor, &listing.account, listing.wrong).await?;
    Ok(Json(json!({ "items": items })))
}

/// A mapping as it is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMapping {
    account: String,
    /// `contact`, `lead`, `account`.
    table: String,
    /// The data label.
    label: String,
    /// A column, `ownerid/fullname`, or several joined by commas.
    path: String,
    /// `from_crm`, `to_crm`, `two_way`; left out, `from_crm`.
    direction: Option<String>,
    /// `send_blank`, `keep_remote`; left out, `send_blank`.
    empty: Option<String>,
    /// `label`, `value`; left out, `label`.
    choices: Option<String>,
}

/// Makes or changes the mapping of a label for one kind of record. One that could not work is refused with the reason.
#[utoipa::path(post, path = "/api/v1/marketing/mappings", tag = "marketing_mappings", params(Trial),
    extensions(("x-permission" = json!("marketing_configure"))),
    responses((status = 200, body = schema::MappingChange), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn set(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(body): input::Json<SetMapping>,
) -> Result<Json<MappingChange>, Problem> {
    let SetMapping { account, table, label, path, direction, empty, choices } = body;
    let order = MappingOrder { account, table, label, path, direction, empty, choices };
    Ok(Json(app.operations.set_mapping(&actor, &order, trial.dry_run).await?))
}

/// Takes a mapping away. What both sides have stays as it is.
#[utoipa::path(delete, path = "/api/v1/marketing/mappings/{account}/{table}/{label}", tag = "marketing_mappings",
    params(("account" = String, Path), ("table" = String, Path), ("label" = String, Path), Trial),
    extensions(("x-permission" = json!("marketing_configure"))),
    responses((status = 200, body = schema::MappingChange), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((account, table, label)): Path<(String, String, String)>,
    Query(trial): Query<Trial>,
) -> Result<Json<MappingChange>, Problem> {
    Ok(Json(app.operations.remove_mapping(&actor, &account, &table, &label, trial.dry_run).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Sampling {
    account: String,
    /// `TABLE/GUID`.
    record: String,
}

/// A record in a query or body.
pub(crate) fn record(text: &str) -> Result<RecordRef, Problem> {
    text.trim().parse().map_err(|_| Problem::input(format!("{text:?} is no record: write TABLE/GUID")))
}

/// Each mapped field of a record on both sides.
#[utoipa::path(get, path = "/api/v1/marketing/mappings/sample", tag = "marketing_mappings", params(Sampling),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::MappingSample), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn sample(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Sampling>,
) -> Result<Json<SampleView>, Problem> {
    let at = record(&asked.record)?;
    Ok(Json(app.operations.mapping_sample(&actor, &asked.account, &at).await?))
}
