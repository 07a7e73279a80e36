//! The decision: a pure function of a mail's signals and the rules.

use postroom_core::mail::Authentication;
use postroom_core::{Class, Direction, MailState, Method, RecordRef, Signal, SignalKind};
use uuid::Uuid;

use crate::filing::signals::Found;
use crate::rules::{Mailbox, OnUnmatched, Track, Trust};

/// What the decision depends on besides the signals.
#[derive(Debug, Clone)]
pub struct Facts<'r> {
    pub class: Class,
    pub automatic: bool,
    pub direction: Direction,
    pub authentication: Authentication,
    /// Whether the CRM knows the sender.
    pub known_sender: bool,
    pub mailbox: &'r Mailbox,
    pub trust: Trust,
    /// Why such mail is never tracked.
    pub never: Option<String>,
    /// Of outgoing mail: the only open record of its only known recipient.
    pub only_open: Option<&'r RecordRef>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling {
    pub state: MailState,
    pub method: Method,
    pub record: Option<RecordRef>,
    /// The email activity that the new one answers.
    pub parent: Option<Uuid>,
    /// A person to create first, when the mailbox says so.
    pub create: Option<Create>,
    pub reason: String,
    pub signals: Vec<Signal>,
    pub flags: Vec<String>,
}

/// A row that an unmatched mail asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    Lead,
    Contact,
}

/// Decides from all signals at once.
pub fn decide(facts: &Facts<'_>, found: &[Found]) -> Ruling {
    let mut ruling = rule(facts, found);
    ruling.signals = ordered(found, ruling.record.as_ref(), ruling.method);
    if !facts.known_sender && ruling.record.is_some() && facts.direction == Direction::Incoming {
        ruling.flags.push("unknown_sender".into());
    }
    if facts.automatic {
        ruling.flags.push("automatic".into());
    }
    ruling
}

fn rule(facts: &Facts<'_>, found: &[Found]) -> Ruling {
    if facts.class == Class::Echo {
        return Ruling::new(MailState::NotTracked, "It is our own mail come back; nothing is added for it.");
    }
    if let Some(never) = &facts.never {
        return Ruling::new(MailState::NotTracked, never.clone());
    }
    if facts.mailbox.track == Track::None {
        return Ruling::new(MailState::NotTracked, format!("Mailbox {} tracks nothing.", facts.mailbox.name));
    }
    let live: Vec<&Found> = found.iter().filter(|found| found.signal.record.is_some()).collect();
    match strongest(&live) {
        Strongest::One(winner) => attach(facts, winner, &live),
        Strongest::Torn(first, second) => Ruling::review(format!(
            "Two signals of the same strength disagree: {} names {}, {} names {}.",
            first.signal.place,
            shown(first),
            second.signal.place,
            shown(second)
        )),
        Strongest::Nothing => unmatched(facts, found),
    }
}

enum Strongest<'f> {
    One(&'f Found),
    Torn(&'f Found, &'f Found),
    Nothing,
}

fn strongest<'f>(live: &[&'f Found]) -> Strongest<'f> {
    let Some(first) = live.first() else { return Strongest::Nothing };
    let rank = first.signal.kind.rank();
    let rival = live
        .iter()
        .find(|other| other.signal.kind.rank() == rank && other.signal.record != first.signal.record);
    match rival {
        Some(second) => Strongest::Torn(first, second),
        None => Strongest::One(first),
    }
}

