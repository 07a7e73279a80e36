//! Kill points: places where a crash test makes the process die, by name.
//!
//! The store calls [`point`] before and after each commit with the names of the steps in it, so every durable step has
//! two points: `STEP.before_commit` and `STEP.after_commit`. Nothing happens unless the binary armed a point (from the
//! environment variable `POSTROOM_KILL_AT=NAME[:COUNT]`, read once at start).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

struct Armed {
    name: String,
    left: AtomicU64,
    die: fn() -> !,
}

static ARMED: OnceLock<Armed> = OnceLock::new();
static SEEN: OnceLock<fn(&str)> = OnceLock::new();

/// Arms the point `name`: the `count`-th time it is reached, `die` is called. The first call of a process counts.
pub fn arm(name: &str, count: u64, die: fn() -> !) {
    let _ = ARMED.set(Armed { name: name.to_owned(), left: AtomicU64::new(count.max(1)), die });
}

/// Tells `seen` of every point that is reached: how a test learns that a point exists but is never hit.
pub fn watch(seen: fn(&str)) {
    let _ = SEEN.set(seen);
}

/// Dies here if this point is armed and its count is used up.
pub fn point(step: &str, moment: &str) {
    if let Some(seen) = SEEN.get() {
        seen(&format!("{step}.{moment}"));
    }
    let Some(armed) = ARMED.get() else { return };
    let named = armed.name.strip_suffix(moment).and_then(|rest| rest.strip_suffix('.'));
    if named == Some(step) && armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        (armed.die)();
    }
}
