//! What keeps a mail from leaving: pure functions of the e-mail, the rules and two counts.

use postroom_core::{Code, address};
use postroom_formats::compose::wire_address;
use sha2::{Digest, Sha256};

use super::Options;
use super::gather::Activity;
use crate::rules::Rules;
use crate::token::{Signer, Verification};

/// Why a mail does not leave.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stop {
    /// A person may release it, or correct the cause and release it.
    Hold(Code, String),
    /// It has failed: the CRM's user corrects it and sends again.
    Fail(Code, String),
}

/// How many went lately.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rates {
    /// About the same record, in an hour.
    pub record: u64,
    /// In the same thread, in an hour, for one that is about no record.
    pub thread: u64,
    /// To the recipient who had the most, in an hour.
    pub recipient: u64,
}

/// All guards in order: what cannot be sent at all first, then what a person may allow.
pub(super) fn check(
    activity: &Activity,
    rules: &Rules,
    signer: &Signer,
    options: &Options,
    rates: Rates,
    confirmed: bool,
) -> Option<Stop> {
    no_injection(activity)
        .or_else(|| has_parties(activity))
        .or_else(|| opted_out(activity))
        .or_else(|| sender_allowed(activity, rules, options))
        .or_else(|| to_ourselves(activity, signer))
        .or_else(|| {
            (!confirmed)
                .then(|| too_many(activity, options).or_else(|| would_loop(activity, options, rates)))?
        })
}

/// Columns become headers: the subject is checked before the token is put into it, for that smooths it.
fn no_injection(activity: &Activity) -> Option<Stop> {
    let forged = |text: &str| text.contains(['\r', '\n', '\0']);
    let mut columns: Vec<(&str, &str)> = vec![("the subject", activity.subject.as_str())];
    for party in activity.parties.iter().chain(&activity.owner) {
        columns.push(("a party's name", &party.address.name));
        columns.push(("a party's address", &party.address.address));
    }
    for file in &activity.files {
        columns.push(("an attachment's name", &file.name));
        columns.push(("an attachment's type", &file.content_type));
        columns.push(("an attachment's content id", file.content_id.as_deref().unwrap_or_default()));
    }
    let (column, _) = columns.into_iter().find(|(_, text)| forged(text))?;
    Some(Stop::Hold(
        Code::OUT_INJECTION,
        format!("There is a line end or NUL in {column}, which would forge a header."),
    ))
}

fn has_parties(activity: &Activity) -> Option<Stop> {
    let fail = |why: String| Some(Stop::Fail(Code::OUT_UNWRITABLE, why));
    if activity.sender().is_none() {
        return fail("The e-mail has no sender with an address.".into());
    }
    if activity.recipients().next().is_none() {
        return fail("The e-mail has no recipient.".into());
    }
    let bad = activity
        .recipients()
        .chain(activity.sender())
        .find(|party| wire_address(&party.address.address).is_none())?;
    let who = bad.record.as_ref().map_or_else(|| "a party".to_owned(), ToString::to_string);
    match bad.address.address.is_empty() {
        true => fail(format!("{who} has no e-mail address.")),
        false => fail(format!("The address of {who} cannot be written to.")),
    }
}

fn opted_out(activity: &Activity) -> Option<Stop> {
    let party = activity.recipients().find(|party| party.do_not_email)?;
    let who = party.record.as_ref().map(ToString::to_string).unwrap_or_default();
    Some(Stop::Fail(Code::OUT_OPT_OUT, format!("{who} does not allow e-mails.")))
}

/// Whether somebody else serves its sender. Asked before anything is written to the CRM, for that would take the mail from
/// whoever does. One without a sender is nobody's, and is told so.
pub(super) fn is_foreign(activity: &Activity, rules: &Rules, options: &Options) -> bool {
    let Some(sender) = activity.sender() else { return false };
    let from = address::normal(&sender.address.address);
    let domain = address::domain(&from).unwrap_or_default();
    let listed = |allowed: &String| *allowed == from || allowed.trim_start_matches('@') == domain;
    let ours = rules.mailboxes.iter().any(|mailbox| mailbox.addresses.contains(&from));
    !ours && !options.senders.iter().any(listed)
}

/// All that [`is_foreign`] goes by, in one word: another word, another answer.
pub(super) fn senders_mark(rules: &Rules, options: &Options) -> String {
    let addresses = rules.mailboxes.iter().flat_map(|mailbox| &mailbox.addresses);
    let mut all: Vec<&str> = addresses.chain(&options.senders).map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    Sha256::digest(all.join("\n")).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Only one that was taken before its sender was struck off comes here.
fn sender_allowed(activity: &Activity, rules: &Rules, options: &Options) -> Option<Stop> {
    is_foreign(activity, rules, options).then(|| Stop::Hold(Code::OUT_FROM, NOT_OURS.into()))
}

const NOT_OURS: &str = "Its From is neither a tracked mailbox nor among the allowed senders.";

/// A reply address of ours is answered by us alone: the mail would come straight back.
fn to_ourselves(activity: &Activity, signer: &Signer) -> Option<Stop> {
    let ours = |address: &str| signer.verify_address(address) != Verification::NotOurs;
    activity.recipients().find(|party| ours(&address::normal(&party.address.address)))?;
    Some(Stop::Hold(Code::OUT_LOOP, "A recipient is one of postroom's own reply addresses.".into()))
}

fn too_many(activity: &Activity, options: &Options) -> Option<Stop> {
    let count = activity.recipients().count();
    match options.many_allowed || count <= options.max_recipients {
        true => None,
        false => Some(Stop::Hold(
            Code::OUT_TOO_MANY,
            format!("It has {count} recipients; more than {} need a release.", options.max_recipients),
        )),
    }
}

fn would_loop(activity: &Activity, options: &Options, rates: Rates) -> Option<Stop> {
    let hold = |why: String| Some(Stop::Hold(Code::OUT_LOOP, why));
    if activity.by_workflow && activity.parent.as_ref().is_some_and(|parent| parent.automatic) {
        return hold("A workflow answers a mail that a machine wrote.".into());
    }
    if rates.record >= options.per_record {
        return hold(format!("{} mails about its record left within an hour.", rates.record));
    }
    if rates.thread >= options.per_record {
        return hold(format!("{} mails of its thread left within an hour.", rates.thread));
    }
    if rates.recipient >= options.per_recipient {
        return hold(format!("{} mails to one of its recipients left within an hour.", rates.recipient));
    }
    None
}
