//! Reading requests: paths, query strings and bodies, each refusal a problem that names what is wrong.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
use http::{HeaderMap, StatusCode, header};
use postroom_core::{Code, Direction};
use uuid::Uuid;

use crate::problem::Problem;

/// Query parameters; unknown ones are refused by the type.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub T);

/// Parts of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct Path<T>(pub T);

/// A JSON body; unknown fields are refused by the type.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Json<T>(pub T);

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Problem::input(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Problem::not_found(rejection.body_text())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            // A body of the wrong shape is a wrong request like any other here.
            StatusCode::UNPROCESSABLE_ENTITY => Problem::input(rejection.body_text()),
            status => Problem::new(status, Code::API_INPUT, rejection.body_text()),
        }
    }
}

/// The whole body of a mail, or what stopped it.
pub(crate) fn mail(body: Result<Bytes, BytesRejection>, limit: u64) -> Result<Bytes, Problem> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(limit),
        _ => Problem::input("the body ended early"),
    })
}

/// The media type of the body, lower case, without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// 415 with what would be taken.
pub(crate) fn unsupported(given: &str, wanted: &str) -> Problem {
    let text = format!("Content-Type {given:?} is not taken here; send {wanted}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::API_INPUT, text)
}

/// `incoming`/`outgoing`, or the folder a mail lies in: `Inbox`/`Sent`, in any case. Nothing means incoming.
pub(crate) fn direction(text: Option<&str>) -> Option<Direction> {
    match text.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "inbox" | "incoming" => Some(Direction::Incoming),
        "sent" | "outgoing" => Some(Direction::Outgoing),
        _ => None,
    }
}

/// An id in a path: what does not read as one names nothing.
pub(crate) fn id<T: FromStr>(text: &str) -> Result<T, Problem>
where
    T::Err: ToString,
{
    text.parse().map_err(|error: T::Err| Problem::not_found(error.to_string()))
}

/// A GUID in a path.
pub(crate) fn guid(text: &str) -> Result<Uuid, Problem> {
    Uuid::parse_str(text).map_err(|_| Problem::not_found(format!("{text:?} is no GUID")))
}

/// The whole body of an import, as text, or what stopped it.
pub(crate) fn text(body: Result<Bytes, BytesRejection>, limit: usize) -> Result<String, Problem> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let text = format!("the body is larger than {limit} bytes; send it in parts");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Code::API_INPUT, text)
        }
        _ => Problem::input("the body ended early"),
    })?;
    String::from_utf8(body.into()).map_err(|_| Problem::input("the body is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Direction>) {
        assert_eq!(direction(Some(text)), expected);
    }

    #[test]
    fn directions() {
        check("Inbox", Some(Direction::Incoming));
        check("SENT", Some(Direction::Outgoing));
        check("incoming", Some(Direction::Incoming));
        check("Outgoing", Some(Direction::Outgoing));
        check("sideways", None);
        assert_eq!(direction(None), Some(Direction::Incoming));
    }
}
