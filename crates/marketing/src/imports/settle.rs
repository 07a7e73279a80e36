//! From an import's report to what became of each row, and the one unit that writes it.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::{
    ContactId, FaultClass, Import, ImportFault, ImportReport, Settled as Named, Status,
};
use postroom_core::{Code, Ids};
use postroom_store::{Error, Tx};

use super::ledger::{self, Entry, Head, Job};
use super::{Outcome, count};
use crate::people::links::{self, Link};
use crate::suppressions::rows::{self, Origin, SaidOut};
use crate::sync::run::{self, Reject};
use crate::sync::{Halt, Turn};

/// What the report says of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub outcome: Outcome,
    pub contact: Option<ContactId>,
    /// The person is at the service with these values, perhaps but for one that was refused.
    pub written: bool,
    /// The values are not to be sent again as they are.
    pub tried: bool,
    /// The service says that the person gets no mail from the account.
    pub opted_out: Option<Status>,
    /// What the service said of a refusal.
    pub detail: String,
}

/// Rows of one unit.
const UNIT: usize = 5000;

const UNMENTIONED: &str = "the service's report does not mention this person; the row is sent again";

/// What became of each entry.
pub fn judge(entries: &[Head], report: &ImportReport, to_list: bool) -> Vec<Judged> {
    let (mut by_id, mut by_address) = (HashMap::new(), HashMap::new());
    for (place, entry) in entries.iter().enumerate().rev() {
        if let Some(contact) = &entry.contact {
            by_id.insert(contact.0, place);
        }
        if !entry.address.is_empty() {
            by_address.insert(entry.address.as_str(), place);
        }
    }
    let find = |id: Option<&ContactId>, email: Option<&str>| {
        let address = email.map(normal);
        let by_address = address.and_then(|address| by_address.get(address.as_str()).copied());
        by_address.or_else(|| id.and_then(|id| by_id.get(&id.0).copied()))
    };
    let mut judged: Vec<Option<Judged>> = vec![None; entries.len()];
    let mut written = |people: &[Named], outcome: Outcome| {
        for person in people {
            if let Some(place) = find(Some(&person.id), person.email.as_deref()) {
                judged[place] = Some(Judged { contact: Some(person.id.clone()), ..taken(outcome.clone()) });
            }
        }
    };
    written(&report.created, Outcome::New);
    written(&report.updated, Outcome::Changed);
    for fault in &report.faults {
        if let Some(place) = find(fault.id.as_ref(), fault.names.email.as_deref()) {
            let before = judged[place].take();
            judged[place] = Some(refused(before, fault, to_list));
        }
    }
    let counts = report.counts;
    // An account without identifiers says how many, and names only whom it refused.
    let silent =
        counts.created + counts.updated > 0 && report.created.is_empty() && report.updated.is_empty();
    let mut created = counts.created;
    complete(entries, judged, |entry| match silent {
        false => unmentioned(),
        true if entry.contact.is_none() && created > 0 => {
            created -= 1;
            taken(Outcome::New)
        }
        true => taken(Outcome::Changed),
    })
}

/// Fills in whom the report did not mention; who shares an address gets what the one who spoke for it got.
fn complete(
    entries: &[Head],
    judged: Vec<Option<Judged>>,
    mut silent: impl FnMut(&Head) -> Judged,
) -> Vec<Judged> {
    let mut all: Vec<Judged> = Vec::with_capacity(entries.len());
    for (entry, found) in entries.iter().zip(judged) {
        let before = entries[..all.len()].last().filter(|before| !before.address.is_empty());
        let speaker = before.filter(|before| before.address == entry.address).and(all.last());
        let next = match (speaker, found) {
            (Some(speaker), None) => {
                let outcome = if speaker.written { Outcome::Same } else { speaker.outcome.clone() };
                Judged { outcome, opted_out: None, ..speaker.clone() }
            }
            (_, Some(found)) => found,
            (None, None) => silent(entry),
        };
        all.push(next);
    }
    all
}

