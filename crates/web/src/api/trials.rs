//! `/api/v1/check`, `/api/v1/doctor` and the tests of mailboxes: what is tried, and what needs a person.

use axum::Json;
use axum::extract::State;
use postroom_operations::{CheckPart, CheckWanted, MailboxTest};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{Path, Query};
use crate::problem::{Problem, ProblemView};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Check {
    /// `config`, `storage`, `http`, `smtp`, `lmtp`, `crm`, `mailbox`, `smtp-out`, `relay`; left out, everything.
    part: Option<String>,
    /// One of them by name, such as a mailbox.
    name: Option<String>,
    /// Also send a mail to each mailbox itself, and wait for it there.
    #[serde(default)]
    round_trip: bool,
}

/// Tries what the configuration names and says what is wrong.
#[utoipa::path(post, path = "/api/v1/check", tag = "status", params(Check), extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::Findings), (status = "4XX", body = ProblemView)))]
pub(super) async fn check(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Check>,
) -> Result<Json<Value>, Problem> {
    let Check { part, name, round_trip } = asked;
    if name.is_some() && part.is_none() {
        return Err(Problem::input("name says which one of a part; give part, too"));
    }
    let part = part.map(|part| part.parse::<CheckPart>()).transpose()?;
    let wanted = CheckWanted { part, name, round_trip };
    let items = app.operations.check(&actor, &wanted, &mut |_| {}).await?;
    Ok(Json(json!({ "ok": items.iter().all(|tried| tried.ok), "items": items })))
}

/// Looks for anything that needs a person. Writes nothing.
#[utoipa::path(post, path = "/api/v1/doctor", tag = "status", extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Findings), (status = "4XX", body = ProblemView)))]
pub(super) async fn doctor(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Problem> {
    let items = app.operations.doctor(&actor).await?;
    Ok(Json(json!({ "ok": items.iter().all(|tried| tried.ok), "items": items })))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MailboxTrial {
    /// Also send a mail to the mailbox itself, and wait for it there.
    #[serde(default)]
    round_trip: bool,
}

/// Tests one mailbox step by step: its server, signing in, its folders, whose it is in the CRM.
#[utoipa::path(post, path = "/api/v1/mailboxes/{name}/test", tag = "mailboxes", params(("name" = String, Path), MailboxTrial),
    extensions(("x-permission" = json!("decide"))),
    responses((status = 200, body = schema::MailboxTest), (status = "4XX", body = ProblemView)))]
pub(super) async fn test(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    Query(asked): Query<MailboxTrial>,
) -> Result<Json<MailboxTest>, Problem> {
    let tested = app.operations.test_mailboxes(&actor, Some(&name), asked.round_trip, &mut |_| {}).await?;
    let one = tested.into_iter().next();
    one.map(Json).ok_or_else(|| Problem::not_found(format!("no mailbox {name:?} is configured")))
}
