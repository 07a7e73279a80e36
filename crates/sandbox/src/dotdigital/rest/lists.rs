//! Lists (address books), their members, and segments. Source: dotdigital.md A13 and A20.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::call::{Answer, Call, Refusal, Reply, accepted, created, moment, no_content, ok, text};
use super::contacts;
use crate::dotdigital::account::Account;
use crate::dotdigital::account::contact::{Contact, Key};
use crate::dotdigital::account::import::Deletion;
use crate::dotdigital::account::list::{ALL_CONTACTS, List, Rule, TEST};

/// How long a segment takes to be refreshed.
const REFRESH: SignedDuration = SignedDuration::from_secs(5);
/// The longest name (the schema of v3's lists).
const LONGEST_NAME: usize = 128;
const MOST_LISTS: usize = 10_000;

fn json(account: &Account, list: &List) -> Value {
    let shown = |id: &&i32| account.contacts.get(**id).as_ref().is_some_and(contacts::shown);
    let contacts = match list.id {
        ALL_CONTACTS => account.contacts.len(),
        _ => list.members.iter().filter(shown).count(),
    };
    let visibility = if list.public { "Public" } else { "Private" };
    json!({ "id": list.id, "name": list.name, "visibility": visibility, "contacts": contacts })
}

fn rows(call: &Call<'_>, which: impl Fn(&List) -> bool) -> Answer {
    let lists = call.account.lists.values().filter(|list| which(list));
    ok(call.page()?.cut(lists).into_iter().map(|list| json(call.account, list)).collect())
}

pub(super) fn all(call: &mut Call<'_>) -> Answer {
    rows(call, |_| true)
}

pub(super) fn private(call: &mut Call<'_>) -> Answer {
    rows(call, |list| !list.public)
}

pub(super) fn public(call: &mut Call<'_>) -> Answer {
    rows(call, |list| list.public)
}

pub(super) fn of_contact(call: &mut Call<'_>) -> Answer {
    let id = contacts::find(call, 0)?;
    rows(call, |list| list.has(id))
}

pub(super) fn of_campaign(call: &mut Call<'_>) -> Answer {
    let campaign = super::campaigns::campaign(call, 0)?;
    let went = &campaign.sent_to;
    rows(call, |list| went.contains(&list.id))
}

/// A list that is there.
pub(super) fn find(call: &Call<'_>, place: usize) -> Result<i32, Refusal> {
    let id = call.id(place)?;
    let known = call.account.lists.contains_key(&id);
    known.then_some(id).ok_or(Refusal::absent("ERROR_ADDRESSBOOK_NOT_FOUND"))
}

pub(super) fn list_or_segment(call: &Call<'_>, place: usize) -> Result<i32, Refusal> {
    let id = call.id(place)?;
    if call.account.segments.contains_key(&id) { Ok(id) } else { find(call, place) }
}

/// A list that may be written.
pub(super) fn writable(call: &Call<'_>, place: usize) -> Result<i32, Refusal> {
    let id = find(call, place)?;
    if id == ALL_CONTACTS || id == TEST { Err(Refusal::bad("ERROR_ADDRESSBOOK_NOTWRITABLE")) } else { Ok(id) }
}

pub(super) fn one(call: &mut Call<'_>) -> Answer {
    let id = find(call, 0)?;
    ok(json(call.account, &call.account.lists[&id]))
}

