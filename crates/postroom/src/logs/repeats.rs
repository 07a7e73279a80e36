//! The same event again and again: the first ones of a while are written, the next one written says how many were not.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;

/// How long the first ones count.
const WINDOW: Duration = Duration::from_secs(10);
/// How many equal lines a window may have.
const MOST: u64 = 20;
/// Different lines remembered; when there are more, all are forgotten, which only lets more through.
const REMEMBERED: usize = 4096;

#[derive(Default)]
pub(super) struct Repeats(Mutex<HashMap<(Identifier, u64), Seen>>);

struct Seen {
    since: Instant,
    written: u64,
    left_out: u64,
}

impl Repeats {
    /// Whether to write the event: `Some` with the number of equal ones left out before it, or `None`.
    pub fn admit(&self, callsite: Identifier, message: &str, now: Instant) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        message.hash(&mut hasher);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        let fresh = || Seen { since: now, written: 0, left_out: 0 };
        let one = seen.entry((callsite, hasher.finish())).or_insert_with(fresh);
        let mut left_out = 0;
        if now.duration_since(one.since) >= WINDOW {
            left_out = one.left_out;
            *one = fresh();
        }
        if one.written < MOST {
            one.written += 1;
            return Some(left_out);
        }
        one.left_out += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use tracing::callsite::Callsite;
    use tracing::metadata::LevelFilter;

    use super::*;

    struct Here;
    static HERE: Here = Here;

    impl Callsite for Here {
        fn set_interest(&self, _: tracing::subscriber::Interest) {}
        fn metadata(&self) -> &tracing::Metadata<'_> {
            unreachable!("nothing asks for it: {:?}", LevelFilter::OFF)
        }
    }

    #[test]
    fn the_line_after_a_flood_says_how_many_were_left_out() {
        let repeats = Repeats::default();
        let start = Instant::now();
        let here = || tracing::callsite::Identifier(&HERE);
        let written = (0..50).filter(|_| repeats.admit(here(), "same", start).is_some()).count();
        assert_eq!(written, 20);
        assert_eq!(repeats.admit(here(), "other", start), Some(0));
        assert_eq!(repeats.admit(here(), "same", start + WINDOW), Some(30));
    }
}
