//! `postroom message …`

pub mod import;
mod write;

use std::io::Read;
use std::path::Path;

use postroom_core::mail::Direction;
use postroom_core::{Code, MailState};
use postroom_operations::{About, Bulk, ReviewItem, Standing, Wanted};
use postroom_tracking::why;
use serde_json::json;

use crate::app::App;
use crate::cli::{
    Globals, ListMessagesArgs, MessageCommand, ReplayMessageArgs, ReviewCommand, ReviewListArgs,
};
use crate::commands::{actor, with_app};

use crate::report::{CliError, Column, Exit, Form, Output, one_line};

const COLUMNS: [Column; 7] = [
    Column::id("id", "/id"),
    Column::new("state", "/state"),
    Column::new("class", "/class"),
    Column::new("from", "/from"),
    Column::new("subject", "/subject"),
    Column::new("record", "/record/table"),
    Column::new("why", "/reason"),
];

/// A mail larger than this is not read from a file for `why`.
const LARGEST: u64 = 256 * 1024 * 1024;

pub fn run(command: &MessageCommand, globals: &Globals, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        MessageCommand::Why(arguments) => explain(&arguments.file, globals, out),
        MessageCommand::Import(arguments) => {
            with_app(globals, async |app| import::run(&app, arguments, out).await)
        }
        other => with_app(globals, async |app| stored(&app, other, out).await),
    }
}

async fn stored(app: &App, command: &MessageCommand, out: &mut Output) -> Result<Exit, CliError> {
    let (operations, actor) = (&app.operations, actor());
    match command {
        MessageCommand::List(arguments) => list(app, arguments, out).await,
        MessageCommand::Show { id } => {
            let detail = operations.message(&actor, *id).await?;
            out.item(&detail)?;
            Ok(Exit::Done)
        }
        MessageCommand::Raw { id } => {
            out.bytes(&operations.message_raw(&actor, *id).await?)?;
            if let Some(at) = operations.message(&actor, *id).await?.message.purged_at {
                out.note(&format!("its body was purged on {at}: only the headers are left"))?;
            }
            Ok(Exit::Done)
        }
        MessageCommand::Purge(dry_run) => {
            out.item(&operations.purge(&actor, dry_run.dry_run).await?)?;
            Ok(Exit::Done)
        }
        MessageCommand::Write(arguments) => {
            write::run(app, &About::Record(arguments.record.clone()), &arguments.letter, out).await
        }
        MessageCommand::Answer(arguments) => {
            write::run(app, &About::Answer(arguments.id), &arguments.letter, out).await
        }
        MessageCommand::Review(command) => review(app, command, out).await,
        MessageCommand::Move(arguments) => {
            let done =
                operations.place(&actor, arguments.id, arguments.record.clone(), arguments.dry_run.dry_run);
            changed(&done.await?, "moved", out)
        }
        MessageCommand::Replay(arguments) => replay(app, arguments, out).await,
        MessageCommand::Undo { id, dry_run } => {
            changed(&operations.undo_message(&actor, *id, dry_run.dry_run).await?, "set back", out)
        }
        MessageCommand::Import(_) | MessageCommand::Why(_) => unreachable!("handled by the caller"),
    }
}

async fn list(app: &App, arguments: &ListMessagesArgs, out: &mut Output) -> Result<Exit, CliError> {
    let limit = u64::from(arguments.limit.limit);
    let wanted =
        Wanted { state: arguments.state, record: arguments.record.clone(), limit, ..Wanted::default() };
    out.list(&COLUMNS, &app.operations.messages(&actor(), wanted).await?)?;
    Ok(Exit::Done)
}

async fn review(app: &App, command: &ReviewCommand, out: &mut Output) -> Result<Exit, CliError> {
    let (operations, actor) = (&app.operations, actor());
    match command {
        ReviewCommand::List(arguments) => waiting(app, arguments, out).await,
        ReviewCommand::Attach(arguments) => {
            let dry_run = arguments.dry_run.dry_run;
            let done = operations.place(&actor, arguments.id, arguments.record.clone(), dry_run).await?;
            changed(&done, "attached", out)
        }
        ReviewCommand::Reject(arguments) => {
            let (id, dry_run) = (arguments.id, arguments.dry_run.dry_run);
            let done = match &arguments.reason {
                Some(reason) => operations.reject_message(&actor, id, reason, dry_run).await?,
                None => operations.set_aside(&actor, id, false, dry_run).await?,
            };
            changed(&done, "rejected", out)
        }
        ReviewCommand::Skip { id, dry_run } => {
            changed(&operations.set_aside(&actor, *id, true, dry_run.dry_run).await?, "skipped", out)
        }
    }
}

