//! Gathers every signal of one mail: what names a record, and where each leads. Nothing is decided here.

use postroom_core::{Address, Class, Direction, RecordRef, Signal, SignalKind};
use uuid::Uuid;

use crate::filing::known::{Known, Lead, Parent};
use crate::filing::reading::{ADDRESSED, Reading};
use crate::rules::{Mailbox, OnUnmatched, Rules, Track};
use crate::token::{FoundToken, Kind};

/// A signal, with the email activity it came through (the parent of the new activity).
#[derive(Debug, Clone)]
pub struct Found {
    pub signal: Signal,
    pub email: Option<Uuid>,
}

/// All signals of a mail, strongest kind first.
pub fn gather(reading: &Reading, known: &Known, rules: &Rules) -> Vec<Found> {
    let mut found = Vec::new();
    signed(reading, known, &mut found);
    folder(reading, known, rules, &mut found);
    thread(reading, known, rules, &mut found);
    tokens(reading, known, &mut found);
    header(reading, known, &mut found);
    microsoft(reading, known, &mut found);
    conversation(reading, known, rules, &mut found);
    found.sort_by_key(|found| found.signal.kind.rank());
    found
}

fn push(found: &mut Vec<Found>, kind: SignalKind, value: &str, place: &str, lead: Lead) {
    let (record, email, note) = match lead {
        Lead::Record { record, email, note } => (Some(record), email, note),
        Lead::Nothing(note) => (None, None, note),
    };
    let note = note.trim_end_matches("; ").to_owned();
    let value = value.chars().take(200).collect();
    found.push(Found { signal: Signal { kind, value, place: place.into(), record, note }, email });
}

fn signed(reading: &Reading, known: &Known, found: &mut Vec<Found>) {
    for (place, text, kind, id) in &reading.signed {
        if *kind == Kind::Bounce {
            continue;
        }
        let signal = if place == ADDRESSED { SignalKind::SignedAddress } else { SignalKind::SignedId };
        push(found, signal, text, place, known.follow(*id));
    }
}

/// The configured mailbox that a mail belongs to: one that a way in named, else its sender's when it was sent, else that of
/// a recipient: by the envelope, and only without one by the headers.
///
/// Of several the first that does not leave such mail alone: one mailbox that tracks nothing must not hide a mail from
/// another that does.
pub fn mailbox<'r>(reading: &Reading, rules: &'r Rules) -> Option<&'r Mailbox> {
    let stored = &reading.stored;
    let of = |addresses: &[String]| {
        keenest(addresses.iter().filter_map(|address| rules.mailbox_of([address.as_str()])))
    };
    let named = keenest(stored.mailboxes.iter().filter_map(|name| rules.mailbox_named(name)));
    named.or_else(|| match stored.direction {
        Direction::Outgoing => of(&reading.from.iter().map(Address::normal).collect::<Vec<_>>()),
        Direction::Incoming => of(&stored.envelope_to).or_else(|| of(&reading.recipients())),
    })
}

/// The first of those that track most.
fn keenest<'r>(mailboxes: impl Iterator<Item = &'r Mailbox>) -> Option<&'r Mailbox> {
    let keen = |mailbox: &Mailbox| {
        let tracks = match mailbox.track {
            Track::All => 3,
            Track::Known => 2,
            Track::Replies => 1,
            Track::None => 0,
        };
        (tracks, mailbox.on_unmatched != OnUnmatched::Skip)
    };
    mailboxes.reduce(|first, next| if keen(next) > keen(first) { next } else { first })
}

fn folder(reading: &Reading, known: &Known, rules: &Rules, found: &mut Vec<Found>) {
    for (name, folder) in &reading.stored.folders {
        let tied = rules.mailbox_named(name).and_then(|mailbox| mailbox.record_of(folder));
        if let Some(record) = tied {
            push(found, SignalKind::Folder, folder, "folder", known.follow(record.id));
        }
    }
    let mailbox = mailbox(reading, rules);
    if let Some((mailbox, record)) = mailbox.and_then(|mailbox| Some((mailbox, mailbox.record.as_ref()?))) {
        push(found, SignalKind::Folder, &mailbox.name, "mailbox", known.follow(record.id));
    }
}

