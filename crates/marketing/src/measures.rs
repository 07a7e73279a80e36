//! Counters of the marketing half. Names of accounts, addresses and records are no labels.

use jiff::Timestamp;
use metrics::{counter, gauge};

use crate::sync::{Counts, RunState, SyncType};

/// A run ended so.
pub(crate) fn run_ended(sync_type: SyncType, state: RunState, counts: &Counts, now: Timestamp) {
    let name = sync_type.as_str();
    counter!("postroom_sync_runs_total", "type" => name, "result" => state.as_str()).increment(1);
    for side in [&counts.to_crm, &counts.to_service] {
        let rows = [
            ("new", side.new),
            ("changed", side.changed),
            ("same", side.same),
            ("rejected", side.rejected),
            ("suppressed", side.suppressed),
        ];
        for (word, number) in rows {
            counter!("postroom_sync_rows_total", "type" => name, "state" => word).increment(number);
        }
    }
    if matches!(state, RunState::Done | RunState::Partly) {
        gauge!("postroom_sync_last_success_timestamp_seconds", "type" => name).set(now.as_second() as f64);
    }
}

/// The gate was asked for so many people, and let some of them not pass.
pub(crate) fn gate(asked: usize, blocked: usize) {
    let passed = asked.saturating_sub(blocked);
    counter!("postroom_suppression_gate_total", "result" => "passed").increment(passed as u64);
    counter!("postroom_suppression_gate_total", "result" => "blocked").increment(blocked as u64);
}
