//! `postroom marketing sync …`

use std::time::Duration;

use postroom_core::{Fault, RunId};
use postroom_operations::marketing::{RejectedWanted, RunView, RunsWanted, SyncType};
use tokio_util::sync::CancellationToken;

use super::campaign::in_the_name_of;
use crate::app::App;
use crate::cli::{ConfirmArgs, Globals, RejectedArgs, ReplayRejectedArgs, RunArgs, RunsArgs, SyncCommand};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output, Progress};

/// Between two looks at a run.
const LOOK: Duration = Duration::from_millis(200);

const TYPES: [Column; 7] = [
    Column::id("account", "/account"),
    Column::id("type", "/type"),
    Column::new("state", "/state"),
    Column::new("last", "/last_run/started"),
    Column::new("next", "/next_due"),
    Column::new("rejected", "/open_rejected"),
    Column::new("why", "/text"),
];

const RUNS: [Column; 9] = [
    Column::id("id", "/id"),
    Column::new("account", "/account"),
    Column::new("type", "/type"),
    Column::new("state", "/state"),
    Column::new("started", "/started"),
    Column::new("to crm", "/counts/to_crm/sent"),
    Column::new("to service", "/counts/to_service/sent"),
    Column::new("asked by", "/asked_by"),
    Column::new("why", "/reason"),
];

const REJECTED: [Column; 7] = [
    Column::id("id", "/id"),
    Column::new("type", "/type"),
    Column::new("subject", "/subject"),
    Column::new("code", "/code"),
    Column::new("why", "/reason"),
    Column::new("sent", "/sent"),
    Column::new("received", "/received"),
];

pub async fn run(
    app: &App,
    command: &SyncCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let operations = &app.operations;
    match command {
        SyncCommand::List(arguments) => {
            out.list(&TYPES, &operations.sync(&actor(), arguments.account.as_deref()).await?)?;
            Ok(Exit::Done)
        }
        SyncCommand::Run(arguments) => begin(app, arguments, out).await,
        SyncCommand::DryRun(arguments) => trial(app, &arguments.account, arguments.sync_type, out).await,
        SyncCommand::Runs(arguments) => runs(app, arguments, out).await,
        SyncCommand::Show { id } => {
            out.item(&operations.run(&actor(), *id).await?)?;
            Ok(Exit::Done)
        }
        SyncCommand::Rejected(arguments) => rejected(app, arguments, out).await,
        SyncCommand::Replay(arguments) => replay(app, arguments, out).await,
        SyncCommand::Confirm(arguments) => confirm(app, arguments, globals, out).await,
        SyncCommand::Undo(arguments) => super::undo::run(app, arguments, globals, out).await,
    }
}

/// What a run would do, with the question that it would ask.
async fn trial(app: &App, account: &str, sync_type: SyncType, out: &mut Output) -> Result<Exit, CliError> {
    out.note(&format!("looking at both sides of {account} …"))?;
    out.item(&app.operations.sync_trial(&actor(), account, sync_type).await?)?;
    out.note(&format!("nothing was done; run it with: postroom marketing sync run {account} {sync_type}"))?;
    Ok(Exit::Done)
}

async fn begin(app: &App, arguments: &RunArgs, out: &mut Output) -> Result<Exit, CliError> {
    let (account, sync_type) = (&arguments.account, arguments.sync_type);
    if arguments.dry_run.dry_run {
        return trial(app, account, sync_type, out).await;
    }
    let before = last(app, account, sync_type).await?.map(|run| run.id);
    let asked = app.operations.sync_now(&actor(), account, sync_type, false).await?;
    if !arguments.wait {
        match out.is_json() {
            true => out.item(&asked)?,
            false => out.text(&format!("{account}: {sync_type} is asked for"))?,
        }
        out.note("postroom serve does it; look at it with: postroom marketing sync list")?;
        return Ok(Exit::Done);
    }
    let run = followed(app, account, sync_type, before, out).await?;
    out.item(&run)?;
    Ok(exit(&run))
}

/// How a command ends that waited for a run.
pub(super) fn exit(run: &RunView) -> Exit {
    match run.state {
        "done" => Exit::Done,
        "partly" => Exit::PartlyDone,
        "held" => Exit::Refused,
        _ => Exit::Failed,
    }
}

/// The last run of a sync type.
pub(super) async fn last(app: &App, account: &str, sync_type: SyncType) -> Result<Option<RunView>, Fault> {
    let (account, sync_type) = (Some(account.to_owned()), Some(sync_type));
    let wanted = RunsWanted { account, sync_type, limit: 1, ..RunsWanted::default() };
    Ok(app.operations.runs(&actor(), wanted).await?.pop())
}

