//! The durable queue: jobs on the store, claimed by leases with fences, run in lots.
//!
//! # Guarantees
//!
//! * **A job exists exactly when the transaction that made it necessary does** ([`enqueue`] joins the caller's unit).
//! * **At least once, finished once.** A job may be run again after a crash; it is finished by one holder only, because
//!   [`finish`] checks the claim's fence in the transaction of the result. A worker that writes its result and finishes
//!   in one unit has done it exactly once.
//! * **Order per lane.** A job waits for every earlier unfinished job of its lane, of whatever kind; shelved jobs do not
//!   block. Two jobs of a lane never run at once (a unique index sees to it). Jobs without a lane wait for nothing.
//! * **No wall clock in leases.** Each process bumps a number in its `worker` row; the others watch it with their own
//!   monotonic clock and take back the jobs of one that stands still ([`Options::lease`]).
//! * **A clock that is set** neither doubles nor loses work: a step forward makes what waits due, after a step back jobs keep
//!   their wait (`clock`).
//! * **Every loop has a bound.** Retries back off with full jitter and end on the shelf ([`shelf`]), and so does a job
//!   whose process dies again and again. While a peer is away for everybody ([`Worker::is_away`]) no try counts, for two
//!   weeks. A job that panics or kills is run alone, so that its lot's neighbours go on.
//! * **Wake-ups only save time.** Losing all of them costs [`Options::poll`] per step, never a job.
//!
//! # Design
//!
//! One loop per kind (`pump`) claims lots (`claim`) and runs several at a time (`lot`); what the worker answers is
//! written in one unit per lot (`settle`). `lease` beats and watches; [`schedule`] turns cron lines into jobs;
//! [`shelf`] and [`counts`] are for people and metrics. What is absent: no job types (they live with the rules), no other
//! broker, no transaction held open while a job runs.

mod backoff;
mod brake;
mod claim;
mod clock;
pub mod counts;
mod events;
mod job;
mod lanes;
mod lease;
mod lot;
#[cfg(test)]
mod model;
mod pump;
mod runner;
pub mod schedule;
mod schema;
mod settle;
pub mod shelf;

pub use job::{Claim, Done, NewJob, Worker, enqueue, finish};
pub use lanes::{busy_lanes, drop_waiting, ready_lanes, running_lanes};
pub use runner::{Options, Runner};
pub use schedule::{Plan, Schedule};
pub use schema::MIGRATIONS;
