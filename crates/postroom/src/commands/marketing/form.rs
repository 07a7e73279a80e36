//! `postroom marketing form …`

use postroom_operations::marketing::FormDetail;

use crate::app::App;
use crate::cli::{FormCommand, ShowFormArgs};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

const COLUMNS: [Column; 7] = [
    Column::id("account", "/account"),
    Column::id("number", "/number"),
    Column::new("name", "/name"),
    Column::new("state", "/state"),
    Column::new("questions", "/questions"),
    Column::new("complete", "/complete"),
    Column::new("makes", "/makes"),
];

const RESPONSES: [Column; 5] = [
    Column::id("number", "/number"),
    Column::new("at", "/at"),
    Column::new("address", "/address"),
    Column::new("matched", "/matched"),
    Column::new("record", "/record/id"),
];

pub async fn run(app: &App, command: &FormCommand, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        FormCommand::List(arguments) => {
            out.list(&COLUMNS, &app.operations.forms(&actor(), arguments.account.as_deref()).await?)?;
            Ok(Exit::Done)
        }
        FormCommand::Show(arguments) => show(app, arguments, out).await,
    }
}

async fn show(app: &App, arguments: &ShowFormArgs, out: &mut Output) -> Result<Exit, CliError> {
    let most = arguments.limit.get().map_or(u64::from(u32::MAX), u64::from);
    let found = app.operations.form(&actor(), &arguments.account, arguments.number, most).await?;
    match out.is_json() {
        true => out.item(&found)?,
        false => told(&found, out)?,
    }
    Ok(Exit::Done)
}

fn told(found: &FormDetail, out: &mut Output) -> Result<(), CliError> {
    out.item(&found.form)?;
    for question in &found.asks {
        let marks = [(question.required, "required"), (question.consent, "consent")];
        let marks: Vec<&str> = marks.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
        let marks = if marks.is_empty() { String::new() } else { format!(", {}", marks.join(", ")) };
        out.text(&format!("{} ({}{marks}) {}", question.number, question.kind, question.text))?;
        for option in &question.options {
            out.text(&format!("    {option}"))?;
        }
    }
    Ok(out.list(&RESPONSES, &found.responses)?)
}
