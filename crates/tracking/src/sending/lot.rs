//! The mails of one lot on their way through the steps, what each step leaves of them, and the one guarded way to change
//! their rows.
//!
//! A step writes the whole lot in one unit. When that fails for a reason that may lie with one of the mails, each is written
//! by itself, so that one that is refused leaves its neighbours alone. A full disk or a database that is away ends a step, and
//! its mails are tried again; only the answers of the mail server are held until they are written.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Fault, JobId, MailState};
use postroom_jobs::{self as jobs, Claim, Done};
use postroom_store::{Error, Tx, body};
use tokio::time::sleep;

use super::entry::Entry;
use super::freeze::{self, Frozen};
use super::history::{self, Attempt};
use super::ledger::{self, Put};
use super::{Sending, events};

/// Between two tries to write what cannot wait for another attempt.
const WAIT: Range<Duration> = Duration::from_millis(100)..Duration::from_secs(5);

/// One mail with its job.
pub(super) struct Item {
    pub claim: Claim,
    /// As its rows are.
    pub entry: Entry,
    /// The frozen bytes, where they are at hand.
    pub raw: Option<Bytes>,
    /// How often somebody else changed its e-mail under our feet.
    pub overtaken: u32,
}

/// What a step leaves: mails to go on with, and jobs that have ended.
#[derive(Default)]
pub(super) struct Left {
    pub items: Vec<Item>,
    pub ended: Vec<(JobId, Result<Done, Fault>)>,
}

impl Left {
    pub fn end(&mut self, claim: &Claim, answer: Result<Done, Fault>) {
        self.ended.push((claim.id, answer));
    }

    /// Ends every one of them with the same fault.
    pub fn fail(&mut self, items: &[Item], fault: &Fault) {
        self.ended.extend(items.iter().map(|item| (item.claim.id, Err(copy(fault)))));
    }
}

/// The same fault for another mail.
pub(super) fn copy(fault: &Fault) -> Fault {
    Fault::new(fault.verdict, fault.code, fault.message.clone())
}

/// What becomes of the job with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    /// The job is done.
    Finish,
    /// The job is done, and another is due at that time.
    Again(Timestamp),
}

/// One mail that is to be written.
pub(super) struct Change {
    pub item: Item,
    pub after: Entry,
    /// The states in which it may be found.
    pub from: Vec<MailState>,
    pub then: Then,
    /// The message that it becomes.
    pub frozen: Option<Frozen>,
    pub attempt: Option<Attempt>,
}

impl Change {
    /// From the state in which it was read, and its job goes on.
    pub fn new(item: Item, after: Entry) -> Change {
        let from = vec![item.entry.state];
        Change { item, after, from, then: Then::Stay, frozen: None, attempt: None }
    }

    pub fn then(self, then: Then) -> Change {
        Change { then, ..self }
    }
}

/// What is done about a unit that cannot be written now: the disk is full, the database away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Its mails are tried again later.
    Later,
    /// It is written as soon as that can be done.
    Until,
}

/// What the unit needs of a change.
struct Work {
    claim: Claim,
    before: Entry,
    after: Entry,
    from: Vec<MailState>,
    then: Then,
    frozen: Option<Frozen>,
    attempt: Option<Attempt>,
}

impl Sending {
    /// Writes changes in one unit, each if its row is still as it was read; answers the mails that go on. Those whose job is
    /// over, and those that could not be written, are noted in `left`.
    pub(super) async fn change(
        &self,
        step: &'static str,
        changes: Vec<Change>,
        left: &mut Left,
    ) -> Vec<Item> {
        self.written(step, changes, Patience::Later, left).await
    }

    /// The same, however long the store is away: what a mail server answered is known to nobody else, and our lease stands as
    /// long as we beat.
    pub(super) async fn change_at_last(
        &self,
        step: &'static str,
        changes: Vec<Change>,
        left: &mut Left,
    ) -> Vec<Item> {
        self.written(step, changes, Patience::Until, left).await
    }

