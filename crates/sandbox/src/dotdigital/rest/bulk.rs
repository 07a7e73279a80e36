//! Imports and bulk deletions of v3. Source: dotdigital.md A11 and A12.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, Call, Refusal, accepted, ok};
use super::identifiers::is_name;
use super::people::{MOST_ROWS, identifiers};
use super::person::read;
use crate::dotdigital::account::contact::Key;
use crate::dotdigital::account::import::{Deletion, Done, Import, MOST_ACTIVE, Row};
use crate::dotdigital::account::writing::Merge;

/// Bulk deletions that may run at once.
const MOST_DELETIONS: usize = 5;

pub(super) fn import(call: &mut Call<'_>) -> Answer {
    let bad = |text: &str| Refusal::v3("contacts:badJson", text);
    let body: Value = serde_json::from_slice(call.body).map_err(|_| bad("The body is no JSON"))?;
    let merge = match body.get("mergeOption") {
        None => Merge::Overwrite,
        Some(word) => match word.as_str() {
            Some("overwrite") => Merge::Overwrite,
            Some("overwriteIfNotEmpty") => Merge::IfNotEmpty,
            Some("overwriteIfEmpty") => Merge::IfEmpty,
            _ => return Err(bad("This merge option does not exist")),
        },
    };
    let people = body.get("contacts").and_then(Value::as_array).ok_or(bad("There are no contacts"))?;
    if people.is_empty() {
        return Err(Refusal::v3("contacts:noContactsSpecified", "There are no contacts"));
    }
    let rows = people.iter().map(|person| {
        let matches = person
            .get("matchIdentifier")
            .and_then(Value::as_str)
            .filter(|name| is_name(name))
            .ok_or("matchIdentifier is no name of an identifier")?;
        let named = read(person, call.now)?;
        Ok(Row { matches: matches.to_owned(), id: named.id, wanted: named.wanted, cells: Vec::new() })
    });
    let rows = rows.collect::<Result<Vec<_>, String>>().map_err(|text| bad(&text))?;
    if call.account.active_imports() >= MOST_ACTIVE {
        let text = "Too many imports are running".to_owned();
        return Err(Refusal::V3(StatusCode::TOO_MANY_REQUESTS, "contacts:tooManyActiveImports", text));
    }
    let id = call.ids.next();
    super::imports::put(call, Import::new(id, merge, Vec::new(), rows, call.now));
    accepted(json!({ "importId": id }))
}

pub(super) fn import_status(call: &mut Call<'_>) -> Answer {
    let absent = || {
        Refusal::V3(StatusCode::NOT_FOUND, "contacts:importNotFound", "There is no such import".to_owned())
    };
    let id = Uuid::parse_str(call.capture(0)).map_err(|_| absent())?;
    let now = call.now;
    let import = call.account.imports.get_mut(&id).ok_or_else(absent)?;
    import.polls += 1;
    let mut answer = json!({ "importId": id, "status": import.phase.word() });
    if import.finished.is_some() && !import.has_report(now) {
        return Err(absent());
    }
    if import.finished.is_some() {
        let reference = |done: &Done| {
            let identifiers = identifiers(done.email.as_deref(), done.mobile.as_deref(), &done.custom);
            json!({ "contactId": done.contact, "identifiers": identifiers })
        };
        answer["summary"] = json!({
            "newContacts": import.created.len(),
            "updatedContacts": import.updated.len(),
            "globallySuppressed": import.suppressed,
            "invalidEntries": import.invalid,
            "duplicateIdentifiers": import.duplicates,
        });
        answer["created"] = import.created.iter().map(reference).collect();
        answer["updated"] = import.updated.iter().map(reference).collect();
        answer["failures"] = import.refused.iter().map(|refused| {
            let wanted = &refused.row.wanted;
            let reasons = refused.faults.iter();
            let mut row = json!({
                "matchIdentifier": refused.row.matches,
                "identifiers": identifiers(wanted.email.as_deref(), wanted.mobile.as_deref(), &wanted.custom),
                "failures": reasons.map(|(code, text)| json!({ "failureCode": code, "description": text }))
                    .collect::<Value>(),
            });
            if let Some(contact) = refused.contact.or(refused.row.id) {
                row["contactId"] = contact.into();
            }
            row
        }).collect();
    }
    ok(answer)
}

pub(super) fn delete_many(call: &mut Call<'_>) -> Answer {
    let body: Value = serde_json::from_slice(call.body)
        .map_err(|_| Refusal::v3("contacts:badJson", "The body is no JSON"))?;
    let asked = body.as_array().ok_or(Refusal::v3("contacts:badJson", "The body must be an array"))?;
    if asked.is_empty() || asked.len() > MOST_ROWS {
        return Err(Refusal::v3(
            "contacts:noContactsSpecified",
            "Between 1 and 5000 contacts can be deleted",
        ));
    }
    let running = call.account.deletions.values().filter(|job| !job.done && job.list.is_none()).count();
    if running >= MOST_DELETIONS {
        let text = "Too many deletions are running".to_owned();
        return Err(Refusal::V3(StatusCode::TOO_MANY_REQUESTS, "contacts:tooManyBulkDeleteJobs", text));
    }
    let (mut contacts, mut unknown) = (Vec::new(), Vec::new());
    for one in asked {
        let bad = || Refusal::v3("contacts:invalidContacts", "Each contact needs one identifier");
        let (name, value) = one.as_object().and_then(|one| one.iter().next()).ok_or_else(bad)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let key = match name.as_str() {
            "contactId" => Key::Id(value.as_i64().and_then(|id| i32::try_from(id).ok()).unwrap_or(0)),
            "email" => Key::Email(text.clone()),
            "mobileNumber" => Key::Mobile(text.clone()),
            _ => Key::Custom(name.clone(), text.clone()),
        };
        match call.account.contacts.find(&key) {
            Some(id) => contacts.push(id),
            None => unknown.push((name.clone(), text)),
        }
    }
    let id = call.ids.next();
    let job = Deletion { id, polls: 0, submitted: call.now, done: false, list: None, contacts, unknown };
    call.account.deletions.insert(id, job);
    accepted(json!({ "deleteId": id }))
}

pub(super) fn delete_status(call: &mut Call<'_>) -> Answer {
    let absent = || {
        Refusal::V3(StatusCode::NOT_FOUND, "contacts:invalidDeleteId", "There is no such deletion".to_owned())
    };
    let id = Uuid::parse_str(call.capture(0)).map_err(|_| absent())?;
    let job = call.account.deletions.get_mut(&id).filter(|job| job.list.is_none()).ok_or_else(absent)?;
    job.polls += 1;
    if !job.done {
        return ok(json!({ "deleteId": id, "status": "NotFinished" }));
    }
    let failures = job.unknown.iter().map(|(name, value)| {
        let number = value.parse::<i64>().ok().filter(|_| name == "contactId");
        let value = number.map_or_else(|| Value::from(value.as_str()), Value::from);
        let why =
            json!([{ "failureCode": "contactNotFound", "description": "The contact could not be found" }]);
        json!({ "identifier": { name.as_str(): value }, "failures": why })
    });
    ok(json!({
        "deleteId": id,
        "status": "Finished",
        "summary": {
            "requestedContacts": job.contacts.len() + job.unknown.len(),
            "deletedContacts": job.contacts.len(),
            "unknownContacts": job.unknown.len(),
            "invalidEntries": 0,
        },
        "deleted": job.contacts.iter().map(|id| json!({ "contactId": id })).collect::<Value>(),
        "failures": failures.collect::<Value>(),
    }))
}