/// Name and visibility of the body, and that no other list or segment has the name.
fn named(call: &Call<'_>, own: Option<i32>) -> Result<(String, bool), Refusal> {
    let body = call.object()?;
    let name = text(&body, "name").map(str::trim).unwrap_or_default();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(Refusal::bad("ERROR_ADDRESSBOOK_INVALID"));
    }
    if ["test", "all contacts"].contains(&name.to_lowercase().as_str()) {
        return Err(Refusal::bad("ERROR_ADDRESSBOOK_NOTWRITABLE"));
    }
    let public = match text(&body, "visibility") {
        None | Some("Private") => false,
        Some("Public") => true,
        Some(_) => return Err(Refusal::bad("ERROR_ADDRESSBOOK_INVALID")),
    };
    let same = |other: &str| other.to_lowercase() == name.to_lowercase();
    let lists = call.account.lists.values().any(|list| Some(list.id) != own && same(&list.name));
    if lists || call.account.segments.values().any(|segment| same(&segment.name)) {
        return Err(Refusal::because("ERROR_ADDRESSBOOK_DUPLICATE", "An address book with that name exists"));
    }
    Ok((name.to_owned(), public))
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let (name, public) = named(call, None)?;
    if call.account.lists.len() >= MOST_LISTS {
        return Err(Refusal::bad("ERROR_ADDRESSBOOK_LIMITEXCEEDED"));
    }
    let id = call.account.next_id();
    call.account.lists.insert(id, List::new(id, &name, public));
    created(json(call.account, &call.account.lists[&id]))
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let id = writable(call, 0)?;
    let (name, public) = named(call, Some(id))?;
    if let Some(list) = call.account.lists.get_mut(&id) {
        (list.name, list.public) = (name, public);
    }
    ok(json(call.account, &call.account.lists[&id]))
}

/// Not while a send is going to it.
pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = writable(call, 0)?;
    let waits = |send: &crate::dotdigital::account::sending::Send| {
        send.lists.contains(&id) && send.status != crate::dotdigital::account::sending::SendStatus::Sent
    };
    if call.account.sends.values().any(waits) {
        return Err(Refusal::bad("ERROR_ADDRESSBOOK_IN_USE"));
    }
    for member in call.account.members(id) {
        call.account.leave(member, id);
    }
    call.account.lists.remove(&id);
    Ok(Reply::Empty(axum::http::StatusCode::OK))
}

fn people<'a>(
    call: &'a Call<'_>,
    which: impl Fn(&Contact) -> bool + 'a,
) -> Result<Vec<&'a Contact>, Refusal> {
    let (page, list) = (call.page()?, list_or_segment(call, 0)?);
    let account = &*call.account;
    let found = |id| account.contacts.get(id).filter(contacts::shown).filter(|contact| which(contact));
    Ok(page.cut(account.members(list).into_iter().filter_map(found)))
}

pub(super) fn members(call: &mut Call<'_>) -> Answer {
    let full = call.flag("withFullData");
    let found = people(call, |_| true)?;
    ok(found.into_iter().map(|contact| contacts::json(call.account, contact, full)).collect())
}

pub(super) fn members_since(call: &mut Call<'_>) -> Answer {
    let (full, since) = (call.flag("withFullData"), call.since(1)?);
    let found = people(call, move |contact| contact.updated >= since)?;
    ok(found.into_iter().map(|contact| contacts::json(call.account, contact, full)).collect())
}

pub(super) fn add(call: &mut Call<'_>) -> Answer {
    let list = writable(call, 0)?;
    let wanted = contacts::wanted(&call.object()?)?;
    let email = wanted.email.clone().unwrap_or_default();
    if call.account.lists[&list].departed(&email).is_some() {
        return Err(Refusal::bad("ERROR_CONTACT_SUPPRESSEDFORADDRESSBOOK"));
    }
    let id = contacts::upsert(call, &wanted)?;
    call.account.join(id, list).map_err(contacts::refusal)?;
    ok(contacts::json(call.account, contacts::contact(call.account, id)?, true))
}

pub(super) fn remove(call: &mut Call<'_>) -> Answer {
    let (list, contact) = (writable(call, 0)?, call.id(1)?);
    if !call.account.leave(contact, list) {
        return Err(Refusal::absent("ERROR_CONTACT_NOT_FOUND"));
    }
    no_content()
}

pub(super) fn clear(call: &mut Call<'_>) -> Answer {
    let list = writable(call, 0)?;
    for member in call.account.members(list) {
        call.account.leave(member, list);
    }
    no_content()
}

fn removal(call: &mut Call<'_>, list: i32, contacts: Vec<i32>) -> Answer {
    let id = call.ids.next();
    let job = Deletion {
        id,
        polls: 0,
        submitted: call.now,
        done: false,
        list: Some(list),
        contacts,
        unknown: Vec::new(),
    };
    call.account.deletions.insert(id, job);
    accepted(json!({ "id": id, "status": "Started" }))
}

