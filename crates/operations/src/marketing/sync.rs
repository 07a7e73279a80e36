//! Runs: what each sync type of each account does, ordering one, and what it could not take over.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Code, Fault, RunId};
use postroom_marketing::accounts;
use postroom_marketing::engine::Settings;
use postroom_marketing::sync::look::{self, Refusals};
use postroom_marketing::sync::plan::{self, Planned};
use postroom_marketing::sync::{RunState, SyncType, run};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::Duty;
use super::views::{CountsView, DryRun, ForeseenView, RejectedView, Replayed, RunView, SyncOrder, SyncView};
use crate::{Actor, Operations, audit};

pub use look::{Refusals as RejectedWanted, Runs as RunsWanted};

/// Rejected rows that are put back at once.
const REPLAYED: u64 = 10_000;

impl Operations {
    /// Each sync type of each account, or of one.
    pub async fn sync(&self, actor: &Actor, account: Option<&str>) -> Result<Vec<SyncView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        if let Some(account) = account {
            self.of_account(account)?;
        }
        let engine = self.marketing()?;
        let now = engine.clock.now();
        let wanted: Vec<(String, Settings)> = engine
            .accounts
            .values()
            .filter(|one| account.is_none_or(|name| name == one.name))
            .map(|one| (one.name.clone(), Settings::clone(&one.settings)))
            .collect();
        let read = engine.store.read(move |tx| {
            async move {
                let mut all = Vec::new();
                for (name, settings) in wanted {
                    all.extend(of_account(tx, &name, &settings, now).await?);
                }
                Ok(all)
            }
            .boxed()
        });
        let all: Result<Vec<SyncView>, Error> = read.await;
        Ok(all?)
    }

    /// Makes a sync type due now.
    pub async fn sync_now(
        &self,
        actor: &Actor,
        account: &str,
        sync_type: SyncType,
        dry_run: bool,
    ) -> Result<SyncOrder, Fault> {
        self.needs_duty(actor, Duty::Sync).await?;
        let engine = self.of_account(account)?;
        if !dry_run {
            let object = format!("{account}/{sync_type}");
            self.record_audit(audit::Entry::new(actor, engine.clock.now(), "marketing.sync", object, ""))
                .await?;
            engine.ask(account, sync_type, &actor.name).await?;
        }
        Ok(SyncOrder { account: account.to_owned(), sync_type: sync_type.as_str(), run: None, dry_run })
    }

    /// What a run would do, and the question that it would ask. Nothing is written.
    pub async fn sync_trial(
        &self,
        actor: &Actor,
        account: &str,
        sync_type: SyncType,
    ) -> Result<DryRun, Fault> {
        self.needs_duty(actor, Duty::Sync).await?;
        let trial = self.of_account(account)?.dry_run(account, sync_type).await?;
        Ok(DryRun {
            account: account.to_owned(),
            sync_type: sync_type.as_str(),
            counts: CountsView::from(&trial.counts),
            question: trial.question,
            samples: trial.samples.into_iter().map(ForeseenView::from).collect(),
            calls: trial.calls,
            minutes: trial.seconds.div_ceil(60),
        })
    }

    /// Runs, newest first.
    pub async fn runs(&self, actor: &Actor, wanted: RunsWanted) -> Result<Vec<RunView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let read =
            self.marketing()?.store.read(move |tx| async move { look::runs(tx, &wanted).await }.boxed());
        let runs: Result<_, Error> = read.await;
        Ok(runs?.into_iter().map(RunView::from).collect())
    }

    pub async fn run(&self, actor: &Actor, id: RunId) -> Result<RunView, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let read = self.marketing()?.store.read(move |tx| async move { run::one(tx, id).await }.boxed());
        let found: Result<_, Error> = read.await;
        let missing = || Fault::reject(Code::API_NOT_FOUND, format!("no run {id}"));
        found?.map(RunView::from).ok_or_else(missing)
    }

    /// Says yes to what a held run asks; it begins anew and does not ask again.
    pub async fn confirm_run(&self, actor: &Actor, id: RunId, dry_run: bool) -> Result<SyncOrder, Fault> {
        self.needs_duty(actor, Duty::Sync).await?;
        let held = self.run(actor, id).await?;
        let engine = self.of_account(&held.account)?;
        let not_now = || {
            let text = format!(
                "{id} is {}: only a held run asks, and only when no other run of its type is under way",
                held.state
            );
            Fault::reject(Code::API_CONFLICT, text)
        };
        if !held.is_held() {
            return Err(not_now());
        }
        let run = match dry_run {
            true => None,
            false => {
                let question = held.reason.clone().unwrap_or_default();
                let entry = audit::Entry::new(actor, engine.clock.now(), "marketing.confirm", id, &question);
                self.record_audit(entry).await?;
                Some(engine.confirm(id, &actor.name).await?.ok_or_else(not_now)?)
            }
        };
        Ok(SyncOrder { account: held.account, sync_type: held.sync_type, run, dry_run })
    }

    /// Rows that one side did not take, newest first.
    pub async fn rejected(&self, actor: &Actor, wanted: RejectedWanted) -> Result<Vec<RejectedView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let read =
            self.marketing()?.store.read(move |tx| async move { look::refusals(tx, &wanted).await }.boxed());
        let rows: Result<_, Error> = read.await;
        Ok(rows?.into_iter().map(RejectedView::from).collect())
    }

    /// Gives rejected rows another try: these, or all of a run that nobody settled.
    pub async fn replay_rejected(
        &self,
        actor: &Actor,
        ids: Vec<Uuid>,
        of_run: Option<RunId>,
        dry_run: bool,
    ) -> Result<Replayed, Fault> {
        self.needs_duty(actor, Duty::Sync).await?;
        let mut wanted = Vec::new();
        for id in ids {
            let one = Refusals { id: Some(id), limit: 1, ..Refusals::default() };
            let found = self.rejected(actor, one).await?.pop();
            let found =
                found.ok_or_else(|| Fault::reject(Code::API_NOT_FOUND, format!("no rejected row {id}")))?;
            wanted.extend(found.settled.is_none().then_some(found.id));
        }
        if let Some(run) = of_run {
            self.run(actor, run).await?;
            let all = Refusals { run: Some(run), open: true, limit: REPLAYED, ..Refusals::default() };
            wanted.extend(self.rejected(actor, all).await?.into_iter().map(|row| row.id));
        }
        if dry_run || wanted.is_empty() {
            return Ok(Replayed { changed: wanted, dry_run });
        }
        let engine = self.marketing()?;
        let object = of_run.map_or_else(|| "rejected rows".to_owned(), |run| run.to_string());
        let detail = format!("{} rows", wanted.len());
        self.record_audit(audit::Entry::new(actor, engine.clock.now(), "marketing.replay", object, &detail))
            .await?;
        let done = engine.replay(wanted, &actor.name).await?;
        Ok(Replayed { changed: done.rows, dry_run })
    }
}

