//! Custom identifiers: names by which contacts can be found. Source: dotdigital.md A2.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::call::{Answer, Call, Refusal, created, moment, no_content, ok};
use crate::dotdigital::account::Identifier;

/// Custom identifiers of an account.
const MOST_IDENTIFIERS: usize = 20;

fn identifier(known: &Identifier) -> Value {
    json!({ "name": known.name, "created": moment(known.created), "updated": moment(known.created) })
}

pub(super) fn all(call: &mut Call<'_>) -> Answer {
    ok(call.account.identifiers.iter().map(identifier).collect())
}

/// A name that an identifier may have.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=50).contains(&name.len()) && name.bytes().all(plain)
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let body: Value = serde_json::from_slice(call.body).unwrap_or(Value::Null);
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    if !is_name(name) {
        return Err(Refusal::v3(
            "customIdentifiers:nameTooLong",
            "A name has 1 to 50 letters, digits, - and _",
        ));
    }
    let reserved =
        ["contactId", "email", "mobileNumber"].iter().any(|known| known.eq_ignore_ascii_case(name));
    if reserved || call.account.identifiers.iter().any(|known| known.name.eq_ignore_ascii_case(name)) {
        let text = format!("'{name}' exists already");
        return Err(Refusal::V3(StatusCode::CONFLICT, "customIdentifiers:nameAlreadyExists", text));
    }
    if call.account.identifiers.len() >= MOST_IDENTIFIERS {
        let text = "The account has no room for another identifier".to_owned();
        return Err(Refusal::V3(StatusCode::PRECONDITION_FAILED, "customIdentifiers:limitReached", text));
    }
    let known = Identifier { name: name.to_owned(), created: call.now };
    let answer = identifier(&known);
    call.account.identifiers.push(known);
    created(answer)
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let name = call.capture(0).to_owned();
    if !call.account.identifiers.iter().any(|known| known.name == name) {
        let text = format!("'{name}' does not exist");
        return Err(Refusal::V3(StatusCode::NOT_FOUND, "customIdentifiers:notExist", text));
    }
    if call.account.contacts.uses(&name) {
        return Err(Refusal::v3("customIdentifiers:inUse", format!("Contacts have '{name}'")));
    }
    call.account.identifiers.retain(|known| known.name != name);
    no_content()
}
