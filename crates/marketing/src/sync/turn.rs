//! One run in progress, as a flow sees it.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use postroom_core::{Fault, Record, RunId};
use postroom_store::{Error, Tx};

use super::forecast::Forecast;
use super::run::{self, Counts, Reject};
use super::{Halt, SyncType};
use crate::accounts::Connected;
use crate::engine::{Account, Engine};

/// A run in progress: what it works with, and what it has counted.
pub struct Turn {
    pub engine: Engine,
    pub account: Account,
    /// Who the account is, for keys and rows.
    pub connected: Connected,
    pub run: RunId,
    pub sync_type: SyncType,
    /// Nothing is written, here or elsewhere.
    pub dry: bool,
    /// A person said yes to what the run before asked.
    pub confirmed: bool,
    pub counts: Counts,
    /// What a dry run shows besides.
    pub forecast: Forecast,
}

impl Turn {
    pub fn now(&self) -> Timestamp {
        self.engine.clock.now()
    }

    /// One page: what `work` writes and the counts are one unit. In a dry run all of it is taken back, and only the counts
    /// stay.
    pub async fn page<T, F>(&mut self, step: &'static str, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx, &'t mut Counts) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        let (counts, run) = (self.counts.clone(), self.run);
        let (answer, counts) = match self.dry {
            true => {
                let unit = self.engine.store.rehearse(move |tx| counted(tx, run, work, counts).boxed());
                unit.await?
            }
            false => {
                let unit = self.engine.store.write(step, move |tx| counted(tx, run, work, counts).boxed());
                unit.await?
            }
        };
        self.counts = counts;
        Ok(answer)
    }

    /// Reads in a snapshot.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        self.engine.store.read(work).await
    }

    /// Notes rows that could not be taken over; the counts are the flow's business.
    pub async fn reject(&mut self, rejects: Vec<Reject>) -> Result<(), Error> {
        if rejects.is_empty() {
            return Ok(());
        }
        let (ids, now) = (self.engine.ids.clone(), self.now());
        let (run, account, sync_type) = (self.run, self.account.name.clone(), self.sync_type);
        let noted = self.page("marketing.rejected", move |tx, _| {
            async move { run::reject(tx, &ids, now, (run, &account, sync_type), &rejects).await }.boxed()
        });
        noted.await
    }

    /// Stops unless so much may change without a person's word. `what` ends the sentence "… of … would be".
    ///
    /// # Errors
    /// [`Halt::Asks`]; a dry run notes the question and goes on.
    pub fn admit(&mut self, going: u64, of: u64, what: &str) -> Result<(), Halt> {
        if self.confirmed {
            return Ok(());
        }
        match self.engine.rules.guard.admit(going, of) {
            Ok(()) => Ok(()),
            Err(many) => {
                let question = format!(
                    "{} of {} would be {what}, which is more than is done without asking; look at the dry run, then confirm this run or correct the cause",
                    many.going, many.members
                );
                self.asks(question)
            }
        }
    }

    /// What a real run stops with, a dry one only notes.
    pub fn asks(&mut self, question: String) -> Result<(), Halt> {
        match self.dry {
            true => {
                self.forecast.questions.push(question);
                Ok(())
            }
            false => Err(Halt::Asks(question)),
        }
    }
}

async fn counted<T, F>(tx: &mut Tx, run: RunId, work: F, mut counts: Counts) -> Result<(T, Counts), Error>
where
    F: for<'t> FnOnce(&'t mut Tx, &'t mut Counts) -> BoxFuture<'t, Result<T, Error>> + Send,
{
    let answer = work(tx, &mut counts).await?;
    run::progress(tx, run, &counts).await?;
    Ok((answer, counts))
}

/// A record as it was to be written.
pub fn written(record: &Record) -> String {
    serde_json::to_string(record).unwrap_or_default()
}

/// A fault of one row that the others do not share.
pub fn rejected(subject: impl Into<String>, fault: &Fault, sent: impl Into<String>) -> Reject {
    let received = match &fault.answer {
        Some(answer) => answer.as_str().to_owned(),
        // Not over a wire: the fault is the answer.
        None => serde_json::json!({ "code": fault.code.to_string(), "message": fault.message }).to_string(),
    };
    Reject {
        subject: subject.into(),
        code: Some(fault.code),
        reason: fault.message.clone(),
        sent: sent.into(),
        received,
    }
}
