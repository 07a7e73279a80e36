//! `/api/v1/outgoing`: the CRM's mail on its way out.

use axum::Json;
use axum::extract::State;
use postroom_core::{MailId, MailState, RecordRef};
use postroom_operations::{OutgoingChange, OutgoingView, OutgoingWanted};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use uuid::Uuid;

use super::messages::{Order, limit};
use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// One of the outgoing states.
    state: Option<String>,
    /// GUID of the CRM's e-mail.
    activity: Option<String>,
    /// `TABLE/GUID`.
    record: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

impl Listing {
    fn wanted(self) -> Result<OutgoingWanted, Problem> {
        let state = self.state.map(|state| state.parse::<MailState>()).transpose();
        let activity = self.activity.map(|id| Uuid::parse_str(&id)).transpose();
        let record = self.record.map(|record| record.parse::<RecordRef>()).transpose();
        let cursor = self.cursor.map(|cursor| cursor.parse::<MailId>()).transpose();
        let record = record.map_err(|error| Problem::input(format!("record: {error}")))?;
        Ok(OutgoingWanted {
            state: state.map_err(|error| Problem::input(format!("state: {error}")))?,
            activity: activity.map_err(|_| Problem::input("activity: that is no GUID"))?,
            record: record.map(|record| record.id),
            before: cursor.map_err(|_| Problem::input("cursor: use the value of next as it was given"))?,
            limit: limit(self.limit)?,
        })
    }
}

/// Outgoing mails, newest first, with the answer for each recipient.
#[utoipa::path(get, path = "/api/v1/outgoing", tag = "outgoing", params(Listing), extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::OutgoingMails), (status = "4XX", body = ProblemView)))]
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(listing): Query<Listing>,
) -> Result<Json<Value>, Problem> {
    let mut wanted = listing.wanted()?;
    let page = wanted.limit as usize;
    wanted.limit += 1; // one more tells whether there is a next page
    let mut items = app.operations.outgoing(&actor, wanted).await?;
    let more = items.len() > page;
    items.truncate(page);
    let next = items.last().filter(|_| more).map(|last| last.id);
    Ok(Json(json!({ "items": items, "next": next })))
}

/// One outgoing mail.
#[utoipa::path(get, path = "/api/v1/outgoing/{id}", tag = "outgoing", params(("id" = String, Path, description = "`msg_…`")),
    extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Outgoing), (status = "4XX", body = ProblemView)))]
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<OutgoingView>, Problem> {
    Ok(Json(app.operations.outgoing_mail(&actor, input::id(&id)?).await?))
}

/// Keeps a queued mail from leaving until it is released.
#[utoipa::path(post, path = "/api/v1/outgoing/{id}/hold", tag = "outgoing",
    params(("id" = String, Path, description = "`msg_…`"), super::messages::Trial), extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::OutgoingChange), (status = "4XX", body = ProblemView)))]
pub(super) async fn hold(order: Order) -> Result<Json<OutgoingChange>, Problem> {
    Ok(Json(order.app.operations.hold_outgoing(&order.actor, order.id, order.dry_run).await?))
}

/// Lets a held mail go; sends one of unknown fate again with the same Message-ID; tries a queued one now.
#[utoipa::path(post, path = "/api/v1/outgoing/{id}/release", tag = "outgoing",
    params(("id" = String, Path, description = "`msg_…`"), super::messages::Trial), extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::OutgoingChange), (status = "4XX", body = ProblemView)))]
pub(super) async fn release(order: Order) -> Result<Json<OutgoingChange>, Problem> {
    Ok(Json(order.app.operations.release_outgoing(&order.actor, order.id, order.dry_run).await?))
}

/// Gives a mail up for good.
#[utoipa::path(post, path = "/api/v1/outgoing/{id}/fail", tag = "outgoing",
    params(("id" = String, Path, description = "`msg_…`"), super::messages::Trial), extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::OutgoingChange), (status = "4XX", body = ProblemView)))]
pub(super) async fn fail(order: Order) -> Result<Json<OutgoingChange>, Problem> {
    Ok(Json(order.app.operations.fail_outgoing(&order.actor, order.id, order.dry_run).await?))
}
