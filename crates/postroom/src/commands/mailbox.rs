//! `postroom mailbox …`

mod add;

use postroom_operations::{MailboxOrder, MailboxTest, TrialStep as Step};

use crate::app::App;
use crate::cli::{Globals, MailboxCommand, RemoveMailboxArgs, TestMailboxArgs};
use crate::commands::actor;
use crate::commands::trial;
use crate::config::{self, Origin};
use crate::report::{CliError, Column, Exit, Form, Output, one_line};

const COLUMNS: [Column; 8] = [
    Column::id("name", "/name"),
    Column::new("state", "/state"),
    Column::new("behind", "/behind"),
    Column::new("lag", "/lag_seconds"),
    Column::new("track", "/track"),
    Column::new("messages", "/messages"),
    Column::new("last", "/last_received_at"),
    Column::new("why", "/text"),
];

pub async fn run(
    app: &App,
    command: &MailboxCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let operations = &app.operations;
    match command {
        MailboxCommand::Add(arguments) => add::run(app, arguments, globals, out).await,
        MailboxCommand::List => {
            out.list(&COLUMNS, &operations.mailboxes(&actor()).await?)?;
            Ok(Exit::Done)
        }
        MailboxCommand::Show(mailbox) => {
            out.item(&operations.mailbox(&actor(), &mailbox.name).await?)?;
            Ok(Exit::Done)
        }
        MailboxCommand::Test(arguments) => test(app, arguments, out).await,
        MailboxCommand::Pause(order) => {
            let done = operations.pause_mailbox(&actor(), &order.mailbox.name, order.dry_run.dry_run).await?;
            ordered(&done, "paused", "go on with: postroom mailbox resume NAME", out)
        }
        MailboxCommand::Resume(order) => {
            let done =
                operations.resume_mailbox(&actor(), &order.mailbox.name, order.dry_run.dry_run).await?;
            ordered(&done, "read again", "look at it with: postroom mailbox show NAME", out)
        }
        MailboxCommand::Rescan(order) => {
            let (name, dry_run) = (&order.mailbox.name, order.dry_run.dry_run);
            let done = operations.rescan_mailbox(&actor(), name, order.since, dry_run).await?;
            let what = format!(
                "read again since {}; {} messages since then are stored and stay as they are",
                order.since,
                done.stored.unwrap_or_default()
            );
            ordered(&done, &what, "postroom serve does it; look at it with: postroom mailbox show NAME", out)
        }
        MailboxCommand::Remove(arguments) => remove(app, arguments, globals, out).await,
    }
}

/// Says what was ordered, and the next useful command.
fn ordered(done: &MailboxOrder, what: &str, next: &str, out: &mut Output) -> Result<Exit, CliError> {
    if out.is_json() {
        out.item(done)?;
        return Ok(Exit::Done);
    }
    match (done.changed, done.dry_run) {
        (false, _) => out.text("Nothing to change: it stands so already.")?,
        (true, true) => out.text(&format!("{} would be {what}", done.name))?,
        (true, false) => {
            out.text(&format!("{} is {what}", done.name))?;
            out.note(next)?;
        }
    }
    Ok(Exit::Done)
}

/// Tries one mailbox, or all, step by step.
async fn test(app: &App, arguments: &TestMailboxArgs, out: &mut Output) -> Result<Exit, CliError> {
    let (name, round_trip) = (arguments.name.as_deref(), arguments.round_trip);
    let mut broken = Ok(());
    let mut asked = |text: &str| broken = out.note(text);
    let all = app.operations.test_mailboxes(&actor(), name, round_trip, &mut asked).await?;
    broken?;
    match out.style().form {
        Form::Human => all.iter().try_for_each(|tested| told(tested, out))?,
        Form::Plain | Form::Json => {
            let columns = [Column::id("name", "/name"), Column::new("ok", "/ok"), Column::new("do", "/do")];
            out.list(&columns, &all)?;
        }
    }
    Ok(trial::exit(all.iter().flat_map(|tested| &tested.steps)))
}

fn told(tested: &MailboxTest, out: &mut Output) -> Result<(), CliError> {
    out.text(&format!("{} ({})", tested.name, tested.address))?;
    for line in tested.steps.iter().flat_map(lines) {
        out.text(&line)?;
    }
    Ok(())
}

/// A step for a person: a tick or a cross, what was found, and what to do.
pub(super) fn lines(step: &Step) -> Vec<String> {
    let mark = if step.ok { '✓' } else { '✗' };
    let mut lines = vec![format!("  {mark} {:<12}  {}", step.name, one_line(&step.text))];
    lines.extend(step.fix.iter().map(|fix| format!("      do: {}", one_line(fix))));
    lines
}

/// Forgets where a mailbox was read to, and says what is left to be done by hand.
async fn remove(
    app: &App,
    arguments: &RemoveMailboxArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let (name, operations) = (&arguments.mailbox.name, &app.operations);
    let mut done = operations.forget_mailbox(&actor(), name, true).await?;
    if !arguments.dry_run.dry_run {
        arguments.yes.check_count(1)?;
        let question = format!("Forget where {name} was read to, in {} folders?", done.folders.len());
        arguments.yes.confirm(&question, globals)?;
        done = operations.forget_mailbox(&actor(), name, false).await?;
    }
    if out.is_json() {
        out.item(&done)?;
    } else {
        let what = if done.dry_run { "would be forgotten" } else { "is forgotten" };
        out.text(&format!("{name} {what}; its {} messages stay.", done.messages))?;
    }
    if done.configured {
        let place = defined(name, globals).unwrap_or_else(|| "the configuration".into());
        out.note(&format!(
            "now delete [mailboxes.{name}] from {place} and start postroom serve again: else the mailbox begins anew at its start_at"
        ))?;
    }
    Ok(Exit::Done)
}

/// The file and line in which a mailbox stands.
fn defined(name: &str, globals: &Globals) -> Option<String> {
    let loaded = config::load(&globals.sources()).ok()?;
    match loaded.origins.get(&format!("mailboxes.{name}.address"))? {
        Origin::File(place) => Some(format!("{} (line {})", place.file.display(), place.line)),
        _ => None,
    }
}
