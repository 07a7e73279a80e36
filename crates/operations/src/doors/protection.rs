//! The platform's service-protection limits (dataverse.md A15): how many requests, how much work and how many at once one
//! user may ask for within five minutes.
//!
//! The window slides by whole seconds. Each process counts for itself, as each web server of the platform does.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, DoorRefusal, DoorReply};
use uuid::Uuid;

/// Users that are remembered before the idle ones are forgotten.
const KEPT: usize = 1000;
/// How many requests at once do best here: a database of one machine gains nothing from more.
const PARALLEL: &str = "4";

/// How much one user may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub requests: u32,
    /// All the time that requests take together.
    pub execution: SignedDuration,
    pub at_once: u32,
    pub window: SignedDuration,
}

impl Default for Limits {
    /// The platform's own.
    fn default() -> Self {
        Limits {
            requests: 6000,
            execution: SignedDuration::from_secs(1200),
            at_once: 52,
            window: SignedDuration::from_secs(300),
        }
    }
}

/// The books of all users.
pub(super) struct Protection {
    limits: Limits,
    clock: Clock,
    users: Mutex<HashMap<Uuid, Usage>>,
}

#[derive(Debug, Default)]
struct Usage {
    /// Second, requests begun in it, and the time of those that ended in it.
    seconds: VecDeque<(i64, u32, SignedDuration)>,
    running: u32,
}

/// A request that was let in; it counts as running until this is dropped.
pub(super) struct Pass {
    protection: Arc<Protection>,
    user: Uuid,
    began: Timestamp,
    requests_left: u32,
    time_left: SignedDuration,
}

impl Protection {
    pub(super) fn new(limits: Limits, clock: Clock) -> Self {
        Protection { limits, clock, users: Mutex::default() }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<Uuid, Usage>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request of this user in, or says which limit stands in the way.
    pub(super) fn enter(self: &Arc<Self>, user: Uuid) -> Result<Pass, DoorRefusal> {
        let (now, limits) = (self.clock.now(), self.limits);
        let first = now.as_second() - limits.window.as_secs() + 1;
        let mut users = self.users();
        if users.len() >= KEPT {
            users.values_mut().for_each(|usage| usage.forget(first));
            users.retain(|_, usage| usage.running > 0 || !usage.seconds.is_empty());
        }
        let usage = users.entry(user).or_default();
        usage.forget(first);
        usage.check(limits, now)?;
        usage.at(now).1 += 1;
        usage.running += 1;
        let (requests, time) = usage.sums();
        Ok(Pass {
            protection: self.clone(),
            user,
            began: now,
            requests_left: limits.requests.saturating_sub(requests),
            time_left: (limits.execution - time).max(SignedDuration::ZERO),
        })
    }
}

impl Usage {
    /// Drops what lies before the window.
    fn forget(&mut self, first: i64) {
        while self.seconds.front().is_some_and(|(second, ..)| *second < first) {
            self.seconds.pop_front();
        }
    }

    fn sums(&self) -> (u32, SignedDuration) {
        let start = (0, SignedDuration::ZERO);
        self.seconds.iter().fold(start, |(requests, time), (_, more, took)| (requests + more, time + *took))
    }

    fn check(&self, limits: Limits, now: Timestamp) -> Result<(), DoorRefusal> {
        if self.running >= limits.at_once {
            let text = format!("Number of concurrent requests exceeded the limit of {}.", limits.at_once);
            return Err(refusal(0x8007_2326, text, 1));
        }
        let (requests, time) = self.sums();
        let window = limits.window.as_secs();
        // What is over the limit leaves the window with the seconds it happened in.
        if requests >= limits.requests {
            let mut left = requests;
            let wait = self.wait(limits, now, |(_, gone, _)| {
                left -= gone;
                left < limits.requests
            });
            let most = limits.requests;
            let text = format!(
                "Number of requests exceeded the limit of {most} over time window of {window} seconds."
            );
            return Err(refusal(0x8007_2322, text, wait));
        }
        if time >= limits.execution {
            let mut left = time;
            let wait = self.wait(limits, now, |(.., gone)| {
                left -= *gone;
                left < limits.execution
            });
            let text = format!(
                "Combined execution time of incoming requests exceeded limit of {} milliseconds over time window of \
                 {window} seconds. Decrease number of concurrent requests or reduce the duration of requests and try \
                 again later.",
                grouped(limits.execution.as_millis())
            );
            return Err(refusal(0x8007_2321, text, wait));
        }
        Ok(())
    }

    /// Seconds until so many of the oldest seconds are gone that `enough` says so.
    fn wait(
        &self,
        limits: Limits,
        now: Timestamp,
        mut enough: impl FnMut(&(i64, u32, SignedDuration)) -> bool,
    ) -> u64 {
        let last = self.seconds.iter().find(|second| enough(second));
        let over = last.map_or(now.as_second(), |(second, ..)| *second) + limits.window.as_secs();
        u64::try_from(over - now.as_second()).unwrap_or(0).max(1)
    }

