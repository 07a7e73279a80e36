//! Contacts of v3: one at a time, and in pages with markers. Source: dotdigital.md A11.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::call::{Answer, Call, Refusal, Reply, created, moment, ok};
use super::person::{Named, read};
use crate::dotdigital::account::Account;
use crate::dotdigital::account::contact::{Contact, Key};
use crate::dotdigital::account::field::date;
use crate::dotdigital::account::writing::{Gate, Merge, Wanted, WriteFault};

/// Contacts of one page.
pub(super) const MOST_ROWS: usize = 5000;

/// What a reader wants besides the identifiers.
#[derive(Default)]
struct Include {
    fields: Option<Vec<String>>,
    channels: bool,
    lists: bool,
    preferences: bool,
    consents: bool,
}

const EVERYTHING: Include =
    Include { fields: Some(Vec::new()), channels: true, lists: true, preferences: true, consents: true };

pub(super) fn identifiers(
    email: Option<&str>,
    mobile: Option<&str>,
    custom: &std::collections::BTreeMap<String, String>,
) -> Value {
    let mut all = Map::new();
    all.extend(email.map(|email| ("email".to_owned(), Value::from(email))));
    all.extend(mobile.map(|mobile| ("mobileNumber".to_owned(), Value::from(mobile))));
    all.extend(custom.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))));
    all.into()
}

fn json_of(account: &Account, contact: &Contact, include: &Include) -> Value {
    let mut row = json!({
        "contactId": contact.id,
        "status": contact.status.v3(),
        "created": moment(contact.created),
        "updated": moment(contact.updated),
        "identifiers": identifiers(contact.email.as_deref(), contact.mobile.as_deref(), &contact.custom),
    });
    if let Some(names) = &include.fields {
        let wanted =
            |name: &str| names.is_empty() || names.iter().any(|known| known.eq_ignore_ascii_case(name));
        let values = account.fields.iter().filter(|(_, field)| wanted(&field.name)).map(|(number, field)| {
            (field.name.clone(), contact.cells.get(number).map_or(Value::Null, |cell| cell.json()))
        });
        row["dataFields"] = Value::Object(values.collect());
    }
    if include.channels {
        row["channelProperties"] = channels(contact);
    }
    if include.lists {
        let lists = contact.lists.iter().filter_map(|id| account.lists.get(id));
        let state = if contact.status.suppresses() { "suppressed" } else { "subscribed" };
        row["lists"] =
            lists.map(|list| json!({ "id": list.id, "name": list.name, "status": state })).collect();
    }
    if include.preferences {
        let leaves = account.preferences.values().filter(|known| known.is_preference);
        let rows: Vec<Value> = leaves
            .map(|known| {
                json!({
                    "id": known.id,
                    "name": known.public_name,
                    "publicName": known.public_name,
                    "privateName": known.private_name,
                    "isOptedIn": super::preferences::opted_in(contact, known.id),
                })
            })
            .collect();
        // The schema forbids an empty array.
        if !rows.is_empty() {
            row["preferences"] = rows.into();
        }
    }
    if include.consents {
        row["consentRecords"] = contact
            .consents
            .iter()
            .map(|known| {
                json!({
                    "text": known.text,
                    "dateTimeConsented": moment(known.consented),
                    "url": known.url,
                    "ipAddress": known.ip,
                    "userAgent": known.agent,
                    "dateTimeCreated": moment(known.created),
                })
            })
            .collect();
    }
    row
}

fn channels(contact: &Contact) -> Value {
    let mut all = Map::new();
    if contact.email.is_some() {
        let email = json!({
            "emailType": contact.email_type.word(),
            "optInType": contact.opt_in.word(),
            "status": contact.status.v3_channel(),
        });
        all.insert("email".to_owned(), email);
    }
    if contact.mobile.is_some() {
        all.insert("sms".to_owned(), json!({ "countryCode": "GB", "status": "subscribed" }));
    }
    all.into()
}

fn include(call: &Call<'_>) -> Result<Include, Refusal> {
    let mut include = Include::default();
    if let Some(names) = call.query("data-fields").filter(|names| !names.is_empty()) {
        let names: Vec<_> = names.split('|').map(str::to_owned).collect();
        let all = names.iter().any(|name| name == "[[ALL]]");
        include.fields = Some(if all { Vec::new() } else { names });
    }
    for word in call.query("include").into_iter().flat_map(|words| words.split(['|', ','])) {
        match word {
            "channelProperties" => include.channels = true,
            "lists" => include.lists = true,
            "preferences" => include.preferences = true,
            "consentRecords" => include.consents = true,
            "" => {}
            other => {
                return Err(Refusal::v3("contacts:invalidFilter", format!("'{other}' can't be included")));
            }
        }
    }
    Ok(include)
}

