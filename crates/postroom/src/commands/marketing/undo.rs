//! `postroom marketing sync undo`

use postroom_core::Fault;
use postroom_operations::marketing::UndoReport;

use super::sync::{exit, watched};
use crate::app::App;
use crate::cli::{Globals, UndoArgs};
use crate::commands::actor;
use crate::report::{CliError, Exit, Output};

/// Records that are named to people; `--json` has more.
const NAMED: usize = 20;

pub async fn run(
    app: &App,
    arguments: &UndoArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let id = arguments.id;
    out.note("reading the records that the run wrote …")?;
    let would = app.operations.undo_run(&actor(), id, true).await?;
    if arguments.dry_run.dry_run {
        receipt(&would, out)?;
        out.note("nothing was written")?;
        return Ok(Exit::Done);
    }
    let number = would.counts.as_ref().map_or(0, |counts| counts.to_crm.sent + counts.removed);
    arguments.yes.check_count(number)?;
    arguments.yes.confirm(&format!("Take back {number} writes of {id}?"), globals)?;
    let begun = app.operations.undo_run(&actor(), id, false).await?;
    if !arguments.wait {
        match (out.is_json(), begun.undo) {
            (true, _) => out.item(&begun)?,
            (false, Some(undo)) => out.text(&format!("{undo} takes it back"))?,
            (false, None) => {}
        }
        out.note("postroom serve does it; look at it with: postroom marketing sync show RUN")?;
        return Ok(Exit::Done);
    }
    let undo = begun.undo.ok_or_else(|| Fault::bug("an undo that was ordered has a run"))?;
    let look = async || app.operations.run(&actor(), undo).await.map(Some);
    let ended = watched(app, look, out).await?;
    receipt(&app.operations.undo_receipt(&actor(), id).await?, out)?;
    Ok(exit(&ended))
}

fn receipt(report: &UndoReport, out: &mut Output) -> Result<(), CliError> {
    if out.is_json() {
        return Ok(out.item(report)?);
    }
    let verb = if report.dry_run { "would go back" } else { "went back" };
    if let Some(counts) = &report.counts {
        out.text(&format!("{} records {verb} to what they were", counts.to_crm.changed))?;
        if counts.removed + counts.to_crm.new > 0 {
            out.text(&format!(
                "{} members {verb} off their lists, {} onto them",
                counts.removed, counts.to_crm.new
            ))?;
        }
        for skipped in &counts.skipped {
            out.text(&format!("  {} left: {}", skipped.number, skipped.reason))?;
        }
    }
    for left in report.left.iter().take(NAMED) {
        out.text(&format!("  {}: {}", left.record, left.why))?;
    }
    if report.left.len() > NAMED {
        out.text(&format!("  … and {} more; --json names them", report.left.len() - NAMED))?;
    }
    for text in &report.stays {
        out.text(text)?;
    }
    Ok(())
}
