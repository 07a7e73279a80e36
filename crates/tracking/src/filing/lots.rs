//! The job's lots: loaded, parted into batches, and taken apart when one bad mail would stop its neighbours.

use std::collections::HashMap;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::{Code, Fault, JobId, MailId, Verdict};
use postroom_jobs::{Claim, Done, Worker};
use postroom_store::{Error, Tx};

use super::reading::Stored;
use super::{Filing, KIND, load, shelved};

/// Mails in one lot: enough that a commit is shared, few enough that a lot ends soon.
const LOT: usize = 128;
/// Raw bytes read at once. A lot with larger mails is worked in several batches.
const BATCH_BYTES: u64 = 12 * 1024 * 1024;

type Answers = Vec<(JobId, Result<Done, Fault>)>;

#[async_trait]
impl Worker for Filing {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn lot(&self) -> usize {
        LOT
    }

    async fn run(&self, lot: Vec<Claim>) -> Answers {
        let (claims, unreadable): (Vec<Claim>, Vec<Claim>) =
            lot.into_iter().partition(|claim| mail_of(claim).is_some());
        let mut answers: Answers =
            unreadable.iter().map(|claim| (claim.id, Err(Fault::bug("the job names no mail")))).collect();
        answers.extend(self.file_all(claims).await);
        answers
    }

    fn is_away(&self, fault: &Fault) -> bool {
        matches!(fault.code, Code::CRM_AWAY | Code::DIRECTORY_AWAY | Code::STORE_AWAY | Code::STORE_FULL)
    }

    async fn shelved(&self, tx: &mut Tx, job: &Claim, why: &str) -> Result<(), Error> {
        match mail_of(job) {
            Some(mail) => shelved::shelved(tx, &self.ids, self.clock.now(), mail, why).await,
            None => Ok(()),
        }
    }
}

/// Mails that are read, decided and written together.
pub(super) struct Batch {
    pub claims: Vec<Claim>,
    pub stored: Vec<Stored>,
}

pub(super) fn mail_of(claim: &Claim) -> Option<MailId> {
    shelved::mail_of(&claim.payload)
}

/// A fault for each job of a batch that failed as one.
pub(super) fn copy(fault: &Fault) -> Fault {
    Fault::new(fault.verdict, fault.code, fault.message.clone())
}

impl Filing {
    async fn file_all(&self, claims: Vec<Claim>) -> Answers {
        let batches = match self.batches(claims).await {
            Ok(batches) => batches,
            Err((claims, fault)) => return self.apart(claims, fault).await,
        };
        let mut answers = Vec::new();
        for batch in batches {
            let claims = batch.claims.clone();
            match self.file(batch).await {
                Ok(told) => answers.extend(told),
                Err(fault) => answers.extend(self.apart(claims, fault).await),
            }
        }
        answers
    }

    /// What becomes of mails that failed together. A fault that is not everybody's may be one mail's own, and nobody knows
    /// whose: so each is filed by itself, in order of arrival. What was written already is written again, which changes nothing.
    fn apart(&self, claims: Vec<Claim>, fault: Fault) -> BoxFuture<'_, Answers> {
        async move {
            let everybodys = matches!(fault.verdict, Verdict::Retry { .. } | Verdict::Hold);
            if everybodys || claims.len() < 2 {
                return claims.iter().map(|claim| (claim.id, Err(copy(&fault)))).collect();
            }
            tracing::warn!(event = "mail.lot_parted", code = %fault.code, jobs = claims.len(), "Files the mails of a lot one by one: {fault}");
            let mut answers = Vec::with_capacity(claims.len());
            for claim in claims {
                answers.extend(self.file_all(vec![claim]).await);
            }
            answers
        }
        .boxed()
    }

    /// Loads the lot's mails and parts them into batches. A job whose mail is gone finishes with the first batch.
    async fn batches(&self, claims: Vec<Claim>) -> Result<Vec<Batch>, (Vec<Claim>, Fault)> {
        let ids: Vec<MailId> = claims.iter().filter_map(mail_of).collect();
        let loaded = match load::load(&self.store, ids).await {
            Ok(loaded) => loaded,
            Err(error) => return Err((claims, error.into())),
        };
        let mut by_id: HashMap<MailId, Stored> =
            loaded.into_iter().map(|stored| (stored.id, stored)).collect();
        let mut batches = vec![Batch { claims: Vec::new(), stored: Vec::new() }];
        let mut bytes = 0;
        for claim in claims {
            let stored = mail_of(&claim).and_then(|id| by_id.remove(&id));
            let size = stored.as_ref().map_or(0, |stored| stored.size);
            let last = batches.last().expect("begins with one");
            if bytes + size > BATCH_BYTES && !last.claims.is_empty() {
                batches.push(Batch { claims: Vec::new(), stored: Vec::new() });
                bytes = 0;
            }
            bytes += size;
            let last = batches.last_mut().expect("begins with one");
            last.claims.push(claim);
            last.stored.extend(stored);
        }
        Ok(batches)
    }
}
