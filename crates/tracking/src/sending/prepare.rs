//! From claimed e-mails to frozen bytes: read, set to Sending, guard, render, freeze with the intent to send. A lot at a time.

use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::{Change as CrmChange, Code, Fault, MailState, Record, RecordRef};
use postroom_formats::compose::ComposeError;

use super::entry::{Entry, Hold};
use super::freeze::Frozen;
use super::gather::{Activity, COMPLETED, Found, PENDING, SENDING};
use super::guard::{self, Stop};
use super::history::Attempt;
use super::lot::{Change, Item, Left, Then};
use super::render::{self, Rendered};
use super::{Sending, rates};
use crate::settings;

/// Bytes of files that are read at once; the mails of a lot that have more are rendered one after another.
const ROOM: i64 = 48 * 1024 * 1024;
/// An e-mail that somebody changes under our feet is read again so often before its job waits.
const OVERTAKEN: u32 = 5;

/// Why a mail of another sender's stays as it is in the CRM.
const LEFT_ALONE: &str = "Its From is neither a tracked mailbox nor among the allowed senders: it stays in Pending Send for whoever serves \
     that sender.";

/// A mail that is ours to send, with its e-mail.
pub(super) struct Candidate {
    item: Item,
    /// The mail with what the CRM was told by taking it; not written yet.
    taken: Entry,
    pub activity: Activity,
}

/// How rendering ended.
enum Built {
    Mail(Box<(Entry, Frozen, Bytes)>),
    Stopped(Stop),
    Failed(Fault),
}

impl Sending {
    /// Renders mails, or says why not.
    pub(super) async fn prepare(&self, items: Vec<Item>, left: &mut Left) {
        let Some(items) = self.unless_safe(items, left).await else { return };
        let ids: Vec<_> = items.iter().map(|item| item.entry.activity).collect();
        let mut found = match self.gather(&ids, ROOM).await {
            Ok(found) => found,
            Err(fault) => return left.fail(&items, &fault),
        };
        let (mut wanted, mut gone) = (Vec::new(), Vec::new());
        for item in items {
            match found.remove(&item.entry.activity) {
                None => left.items.push(item), // its files had no room beside the others
                Some(Err(fault)) => left.end(&item.claim, Err(fault)),
                Some(Ok(Found::Wanted(activity))) if self.is_others(&item.entry, &activity) => {
                    let after = item.entry.clone().held(Hold::Foreign, Some(Code::OUT_FROM), LEFT_ALONE);
                    gone.push(Change::new(item, after).then(Then::Finish));
                }
                Some(Ok(Found::Wanted(activity))) if is_free(&item.entry, &activity) => {
                    wanted.push((item, *activity));
                }
                Some(Ok(Found::Wanted(_))) => {
                    gone.push(dropped(
                        item,
                        "Another program has begun to send it, and it is left to that one.",
                    ));
                }
                Some(Ok(Found::Gone)) => {
                    gone.push(dropped(item, "The e-mail was changed or deleted in the CRM before it left."));
                }
            }
        }
        self.hold(gone, left).await;
        let candidates = self.take(wanted, left).await;
        self.make(candidates, left).await;
    }

    /// Whether it is left to whoever serves its sender. What we have taken already nobody else sends.
    fn is_others(&self, entry: &Entry, activity: &Activity) -> bool {
        let is_taken = entry.told.is_some() || activity.status != Some(PENDING);
        !is_taken && guard::is_foreign(activity, &self.rules, &self.options)
    }

