//! The component: registers the process, runs a loop per kind, beats, watches the other processes, fires schedules.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postroom_core::{Clock, Ids};
use postroom_store::{Error, Store};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::claim::{any_claimable, any_ready};
use crate::clock::{self, Hands};
use crate::events::{ClockSetBack, StepFailed};
use crate::job::Worker;
use crate::lease::{Watch, beat, bury, leave};
use crate::pump::serve;
use crate::schedule::{self, Plan};

/// How the runner works.
#[derive(Debug, Clone)]
pub struct Options {
    /// A process that has not moved for this long is taken for dead. Shorter: crashes are noticed sooner; too short, and
    /// a slow database makes processes take each other's work.
    pub lease: Duration,
    /// Between two beats: a fifth of the lease.
    pub beat: Duration,
    /// Between two looks for work when no wake-up comes (another process's jobs, jobs that become due).
    pub poll: Duration,
    /// Lots of one kind that run at once.
    pub concurrency: usize,
    /// Attempts after which a job that asks for another goes to the shelf.
    pub attempts: u32,
    /// How long a clean stop waits for running lots.
    pub grace: Duration,
    /// Shown to people beside the leases: the host's name, say.
    pub name: String,
}

impl Default for Options {
    fn default() -> Self {
        Options::with_lease(Duration::from_secs(15))
    }
}

impl Options {
    /// The defaults around another lease.
    pub fn with_lease(lease: Duration) -> Self {
        Options {
            lease,
            beat: lease / 5,
            poll: Duration::from_millis(500),
            concurrency: 4,
            attempts: 30,
            grace: Duration::from_secs(10),
            name: "postroom".into(),
        }
    }
}

/// Runs the workers of one process.
pub struct Runner {
    store: Store,
    clock: Clock,
    ids: Ids,
    workers: Vec<Arc<dyn Worker>>,
    plans: Vec<Plan>,
    options: Options,
}

impl Runner {
    /// # Panics
    /// When two workers have the same kind.
    pub fn new(
        store: Store,
        clock: Clock,
        ids: Ids,
        workers: Vec<Arc<dyn Worker>>,
        options: Options,
    ) -> Self {
        let kinds: BTreeSet<_> = workers.iter().map(|worker| worker.kind()).collect();
        assert_eq!(kinds.len(), workers.len(), "each kind of job has one worker");
        Runner { store, clock, ids, workers, plans: Vec::new(), options }
    }

    /// Adds schedules; [`Runner::run`] fires them, the drains do not.
    pub fn with_plans(mut self, plans: Vec<Plan>) -> Self {
        self.plans = plans;
        self
    }

    /// Runs until `stop`, then lets running lots end, gives the rest back and leaves. Dropped instead, it dies like a
    /// killed process: its jobs come back after a lease.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let shared = self.shared();
        while let Err(error) = beat(&shared.store, shared.me, shared.options.name.clone()).await {
            StepFailed { step: "jobs.beat", error: &error }.emit();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(shared.options.poll) => {}
            }
        }
        shared.keep_waits().await;
        let pulse = Pulse::start(&shared);
        let mut loops = self.start(&shared, &stop);
        if !self.plans.is_empty() {
            loops.spawn(fire(shared.clone(), self.plans, stop.clone()));
        }
        while loops.join_next().await.is_some() {}
        pulse.end().await;
        leave(&shared.store, shared.me).await
    }

    /// Runs until none of the workers' jobs is ready any more, waiting for those that are not due yet. A job that is held
    /// or retried keeps it waiting; so programs that must end use [`Runner::drain_due`].
    pub async fn drain(&self) -> Result<(), Error> {
        self.drain_until(Until::NothingReady).await
    }

    /// Runs until nothing is left that could be run now. What waits for its time, for a hold to pass, or behind a job of
    /// another process stays.
    pub async fn drain_due(&self) -> Result<(), Error> {
        self.drain_until(Until::NothingDue).await
    }

    async fn drain_until(&self, until: Until) -> Result<(), Error> {
        let shared = self.shared();
        beat(&shared.store, shared.me, shared.options.name.clone()).await?;
        shared.keep_waits().await;
        let pulse = Pulse::start(&shared);
        let stop = CancellationToken::new();
        let mut loops = self.start(&shared, &stop);
        let quiet = self.quiet(&shared, until).await;
        stop.cancel();
        while loops.join_next().await.is_some() {}
        pulse.end().await;
        leave(&shared.store, shared.me).await?;
        quiet
    }

    /// Returns once no lot runs and none can be claimed.
    async fn quiet(&self, shared: &Shared, until: Until) -> Result<(), Error> {
        loop {
            let changed = shared.tally.changed.notified();
            if let Some(mark) = shared.tally.quiet()
                && !self.left(shared, until).await?
                && shared.tally.quiet() == Some(mark)
            {
                return Ok(());
            }
            tokio::select! {
                () = changed => {}
                () = sleep(shared.options.poll) => {}
            }
        }
    }

    async fn left(&self, shared: &Shared, until: Until) -> Result<bool, Error> {
        let held = shared.tally.held().clone();
        let kinds = self.workers.iter().map(|worker| worker.kind());
        match until {
            Until::NothingReady => any_ready(&shared.store, kinds.collect()).await,
            Until::NothingDue => {
                let free = kinds.filter(|kind| !held.contains(kind)).collect();
                any_claimable(&shared.store, free, shared.clock.now()).await
            }
        }
    }

    fn start(&self, shared: &Arc<Shared>, stop: &CancellationToken) -> JoinSet<()> {
        let mut loops = JoinSet::new();
        for worker in &self.workers {
            loops.spawn(serve(shared.clone(), worker.clone(), stop.clone()));
        }
        loops
    }

    fn shared(&self) -> Arc<Shared> {
        Arc::new(Shared {
            store: self.store.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            me: self.ids.next(),
            options: self.options.clone(),
            tally: Arc::default(),
        })
    }
}

