//! Sets of changes applied: looked at, sent, and whatever is uncertain looked at again.
//!
//! A set happens by itself; one that fails leaves its neighbours alone. What can happen to a set besides success:
//!
//! * **Refused because something is there (or gone) that was not**: a repeat, or somebody else was faster. Another look, and
//!   what is left to do is sent again.
//! * **Lost**: the answer did not come. Another look says what happened.
//! * **Refused because a set before it is not done yet**: a reply whose mail's answer was lost. Both go again.
//! * **Learned**: the server turned out to be older than it was taken for. The set is said anew.
//! * **Refused for an attachment**: the organisation's limits are asked for anew, and what they say stays here.
//! * **Refused for a reason**: the fault names the column.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use postroom_core::metadata::Metadata;
use postroom_core::{Change, ChangeSet, Code, Content, Fault, Outcome, Record, RecordRef, Value, Verdict};

use super::limits::{Measure, attachments};
use super::look::{self, Looked};
use super::lot::{self, Before, Ground};
use super::{Reads, Writes};
use crate::refusal::Refusal;
use crate::webapi::Bodies;

/// Looks at one set at most.
const ROUNDS: u32 = 4;
/// Things that one server may turn out not to know.
const LESSONS: u32 = 8;

/// A row of a set that was refused stays, against the promise.
pub(crate) fn stays(row: &str, fault: &Fault) {
    tracing::warn!(
        event = "crm.half_done",
        row,
        "A set of changes was refused, and {row}, which it had made, stays: {fault}"
    );
}

/// What became of a set.
pub(crate) type Answer = Result<Vec<Outcome>, Fault>;

/// What became of a set that was sent.
pub(crate) enum Sent {
    Done,
    Refused(Refusal),
    Lost(Fault),
    /// It was not tried.
    Not(Fault),
    /// It was not done, as the server does not know a message: it is to be said in another way.
    Learned,
}

/// One set on its way.
pub(crate) struct Parcel<Op> {
    /// Its place in the lot.
    pub at: usize,
    pub ops: Vec<Op>,
    /// What each change comes to when the requests succeed.
    pub outcomes: Vec<Outcome>,
}

/// Applies each set by itself; the answers stand in their order.
pub(crate) async fn write<W: Writes>(make: &W, mut sets: Vec<ChangeSet>) -> Vec<Answer> {
    let mut answers: Vec<Option<Answer>> = sets.iter().map(|_| None).collect();
    for (set, answer) in sets.iter_mut().zip(&mut answers) {
        if let Err(fault) = fetch_bodies(make.bodies(), set).await {
            *answer = Some(Err(fault));
        }
    }
    let mut from = 0;
    while from < sets.len() {
        let to = wave(&sets, from);
        apply_wave(make, &sets, from..to, &mut answers).await;
        from = to;
    }
    let stale = |answer: &Option<Answer>| matches!(answer, Some(Err(fault)) if fault.code == Code::CRM_UNKNOWN_COLUMN);
    if answers.iter().any(stale) {
        make.forget_definitions();
    }
    let none = || Err(Fault::bug("a set of changes was left without an answer"));
    answers.into_iter().map(|answer| answer.unwrap_or_else(none)).collect()
}

/// The bodies that rows refer to, as bytes.
async fn fetch_bodies(bodies: &dyn Bodies, set: &mut ChangeSet) -> Result<(), Fault> {
    for change in &mut set.changes {
        let row = match change {
            Change::Create(row)
            | Change::CreateNew(row)
            | Change::Update(row)
            | Change::UpdateIf(row, _)
            | Change::Upsert(row) => row,
            Change::Delete(_) | Change::DeleteIf(..) => continue,
        };
        for (_, value) in &mut row.columns {
            if let Value::Content(content) = value
                && !matches!(content, Content::Bytes(_))
            {
                *value = Value::Content(Content::Bytes(bodies.read(content).await?));
            }
        }
    }
    Ok(())
}

/// Sets still to be done, and what is known of their first try.
type Pending = Vec<(usize, Before)>;

