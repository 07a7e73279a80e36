//! Log lines and counters of the mail half, emitted together so that they cannot drift. No addresses, no subjects.

use std::time::Duration;

use jiff::SignedDuration;
use metrics::{counter, histogram};
use postroom_core::MailId;

use crate::filing::decide::Ruling;

/// A mail was decided.
pub fn decided(id: MailId, ruling: &Ruling) {
    let (result, reason) = (ruling.state.as_str(), ruling.method.as_str());
    counter!("postroom_decisions_total", "result" => result, "reason" => reason).increment(1);
    tracing::info!(event = "mail.decided", message_id = %id, state = result, method = reason, "Decided {id}: {result} by {reason}");
}

/// A mail was stored at the door.
pub fn accepted(source: &'static str, direction: &'static str, new: bool) {
    let state = if new { "received" } else { "sighting" };
    counter!("postroom_messages_total", "source" => source, "direction" => direction, "state" => state)
        .increment(1);
}

/// Mails were read in a batch.
pub fn parsed(count: usize, took: Duration) {
    if let Ok(count) = u32::try_from(count)
        && count > 0
    {
        histogram!("postroom_parse_seconds").record(took / count);
    }
}

/// A mail found its place, this long after it came in.
pub fn filed(age: SignedDuration) {
    histogram!("postroom_message_age_seconds", "stage" => "filed").record(age.as_secs_f64().max(0.0));
}