    /// Sets the e-mails to Sending in the CRM, each only if it is still as it was read: of two that would send it, one does.
    /// The mark tells us afterwards that it was us, should the answer be lost.
    async fn take(&self, wanted: Vec<(Item, Activity)>, left: &mut Left) -> Vec<Candidate> {
        let is_pending = |(_, activity): &(Item, Activity)| activity.status == Some(PENDING);
        let (pending, ours): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_pending);
        let sets = pending.iter().map(|(item, activity)| vec![taking(&item.entry, activity)]).collect();
        let mut candidates: Vec<Candidate> = ours.into_iter().map(candidate).collect();
        for ((mut item, activity), answer) in pending.into_iter().zip(self.apply(sets).await) {
            match answer {
                Ok(()) => candidates.push(candidate((item, activity))),
                Err(fault) if fault.code == Code::CRM_VERSION && item.overtaken < OVERTAKEN => {
                    item.overtaken += 1;
                    left.items.push(item);
                }
                Err(fault) if fault.code == Code::CRM_VERSION => {
                    left.end(&item.claim, Err(Fault::retry(fault.code, fault.message)));
                }
                Err(fault) => left.end(&item.claim, Err(fault)),
            }
        }
        candidates
    }

    /// Guards, renders and freezes them.
    async fn make(&self, candidates: Vec<Candidate>, left: &mut Left) {
        let mut rates = match rates::count(self, &candidates).await {
            Ok(rates) => rates,
            Err(fault) => {
                let items: Vec<Item> = candidates.into_iter().map(|candidate| candidate.item).collect();
                return left.fail(&items, &fault);
            }
        };
        let (mut stopped, mut passed) = (Vec::new(), Vec::new());
        let (rules, signer, options, now) = (&self.rules, &self.signer, &self.options, self.clock.now());
        for candidate in candidates {
            let (activity, confirmed) = (&candidate.activity, candidate.taken.confirmed);
            let stop = guard::check(activity, rules, signer, options, rates.of(activity), confirmed);
            let rendered = || render::render(activity, rules.installation, signer, options, now);
            match stop.map_or_else(|| rendered().ok_or_else(nobody), Err) {
                Ok(rendered) => {
                    rates.note(activity);
                    passed.push((candidate, rendered));
                }
                Err(stop) => stopped.push((candidate, stop)),
            }
        }
        // What is frozen leaves at once: the intent stands in the same unit.
        let leaves = match self.is_safe_mode().await {
            Ok(false) => Some(self.clock.now()),
            Ok(true) | Err(_) => None, // asked again before the attempt
        };
        let mut frozen = Vec::new();
        for (candidate, built) in self.build(passed, leaves).await {
            match built {
                Built::Mail(built) => {
                    let (after, rows, raw) = *built;
                    let item = Item { raw: Some(raw), ..candidate.item };
                    let attempt = leaves.map(|_| Attempt::begun(&after, self.sender.host()));
                    frozen.push(Change { frozen: Some(rows), attempt, ..Change::new(item, after) });
                }
                Built::Stopped(stop) => stopped.push((candidate, stop)),
                Built::Failed(fault) => left.end(&candidate.item.claim, Err(fault)),
            }
        }
        let frozen = self.change("mail.rendered", frozen, left).await;
        self.stop(stopped, left).await;
        match leaves {
            Some(_) => self.deliver(frozen, left).await,
            None => left.items.extend(frozen),
        }
    }

    /// Puts the bytes together, on a thread that may take its time.
    async fn build(
        &self,
        passed: Vec<(Candidate, Rendered)>,
        leaves: Option<Timestamp>,
    ) -> Vec<(Candidate, Built)> {
        if passed.is_empty() {
            return Vec::new();
        }
        let sending = self.clone();
        let build = move || {
            let each = passed.into_iter().map(|(candidate, rendered)| {
                let built = sending.build_one(&candidate, rendered, leaves);
                (candidate, built)
            });
            each.collect()
        };
        // Whatever panics in it panics here: the runner gives the mails of the lot again, one by one.
        tokio::task::spawn_blocking(build).await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("nobody stops a thread that renders: {error}"),
        })
    }

    fn build_one(&self, candidate: &Candidate, rendered: Rendered, leaves: Option<Timestamp>) -> Built {
        let raw = match rendered.draft.build() {
            Ok(built) => built.raw,
            Err(error @ ComposeError::Injection { .. }) => {
                return Built::Stopped(Stop::Hold(Code::OUT_INJECTION, error.to_string()));
            }
            Err(error) => return Built::Stopped(unwritable(error.to_string())),
        };
        if raw.len() > self.options.max_bytes && !candidate.taken.confirmed {
            let most = self.options.max_bytes;
            let why = format!("It has {} bytes; more than {most} need a release.", raw.len());
            return Built::Stopped(Stop::Hold(Code::OUT_TOO_MANY, why));
        }
        let signed = match &self.sign {
            Some(sign) => sign(&raw),
            None => Ok(raw),
        };
        let frozen = signed.and_then(|raw| {
            let (after, frozen) =
                self.freeze(&candidate.taken, &candidate.activity, rendered, &raw, leaves)?;
            Ok((after, frozen, Bytes::from(raw)))
        });
        match frozen {
            Ok(frozen) => Built::Mail(Box::new(frozen)),
            Err(fault) => Built::Failed(fault),
        }
    }

    async fn stop(&self, stopped: Vec<(Candidate, Stop)>, left: &mut Left) {
        let (mut held, mut refused) = (Vec::new(), Vec::new());
        for (Candidate { item, taken, .. }, stop) in stopped {
            match stop {
                Stop::Hold(code, reason) => {
                    let after = taken.held(Hold::Rule, Some(code), reason);
                    held.push(Change::new(item, after).then(Then::Finish));
                }
                Stop::Fail(code, reason) => {
                    let mut after = taken.to(MailState::Failed, reason);
                    (after.code, after.finished_at) = (Some(code.0), Some(self.clock.now()));
                    refused.push(Change::new(item, after));
                }
            }
        }
        self.hold(held, left).await;
        let refused = self.change("mail.refused", refused, left).await;
        left.items.extend(refused); // the CRM has to be told
    }

    /// Leaves mails until a person or a program decides.
    async fn hold(&self, changes: Vec<Change>, left: &mut Left) {
        self.change("mail.held", changes, left).await;
    }

    /// In safe mode nothing leaves: then they are held, and nothing is answered.
    pub(super) async fn unless_safe(&self, items: Vec<Item>, left: &mut Left) -> Option<Vec<Item>> {
        if items.is_empty() {
            return None;
        }
        match self.is_safe_mode().await {
            Ok(false) => return Some(items),
            Ok(true) => {
                let reason =
                    "This database came from a backup: nothing leaves until the reconciliation is confirmed.";
                let hold = |item: Item| {
                    let after = item.entry.clone().held(Hold::SafeMode, Some(Code::SAFE_MODE), reason);
                    Change::new(item, after).then(Then::Finish)
                };
                self.hold(items.into_iter().map(hold).collect(), left).await;
            }
            Err(fault) => left.fail(&items, &fault),
        }
        None
    }

    pub(super) async fn is_safe_mode(&self) -> Result<bool, Fault> {
        Ok(settings::get(&self.store, settings::SAFE_MODE).await?.as_deref() == Some("on"))
    }
}