async fn apply_wave<W: Writes>(
    make: &W,
    sets: &[ChangeSet],
    range: Range<usize>,
    answers: &mut [Option<Answer>],
) {
    let mut pending: Pending =
        range.filter(|at| answers[*at].is_none()).map(|at| (at, Before::Nothing)).collect();
    let metadata = match known_tables(make.reads(), sets, &mut pending, answers).await {
        Ok(metadata) => metadata,
        Err(fault) => return fail(&pending, answers, &fault),
    };
    let mut measure = match Measure::of(make, pending.iter().map(|(at, _)| &sets[*at])).await {
        Ok(measure) => measure,
        Err(fault) => return fail(&pending, answers, &fault),
    };
    let (mut round, mut lessons) = (0, 0);
    while !pending.is_empty() {
        if round > 0 {
            breathe(round).await;
        }
        let looked = match look_at(make, sets, &pending, round > 0).await {
            Ok(looked) => looked,
            Err(fault) => return fail(&pending, answers, &fault),
        };
        let parcels = parcels(make, sets, &pending, (&metadata, &looked, &measure), answers);
        let sent = make.send(sets, &parcels).await;
        let learned = sent.iter().any(|sent| matches!(sent, Sent::Learned)) && lessons < LESSONS;
        let last = round + 1 >= ROUNDS && !learned;
        let mut files = Vec::new();
        pending = settled(sets, (pending, parcels, sent), &looked, last, (answers, &mut files));
        if let Err(fault) = measure.again(make, sets, &files).await {
            return fail(&pending, answers, &fault);
        }
        if learned {
            lessons += 1;
        } else {
            round += 1;
        }
    }
}

/// The requests of these sets; those that cannot be said, or need nothing, are answered.
fn parcels<W: Writes>(
    make: &W,
    sets: &[ChangeSet],
    pending: &Pending,
    (metadata, looked, measure): (&Metadata, &Looked, &Measure),
    answers: &mut [Option<Answer>],
) -> Vec<Parcel<W::Op>> {
    let fits: &lot::Fits<'_> = &|table, column, value| make.fits(table, column, value);
    let mut parcels = Vec::new();
    for (at, before) in pending {
        let ground = Ground { metadata, looked, limits: measure.at(*at), manner: make.manner(), fits };
        let prepared = lot::prepare(&sets[*at], ground, *before);
        let said = prepared.and_then(|prepared| Ok((make.say(metadata, prepared.steps)?, prepared.outcomes)));
        match said {
            Err(fault) => answers[*at] = Some(Err(fault)),
            Ok((ops, outcomes)) if ops.is_empty() => answers[*at] = Some(Ok(outcomes)),
            Ok((ops, outcomes)) => parcels.push(Parcel { at: *at, ops, outcomes }),
        }
    }
    parcels
}

/// Answers what is decided; what is left is looked at again. Sets go to `files` that were refused for an attachment.
fn settled<Op>(
    sets: &[ChangeSet],
    (pending, parcels, sent): (Pending, Vec<Parcel<Op>>, Vec<Sent>),
    looked: &Looked,
    last: bool,
    (answers, files): (&mut [Option<Answer>], &mut Vec<usize>),
) -> Pending {
    let mut again: Pending = Vec::new();
    let mut befores = pending.into_iter();
    for (parcel, sent) in parcels.into_iter().zip(sent) {
        let (at, set) = (parcel.at, &sets[parcel.at]);
        let before =
            befores.find(|(pending, _)| *pending == at).map_or(Before::Nothing, |(_, before)| before);
        if !last
            && matches!(&sent, Sent::Refused(refusal) if refusal.file() && attachments(set).next().is_some())
        {
            files.push(at);
            again.push((at, before));
            continue;
        }
        let early = match &sent {
            Sent::Refused(refusal) if refusal.missing() => awaited(sets, set, answers, &again),
            _ => None,
        };
        match (settle(set, looked, parcel.outcomes, sent, before, last), early) {
            (Ok(Err(_)), Some(Awaited::Pending)) => again.push((at, before)),
            (Ok(Err(fault)), Some(Awaited::Retried)) => answers[at] = Some(Err(retried(fault))),
            (Ok(answer), _) => answers[at] = Some(answer),
            (Err(before), _) => again.push((at, before)),
        }
    }
    again
}

/// What a set waits for that was refused as a row it refers to is missing.
enum Awaited {
    /// Another set will make that row in the next round.
    Pending,
    /// The set that makes it was not done this time.
    Retried,
}

