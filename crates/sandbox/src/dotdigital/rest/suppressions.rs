//! The feeds of suppressions, and resubscriptions. Source: dotdigital.md A14.

use serde_json::{Value, json};

use super::call::{Answer, Call, Refusal, member, moment, ok};
use super::contacts;
use crate::dotdigital::account::Account;
use crate::dotdigital::account::contact::{EmailType, Key, OptIn, Status};
use crate::dotdigital::account::suppression::{Resubscribed, Suppression};

pub(super) fn json(account: &Account, suppression: &Suppression) -> Value {
    let contact = account.contacts.get(suppression.contact);
    let opt_in = contact.map_or(OptIn::Unknown, |contact| contact.opt_in);
    let email_type = contact.map_or(EmailType::Html, |contact| contact.email_type);
    json!({
        "suppressedContact": {
            "id": suppression.contact,
            "email": suppression.email,
            "optInType": opt_in.word(),
            "emailType": email_type.word(),
            "dataFields": null,
            "status": suppression.status.v2(),
        },
        "dateRemoved": moment(suppression.at),
        "reason": suppression.status.v2(),
    })
}

pub(super) fn suppressed_since(call: &mut Call<'_>) -> Answer {
    let (page, since) = (call.page()?, call.since(0)?);
    let found = page.cut(call.account.ledger.since(since));
    ok(found.into_iter().map(|suppression| json(call.account, suppression)).collect())
}

pub(super) fn unsubscribed_since(call: &mut Call<'_>) -> Answer {
    let (page, since) = (call.page()?, call.since(0)?);
    let left = |suppression: &&Suppression| suppression.status == Status::Unsubscribed;
    let found = page.cut(call.account.ledger.since(since).filter(left));
    ok(found.into_iter().map(|suppression| json(call.account, suppression)).collect())
}

pub(super) fn resubscribe(call: &mut Call<'_>) -> Answer {
    resubscribed(call, true)
}

pub(super) fn resubscribe_unchallenged(call: &mut Call<'_>) -> Answer {
    resubscribed(call, false)
}

fn resubscribed(call: &mut Call<'_>, challenge: bool) -> Answer {
    let body = call.object()?;
    let asked =
        member(&body, "unsubscribedContact").ok_or(Refusal::bad("ERROR_CONTACT_RESUBSCRIPTION_INVALID"))?;
    let email = contacts::address(asked)?;
    let wanted = contacts::wanted(asked)?;
    let answer = call.account.resubscribe(&email, challenge, call.now);
    if answer == Resubscribed::Added {
        contacts::upsert(call, &wanted)?;
    }
    result(call, &email, answer)
}

fn result(call: &mut Call<'_>, email: &str, answer: Resubscribed) -> Answer {
    let id = call.account.contacts.find(&Key::Email(email.to_owned()));
    let contact = id.and_then(|id| call.account.contacts.get(id));
    let contact = contact.map(|contact| contacts::json(call.account, contact, true));
    ok(json!({ "contact": contact, "status": answer.word() }))
}

pub(super) fn resubscribe_to_list(call: &mut Call<'_>) -> Answer {
    list_resubscribed(call, true)
}

pub(super) fn resubscribe_to_list_unchallenged(call: &mut Call<'_>) -> Answer {
    list_resubscribed(call, false)
}

/// Back on one list; an unsubscription from the account is lifted with it, by the account's own rules.
fn list_resubscribed(call: &mut Call<'_>, challenge: bool) -> Answer {
    let list = super::lists::writable(call, 0)?;
    let body = call.object()?;
    let asked =
        member(&body, "unsubscribedContact").ok_or(Refusal::bad("ERROR_CONTACT_RESUBSCRIPTION_INVALID"))?;
    let email = contacts::address(asked)?;
    let wanted = contacts::wanted(asked)?;
    let answer = call.account.resubscribe(&email, challenge, call.now);
    if answer == Resubscribed::Added {
        if let Some(book) = call.account.lists.get_mut(&list) {
            book.readmit(&email);
        }
        let id = contacts::upsert(call, &wanted)?;
        call.account.join(id, list).map_err(contacts::refusal)?;
    }
    result(call, &email, answer)
}
