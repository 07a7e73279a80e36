//! `[jobs]`: how stored work is claimed and run.

use super::setting::{Check, Reading, section};
use super::units::Span;

const MAX_WORKERS: u32 = 256;
const LEAST_LEASE: Span = Span::seconds(1);
const LEAST_POLL: Span = Span::millis(10);

section! {
    /// How stored work is claimed and run.
    pub struct Jobs {
        /// Pieces of work at once on this node, 1 to 256. More helps while a peer is slow; SQLite has one writer.
        pub workers: u32 = Some(2), "2";
        /// A node that has not moved for this long is taken for dead and its work is given to others. Shorter: crashes
        /// are noticed sooner; too short and a slow database makes nodes take each other's work. At least 1s.
        pub lease: Span = Some(Span::seconds(15)), "\"15s\"";
        /// How often to look for work that no wake-up told of. At least 10ms, at most the lease.
        pub poll: Span = Some(Span::millis(500)), "\"500ms\"";
    }
}

impl Check for Jobs {
    fn check(&self, cx: &mut Reading) {
        if !(1..=MAX_WORKERS).contains(&self.workers) {
            cx.refuse("jobs.workers", format!("jobs.workers takes 1 to {MAX_WORKERS}, not {}", self.workers));
        }
        if self.lease < LEAST_LEASE {
            cx.refuse("jobs.lease", format!("jobs.lease takes {LEAST_LEASE} or more, not {}", self.lease));
        }
        if self.poll < LEAST_POLL || self.poll > self.lease {
            let text =
                format!("jobs.poll takes {LEAST_POLL} up to jobs.lease ({}), not {}", self.lease, self.poll);
            cx.refuse("jobs.poll", text);
        }
    }
}
