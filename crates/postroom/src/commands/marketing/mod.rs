//! `postroom marketing …`

mod account;
mod campaign;
mod form;
mod list;
mod map;
mod single;
mod suppress;
mod sync;
mod undo;

use postroom_operations::TrialStep as Step;
use postroom_operations::marketing::CheckStep;

use crate::app::App;
use crate::cli::{Globals, MarketingCommand};
use crate::report::{CliError, Exit, Output};

pub async fn run(
    app: App,
    command: &MarketingCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let app = app.with_marketing().await?;
    match command {
        MarketingCommand::Account(command) => account::run(&app, command, globals, out).await,
        MarketingCommand::Sync(command) => sync::run(&app, command, globals, out).await,
        MarketingCommand::Campaign(command) => campaign::run(&app, command, globals, out).await,
        MarketingCommand::Map(command) => map::run(&app, command, globals, out).await,
        MarketingCommand::List(command) => list::run(&app, command, out).await,
        MarketingCommand::Form(command) => form::run(&app, command, out).await,
        MarketingCommand::Suppress(command) => suppress::run(&app, command, globals, out).await,
    }
}

/// A step of the service's check, as every check here tells it.
fn step(step: &CheckStep, away: bool) -> Step {
    let text = match &step.code {
        Some(code) => format!("{code}: {}", step.text),
        None => step.text.clone(),
    };
    let told = match (step.ok, away) {
        (true, _) => Step::well(&step.name, text),
        (false, true) => Step::away(&step.name, text),
        (false, false) => Step::failed(&step.name, text, ""),
    };
    told.advised(step.fix.clone())
}
