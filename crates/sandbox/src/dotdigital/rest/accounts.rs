//! Account, time, data fields. Source: dotdigital.md A8 and A9.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::call::{Answer, Call, Refusal, Reply, member, moment, ok, text};
use crate::dotdigital::account::field::{Field, FieldFault, Kind};

pub(super) fn info(call: &mut Call<'_>) -> Answer {
    let text = |name: &str, value: String| json!({ "name": name, "type": "String", "value": value });
    let number = |name: &str, value: u32| json!({ "name": name, "type": "Int", "value": value.to_string() });
    let (used, left) = call.usage.unwrap_or((0, 0));
    ok(json!({
        "id": call.account.id,
        "properties": [
            text("Name", call.account.name.clone()),
            text("MainEmail", format!("owner{}@example.com", call.account.id)),
            text("APILocale", "en-GB".to_owned()),
            text("ApiEndpoint", call.endpoint.to_owned()),
            number("ApiCallsInLastHour", used),
            number("ApiCallsRemaining", left),
            number("AvailableEmailSendsCredits", 1_000_000),
            text("CurrencyCode", "GBP".to_owned()),
            text("TimeZoneIana", "Europe/London".to_owned()),
        ],
    }))
}

pub(super) fn server_time(call: &mut Call<'_>) -> Answer {
    ok(Value::from(moment(call.now)))
}

pub(super) fn fields(call: &mut Call<'_>) -> Answer {
    let row = |field: &Field| {
        let visibility = if field.private { "Private" } else { "Public" };
        json!({
            "name": field.name, "type": field.kind.word(), "visibility": visibility, "defaultValue": field.default,
        })
    };
    ok(call.account.fields.iter().map(|(_, field)| row(field)).collect())
}

pub(super) fn create_field(call: &mut Call<'_>) -> Answer {
    let body = call.object()?;
    let invalid = || Refusal::bad("ERROR_DATAFIELD_INVALID");
    let name = text(&body, "name").filter(|name| !name.is_empty()).ok_or_else(invalid)?;
    let kind = match member(&body, "type") {
        None => Kind::String,
        Some(kind) => kind.as_str().and_then(Kind::of).ok_or_else(invalid)?,
    };
    let private = match text(&body, "visibility") {
        None | Some("Private") => true,
        Some("Public") => false,
        Some(_) => return Err(invalid()),
    };
    let default = member(&body, "defaultValue").cloned().unwrap_or(Value::Null);
    let field = Field { name: name.to_owned(), kind, private, default, used_by: Vec::new() };
    call.account.fields.add(field).map_err(|fault| match fault {
        FieldFault::Duplicate => Refusal::bad("ERROR_NON_UNIQUE_DATAFIELD"),
        FieldFault::TooMany => Refusal::bad("ERROR_DATAFIELD_LIMITEXCEEDED"),
        _ => invalid(),
    })?;
    Ok(Reply::Empty(StatusCode::CREATED))
}

/// A refused deletion is a 200, too.
pub(super) fn delete_field(call: &mut Call<'_>) -> Answer {
    let number = call.account.fields.number(call.capture(0));
    let number = number.ok_or(Refusal::absent("ERROR_DATAFIELD_NOTFOUND"))?;
    let used = call.account.fields.get_mut(number).map(|field| field.used_by.clone()).unwrap_or_default();
    if used.is_empty() {
        call.account.fields.remove(number);
        return ok(json!({ "result": true, "dependencies": [] }));
    }
    let used: Vec<_> = used.iter().map(|(kind, id)| json!({ "type": kind, "objectId": id })).collect();
    ok(json!({ "result": false, "dependencies": used }))
}