/// Each sync type of one account.
async fn of_account(
    tx: &mut Tx,
    name: &str,
    settings: &Settings,
    now: Timestamp,
) -> Result<Vec<SyncView>, Error> {
    let known = accounts::known(tx, name).await?;
    let plan = plan::of_account(tx, name).await?;
    let open = look::open_refusals(tx, name).await?;
    let mut all = Vec::with_capacity(plan.len());
    for (sync_type, planned) in plan {
        let last_run = look::last(tx, name, sync_type).await?.map(RunView::from);
        let last_success = look::last_good(tx, name, sync_type).await?;
        let open_rejected = open.get(sync_type.as_str()).copied().unwrap_or_default();
        let paused = known.paused.is_some() || planned.paused;
        let every = settings.every(sync_type);
        let (state, text) = state(paused, last_run.as_ref(), open_rejected, every.is_some());
        all.push(SyncView {
            account: name.to_owned(),
            sync_type: sync_type.as_str(),
            state,
            text,
            every_seconds: every.map(|every| every.as_secs()),
            next_due: next(&planned, settings, sync_type, now).filter(|_| !paused),
            asked_by: planned.asked,
            last_run,
            last_success,
            open_rejected,
        });
    }
    Ok(all)
}

fn next(planned: &Planned, settings: &Settings, sync_type: SyncType, now: Timestamp) -> Option<Timestamp> {
    planned.due(settings, sync_type, now)
}

fn state(paused: bool, last: Option<&RunView>, open: u64, by_itself: bool) -> (&'static str, String) {
    let reason = |run: &RunView| run.reason.clone().unwrap_or_default();
    let word = last.map(|run| run.state);
    let is = |state: RunState| word == Some(state.as_str());
    match last {
        Some(run) if is(RunState::Held) => ("needs_you", reason(run)),
        _ if paused => ("paused", "Paused: nothing begins by itself.".to_owned()),
        Some(_) if is(RunState::Running) => ("catching_up", "It runs.".to_owned()),
        Some(run) if is(RunState::Failed) && run.code.is_some() => ("failing", reason(run)),
        Some(run) if is(RunState::Failed) => ("waiting", reason(run)),
        _ if open == 1 => ("needs_you", "One row was rejected.".to_owned()),
        _ if open > 1 => ("needs_you", format!("{open} rows were rejected.")),
        Some(_) => ("healthy", "The last run ended well.".to_owned()),
        None if by_itself => ("waiting", "It has not run yet.".to_owned()),
        None => ("waiting", "It runs only when asked.".to_owned()),
    }
}