fn shown(found: &Found) -> String {
    found.signal.record.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

/// Whether the winner may attach, by trust.
fn attach(facts: &Facts<'_>, winner: &Found, live: &[&Found]) -> Ruling {
    let unsigned = matches!(
        winner.signal.kind,
        SignalKind::Token | SignalKind::Header | SignalKind::MicrosoftToken | SignalKind::ConversationIndex
    );
    let incoming = facts.direction == Direction::Incoming;
    if incoming && facts.authentication == Authentication::Fail {
        return Ruling::review(format!(
            "The sender's domain says this mail is not from there (DMARC fail); {} names {}.",
            winner.signal.place,
            shown(winner)
        ));
    }
    if unsigned && incoming && facts.trust == Trust::Signed {
        let signed = "token.trust is signed, and an unsigned token only proposes";
        return Ruling::review(format!("{} names {}, but {signed}.", winner.signal.place, shown(winner)));
    }
    // A bounce comes from a mail system, which the CRM never knows: it is believed for what it returns.
    let vouched = facts.known_sender || facts.class == Class::Bounce;
    if unsigned && incoming && facts.trust == Trust::KnownSender && !vouched {
        let known = "the CRM does not know the sender, as token.trust demands";
        return Ruling::review(format!("{} names {}, but {known}.", winner.signal.place, shown(winner)));
    }
    let mut ruling = Ruling::new(MailState::Tracked, sentence(winner));
    ruling.method = winner.signal.kind.method();
    ruling.record = winner.signal.record.clone();
    ruling.parent = winner.email;
    if live.iter().any(|other| other.signal.record != winner.signal.record) {
        ruling.flags.push("weaker_signal_disagrees".into());
    }
    ruling
}

fn sentence(winner: &Found) -> String {
    let record = shown(winner);
    let place = &winner.signal.place;
    match winner.signal.kind {
        SignalKind::SignedId => {
            format!("It answers a mail of ours: the signed Message-ID in {place} names {record}.")
        }
        SignalKind::SignedAddress => {
            format!("It was sent to a signed reply address of ours, which names {record}.")
        }
        SignalKind::Folder => format!("An administrator tied mailbox {} to {record}.", winner.signal.value),
        SignalKind::Thread => format!("It belongs to a thread on {record}: its {place} is known."),
        SignalKind::Token => format!("The token in its {place} names {record}."),
        SignalKind::Header => format!("Its configured header names {record}."),
        SignalKind::MicrosoftToken => format!("Its Microsoft token is that of an e-mail on {record}."),
        SignalKind::ConversationIndex => {
            format!("Its Thread-Index and a shared party tie it to a conversation on {record}.")
        }
    }
}

/// Whether it named a record of ours that is not there: a person may know better than the mailbox's rule. So does a token that
/// leads nowhere at all.
fn is_dead(found: &Found) -> bool {
    let token = matches!(found.signal.kind, SignalKind::Token | SignalKind::Header);
    found.gone || token && found.signal.record.is_none() && found.signal.note != "carries no GUID"
}

fn obituary(dead: &Found) -> String {
    let Signal { kind, place, note, .. } = &dead.signal;
    match kind {
        SignalKind::SignedId => format!("The signed Message-ID in its {place} {note}."),
        SignalKind::SignedAddress => format!("The signed reply address it was sent to {note}."),
        SignalKind::Folder => format!("The tie of its {place} {note}."),
        SignalKind::Thread => format!("Its {place} {note}."),
        SignalKind::MicrosoftToken => format!("Its Microsoft token {note}."),
        SignalKind::ConversationIndex => format!("Its {place} {note}."),
        SignalKind::Token | SignalKind::Header => format!("The token in its {place} {note}."),
    }
}

/// Nothing names a record that exists.
fn unmatched(facts: &Facts<'_>, found: &[Found]) -> Ruling {
    if let Some(dead) = found.iter().find(|found| is_dead(found)) {
        return Ruling::review(obituary(dead));
    }
    let mailbox = facts.mailbox;
    let allowed = matches!(mailbox.track, Track::All | Track::Known);
    if let Some(record) = facts.only_open.filter(|_| allowed && facts.direction == Direction::Outgoing) {
        let reason = format!("It was sent to one known person, whose only open record is {record}.");
        return Ruling { record: Some(record.clone()), ..Ruling::new(MailState::Tracked, reason) };
    }
    match mailbox.track {
        Track::Replies => {
            let reason =
                format!("Mailbox {} tracks replies only, and nothing in it names a record.", mailbox.name);
            return Ruling::new(MailState::NotTracked, reason);
        }
        Track::Known if !facts.known_sender => {
            let reason = format!(
                "Mailbox {} tracks known senders only; the CRM does not know this one.",
                mailbox.name
            );
            return Ruling::new(MailState::NotTracked, reason);
        }
        _ => {}
    }
    let nothing = "Nothing in it names a record";
    let disowned = facts.direction == Direction::Incoming && facts.authentication == Authentication::Fail;
    if disowned && mailbox.on_unmatched != OnUnmatched::Skip {
        return Ruling::review(format!(
            "{nothing}, and the sender's domain says this mail is not from there (DMARC fail)."
        ));
    }
    match mailbox.on_unmatched {
        OnUnmatched::Review => Ruling::review(format!("{nothing}; a person decides.")),
        OnUnmatched::Skip => Ruling::new(
            MailState::NotTracked,
            format!("{nothing}, and mailbox {} skips such mail.", mailbox.name),
        ),
        OnUnmatched::Activity => Ruling::new(
            MailState::Tracked,
            format!("{nothing}; it is filed without one, as mailbox {} says.", mailbox.name),
        ),
        OnUnmatched::CreateLead | OnUnmatched::CreateContact
            if facts.automatic || facts.class == Class::Bounce =>
        {
            Ruling::review(format!("{nothing}, and machine mail makes no new people."))
        }
        OnUnmatched::CreateLead | OnUnmatched::CreateContact if facts.known_sender => Ruling::new(
            MailState::Tracked,
            format!("{nothing}; its sender is known, so it is filed without one."),
        ),
        OnUnmatched::CreateLead => create(Create::Lead, "lead", mailbox),
        OnUnmatched::CreateContact => create(Create::Contact, "contact", mailbox),
    }
}

fn create(what: Create, word: &str, mailbox: &Mailbox) -> Ruling {
    let reason = format!("Its sender was unknown; a {word} was created, as mailbox {} says.", mailbox.name);
    Ruling { create: Some(what), ..Ruling::new(MailState::Tracked, reason) }
}

/// The winner first, then the rest in order of strength.
fn ordered(found: &[Found], record: Option<&RecordRef>, method: Method) -> Vec<Signal> {
    let mut signals: Vec<Signal> = found.iter().map(|found| found.signal.clone()).collect();
    let won = |signal: &Signal| signal.record.as_ref() == record && signal.kind.method() == method;
    if let Some(place) = record.and_then(|_| signals.iter().position(won)) {
        let winner = signals.remove(place);
        signals.insert(0, winner);
    }
    signals
}

impl Ruling {
    fn new(state: MailState, reason: impl Into<String>) -> Self {
        Ruling {
            state,
            method: Method::None,
            record: None,
            parent: None,
            create: None,
            reason: reason.into(),
            signals: Vec::new(),
            flags: Vec::new(),
        }
    }

    fn review(reason: impl Into<String>) -> Self {
        Ruling::new(MailState::Review, reason)
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
