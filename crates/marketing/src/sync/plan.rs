//! What is due: the run's row and its job, in one unit.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Code, Fault, Ids, RunId};
use postroom_jobs::{NewJob, enqueue};
use postroom_store::sql::{Expr, ExprTrait, OnConflict, Query};
use postroom_store::{Error, Tx};
use tokio_util::sync::CancellationToken;

use super::SyncType;
use super::run::{self, Counts, Run, RunState};
use super::worker::KIND;
use crate::engine::{Engine, Settings};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// What the plan writes when nobody asked.
pub const SCHEDULE: &str = "schedule";

/// A row of the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// Who asked for a run now.
    pub asked: Option<String>,
    /// When the last run was due.
    pub last: Option<Timestamp>,
    pub paused: bool,
}

impl Planned {
    /// When the next run is due: at once when somebody asked or nothing ever ran; `None` when it does not run by itself.
    pub fn due(&self, settings: &Settings, sync_type: SyncType, now: Timestamp) -> Option<Timestamp> {
        if self.asked.is_some() {
            return Some(now);
        }
        let every = settings.every(sync_type).filter(|_| !self.paused)?;
        let Some(last) = self.last else { return Some(now) };
        // From the planned time, so that runs do not drift; a clock that was set back does not stop them.
        Some(last.min(now).checked_add(every).unwrap_or(Timestamp::MAX))
    }
}

/// The plan of an account.
pub async fn of_account(tx: &mut Tx, account: &str) -> Result<BTreeMap<SyncType, Planned>, Error> {
    let select = Query::select()
        .columns(["sync_type", "asked", "last", "paused"])
        .from("sync_plan")
        .and_where(Expr::col("account").eq(account))
        .to_owned();
    let mut plan: BTreeMap<SyncType, Planned> =
        SyncType::ALL.iter().map(|sync_type| (*sync_type, Planned::default())).collect();
    for row in tx.query(&select).await? {
        let name: String = row.at(0)?;
        if let Ok(sync_type) = name.parse() {
            plan.insert(sync_type, Planned { asked: row.at(1)?, last: row.at(2)?, paused: row.at(3)? });
        }
    }
    Ok(plan)
}

