//! `postroom person …`

use postroom_operations::Receipt;

use crate::app::App;
use crate::cli::{ErasePersonArgs, Globals, PersonCommand};
use crate::commands::actor;
use crate::report::{CliError, Exit, Output};

pub async fn run(
    app: &App,
    command: &PersonCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    match command {
        PersonCommand::Erase(arguments) => erase(app, arguments, globals, out).await,
    }
}

/// Counts first, asks, then erases: `--expect-count` is about the messages.
async fn erase(
    app: &App,
    arguments: &ErasePersonArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let (operations, address) = (&app.operations, arguments.address.as_str());
    let trial = operations.erase_person(&actor(), address, true).await?;
    if arguments.dry_run.dry_run {
        return told(&trial, out);
    }
    arguments.yes.check_count(trial.counts.messages)?;
    let question = format!(
        "Erase {} messages and {} activities of {address} for good?",
        trial.counts.messages, trial.counts.activities
    );
    arguments.yes.confirm(&question, globals)?;
    told(&operations.erase_person(&actor(), address, false).await?, out)
}

/// The receipt. What the CRM refused makes the work partly done.
fn told(receipt: &Receipt, out: &mut Output) -> Result<Exit, CliError> {
    out.item(receipt)?;
    match receipt.refusals.is_empty() {
        true => Ok(Exit::Done),
        false => {
            out.note("the CRM refused some of it: see refusals; erase the rest there by hand")?;
            Ok(Exit::PartlyDone)
        }
    }
}