/// When a drain ends.
#[derive(Debug, Clone, Copy)]
enum Until {
    NothingReady,
    NothingDue,
}

/// What the loops of one run share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    /// This run's row in `worker`.
    pub(crate) me: Uuid,
    pub(crate) options: Options,
    pub(crate) tally: Arc<Tally>,
}

impl Shared {
    /// After the clock was set back, perhaps while nothing ran.
    async fn keep_waits(&self) {
        match clock::set_back(&self.store, self.clock.now()).await {
            Ok(0) => {}
            Ok(count) => {
                ClockSetBack { count }.emit();
                self.store.wake();
            }
            Err(error) => StepFailed { step: "jobs.set_back", error: &error }.emit(),
        }
    }
}

/// Counts claims and lots that are under way, so that a drain knows when all is quiet.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    opened: AtomicU64,
    closed: AtomicU64,
    changed: Notify,
    held: Mutex<BTreeSet<&'static str>>,
}

impl Tally {
    /// Opened before a claim, dropped when it found nothing or its lot has ended.
    pub(crate) fn open(self: &Arc<Self>) -> Open {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Open(self.clone())
    }

    /// Notes whether a kind is held.
    pub(crate) fn hold(&self, kind: &'static str, on: bool) {
        let mut held = self.held();
        match on {
            true => held.insert(kind),
            false => held.remove(kind),
        };
        drop(held);
        self.changed.notify_waiters();
    }

    fn held(&self) -> std::sync::MutexGuard<'_, BTreeSet<&'static str>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many were opened, when all are closed.
    fn quiet(&self) -> Option<u64> {
        let closed = self.closed.load(Ordering::SeqCst);
        (self.opened.load(Ordering::SeqCst) == closed).then_some(closed)
    }
}

/// A claim or lot under way.
pub(crate) struct Open(Arc<Tally>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

/// The task that beats and watches. It goes on while lots end, and dies with whoever holds it.
struct Pulse {
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Pulse {
    fn start(shared: &Arc<Shared>) -> Self {
        let (stop, mut task) = (CancellationToken::new(), JoinSet::new());
        task.spawn(pulse(shared.clone(), stop.clone()));
        Pulse { stop, task }
    }

    async fn end(mut self) {
        self.stop.cancel();
        while self.task.join_next().await.is_some() {}
    }
}

async fn pulse(shared: Arc<Shared>, stop: CancellationToken) {
    let mut watch = Watch::new(shared.options.lease, shared.options.beat);
    let mut hands = Hands::new(shared.clock.now(), Instant::now());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(shared.options.beat) => {}
        }
        if hands.went_back(shared.clock.now(), Instant::now()) {
            shared.keep_waits().await;
        }
        let looked = async {
            let beats = beat(&shared.store, shared.me, shared.options.name.clone()).await?;
            let mut given = 0;
            for (worker, beat) in watch.look(&beats, Instant::now()) {
                given += bury(&shared.store, worker, beat).await?;
            }
            Ok::<u64, Error>(given)
        };
        match looked.await {
            Ok(0) => {}
            Ok(_) => {
                // Whoever held them may have lived under another clock.
                shared.keep_waits().await;
                shared.store.wake();
            }
            Err(error) => StepFailed { step: "jobs.beat", error: &error }.emit(),
        }
    }
}

async fn fire(shared: Arc<Shared>, plans: Vec<Plan>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match schedule::tick(&shared.store, &shared.ids, shared.clock.now(), &plans).await {
            Ok(0) => {}
            Ok(_) => shared.store.wake(),
            Err(error) => StepFailed { step: "jobs.schedule", error: &error }.emit(),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(shared.options.poll) => {}
        }
    }
}
