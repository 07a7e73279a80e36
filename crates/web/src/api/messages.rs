//! `/api/v1/messages`: look, hand in, decide by hand.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use postroom_core::{Envelope, MailId, MailState, RecordRef};
use postroom_operations::{Actor, Bulk, Detail, Permission, Posted, Purged, Replay, Wanted, Why};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

/// Items in a page when nothing is said, and at most.
const PAGE: u64 = 50;
const LONGEST_PAGE: u64 = 200;

/// A page's length within its bounds.
pub(super) fn limit(given: Option<u64>) -> Result<u64, Problem> {
    match given.unwrap_or(PAGE) {
        limit @ 1..=LONGEST_PAGE => Ok(limit),
        other => Err(Problem::input(format!("limit is 1 to {LONGEST_PAGE}, not {other}"))),
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// One of the message states.
    state: Option<String>,
    /// `TABLE/GUID`.
    record: Option<String>,
    mailbox: Option<String>,
    /// An id, an address, a Message-ID, or part of a subject.
    q: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

impl Listing {
    fn wanted(self) -> Result<Wanted, Problem> {
        let state = self.state.map(|state| state.parse::<MailState>()).transpose();
        let record = self.record.map(|record| record.parse::<RecordRef>()).transpose();
        let cursor = self.cursor.map(|cursor| cursor.parse::<MailId>()).transpose();
        Ok(Wanted {
            state: state.map_err(|error| Problem::input(format!("state: {error}")))?,
            record: record.map_err(|error| Problem::input(format!("record: {error}")))?,
            before: cursor.map_err(|_| Problem::input("cursor: use the value of next as it was given"))?,
            mailbox: self.mailbox,
            text: self.q,
            limit: limit(self.limit)?,
        })
    }
}

/// Messages, newest first.
#[utoipa::path(get, path = "/api/v1/messages", tag = "messages", params(Listing), extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Messages), (status = "4XX", body = ProblemView)))]
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(listing): Query<Listing>,
) -> Result<Json<Value>, Problem> {
    let mut wanted = listing.wanted()?;
    let page = wanted.limit as usize;
    wanted.limit += 1; // one more tells whether there is a next page
    let mut items = app.operations.messages(&actor, wanted).await?;
    let more = items.len() > page;
    items.truncate(page);
    let next = items.last().filter(|_| more).map(|last| last.id);
    Ok(Json(json!({ "items": items, "next": next })))
}

/// One message with its decisions and sightings.
#[utoipa::path(get, path = "/api/v1/messages/{id}", tag = "messages", params(("id" = String, Path, description = "`msg_…`")),
    extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Detail), (status = "4XX", body = ProblemView)))]
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Detail>, Problem> {
    let id = input::id(&id)?;
    Ok(Json(app.operations.message(&actor, id).await?))
}

/// The bytes as they came. Each opening is written to the audit trail. Of a mail whose body was purged, the headers; the header
/// field `x-postroom-body-purged` says when.
#[utoipa::path(get, path = "/api/v1/messages/{id}/raw", tag = "messages", params(("id" = String, Path, description = "`msg_…`")),
    extensions(("x-permission" = json!("read_bodies"))),
    responses((status = 200, body = Vec<u8>, content_type = "message/rfc822"), (status = "4XX", body = ProblemView)))]
