//! `/api/v1/review`: mail that waits for a person, each with the records it may belong to.

use axum::Json;
use axum::extract::State;
use postroom_core::MailId;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::messages::limit;
use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::Query;
use crate::problem::{Problem, ProblemView};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// 1 to 200, default 50.
    limit: Option<u64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Mail in review, newest first, with candidates and their reasons. Decide with `attach`, `reject` or `skip` of the message.
#[utoipa::path(get, path = "/api/v1/review", tag = "review", params(Listing), extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Review), (status = "4XX", body = ProblemView)))]
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(listing): Query<Listing>,
) -> Result<Json<Value>, Problem> {
    let cursor = listing.cursor.map(|cursor| cursor.parse::<MailId>()).transpose();
    let before = cursor.map_err(|_| Problem::input("cursor: use the value of next as it was given"))?;
    let page = limit(listing.limit)?;
    let mut items = app.operations.review(&actor, before, page + 1).await?; // one more tells whether there is a next page
    let more = items.len() as u64 > page;
    items.truncate(page as usize);
    let next = items.last().filter(|_| more).map(|last| last.message.id);
    Ok(Json(json!({ "items": items, "next": next })))
}
