//! The agents' door: programs beside a mail server (a Domino agent, a script) hand mail in by HTTP (`interfaces.md`, "HTTP").
//!
//! 202 means durable. A repeat answers 202 with the same id, so an agent that is not sure sends again.

mod envelope;
mod kernel;
mod mime;
mod stamp;
#[cfg(test)]
mod tests;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, Uri, header};
use postroom_core::{Envelope, MailId};
use postroom_operations::{Detail, Posted};
use serde_json::json;

use crate::app::App;
use crate::auth::{Agent, Peer};
use crate::input::{self, Path};
use crate::problem::Problem;

/// Bytes of a mail's head in JSON.
const HEAD: usize = 256 * 1024;

/// The routes below `/agent/v1`.
pub(crate) fn routes(max_message: u64) -> axum::Router<App> {
    // Base64 in JSON takes four bytes for three, and escapes and headers have room in the last megabyte.
    let limit = usize::try_from(max_message.saturating_mul(3) / 2 + (1 << 20)).unwrap_or(usize::MAX);
    axum::Router::new()
        .route("/agent/v1/messages", axum::routing::post(post).layer(DefaultBodyLimit::max(limit)))
        .route("/agent/v1/messages/{id}", get(show))
        .route("/agent/v1/stamp", axum::routing::post(stamp::stamp).layer(DefaultBodyLimit::max(HEAD)))
}

async fn post(
    State(app): State<App>,
    Agent(actor): Agent,
    Peer(peer): Peer,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let kind = input::media_type(&headers);
    if !matches!(kind.as_str(), "message/rfc822" | "message/global" | "application/json") {
        return Err(input::unsupported(&kind, "message/rfc822 or application/json"));
    }
    let body = input::mail(body, app.max_message)?;
    let mut posted = match kind.as_str() {
        "application/json" => from_kernel(&uri, &body)?,
        _ => from_raw(&uri, body)?,
    };
    if posted.raw.len() as u64 > app.max_message {
        return Err(Problem::too_large(app.max_message));
    }
    posted.peer = Some(peer.to_canonical().to_string());
    let accepted = app.operations.post_message(&actor, posted).await?;
    let location = format!("/agent/v1/messages/{}", accepted.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(json!({ "id": accepted.id })))
        .into_response())
}

fn from_raw(uri: &Uri, raw: Bytes) -> Result<Posted, Problem> {
    let given = envelope::read(uri)?;
    if raw.is_empty() {
        return Err(Problem::input("the body is empty; send the mail as it is"));
    }
    Ok(Posted {
        mailbox: given.mailbox,
        direction: given.direction,
        envelope: Envelope { from: given.from, to: given.to },
        source_id: given.source,
        peer: None,
        raw,
    })
}

fn from_kernel(uri: &Uri, body: &Bytes) -> Result<Posted, Problem> {
    if uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::input(
            "with application/json the envelope stands in the body, not in the query",
        ));
    }
    let axum::Json(kernel) = axum::Json::<kernel::Kernel>::from_bytes(body)?;
    kernel.into_mail()
}

async fn show(
    State(app): State<App>,
    Agent(actor): Agent,
    Path(id): Path<String>,
) -> Result<Json<Detail>, Problem> {
    let id: MailId = input::id(&id)?;
    Ok(Json(app.operations.message(&actor, id).await?))
}
