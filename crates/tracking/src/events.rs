//! Log lines and counters of the mail half, emitted together so that they cannot drift. No addresses, no subjects.

use std::time::Duration;

use jiff::SignedDuration;
use metrics::{counter, histogram};
use postroom_core::MailId;

use crate::filing::decide::Ruling;
use crate::filing::reading::PARTLY;

/// A mail was decided.
pub fn decided(id: MailId, ruling: &Ruling) {
    let (result, reason) = (ruling.state.as_str(), ruling.method.as_str());
    counter!("postroom_decisions_total", "result" => result, "reason" => reason).increment(1);
    tracing::info!(event = "mail.decided", message_id = %id, state = result, method = reason, "Decided {id}: {result} by {reason}");
}

/// A mail was stored at the door, for this mailbox when one was named.
pub fn accepted(mailbox: Option<String>, direction: &'static str, new: bool) {
    let state = if new { "received" } else { "sighting" };
    came(mailbox.unwrap_or_default(), direction, state);
}

/// A mail came into a state.
pub fn came(mailbox: String, direction: &'static str, state: &'static str) {
    counter!("postroom_messages_total", "mailbox" => mailbox, "direction" => direction, "state" => state)
        .increment(1);
}

/// Ids that say they are ours were looked at.
pub fn verified(good: usize, forged: usize) {
    counter!("postroom_token_verify_total", "result" => "valid").increment(good as u64);
    counter!("postroom_token_verify_total", "result" => "forged").increment(forged as u64);
}

/// A mail was read, all of it unless reasons are given why not. Each reason is counted from the start, so that its first case
/// shows as a rise.
pub fn partly_read(id: MailId, reasons: &[&'static str]) {
    for code in PARTLY {
        let count = u64::from(reasons.contains(&code));
        counter!("postroom_parse_failures_total", "code" => code).increment(count);
    }
    if !reasons.is_empty() {
        let why = reasons.join(", ");
        tracing::info!(event = "mail.partly_read", message_id = %id, why, "Read {id} in part only: {why}");
    }
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

/// Bodies of mail that is not tracked aged out.
pub fn purged(messages: u64, bytes: u64) {
    counter!("postroom_purged_messages_total").increment(messages);
    if messages > 0 {
        tracing::info!(
            event = "mail.purged",
            messages,
            bytes,
            "Purged the bodies of {messages} mails that are not tracked"
        );
    }
}

/// What one person asked for is done.
pub fn erased(erasure: uuid::Uuid, messages: u64, refusals: usize) {
    counter!("postroom_erased_messages_total").increment(messages);
    tracing::info!(event = "person.erased", %erasure, messages, refusals, "Erased {messages} mails of a person; the CRM refused {refusals} changes");
}