/// Waits for the run after this one. Until then this process works as one more node, whether a server runs or not.
pub(super) async fn followed(
    app: &App,
    account: &str,
    sync_type: SyncType,
    before: Option<RunId>,
    out: &Output,
) -> Result<RunView, CliError> {
    let look =
        async || Ok::<_, Fault>(last(app, account, sync_type).await?.filter(|run| Some(run.id) != before));
    watched(app, look, out).await
}

/// Waits for the end of the run that `look` finds, and works as one more node meanwhile.
pub(super) async fn watched(
    app: &App,
    look: impl AsyncFn() -> Result<Option<RunView>, Fault>,
    out: &Output,
) -> Result<RunView, CliError> {
    let stop = CancellationToken::new();
    let node = stop.clone().drop_guard();
    let engine = app.engine.clone().ok_or_else(|| Fault::bug("made before the command"))?;
    let planner = tokio::spawn(engine.watch(stop.clone()));
    let (runner, done) = (app.runner(), stop.clone());
    let worker = tokio::spawn(async move { runner.run(done).await });
    let mut progress = Progress::start(out.style(), "rows", None);
    let mut read = 0;
    let run = loop {
        if let Some(run) = look().await? {
            progress.add(run.counts.read.saturating_sub(read));
            read = run.counts.read.max(read);
            if run.state != "running" {
                break run;
            }
        }
        tokio::time::sleep(LOOK).await;
    };
    progress.finish();
    drop(node);
    // What is under way ends first.
    drop((planner.await, worker.await));
    Ok(run)
}

async fn runs(app: &App, arguments: &RunsArgs, out: &mut Output) -> Result<Exit, CliError> {
    let wanted = RunsWanted {
        account: arguments.account.clone(),
        sync_type: arguments.sync_type,
        state: arguments.state,
        before: None,
        limit: arguments.limit.get().map_or(u64::from(u32::MAX), u64::from),
    };
    out.list(&RUNS, &app.operations.runs(&actor(), wanted).await?)?;
    Ok(Exit::Done)
}

async fn rejected(app: &App, arguments: &RejectedArgs, out: &mut Output) -> Result<Exit, CliError> {
    let wanted = RejectedWanted {
        account: arguments.account.clone(),
        sync_type: arguments.sync_type,
        run: arguments.run,
        open: !arguments.all,
        limit: arguments.limit.get().map_or(u64::from(u32::MAX), u64::from),
        ..RejectedWanted::default()
    };
    out.list(&REJECTED, &app.operations.rejected(&actor(), wanted).await?)?;
    Ok(Exit::Done)
}

async fn replay(app: &App, arguments: &ReplayRejectedArgs, out: &mut Output) -> Result<Exit, CliError> {
    let dry_run = arguments.dry_run.dry_run;
    let done =
        app.operations.replay_rejected(&actor(), arguments.ids.clone(), arguments.run, dry_run).await?;
    if out.is_json() {
        out.item(&done)?;
        return Ok(Exit::Done);
    }
    let rows = match done.changed.len() {
        1 => "1 row".to_owned(),
        number => format!("{number} rows"),
    };
    match (done.changed.is_empty(), dry_run) {
        (true, _) => out.text("Nothing to replay: each was settled already.")?,
        (false, true) => out.text(&format!("{rows} would get another try"))?,
        (false, false) => {
            out.text(&format!("{rows} get another try"))?;
            out.note("postroom serve does it; look at it with: postroom marketing sync rejected")?;
        }
    }
    Ok(Exit::Done)
}

async fn confirm(
    app: &App,
    arguments: &ConfirmArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let actor = in_the_name_of(app, &arguments.name).await?;
    let mut done = app.operations.confirm_run(&actor, arguments.id, true).await?;
    let held = app.operations.run(&actor, arguments.id).await?;
    if !arguments.dry_run.dry_run {
        arguments.yes.check_count(1)?;
        let question = held.reason.clone().unwrap_or_default();
        arguments.yes.confirm(&format!("{question}. Go on?"), globals)?;
        done = app.operations.confirm_run(&actor, arguments.id, false).await?;
    }
    match (out.is_json(), done.run) {
        (true, _) => out.item(&done)?,
        (false, None) => out.text(&format!(
            "{} of {} would begin again and not ask: {}",
            done.sync_type,
            done.account,
            held.reason.unwrap_or_default()
        ))?,
        (false, Some(run)) => {
            out.text(&format!("{} of {} begins again as {run}", done.sync_type, done.account))?;
            out.note("look at it with: postroom marketing sync show RUN")?;
        }
    }
    Ok(Exit::Done)
}
