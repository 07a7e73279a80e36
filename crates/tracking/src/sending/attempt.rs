//! One attempt: the intent before the wire, the answer after.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Answer, Fate, Fault, Handed, MailState, Outgoing, Verdict};
use postroom_store::body;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::entry::{Entry, Hold, Standing};
use super::history::{Attempt, Ending};
use super::lot::{Change, Item, Left, Then};
use super::{Sending, events, schedule};

/// Characters of a server's words that are kept.
const TEXT: usize = 500;
/// Mails of one lot that are at the mail server at once: its own limit of connections is the sender's business, this one
/// bounds the memory.
const ABREAST: usize = 16;
/// After the first answer, those that come within this time share its unit. Longer, and more answers are lost with a crash.
const GATHER: Duration = Duration::from_millis(20);

/// A mail that came back from the wire.
type Back = (Item, Result<Handed, Fault>);

impl Sending {
    /// Sends each to whoever has no answer yet.
    pub(super) async fn attempt(&self, items: Vec<Item>, left: &mut Left) {
        let Some(items) = self.unless_safe(items, left).await else { return };
        // One time for all: mails that change alike share a statement.
        let now = self.clock.now();
        let intents = items.into_iter().map(|item| self.intent(item, now)).collect();
        let items = self.change("mail.sending", intents, left).await;
        self.deliver(items, left).await;
    }

    /// Hands over mails whose intent is written: each row is guarded by the number that it wrote.
    pub(super) async fn deliver(&self, items: Vec<Item>, left: &mut Left) {
        let mut wire = self.on_the_wire(items);
        while let Some(first) = wire.join_next().await {
            let mut back = vec![joined(first)];
            let end = Instant::now() + GATHER;
            while let Ok(Some(next)) = timeout_at(end, wire.join_next()).await {
                back.push(joined(next));
            }
            let answered = self.answered(back, left).await;
            match wire.is_empty() {
                true => left.items.extend(answered),
                // The others take their time; the CRM need not wait for them.
                false => self.go_on_with(answered, left).await,
            }
        }
    }

    async fn go_on_with(&self, answered: Vec<Item>, left: &mut Left) {
        let over = |item: &Item| item.entry.finished_at.is_some();
        let (over, open): (Vec<Item>, Vec<Item>) = answered.into_iter().partition(over);
        left.items.extend(open);
        self.conclude(over, left).await;
    }

    fn intent(&self, item: Item, now: Timestamp) -> Change {
        let after = begun(item.entry.clone(), now);
        let attempt = Some(Attempt::begun(&after, self.sender.host()));
        Change { attempt, ..Change::new(item, after) }
    }

    /// Each on a task of its own, so that the wire goes on while answers are written down.
    fn on_the_wire(&self, items: Vec<Item>) -> JoinSet<Back> {
        let (mut wire, seats) = (JoinSet::new(), Arc::new(Semaphore::new(ABREAST)));
        for mut item in items {
            let (sending, seats) = (self.clone(), seats.clone());
            wire.spawn(async move {
                let _seat = seats.acquire().await.expect("the semaphore is never closed");
                let raw = item.raw.take();
                let answer = sending.hand_over(&item.entry, raw).await;
                (item, answer)
            });
        }
        wire
    }

    async fn hand_over(&self, entry: &Entry, raw: Option<Bytes>) -> Result<Handed, Fault> {
        let raw = match raw {
            Some(raw) => raw,
            None => self.raw(entry).await?,
        };
        let open = entry.recipients.iter().filter(|recipient| recipient.state.is_open());
        let mail = Outgoing {
            from: entry.reverse_path.clone(),
            to: open.map(|recipient| recipient.address.clone()).collect(),
            envelope_id: Some(entry.id.0.simple().to_string()),
            receipt: entry.receipt,
            raw,
        };
        self.sender.send(mail).await
    }

    /// The frozen bytes.
    pub(super) async fn raw(&self, entry: &Entry) -> Result<Bytes, Fault> {
        let hash = entry
            .body
            .ok_or_else(|| Fault::bug(format!("{} is to be sent and was never rendered", entry.id)))?;
        let raw = body::get(&self.store, vec![hash]).await?.pop();
        raw.map(Bytes::from).ok_or_else(|| Fault::bug("one body was asked for and none answered"))
    }

    /// Writes the answers down; answers the mails that go on.
    async fn answered(&self, back: Vec<Back>, left: &mut Left) -> Vec<Item> {
        let now = self.clock.now();
        let (mut changes, mut held) = (Vec::with_capacity(back.len()), Vec::new());
        for (item, answer) in back {
            let change = self.answer(item, &answer, now);
            // Credentials or TLS: the queue slows down until somebody mends them.
            if let Err(fault) = answer
                && fault.verdict == Verdict::Hold
            {
                held.push((change.item.claim.id, fault));
            }
            changes.push(change);
        }
        let mut go_on = Vec::new();
        for item in self.change_at_last("mail.answered", changes, left).await {
            if item.entry.finished_at.is_some() {
                events::finished(&item.entry, now);
            }
            match held.iter().position(|(job, _)| *job == item.claim.id) {
                Some(at) => left.end(&item.claim, Err(held.swap_remove(at).1)),
                None => go_on.push(item),
            }
        }
        go_on
    }