fn awaited(
    sets: &[ChangeSet],
    refused: &ChangeSet,
    answers: &[Option<Answer>],
    again: &Pending,
) -> Option<Awaited> {
    let columns = refused.changes.iter().filter_map(lot::record).flat_map(|row| &row.columns);
    let named: HashSet<&RecordRef> = columns.filter_map(|(_, value)| value.as_lookup()).collect();
    let makers = sets.iter().enumerate().filter(|(_, set)| lot::makes(set).any(|row| named.contains(row)));
    let retry = |answer: &Answer| matches!(answer, Err(Fault { verdict: Verdict::Retry { .. }, .. }));
    makers.map(|(at, _)| at).find_map(|at| match &answers[at] {
        Some(answer) => retry(answer).then_some(Awaited::Retried),
        None => again.iter().any(|(pending, _)| *pending == at).then_some(Awaited::Pending),
    })
}

fn retried(fault: Fault) -> Fault {
    Fault { verdict: Verdict::Retry { after: None }, ..fault }
}

/// A short wait before something is looked at again.
async fn breathe(round: u32) {
    tokio::time::sleep(Duration::from_millis(50 << round.min(6))).await;
}

/// The definitions of all tables of these sets; sets that speak of unknown ones are answered.
async fn known_tables(
    reads: &impl Reads,
    sets: &[ChangeSet],
    pending: &mut Pending,
    answers: &mut [Option<Answer>],
) -> Result<Arc<Metadata>, Fault> {
    let all: BTreeSet<&str> =
        pending.iter().flat_map(|(at, _)| lot::tables(std::slice::from_ref(&sets[*at]))).collect();
    let names: Vec<&str> = all.iter().copied().collect();
    match reads.metadata(&names).await {
        Err(fault) if fault.code == Code::CRM_UNKNOWN_COLUMN => {}
        answer => return answer,
    }
    let mut known = BTreeSet::new();
    for name in names {
        match reads.metadata(&[name]).await {
            Ok(_) => drop(known.insert(name)),
            Err(fault) if fault.code == Code::CRM_UNKNOWN_COLUMN => {
                let speaks = |at: &usize| lot::tables(std::slice::from_ref(&sets[*at])).contains(name);
                for (at, _) in pending.iter().filter(|(at, _)| speaks(at)) {
                    answers[*at] = Some(Err(copy(&fault)));
                }
                pending.retain(|(at, _)| !speaks(at));
            }
            Err(fault) => return Err(fault),
        }
    }
    let known: Vec<&str> = known.into_iter().collect();
    reads.metadata(&known).await
}

async fn look_at<W: Writes>(
    make: &W,
    sets: &[ChangeSet],
    pending: &Pending,
    all: bool,
) -> Result<Looked, Fault> {
    let mut wanted = BTreeMap::new();
    for (at, before) in pending {
        lot::wanted(&sets[*at], all || *before == Before::Lost, make.manner(), &mut wanted);
    }
    match wanted.is_empty() {
        true => Ok(Looked::new()),
        false => look::look(make.reads(), &wanted).await,
    }
}

/// The end of a run of sets that can be looked at together: none of them needs to know what an earlier one of them does.
fn wave(sets: &[ChangeSet], from: usize) -> usize {
    let mut written: HashSet<&RecordRef> = HashSet::new();
    for (at, set) in sets.iter().enumerate().skip(from) {
        if set.changes.iter().any(|change| written.contains(lot::target(change))) {
            return at;
        }
        written.extend(set.changes.iter().map(lot::target));
    }
    sets.len()
}

/// What a set came to, or how it is looked at again.
fn settle(
    set: &ChangeSet,
    looked: &Looked,
    outcomes: Vec<Outcome>,
    sent: Sent,
    before: Before,
    last: bool,
) -> Result<Answer, Before> {
    match sent {
        Sent::Done => Ok(Ok(outcomes)),
        Sent::Lost(_) if !last => Err(Before::Lost),
        Sent::Lost(fault) => Ok(Err(retried(fault))),
        Sent::Not(fault) => Ok(Err(fault)),
        Sent::Learned if !last => Err(before),
        Sent::Learned => Ok(Err(Fault::bug("the CRM refuses every way to say a change"))),
        Sent::Refused(refusal) if !last && again(set, looked, &refusal) => Err(before),
        Sent::Refused(refusal) => Ok(Err(explain(set, &refusal))),
    }
}

