//! `postroom shelf …`

use postroom_core::{Fault, JobId};
use serde_json::json;

use crate::app::App;
use crate::cli::{DropArgs, Globals, ReplayArgs, ShelfCommand};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

const COLUMNS: [Column; 6] = [
    Column::id("id", "/id"),
    Column::new("code", "/code"),
    Column::new("kind", "/kind"),
    Column::id("about", "/subject"),
    Column::new("tries", "/attempts"),
    Column::new("reason", "/reason"),
];

pub async fn run(
    app: &App,
    command: &ShelfCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    match command {
        ShelfCommand::List { code, limit } => {
            let items = app.operations.shelf_page(&actor(), *code, None, u64::from(limit.limit)).await?;
            out.list(&COLUMNS, &items)?;
            Ok(Exit::Done)
        }
        ShelfCommand::Show { id } => {
            out.item(&app.operations.shelf_item(&actor(), *id).await?)?;
            Ok(Exit::Done)
        }
        ShelfCommand::Replay(arguments) => replay(app, arguments, out).await,
        ShelfCommand::Drop(arguments) => discard(app, arguments, globals, out).await,
    }
}

async fn replay(app: &App, arguments: &ReplayArgs, out: &mut Output) -> Result<Exit, CliError> {
    let dry_run = arguments.dry_run.dry_run;
    let ids = match arguments.ids.is_empty() {
        true => app.operations.shelf_replay_all(&actor(), arguments.code, dry_run).await?,
        false => arguments.ids.clone(),
    };
    if !dry_run {
        for id in &arguments.ids {
            app.operations.shelf_replay(&actor(), *id).await?;
        }
        app.runner().drain_due().await.map_err(Fault::from)?;
    }
    told(&ids, arguments.dry_run.dry_run, "tried again", out)
}

async fn discard(
    app: &App,
    arguments: &DropArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    arguments.yes.check_count(arguments.ids.len() as u64)?;
    if !arguments.dry_run.dry_run {
        arguments.yes.confirm(&format!("Give up {} items for good?", arguments.ids.len()), globals)?;
        for id in &arguments.ids {
            app.operations.shelf_drop(&actor(), *id).await?;
        }
    }
    told(&arguments.ids, arguments.dry_run.dry_run, "given up", out)
}

fn told(ids: &[JobId], dry_run: bool, what: &str, out: &mut Output) -> Result<Exit, CliError> {
    if out.is_json() {
        out.item(&json!({ "changed": ids, "dry_run": dry_run }))?;
    } else {
        let would = if dry_run { "would be " } else { "" };
        out.text(&format!("{} {would}{what}", ids.len()))?;
        out.note("see what is left: postroom shelf list")?;
    }
    Ok(Exit::Done)
}
