//! What the queue tells the log and the metrics: each event is one line and its counter together.

use std::time::Duration;

use metrics::counter;
use postroom_store::Error;
use tracing::{debug, error, info, warn};

/// A worker stood still and its jobs were given back.
pub(crate) struct LeasesLost {
    pub(crate) worker: uuid::Uuid,
    pub(crate) count: u64,
}

impl LeasesLost {
    pub(crate) fn emit(self) {
        counter!("postroom_leases_lost_total").increment(self.count);
        warn!(event = "jobs.lease_lost", worker = %self.worker, jobs = self.count,
            "Took back {} jobs from a process that stopped answering", self.count);
    }
}

/// Jobs that were put off under a later clock wait from now on.
pub(crate) struct ClockSetBack {
    pub(crate) count: u64,
}

impl ClockSetBack {
    pub(crate) fn emit(self) {
        counter!("postroom_clock_set_back_jobs_total").increment(self.count);
        warn!(
            event = "jobs.clock_set_back",
            jobs = self.count,
            "The clock was set back: {} jobs that were put off under the later time wait from now on",
            self.count
        );
    }
}

/// Somebody tried to finish jobs whose lease was no longer theirs.
pub(crate) struct FenceRejected {
    pub(crate) count: usize,
}

impl FenceRejected {
    pub(crate) fn emit(self) {
        counter!("postroom_fence_rejects_total").increment(self.count as u64);
        warn!(
            event = "jobs.fence_rejected",
            jobs = self.count,
            "Refused the end of {} jobs: another process has taken them over",
            self.count
        );
    }
}

/// A job went to the shelf.
pub(crate) struct Shelved<'a> {
    pub(crate) kind: &'a str,
    pub(crate) job: postroom_core::JobId,
    pub(crate) code: postroom_core::Code,
    pub(crate) verdict: &'a str,
    pub(crate) attempt: u32,
    pub(crate) message: &'a str,
}

impl Shelved<'_> {
    pub(crate) fn emit(self) {
        counter!("postroom_jobs_shelved_total", "type" => self.kind.to_owned(), "code" => self.code.to_string())
            .increment(1);
        error!(event = "jobs.shelved", job = %self.job, kind = self.kind, code = %self.code, verdict = self.verdict,
            attempt = self.attempt, "Put a {} job on the shelf: {}", self.kind, self.message);
    }
}

/// A job will be tried again.
pub(crate) struct PutOff<'a> {
    pub(crate) kind: &'a str,
    pub(crate) job: postroom_core::JobId,
    pub(crate) code: postroom_core::Code,
    pub(crate) verdict: &'a str,
    pub(crate) attempt: u32,
    pub(crate) wait: Duration,
    pub(crate) message: &'a str,
}

impl PutOff<'_> {
    pub(crate) fn emit(self) {
        counter!("postroom_jobs_put_off_total", "type" => self.kind.to_owned(), "verdict" => self.verdict.to_owned())
            .increment(1);
        info!(event = "jobs.put_off", job = %self.job, kind = self.kind, code = %self.code, verdict = self.verdict,
            attempt = self.attempt, wait_ms = self.wait.as_millis() as u64, "Put off a {} job: {}", self.kind, self.message);
    }
}

/// A lot ended.
pub(crate) struct LotEnded<'a> {
    pub(crate) kind: &'a str,
    pub(crate) jobs: usize,
    pub(crate) done: usize,
    pub(crate) took: Duration,
}

impl LotEnded<'_> {
    pub(crate) fn emit(self) {
        counter!("postroom_jobs_done_total", "type" => self.kind.to_owned()).increment(self.done as u64);
        metrics::histogram!("postroom_job_lot_seconds", "type" => self.kind.to_owned()).record(self.took);
        debug!(
            event = "jobs.lot",
            kind = self.kind,
            jobs = self.jobs,
            done = self.done,
            dur_ms = self.took.as_millis() as u64,
            "Ran {} {} jobs",
            self.jobs,
            self.kind
        );
    }
}

/// A worker panicked; its lot is run one by one.
pub(crate) struct Panicked<'a> {
    pub(crate) kind: &'a str,
    pub(crate) jobs: usize,
    pub(crate) text: &'a str,
}

impl Panicked<'_> {
    pub(crate) fn emit(self) {
        error!(event = "jobs.panicked", code = %postroom_core::Code::INTERNAL, kind = self.kind, jobs = self.jobs,
            "A lot of {} {} jobs panicked: {}", self.jobs, self.kind, self.text);
    }
}

/// A step of the queue itself failed; it is tried again.
pub(crate) struct StepFailed<'a> {
    pub(crate) step: &'a str,
    pub(crate) error: &'a Error,
}

impl StepFailed<'_> {
    pub(crate) fn emit(self) {
        counter!("postroom_jobs_step_failures_total", "step" => self.step.to_owned()).increment(1);
        warn!(
            event = "jobs.step_failed",
            step = self.step,
            "The queue could not do {}, trying again: {}",
            self.step,
            self.error
        );
    }
}

/// Jobs that this process held without knowing were given back: the answer of a claim was lost, or a worker said it had
/// finished what it had not.
pub(crate) struct Reclaimed<'a> {
    pub(crate) kind: &'a str,
    pub(crate) count: u64,
}

impl Reclaimed<'_> {
    pub(crate) fn emit(self) {
        counter!("postroom_jobs_reclaimed_total", "type" => self.kind.to_owned()).increment(self.count);
        warn!(
            event = "jobs.reclaimed",
            kind = self.kind,
            jobs = self.count,
            "Gave back {} {} jobs that were leased but not running",
            self.count,
            self.kind
        );
    }
}