/// Whether a refusal may only mean that something was there, or gone, that had not been looked at.
fn again(set: &ChangeSet, looked: &Looked, refusal: &Refusal) -> bool {
    if refusal.limited() || refusal.status >= 500 {
        return true;
    }
    let unseen = |at: &RecordRef| !looked.contains_key(at);
    set.changes.iter().any(|change| match change {
        Change::Create(row) => refusal.duplicate() && (unseen(&row.at) || looked.get(&row.at) == Some(&None)),
        Change::Upsert(_) => refusal.duplicate() || refusal.missing() && names(refusal, lot::target(change)),
        Change::Delete(at) => refusal.missing() && names(refusal, at),
        Change::Update(_) | Change::UpdateIf(..) | Change::CreateNew(_) | Change::DeleteIf(..) => false,
    })
}

fn names(refusal: &Refusal, at: &RecordRef) -> bool {
    refusal.message.to_ascii_lowercase().contains(&at.id.to_string())
}

/// A refusal in words that name the column.
fn explain(set: &ChangeSet, refusal: &Refusal) -> Fault {
    let fault = refusal.fault();
    let rows = || set.changes.iter().filter_map(lot::record);
    if refusal.missing() {
        if let Some(at) = set.changes.iter().map(lot::target).find(|at| names(refusal, at)) {
            return lot::missing(at);
        }
        let lookups = rows().flat_map(|row| row.columns.iter().map(move |(name, value)| (row, name, value)));
        let named = lookups.filter_map(|(row, name, value)| Some((row, name, value.as_lookup()?)));
        for (row, name, to) in named {
            if names(refusal, to) {
                let text = format!("{}.{name} names {to}, which does not exist", row.at.table);
                return Fault::reject(Code::CRM_REFERENCE, text);
            }
        }
    }
    let conditional = set
        .changes
        .iter()
        .find(|change| matches!(change, Change::CreateNew(_) | Change::UpdateIf(..) | Change::DeleteIf(..)));
    match (fault.code, conditional.map(lot::target)) {
        (Code::CRM_DUPLICATE, Some(at)) if refusal.duplicate() => return lot::duplicate(at),
        (Code::CRM_VERSION, Some(at)) => return lot::changed(at),
        (Code::CRM_STATE, _) => {
            let table = rows().find(|row| row.get("statuscode").is_some() || row.get("statecode").is_some());
            let table = table.map_or("", |row| row.at.table.as_str());
            return Fault { message: format!("{table}.statuscode: {}", fault.message), ..fault };
        }
        _ => {}
    }
    match required(set, refusal) {
        Some(text) => Fault { code: Code::CRM_REQUIRED, message: text, ..fault },
        None => fault,
    }
}

/// The column that a refusal complains of and that a new row leaves out.
fn required(set: &ChangeSet, refusal: &Refusal) -> Option<String> {
    let text = refusal.message.as_str();
    let complains = ["needs a value", "cannot be NULL", "is required", "Required field"];
    if refusal.status != 400 || !complains.iter().any(|words| text.contains(words)) {
        return None;
    }
    let new =
        |change: &Change| matches!(change, Change::Create(_) | Change::CreateNew(_) | Change::Upsert(_));
    set.changes.iter().any(new).then(|| text.to_owned())
}

fn fail(pending: &[(usize, Before)], answers: &mut [Option<Answer>], fault: &Fault) {
    for (at, _) in pending.iter().filter(|(at, _)| answers[*at].is_none()).collect::<Vec<_>>() {
        answers[*at] = Some(Err(copy(fault)));
    }
}

/// The same for another set; the error underneath stays with the first.
pub(crate) fn copy(fault: &Fault) -> Fault {
    Fault::new(fault.verdict, fault.code, fault.message.clone())
}

/// The row of a set that only makes one.
pub(crate) fn lone_new_row(set: &ChangeSet) -> Option<&Record> {
    match set.changes.as_slice() {
        [Change::Create(row) | Change::CreateNew(row) | Change::Upsert(row)] => Some(row),
        _ => None,
    }
}
