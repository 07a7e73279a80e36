//! The job: one run of one sync type of one account.

use async_trait::async_trait;
use futures_util::FutureExt;
use postroom_core::{Fault, JobId, RunId, Verdict};
use postroom_jobs::{Claim, Done, Worker, finish};
use postroom_store::Error;
use serde::Deserialize;

use super::forecast::{Forecast, Trial};
use super::run::{self, Counts, Ending, Run, RunState};
use super::{Halt, SyncType, Turn};
use crate::accounts::Connected;
use crate::engine::{Account, Engine};

/// The kind of job.
pub const KIND: &str = "marketing.sync";
/// Tries of one run while the other side is away; the next run by the plan tries again.
const TRIES: u32 = 3;

#[derive(Deserialize)]
struct Payload {
    run: RunId,
}

#[async_trait]
impl Worker for Engine {
    fn kind(&self) -> &'static str {
        KIND
    }

    /// A run is long: each is a lot of its own.
    fn lot(&self) -> usize {
        1
    }

    async fn run(&self, lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)> {
        let mut ended = Vec::with_capacity(lot.len());
        for claim in lot {
            ended.push((claim.id, self.work(&claim).await));
        }
        ended
    }
}

impl Engine {
    async fn work(&self, claim: &Claim) -> Result<Done, Fault> {
        let id = claim.read::<Payload>()?.run;
        let read: Result<Option<Run>, Error> =
            self.store.read(move |tx| async move { run::one(tx, id).await }.boxed()).await;
        let run = read?.ok_or_else(|| Fault::bug(format!("{id} has a job and no row")))?;
        let Some(account) = self.account(&run.account).cloned() else {
            let ending = failed(None, "the account is no longer in the configuration".to_owned());
            return self.close(claim, &run, Counts::default(), ending).await;
        };
        let (counts, ended) = self.carry_out(&account, &run).await;
        match ended {
            Ok(()) => self.close(claim, &run, counts.clone(), done(&counts)).await,
            Err(Halt::Asks(question)) => {
                let ending = Ending { state: RunState::Held, code: None, reason: Some(question) };
                self.close(claim, &run, counts, ending).await
            }
            Err(Halt::Fault(fault)) => self.failed(claim, &run, counts, fault).await,
        }
    }

    /// Tries again later when that helps; a run that has failed leaves the job's key free for the next one.
    async fn failed(&self, claim: &Claim, run: &Run, counts: Counts, fault: Fault) -> Result<Done, Fault> {
        if matches!(fault.verdict, Verdict::Retry { .. }) && claim.attempt < TRIES {
            return Err(fault);
        }
        tracing::warn!(event = "marketing.run_failed", run = %run.id, code = %fault.code, "A run failed: {fault}");
        self.close(claim, run, counts, failed(Some(fault.code), fault.message)).await
    }

    async fn close(&self, claim: &Claim, run: &Run, counts: Counts, ending: Ending) -> Result<Done, Fault> {
        let (id, now, claim) = (run.id, self.clock.now(), claim.clone());
        let (state, counted) = (ending.state, counts.clone());
        let unit = self.store.write("marketing.run_ended", move |tx| {
            async move {
                run::end(tx, id, now, &counts, &ending).await?;
                finish(tx, &[&claim]).await
            }
            .boxed()
        });
        let closed: Result<(), Error> = unit.await;
        closed?;
        crate::measures::run_ended(run.sync_type, state, &counted, now);
        Ok(Done::Finished)
    }

