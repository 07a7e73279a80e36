//! `postroom marketing suppress …`

use std::io::Read;
use std::path::Path;

use postroom_core::Code;
use postroom_operations::marketing::{
    Asking, ExportForm as Form, LiftReport, Lifting, SuppressReport, SuppressionsWanted,
};

use super::campaign::in_the_name_of;
use crate::app::App;
use crate::cli::{
    AddSuppressionArgs, CheckSuppressionArgs, ExportArgs, Globals, ImportSuppressionsArgs, LiftArgs,
    ListSuppressionsArgs, SuppressCommand,
};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

/// Rows read at once for an export.
const PAGE: u64 = 1000;

const COLUMNS: [Column; 6] = [
    Column::id("address", "/address"),
    Column::new("account", "/account"),
    Column::new("reason", "/reason"),
    Column::new("since", "/since"),
    Column::new("origin", "/origin"),
    Column::new("active", "/active"),
];

pub async fn run(
    app: &App,
    command: &SuppressCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    match command {
        SuppressCommand::List(arguments) => list(app, arguments, out).await,
        SuppressCommand::Add(arguments) => add(app, arguments, out).await,
        SuppressCommand::Lift(arguments) => lift(app, arguments, globals, out).await,
        SuppressCommand::Check(arguments) => check(app, arguments, out).await,
        SuppressCommand::Import(arguments) => import(app, arguments, out).await,
        SuppressCommand::Export(arguments) => export(app, arguments, out).await,
    }
}

async fn list(app: &App, arguments: &ListSuppressionsArgs, out: &mut Output) -> Result<Exit, CliError> {
    let wanted = SuppressionsWanted {
        part: arguments.part.clone(),
        account: arguments.of.account.clone(),
        active: (!arguments.all).then_some(true),
        after: None,
        limit: arguments.limit.get().map_or(u64::from(u32::MAX), u64::from),
    };
    out.list(&COLUMNS, &app.operations.suppressions(&actor(), wanted).await?)?;
    Ok(Exit::Done)
}

async fn add(app: &App, arguments: &AddSuppressionArgs, out: &mut Output) -> Result<Exit, CliError> {
    let asking = Asking {
        address: arguments.address.clone(),
        account: arguments.of.account.clone(),
        reason: arguments.reason.clone(),
    };
    let actor = in_the_name_of(app, &arguments.name).await?;
    let done = app.operations.suppress(&actor, &asking, arguments.dry_run.dry_run).await?;
    written(&done, out)?;
    Ok(Exit::Done)
}

/// Says what was written, or would be.
fn written(done: &SuppressReport, out: &mut Output) -> Result<(), CliError> {
    if out.is_json() {
        return Ok(out.item(done)?);
    }
    let would = if done.dry_run { "would be " } else { "" };
    out.text(&format!(
        "{} {would}suppressed, {} {would}changed, {} suppressed already (in {})",
        done.new,
        done.changed,
        done.same,
        done.accounts.join(", ")
    ))?;
    for refused in &done.rejected {
        out.note(&format!("line {}: {}", refused.line, refused.reason))?;
    }
    if !done.dry_run && done.new + done.changed > 0 {
        out.note("no mail leaves from now on; postroom serve tells the CRM and the service")?;
    }
    Ok(())
}

async fn lift(
    app: &App,
    arguments: &LiftArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let lifting = Lifting {
        address: arguments.address.clone(),
        account: arguments.of.account.clone(),
        proof: arguments.proof.clone(),
        at: arguments.at,
    };
    let actor = in_the_name_of(app, &arguments.name).await?;
    let mut done = app.operations.lift_suppression(&actor, &lifting, true).await?;
    if !arguments.dry_run.dry_run {
        arguments.yes.check_count(done.lifted.len() as u64)?;
        let question =
            format!("Send marketing mail to {} again, from {}?", done.address, done.lifted.join(", "));
        arguments.yes.confirm(&question, globals)?;
        done = app.operations.lift_suppression(&actor, &lifting, false).await?;
    }
    lifted(&done, out)?;
    Ok(Exit::Done)
}

fn lifted(done: &LiftReport, out: &mut Output) -> Result<(), CliError> {
    if out.is_json() {
        return Ok(out.item(done)?);
    }
    let is = if done.dry_run { "would be lifted" } else { "is lifted" };
    out.text(&format!("{}: the suppression {is} in {}", done.address, done.lifted.join(", ")))?;
    for reason in &done.still {
        out.note(&format!("still no mail from {}: {}", reason.account, reason.text))?;
    }
    Ok(())
}

/// Exit 20 when mail to the address is held back.
async fn check(app: &App, arguments: &CheckSuppressionArgs, out: &mut Output) -> Result<Exit, CliError> {
    let account = arguments.of.account.as_deref();
    let found = app.operations.check_suppression(&actor(), &arguments.address, account).await?;
    if out.is_json() {
        out.item(&found)?;
    } else if found.suppressed {
        out.text(&format!("{} gets no marketing mail:", found.address))?;
        for reason in &found.reasons {
            out.text(&format!("  {}: {}", reason.account, reason.text))?;
        }
    } else {
        out.text(&format!("{} is not suppressed", found.address))?;
    }
    if !out.is_json() {
        for said in &found.entries {
            let who = if said.actor.is_empty() { "the person" } else { &said.actor };
            let proof =
                if said.proof.is_empty() { String::new() } else { format!(", proof: {}", said.proof) };
            out.text(&format!(
                "  {} {} {} ({}, by {who}{proof})",
                said.at, said.account, said.said, said.source
            ))?;
        }
    }
    Ok(if found.suppressed { Exit::No } else { Exit::Done })
}

async fn import(app: &App, arguments: &ImportSuppressionsArgs, out: &mut Output) -> Result<Exit, CliError> {
    let (bytes, name) = read(&arguments.file)?;
    let account = arguments.of.account.as_deref();
    let dry_run = arguments.dry_run.dry_run;
    let actor = in_the_name_of(app, &arguments.name).await?;
    let done = app.operations.import_suppressions(&actor, &bytes, &name, account, dry_run).await?;
    written(&done, out)?;
    Ok(if done.rejected.is_empty() { Exit::Done } else { Exit::PartlyDone })
}

/// A file's bytes and its name without the folder; `-` is stdin.
fn read(file: &Path) -> Result<(Vec<u8>, String), CliError> {
    let failed = |error: std::io::Error| {
        CliError::new(Code::API_NOT_FOUND, format!("{} cannot be read: {error}", file.display()))
    };
    if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(failed)?;
        return Ok((bytes, "stdin".to_owned()));
    }
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((std::fs::read(file).map_err(failed)?, name))
}

/// All of them, page by page: there may be millions.
async fn export(app: &App, arguments: &ExportArgs, out: &mut Output) -> Result<Exit, CliError> {
    let mut wanted = SuppressionsWanted {
        account: arguments.of.account.clone(),
        active: (!arguments.all).then_some(true),
        limit: PAGE,
        ..SuppressionsWanted::default()
    };
    let form: Form = arguments.format.into();
    out.bytes(form.head().as_bytes())?;
    while let Some((lines, last)) = app.operations.export_suppressions(&actor(), wanted.clone(), form).await?
    {
        out.bytes(lines.as_bytes())?;
        wanted.after = Some(last);
    }
    Ok(Exit::Done)
}
