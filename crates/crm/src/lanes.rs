//! How many requests may be on their way at once: what the server recommends, less the share of others.
//!
//! Starts low. A recommendation (`x-ms-dop-hint`) sets the aim; a refusal for too many at once halves what is taken, and
//! answers that go well give it back one by one (dataverse.md A15). When so few requests are left of the user's window that
//! the others' share of it begins, requests are spread over the window instead of sent as fast as they can.

use std::sync::Mutex;
use std::time::Duration;

use postroom_core::Ids;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::outside::Seen;

/// The platform refuses beyond 52.
const MOST: usize = 50;
/// Before the server recommended anything.
const FIRST: usize = 4;
/// Good answers before one more lane is taken.
const PROOF: usize = 20;
/// Requests that a user has in a window, and the window's length in milliseconds.
const REQUESTS: u32 = 6000;
const WINDOW: u64 = 300_000;

pub(crate) struct Lanes {
    semaphore: Semaphore,
    state: Mutex<State>,
    share: usize,
}

struct State {
    open: usize,
    /// Lanes that are closed, but still in use.
    debt: usize,
    aim: usize,
    good: usize,
    /// So few requests are left that the rest belongs to others.
    scarce: bool,
}

impl Lanes {
    /// `share` in per cent of what the server recommends.
    pub(crate) fn new(share: u32) -> Self {
        let share = usize::try_from(share.clamp(1, 100)).unwrap_or(50);
        let open = (FIRST * share).div_ceil(100).max(1);
        Lanes {
            semaphore: Semaphore::new(open),
            state: Mutex::new(State { open, debt: 0, aim: open, good: 0, scarce: false }),
            share,
        }
    }

    /// Waits for a lane.
    pub(crate) async fn enter(&self) -> Lane<'_> {
        let permit = self.semaphore.acquire().await.expect("the semaphore is never closed");
        Lane { lanes: self, permit: Some(permit) }
    }

    pub(crate) fn open(&self) -> usize {
        self.lock().open
    }

    /// The server recommends so many.
    pub(crate) fn hint(&self, lanes: usize) {
        let mut state = self.lock();
        state.aim = (lanes * self.share / 100).clamp(1, MOST);
        let aim = state.aim;
        if state.open > aim {
            self.narrow(&mut state, aim);
        }
    }

    /// The server says how many requests are left of this user's window.
    pub(crate) fn left(&self, requests: u32) {
        let ours = REQUESTS as usize * self.share / 100;
        self.lock().scarce = (requests as usize) < REQUESTS as usize - ours;
    }

    /// How long each request waits before it goes: all lanes together take no more than our share of the window.
    pub(crate) fn pace(&self) -> Option<Duration> {
        let state = self.lock();
        let ours = (u64::from(REQUESTS) * self.share as u64 / 100).max(1);
        state.scarce.then(|| Duration::from_millis(WINDOW * state.open as u64 / ours))
    }

    /// What an answer said beside itself.
    pub(crate) fn learn(&self, seen: &Seen) {
        if let Some(lanes) = seen.at_once {
            self.hint(lanes);
        }
        if let Some(left) = seen.requests_left {
            self.left(left);
        }
    }

    pub(crate) fn went_well(&self) {
        let mut state = self.lock();
        state.good += 1;
        if state.good >= PROOF && state.open < state.aim {
            state.good = 0;
            state.open += 1;
            match state.debt.checked_sub(1) {
                Some(debt) => state.debt = debt,
                None => self.semaphore.add_permits(1),
            }
        }
    }

    pub(crate) fn too_many(&self) {
        let mut state = self.lock();
        state.good = 0;
        let half = (state.open / 2).max(1);
        self.narrow(&mut state, half);
    }

    /// Lanes that are in use now are closed when they are left, whoever waits for one.
    fn narrow(&self, state: &mut State, to: usize) {
        let closing = state.open - to;
        state.debt += closing - self.semaphore.forget_permits(closing);
        state.open = to;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A lane in use.
pub(crate) struct Lane<'l> {
    lanes: &'l Lanes,
    permit: Option<SemaphorePermit<'l>>,
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let mut state = self.lanes.lock();
        if let Some(debt) = state.debt.checked_sub(1)
            && let Some(permit) = self.permit.take()
        {
            state.debt = debt;
            permit.forget();
        }
    }
}

/// How long to wait before the next try. Full jitter: between nothing and a bound that doubles, 30 seconds at most.
pub(crate) fn pause(ids: &Ids, tried: u32) -> Duration {
    let most = 250_u64.saturating_mul(1 << tried.min(10)).min(30_000);
    Duration::from_millis(ids.next().as_u128() as u64 % most)
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn lanes_follow_the_server() {
        let lanes = Lanes::new(50);
        assert_eq!(lanes.open(), 2);
        lanes.hint(16);
        (0..PROOF * 10).for_each(|_| lanes.went_well());
        assert_eq!(lanes.open(), 8, "half of 16");
        lanes.too_many();
        assert_eq!(lanes.open(), 4);
        lanes.hint(2);
        assert_eq!(lanes.open(), 1);
        lanes.too_many();
        assert_eq!(lanes.open(), 1, "never none");
    }

    /// Those who wait get no lane that was closed while it was in use.
    #[tokio::test]
    async fn lanes_in_use_are_closed_when_they_are_left() {
        let lanes = Lanes::new(100);
        let mut taken = Vec::new();
        for _ in 0..FIRST {
            taken.push(lanes.enter().await);
        }
        let mut now = Context::from_waker(Waker::noop());
        let mut waiting: Vec<_> = (0..FIRST).map(|_| Box::pin(lanes.enter())).collect();
        assert!(waiting.iter_mut().all(|one| one.as_mut().poll(&mut now).is_pending()));
        lanes.too_many();
        assert_eq!(lanes.open(), FIRST / 2);
        let (mut entered, mut in_use) = (Vec::new(), Vec::new());
        while taken.pop().is_some() {
            waiting.retain_mut(|one| match one.as_mut().poll(&mut now) {
                Poll::Ready(lane) => {
                    entered.push(lane);
                    false
                }
                Poll::Pending => true,
            });
            in_use.push(taken.len() + entered.len());
        }
        assert_eq!(in_use, [3, 2, 2, 2]);
    }

    #[test]
    fn what_is_left_to_others_is_not_hurried_through() {
        let lanes = Lanes::new(75);
        assert_eq!(lanes.pace(), None);
        lanes.left(1500);
        assert_eq!(lanes.pace(), None, "a quarter is theirs, and all of it is there");
        lanes.left(1499);
        let expected = Duration::from_millis(300_000 * lanes.open() as u64 / 4500);
        assert_eq!(lanes.pace(), Some(expected), "4500 requests in five minutes");
        lanes.left(6000);
        assert_eq!(lanes.pace(), None);
    }
}
