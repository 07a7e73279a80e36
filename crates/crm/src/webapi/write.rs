//! Sets of changes applied: looked at, sent in batches, and whatever is uncertain looked at again.
//!
//! A set is one atomic change set of a batch; many sets share a batch, and one that fails leaves its neighbours alone. What
//! can happen to a set besides success:
//!
//! * **Refused because something is there (or gone) that was not**: a repeat, or somebody else was faster. Another look, and
//!   what is left to do is sent again.
//! * **Lost**: the answer did not come. Another look says what happened.
//! * **Refused for a reason**: the fault names the column.
//!
//! A server without batches gets one request after the other; ids are the caller's, so what was half done is finished by a
//! repeat.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use http::Method;
use postroom_core::metadata::Metadata;
use postroom_core::{Change, ChangeSet, Code, Content, Fault, Outcome, Record, RecordRef, Value, Verdict};
use postroom_formats::odata::batch::{BatchAnswer, BatchItem, MAX_OPERATIONS};

use super::WebApi;
use super::limits::Limits;
use super::look::Looked;
use super::lot::{self, Before, Op, Prepared};
use super::refusal::Refusal;
use super::wire::{Ask, Trouble};

/// Looks at one set at most.
const ROUNDS: u32 = 4;
/// Bytes of one batch, roughly; a single set may be larger.
const BYTES: usize = 8 << 20;

/// What became of a set.
pub(super) type Answer = Result<Vec<Outcome>, Fault>;

/// What became of a set that was sent.
pub(super) enum Sent {
    Done,
    Refused(Refusal),
    Lost(Fault),
    /// It was not tried.
    Not(Fault),
}

/// One set on its way.
pub(super) struct Parcel {
    /// Its place in the lot.
    pub at: usize,
    pub prepared: Prepared,
}

impl WebApi {
    pub(super) async fn write(&self, mut sets: Vec<ChangeSet>) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = sets.iter().map(|_| None).collect();
        for (set, answer) in sets.iter_mut().zip(&mut answers) {
            if let Err(fault) = self.fetch_bodies(set).await {
                *answer = Some(Err(fault));
            }
        }
        let mut from = 0;
        while from < sets.len() {
            let to = wave(&sets, from);
            self.apply_wave(&sets, from..to, &mut answers).await;
            from = to;
        }
        let stale = |answer: &Option<Answer>| matches!(answer, Some(Err(fault)) if fault.code == Code::CRM_UNKNOWN_COLUMN);
        if answers.iter().any(stale) {
            self.client.forget_definitions();
        }
        let none = || Err(Fault::bug("a set of changes was left without an answer"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(none)).collect()
    }

