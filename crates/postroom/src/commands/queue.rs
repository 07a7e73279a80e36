//! `postroom queue …`

use postroom_core::MailState;
use postroom_operations::{OutgoingChange, OutgoingWanted};

use crate::app::App;
use crate::cli::{FailArgs, Globals, ListQueueArgs, QueueCommand, ReleaseArgs};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

const COLUMNS: [Column; 7] = [
    Column::id("id", "/id"),
    Column::new("state", "/state"),
    Column::new("to", "/recipients/0/address"),
    Column::new("subject", "/subject"),
    Column::new("attempts", "/attempts"),
    Column::new("next", "/next_try"),
    Column::new("why", "/reason"),
];

pub async fn run(
    app: &App,
    command: &QueueCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    match command {
        QueueCommand::List(arguments) => list(app, arguments, out).await,
        QueueCommand::Show { id } => {
            out.item(&app.operations.outgoing_mail(&actor(), *id).await?)?;
            Ok(Exit::Done)
        }
        QueueCommand::Hold(arguments) => {
            let done =
                app.operations.hold_outgoing(&actor(), arguments.id, arguments.dry_run.dry_run).await?;
            changed(&[done], "let it go again with: postroom queue release ID", out)
        }
        QueueCommand::Release(arguments) => release(app, arguments, globals, out).await,
        QueueCommand::Fail(arguments) => fail(app, arguments, globals, out).await,
    }
}

async fn list(app: &App, arguments: &ListQueueArgs, out: &mut Output) -> Result<Exit, CliError> {
    let record = arguments.record.as_ref().map(|record| record.id);
    let limit = u64::from(arguments.limit.limit);
    let wanted = OutgoingWanted { state: arguments.state, record, limit, ..OutgoingWanted::default() };
    out.list(&COLUMNS, &app.operations.outgoing(&actor(), wanted).await?)?;
    Ok(Exit::Done)
}

async fn release(
    app: &App,
    arguments: &ReleaseArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let (operations, dry_run) = (&app.operations, arguments.dry_run.dry_run);
    let ids = match arguments.id {
        Some(id) => vec![id],
        None => {
            let held = OutgoingWanted { state: Some(MailState::Held), ..OutgoingWanted::default() };
            // What is left to others is not ours to let go.
            let held = operations.outgoing(&actor(), held).await?.into_iter();
            held.filter(|mail| mail.hold != Some("foreign")).map(|mail| mail.id).collect()
        }
    };
    arguments.yes.check_count(ids.len() as u64)?;
    if arguments.all && !dry_run && !ids.is_empty() {
        arguments.yes.confirm(&format!("Let {} held mails go?", ids.len()), globals)?;
    }
    let mut done = Vec::new();
    for id in ids {
        done.push(operations.release_outgoing(&actor(), id, dry_run).await?);
    }
    changed(&done, "postroom serve sends it; look at it with: postroom queue show ID", out)
}

async fn fail(
    app: &App,
    arguments: &FailArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let (id, dry_run) = (arguments.mail.id, arguments.mail.dry_run.dry_run);
    let foreseen = app.operations.fail_outgoing(&actor(), id, true).await?;
    if dry_run {
        return changed(&[foreseen], "", out);
    }
    arguments.yes.check_count(1)?;
    arguments.yes.confirm(&format!("Give {id} up for good? It is {} now.", foreseen.from), globals)?;
    let done = app.operations.fail_outgoing(&actor(), id, false).await?;
    changed(&[done], "the CRM's e-mail shows it; it can be sent again from there", out)
}

/// Says what changed, and the next useful command.
fn changed(done: &[OutgoingChange], next: &str, out: &mut Output) -> Result<Exit, CliError> {
    if out.is_json() {
        let columns = [Column::id("id", "/id")];
        out.list(&columns, done)?;
        return Ok(Exit::Done);
    }
    for change in done {
        let would = if change.dry_run { "would become" } else { "is now" };
        out.text(&format!("{} {would} {} (was {})", change.id, change.to, change.from))?;
    }
    match done {
        [] => out.text("Nothing to change: no mail is held.")?,
        [first, ..] if !first.dry_run => out.note(next)?,
        _ => {}
    }
    Ok(Exit::Done)
}
