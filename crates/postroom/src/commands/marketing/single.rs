//! `postroom marketing campaign singles`, and `campaign decide` for one of them.

use postroom_operations::marketing::{SingleAnswer, SinglesWanted};

use super::campaign::{in_the_name_of, most};
use crate::app::App;
use crate::cli::{SendOrderArgs, SinglesArgs};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

const SINGLES: [Column; 6] = [
    Column::id("id", "/id"),
    Column::new("kind", "/kind"),
    Column::new("state", "/state"),
    Column::new("to", "/address"),
    Column::new("campaign or program", "/target"),
    Column::new("why", "/text"),
];

pub(super) async fn list(app: &App, arguments: &SinglesArgs, out: &mut Output) -> Result<Exit, CliError> {
    let wanted = SinglesWanted {
        account: arguments.account.clone(),
        state: arguments.state.clone(),
        after: None,
        limit: most(arguments.limit.get()),
    };
    out.list(&SINGLES, &app.operations.singles(&actor(), wanted).await?)?;
    Ok(Exit::Done)
}

/// Says what became of one whose answer was lost.
pub(super) async fn decide(
    app: &App,
    arguments: &SendOrderArgs,
    answer: SingleAnswer,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let who = in_the_name_of(app, &arguments.name).await?;
    let done = app.operations.decide_single(&who, arguments.id, answer, arguments.dry_run.dry_run).await?;
    match (out.is_json(), done.dry_run) {
        (true, _) => out.item(&done)?,
        (false, true) => out.text(&format!("it would be {}: {}", done.single.state, done.single.text))?,
        (false, false) => out.text(&format!("it is {}: {}", done.single.state, done.single.text))?,
    }
    Ok(Exit::Done)
}
