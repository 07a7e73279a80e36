//! Marketing preferences. Source: dotdigital.md A15.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Answer, Call, Refusal, Reply, int, member, moment, ok, text};
use super::contacts;
use crate::dotdigital::account::contact::{Contact, Key};
use crate::dotdigital::account::{Account, Preference};

/// Contacts that one answer holds.
const MOST_OPT_INS: usize = 1000;

fn json_of(account: &Account, preference: &Preference, contact: Option<&Contact>) -> Value {
    let below = account.preferences.values().filter(|known| known.category == preference.id);
    let children: Vec<Value> = below.map(|known| json_of(account, known, contact)).collect();
    let opted = contact.filter(|_| preference.is_preference).map(|contact| opted_in(contact, preference.id));
    json!({
        "id": preference.id,
        "publicName": preference.public_name,
        "privateName": preference.private_name,
        "isPreference": preference.is_preference,
        "order": preference.order,
        "isPublic": preference.is_public,
        "categoryId": preference.category,
        "preferenceCount": children.len(),
        "created": moment(preference.created),
        "lastModified": moment(preference.modified),
        "isOptedIn": opted,
        "preferences": if preference.is_preference { Value::Null } else { children.into() },
    })
}

pub(super) fn opted_in(contact: &Contact, preference: i32) -> bool {
    contact
        .preferences
        .iter()
        .any(|known| known.preference == preference && known.list == 0 && known.opted_in)
}

fn tree(account: &Account, contact: Option<&Contact>) -> Value {
    let top = account.preferences.values().filter(|known| known.category == 0);
    top.map(|known| json_of(account, known, contact)).collect()
}

pub(super) fn all(call: &mut Call<'_>) -> Answer {
    ok(tree(call.account, None))
}

pub(super) fn since(call: &mut Call<'_>) -> Answer {
    let since = call.since(0)?;
    let changed = call.account.preferences.values().filter(|known| known.modified >= since);
    ok(changed.map(|known| json_of(call.account, known, None)).collect())
}

fn read(call: &Call<'_>, id: i32, created: Timestamp) -> Result<Preference, Refusal> {
    let body = call.object()?;
    let invalid = || Refusal::bad("ERROR_PREFERENCE_INVALID");
    let name = |name: &str| text(&body, name).filter(|name| !name.is_empty()).map(str::to_owned);
    let flag = |name: &str| member(&body, name).and_then(Value::as_bool).unwrap_or(false);
    let category = int(&body, "categoryId").unwrap_or(0);
    let above = call.account.preferences.get(&category);
    if category != 0 && above.is_none_or(|above| above.is_preference || above.id == id) {
        return Err(invalid());
    }
    // Categories have one level.
    if category != 0 && !flag("isPreference") {
        return Err(invalid());
    }
    Ok(Preference {
        id,
        public_name: name("publicName").ok_or_else(invalid)?,
        private_name: name("privateName").ok_or_else(invalid)?,
        is_preference: flag("isPreference"),
        order: text(&body, "order").map(str::to_owned),
        is_public: flag("isPublic"),
        category,
        created,
        modified: call.now,
    })
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let mut preference = read(call, 0, call.now)?;
    preference.id = call.account.next_id();
    let id = preference.id;
    call.account.preferences.insert(id, preference);
    ok(json_of(call.account, &call.account.preferences[&id], None))
}

fn find(call: &Call<'_>, place: usize) -> Result<i32, Refusal> {
    let id = call.id(place)?;
    let known = call.account.preferences.contains_key(&id);
    known.then_some(id).ok_or(Refusal::absent("ERROR_PREFERENCE_NOT_FOUND"))
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let id = find(call, 0)?;
    let preference = read(call, id, call.account.preferences[&id].created)?;
    let children = call.account.preferences.values().any(|known| known.category == id);
    if children && (preference.is_preference || preference.category != 0) {
        return Err(Refusal::bad("ERROR_PREFERENCE_INVALID"));
    }
    call.account.preferences.insert(id, preference);
    ok(json_of(call.account, &call.account.preferences[&id], None))
}

/// A category takes what is in it along.
pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = find(call, 0)?;
    call.account.preferences.retain(|known, preference| *known != id && preference.category != id);
    Ok(Reply::Empty(axum::http::StatusCode::OK))
}