fn taken(outcome: Outcome) -> Judged {
    Judged { outcome, contact: None, written: true, tried: true, opted_out: None, detail: String::new() }
}

fn unmentioned() -> Judged {
    let outcome = Outcome::Rejected(UNMENTIONED.to_owned());
    Judged { written: false, tried: false, ..taken(outcome) }
}

fn refused(before: Option<Judged>, fault: &ImportFault, to_list: bool) -> Judged {
    let (written, contact) = match before {
        Some(before) => (before.written, before.contact.or_else(|| fault.id.clone())),
        None => (false, fault.id.clone()),
    };
    let about_person = matches!(fault.class, FaultClass::Consent | FaultClass::Deliverability);
    let reason = if fault.reason.is_empty() { "no reason was given" } else { &fault.reason };
    let outcome = match about_person {
        true => Outcome::Suppressed(reason.to_owned()),
        false => Outcome::Rejected(reason.to_owned()),
    };
    let opted_out =
        about_person.then(|| status(fault)).filter(|status| !(to_list && about_list(fault, status)));
    Judged {
        outcome,
        contact,
        written,
        tried: written || !about_person,
        opted_out,
        detail: fault.detail.clone(),
    }
}

/// The status that a reason stands for; the next exchange of opt-outs says it exactly.
fn status(fault: &ImportFault) -> Status {
    let word = fault.reason.rsplit(':').next().unwrap_or_default().trim();
    match (Status::from(word), fault.class) {
        (Status::Other(_), _) if word.to_ascii_lowercase().contains("pending") => Status::PendingOptIn,
        (Status::Other(_), FaultClass::Deliverability) => Status::MailBlocked,
        (Status::Other(_), _) => Status::Suppressed,
        (known, _) => known,
    }
}

/// Who left a list is refused by it with the same word as who left the account.
fn about_list(fault: &ImportFault, status: &Status) -> bool {
    *status == Status::Unsubscribed || fault.reason.to_ascii_lowercase().contains("list")
}

/// Writes what an import came to, some thousand rows in a unit; answers the outcome of each row, by its place in the plan.
pub(super) async fn settle(turn: &mut Turn, job: &Job, import: Import) -> Result<Vec<(u64, Outcome)>, Halt> {
    let heads = ledger::heads(turn, job.id).await?;
    let report = import.report.unwrap_or_default();
    let judged = judge(&heads, &report, job.to_list);
    let counts = report.counts;
    drop(report);
    let missing = counts.settle(job.people);
    if missing > 0 {
        tracing::warn!(event = "marketing.import_unbalanced", import = %job, missing, "The report of an import of {} people does not account for all of them", job.people);
    }
    let settled = ledger::Settled {
        state: "settled",
        status: import.status.to_string(),
        counts: Some(counts),
        missing: Some(missing.max(0)),
    };
    let mut outcomes = Vec::with_capacity(heads.len());
    let mut judged = judged.into_iter();
    let mut left = heads.as_slice();
    loop {
        let part;
        (part, left) = left.split_at(together(left, UNIT));
        let some: Vec<Judged> = judged.by_ref().take(part.len()).collect();
        outcomes.extend(part.iter().zip(&some).map(|(head, judged)| (head.place, judged.outcome.clone())));
        let places = part.first().map_or(0, |head| head.place)..=part.last().map_or(0, |head| head.place);
        let end = left.is_empty().then(|| settled.clone());
        write(turn, job, places, some, end).await?;
        if left.is_empty() {
            return Ok(outcomes);
        }
    }
}

/// How many of the first go into one unit: those who share an address stay together.
fn together(heads: &[Head], most: usize) -> usize {
    let mut number = heads.len().min(most);
    while number < heads.len()
        && number > 0
        && !heads[number].address.is_empty()
        && heads[number].address == heads[number - 1].address
    {
        number += 1;
    }
    number
}

