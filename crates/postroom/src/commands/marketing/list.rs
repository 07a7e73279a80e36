//! `postroom marketing list …`

use postroom_operations::marketing::SyncType;

use super::sync;
use crate::app::App;
use crate::cli::{CompareListArgs, ListCommand, SyncListNowArgs};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

const COLUMNS: [Column; 9] = [
    Column::id("id", "/id"),
    Column::new("account", "/account"),
    Column::new("name", "/name"),
    Column::new("kind", "/kind"),
    Column::new("of", "/members"),
    Column::new("here", "/here"),
    Column::new("there", "/there"),
    Column::new("state", "/state"),
    Column::new("why", "/text"),
];

pub async fn run(app: &App, command: &ListCommand, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        ListCommand::List(arguments) => {
            let lists = app.operations.marketing_lists(&actor(), arguments.account.as_deref()).await?;
            out.list(&COLUMNS, &lists)?;
            Ok(Exit::Done)
        }
        ListCommand::Show { list } => {
            out.item(&app.operations.marketing_list(&actor(), list).await?)?;
            Ok(Exit::Done)
        }
        ListCommand::Sync(arguments) => now(app, arguments, out).await,
        ListCommand::Compare(arguments) => compare(app, arguments, out).await,
    }
}

async fn now(app: &App, arguments: &SyncListNowArgs, out: &mut Output) -> Result<Exit, CliError> {
    let dry_run = arguments.dry_run.dry_run;
    let trial = app.operations.sync_list(&actor(), &arguments.list, true).await?;
    let before = sync::last(app, &trial.account, SyncType::Lists).await?.map(|run| run.id);
    let asked = match dry_run {
        true => trial,
        false => app.operations.sync_list(&actor(), &arguments.list, false).await?,
    };
    if arguments.wait && !dry_run {
        let run = sync::followed(app, &asked.account, SyncType::Lists, before, out).await?;
        out.item(&run)?;
        return Ok(sync::exit(&run));
    }
    if out.is_json() {
        out.item(&asked)?;
        return Ok(Exit::Done);
    }
    if dry_run {
        out.text(&format!("{} of {} would be asked for", asked.name, asked.account))?;
        out.note(&format!("who would join and leave: postroom marketing list compare {}", asked.id))?;
    } else {
        out.text(&format!("{} of {} is asked for", asked.name, asked.account))?;
        out.note(&format!(
            "postroom serve does it; look at it with: postroom marketing list show {}",
            asked.id
        ))?;
    }
    Ok(Exit::Done)
}

async fn compare(app: &App, arguments: &CompareListArgs, out: &mut Output) -> Result<Exit, CliError> {
    out.note("looking at both sides …")?;
    let found = app.operations.compare_list(&actor(), &arguments.list, arguments.people).await?;
    if out.is_json() {
        out.item(&found)?;
        return Ok(Exit::Done);
    }
    out.text(&format!(
        "{}: {} here, {} at the service, {} get no mail",
        found.name, found.here, found.there, found.left_out
    ))?;
    if let Some(problem) = &found.problem {
        out.text(&format!("it cannot be synchronised: {problem}"))?;
    }
    if let Some(question) = &found.question {
        out.text(&format!("the run would ask: {question}"))?;
    }
    if found.would_make && found.problem.is_none() {
        out.text("the service has no list for it yet: one would be made")?;
    }
    for change in &found.changes {
        out.text(&format!("{} {}:", change.number, change.text))?;
        for person in &change.people {
            let record = person.record.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
            out.text(&format!("  {}{record}", person.address))?;
        }
    }
    if found.changes.is_empty() && found.problem.is_none() {
        out.text("nobody would join or leave")?;
    }
    out.note("nothing was written on either side")?;
    Ok(Exit::Done)
}