    fn at(&mut self, now: Timestamp) -> &mut (i64, u32, SignedDuration) {
        let second = now.as_second();
        // A clock that was set back counts in the newest second there is.
        if self.seconds.back().is_none_or(|(last, ..)| *last < second) {
            self.seconds.push_back((second, 0, SignedDuration::ZERO));
        }
        self.seconds.back_mut().expect("one was pushed if there was none")
    }
}

impl Pass {
    /// Says on the answer how much is left.
    pub(super) fn mark(&self, mut reply: DoorReply) -> DoorReply {
        let time = format!("{:.2}", self.time_left.as_secs_f64());
        let headers = [
            ("x-ms-ratelimit-burst-remaining-xrm-requests", self.requests_left.to_string()),
            ("x-ms-ratelimit-time-remaining-xrm-requests", time),
            ("x-ms-dop-hint", PARALLEL.to_owned()),
        ];
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                reply.headers.insert(name, value);
            }
        }
        reply
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let now = self.protection.clock.now();
        if let Some(usage) = self.protection.users().get_mut(&self.user) {
            usage.running = usage.running.saturating_sub(1);
            usage.at(now).2 += now.duration_since(self.began).max(SignedDuration::ZERO);
        }
    }
}

fn refusal(code: u32, message: String, seconds: u64) -> DoorRefusal {
    DoorRefusal {
        retry_after: Some(seconds),
        ..DoorRefusal::new(StatusCode::TOO_MANY_REQUESTS, code, message)
    }
}

/// `1,200,000`, as the platform writes it.
fn grouped(number: i128) -> String {
    let digits = number.to_string();
    let place = |at: usize| if at > 0 && (digits.len() - at).is_multiple_of(3) { "," } else { "" };
    digits.char_indices().map(|(at, digit)| format!("{}{digit}", place(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Uuid = Uuid::from_u128(1);

    fn protection(limits: Limits) -> (Arc<Protection>, Clock) {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1000));
        (Arc::new(Protection::new(limits, clock.clone())), clock)
    }

    #[track_caller]
    fn refused(entered: Result<Pass, DoorRefusal>, code: u32, after: u64) -> String {
        let refusal = entered.map(drop).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after), (code, Some(after)), "{refusal:?}");
        refusal.message
    }

    #[test]
    fn requests_leave_the_window_with_their_second() {
        let (protection, clock) = protection(Limits { requests: 3, ..Limits::default() });
        assert_eq!(protection.enter(USER).unwrap().requests_left, 2);
        clock.advance(SignedDuration::from_secs(100));
        drop((protection.enter(USER).unwrap(), protection.enter(USER).unwrap()));
        let text = refused(protection.enter(USER), 0x8007_2322, 200);
        assert_eq!(text, "Number of requests exceeded the limit of 3 over time window of 300 seconds.");
        assert!(protection.enter(Uuid::from_u128(2)).is_ok(), "somebody else");
        clock.advance(SignedDuration::from_secs(199));
        refused(protection.enter(USER), 0x8007_2322, 1);
        clock.advance(SignedDuration::from_secs(1));
        assert!(protection.enter(USER).is_ok());
        refused(protection.enter(USER), 0x8007_2322, 100);
    }

    #[test]
    fn work_is_counted_when_it_ends() {
        let (protection, clock) = protection(Limits::default());
        let passes: Vec<Pass> = (0..12).map(|_| protection.enter(USER).unwrap()).collect();
        clock.advance(SignedDuration::from_secs(100));
        assert!(protection.enter(USER).is_ok(), "all of it is still running");
        drop(passes);
        let text = refused(protection.enter(USER), 0x8007_2321, 300);
        assert!(
            text.contains("exceeded limit of 1,200,000 milliseconds over time window of 300 seconds"),
            "{text}"
        );
        clock.advance(SignedDuration::from_secs(300));
        assert!(protection.enter(USER).is_ok());
    }

    #[test]
    fn only_so_many_run_at_once() {
        let (protection, _) = protection(Limits { at_once: 2, ..Limits::default() });
        let (one, two) = (protection.enter(USER).unwrap(), protection.enter(USER).unwrap());
        refused(protection.enter(USER), 0x8007_2326, 1);
        drop(one);
        assert!(protection.enter(USER).is_ok());
        drop(two);
    }

    #[test]
    fn idle_users_are_forgotten() {
        let (protection, clock) = protection(Limits::default());
        let running = protection.enter(USER).unwrap();
        for user in 2..=KEPT as u128 {
            drop(protection.enter(Uuid::from_u128(user)).unwrap());
        }
        clock.advance(SignedDuration::from_secs(301));
        drop(protection.enter(Uuid::from_u128(9_999_999)).unwrap());
        assert_eq!(protection.users().len(), 2);
        drop(running);
    }
}
