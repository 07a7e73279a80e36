//! One request, taken apart; and the two shapes of refusal. Source: dotdigital.md A4, A5, A6.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use postroom_core::Ids;
use serde_json::{Value, json};

use crate::dotdigital::account::Account;
use crate::dotdigital::account::behaviour::Behaviour;
use crate::dotdigital::account::field::date;
use crate::dotdigital::account::import::Phase;
use crate::dotdigital::account::sending::MailKind;

/// A request at its handler. Everything happens under one lock.
pub(crate) struct Call<'a> {
    pub account: &'a mut Account,
    pub behaviour: &'a Behaviour,
    pub ids: &'a Ids,
    pub now: Timestamp,
    /// What stands in the place of the pattern's captures, decoded.
    pub captures: Vec<String>,
    pub query: Vec<(String, String)>,
    pub content_type: &'a str,
    pub body: &'a [u8],
    /// Where this account is served.
    pub endpoint: &'a str,
    /// Calls in the last hour and calls left, of a user with the flat limit.
    pub usage: Option<(u32, u32)>,
    /// Rows by which each page is behind the one before.
    pub shift: usize,
    /// How imports end that begin now; none for one that never ends.
    pub import_fate: Option<Phase>,
}

/// What a handler answers.
pub(crate) enum Reply {
    Json(StatusCode, Value),
    Empty(StatusCode),
    Csv(String),
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    V2(StatusCode, &'static str, String),
    V3(StatusCode, &'static str, String),
}

impl Refusal {
    /// A constant of v2 with status 400.
    pub fn bad(code: &'static str) -> Self {
        Refusal::V2(StatusCode::BAD_REQUEST, code, String::new())
    }

    pub fn because(code: &'static str, text: impl Into<String>) -> Self {
        Refusal::V2(StatusCode::BAD_REQUEST, code, text.into())
    }

    pub fn absent(code: &'static str) -> Self {
        Refusal::V2(StatusCode::NOT_FOUND, code, String::new())
    }

    /// v3 with status 400.
    pub fn v3(code: &'static str, text: impl Into<String>) -> Self {
        Refusal::V3(StatusCode::BAD_REQUEST, code, text.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            // Both shapes of the message are in use (dotdigital.md A6).
            Refusal::V2(status, code, text) if text.is_empty() => {
                (status, json!({ "message": format!("Error: {code}") }))
            }
            Refusal::V2(status, code, text) => (status, json!({ "message": format!("{text}. {code}") })),
            Refusal::V3(status, code, text) => {
                (status, json!({ "errorCode": code, "description": text, "details": [] }))
            }
        };
        Reply::Json(status, body).into_response()
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let (status, kind, body) = match self {
            Reply::Json(status, body) => (status, "application/json; charset=utf-8", body.to_string()),
            Reply::Empty(status) => return status.into_response(),
            Reply::Csv(text) => (StatusCode::OK, "text/csv", text),
        };
        (status, [(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
    }
}

/// A page of v2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    select: usize,
    skip: usize,
}

impl Page {
    pub fn cut<T>(self, rows: impl IntoIterator<Item = T>) -> Vec<T> {
        rows.into_iter().skip(self.skip).take(self.select).collect()
    }

    pub fn slice<T>(self, rows: &[T]) -> &[T] {
        let from = self.skip.min(rows.len());
        &rows[from..rows.len().min(from.saturating_add(self.select))]
    }
}

pub(crate) type Answer = Result<Reply, Refusal>;

/// 200 with JSON.
pub(crate) fn ok(body: Value) -> Answer {
    Ok(Reply::Json(StatusCode::OK, body))
}

pub(crate) fn created(body: Value) -> Answer {
    Ok(Reply::Json(StatusCode::CREATED, body))
}

pub(crate) fn accepted(body: Value) -> Answer {
    Ok(Reply::Json(StatusCode::ACCEPTED, body))
}

pub(crate) fn no_content() -> Answer {
    Ok(Reply::Empty(StatusCode::NO_CONTENT))
}

impl Call<'_> {
    pub fn capture(&self, place: usize) -> &str {
        self.captures.get(place).map_or("", String::as_str)
    }

    /// A capture that is a number.
    pub fn id(&self, place: usize) -> Result<i32, Refusal> {
        self.capture(place)
            .parse()
            .map_err(|_| Refusal::because("ERROR_PARAMETER_INVALID", "The id is no number"))
    }

    /// A capture that is a moment.
    pub fn since(&self, place: usize) -> Result<Timestamp, Refusal> {
        date(self.capture(place)).ok_or(Refusal::because("ERROR_PARAMETER_INVALID", "The date can't be read"))
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn flag(&self, name: &str) -> bool {
        self.query(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub fn page(&self) -> Result<Page, Refusal> {
        self.page_of(1000, 1000)
    }

    /// `select` and `skip`, with this default and this most.
    pub fn page_of(&self, default: usize, most: usize) -> Result<Page, Refusal> {
        let number = |name: &str, default: usize| match self.query(name) {
            None => Ok(default),
            Some(text) => text.parse::<usize>().map_err(|_| {
                Refusal::because("ERROR_PARAMETER_INVALID", format!("The value of {name} is invalid"))
            }),
        };
        let (select, skip) = (number("select", default)?, number("skip", 0)?);
        if select == 0 || select > most {
            let text = format!("The value of select must be between 1 and {most}");
            return Err(Refusal::because("ERROR_PARAMETER_INVALID", text));
        }
        // Between two pages rows went away in front of them.
        let pages = skip.div_ceil(select);
        Ok(Page { select, skip: skip.saturating_add(pages * self.shift) })
    }

    /// The body, for v2.
    pub fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(self.body)
            .map_err(|_| Refusal::because("ERROR_MALFORMED_REQUEST", "The body is no JSON"))
    }

    /// An object of the body, for v2.
    pub fn object(&self) -> Result<Value, Refusal> {
        self.json().and_then(|body| {
            if body.is_object() { Ok(body) } else { Err(Refusal::bad("ERROR_PARAMETER_INVALID")) }
        })
    }

    /// Writes a mail of a single call to the log. True when it went.
    pub fn mail(&mut self, kind: MailKind, email: &str, campaign: Option<i32>) -> bool {
        use crate::dotdigital::account::contact::Key;
        use crate::dotdigital::account::sending::Mailing;
        let contact = self.account.contacts.find(&Key::Email(email.to_owned())).unwrap_or(0);
        let mailing = Mailing {
            at: self.now,
            kind,
            send: None,
            campaign,
            contact,
            email: email.into(),
            list: None,
            suppressed: None,
            departed: false,
            mailed: true,
        };
        self.account.deliver(mailing, 0, self.behaviour)
    }
}

/// A member of an object; v2 bodies are read in any case.
pub(crate) fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let found = object.as_object()?.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value).filter(|value| !value.is_null())
}

pub(crate) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    member(object, name)?.as_str()
}

/// An id, if it is one of 32 bits.
pub(crate) fn int(object: &Value, name: &str) -> Option<i32> {
    member(object, name)?.as_i64().and_then(|number| i32::try_from(number).ok())
}

/// An array of ids; absent is empty.
pub(crate) fn ints(object: &Value, name: &str) -> Result<Vec<i32>, Refusal> {
    let Some(value) = member(object, name) else { return Ok(Vec::new()) };
    let refusal = || Refusal::because("ERROR_PARAMETER_INVALID", format!("{name} must hold ids"));
    let ids = value.as_array().ok_or_else(refusal)?.iter();
    ids.map(|id| id.as_i64().and_then(|id| i32::try_from(id).ok()).ok_or_else(refusal)).collect()
}

pub(crate) fn moment(at: Timestamp) -> String {
    format!("{at:.3}")
}

pub(crate) fn moment_or_null(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| Value::from(moment(at)))
}
