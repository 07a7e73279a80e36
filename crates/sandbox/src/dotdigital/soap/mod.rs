//! The older door, `/v2/api.svc`: SOAP 1.1 over the same state, and its description (`?wsdl`, `?singleWsdl`).
//!
//! A call becomes the request of REST v2 that does the same (`ways`), is served as one, with its limits and switches, and its
//! answer becomes the operation's. So a switch for `POST /v2/campaigns/send` is one for `SendCampaign`, too.
//!
//! What goes wrong is a fault with the words that REST has in `message`, under HTTP's 500 *(inferred: the WSDL declares no
//! faults)*. 401 and 429 stay what they are: they come from before the service. Source: protocol-annex.md 5.1.

mod ways;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_formats::soap::Generation;
use postroom_formats::soap::dotdigital::{self as messages, Operation};
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::fault::Fault;
use postroom_formats::xml::Limits;
use serde_json::Value;

use ways::Asked;

/// Whether a path is this door's.
pub(super) fn is_door(segments: &[String]) -> bool {
    matches!(segments, [v2, door] if v2.eq_ignore_ascii_case("v2") && door.eq_ignore_ascii_case("api.svc"))
}

/// What a GET is answered with.
pub(super) fn described(query: Option<&str>, address: &str) -> Response {
    let wanted = ["wsdl", "singlewsdl"];
    match query.is_some_and(|query| wanted.contains(&query.to_lowercase().as_str())) {
        true => xml(StatusCode::OK, messages::description(address)),
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The request that a message is; otherwise the answer to a message that cannot be read.
pub(super) fn read(body: &[u8], action: &str) -> Result<(&'static Operation, Asked), Box<Response>> {
    let refused = |code: &str, text: String| {
        let fault = Fault { subcode: Some(code.to_owned()), ..Fault::new(0, text) };
        Box::new(faulted(&fault))
    };
    let text = String::from_utf8_lossy(body);
    let read = messages::read_request(&text, &Limits::default());
    let (operation, arguments) = read.map_err(|error| refused("DeserializationFailed", error.to_string()))?;
    if action.trim().trim_matches('"') != operation.action() {
        let text = format!("The message with Action '{action}' cannot be processed at the receiver");
        return Err(refused("ActionNotSupported", text));
    }
    let arguments = serde_json::from_str(&arguments).unwrap_or_default();
    match ways::asked(operation, &arguments) {
        Some(asked) => Ok((operation, asked)),
        None => Err(refused("ActionNotSupported", format!("{} is not played", operation.name))),
    }
}

/// The answer of REST as the operation's.
pub(super) async fn said(operation: &'static Operation, asked: &Asked, answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    if [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&parts.status) {
        return Response::from_parts(parts, body);
    }
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let value = match serde_json::from_slice::<Value>(&body) {
        Ok(value) => value,
        // A file.
        Err(_) if !body.is_empty() => Value::from(BASE64.encode(&body)),
        Err(_) => Value::Null,
    };
    let answered = if parts.status.is_success() {
        let result = asked.picked(value);
        match messages::answer(operation, &result) {
            Ok(text) => xml(StatusCode::OK, text),
            Err(error) => faulted(&Fault { receiver: true, ..Fault::new(0, error.to_string()) }),
        }
    } else {
        let text = value.get("message").and_then(Value::as_str).unwrap_or_default();
        faulted(&Fault { receiver: parts.status.is_server_error(), ..Fault::new(0, text) })
    };
    let (new, body) = answered.into_parts();
    parts.status = new.status;
    for gone in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        parts.headers.remove(gone);
    }
    parts.headers.extend(new.headers);
    Response::from_parts(parts, body)
}

fn faulted(fault: &Fault) -> Response {
    let envelope = Envelope::fault(Soap::V11, Headers::default(), fault, Generation::Crm2011);
    xml(StatusCode::INTERNAL_SERVER_ERROR, envelope.write())
}

fn xml(status: StatusCode, text: String) -> Response {
    let kind = HeaderValue::from_static("text/xml; charset=utf-8");
    (status, [(header::CONTENT_TYPE, kind)], Body::from(text)).into_response()
}
