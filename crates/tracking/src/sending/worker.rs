//! The job: looks where each mail of a lot stands and does the next thing with all that stand alike, until there is nothing to
//! do now.
//!
//! The runner works several lots at once: while one is at the mail server the next is prepared.

use std::collections::HashMap;

use async_trait::async_trait;
use futures_util::FutureExt;
use postroom_core::{Fault, JobId, MailId, MailState};
use postroom_jobs::{Claim, Done, Worker};
use postroom_store::Error;

use super::entry::Entry;
use super::lot::{Change, Item, Left, Then};
use super::{KIND, Sending, ledger};

/// Mails of one lot. More share their commits; fewer are left in doubt when the process dies with them on the wire.
const LOT: usize = 64;

#[async_trait]
impl Worker for Sending {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn lot(&self) -> usize {
        LOT
    }

    async fn run(&self, lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)> {
        let mut left = Left::default();
        self.open(lot, &mut left).await;
        while !left.items.is_empty() {
            let items = std::mem::take(&mut left.items);
            self.round(items, &mut left).await;
        }
        left.ended
    }
}

/// The mails of a round, by what is to be done with them.
#[derive(Default)]
struct Sorted {
    again: Vec<Item>,
    prepare: Vec<Item>,
    attempt: Vec<Item>,
    lost: Vec<Item>,
    look: Vec<Item>,
    conclude: Vec<Item>,
}

impl Sending {
    /// Reads the mails that the jobs name.
    async fn open(&self, lot: Vec<Claim>, left: &mut Left) {
        let ids: Vec<MailId> = lot.iter().filter_map(named).collect();
        let read: Result<Vec<Entry>, Error> =
            self.store.read(move |tx| async move { ledger::many(tx, ids).await }.boxed()).await;
        let mut known: HashMap<MailId, Entry> = match read.map_err(Fault::from) {
            Ok(entries) => entries.into_iter().map(|entry| (entry.id, entry)).collect(),
            Err(fault) => {
                return left.ended.extend(lot.iter().map(|claim| (claim.id, Err(super::lot::copy(&fault)))));
            }
        };
        for claim in lot {
            match named(&claim).map(|id| (id, known.remove(&id))) {
                Some((_, Some(entry))) => {
                    left.items.push(Item { claim, entry, raw: None, overtaken: 0 });
                }
                Some((id, None)) => {
                    left.end(&claim, Err(Fault::bug(format!("{id} has a job to be sent and no row"))))
                }
                None => left.end(&claim, Err(Fault::bug("the job names no outgoing mail"))),
            }
        }
    }

    /// Does the next thing with each. What is rendered leaves before more is rendered: its bytes are in memory.
    async fn round(&self, items: Vec<Item>, left: &mut Left) {
        let sorted = self.sort(items, left);
        self.lost(sorted.lost, left).await;
        self.look(sorted.look, left).await;
        self.conclude(sorted.conclude, left).await;
        self.again(sorted.again, left).await;
        self.attempt(sorted.attempt, left).await;
        self.prepare(sorted.prepare, left).await;
    }

    fn sort(&self, items: Vec<Item>, left: &mut Left) -> Sorted {
        let (now, mut sorted) = (self.clock.now(), Sorted::default());
        for item in items {
            let entry = &item.entry;
            let waits = entry.waits(now);
            let place = match entry.state {
                MailState::Queued | MailState::Unknown if waits => &mut sorted.again,
                MailState::Queued if entry.body.is_none() => &mut sorted.prepare,
                MailState::Queued => &mut sorted.attempt,
                // Nothing that ran in this process leaves this state behind: the one that did is gone, and so is the answer.
                MailState::Sending => &mut sorted.lost,
                MailState::Unknown => &mut sorted.look,
                MailState::Sent | MailState::Failed | MailState::Bounced => &mut sorted.conclude,
                _ => {
                    left.end(&item.claim, Ok(Done::Completed));
                    continue;
                }
            };
            place.push(item);
        }
        sorted
    }

    /// Tells the CRM how they stand, and hands over to jobs that are due when there is something to do.
    async fn again(&self, items: Vec<Item>, left: &mut Left) {
        let told = self.tell(items, left).await;
        let later = |item: Item| {
            let (after, due) = (item.entry.clone(), item.entry.due(self.clock.now()));
            Change::new(item, after).then(Then::Again(due))
        };
        self.put_off(told.into_iter().map(later).collect(), left).await;
    }

    /// Leaves mails to jobs that are due later.
    pub(super) async fn put_off(&self, changes: Vec<Change>, left: &mut Left) {
        self.change("mail.again", changes, left).await;
    }
}

fn named(claim: &Claim) -> Option<MailId> {
    claim.payload.get("outgoing")?.as_str()?.parse().ok()
}