async fn write(
    turn: &mut Turn,
    job: &Job,
    places: RangeInclusive<u64>,
    judged: Vec<Judged>,
    end: Option<ledger::Settled>,
) -> Result<(), Error> {
    let (ids, now, run, sync_type) = (turn.engine.ids.clone(), turn.now(), turn.run, turn.sync_type);
    let (account, job) = (turn.account.name.clone(), job.clone());
    let stored = turn.page("marketing.imported", move |tx, counts| {
        async move {
            let entries = ledger::entries(tx, job.id, places.clone()).await?;
            judged.iter().for_each(|judged| count(counts, &judged.outcome));
            link(tx, &account, &entries, &judged).await?;
            opt_out(tx, &ids, now, &account, &job, (&entries, &judged)).await?;
            let rejects = rejects(&entries, &judged);
            run::reject(tx, &ids, now, (run, &account, sync_type), &rejects).await?;
            match end {
                Some(end) => ledger::end(tx, job.id, Some(now), &end).await,
                None => ledger::settled(tx, job.id, places).await,
            }
        }
        .boxed()
    });
    stored.await
}

async fn link(tx: &mut Tx, account: &str, entries: &[Entry], judged: &[Judged]) -> Result<(), Error> {
    let about: Vec<_> = entries.iter().zip(judged).filter(|(_, judged)| judged.tried).collect();
    let records: Vec<_> = about.iter().map(|(entry, _)| entry.record.clone()).collect();
    let mut known = links::of_records(tx, account, &records).await?;
    let next = about.into_iter().map(|(entry, judged)| after(known.remove(&entry.record), entry, judged));
    let next = next.collect();
    links::put(tx, account, next).await
}

/// A record's link after its row was taken, or refused for what it holds: then the service still has what it had.
fn after(known: Option<Link>, entry: &Entry, judged: &Judged) -> Link {
    let fresh = Link {
        record: entry.record.clone(),
        address: entry.address.clone(),
        contact: None,
        digest: None,
        base: None,
    };
    let known = known.unwrap_or(fresh);
    let contact = judged.contact.clone().or_else(|| entry.contact.clone()).or(known.contact.clone());
    let digest = entry.digest.clone().or(known.digest.clone());
    match judged.written {
        true => Link {
            address: if entry.address.is_empty() { known.address } else { entry.address.clone() },
            contact,
            digest,
            base: entry.base.clone().or(known.base),
            record: known.record,
        },
        false => Link { digest, ..known },
    }
}

async fn opt_out(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    account: &str,
    job: &Job,
    rows: (&[Entry], &[Judged]),
) -> Result<(), Error> {
    let about = rows.0.iter().zip(rows.1).filter(|(entry, _)| !entry.address.is_empty());
    let said: Vec<SaidOut> = about
        .filter_map(|(entry, judged)| {
            Some(SaidOut {
                address: entry.address.clone(),
                status: judged.opted_out.clone()?,
                // The report has no dates; when the import began it was so.
                at: job.begun,
                contact: judged.contact.clone(),
                source: format!("import {job}"),
                actor: String::new(),
            })
        })
        .collect();
    let addresses: Vec<String> = said.iter().map(|said| said.address.clone()).collect();
    let known = rows::standing(tx, account, &addresses).await?;
    // Who is known to be opted out is known with the better word and date.
    let said: Vec<SaidOut> = said.into_iter().filter(|said| !known.contains_key(&said.address)).collect();
    rows::take(tx, ids, now, account, Origin::Service, &said).await.map(drop)
}

fn rejects(entries: &[Entry], judged: &[Judged]) -> Vec<Reject> {
    let about = entries.iter().zip(judged);
    let reject = |(entry, judged): (&Entry, &Judged)| {
        let Outcome::Rejected(reason) = &judged.outcome else { return None };
        let detail = if judged.detail.is_empty() { "" } else { ": " };
        Some(Reject {
            subject: entry.record.to_string(),
            code: Some(Code::MARKETING_DATA),
            reason: format!("{reason}{detail}{}", judged.detail),
            sent: super::payload(entry),
            received: serde_json::json!({ "reason": reason, "detail": judged.detail }).to_string(),
        })
    };
    about.filter_map(reject).collect()
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
