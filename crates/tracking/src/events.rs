//! Log lines and counters of the mail half, emitted together so that they cannot drift. No addresses, no subjects.

use metrics::counter;

use crate::filing::decide::Ruling;

/// A mail was decided.
pub fn decided(ruling: &Ruling) {
    let (result, reason) = (ruling.state.as_str(), ruling.method.as_str());
    counter!("postroom_decisions_total", "result" => result, "reason" => reason).increment(1);
    tracing::debug!(event = "mail.decided", state = result, method = reason, "Decided a mail: {result} by {reason}");
}
