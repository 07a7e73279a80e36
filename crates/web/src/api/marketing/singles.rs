//! `/api/v1/marketing/singles`

use axum::Json;
use axum::extract::State;
use postroom_operations::marketing::{SINGLE_STATES, SingleAnswer, SingleChange, SingleView, SinglesWanted};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::api::messages::{Trial, limit};
use crate::api::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SingleListing {
    /// Only this account.
    account: Option<String>,
    /// `requested`, `intent`, `made`, `done`, `blocked`, `failed`, `unknown`.
    state: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u64>,
    /// `next` of the page before.
    cursor: Option<Uuid>,
}

/// A state of single sends by its word; none for an empty one.
pub(crate) fn state(text: Option<&str>) -> Result<Option<String>, Problem> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) if !SINGLE_STATES.contains(&text) => {
            Err(Problem::input(format!("state: use one of {}", SINGLE_STATES.join(", "))))
        }
        other => Ok(other.map(str::to_owned)),
    }
}

/// What a person found out, by its word.
pub(crate) fn answer(word: &str) -> Result<SingleAnswer, Problem> {
    match word {
        "found" => Ok(SingleAnswer::Found),
        "unsent" => Ok(SingleAnswer::Unsent),
        _ => Err(Problem::not_found(format!("{word:?} is nothing that can be said of a single send"))),
    }
}

/// Mails to single people and people put into programs, by the ids of their rows, the highest first.
#[utoipa::path(get, path = "/api/v1/marketing/singles", tag = "marketing_sends", params(SingleListing),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Singles), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(listing): Query<SingleListing>,
) -> Result<Json<Value>, Problem> {
    let page = limit(listing.limit)?;
    let wanted = SinglesWanted {
        account: listing.account,
        state: state(listing.state.as_deref())?,
        after: listing.cursor,
        limit: page + 1,
    };
    let mut items = app.operations.singles(&actor, wanted).await?;
    let more = items.len() > page as usize;
    items.truncate(page as usize);
    let next = items.last().filter(|_| more).map(|last| last.id);
    Ok(Json(json!({ "items": items, "next": next })))
}

/// One single send.
#[utoipa::path(get, path = "/api/v1/marketing/singles/{id}", tag = "marketing_sends",
    params(("id" = String, Path, description = "The request's row in the CRM")),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Single), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<SingleView>, Problem> {
    Ok(Json(app.operations.single(&actor, input::guid(&id)?).await?))
}

/// Says what became of a single send whose answer was lost; nothing is sent by it. A transactional one, or one into a program,
/// takes `marketing_send`.
#[utoipa::path(post, path = "/api/v1/marketing/singles/{id}/{answer}", tag = "marketing_sends",
    params(("id" = String, Path, description = "The request's row in the CRM"),
        ("answer" = String, Path, description = "`found` (it was done), `unsent` (it was not)"), Trial),
    extensions(("x-permission" = json!("marketing_send_single"))),
    responses((status = 200, body = schema::SingleChange), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn decide(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((id, word)): Path<(String, String)>,
    Query(trial): Query<Trial>,
) -> Result<Json<SingleChange>, Problem> {
    let answer = answer(&word)?;
    Ok(Json(app.operations.decide_single(&actor, input::guid(&id)?, answer, trial.dry_run).await?))
}
