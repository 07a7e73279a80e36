//! Contacts of v2: one at a time, and in pages. Source: dotdigital.md A10.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::call::{Answer, Call, Refusal, Reply, created, int, member, moment, no_content, ok, text};
use crate::dotdigital::account::Account;
use crate::dotdigital::account::contact::{Consent, Contact, EmailType, Key, OptIn, Status};
use crate::dotdigital::account::field::{FieldFault, date};
use crate::dotdigital::account::writing::{Gate, Merge, Wanted, WriteFault};

/// A contact on the wire.
pub(super) fn json(account: &Account, contact: &Contact, full: bool) -> Value {
    let fields = || {
        let all = account.fields.iter().map(|(number, field)| {
            let value = match (field.name.as_str(), contact.cells.get(number)) {
                ("LASTSUBSCRIBED", None) => Value::from(moment(contact.created)),
                (_, cell) => cell.map_or(Value::Null, |cell| cell.json()),
            };
            json!({ "key": field.name, "value": value })
        });
        all.collect::<Value>()
    };
    json!({
        "id": contact.id,
        "email": contact.address(),
        "optInType": contact.opt_in.word(),
        "emailType": contact.email_type.word(),
        "dataFields": if full { fields() } else { Value::Null },
        "status": contact.status.v2(),
    })
}

fn rows<'a>(account: &Account, contacts: impl IntoIterator<Item = &'a Contact>, full: bool) -> Answer {
    ok(contacts.into_iter().map(|contact| json(account, contact, full)).collect())
}

/// What the pages of v2 show: people with an address that is not suppressed.
pub(super) fn shown(contact: &&Contact) -> bool {
    contact.email.is_some() && !contact.status.suppresses()
}

pub(super) fn all(call: &mut Call<'_>) -> Answer {
    let page = call.page()?;
    rows(call.account, page.cut(call.account.contacts.iter().filter(shown)), call.flag("withFullData"))
}

pub(super) fn created_since(call: &mut Call<'_>) -> Answer {
    let (page, since) = (call.page()?, call.since(0)?);
    let found = call.account.contacts.iter().filter(shown).filter(|contact| contact.created >= since);
    rows(call.account, page.cut(found), call.flag("withFullData"))
}

pub(super) fn modified_since(call: &mut Call<'_>) -> Answer {
    let (page, since) = (call.page_of(2000, 2000)?, call.since(0)?);
    let found = call.account.contacts.iter().filter(shown).filter(|contact| contact.updated >= since);
    rows(call.account, page.cut(found), call.flag("withFullData"))
}

pub(super) fn count(call: &mut Call<'_>) -> Answer {
    ok(json!(call.account.contacts.iter().filter(shown).count()))
}

/// By id or address. A suppressed contact is not found by its id.
pub(super) fn find(call: &Call<'_>, place: usize) -> Result<i32, Refusal> {
    let key = call.capture(place);
    let absent = || Refusal::absent("ERROR_CONTACT_NOT_FOUND");
    let Ok(id) = key.parse::<i32>() else {
        return call.account.contacts.find(&Key::Email(key.to_owned())).ok_or_else(absent);
    };
    let known =
        call.account.contacts.get(id).filter(|known| known.email.is_some() && !known.status.suppresses());
    known.map(|known| known.id).ok_or_else(absent)
}

pub(super) fn contact(account: &Account, id: i32) -> Result<&Contact, Refusal> {
    account.contacts.get(id).ok_or(Refusal::absent("ERROR_CONTACT_NOT_FOUND"))
}

pub(super) fn one(call: &mut Call<'_>) -> Answer {
    let id = find(call, 0)?;
    ok(json(call.account, contact(call.account, id)?, true))
}

pub(super) fn with_consent(call: &mut Call<'_>) -> Answer {
    let id = find(call, 0)?;
    ok(consenting(call.account, contact(call.account, id)?))
}

fn consenting(account: &Account, contact: &Contact) -> Value {
    let consents = contact.consents.iter().enumerate().map(|(number, consent)| {
        json!({
            "id": number.to_string(),
            "fields": [
                { "key": "TEXT", "value": consent.text },
                { "key": "DATETIMECONSENTED", "value": moment(consent.consented) },
                { "key": "URL", "value": consent.url },
                { "key": "IPADDRESS", "value": consent.ip },
                { "key": "USERAGENT", "value": consent.agent },
            ],
        })
    });
    json!({ "contact": json(account, contact, true), "consentFields": consents.collect::<Value>() })
}

