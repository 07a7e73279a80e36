//! Log lines and counters of outgoing mail, emitted together. No addresses, no subjects.

use metrics::{counter, histogram};
use postroom_core::{Code, MailId, MailState};

use super::{Entry, Hold};

/// A mail came into this state. One that waits for a person is a warning: it stays where it is until somebody looks.
pub(super) fn stands(entry: &Entry) {
    let Entry { id, state, reason, code, .. } = entry;
    let code = code.map(|code| Code(code).to_string()).unwrap_or_default();
    counter!("postroom_outgoing_total", "state" => state.as_str()).increment(1);
    crate::events::came(String::new(), "outgoing", state.as_str());
    if *state == MailState::Held && entry.hold == Some(Hold::Rule) {
        tracing::warn!(event = "mail.held", message_id = %id, state = state.as_str(), code, "Outgoing mail {id} is held: {reason}");
        return;
    }
    tracing::info!(event = "mail.outgoing", message_id = %id, state = state.as_str(), "Outgoing mail {id} is {state}: {reason}");
}

/// A mail has its end; how long that took since the CRM's wish was seen.
pub(super) fn finished(entry: &Entry, now: jiff::Timestamp) {
    let age = now.duration_since(entry.first_at).as_secs_f64().max(0.0);
    histogram!("postroom_message_age_seconds", "stage" => "sent").record(age);
}

/// What happened to mails cannot be written down now; it is kept in memory and tried again.
pub(super) fn unwritten(step: &str, mails: usize, error: &postroom_store::Error) {
    counter!("postroom_outgoing_unwritten_total").increment(1);
    tracing::warn!(
        event = "mail.unwritten",
        step,
        mails,
        "{mails} outgoing mails wait to be written down ({step}): {error}"
    );
}

/// The CRM refused what it was told about a mail; the mail itself is not touched by that.
pub(super) fn untold(id: MailId, fault: &postroom_core::Fault) {
    counter!("postroom_outgoing_untold_total").increment(1);
    tracing::warn!(event = "mail.untold", message_id = %id, code = %fault.code, "The CRM refused the state of outgoing mail {id}: {fault}");
}

/// A copy for the Sent folder could not be put there.
pub(super) fn not_copied(id: MailId, fault: &postroom_core::Fault, last: bool) {
    counter!("postroom_outgoing_not_copied_total").increment(1);
    tracing::warn!(event = "mail.not_copied", message_id = %id, code = %fault.code, last, "No copy of {id} in the Sent folder: {fault}");
}
