//! `postroom solution …`

use std::path::Path;

use postroom_core::Code;
use postroom_marketing::solution::look::State;
use postroom_marketing::solution::{Era, VERSION};
use postroom_operations::{SolutionAsk, SolutionFile, SolutionView};
use serde_json::json;

use crate::app::App;
use crate::cli::{ExportSolutionArgs, Globals, InstallSolutionArgs, SolutionCommand, UninstallSolutionArgs};
use crate::commands::actor;
use crate::report::{CliError, Exit, Output, Progress};

/// Missing definitions that are named one by one.
const NAMED: usize = 20;

pub async fn run(
    app: &App,
    command: &SolutionCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    match command {
        SolutionCommand::Export(arguments) => export(arguments, out),
        SolutionCommand::Install(arguments) => install(app, arguments, false, out).await,
        SolutionCommand::Upgrade(arguments) => install(app, arguments, true, out).await,
        SolutionCommand::Status(arguments) => {
            let ask = ask(arguments.generation.generation, false, false);
            told(&app.operations.solution_status(&actor(), &ask).await?, out)
        }
        SolutionCommand::Uninstall(arguments) => uninstall(app, arguments, globals, out).await,
    }
}

/// Writes the file.
pub fn export(arguments: &ExportSolutionArgs, out: &mut Output) -> Result<Exit, CliError> {
    let SolutionFile { name, bytes, era, managed } =
        SolutionFile::of(arguments.generation.generation, arguments.managed);
    let path = arguments.output.as_deref().unwrap_or_else(|| Path::new(&name));
    if path == Path::new("-") {
        out.bytes(&bytes)?;
        return Ok(Exit::Done);
    }
    std::fs::write(path, &bytes).map_err(|error| {
        let text = format!("{} cannot be written: {error}", path.display());
        CliError::new(Code::API_INPUT, text).with_action("Choose another place with --output FILE")
    })?;
    if out.is_json() {
        out.item(&json!({
            "file": path.display().to_string(), "bytes": bytes.len(), "version": VERSION, "managed": managed,
            "generation": era.to_string(),
        }))?;
    } else {
        out.text(&format!("{} written: version {VERSION}, {} bytes", path.display(), bytes.len()))?;
        out.note("how to import it: docs/SOLUTION.md")?;
    }
    Ok(Exit::Done)
}

fn ask(era: Option<Era>, take_over: bool, dry_run: bool) -> SolutionAsk {
    SolutionAsk { era, take_over, dry_run }
}

async fn install(
    app: &App,
    arguments: &InstallSolutionArgs,
    upgrade: bool,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let ask = ask(arguments.generation.generation, arguments.take_over, arguments.dry_run.dry_run);
    let mut progress = Progress::start(out.style(), "percent of the import", Some(100));
    let mut shown = 0;
    let moved = |percent: f64| {
        // Between 0 and 100 by the platform's promise.
        let percent = percent.clamp(0.0, 100.0) as u64;
        progress.add(percent.saturating_sub(shown));
        shown = shown.max(percent);
    };
    let done = match upgrade {
        true => app.operations.solution_upgrade(&actor(), &ask, moved).await,
        false => app.operations.solution_install(&actor(), &ask, moved).await,
    };
    progress.finish();
    told(&done?, out)
}

async fn uninstall(
    app: &App,
    arguments: &UninstallSolutionArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let mut ask = ask(None, arguments.take_over, true);
    let before = app.operations.solution_uninstall(&actor(), &ask).await?;
    if arguments.dry_run.dry_run {
        return told(&before, out);
    }
    arguments.yes.check_count(before.tables.len() as u64)?;
    if before.state != State::Absent {
        let count = before.tables.len();
        let question = format!("Take {count} tables with all their rows out of {} for good?", before.server);
        arguments.yes.confirm(&question, globals)?;
    }
    ask.dry_run = false;
    told(&app.operations.solution_uninstall(&actor(), &ask).await?, out)
}

fn told(view: &SolutionView, out: &mut Output) -> Result<Exit, CliError> {
    if out.is_json() {
        out.item(view)?;
        return Ok(Exit::Done);
    }
    for line in lines(view) {
        out.text(&line)?;
    }
    out.note(next(view))?;
    Ok(Exit::Done)
}

fn lines(view: &SolutionView) -> Vec<String> {
    let there = match &view.registered {
        Some(known) if known.managed => format!("version {}", known.version),
        Some(known) => format!("version {}, unmanaged", known.version),
        None => "not there".to_owned(),
    };
    let mut lines = vec![format!(
        "solution: {there}; this program brings {}; the CRM is {} (generation {})",
        view.version, view.server, view.generation
    )];
    if let Some(mark) = &view.connector {
        let last = mark.heartbeat.map_or_else(|| "never".to_owned(), |at| at.to_string());
        lines.push(format!("connector: {} ({}), last {last}", mark.connector.name, mark.connector.id));
    }
    if let Some(outcome) = view.outcome {
        lines.push(format!(
            "{outcome}: {} definitions are there, {} tables",
            view.present,
            view.tables.len()
        ));
        return lines;
    }
    if !view.holders.is_empty() {
        let holders = view.holders.join(" and ");
        lines.push(format!(
            "{} of these tables are of the solution {holders}, and stay as they are",
            view.theirs.len()
        ));
    }
    lines.push(format!("definitions: {} there, {} missing", view.present, view.missing.len()));
    lines.extend(view.missing.iter().take(NAMED).map(|name| format!("  would make {name}")));
    if view.missing.len() > NAMED {
        lines.push(format!("  and {} more: see --json", view.missing.len() - NAMED));
    }
    if !view.replaced.is_empty() {
        lines.push(format!("  would bring this program's {}", view.replaced.join(", ")));
    }
    lines.extend(view.clashes.iter().take(NAMED).map(|clash| {
        format!("  does not fit: {} is {} and would have to be {}", clash.what, clash.found, clash.wanted)
    }));
    if view.clashes.len() > NAMED {
        lines.push(format!("  and {} more do not fit: see --json", view.clashes.len() - NAMED));
    }
    lines.extend(view.refused.iter().map(|why| format!("nothing may be installed: {why}")));
    lines
}

fn next(view: &SolutionView) -> &'static str {
    match (view.outcome, view.state) {
        (Some("uninstalled"), _) => "put it back, without its rows: postroom solution install",
        (Some(_), _) => {
            "give people their roles in the CRM: docs/SOLUTION.md; take it away: postroom solution uninstall"
        }
        (None, State::Absent) => "put it into the CRM: postroom solution install",
        (None, State::Fitting) => {
            "use these tables, and add what they lack: stop the other connector, then postroom solution install"
        }
        (None, State::Outdated) => "bring it up to date: postroom solution upgrade",
        (None, _) => "more: docs/SOLUTION.md",
    }
}
