//! Forms of the service: their questions, and what people answered (marketing-entities.md 4.9).
//!
//! # Design
//!
//! 1. [`definitions`]: the service lists its forms with the numbers of their responses; a form that is other than before is due,
//!    which is written down before anything else. Form, questions and options become rows of the CRM.
//! 2. [`responses`]: what was answered since the form's mark goes into `form_response`, in one unit with the mark and with
//!    entries of the consent ledger: an answer to a question that [`settings`] names is explicit consent, with its proof,
//!    and lifts an opt-out that is older.
//! 3. [`tell_crm`]: who answered is looked for by address ([`matching`]), or made as the form says in the CRM, under an id that
//!    follows from the address. A response and its answers are one change set; answers are replaced as a set.
//!
//! [`look`] is what people see of it. A form stays due until all of that is done, so a run that was cut goes on.

pub mod definitions;
pub mod look;
pub mod matching;
pub mod questions;
pub mod responses;
pub mod rows;
pub mod settings;
pub mod tell_crm;

use postroom_core::Verdict;
use postroom_core::marketing::FormId;

use crate::sync::{Halt, Turn};
use definitions::Due;
use questions::Questions;
pub use settings::{ConsentQuestion, Settings};

/// The flow.
///
/// # Errors
/// Faults of either side; what was stored until then stays.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let due = definitions::due(turn).await?;
    if due.is_empty() {
        return Ok(());
    }
    let latest = turn.account.service.server_time().await?;
    for due in due {
        match form(turn, &due, latest).await {
            Ok(()) => definitions::done(turn, &due).await?,
            // One form that is refused stops no other, and is asked for again when it changes.
            Err(Halt::Fault(fault)) if fault.verdict == Verdict::Reject => {
                let subject = format!("form {}", due.form.id);
                let reject = crate::sync::turn::rejected(subject, &fault, due.form.name.clone());
                turn.counts.skip("forms that were refused", 1);
                turn.reject(vec![reject]).await?;
                definitions::done(turn, &due).await?;
            }
            Err(halt) => return Err(halt),
        }
    }
    Ok(())
}

async fn form(turn: &mut Turn, due: &Due, latest: jiff::Timestamp) -> Result<(), Halt> {
    let pages = turn.account.service.form_pages(&FormId(due.form.id)).await?;
    let questions = Questions::of(pages);
    definitions::tell(turn, &due.form, &questions).await?;
    responses::read(turn, due.form.id, &questions, latest).await?;
    tell_crm::run(turn, due, &questions).await
}
