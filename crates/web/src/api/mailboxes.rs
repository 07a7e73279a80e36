//! `/api/v1/mailboxes`: how each fares, and what is ordered of it.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use jiff::Timestamp;
use postroom_operations::{Actor, Forgotten, MailboxDetail, MailboxOrder};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::messages::Trial;
use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

/// Mailboxes with their state, lag and cursors.
#[utoipa::path(get, path = "/api/v1/mailboxes", tag = "mailboxes", extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Mailboxes), (status = "4XX", body = ProblemView)))]
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Problem> {
    let items = app.operations.mailboxes(&actor).await?;
    Ok(Json(json!({ "items": items })))
}

/// One mailbox with what was decided about its mail last.
#[utoipa::path(get, path = "/api/v1/mailboxes/{name}", tag = "mailboxes", params(("name" = String, Path)),
    extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::MailboxDetail), (status = "4XX", body = ProblemView)))]
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<MailboxDetail>, Problem> {
    Ok(Json(app.operations.mailbox(&actor, &name).await?))
}

/// An order for one mailbox: who gives it, and whether it is only a trial.
pub(super) struct Order {
    app: App,
    actor: Actor,
    name: String,
    dry_run: bool,
}

impl FromRequestParts<App> for Order {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Caller(actor) = Caller::from_request_parts(parts, app).await?;
        let Path(name) = Path::<String>::from_request_parts(parts, app).await?;
        let Query(trial) = Query::<Trial>::from_request_parts(parts, app).await?;
        Ok(Order { app: app.clone(), actor, name, dry_run: trial.dry_run })
    }
}

/// Stops reading a mailbox until it is resumed.
#[utoipa::path(post, path = "/api/v1/mailboxes/{name}/pause", tag = "mailboxes", params(("name" = String, Path), Trial),
    extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::MailboxOrder), (status = "4XX", body = ProblemView)))]
pub(super) async fn pause(order: Order) -> Result<Json<MailboxOrder>, Problem> {
    Ok(Json(order.app.operations.pause_mailbox(&order.actor, &order.name, order.dry_run).await?))
}

/// Goes on reading a mailbox.
#[utoipa::path(post, path = "/api/v1/mailboxes/{name}/resume", tag = "mailboxes", params(("name" = String, Path), Trial),
    extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::MailboxOrder), (status = "4XX", body = ProblemView)))]
pub(super) async fn resume(order: Order) -> Result<Json<MailboxOrder>, Problem> {
    Ok(Json(order.app.operations.resume_mailbox(&order.actor, &order.name, order.dry_run).await?))
}

/// From when on a mailbox is read again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// RFC 3339.
    since: String,
}

/// Reads a mailbox's mail since then again. Nothing that is known is added twice.
#[utoipa::path(post, path = "/api/v1/mailboxes/{name}/rescan", tag = "mailboxes", params(("name" = String, Path), Trial),
    extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::MailboxOrder), (status = "4XX", body = ProblemView)))]
pub(super) async fn rescan(
    order: Order,
    input::Json(since): input::Json<Since>,
) -> Result<Json<MailboxOrder>, Problem> {
    let since: Result<Timestamp, _> = since.since.parse();
    let since = since.map_err(|_| Problem::at("/since", "since is a time such as 2026-01-31T00:00:00Z"))?;
    Ok(Json(order.app.operations.rescan_mailbox(&order.actor, &order.name, since, order.dry_run).await?))
}

/// Forgets where a mailbox was read to; its messages stay. One that still stands in the configuration begins anew.
#[utoipa::path(delete, path = "/api/v1/mailboxes/{name}", tag = "mailboxes", params(("name" = String, Path), Trial),
    extensions(("x-permission" = json!("administer"))),
    responses((status = 200, body = schema::MailboxForgotten), (status = "4XX", body = ProblemView)))]
pub(super) async fn forget(order: Order) -> Result<Json<Forgotten>, Problem> {
    Ok(Json(order.app.operations.forget_mailbox(&order.actor, &order.name, order.dry_run).await?))
}