pub(super) fn of_contact(call: &mut Call<'_>) -> Answer {
    let id = contacts::find(call, 0)?;
    ok(tree(call.account, Some(contacts::contact(call.account, id)?)))
}

/// The leaves of a tree of answers.
pub(super) fn answers(asked: &Value, into: &mut Vec<(i32, bool)>) {
    if let (Some(id), Some(yes)) = (int(asked, "id"), member(asked, "isOptedIn").and_then(Value::as_bool)) {
        into.push((id, yes));
    }
    for child in member(asked, "preferences").and_then(Value::as_array).into_iter().flatten() {
        answers(child, into);
    }
}

/// Only what is listed changes.
pub(super) fn set(call: &mut Call<'_>) -> Answer {
    let body = call.json()?;
    let rows = body.as_array().ok_or(Refusal::bad("ERROR_PREFERENCE_INVALID"))?;
    let id = contacts::find(call, 0)?;
    let mut wanted = Vec::new();
    rows.iter().for_each(|row| answers(row, &mut wanted));
    let leaf = |id: &i32| call.account.preferences.get(id).is_some_and(|known| known.is_preference);
    if !wanted.iter().all(|(preference, _)| leaf(preference)) {
        return Err(Refusal::absent("ERROR_PREFERENCE_NOT_FOUND"));
    }
    for (preference, yes) in wanted {
        call.account.prefer(id, preference, yes, call.now).map_err(contacts::refusal)?;
    }
    ok(tree(call.account, Some(contacts::contact(call.account, id)?)))
}

pub(super) fn subscriptions(call: &mut Call<'_>) -> Answer {
    let id = call.account.contacts.find(&Key::Email(call.capture(0).to_owned()));
    let id = id.ok_or(Refusal::absent("ERROR_CONTACT_NOT_FOUND"))?;
    ok(opt_ins(call.account, contacts::contact(call.account, id)?))
}

fn opt_ins(account: &Account, contact: &Contact) -> Value {
    let rows = contact.preferences.iter().map(|known| {
        json!({
            "marketingPreferenceId": known.preference,
            "addressBookId": known.list,
            "isOptedIn": known.opted_in,
            // The service's own spelling.
            "dateModifed": moment(known.at),
        })
    });
    json!({ "contact": contacts::json(account, contact, false), "marketingPreferenceOptIns": rows.collect::<Value>() })
}

/// From this contact id on, at most a thousand, of everybody or of one list.
fn people<'a>(
    call: &'a Call<'_>,
    list: Option<i32>,
    which: impl Fn(&Contact) -> bool + 'a,
) -> Result<Vec<&'a Contact>, Refusal> {
    let from = match call.query("minContactId") {
        None => 0,
        Some(text) => text.parse::<i32>().map_err(|_| Refusal::bad("ERROR_PARAMETER_INVALID"))?,
    };
    let on = |contact: &&Contact| list.is_none_or(|list| contact.lists.contains(&list));
    let found = call.account.contacts.from(from).filter(contacts::shown).filter(on);
    Ok(found.filter(|contact| which(contact)).take(MOST_OPT_INS).collect())
}

fn with(call: &Call<'_>, list: Option<i32>, preference: i32) -> Answer {
    let found = people(call, list, |contact| opted_in(contact, preference))?;
    ok(found.into_iter().map(|contact| json!({ "id": contact.id, "email": contact.address() })).collect())
}

pub(super) fn contacts_with(call: &mut Call<'_>) -> Answer {
    with(call, None, find(call, 0)?)
}

pub(super) fn members_with(call: &mut Call<'_>) -> Answer {
    with(call, Some(super::lists::find(call, 0)?), find(call, 1)?)
}

fn changed(call: &Call<'_>, list: Option<i32>, preference: i32, since: Timestamp) -> Answer {
    let recent = |contact: &Contact| {
        contact.preferences.iter().any(|known| known.preference == preference && known.at >= since)
    };
    let found = people(call, list, recent)?;
    ok(found.into_iter().map(|contact| opt_ins(call.account, contact)).collect())
}

pub(super) fn opt_ins_since(call: &mut Call<'_>) -> Answer {
    changed(call, None, find(call, 0)?, call.since(1)?)
}

pub(super) fn member_opt_ins_since(call: &mut Call<'_>) -> Answer {
    changed(call, Some(super::lists::find(call, 0)?), find(call, 1)?, call.since(2)?)
}
