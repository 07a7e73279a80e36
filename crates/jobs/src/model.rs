//! A model of the queue, checked against it with random histories: no job is lost, none is finished twice, and lanes keep
//! their order, whatever fails and whoever dies.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Code, Fault, Ids, JobId, Verdict};
use postroom_store::{Error, Store};
use postroom_testkit::peers::Postgres;
use proptest::prelude::*;
use uuid::Uuid;

use crate::claim::{Ask, claim};
use crate::job::{Claim, Done, NewJob, Worker, enqueue, finish};
use crate::lease::{beat, bury};
use crate::settle::{Failed, settle};
use crate::shelf;

const KIND: &str = "work";
const START: Timestamp = Timestamp::UNIX_EPOCH;
/// More deaths than any history holds.
const ATTEMPTS: u32 = 1_000;

/// One thing that happens. Numbers pick among what is there, modulo.
#[derive(Debug, Clone)]
enum Step {
    /// Lane 0 is none.
    Enqueue(usize),
    Claim {
        process: usize,
        lot: usize,
    },
    Finish(usize),
    /// By somebody whose lease was taken.
    FinishLate(usize),
    Fail(usize, bool),
    FailLate(usize),
    Die(usize),
    Replay(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let pick = 0..16_usize;
    prop_oneof![
        6 => (0..4_usize).prop_map(Step::Enqueue),
        6 => (0..3_usize, 1..4_usize).prop_map(|(process, lot)| Step::Claim { process, lot }),
        4 => pick.clone().prop_map(Step::Finish),
        2 => pick.clone().prop_map(Step::FinishLate),
        3 => (pick.clone(), any::<bool>()).prop_map(|(which, shelve)| Step::Fail(which, shelve)),
        1 => pick.clone().prop_map(Step::FailLate),
        2 => (0..3_usize).prop_map(Step::Die),
        1 => pick.prop_map(Step::Replay),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Leased,
    Shelf,
    Done,
}

/// Whose jobs they are; the histories themselves do what a runner would.
struct Model;

#[async_trait]
impl Worker for Model {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn lot(&self) -> usize {
        1
    }

    async fn run(&self, _lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)> {
        Vec::new()
    }
}

fn worker() -> Arc<dyn Worker> {
    Arc::new(Model)
}

/// What must be true, beside the real queue.
struct World {
    store: Store,
    ids: Ids,
    clock: Clock,
    processes: Vec<Uuid>,
    jobs: BTreeMap<i64, (String, State)>,
    held: Vec<(usize, Claim)>,
    late: Vec<Claim>,
    enqueued: usize,
}

impl World {
    async fn new(url: &str) -> World {
        let store = Store::open(url, &postroom_store::Options::default(), &[crate::MIGRATIONS]).await;
        let (store, ids) = (store.expect("the store opens"), Ids::random());
        let processes: Vec<Uuid> = (0..3).map(|_| ids.next()).collect();
        for process in &processes {
            beat(&store, *process, "test".into()).await.expect("a beat");
        }
        let clock = Clock::manual(START);
        World { store, ids, clock, processes, jobs: BTreeMap::new(), held: vec![], late: vec![], enqueued: 0 }
    }

    async fn take(&mut self, step: Step) {
        // Past every backoff, so that due times hide nothing.
        self.clock.advance(SignedDuration::from_hours(1));
        match step {
            Step::Enqueue(lane) => self.enqueue(lane).await,
            Step::Claim { process, lot } => self.claim(process, lot).await,
            Step::Finish(which) => self.finish(which).await,
            Step::FinishLate(which) => self.finish_late(which).await,
            Step::Fail(which, shelve) => self.fail(which, shelve).await,
            Step::FailLate(which) => self.fail_late(which).await,
            Step::Die(process) => self.die(process).await,
            Step::Replay(which) => self.replay(which).await,
        }
    }

    async fn enqueue(&mut self, lane: usize) {
        let lane = if lane == 0 { String::new() } else { format!("lane {lane}") };
        let (ids, now, job) =
            (self.ids.clone(), self.clock.now(), NewJob::new(KIND, 0.into()).lane(lane.clone()));
        let unit = self.store.write("test.enqueue", move |tx| {
            Box::pin(async move { enqueue(tx, &ids, now, vec![job]).await })
        });
        let new: Result<u64, Error> = unit.await;
        assert_eq!(new.expect("enqueued"), 1);
        self.enqueued += 1;
        self.jobs.insert(self.enqueued as i64, (lane, State::Ready)); // `seq` counts from 1
    }

    fn set(&mut self, seq: i64, state: State) {
        self.jobs.get_mut(&seq).expect("only enqueued jobs are seen").1 = state;
    }

    /// Whether the job may run now, by the rules in words: first of its lane, and nobody else of the lane runs.
    fn may_run(&self, seq: i64) -> bool {
        let (lane, state) = &self.jobs[&seq];
        let blocks = |other: &i64, state: &State| match state {
            State::Ready => *other < seq,
            State::Leased => true,
            State::Shelf | State::Done => false,
        };
        let mut others = self.jobs.iter().filter(|(other, (its, _))| **other != seq && its == lane);
        *state == State::Ready && (lane.is_empty() || !others.any(|(other, (_, state))| blocks(other, state)))
    }

    async fn claim(&mut self, process: usize, lot: usize) {
        let ask = Ask {
            worker: self.processes[process],
            kind: KIND,
            lot,
            now: self.clock.now(),
            attempts: ATTEMPTS,
        };
        let taken = claim(&self.store, worker(), ask).await.expect("claimed").claims;
        let able: Vec<i64> = self.jobs.keys().copied().filter(|seq| self.may_run(*seq)).collect();
        assert!(taken.len() <= lot);
        assert_eq!(taken.is_empty(), able.is_empty(), "what can run is found: {able:?}");
        for claim in &taken {
            assert!(able.contains(&claim.seq), "{} may run, of {able:?}", claim.seq);
        }
        for claim in taken {
            self.set(claim.seq, State::Leased);
            self.held.push((process, claim));
        }
    }

    fn pick_held(&mut self, which: usize) -> Option<Claim> {
        (!self.held.is_empty()).then(|| self.held.swap_remove(which % self.held.len()).1)
    }

    async fn try_finish(&self, claim: Claim) -> Result<(), Error> {
        self.store.write("test.finish", move |tx| Box::pin(async move { finish(tx, &[&claim]).await })).await
    }

    async fn finish(&mut self, which: usize) {
        if let Some(claim) = self.pick_held(which) {
            self.try_finish(claim.clone()).await.expect("the lease is good");
            self.set(claim.seq, State::Done);
            self.late.push(claim);
        }
    }

    async fn finish_late(&mut self, which: usize) {
        if !self.late.is_empty() {
            let claim = self.late[which % self.late.len()].clone();
            let refused = self.try_finish(claim).await;
            assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        }
    }

    async fn fail(&mut self, which: usize, shelve: bool) {
        if let Some(claim) = self.pick_held(which) {
            let verdict = if shelve { Verdict::Reject } else { Verdict::Retry { after: None } };
            let failed = Failed::new(claim.clone(), Fault::new(verdict, Code::CRM_AWAY, "no"), ATTEMPTS);
            settle(&self.store, &worker(), self.clock.now(), &[], &[failed]).await.expect("settled");
            self.set(claim.seq, if shelve { State::Shelf } else { State::Ready });
            self.late.push(claim);
        }
    }

    /// The runner's own end of a lot, by one whose leases were taken: nothing may change.
    async fn fail_late(&mut self, which: usize) {
        if !self.late.is_empty() {
            let claim = self.late[which % self.late.len()].clone();
            let failed = Failed::new(claim.clone(), Fault::bug("late"), ATTEMPTS);
            let (done, failed) =
                if which.is_multiple_of(2) { (vec![claim], vec![]) } else { (vec![], vec![failed]) };
            settle(&self.store, &worker(), self.clock.now(), &done, &failed).await.expect("settled");
        }
    }

    /// The process falls silent, is buried by another, and comes back to find its row gone.
    async fn die(&mut self, process: usize) {
        let (dead, other) = (self.processes[process], self.processes[(process + 1) % 3]);
        let beats = beat(&self.store, other, "test".into()).await.expect("a beat");
        let at = beats.iter().find(|(worker, _)| *worker == dead).expect("it has a row").1;
        let given = bury(&self.store, dead, at).await.expect("buried");
        let (lost, kept) =
            std::mem::take(&mut self.held).into_iter().partition(|(holder, _)| *holder == process);
        self.held = kept;
        let lost: Vec<(usize, Claim)> = lost;
        assert_eq!(given, lost.len() as u64);
        for (_, claim) in lost {
            self.set(claim.seq, State::Ready);
            self.late.push(claim);
        }
        let ask = Ask { worker: dead, kind: KIND, lot: 1, now: self.clock.now(), attempts: ATTEMPTS };
        assert!(
            matches!(claim(&self.store, worker(), ask).await, Err(Error::Conflict(_))),
            "the dead claim nothing"
        );
        beat(&self.store, dead, "test".into()).await.expect("it lives again");
    }

    async fn replay(&mut self, which: usize) {
        let shelved = shelf::list(&self.store, shelf::Page::default()).await.expect("listed");
        let known = self.jobs.values().filter(|(_, state)| *state == State::Shelf).count();
        assert_eq!(shelved.len(), known);
        if shelved.is_empty() {
            return;
        }
        let (job, now) = (&shelved[which % shelved.len()], self.clock.now());
        let id = job.id;
        let unit = self
            .store
            .write("test.replay", move |tx| Box::pin(async move { shelf::replay(tx, now, id).await }));
        assert!(unit.await.expect("replayed"));
        self.set(job.seq, State::Ready);
    }

    /// Everything that can end ends, and the books balance.
    async fn wind_up(mut self) {
        while !self.held.is_empty() {
            self.finish(0).await;
        }
        while self.jobs.keys().any(|seq| self.may_run(*seq)) {
            self.take(Step::Claim { process: 0, lot: 5 }).await;
            while !self.held.is_empty() {
                self.finish(0).await;
            }
        }
        let shelved = shelf::list(&self.store, shelf::Page::default()).await.expect("listed").len();
        let count = |wanted: State| self.jobs.values().filter(|(_, state)| *state == wanted).count();
        assert_eq!(shelved, count(State::Shelf));
        assert_eq!(count(State::Done) + shelved, self.enqueued, "no job was lost");
    }
}

fn run(url: &str, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut world = World::new(url).await;
        for step in steps {
            world.take(step).await;
        }
        world.wind_up().await;
    });
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_on_sqlite(steps in steps()) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        run(&format!("sqlite://{}", folder.path().join("jobs.db").display()), steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_on_postgres(steps in steps()) {
        run(&Postgres::shared().database(), steps);
    }
}
