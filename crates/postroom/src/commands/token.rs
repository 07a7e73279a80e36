//! `postroom token …`

use crate::app::App;
use crate::cli::TokenCommand;
use crate::commands::actor;
use crate::report::{CliError, Exit, Output};

pub async fn run(app: &App, command: &TokenCommand, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        TokenCommand::Make { id } => {
            let made = app.operations.make_tracking_token(&actor(), *id)?;
            if out.is_json() {
                out.item(&made)?;
            } else {
                out.text(&made.token)?;
            }
            Ok(Exit::Done)
        }
        // Exit 0 when a token leads to a record, else 20.
        TokenCommand::Verify(arguments) => {
            let found = app.operations.verify_tracking_tokens(&actor(), &arguments.text).await?;
            out.item(&found)?;
            Ok(if found.valid { Exit::Done } else { Exit::No })
        }
    }
}