    fn answer(&self, item: Item, answer: &Result<Handed, Fault>, now: Timestamp) -> Change {
        let entry = &item.entry;
        let begun = Attempt::begun(entry, self.sender.host());
        let (after, attempt) = match answer {
            Ok(handed) => {
                let told = taken(entry.clone(), handed, now);
                let attempt = begun.answered(&entry.recipients, &told.recipients, now);
                (self.settled(told, now, None), attempt)
            }
            Err(fault) => {
                let ending = if fault.verdict == Verdict::Unknown { Ending::Unknown } else { Ending::Failed };
                (self.failed(entry.clone(), fault, now), begun.ended(ending, now, &fault.message))
            }
        };
        let then = if after.state == MailState::Held { Then::Finish } else { Then::Stay };
        // An answer that comes after somebody took this process for dead is still the answer.
        let from = vec![MailState::Sending, MailState::Unknown];
        Change { from, then, attempt: Some(attempt), ..Change::new(item, after) }
    }

    /// What stands after an attempt in which nobody got the mail, or nobody knows.
    fn failed(&self, mut entry: Entry, fault: &Fault, now: Timestamp) -> Entry {
        let said: String = fault.message.chars().take(TEXT).collect();
        match fault.verdict {
            Verdict::Unknown => self.doubtful(entry, now, &said),
            Verdict::Retry { after } => {
                entry.code = Some(fault.code.0);
                for recipient in entry.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
                    (recipient.state, recipient.text, recipient.at) = (Standing::Later, said.clone(), now);
                    (recipient.code, recipient.status) = (None, None);
                }
                self.settled(entry, now, after)
            }
            Verdict::Reject => {
                for recipient in entry.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
                    (recipient.state, recipient.text, recipient.at) = (Standing::Refused, said.clone(), now);
                }
                self.settled(entry, now, None)
            }
            Verdict::Hold => {
                entry.code = Some(fault.code.0);
                entry.to(MailState::Queued, format!("Waits for the mail server to let us in: {said}"))
            }
            Verdict::Bug => {
                entry.held(Hold::Rule, Some(fault.code), format!("It could not be handed over: {said}"))
            }
        }
    }

    /// Counts the try, and says when the next one is or that there is none.
    fn settled(&self, mut entry: Entry, now: Timestamp, asked: Option<SignedDuration>) -> Entry {
        entry.tries += 1;
        if !entry.is_open() {
            return entry.concluded(now);
        }
        let options = &self.options;
        match schedule::next_try(entry.tries, entry.first_at, now, asked, options.give_up) {
            Some(due) => {
                let said = entry.recipients.iter().find(|recipient| recipient.state.is_open());
                let said = said.map(|recipient| recipient.text.clone()).unwrap_or_default();
                entry.next_try = Some(due);
                let reason = format!("Tried {} times; the mail server said: {said}", entry.tries);
                entry.to(MailState::Queued, reason)
            }
            None => {
                for recipient in entry.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
                    recipient.state = Standing::Expired;
                    let hours = options.give_up.as_hours();
                    recipient.text = format!("given up after {hours} hours; last said: {}", recipient.text);
                }
                entry.concluded(now)
            }
        }
    }
}

/// The mail with the intent to hand it over.
pub(super) fn begun(entry: Entry, now: Timestamp) -> Entry {
    let mut after = entry.to(MailState::Sending, "Handed to the mail server; no answer yet.");
    after.attempts += 1;
    (after.sending_at, after.next_try) = (Some(now), None);
    after
}

/// Writes the answers to the recipients they are for. One without an answer stays open.
fn taken(mut entry: Entry, handed: &Handed, now: Timestamp) -> Entry {
    for recipient in entry.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
        let answer =
            handed.iter().find(|(address, _)| *address == recipient.address).map(|(_, answer)| answer);
        let Some(answer) = answer else { continue };
        recipient.state = match answer.fate() {
            Fate::Accepted => Standing::Accepted,
            Fate::Later => Standing::Later,
            Fate::Refused => Standing::Refused,
        };
        (recipient.code, recipient.status) = (Some(answer.code), answer.status.clone());
        (recipient.text, recipient.at) = (said(answer), now);
    }
    entry.code = None;
    entry
}

/// `550 5.1.1 user unknown`.
fn said(answer: &Answer) -> String {
    let status = answer.status.as_deref().map(|status| format!("{status} ")).unwrap_or_default();
    format!("{} {status}{}", answer.code, answer.text)
        .chars()
        .filter(|c| !c.is_control())
        .take(TEXT)
        .collect()
}

/// A task that panicked panics here: the runner gives the mails of its lot again, one by one.
fn joined(back: Result<Back, JoinError>) -> Back {
    match back {
        Ok(back) => back,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => panic!("nobody stops the task of a mail on the wire: {error}"),
        },
    }
}
