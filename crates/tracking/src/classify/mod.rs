//! What kind of mail it is, and whether a machine wrote it (`mail-tracking.md` 5.1).
//!
//! Runs before anything is matched, and before copies are recognised: a Domino bounce carries the Message-ID of the mail that
//! failed. It reads headers and the structure of parts, never bodies; reports are read by `postroom_formats::dsn`, and
//! the caller says what that found.
//!
//! Two questions are kept apart. *Automatic* is a fact with proof: a machine wrote it. *Never answer* also follows from wishes
//! and guesses: the sender asked for silence, or the subject sounds like an absence. A guess never classifies.

mod bounce;
mod calendar;
mod loop_mark;
mod machine;
mod phrases;
mod senders;
#[cfg(test)]
mod tests;

use postroom_core::{Class, Envelope};
use postroom_formats::mime::Mail;
use uuid::Uuid;

use crate::prefix;
use crate::token::signed::{Signer, Verification};

pub use loop_mark::{LOOP_HEADER, LoopMark};

/// What the reader of reports made of the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedAs {
    /// Any delivery status: failed, delayed, delivered, relayed; also one without structure.
    Bounce,
    Feedback,
    Receipt,
}

/// How our own mail is recognised.
#[derive(Debug, Clone, Copy)]
pub struct OwnMarks<'a> {
    pub installation: Uuid,
    /// `None` as long as the installation has no keys; then only the loop header tells.
    pub signer: Option<&'a Signer>,
}

/// The class of a mail, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classification {
    pub class: Class,
    /// A machine wrote it.
    pub automatic: bool,
    /// No automatic answer may go to it. What our own addresses are, is for the one who answers to know.
    pub never_answer: bool,
    /// One clause for each thing seen, the one that decided the class first.
    pub evidence: Vec<String>,
}

/// Classifies a mail. `report` is what `dsn::read` found, `None` when it found nothing.
pub fn classify(
    mail: &Mail<'_>,
    envelope: &Envelope,
    report: Option<ReportedAs>,
    ours: &OwnMarks<'_>,
) -> Classification {
    let sender = senders::look(mail, envelope);
    let machine = machine::look(mail);
    let phrase = phrases::of_absence(&mail.subject);
    let (class, why) = decide(&Seen { mail, sender: &sender, machine: &machine, phrase, report, ours });

    let automatic = machine.wrote_it()
        || matches!(class, Class::AutoReply | Class::Bounce | Class::Feedback | Class::Receipt | Class::List);
    let ordinary = matches!(class, Class::Normal | Class::Reply);
    let never_answer =
        automatic || !ordinary || sender.unanswerable() || machine.silence.is_some() || phrase.is_some();

    let mut evidence = vec![why];
    evidence.extend(machine.evidence());
    evidence.extend(sender.evidence);
    evidence.extend(phrase.map(|phrase| format!("the subject says {phrase:?}")));
    let mut seen = std::collections::HashSet::new();
    evidence.retain(|clause| !clause.is_empty() && seen.insert(clause.clone()));
    Classification { class, automatic, never_answer, evidence }
}

/// Everything the decision looks at.
struct Seen<'a> {
    mail: &'a Mail<'a>,
    sender: &'a senders::Sender,
    machine: &'a machine::Machine,
    phrase: Option<&'static str>,
    report: Option<ReportedAs>,
    ours: &'a OwnMarks<'a>,
}

/// The class and what decided it. The order is the rule: reports before echoes, because a bounce may carry our own
/// Message-ID; structure before headers; headers before words.
fn decide(seen: &Seen<'_>) -> (Class, String) {
    None.or_else(|| reported(seen))
        .or_else(|| echo(seen))
        .or_else(|| {
            calendar::method(seen.mail).map(|method| (Class::Calendar, format!("calendar method {method}")))
        })
        .or_else(|| auto_reply(seen))
        .or_else(|| seen.machine.list.clone().map(|proof| (Class::List, proof)))
        .or_else(|| seen.machine.bulk.clone().map(|proof| (Class::List, proof)))
        .or_else(|| reply(seen.mail).map(|proof| (Class::Reply, proof)))
        .unwrap_or((Class::Normal, String::new()))
}

fn reported(seen: &Seen<'_>) -> Option<(Class, String)> {
    let read = seen.report.map(|report| match report {
        ReportedAs::Bounce => (Class::Bounce, "a delivery report".to_owned()),
        ReportedAs::Feedback => (Class::Feedback, "a feedback report".to_owned()),
        ReportedAs::Receipt => (Class::Receipt, "a read receipt".to_owned()),
    });
    read.or_else(|| bounce::by_type(seen.mail, seen.sender))
        .or_else(|| bounce::by_looks(seen.mail, seen.sender).map(|proof| (Class::Bounce, proof)))
}

fn echo(seen: &Seen<'_>) -> Option<(Class, String)> {
    let marks = seen.mail.headers_named(LOOP_HEADER).filter_map(|value| LoopMark::read(&value));
    let hops = marks.filter(|mark| mark.installation == seen.ours.installation).map(|mark| mark.hops).max();
    if let Some(hops) = hops {
        return Some((Class::Echo, format!("our loop header, hop {hops}")));
    }
    let verified = seen.ours.signer?.verify(seen.mail.message_id.as_deref()?);
    let signed = matches!(verified, Verification::Valid { .. });
    signed.then(|| (Class::Echo, "its Message-ID is signed by us".to_owned()))
}

/// The answer of a machine. Where a header proves a machine but not what it wanted (Exchange marks its absence notes as
/// auto-generated, old vacation programs send theirs as bulk), being an answer or sounding like one tells.
fn auto_reply(seen: &Seen<'_>) -> Option<(Class, String)> {
    let machine = seen.machine;
    let answers = seen.phrase.is_some() || has_parent(seen.mail);
    let unnamed =
        machine.generated.as_ref().or(machine.bulk.as_ref()).filter(|_| answers && machine.list.is_none());
    machine.replied.as_ref().or(unnamed).map(|proof| (Class::AutoReply, proof.clone()))
}

fn has_parent(mail: &Mail<'_>) -> bool {
    !mail.in_reply_to.is_empty() || !mail.references.is_empty()
}

fn reply(mail: &Mail<'_>) -> Option<String> {
    match mail {
        _ if !mail.in_reply_to.is_empty() => Some("In-Reply-To".to_owned()),
        _ if !mail.references.is_empty() => Some("References".to_owned()),
        _ if prefix::is_reply_prefix(&mail.subject) => Some("the subject has a reply prefix".to_owned()),
        _ => None,
    }
}