impl Engine {
    /// Looks every second until `stop`, and soon after somebody asked in this process.
    pub async fn watch(self, stop: CancellationToken) {
        loop {
            let woken = self.store.woken();
            if let Err(fault) = self.plan().await {
                tracing::warn!(event = "marketing.plan_failed", code = %fault.code, "Looking for what is due failed: {fault}");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = woken => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Begins what is due; answers how many runs that were. In safe mode nothing is, not even what was asked for.
    pub async fn plan(&self) -> Result<u64, Fault> {
        match self.may_leave().await {
            Err(fault) if fault.code == Code::SAFE_MODE => return Ok(0),
            open => open?,
        }
        let mut begun = 0;
        for account in self.accounts.values() {
            let name = account.name.clone();
            let read = self.store.read(move |tx| {
                async move { Ok((of_account(tx, &name).await?, crate::accounts::known(tx, &name).await?)) }.boxed()
            });
            let read: Result<_, Error> = read.await;
            let (plan, known) = read?;
            if known.paused.is_some() {
                continue;
            }
            let now = self.clock.now();
            let open = account.settings.window.as_ref().is_none_or(|window| window.is_open(now));
            for (sync_type, planned) in plan {
                let due = planned.due(&account.settings, sync_type, now).filter(|due| *due <= now);
                if due.is_some() && (open || planned.asked.is_some() || sync_type.is_of_opt_outs()) {
                    let every = account.settings.every(sync_type);
                    // What was missed for more than a whole interval is not caught up with.
                    let last = due
                        .filter(|due| every.is_some_and(|every| now.duration_since(*due) < every))
                        .unwrap_or(now);
                    begun += u64::from(self.begin(&account.name, sync_type, planned, last).await?);
                }
            }
        }
        if begun > 0 {
            self.store.wake();
        }
        Ok(begun)
    }

    /// One run and its job; false when one of the kind is on its way.
    async fn begin(
        &self,
        account: &str,
        sync_type: SyncType,
        planned: Planned,
        last: Timestamp,
    ) -> Result<bool, Fault> {
        let (ids, now) = (self.ids.clone(), self.clock.now());
        let account = account.to_owned();
        let unit = self.store.write("marketing.planned", move |tx| {
            async move {
                let asked = planned.asked.unwrap_or_else(|| SCHEDULE.to_owned());
                let run = fresh(&ids, &account, sync_type, asked, now);
                let begun = start(tx, &ids, now, &run).await?;
                if begun {
                    mark(tx, &account, sync_type, Some(last), None).await?;
                }
                Ok(begun)
            }
            .boxed()
        });
        let begun: Result<bool, Error> = unit.await;
        Ok(begun?)
    }

    /// Makes a sync type due now, in the name of `who`. A run that is on its way is followed by another one.
    pub async fn ask(&self, account: &str, sync_type: SyncType, who: &str) -> Result<(), Fault> {
        let (account, who) = (account.to_owned(), who.to_owned());
        let unit = self.store.write("marketing.asked", move |tx| {
            async move { mark(tx, &account, sync_type, None, Some(who)).await }.boxed()
        });
        let asked: Result<(), Error> = unit.await;
        asked?;
        self.store.wake();
        Ok(())
    }

    /// Says yes to what a held run asked: it begins anew and does not ask again. `None` when the run does not wait for that.
    pub async fn confirm(&self, id: RunId, who: &str) -> Result<Option<RunId>, Fault> {
        let (ids, now, who) = (self.ids.clone(), self.clock.now(), who.to_owned());
        let unit = self.store.write("marketing.confirmed", move |tx| {
            async move {
                let Some(held) = run::one(tx, id).await?.filter(|run| run.state == RunState::Held) else {
                    return Ok(None);
                };
                let fresh = fresh(&ids, &held.account, held.sync_type, who, now);
                let confirmed = Run { confirmed: true, ..fresh };
                if !start(tx, &ids, now, &confirmed).await? {
                    return Ok(None);
                }
                let ending = run::Ending {
                    state: RunState::Failed,
                    code: held.code,
                    reason: Some("confirmed".to_owned()),
                };
                run::end(tx, id, now, &held.counts, &ending).await?;
                Ok(Some(confirmed.id))
            }
            .boxed()
        });
        let begun: Result<Option<RunId>, Error> = unit.await;
        let begun = begun?;
        self.store.wake();
        Ok(begun)
    }
}

pub(crate) fn fresh(ids: &Ids, account: &str, sync_type: SyncType, asked: String, now: Timestamp) -> Run {
    Run {
        id: RunId(ids.next()),
        account: account.to_owned(),
        sync_type,
        asked,
        dry: false,
        confirmed: false,
        state: RunState::Running,
        started: now,
        ended: None,
        counts: Counts::default(),
        code: None,
        reason: None,
        undoes: None,
    }
}

/// Writes the run and its job, unless a run of the kind is on its way.
pub(crate) async fn start(tx: &mut Tx, ids: &Ids, now: Timestamp, run: &Run) -> Result<bool, Error> {
    let payload = serde_json::json!({ "run": run.id });
    let job = NewJob::new(KIND, payload).key(format!("{}/{}", run.account, run.sync_type));
    if enqueue(tx, ids, now, vec![job]).await? == 0 {
        return Ok(false);
    }
    run::begin(tx, run).await?;
    Ok(true)
}

pub(super) async fn mark(
    tx: &mut Tx,
    account: &str,
    sync_type: SyncType,
    last: Option<Timestamp>,
    asked: Option<String>,
) -> Result<(), Error> {
    let mut conflict = OnConflict::columns(["account", "sync_type"]);
    conflict.update_column("asked");
    if last.is_some() {
        conflict.update_column("last");
    }
    let insert = Query::insert()
        .into_table("sync_plan")
        .columns(["account", "sync_type", "asked", "last", "paused"])
        .values_panic([
            account.into(),
            sync_type.as_str().into(),
            asked.into(),
            last.map(Timestamp::as_microsecond).into(),
            false.into(),
        ])
        .on_conflict(conflict)
        .to_owned();
    tx.execute(&insert).await.map(drop)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[track_caller]
    fn check(last: Option<i64>, asked: bool, paused: bool, now: i64, due: Option<i64>) {
        let planned = Planned { last: last.map(at), asked: asked.then(|| "anna".to_owned()), paused };
        // Suppressions run every five minutes.
        let found = planned.due(&Settings::default(), SyncType::Suppressions, at(now));
        assert_eq!(found, due.map(at), "{planned:?}");
    }

    #[test]
    fn when_it_is_due() {
        check(None, false, false, 7, Some(7));
        check(Some(100), false, false, 101, Some(105));
        check(Some(100), true, false, 101, Some(101));
        check(Some(100), true, true, 101, Some(101));
        check(Some(100), false, true, 101, None);
        // The clock was set back.
        check(Some(1000), false, false, 10, Some(15));
    }

    #[test]
    fn only_when_asked() {
        let planned = Planned::default();
        assert_eq!(planned.due(&Settings::default(), SyncType::Programs, at(1)), None);
    }
}
