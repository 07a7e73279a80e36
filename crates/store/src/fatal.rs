//! The end of the process when data may not be durable.

use std::sync::OnceLock;

static HOOK: OnceLock<fn(&str) -> !> = OnceLock::new();

/// Sets what happens when a commit or sync fails. Without it the process logs the line and exits with code 1.
pub fn on_fatal(hook: fn(&str) -> !) {
    let _ = HOOK.set(hook);
}

/// Ends the process: what is on disk is not certain, and only a restart may look again.
pub(crate) fn stop(reason: &str) -> ! {
    tracing::error!(
        code = "PR-7002",
        "The database could not make data durable: {reason}. Stopping; start again to recover."
    );
    match HOOK.get() {
        Some(hook) => hook(reason),
        None => std::process::exit(1),
    }
}