/// Whether it is ours to send: it waits for somebody, or it was us who set it to Sending.
fn is_free(entry: &Entry, activity: &Activity) -> bool {
    let marked = activity.taker.as_deref() == Some(mark(entry).as_str());
    activity.status == Some(PENDING) || entry.told.is_some() || marked
}

/// What stands in `trackingtoken` while a mail of ours is on its way, until its token does.
fn mark(entry: &Entry) -> String {
    entry.id.to_string()
}

fn taking(entry: &Entry, activity: &Activity) -> CrmChange {
    let row = Record::new(RecordRef::new("email", activity.id))
        .with("statecode", COMPLETED)
        .with("statuscode", SENDING)
        .with("trackingtoken", mark(entry));
    match activity.version {
        Some(version) => CrmChange::UpdateIf(row, version),
        None => CrmChange::Update(row),
    }
}

fn candidate((item, activity): (Item, Activity)) -> Candidate {
    let tries = item.entry.told.map_or(0, |(_, tries)| tries);
    let taken =
        Entry { told: Some((SENDING, tries)), record: activity.regarding.clone(), ..item.entry.clone() };
    Candidate { item, taken, activity }
}

fn dropped(item: Item, reason: &str) -> Change {
    let after = item.entry.clone().to(MailState::Suppressed, reason);
    Change::new(item, after).then(Then::Finish)
}

fn nobody() -> Stop {
    unwritable("It has no sender or recipient.".into())
}

fn unwritable(why: String) -> Stop {
    Stop::Fail(Code::OUT_UNWRITABLE, why)
}
