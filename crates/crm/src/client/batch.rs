//! How many messages go in one: fewer when the server needs too long for so many, and more again when it keeps up.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// So few are never the reason that an answer came too late.
const LEAST: usize = 10;
/// Good answers to full messages before twice as many are tried.
const PROOF: usize = 20;

pub(super) struct Batch {
    /// What an administrator sets.
    most: usize,
    state: Mutex<State>,
}

struct State {
    size: usize,
    good: usize,
}

impl Batch {
    pub(super) fn new(most: usize) -> Batch {
        Batch { most, state: Mutex::new(State { size: most, good: 0 }) }
    }

    pub(super) fn size(&self) -> usize {
        self.state().size
    }

    /// The answer to a message of so many came too late, or not at all.
    pub(super) fn late(&self, steps: usize) {
        if steps <= LEAST {
            return;
        }
        let mut state = self.state();
        state.good = 0;
        // Several that were under way together are one sign, not many.
        state.size = state.size.min((steps / 2).max(LEAST));
    }

    /// A message of so many was answered in time.
    pub(super) fn kept_up(&self, steps: usize) {
        let mut state = self.state();
        if state.size == self.most || steps * 2 < state.size {
            return;
        }
        state.good += 1;
        if state.good >= PROOF {
            *state = State { size: (state.size * 2).min(self.most), good: 0 };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_follows_the_server() {
        let batch = Batch::new(200);
        let after = |what: fn(&Batch, usize), steps: usize, times: usize| {
            (0..times).for_each(|_| what(&batch, steps));
            batch.size()
        };
        assert_eq!(after(Batch::late, 2, 5), 200, "two steps are not too many");
        assert_eq!(after(Batch::late, 200, 3), 100, "three under way together");
        assert_eq!(after(Batch::late, 100, 1), 50);
        assert_eq!(after(Batch::kept_up, 2, 100), 50, "small ones show nothing");
        assert_eq!(after(Batch::kept_up, 50, PROOF), 100);
        assert_eq!(after(Batch::kept_up, 100, PROOF * 5), 200, "never more than is set");
        for steps in [200, 100, 50, 25, 12, 11] {
            batch.late(steps);
        }
        assert_eq!(batch.size(), LEAST);
        let small = Batch::new(4);
        small.late(4);
        assert_eq!(small.size(), 4);
    }
}