pub(super) fn remove_all(call: &mut Call<'_>) -> Answer {
    let list = writable(call, 0)?;
    let members = call.account.members(list);
    removal(call, list, members)
}

pub(super) fn remove_many(call: &mut Call<'_>) -> Answer {
    let list = writable(call, 0)?;
    let ids = super::call::ints(&json!({ "contacts": call.json()? }), "contacts")?;
    if ids.is_empty() {
        return Err(Refusal::bad("ERROR_CONTACTS_ARE_NOT_SPECIFIED"));
    }
    removal(call, list, ids)
}

pub(super) fn removal_progress(call: &mut Call<'_>) -> Answer {
    let id = super::guid(call, 0)?;
    let job = call.account.deletions.get_mut(&id).ok_or(Refusal::absent("ERROR_IMPORT_NOT_FOUND"))?;
    job.polls += 1;
    ok(json!({ "id": id, "status": if job.done { "Completed" } else { "Started" } }))
}

pub(super) fn departed_since(call: &mut Call<'_>) -> Answer {
    let (page, list, since) = (call.page()?, find(call, 0)?, call.since(1)?);
    let gone = page.cut(call.account.lists[&list].departed_since(since));
    ok(gone.into_iter().map(|gone| departure(gone.contact, &gone.email, gone.at)).collect())
}

fn departure(contact: i32, email: &str, at: jiff::Timestamp) -> Value {
    json!({
        "suppressedContact": {
            "id": contact,
            "email": email,
            "optInType": "Unknown",
            "emailType": "Html",
            "dataFields": null,
            "status": "Unsubscribed",
        },
        "dateRemoved": moment(at),
        "reason": "Unsubscribed",
    })
}

/// From this list only.
pub(super) fn unsubscribe(call: &mut Call<'_>) -> Answer {
    let list = writable(call, 0)?;
    let email = contacts::address(&call.object()?)?;
    let known = call.account.contacts.find(&Key::Email(email.clone()));
    let contact = known.ok_or(Refusal::absent("ERROR_CONTACT_NOT_FOUND"))?;
    let now = call.now;
    if let Some(book) = call.account.lists.get_mut(&list) {
        book.depart(contact, &email, now);
    }
    call.account.leave(contact, list);
    ok(departure(contact, &email, now))
}

pub(super) fn segments(call: &mut Call<'_>) -> Answer {
    let rows = call.page()?.cut(call.account.segments.values());
    let row = |id: i32, name: &str, contacts: usize| json!({ "id": id, "name": name, "contacts": contacts });
    ok(rows.into_iter().map(|segment| row(segment.id, &segment.name, segment.members.len())).collect())
}

pub(super) fn refresh(call: &mut Call<'_>) -> Answer {
    let (id, now) = (call.id(0)?, call.now);
    let segment = call.account.segments.get_mut(&id).ok_or(Refusal::absent("ERROR_SEGMENT_NOT_FOUND"))?;
    segment.refreshing = Some(now + REFRESH);
    accepted(json!({ "id": id, "status": "NotStarted" }))
}

pub(super) fn refresh_progress(call: &mut Call<'_>) -> Answer {
    let (id, now) = (call.id(0)?, call.now);
    let segment = call.account.segments.get(&id).ok_or(Refusal::absent("ERROR_SEGMENT_NOT_FOUND"))?;
    if segment.refreshing.is_some_and(|due| due > now) {
        return ok(json!({ "id": id, "status": "NotFinished" }));
    }
    if segment.refreshing.is_some() {
        let rule = segment.rule.clone();
        let members = meeting(call.account, &rule);
        if let Some(segment) = call.account.segments.get_mut(&id) {
            (segment.members, segment.refreshing) = (members, None);
        }
    }
    ok(json!({ "id": id, "status": "Finished" }))
}

/// Who meets a segment's rule now.
pub(crate) fn meeting(account: &Account, rule: &Rule) -> Vec<i32> {
    let meets = |contact: &&Contact| match rule {
        Rule::Everyone => true,
        Rule::Field { name, text } => {
            let cell = account.fields.number(name).and_then(|number| contact.cells.get(number));
            cell.is_some_and(|cell| cell.json().as_str() == Some(text))
        }
    };
    account.contacts.iter().filter(meets).map(|contact| contact.id).collect()
}
