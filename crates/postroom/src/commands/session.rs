//! `postroom session …`

use postroom_core::Code;
use postroom_operations::Role;
use serde_json::json;

use crate::app::App;
use crate::cli::{LinkArgs, PageRole, SessionCommand};
use crate::commands::actor;
use crate::report::{CliError, Exit, Output};

pub async fn run(app: &App, command: &SessionCommand, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        SessionCommand::Link(arguments) => link(app, arguments, out).await,
    }
}

async fn link(app: &App, arguments: &LinkArgs, out: &mut Output) -> Result<Exit, CliError> {
    let base = base(app).ok_or_else(|| {
        CliError::new(Code::CONFIG_INVALID, "there are no pages to sign in to")
            .with_action("Set [http] listen")
    })?;
    let role = match arguments.role {
        PageRole::Owner => Role::Owner,
        PageRole::Operator => Role::Operator,
        PageRole::Viewer => Role::Viewer,
    };
    if arguments.dry_run.dry_run {
        out.item(&json!({ "name": arguments.name, "role": role.as_str(), "dry_run": true }))?;
        return Ok(Exit::Done);
    }
    let secret = app.operations.create_link(&actor(), &arguments.name, role).await?;
    let link = format!("{base}/sign-in?link={secret}");
    match out.is_json() {
        true => out.item(&json!({ "link": link, "name": arguments.name, "role": role.as_str() }))?,
        false => out.text(&link)?,
    }
    out.note("the link is good once, for an hour")?;
    Ok(Exit::Done)
}

/// The pages' address as people reach it.
fn base(app: &App) -> Option<String> {
    let http = &app.config.http;
    let scheme = if http.tls_cert.is_some() { "https" } else { "http" };
    let listen = http.listen.as_ref().map(|listen| format!("{scheme}://{}", listen.get()));
    http.public_url.as_ref().map(ToString::to_string).or(listen)
}
