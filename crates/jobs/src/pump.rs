//! The loop of one kind: claims lots while there is room and work, runs them, and sleeps until woken.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use postroom_store::Error;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::brake::Brake;
use crate::claim::{Ask, Lot, Whose, any_claimable, claim, give_back};
use crate::events::{Reclaimed, StepFailed};
use crate::job::Worker;
use crate::lot::{Ended, run_lot};
use crate::runner::Shared;

/// After a lot that was not full, the next claim waits this long, so that what trickles in shares its commits.
const GATHER: Duration = Duration::from_millis(40);

/// Lanes that another claim took first make a claim fail; this many times it is repeated at once.
const CONFLICTS: u32 = 5;

/// Serves one kind until `stop`, then waits for its lots as long as the options allow.
pub(crate) async fn serve(shared: Arc<Shared>, worker: Arc<dyn Worker>, stop: CancellationToken) {
    let mut pump = Pump::new(shared.clone(), worker);
    loop {
        // Made before the look for work: a wake-up that comes after the look is not missed.
        let woken = shared.store.woken();
        pump.fill(&stop).await;
        let next = pump.next_look();
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = pump.lots.join_next_with_id() => pump.ended(ended),
            () = woken, if pump.has_room() => {}
            () = sleep_until(next), if pump.has_room() => {}
        }
    }
    let rest = async {
        while let Some(ended) = pump.lots.join_next_with_id().await {
            pump.ended(ended);
        }
    };
    // What does not end in time is dropped; its leases are given back when the process leaves.
    let _ = timeout(shared.options.grace, rest).await;
}

struct Pump {
    shared: Arc<Shared>,
    worker: Arc<dyn Worker>,
    lots: JoinSet<Ended>,
    running: HashMap<Id, Vec<i64>>,
    brake: Brake,
    /// The last claim found nothing: look with a read first.
    idle: bool,
    /// A claim's answer was lost: jobs may be leased to us that we do not know of.
    doubt: bool,
    reclaimed: Instant,
    /// When the last lot was claimed, unless it was full.
    trickled: Option<Instant>,
}

impl Pump {
    fn new(shared: Arc<Shared>, worker: Arc<dyn Worker>) -> Self {
        Pump {
            shared,
            worker,
            lots: JoinSet::new(),
            running: HashMap::new(),
            brake: Brake::default(),
            idle: false,
            doubt: false,
            reclaimed: Instant::now(),
            trickled: None,
        }
    }

    /// While the brake is on, one job at a time.
    fn has_room(&self) -> bool {
        self.lots.len() < if self.brake.is_on() { 1 } else { self.shared.options.concurrency.max(1) }
    }

    fn next_look(&self) -> Instant {
        let now = Instant::now();
        self.brake.until(now).unwrap_or(now + self.shared.options.poll)
    }

    /// Claims lots until there is no room or no work.
    async fn fill(&mut self, stop: &CancellationToken) {
        let mut conflicts = 0;
        while self.has_room() && self.brake.until(Instant::now()).is_none() && !stop.is_cancelled() {
            if let Some(last) = self.trickled {
                sleep_until(last + GATHER).await;
            }
            let more = match self.claim_one().await {
                Ok(more) => more,
                Err(Error::Conflict(_)) if conflicts < CONFLICTS => {
                    conflicts += 1;
                    true
                }
                Err(error) => {
                    StepFailed { step: "jobs.claim", error: &error }.emit();
                    self.doubt = true;
                    false
                }
            };
            if !more {
                return;
            }
        }
    }

    /// Claims and starts one lot; says whether there may be another.
    async fn claim_one(&mut self) -> Result<bool, Error> {
        self.reclaim().await?;
        let (kind, now) = (self.worker.kind(), self.shared.clock.now());
        if self.idle && !any_claimable(&self.shared.store, vec![kind], now).await? {
            return Ok(false);
        }
        let lot = if self.brake.is_on() { 1 } else { self.worker.lot().max(1) };
        let ask = Ask { worker: self.shared.me, kind, lot, now, attempts: self.shared.options.attempts };
        let open = self.shared.tally.open();
        let Lot { claims, more } = claim(&self.shared.store, self.worker.clone(), ask).await?;
        self.idle = claims.is_empty() && !more;
        self.trickled = (claims.len() < lot && !claims.is_empty()).then(Instant::now);
        if !claims.is_empty() {
            let seqs = claims.iter().map(|claim| claim.seq).collect();
            let (shared, worker) = (self.shared.clone(), self.worker.clone());
            let task = self.lots.spawn(async move {
                let ended = run_lot(shared, worker, claims).await;
                drop(open);
                ended
            });
            self.running.insert(task.id(), seqs);
        }
        Ok(more)
    }

    /// Gives back what is leased to us but does not run: after a lost answer at once, else once a lease.
    async fn reclaim(&mut self) -> Result<(), Error> {
        if !self.doubt && self.reclaimed.elapsed() < self.shared.options.lease {
            return Ok(());
        }
        let (worker, kind) = (self.shared.me, self.worker.kind());
        let whose =
            Whose::Unheld { worker, kind, running: self.running.values().flatten().copied().collect() };
        let given = self.shared.store.write("jobs.reclaim", move |tx| Box::pin(give_back(tx, whose))).await?;
        (self.doubt, self.reclaimed) = (false, Instant::now());
        if given > 0 {
            Reclaimed { kind, count: given }.emit();
        }
        Ok(())
    }

    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) {
        self.idle = false; // the next of a lane may be claimable now
        match ended {
            Ok((id, ended)) => {
                self.running.remove(&id);
                self.brake.note(ended.held, ended.passed, Instant::now());
                self.shared.tally.hold(self.worker.kind(), self.brake.is_on());
            }
            Err(error) => {
                // A lot's own code catches its worker's panics, so this is ours; its jobs are still leased to us.
                self.running.remove(&error.id());
                self.doubt = true;
            }
        }
    }
}
