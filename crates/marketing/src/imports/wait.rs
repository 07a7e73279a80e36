//! Asking about an import until it has ended, or for as long as one run has patience.

use std::time::Duration;

use jiff::SignedDuration;
use postroom_core::marketing::{Import, ImportStatus};
use postroom_core::{Code, Fault};

use super::ledger::{self, Job};
use crate::sync::{Halt, Turn};

/// The import with its report.
///
/// # Errors
/// An end without a report, of which the ledger is told: its people are sent again by a later run. And
/// [`Code::MARKETING_BUSY`] when it goes on.
pub(super) async fn until_ended(turn: &mut Turn, job: &Job) -> Result<Import, Halt> {
    let Some(id) = &job.service else {
        return Err(Fault::bug("an import without an id is waited for").into());
    };
    let rules = turn.engine.rules.clone();
    // It has been under way since it went out, perhaps while others were packed.
    let age = turn.now().duration_since(job.begun).max(SignedDuration::ZERO);
    for asked in 0..rules.questions.max(1) {
        let wait = rules.polling.wait(asked)
            - if asked == 0 { age.min(rules.polling.wait(0)) } else { SignedDuration::ZERO };
        tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
        let import = turn.account.service.import_status(id).await?;
        match &import.status {
            ImportStatus::Finished if import.report.is_some() => return Ok(import),
            ImportStatus::RejectedByWatchdog
            | ImportStatus::InvalidFileFormat
            | ImportStatus::Failed
            | ImportStatus::ExceedsAllowedContactLimit => {
                let status = import.status.as_str().to_owned();
                let stopped = import.status == ImportStatus::RejectedByWatchdog;
                ledger::refused(turn, job, status, stopped).await?;
                return Err(refusal(job, &import.status).into());
            }
            // A word that nobody knows may be followed by one that somebody does.
            ImportStatus::NotFinished | ImportStatus::Finished | ImportStatus::Other(_) => {}
        }
    }
    let text = format!(
        "the service has not finished import {job} of {} people; the next run looks again",
        job.people
    );
    Err(Fault::reject(Code::MARKETING_BUSY, text).into())
}

/// Whether more questions about an old import would tell nothing: it never ends, or the service forgot it.
pub(super) fn is_vain(fault: &Fault) -> bool {
    [Code::MARKETING_BUSY, Code::MARKETING_NOT_FOUND].contains(&fault.code)
}

fn refusal(job: &Job, status: &ImportStatus) -> Fault {
    let (code, what) = match status {
        ImportStatus::RejectedByWatchdog => (
            Code::MARKETING_WATCHDOG,
            "was stopped by the service's filter against abuse; nobody in it is sent again as they are: look at the rejected rows, ask the service's support, then replay them",
        ),
        ImportStatus::ExceedsAllowedContactLimit => (
            Code::MARKETING_QUOTA,
            "would exceed the people that the account may have; make room or ask for a larger plan",
        ),
        _ => (Code::MARKETING_REFUSED, "failed at the service; its people are sent again by the next run"),
    };
    Fault::reject(code, format!("import {job} of {} people {what} ({status})", job.people))
}