/// Reads a contact of v2.
pub(super) fn wanted(body: &Value) -> Result<Wanted, Refusal> {
    let word = |name: &str| match member(body, name) {
        None => Ok(None),
        Some(Value::String(word)) => Ok(Some(word.as_str())),
        Some(_) => Err(Refusal::bad("ERROR_CONTACT_INVALID")),
    };
    let unknown = |_| Refusal::bad("ERROR_CONTACT_INVALID");
    let opt_in = word("optInType")?.map(|word| OptIn::of(word).ok_or(())).transpose().map_err(unknown)?;
    let email_type =
        word("emailType")?.map(|word| EmailType::of(word).ok_or(())).transpose().map_err(unknown)?;
    let mut wanted = Wanted {
        email: word("email")?.map(|email| email.trim().to_owned()),
        mobile: text(body, "mobileNumberId").map(|mobile| mobile.trim_start_matches('+').to_owned()),
        opt_in,
        email_type,
        fields: pairs(member(body, "dataFields"))?,
        ..Wanted::default()
    };
    // The service keeps this one itself.
    wanted.fields.retain(|(name, _)| !name.eq_ignore_ascii_case("LASTSUBSCRIBED"));
    Ok(wanted)
}

/// `[{key, value}]`.
pub(super) fn pairs(list: Option<&Value>) -> Result<Vec<(String, Value)>, Refusal> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let invalid = || Refusal::bad("ERROR_DATAFIELD_INVALID");
    let rows = list.as_array().ok_or_else(invalid)?.iter();
    rows.map(|row| {
        let value = member(row, "value").cloned().unwrap_or(Value::Null);
        Ok((text(row, "key").ok_or_else(invalid)?.to_owned(), value))
    })
    .collect()
}

/// The constant of v2 for a refused write.
pub(super) fn refusal(fault: WriteFault) -> Refusal {
    let code = match fault {
        WriteFault::Suppressed(_) => "ERROR_CONTACT_SUPPRESSED",
        WriteFault::SuppressedForList(_) => "ERROR_CONTACT_SUPPRESSEDFORADDRESSBOOK",
        WriteFault::ListNotFound(_) => return Refusal::absent("ERROR_ADDRESSBOOK_NOT_FOUND"),
        WriteFault::ListReadOnly(_) => "ERROR_ADDRESSBOOK_NOTWRITABLE",
        WriteFault::Field(FieldFault::NotFound, _) => "ERROR_DATAFIELD_NOTFOUND",
        WriteFault::Field(FieldFault::Overflow, _) => "ERROR_DATAFIELD_VALUE_OVERFLOW",
        WriteFault::Field(..) => "ERROR_DATAFIELD_INVALID",
        WriteFault::InvalidEmail(_) => "ERROR_INVALID_EMAIL",
        WriteFault::Taken(_) => "ERROR_NON_UNIQUE_EMAIL",
        WriteFault::PreferenceNotFound(_) => "ERROR_PREFERENCE_NOT_FOUND",
        WriteFault::NotFound => return Refusal::absent("ERROR_CONTACT_NOT_FOUND"),
        WriteFault::InvalidMobile(_) | WriteFault::UnknownIdentifier(_) | WriteFault::NoIdentifier => {
            "ERROR_CONTACT_INVALID"
        }
    };
    Refusal::bad(code)
}

/// Creates or updates by address.
pub(super) fn upsert(call: &mut Call<'_>, wanted: &Wanted) -> Result<i32, Refusal> {
    let email = wanted.email.clone().ok_or(Refusal::bad("ERROR_INVALID_EMAIL"))?;
    let matched = call.account.contacts.find(&Key::Email(email));
    store(call, matched, wanted)
}

fn store(call: &mut Call<'_>, matched: Option<i32>, wanted: &Wanted) -> Result<i32, Refusal> {
    let written = call.account.write(matched, wanted, Merge::Overwrite, Gate::Closed, call.now);
    let written = written.map_err(refusal)?;
    match written.faults.into_iter().next() {
        Some(fault) => Err(refusal(fault)),
        None => Ok(written.id),
    }
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let wanted = wanted(&call.object()?)?;
    let id = upsert(call, &wanted)?;
    created(json(call.account, contact(call.account, id)?, true))
}

/// A change by id may change the address.
pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let wanted = wanted(&call.object()?)?;
    let id = find(call, 0)?;
    let id = store(call, Some(id), &wanted)?;
    ok(json(call.account, contact(call.account, id)?, true))
}

pub(super) fn create_consenting(call: &mut Call<'_>) -> Answer {
    let wanted = consented(call)?;
    let id = upsert(call, &wanted)?;
    created(consenting(call.account, contact(call.account, id)?))
}

pub(super) fn update_consenting(call: &mut Call<'_>) -> Answer {
    let wanted = consented(call)?;
    let id = find(call, 0)?;
    let id = store(call, Some(id), &wanted)?;
    ok(consenting(call.account, contact(call.account, id)?))
}

fn consented(call: &Call<'_>) -> Result<Wanted, Refusal> {
    let body = call.object()?;
    let contact = member(&body, "contact").ok_or(Refusal::bad("ERROR_CONTACT_INVALID"))?;
    let mut wanted = wanted(contact)?;
    for record in member(&body, "consentFields").and_then(Value::as_array).into_iter().flatten() {
        wanted.consents.push(consent(&pairs(member(record, "fields"))?, call.now));
    }
    for preference in member(&body, "preferences").and_then(Value::as_array).into_iter().flatten() {
        super::preferences::answers(preference, &mut wanted.preferences);
    }
    Ok(wanted)
}