    /// The bodies that rows refer to, as bytes.
    async fn fetch_bodies(&self, set: &mut ChangeSet) -> Result<(), Fault> {
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
                    *value = Value::Content(Content::Bytes(self.bodies.read(content).await?));
                }
            }
        }
        Ok(())
    }

    async fn apply_wave(
        &self,
        sets: &[ChangeSet],
        range: std::ops::Range<usize>,
        answers: &mut [Option<Answer>],
    ) {
        let mut pending: Vec<(usize, Before)> =
            range.filter(|at| answers[*at].is_none()).map(|at| (at, Before::Nothing)).collect();
        let metadata = match self.known_tables(sets, &mut pending, answers).await {
            Ok(metadata) => metadata,
            Err(fault) => return fail(&pending, answers, &fault),
        };
        let none = Limits::default();
        let attaches = |at: usize| lot::tables(&sets[at..=at]).contains("activitymimeattachment");
        let limits = match pending.iter().any(|(at, _)| attaches(*at)) {
            false => &none,
            true => match self.client.limits().await {
                Ok(limits) => limits,
                Err(fault) => return fail(&pending, answers, &fault),
            },
        };
        for round in 0..ROUNDS {
            if pending.is_empty() {
                return;
            }
            if round > 0 {
                self.client.breathe(round).await;
            }
            let looked = match self.look_at(sets, &pending, round > 0).await {
                Ok(looked) => looked,
                Err(fault) => return fail(&pending, answers, &fault),
            };
            let mut parcels = Vec::new();
            for (at, before) in &pending {
                match lot::prepare(&metadata, &sets[*at], &looked, limits, *before) {
                    Err(fault) => answers[*at] = Some(Err(fault)),
                    Ok(prepared) if prepared.ops.is_empty() => answers[*at] = Some(Ok(prepared.outcomes)),
                    Ok(prepared) => parcels.push(Parcel { at: *at, prepared }),
                }
            }
            let sent = self.send(sets, &parcels).await;
            let last = round + 1 == ROUNDS;
            let mut again = Vec::new();
            for (parcel, sent) in parcels.into_iter().zip(sent) {
                let before = pending
                    .iter()
                    .find(|(at, _)| *at == parcel.at)
                    .map_or(Before::Nothing, |(_, before)| *before);
                match settle(&sets[parcel.at], &looked, parcel.prepared, sent, before, last) {
                    Ok(answer) => answers[parcel.at] = Some(answer),
                    Err(before) => again.push((parcel.at, before)),
                }
            }
            pending = again;
        }
    }

    /// The definitions of all tables of these sets; sets that speak of unknown ones are answered.
    async fn known_tables(
        &self,
        sets: &[ChangeSet],
        pending: &mut Vec<(usize, Before)>,
        answers: &mut [Option<Answer>],
    ) -> Result<Arc<Metadata>, Fault> {
        let all: BTreeSet<&str> =
            pending.iter().flat_map(|(at, _)| lot::tables(std::slice::from_ref(&sets[*at]))).collect();
        let names: Vec<&str> = all.iter().copied().collect();
        match self.client.metadata(&names).await {
            Err(fault) if fault.code == Code::CRM_UNKNOWN_COLUMN => {}
            answer => return answer,
        }
        let mut known = BTreeSet::new();
        for name in names {
            match self.client.metadata(&[name]).await {
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
        self.client.metadata(&known).await
    }

    async fn look_at(
        &self,
        sets: &[ChangeSet],
        pending: &[(usize, Before)],
        all: bool,
    ) -> Result<Looked, Fault> {
        let mut wanted = BTreeMap::new();
        for (at, before) in pending {
            lot::wanted(&sets[*at], all || *before == Before::Lost, &mut wanted);
        }
        match wanted.is_empty() {
            true => Ok(Looked::new()),
            false => self.client.look(&wanted).await,
        }
    }

    async fn send(&self, sets: &[ChangeSet], parcels: &[Parcel]) -> Vec<Sent> {
        let mut sent = Vec::with_capacity(parcels.len());
        while sent.len() < parcels.len() {
            let rest = &parcels[sent.len()..];
            let same = self.multiples(sets, rest);
            if same > 1 {
                match self.send_multiple(sets, &rest[..same]).await {
                    Some(answers) => {
                        sent.extend(answers);
                        continue;
                    }
                    // The server does not know the message.
                    None => continue,
                }
            }
            if !self.client.batches() {
                sent.push(self.send_plainly(&rest[0]).await);
                continue;
            }
            let count = self.fitting(rest);
            sent.extend(self.send_batch(&rest[..count]).await);
        }
        sent
    }

    /// How many of these go in one batch.
    fn fitting(&self, parcels: &[Parcel]) -> usize {
        let (mut ops, mut bytes) = (0, 0);
        let most = self.client.batch_size();
        let fits = |parcel: &&Parcel| {
            ops += parcel.prepared.ops.len();
            bytes += parcel.prepared.ops.iter().map(|op| op.body.len() + 300).sum::<usize>();
            ops <= most && bytes <= BYTES
        };
        parcels.iter().take_while(fits).count().max(1)
    }

    async fn send_batch(&self, parcels: &[Parcel]) -> Vec<Sent> {
        let ops: usize = parcels.iter().map(|parcel| parcel.prepared.ops.len()).sum();
        if ops > MAX_OPERATIONS {
            let text = format!("a set of {ops} writes is more than the {MAX_OPERATIONS} that go together");
            return parcels
                .iter()
                .map(|_| Sent::Not(Fault::reject(Code::CRM_REFUSED, text.clone())))
                .collect();
        }
        let items: Vec<BatchItem> = parcels.iter().map(|parcel| self.item(&parcel.prepared)).collect();
        match self.client.batch(&items, false).await {
            Ok(answers) if answers.len() == items.len() => answers.into_iter().map(read).collect(),
            // It stopped, or was cut: what was done is looked at.
            Ok(_) => parcels.iter().map(|_| Sent::Lost(cut_off())).collect(),
            Err(Trouble::Refused(refusal)) if refusal.unknown_here() => {
                self.client.no_batches();
                let mut sent = Vec::with_capacity(parcels.len());
                for parcel in parcels {
                    sent.push(self.send_plainly(parcel).await);
                }
                sent
            }
            Err(Trouble::Refused(refusal)) => {
                parcels.iter().map(|_| Sent::Refused(refusal.clone())).collect()
            }
            Err(Trouble::Lost(fault)) => {
                self.client.shrink(ops);
                parcels.iter().map(|_| Sent::Lost(copy(&fault))).collect()
            }
            Err(Trouble::Fault(fault)) => parcels.iter().map(|_| Sent::Not(copy(&fault))).collect(),
        }
    }

    fn item(&self, prepared: &Prepared) -> BatchItem {
        let request = |(number, op): (usize, &Op)| {
            let mut request = self.client.part(op.method, &op.path, "", op.body.clone());
            let condition = op.condition.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            request.headers.extend(condition);
            request.content_id = Some((number + 1).to_string());
            request
        };
        BatchItem::ChangeSet(prepared.ops.iter().enumerate().map(request).collect())
    }

    /// One request after the other: a set may stay half done, and is finished when it is repeated.
    async fn send_plainly(&self, parcel: &Parcel) -> Sent {
        for op in &parcel.prepared.ops {
            let mut headers: Vec<(&'static str, String)> = op.condition.iter().cloned().collect();
            if !op.body.is_empty() {
                headers.push(("content-type", "application/json".to_owned()));
            }
            let method = Method::from_bytes(op.method.as_bytes()).unwrap_or(Method::POST);
            let url = self.client.url(&op.path);
            let ask = Ask { method, url, headers, body: op.body.clone().into(), repeatable: false };
            match self.client.wire.send(&ask).await {
                Ok(_) => {}
                Err(Trouble::Refused(refusal)) => return Sent::Refused(refusal),
                Err(Trouble::Lost(fault)) => return Sent::Lost(fault),
                Err(Trouble::Fault(fault)) => return Sent::Not(fault),
            }
        }
        Sent::Done
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

fn read(answer: BatchAnswer) -> Sent {
    let failed = match &answer {
        BatchAnswer::One(response) => Some(response).filter(|response| response.status >= 400),
        BatchAnswer::ChangeSet(responses) => responses.iter().find(|response| response.status >= 400),
    };
    match failed {
        None => Sent::Done,
        Some(response) => {
            let status = http::StatusCode::from_u16(response.status).unwrap_or_default();
            Sent::Refused(Refusal::read(status, &response.body))
        }
    }
}

/// What a set came to, or how it is looked at again.
fn settle(
    set: &ChangeSet,
    looked: &Looked,
    prepared: Prepared,
    sent: Sent,
    before: Before,
    last: bool,
) -> Result<Answer, Before> {
    match sent {
        Sent::Done => Ok(Ok(prepared.outcomes)),
        Sent::Lost(_) if !last => Err(Before::Lost),
        Sent::Lost(fault) => Ok(Err(Fault { verdict: Verdict::Retry { after: None }, ..fault })),
        Sent::Not(fault) => Ok(Err(fault)),
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
pub(super) fn copy(fault: &Fault) -> Fault {
    Fault::new(fault.verdict, fault.code, fault.message.clone())
}

fn cut_off() -> Fault {
    Fault::retry(Code::CRM_AWAY, "the answer to a batch of writes was cut off")
}

/// The row of a set that only makes one.
pub(super) fn lone_new_row(set: &ChangeSet) -> Option<&Record> {
    match set.changes.as_slice() {
        [Change::Create(row) | Change::CreateNew(row) | Change::Upsert(row)] => Some(row),
        _ => None,
    }
}