/// `gte::` and a moment.
fn filter(call: &Call<'_>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = call.query(name) else { return Ok(None) };
    let at = text.strip_prefix("gte::").and_then(date);
    let fault = || Refusal::v3("contacts:invalidFilter", format!("The filter value '{text}' is invalid"));
    at.map(Some).ok_or_else(fault)
}

fn number(call: &Call<'_>, name: &str) -> Result<Option<i32>, Refusal> {
    let fault = |_| Refusal::v3("contacts:invalidFilter", format!("The value of '{name}' is invalid"));
    call.query(name).map(|text| text.parse().map_err(fault)).transpose()
}

pub(super) fn page(call: &mut Call<'_>) -> Answer {
    let include = include(call)?;
    let (made, changed) = (filter(call, "~created")?, filter(call, "~modified")?);
    let (list, segment) = (number(call, "~listId")?, number(call, "~segmentId")?);
    if (made.is_some() && changed.is_some()) || (list.is_some() && segment.is_some()) {
        return Err(Refusal::v3("contacts:invalidFilter", "These filters can't be used together"));
    }
    let limit = match number(call, "limit")? {
        None => 1000,
        Some(limit) if (1..=MOST_ROWS as i32).contains(&limit) => limit as usize,
        Some(_) => return Err(Refusal::v3("contacts:invalidFilter", "limit must be between 1 and 5000")),
    };
    let from = match call.query("marker").filter(|marker| !marker.is_empty()) {
        None => 0,
        Some(marker) => {
            unmark(marker).ok_or(Refusal::v3("contacts:invalidFilter", "The marker is invalid"))?
        }
    };
    let account = &*call.account;
    let fits = |contact: &&Contact| {
        made.is_none_or(|since| contact.created >= since)
            && changed.is_none_or(|since| contact.updated >= since)
    };
    let mut rows: Vec<&Contact> = match list.or(segment) {
        None => account.contacts.from(from).filter(fits).take(limit + 1).collect(),
        Some(id) => {
            let known = if list.is_some() {
                account.lists.contains_key(&id)
            } else {
                account.segments.contains_key(&id)
            };
            if !known {
                return Err(Refusal::v3("contacts:invalidFilter", format!("'{id}' does not exist")));
            }
            let members = account.members(id);
            let start = members.partition_point(|member| *member < from);
            let found = members[start..].iter().filter_map(|id| account.contacts.get(*id));
            found.filter(fits).take(limit + 1).collect()
        }
    };
    let next = if rows.len() > limit { rows.pop().map(|contact| contact.id) } else { None };
    let items: Vec<Value> = rows.iter().map(|contact| json_of(account, contact, &include)).collect();
    let mut links = json!({ "self": link(call, from), "first": link(call, 0) });
    if let Some(next) = next {
        links["next"] = link(call, next);
    }
    ok(json!({ "_links": links, "_items": items }))
}

fn unmark(marker: &str) -> Option<i32> {
    let bytes = BASE64.decode(marker).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("from:")?.parse().ok()
}

/// A marker, and the same question with it.
fn link(call: &Call<'_>, from: i32) -> Value {
    let marker = BASE64.encode(format!("from:{from}"));
    let kept = call.query.iter().filter(|(name, _)| name != "marker");
    let kept = kept.map(|(name, value)| format!("{name}={value}&").replace(' ', "%20"));
    let link = format!("{}/contacts/v3?{}marker={marker}", call.endpoint, kept.collect::<String>());
    json!({ "marker": marker, "link": link })
}

/// The identifier of the path.
fn key(call: &Call<'_>) -> Result<Key, Refusal> {
    let (name, value) = (call.capture(0), call.capture(1).to_owned());
    let fault = || Refusal::v3("contacts:invalidId", format!("'{name}' with '{value}' is no identifier"));
    match name {
        "contactId" => value.parse().map(Key::Id).map_err(|_| fault()),
        "email" => Ok(Key::Email(value)),
        "mobileNumber" => Ok(Key::Mobile(value)),
        name if call.account.identifiers.iter().any(|known| known.name == name) => {
            Ok(Key::Custom(name.to_owned(), value))
        }
        _ => Err(fault()),
    }
}

