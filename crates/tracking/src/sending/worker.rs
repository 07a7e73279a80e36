//! The job: looks where the mail stands and does the next thing, until there is nothing to do now.

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::join_all;
use postroom_core::{Fault, JobId, MailId, MailState};
use postroom_jobs::{Claim, Done, Worker};
use postroom_store::Error;

use super::ledger::{self, Entry, Then};
use super::{KIND, Sending};

/// Mails that one lot works on at the same time.
const LOT: usize = 16;

/// What a step left to do.
pub(super) enum Next {
    /// The mail stands elsewhere now: look again.
    Look,
    Done(Done),
}

#[async_trait]
impl Worker for Sending {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn lot(&self) -> usize {
        LOT
    }

    async fn run(&self, lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)> {
        join_all(lot.into_iter().map(|claim| async move { (claim.id, self.work(&claim).boxed().await) }))
            .await
    }
}

impl Sending {
    async fn work(&self, claim: &Claim) -> Result<Done, Fault> {
        let id: Option<MailId> = claim.payload.get("outgoing").and_then(|id| id.as_str()?.parse().ok());
        let id = id.ok_or_else(|| Fault::bug("the job names no outgoing mail"))?;
        loop {
            if let Next::Done(done) = self.step(claim, self.entry(id).await?).await? {
                return Ok(done);
            }
        }
    }

    async fn entry(&self, id: MailId) -> Result<Entry, Fault> {
        let found: Result<Option<Entry>, Error> =
            self.store.read(move |tx| async move { ledger::one(tx, id).await }.boxed()).await;
        found?.ok_or_else(|| Fault::bug(format!("{id} has a job to be sent and no row")))
    }

    async fn step(&self, claim: &Claim, entry: Entry) -> Result<Next, Fault> {
        let waits = entry.next_try.is_some_and(|due| due > self.clock.now());
        match entry.state {
            MailState::Queued | MailState::Unknown if waits => self.again(claim, entry).await,
            MailState::Queued if entry.body.is_none() => self.prepare(claim, entry).await,
            MailState::Queued => self.attempt(claim, entry).await,
            // Nothing that ran in this process leaves this state behind: the one that did is gone, and so is the answer.
            MailState::Sending => self.lost(entry).await,
            MailState::Unknown => self.look(claim, entry).await,
            MailState::Sent | MailState::Failed | MailState::Bounced => self.conclude(claim, entry).await,
            _ => Ok(Next::Done(Done::Completed)),
        }
    }

    /// Tells the CRM how it stands, and hands over to a job that is due when there is something to do.
    async fn again(&self, claim: &Claim, entry: Entry) -> Result<Next, Fault> {
        let entry = self.tell(entry).await?;
        let due = entry.next_try.unwrap_or_else(|| self.clock.now());
        self.end(&entry, entry.clone(), Then::Again(claim.clone(), due)).await
    }

    /// Ends this job in the unit that writes `after`; what is left to do is another job's, or a person's.
    pub(super) async fn end(&self, before: &Entry, after: Entry, then: Then) -> Result<Next, Fault> {
        self.change("mail.again", before, after, then).await?;
        Ok(Next::Done(Done::Finished))
    }

    async fn conclude(&self, claim: &Claim, entry: Entry) -> Result<Next, Fault> {
        let entry = self.tell(entry).await?;
        self.copy_once(claim, entry).await?;
        Ok(Next::Done(Done::Completed))
    }
}