    async fn written(
        &self,
        step: &'static str,
        changes: Vec<Change>,
        patience: Patience,
        left: &mut Left,
    ) -> Vec<Item> {
        let (mut items, mut works) = (Vec::new(), Vec::new());
        for change in changes {
            let Change { item, after, from, then, frozen, attempt } = change;
            let (claim, before) = (item.claim.clone(), item.entry.clone());
            works.push(Arc::new(Work { claim, before, after, from, then, frozen, attempt }));
            items.push(item);
        }
        let mut written = Vec::new();
        for (item, (work, done)) in items.into_iter().zip(self.put_down(step, works, patience).await) {
            match done {
                Ok(()) => written.extend(self.noted(item, &work, left)),
                Err(fault) => left.end(&work.claim, Err(fault)),
            }
        }
        written
    }

    fn noted(&self, mut item: Item, work: &Work, left: &mut Left) -> Option<Item> {
        let after = &work.after;
        if work.before.state != after.state {
            events::stands(after);
        }
        if work.then != Then::Stay {
            left.end(&work.claim, Ok(Done::Finished));
            return None;
        }
        item.entry = after.clone();
        Some(item)
    }

    /// All in one unit, or each by itself when that fails.
    async fn put_down(
        &self,
        step: &'static str,
        works: Vec<Arc<Work>>,
        patience: Patience,
    ) -> Vec<(Arc<Work>, Result<(), Fault>)> {
        if works.is_empty() {
            return Vec::new();
        }
        match self.unit(step, works.clone(), patience).await {
            Ok(()) => works.into_iter().map(|work| (work, Ok(()))).collect(),
            Err(error) if works.len() == 1 || is_everybodys(&error) => {
                let fault = Fault::from(error);
                works.into_iter().map(|work| (work, Err(copy(&fault)))).collect()
            }
            Err(_) => {
                let mut answers = Vec::with_capacity(works.len());
                for work in works {
                    let done = self.unit(step, vec![work.clone()], patience).await.map_err(Fault::from);
                    answers.push((work, done));
                }
                answers
            }
        }
    }

    async fn unit(&self, step: &'static str, works: Vec<Arc<Work>>, patience: Patience) -> Result<(), Error> {
        let mut wait = WAIT.start;
        loop {
            let (ids, now, some) = (self.ids.clone(), self.clock.now(), works.clone());
            let unit =
                self.store.write(step, move |tx| async move { write(tx, &ids, now, &some).await }.boxed());
            match unit.await {
                Err(error @ (Error::Away(_) | Error::Full)) if patience == Patience::Until => {
                    events::unwritten(step, works.len(), &error);
                }
                done => return done,
            }
            sleep(wait).await;
            wait = (wait * 2).min(WAIT.end);
        }
    }
}

/// Whether every unit would fail now.
fn is_everybodys(error: &Error) -> bool {
    matches!(error, Error::Away(_) | Error::Full | Error::Stopped)
}

async fn write(
    tx: &mut Tx,
    ids: &postroom_core::Ids,
    now: Timestamp,
    works: &[Arc<Work>],
) -> Result<(), Error> {
    let frozen: Vec<&Frozen> = works.iter().filter_map(|work| work.frozen.as_ref()).collect();
    if !frozen.is_empty() {
        for insert in freeze::inserts(&frozen) {
            tx.insert(&insert).await?;
        }
        body::put(tx, frozen.iter().map(|frozen| frozen.body.clone()).collect()).await?;
    }
    let puts = works.iter().map(|work| Put { before: &work.before, after: &work.after, from: &work.from });
    ledger::put_all(tx, &puts.collect::<Vec<_>>()).await?;
    history::put(tx, works.iter().filter_map(|work| work.attempt.as_ref())).await?;
    let over: Vec<&Claim> =
        works.iter().filter(|work| work.then != Then::Stay).map(|work| &work.claim).collect();
    jobs::finish(tx, &over).await?;
    let again = works.iter().filter_map(|work| match work.then {
        Then::Again(due) => Some(work.after.job().due(due)),
        Then::Stay | Then::Finish => None,
    });
    jobs::enqueue(tx, ids, now, again.collect()).await.map(drop)
}