fn find(call: &Call<'_>) -> Result<i32, Refusal> {
    call.account.contacts.find(&key(call)?).ok_or(absent())
}

fn absent() -> Refusal {
    Refusal::V3(StatusCode::NOT_FOUND, "contacts:contactNotFound", "The contact does not exist".to_owned())
}

fn shown(call: &Call<'_>, id: i32) -> Result<Value, Refusal> {
    Ok(json_of(call.account, call.account.contacts.get(id).ok_or(absent())?, &EVERYTHING))
}

pub(super) fn one(call: &mut Call<'_>) -> Answer {
    let id = find(call)?;
    ok(shown(call, id)?)
}

fn body(call: &Call<'_>) -> Result<Named, Refusal> {
    let body: Value = serde_json::from_slice(call.body)
        .map_err(|_| Refusal::v3("contacts:badJson", "The body is no JSON"))?;
    read(&body, call.now).map_err(|text| Refusal::v3("contacts:badJson", text))
}

fn refusal(fault: WriteFault) -> Refusal {
    let (_, text) = fault.v3();
    match fault {
        WriteFault::Taken(_) => Refusal::V3(StatusCode::CONFLICT, "contacts:idAlreadyExists", text),
        WriteFault::InvalidEmail(_)
        | WriteFault::InvalidMobile(_)
        | WriteFault::UnknownIdentifier(_)
        | WriteFault::NoIdentifier => Refusal::v3("contacts:invalidId", text),
        _ => Refusal::v3("contacts:invalidContacts", text),
    }
}

fn store(
    call: &mut Call<'_>,
    matched: Option<i32>,
    wanted: &Wanted,
    merge: Merge,
) -> Result<(i32, bool), Refusal> {
    let written = call.account.write(matched, wanted, merge, Gate::Open, call.now).map_err(refusal)?;
    match written.faults.into_iter().next() {
        Some(fault) => Err(refusal(fault)),
        None => Ok((written.id, written.created)),
    }
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let named = body(call)?;
    let (id, _) = store(call, None, &named.wanted, Merge::Overwrite)?;
    created(shown(call, id)?)
}

/// Puts what the path says into what is to be written.
fn keyed(wanted: &mut Wanted, key: &Key) {
    match key {
        Key::Id(_) => {}
        Key::Email(email) => drop(wanted.email.get_or_insert_with(|| email.clone())),
        Key::Mobile(mobile) => {
            wanted.mobile.get_or_insert_with(|| mobile.trim_start_matches('+').to_owned());
        }
        Key::Custom(name, value) => {
            wanted.custom.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// Creates what is not there, but not by the service's own id.
pub(super) fn patch(call: &mut Call<'_>) -> Answer {
    let merge = match call.query("merge-option") {
        None | Some("overwrite") => Merge::Overwrite,
        Some("overwrite-if-not-empty") => Merge::IfNotEmpty,
        Some("overwrite-if-empty") => Merge::IfEmpty,
        Some(_) => return Err(Refusal::v3("contacts:invalidFilter", "This merge option does not exist")),
    };
    let (key, mut named) = (key(call)?, body(call)?);
    let matched = call.account.contacts.find(&key);
    if matched.is_none() {
        if let Key::Id(id) = key {
            return Err(Refusal::v3("contacts:invalidId", format!("There is no contact {id}")));
        }
        keyed(&mut named.wanted, &key);
    }
    let (id, new) = store(call, matched, &named.wanted, merge)?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::Json(status, shown(call, id)?))
}

/// The whole contact: what is not named is emptied. Lists, consents and the state of the address stay (unverified).
pub(super) fn replace(call: &mut Call<'_>) -> Answer {
    let (id, named) = (find(call)?, body(call)?);
    let before = call.account.contacts.get(id).cloned().ok_or(absent())?;
    let mut emptied = before.clone();
    emptied.cells.clear();
    emptied.mobile = None;
    emptied.custom.clear();
    call.account.contacts.put(emptied);
    match store(call, Some(id), &named.wanted, Merge::Overwrite) {
        Ok(_) => ok(shown(call, id)?),
        Err(refusal) => {
            call.account.contacts.put(before);
            Err(refusal)
        }
    }
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = find(call)?;
    call.account.erase(id);
    ok(json!({ "contactId": id }))
}