    /// Runs the flow; answers what was counted, also when it did not end well.
    async fn carry_out(&self, account: &Account, run: &Run) -> (Counts, Result<(), Halt>) {
        let connected = match self.permitted(account).await {
            Ok(connected) => connected,
            Err(fault) => return (run.counts.clone(), Err(fault.into())),
        };
        let mut turn = self.turn(account, run, connected);
        let ended = match run.undoes {
            Some(undone) => crate::undo::run(&mut turn, undone).await,
            None => flow(&mut turn).await,
        };
        if let Err(Halt::Fault(fault)) = &ended
            && matches!(fault.verdict, Verdict::Hold)
            && let Err(fault) = self.note_trouble(account, fault).await
        {
            return (turn.counts, Err(fault.into()));
        }
        if ended.is_ok() && !run.dry && run.sync_type == SyncType::Contacts {
            self.note_synchronised(&turn.connected).await;
        }
        (turn.counts, ended)
    }

    /// The account, when this connector may work.
    pub(crate) async fn permitted(&self, account: &Account) -> Result<Connected, Fault> {
        self.may_work().await?;
        self.connect(account).await
    }

    fn turn(&self, account: &Account, run: &Run, connected: Connected) -> Turn {
        Turn {
            engine: self.clone(),
            account: account.clone(),
            connected,
            run: run.id,
            sync_type: run.sync_type,
            dry: run.dry,
            confirmed: run.confirmed,
            counts: run.counts.clone(),
            forecast: Forecast::default(),
        }
    }

    /// A run for looking: it writes nothing on either side, and nothing here that decides.
    ///
    /// # Errors
    /// The service's; and a refusal when no account has this name.
    pub(crate) async fn trial(&self, account: &str, sync_type: SyncType) -> Result<Turn, Fault> {
        let account = self.named(account)?;
        let connected = self.connect(account).await?;
        let run = Run {
            id: RunId(self.ids.next()),
            account: account.name.clone(),
            sync_type,
            asked: String::new(),
            dry: true,
            confirmed: false,
            state: RunState::Running,
            started: self.clock.now(),
            ended: None,
            counts: Counts::default(),
            code: None,
            reason: None,
            undoes: None,
        };
        Ok(self.turn(account, &run, connected))
    }

    /// Computes what a run would do, and writes nothing.
    ///
    /// # Errors
    /// What keeps the flow from looking.
    pub async fn dry_run(&self, account: &str, sync_type: SyncType) -> Result<Trial, Fault> {
        let before = self.named(account)?.service.calls();
        let mut turn = self.trial(account, sync_type).await?;
        let question = match flow(&mut turn).await {
            Ok(()) => None,
            Err(Halt::Asks(question)) => Some(question),
            Err(Halt::Fault(fault)) => return Err(fault),
        };
        let read = turn.account.service.calls().saturating_sub(before);
        Ok(turn.told(read, question))
    }
}

fn done(counts: &Counts) -> Ending {
    let rejected = counts.to_crm.rejected + counts.to_service.rejected;
    let state = if rejected > 0 { RunState::Partly } else { RunState::Done };
    Ending { state, code: None, reason: None }
}

fn failed(code: Option<postroom_core::Code>, reason: String) -> Ending {
    Ending { state: RunState::Failed, code, reason: Some(reason) }
}

/// The flow of each sync type.
async fn flow(turn: &mut Turn) -> Result<(), Halt> {
    match turn.sync_type {
        SyncType::Suppressions => crate::suppressions::run(turn).await,
        SyncType::Events => crate::events::run(turn).await,
        SyncType::Roi => crate::events::run_roi(turn).await,
        SyncType::Forms => crate::forms::run(turn).await,
        SyncType::Labels => crate::mapping::labels::run(turn).await,
        SyncType::Contacts => crate::contacts::run(turn).await,
        SyncType::Scores => crate::contacts::scores::run(turn).await,
        SyncType::Deletions => crate::contacts::deletions::run(turn).await,
        SyncType::Unsubscribes => crate::unsubscribes::run(turn).await,
        SyncType::Preferences => crate::preferences::run(turn).await,
        SyncType::Lists => crate::lists::run(turn).await,
        SyncType::Campaigns => crate::campaigns::run(turn).await,
        SyncType::Programs => crate::programs::run(turn).await,
        SyncType::Sends => crate::sends::run(turn).await,
    }
}
