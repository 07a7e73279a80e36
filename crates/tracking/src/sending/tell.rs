//! What the CRM learns: state and status, the number of attempts, the mail's ids, and in notes why something did not go.
//!
//! Every write repeats safely: the same values change nothing, and a note's id is made of what it says.

use futures_util::FutureExt;
use futures_util::future::join_all;
use postroom_core::{
    Change as CrmChange, ChangeSet, Fault, JobId, MailState, Record, RecordRef, Value, Verdict,
};
use postroom_jobs::Done;
use uuid::Uuid;

use super::entry::{Entry, Recipient, Standing};
use super::gather::{COMPLETED, SENDING};
use super::lot::{Change, Item, Left, Then};
use super::{Sending, events};
use crate::filing::activity::{cut, derived};

/// statecode Open with statuscode Failed; statuscode Sent (dataverse.md B2).
const OPEN: i64 = 0;
const FAILED: i64 = 8;
const SENT: i64 = 3;
/// Column lengths of dataverse.md B1.
const SUBJECT: usize = 800;
const MESSAGE_ID: usize = 320;
const TRACKING_TOKEN: usize = 50;
/// Characters of a note.
const NOTE: usize = 4000;
/// A copy that cannot be made is tried so often.
const COPIES: u32 = 5;

impl Sending {
    /// Writes to the CRM what it does not know yet, in one call; answers the mails with that noted. What the CRM refuses for good
    /// is logged and left: a deleted e-mail has nobody to tell.
    pub(super) async fn tell(&self, items: Vec<Item>, left: &mut Left) -> Vec<Item> {
        let (told, due) = self.told(items, left).await;
        let noted = self.know(due, left).await;
        told.into_iter().chain(noted).collect()
    }

    /// Notes that the CRM knows.
    async fn know(&self, changes: Vec<Change>, left: &mut Left) -> Vec<Item> {
        self.change("mail.told", changes, left).await
    }

    /// Those of whom the CRM knows everything, and those that are to be noted as told.
    async fn told(&self, items: Vec<Item>, left: &mut Left) -> (Vec<Item>, Vec<Change>) {
        let known = |item: &Item| is_told(&item.entry) && is_noted(&item.entry);
        let (known, news): (Vec<Item>, Vec<Item>) = items.into_iter().partition(known);
        let sets = news.iter().map(|item| self.news(&item.entry));
        let answers = self.apply(sets.collect()).await;
        let mut told = Vec::with_capacity(news.len());
        for (item, answer) in news.into_iter().zip(answers) {
            match answer {
                Ok(()) => {}
                Err(fault) if matches!(fault.verdict, Verdict::Retry { .. } | Verdict::Hold) => {
                    left.end(&item.claim, Err(fault));
                    continue;
                }
                Err(fault) => events::untold(item.entry.id, &fault),
            }
            let (due, noted) = (due(&item.entry), item.entry.noted.max(item.entry.bounced()));
            let after = Entry { told: Some(due), noted, ..item.entry.clone() };
            told.push(Change::new(item, after));
        }
        (known, told)
    }

    /// Ends mails that are over: the CRM is told, and the copy made.
    pub(super) async fn conclude(&self, items: Vec<Item>, left: &mut Left) {
        let (known, mut told) = self.told(items, left).await;
        for change in told.iter_mut().filter(|change| !self.wants_copy(&change.after)) {
            change.then = Then::Finish;
        }
        let noted = self.know(told, left).await;
        let copies: Vec<_> = known.into_iter().chain(noted).map(|item| self.copied(item).boxed()).collect();
        left.ended.extend(join_all(copies).await.into_iter().flatten());
    }

    /// Applies a set of changes for each mail; the answers stand in the same order.
    pub(super) async fn apply(&self, sets: Vec<Vec<CrmChange>>) -> Vec<Result<(), Fault>> {
        if sets.is_empty() {
            return Vec::new();
        }
        let count = sets.len();
        let answers = self.crm.apply(sets.into_iter().map(|changes| ChangeSet { changes }).collect()).await;
        let none = || Err(Fault::bug("a change set was given and none answered"));
        let answers = answers.into_iter().map(|answer| answer.map(drop));
        answers.chain(std::iter::repeat_with(none)).take(count).collect()
    }

    /// What the CRM does not know yet. A mail that comes back later than its end is in the same state as before: only a note
    /// tells of it.
    fn news(&self, entry: &Entry) -> Vec<CrmChange> {
        let mut news = Vec::new();
        if !is_told(entry) {
            news.push(CrmChange::Update(self.standing(entry)));
            news.extend(self.note(entry).map(CrmChange::Create));
        }
        if !is_noted(entry) {
            news.push(CrmChange::Create(self.came_back(entry)));
        }
        news
    }