pub(super) async fn raw(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: MailId = input::id(&id)?;
    let raw = app.operations.message_raw(&actor, id).await?;
    let purged = app.operations.message(&actor, id).await?.message.purged_at;
    let name = format!("attachment; filename=\"{id}.eml\"");
    let headers = [(header::CONTENT_TYPE, "message/rfc822".to_owned()), (header::CONTENT_DISPOSITION, name)];
    let purged = purged.map(|at| [("x-postroom-body-purged", at.to_string())]);
    Ok((headers, purged.map(axum::response::AppendHeaders), raw).into_response())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Origin {
    mailbox: Option<String>,
    /// `incoming` (default), `outgoing`; also `Inbox`, `Sent`.
    direction: Option<String>,
}

impl Origin {
    fn direction(&self) -> Result<postroom_core::Direction, Problem> {
        let refused = || Problem::input("direction is incoming or outgoing (or Inbox, Sent)");
        input::direction(self.direction.as_deref()).ok_or_else(refused)
    }
}

fn mail(headers: &HeaderMap, body: Result<Bytes, BytesRejection>, app: &App) -> Result<Bytes, Problem> {
    let kind = input::media_type(headers);
    if !matches!(kind.as_str(), "message/rfc822" | "message/global") {
        return Err(input::unsupported(&kind, "message/rfc822"));
    }
    let body = input::mail(body, app.max_message)?;
    if body.is_empty() { Err(Problem::input("the body is empty; send the mail as it is")) } else { Ok(body) }
}

/// Takes a mail as from a file. 201 when it is new, 200 when it was known.
#[utoipa::path(post, path = "/api/v1/messages", tag = "messages", params(Origin), extensions(("x-permission" = json!("submit"))),
    request_body(content = Vec<u8>, content_type = "message/rfc822"),
    responses((status = 201, body = schema::Accepted), (status = 200, body = schema::Accepted), (status = "4XX", body = ProblemView)))]
pub(super) async fn import(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(origin): Query<Origin>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let direction = origin.direction()?;
    let raw = mail(&headers, body, &app)?;
    let envelope = Envelope::default();
    let posted = Posted { mailbox: origin.mailbox, direction, envelope, source_id: None, peer: None, raw };
    let accepted = app.operations.import_message(&actor, posted).await?;
    let status = if accepted.new { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("/api/v1/messages/{}", accepted.id);
    let answer = json!({ "id": accepted.id, "new": accepted.new });
    Ok((status, [(header::LOCATION, location)], Json(answer)).into_response())
}

/// What would become of a mail. Nothing is written.
#[utoipa::path(post, path = "/api/v1/messages/why", tag = "messages", params(Origin), extensions(("x-permission" = json!("read"))),
    request_body(content = Vec<u8>, content_type = "message/rfc822"),
    responses((status = 200, body = schema::Why), (status = "4XX", body = ProblemView)))]
pub(super) async fn why(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(origin): Query<Origin>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Why>, Problem> {
    let direction = origin.direction()?;
    let raw = mail(&headers, body, &app)?;
    Ok(Json(app.operations.why(&actor, &raw, direction, origin.mailbox).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Trial {
    /// Only say what would change.
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// Where a message belongs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `TABLE/GUID`.
    record: String,
}

/// Why a message belongs nowhere.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectRequest {
    /// One line, shown with the message.
    reason: Option<String>,
}

/// A change to one message: who asks, for which, and whether it is only a trial.
pub(super) struct Order {
    pub(super) app: App,
    pub(super) actor: Actor,
    pub(super) id: MailId,
    pub(super) dry_run: bool,
}

impl FromRequestParts<App> for Order {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Caller(actor) = Caller::from_request_parts(parts, app).await?;
        let Path(id) = Path::<String>::from_request_parts(parts, app).await?;
        let Query(trial) = Query::<Trial>::from_request_parts(parts, app).await?;
        Ok(Order { app: app.clone(), actor, id: input::id(&id)?, dry_run: trial.dry_run })
    }
}

impl Order {
    async fn place(self, target: &Target) -> Result<Json<Bulk>, Problem> {
        let record: Result<RecordRef, _> = target.record.parse();
        let record = record.map_err(|error| Problem::at("/record", error.to_string()))?;
        Ok(Json(self.app.operations.place(&self.actor, self.id, record, self.dry_run).await?))
    }

    async fn set_aside(self, skip: bool) -> Result<Json<Bulk>, Problem> {
        Ok(Json(self.app.operations.set_aside(&self.actor, self.id, skip, self.dry_run).await?))
    }
}

/// Attaches a message, for instance one in review, to a record. Later replies follow.
#[utoipa::path(post, path = "/api/v1/messages/{id}/attach", tag = "messages",
    params(("id" = String, Path, description = "`msg_…`"), Trial), extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::Bulk), (status = "4XX", body = ProblemView)))]