/// A consent from its keys, in either spelling.
pub(super) fn consent(pairs: &[(String, Value)], now: jiff::Timestamp) -> Consent {
    let get = |names: [&str; 2]| {
        let found = pairs.iter().find(|(key, _)| names.iter().any(|name| key.eq_ignore_ascii_case(name)));
        found.and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned()
    };
    Consent {
        text: get(["TEXT", "consenttext"]),
        consented: date(&get(["DATETIMECONSENTED", "consentdatetime"])).unwrap_or(now),
        url: get(["URL", "consenturl"]),
        ip: get(["IPADDRESS", "consentip"]),
        agent: get(["USERAGENT", "consentuseragent"]),
        created: now,
    }
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = find(call, 0)?;
    call.account.erase(id);
    no_content()
}

/// A GET with a body.
pub(super) fn collection(call: &mut Call<'_>) -> Answer {
    let body = call.object()?;
    let full = member(&body, "withFullData").and_then(Value::as_bool).unwrap_or(false);
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for asked in member(&body, "contacts").and_then(Value::as_array).into_iter().flatten() {
        match person(call.account, asked).and_then(|id| call.account.contacts.get(id)) {
            Some(contact) => {
                let mut row = json(call.account, contact, full);
                row["created"] = Value::from(moment(contact.created));
                found.push(row);
            }
            None => missing.push(asked_for(asked)),
        }
    }
    ok(json!({ "contacts": found, "notFound": missing }))
}

/// `{id}` or `{email}`.
pub(super) fn person(account: &Account, asked: &Value) -> Option<i32> {
    match (int(asked, "id").filter(|id| *id != 0), text(asked, "email")) {
        (Some(id), _) => account.contacts.find(&Key::Id(id)),
        (None, Some(email)) => account.contacts.find(&Key::Email(email.to_owned())),
        (None, None) => None,
    }
}

pub(super) fn asked_for(asked: &Value) -> Value {
    json!({ "id": int(asked, "id").unwrap_or(0), "email": text(asked, "email") })
}

pub(super) fn score(call: &mut Call<'_>) -> Answer {
    let id = find(call, 0)?;
    let contact = contact(call.account, id)?;
    scored(contact).map_or(Err(Refusal::absent("ERROR_CONTACT_NOT_FOUND")), ok)
}

pub(super) fn scores(call: &mut Call<'_>) -> Answer {
    let page = call.page()?;
    ok(page.cut(call.account.contacts.iter().filter(shown).filter_map(scored)).into())
}

pub(super) fn scores_since(call: &mut Call<'_>) -> Answer {
    let (page, since) = (call.page()?, call.since(0)?);
    let changed = |contact: &&Contact| contact.score.is_some_and(|score| score.at >= since);
    ok(page.cut(call.account.contacts.iter().filter(shown).filter(changed).filter_map(scored)).into())
}

pub(super) fn scores_of_list(call: &mut Call<'_>) -> Answer {
    let (page, list) = (call.page()?, super::lists::list_or_segment(call, 0)?);
    let members = call.account.members(list);
    let contacts = members.iter().filter_map(|id| call.account.contacts.get(*id));
    ok(page.cut(contacts.filter(shown).filter_map(scored)).into())
}

fn scored(contact: &Contact) -> Option<Value> {
    let score = contact.score?;
    Some(json!({
        "contactId": contact.id,
        "email": contact.address(),
        "dateModified": moment(score.at),
        "scoreLabel": score.label(),
        "score": score.score,
        "engagement": score.engagement,
        "suitability": score.suitability,
    }))
}

pub(super) fn unsubscribe(call: &mut Call<'_>) -> Answer {
    let email = address(&call.object()?)?;
    let suppression = call.account.suppress(&email, Status::Unsubscribed, call.now);
    ok(super::suppressions::json(call.account, &suppression))
}

pub(super) fn address(body: &Value) -> Result<String, Refusal> {
    let email = text(body, "email").map(str::trim).filter(|email| super::contacts::is_address(email));
    email.map(str::to_owned).ok_or(Refusal::bad("ERROR_INVALID_EMAIL"))
}

pub(super) use crate::dotdigital::account::writing::is_address;

pub(super) fn suppress(call: &mut Call<'_>) -> Answer {
    let body = call.json()?;
    let rows = body.as_array().ok_or(Refusal::bad("ERROR_CONTACTS_ARE_NOT_SPECIFIED"))?;
    let (mut suppressed, mut missing) = (Vec::new(), Vec::new());
    for asked in rows {
        let email = person(call.account, asked).and_then(|id| call.account.contacts.get(id)?.email.clone());
        let Some(email) = email else {
            missing.push(asked_for(asked));
            continue;
        };
        let suppression = call.account.suppress(&email, Status::Suppressed, call.now);
        suppressed.push(json!({ "id": suppression.contact, "email": suppression.email }));
    }
    Ok(Reply::Json(StatusCode::OK, json!({ "suppressed": suppressed, "notFound": missing })))
}