async fn waiting(app: &App, arguments: &ReviewListArgs, out: &mut Output) -> Result<Exit, CliError> {
    let limit = u64::from(arguments.limit.limit);
    if !arguments.candidates {
        let wanted = Wanted { state: Some(MailState::Review), limit, ..Wanted::default() };
        out.list(&COLUMNS, &app.operations.messages(&actor(), wanted).await?)?;
        return Ok(Exit::Done);
    }
    let items = app.operations.review(&actor(), None, limit).await?;
    match out.style().form {
        Form::Human => items.iter().flat_map(proposed).try_for_each(|line| out.text(&line))?,
        Form::Json => out.list(&[], &items)?,
        Form::Plain => {
            let rows: Vec<serde_json::Value> = items.iter().flat_map(rows).collect();
            let columns = [
                Column::id("id", "/id"),
                Column::id("record", "/record"),
                Column::new("name", "/name"),
                Column::new("why", "/why"),
            ];
            out.list(&columns, &rows)?;
        }
    }
    Ok(Exit::Done)
}

/// A mail in review for a person: who wrote what, why it waits, and where it may belong.
fn proposed(item: &ReviewItem) -> Vec<String> {
    let message = &item.message;
    let mut lines = vec![
        format!("{}  {}: {}", message.id, one_line(&message.from), one_line(&message.subject)),
        format!("    waits because: {}", one_line(&message.reason)),
    ];
    let candidates = (1..).zip(&item.candidates);
    lines.extend(candidates.map(|(place, candidate)| {
        let (record, name) = (&candidate.named.record, one_line(&candidate.named.name));
        format!("    {place} {record}  {name}: {}", one_line(&candidate.why))
    }));
    if item.candidates.is_empty() {
        lines.push("    no record is proposed; look for one with: postroom record find WORDS".into());
    }
    lines
}

/// A line for each candidate of a mail.
fn rows(item: &ReviewItem) -> Vec<serde_json::Value> {
    let row = |candidate: &postroom_operations::Proposal| {
        let named = &candidate.named;
        json!({ "id": item.message.id, "record": named.record, "name": named.name, "why": candidate.why })
    };
    item.candidates.iter().map(row).collect()
}

/// Decides again here and now, or says what would come of it.
async fn replay(app: &App, arguments: &ReplayMessageArgs, out: &mut Output) -> Result<Exit, CliError> {
    let (operations, dry_run) = (&app.operations, arguments.dry_run.dry_run);
    let done = match arguments.id {
        Some(id) => operations.replay_message(&actor(), id, dry_run).await?,
        None => operations.replay_review(&actor(), dry_run).await?,
    };
    if !dry_run && done.looked_at > 0 {
        app.runner().drain_due().await.map_err(postroom_core::Fault::from)?;
    }
    if out.is_json() {
        out.item(&done)?;
        return Ok(Exit::Done);
    }
    let would = if dry_run { "would become" } else { "became" };
    for turn in &done.changes {
        let (from, to) = (told(&turn.from), told(&turn.to));
        out.text(&format!("{} {would} {to} (was {from}): {}", turn.id, one_line(&turn.to.reason)))?;
    }
    out.text(&format!("{} looked at, {} decided otherwise.", done.looked_at, done.changed.len()))?;
    Ok(Exit::Done)
}

fn told(standing: &Standing) -> String {
    match &standing.record {
        Some(record) => format!("{} at {record}", standing.state),
        None => standing.state.to_string(),
    }
}

/// Says what changed, and how to look at it.
pub(super) fn changed(done: &Bulk, what: &str, out: &mut Output) -> Result<Exit, CliError> {
    if out.is_json() {
        out.item(&json!({ "changed": done.changed, "dry_run": done.dry_run }))?;
        return Ok(Exit::Done);
    }
    let would = if done.dry_run { "would be " } else { "" };
    match done.changed.as_slice() {
        [] => out.text("Nothing to change: it stands so already.")?,
        ids => {
            for id in ids {
                out.text(&format!("{id} {would}{what}"))?;
            }
            out.note("look at it: postroom message show ID")?;
        }
    }
    Ok(Exit::Done)
}

/// Explains a file: with the configuration's CRM when there is one, else with the bytes alone.
fn explain(file: &Path, globals: &Globals, out: &mut Output) -> Result<Exit, CliError> {
    let raw = read_mail(file)?;
    let configured =
        globals.config.is_some() || globals.sources().places().iter().any(|place| place.exists());
    if !configured {
        let clock = postroom_core::Clock::system();
        out.item(&why::explain_alone(&raw, Direction::Incoming, clock.now()))?;
        return Ok(Exit::Done);
    }
    with_app(globals, async |app| {
        out.item(&app.operations.why(&actor(), &raw, Direction::Incoming, None).await?)?;
        Ok(Exit::Done)
    })
}

/// One mail from a file, or from stdin.
fn read_mail(file: &Path) -> Result<Vec<u8>, CliError> {
    let fail =
        |error: std::io::Error| CliError::new(Code::MAIL_SOURCE, format!("{}: {error}", file.display()));
    let mut raw = Vec::new();
    match file.as_os_str() == "-" {
        true => std::io::stdin().take(LARGEST).read_to_end(&mut raw).map_err(fail)?,
        false => {
            std::fs::File::open(file).map_err(fail)?.take(LARGEST).read_to_end(&mut raw).map_err(fail)?
        }
    };
    Ok(raw)
}