pub(super) async fn attach(
    order: Order,
    input::Json(target): input::Json<Target>,
) -> Result<Json<Bulk>, Problem> {
    order.place(&target).await
}

/// Moves a message from one record to another.
#[utoipa::path(post, path = "/api/v1/messages/{id}/move", tag = "messages",
    params(("id" = String, Path, description = "`msg_…`"), Trial), extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::Bulk), (status = "4XX", body = ProblemView)))]
pub(super) async fn place(
    order: Order,
    input::Json(target): input::Json<Target>,
) -> Result<Json<Bulk>, Problem> {
    order.place(&target).await
}

/// Decides that a message in review belongs to no record.
#[utoipa::path(post, path = "/api/v1/messages/{id}/reject", tag = "messages",
    params(("id" = String, Path, description = "`msg_…`"), Trial), extensions(("x-permission" = json!("decide"))),
    request_body = Option<RejectRequest>,
    responses((status = 200, body = schema::Bulk), (status = "4XX", body = ProblemView)))]
pub(super) async fn reject(order: Order, body: Result<Bytes, BytesRejection>) -> Result<Json<Bulk>, Problem> {
    order.actor.needs(Permission::Decide)?;
    let body = body.map_err(|error| Problem::input(error.to_string()))?;
    let given = match body.is_empty() {
        true => RejectRequest::default(),
        false => Json::<RejectRequest>::from_bytes(&body)?.0,
    };
    match given.reason {
        None => order.set_aside(false).await,
        Some(reason) => {
            let Order { app, actor, id, dry_run } = order;
            Ok(Json(app.operations.reject_message(&actor, id, &reason, dry_run).await?))
        }
    }
}

/// Takes a message out of review without judging it.
#[utoipa::path(post, path = "/api/v1/messages/{id}/skip", tag = "messages",
    params(("id" = String, Path, description = "`msg_…`"), Trial), extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::Bulk), (status = "4XX", body = ProblemView)))]
pub(super) async fn skip(order: Order) -> Result<Json<Bulk>, Problem> {
    order.set_aside(true).await
}

/// Decides a message again under the rules in force. What a person placed stays.
#[utoipa::path(post, path = "/api/v1/messages/{id}/replay", tag = "messages",
    params(("id" = String, Path, description = "`msg_…`"), Trial), extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::Replay), (status = "4XX", body = ProblemView)))]
pub(super) async fn replay(order: Order) -> Result<Json<Replay>, Problem> {
    Ok(Json(order.app.operations.replay_message(&order.actor, order.id, order.dry_run).await?))
}

/// Decides everything again that is in review.
#[utoipa::path(post, path = "/api/v1/messages/replay", tag = "messages", params(Trial),
    extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::Replay), (status = "4XX", body = ProblemView)))]
pub(super) async fn replay_review(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
) -> Result<Json<Replay>, Problem> {
    Ok(Json(app.operations.replay_review(&actor, trial.dry_run).await?))
}

/// Takes back what a person decided last about a message: it stands as the decision before says.
#[utoipa::path(post, path = "/api/v1/messages/{id}/undo", tag = "messages",
    params(("id" = String, Path, description = "`msg_…`"), Trial), extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::Bulk), (status = "4XX", body = ProblemView)))]
pub(super) async fn undo(order: Order) -> Result<Json<Bulk>, Problem> {
    Ok(Json(order.app.operations.undo_message(&order.actor, order.id, order.dry_run).await?))
}

/// Purges the bodies of mail that is not tracked and old enough, as is done every hour.
#[utoipa::path(post, path = "/api/v1/messages/purge", tag = "messages", params(Trial),
    extensions(("x-permission" = json!("administer"))),
    responses((status = 200, body = schema::Purged), (status = "4XX", body = ProblemView)))]
pub(super) async fn purge(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
) -> Result<Json<Purged>, Problem> {
    Ok(Json(app.operations.purge(&actor, trial.dry_run).await?))
}