/// The nearest known ancestor names the thread; older ones are evidence only, for a mail in between may have been moved.
fn thread(reading: &Reading, known: &Known, rules: &Rules, found: &mut Vec<Found>) {
    if let Some(id) = reading.report.as_ref().and_then(|report| report.message_id.as_ref()) {
        for parent in parents(reading, known, id) {
            push(found, SignalKind::Thread, id, "returned Message-ID", lead_of(parent, known));
            link(found, parent);
        }
    }
    let mut settled = false;
    for (place, id) in reading.stored.references.iter().enumerate() {
        for parent in parents(reading, known, id) {
            let place = format!("reference {}", place + 1);
            let lead = lead_of(parent, known);
            let lead = match &lead {
                Lead::Record { .. } if settled => {
                    Lead::Nothing("an older ancestor; a nearer one names the thread".into())
                }
                Lead::Record { .. } if is_forward(reading, parent, rules) => Lead::Nothing(FORWARD.into()),
                _ => lead,
            };
            push(found, SignalKind::Thread, id, &place, lead);
            link(found, parent);
        }
        settled |= found
            .iter()
            .any(|found| found.signal.kind == SignalKind::Thread && found.signal.record.is_some());
    }
}

fn parents<'k>(reading: &Reading, known: &'k Known, id: &str) -> impl Iterator<Item = &'k Parent> {
    let own = reading.stored.id;
    known.parents.get(id).into_iter().flatten().filter(move |parent| parent.id != own)
}

/// The new activity answers the parent's.
fn link(found: &mut [Found], parent: &Parent) {
    if let Some(last) = found.last_mut() {
        last.email = parent.activity;
    }
}

fn lead_of(parent: &Parent, known: &Known) -> Lead {
    match &parent.record {
        None => Lead::Nothing(format!("{} is known ({}), but lies on no record", parent.id, parent.state)),
        Some(record) => match known.follow(record.id) {
            Lead::Record { record, email, note } => {
                Lead::Record { record, email, note: format!("{note}{} lies there", parent.id) }
            }
            nothing => nothing,
        },
    }
}

const FORWARD: &str = "a forward: addressed to another mailbox and to nobody of that thread";

/// A mail addressed to another queue or mailbox and to none of the thread's parties is a forward, not a reply.
fn is_forward(reading: &Reading, parent: &Parent, rules: &Rules) -> bool {
    let own = mailbox(reading, rules).map_or("", |mailbox| mailbox.name.as_str());
    if own.is_empty() || parent.mailbox.is_empty() || own == parent.mailbox {
        return false;
    }
    let recipients = reading.recipients();
    !recipients.is_empty() && !recipients.iter().any(|recipient| parent.parties.contains(recipient))
}

fn tokens(reading: &Reading, known: &Known, found: &mut Vec<Found>) {
    let mut each = |tokens: &[FoundToken], place: &str| {
        for token in tokens {
            push(found, SignalKind::Token, &token.text, place, known.follow(token.guid));
        }
    };
    each(&reading.tokens, "Subject");
    if let Some(report) = reading.report.as_ref().filter(|_| reading.class == Class::Bounce) {
        each(&report.tokens, "returned Subject");
    }
}

fn header(reading: &Reading, known: &Known, found: &mut Vec<Found>) {
    let Some((value, guid)) = &reading.header else { return };
    let lead = guid.map_or_else(|| Lead::Nothing("carries no GUID".into()), |guid| known.follow(guid));
    push(found, SignalKind::Header, value, "header", lead);
}

fn microsoft(reading: &Reading, known: &Known, found: &mut Vec<Found>) {
    for token in &reading.microsoft {
        let email = known.microsoft.get(token).and_then(|emails| emails.first());
        let lead = match email {
            None => Lead::Nothing("no e-mail carries this token".into()),
            Some(email) => match email.lookup("regardingobjectid") {
                None => Lead::Nothing("the e-mail that carries it regards no record".into()),
                Some(regarding) => known.follow(regarding.id),
            },
        };
        push(found, SignalKind::MicrosoftToken, token, "Subject", lead);
        if let (Some(last), Some(email)) = (found.last_mut(), email) {
            last.email = Some(email.at.id);
        }
    }
}

/// Outlook's Thread-Index counts only together with a shared party.
fn conversation(reading: &Reading, known: &Known, rules: &Rules, found: &mut Vec<Found>) {
    let Some(conversation) = &reading.stored.conversation else { return };
    let own: Vec<String> = reading.header_addresses().collect();
    let mut records: Vec<RecordRef> = Vec::new();
    for parent in known.conversations.get(conversation).into_iter().flatten() {
        let shares =
            parent.id != reading.stored.id && own.iter().any(|address| parent.parties.contains(address));
        let lead = lead_of(parent, known);
        let Lead::Record { record, .. } = &lead else { continue };
        if shares && !records.contains(record) {
            records.push(record.clone());
            let lead = if is_forward(reading, parent, rules) { Lead::Nothing(FORWARD.into()) } else { lead };
            push(found, SignalKind::ConversationIndex, conversation, "Thread-Index", lead);
            link(found, parent);
        }
    }
}