    /// `senton` is the server's to set.
    fn standing(&self, entry: &Entry) -> Record {
        let status = status(entry);
        let state = if status == FAILED { OPEN } else { COMPLETED };
        let row = Record::new(RecordRef::new("email", entry.activity))
            .with("statecode", state)
            .with("statuscode", status)
            .with("deliveryattempts", i64::from(entry.tries));
        if status == FAILED {
            return row.with("trackingtoken", Value::Null); // the mark of its taking
        }
        let Some(id) = &entry.message_id else { return row };
        let guid = entry.record.as_ref().map_or(entry.activity, |record| record.id);
        row.with("subject", cut(&entry.subject, SUBJECT))
            .with("messageid", cut(&format!("<{id}>"), MESSAGE_ID))
            .with("trackingtoken", cut(&crate::token::make(guid), TRACKING_TOKEN))
    }

    /// A note about what did not go, or does not go yet.
    fn note(&self, entry: &Entry) -> Option<Record> {
        let (what, title) = match entry.state {
            MailState::Failed => ("failed", "The e-mail was not sent"),
            MailState::Sent if entry.recipients.iter().any(|one| !one.state.was_accepted()) => {
                ("partly", "The e-mail did not reach everybody")
            }
            MailState::Queued if entry.is_open() && self.is_late(entry) => ("late", "The e-mail is delayed"),
            _ => return None,
        };
        let mut text = entry.reason.clone();
        for one in
            entry.recipients.iter().filter(|one| !one.state.was_accepted() && one.state != Standing::Waiting)
        {
            text.push_str(&format!("\n{}: {}", one.address, one.text));
        }
        let id = derived(self.rules.installation, what, entry.id.0.as_bytes());
        Some(written(entry, id, title, &text))
    }

    /// A note about those it came back from since the last such note.
    fn came_back(&self, entry: &Entry) -> Record {
        let (from, to) = (entry.noted, entry.bounced());
        let mut back: Vec<&Recipient> =
            entry.recipients.iter().filter(|one| one.state == Standing::Bounced).collect();
        back.sort_by_key(|one| one.at);
        let mut text = entry.reason.clone();
        for one in back.into_iter().skip(from as usize) {
            let worth =
                if one.hard == Some(true) { "sending again is of no use" } else { "it may be sent again" };
            text.push_str(&format!("\n{}: {} ({worth})", one.address, one.text));
        }
        // Which of them it tells of is part of what it says.
        let said = [entry.id.0.as_bytes(), &from.to_be_bytes()[..], &to.to_be_bytes()[..]].concat();
        let id = derived(self.rules.installation, "bounced", &said);
        written(entry, id, "The e-mail came back", &text)
    }

    fn is_late(&self, entry: &Entry) -> bool {
        self.clock.now().duration_since(entry.first_at) >= self.options.delay_note
    }

    async fn copied(&self, item: Item) -> Vec<(JobId, Result<Done, Fault>)> {
        let mut left = Left::default();
        self.copy_once(item, &mut left).await;
        left.ended
    }

    fn wants_copy(&self, entry: &Entry) -> bool {
        self.copy.is_some() && entry.any_accepted() && !entry.copied
    }

    /// Puts a copy of a sent mail into its sender's folder, once, and ends its job.
    async fn copy_once(&self, item: Item, left: &mut Left) {
        let Some(copy) = self.copy.as_ref().filter(|_| self.wants_copy(&item.entry)) else {
            return left.end(&item.claim, Ok(Done::Completed));
        };
        let raw = match self.raw(&item.entry).await {
            Ok(raw) => raw,
            Err(fault) => return left.end(&item.claim, Err(fault)),
        };
        let from =
            postroom_formats::mime::scan_headers(&raw).from.first().map(postroom_core::Address::normal);
        if let Err(fault) = copy.keep(&from.unwrap_or_default(), raw.clone()).await {
            let last =
                item.claim.attempt >= COPIES || matches!(fault.verdict, Verdict::Reject | Verdict::Bug);
            events::not_copied(item.entry.id, &fault, last);
            if !last {
                return left.end(&item.claim, Err(Fault::retry(fault.code, fault.message)));
            }
        }
        let after = Entry { copied: true, ..item.entry.clone() };
        let change = Change::new(item, after).then(Then::Finish);
        self.change("mail.copied", vec![change], left).await;
    }
}

fn written(entry: &Entry, id: Uuid, title: &str, text: &str) -> Record {
    Record::new(RecordRef::new("annotation", id))
        .with("objectid", Value::lookup("email", entry.activity))
        .with("subject", title)
        .with("notetext", cut(text, NOTE))
}

fn is_told(entry: &Entry) -> bool {
    entry.told == Some(due(entry))
}

fn is_noted(entry: &Entry) -> bool {
    entry.noted >= entry.bounced()
}

/// What the CRM is to be told of a mail: its status, and the number of tries.
fn due(entry: &Entry) -> (i64, i64) {
    (status(entry), i64::from(entry.tries))
}

/// The statuscode that says how a mail stands: Sent as soon as one recipient was accepted.
fn status(entry: &Entry) -> i64 {
    match entry.state {
        MailState::Failed => FAILED,
        _ if entry.any_accepted() => SENT,
        _ => SENDING,
    }
}
