//! `postroom apitoken …`

use postroom_operations::{Scope, TokenOrder};
use serde_json::json;

use crate::app::App;
use crate::cli::{ApitokenCommand, CreateTokenArgs};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

const COLUMNS: [Column; 7] = [
    Column::id("id", "/id"),
    Column::new("scope", "/scope"),
    Column::new("name", "/name"),
    Column::new("user", "/user"),
    Column::new("expires", "/expires_at"),
    Column::new("used", "/last_used"),
    Column::new("revoked", "/revoked_at"),
];

pub async fn run(app: &App, command: &ApitokenCommand, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        ApitokenCommand::Create(arguments) => create(app, arguments, out).await,
        ApitokenCommand::List(limit) => {
            let mut tokens = app.operations.list_tokens(&actor()).await?;
            tokens.truncate(limit.get().map_or(usize::MAX, |limit| limit as usize));
            out.list(&COLUMNS, &tokens)?;
            Ok(Exit::Done)
        }
        ApitokenCommand::Revoke { id, dry_run } => {
            if !dry_run.dry_run {
                app.operations.revoke_token(&actor(), *id).await?;
            }
            out.item(&json!({ "revoked": id, "dry_run": dry_run.dry_run }))?;
            Ok(Exit::Done)
        }
    }
}

async fn create(app: &App, arguments: &CreateTokenArgs, out: &mut Output) -> Result<Exit, CliError> {
    let scope = arguments.scope;
    if scope == Scope::Crm {
        app.crm.needs_embedded("a token of scope crm")?;
    }
    let user = arguments.user.as_deref();
    let name = arguments.name.as_deref().or(user).unwrap_or_default();
    let order = TokenOrder { scope, name, user, life: arguments.expires.get() };
    if arguments.dry_run.dry_run {
        let user = app.operations.check_token(&actor(), &order).await?;
        out.item(&json!({ "scope": scope.as_str(), "user": user, "dry_run": true }))?;
        return Ok(Exit::Done);
    }
    let token = app.operations.create_token(&actor(), order).await?;
    out.item(&token)?;
    out.note("the token is shown this once; end it with: postroom apitoken revoke ID")?;
    Ok(Exit::Done)
}
