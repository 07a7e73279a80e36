//! `postroom marketing account …`

use postroom_core::Code;
use postroom_operations::TrialStep as Step;
use postroom_operations::marketing::{self, AccountCheck, AccountOrder};
use serde_json::json;

use super::step;
use crate::app::App;
use crate::cli::{AccountCommand, AddAccountArgs, CheckAccountArgs, Globals};
use crate::commands::mailbox::lines;
use crate::commands::trial;
use crate::commands::{actor, section};
use crate::config::secret::SecretRef;
use crate::config::{Every, HttpUrl, OnSuppressWord, ScopeWord, ServiceAccount, ServiceApi, Span, quoted};
use crate::report::{CliError, Column, Exit, Form, Output};
use crate::wiring;

const COLUMNS: [Column; 6] = [
    Column::id("name", "/name"),
    Column::new("state", "/state"),
    Column::new("region", "/region"),
    Column::new("number", "/service_id"),
    Column::new("exchanged", "/exchanged"),
    Column::new("why", "/text"),
];

pub async fn run(
    app: &App,
    command: &AccountCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let operations = &app.operations;
    match command {
        AccountCommand::List => {
            out.list(&COLUMNS, &operations.marketing_accounts(&actor()).await?)?;
            Ok(Exit::Done)
        }
        AccountCommand::Add(arguments) => add(app, arguments, globals, out).await,
        AccountCommand::Check(arguments) => check(app, arguments, out).await,
        AccountCommand::Pause(order) => {
            let done = operations.pause_account(&actor(), &order.account.name, order.dry_run.dry_run).await?;
            ordered(&done, "paused", "go on with: postroom marketing account resume NAME", out)
        }
        AccountCommand::Resume(order) => {
            let done =
                operations.resume_account(&actor(), &order.account.name, order.dry_run.dry_run).await?;
            ordered(&done, "running again", "look at it with: postroom marketing sync list", out)
        }
    }
}

/// Says what was ordered, and the next useful command.
fn ordered(done: &AccountOrder, what: &str, next: &str, out: &mut Output) -> Result<Exit, CliError> {
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

/// Tries one account, or all, step by step.
async fn check(app: &App, arguments: &CheckAccountArgs, out: &mut Output) -> Result<Exit, CliError> {
    let names: Vec<&String> = match &arguments.name {
        Some(name) => vec![name],
        None => app.config.marketing.accounts.keys().collect(),
    };
    if names.is_empty() {
        let text = "no account is configured";
        return Err(CliError::new(Code::API_NOT_FOUND, text)
            .with_action("Make one: postroom marketing account add NAME --user USER --password-file FILE"));
    }
    let mut all = Vec::new();
    for name in names {
        out.note(&format!("testing {name} …"))?;
        all.push(app.operations.check_account(&actor(), name).await?);
    }
    match out.style().form {
        Form::Human => all.iter().try_for_each(|found| told(found, out))?,
        Form::Plain | Form::Json => {
            let columns = [Column::id("name", "/name"), Column::new("ok", "/ok")];
            out.list(&columns, &all)?;
        }
    }
    let steps: Vec<Step> = all.iter().flat_map(steps).collect();
    Ok(trial::exit(&steps))
}

fn steps(found: &AccountCheck) -> Vec<Step> {
    found.steps.iter().map(|one| step(one, found.away)).collect()
}

fn told(found: &AccountCheck, out: &mut Output) -> Result<(), CliError> {
    if !found.name.is_empty() {
        out.text(&found.name)?;
    }
    for line in steps(found).iter().flat_map(lines) {
        out.text(&line)?;
    }
    Ok(())
}

/// Tests an account that is not configured yet, and prints or writes its section.
async fn add(
    app: &App,
    arguments: &AddAccountArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let name = &arguments.name;
    if let Some(known) = app.config.marketing.accounts.get(name) {
        if known.user != arguments.user {
            let text = format!("marketing.accounts.{name} is there already, for {}", known.user);
            return Err(CliError::new(Code::API_CONFLICT, text).with_action("Give it another name"));
        }
        match out.is_json() {
            true => out.item(&json!({ "name": name, "already_there": true }))?,
            false => out.text(&format!("{name} ({}) is there already.", known.user))?,
        }
        return Ok(Exit::Done);
    }
    let account = account(arguments)?;
    let password = account.password.read().await;
    let password = password.map_err(|error| CliError::new(error.code(), error.to_string()))?;
    out.note(&format!("asking {} …", account.url))?;
    let service = wiring::marketing::service(&account, password, &app.clock, &app.ids).await?;
    let found = marketing::trial(&*service, app.clock.now()).await;
    let section = written(arguments);
    if !found.ok {
        match out.is_json() {
            true => out.item(&json!({ "name": name, "ok": false, "steps": found.steps }))?,
            false => told(&found, out)?,
        }
        return Ok(trial::exit(&steps(&found)));
    }
    let file = match arguments.write && !arguments.dry_run.dry_run {
        true => Some(section::append(&section, globals)?),
        false => None,
    };
    if out.is_json() {
        out.item(
            &json!({ "name": name, "ok": true, "section": section, "steps": found.steps, "written": file }),
        )?;
        return Ok(Exit::Done);
    }
    for line in steps(&found).iter().flat_map(lines) {
        out.note(&line)?;
    }
    out.bytes(section.as_bytes())?;
    match file {
        Some(file) => {
            out.note(&format!("appended to {}; start postroom serve again to read it", file.display()))?
        }
        None => out.note("add this to the configuration, or run it again with --write")?,
    }
    Ok(Exit::Done)
}

/// The account as the configuration would have it.
fn account(arguments: &AddAccountArgs) -> Result<ServiceAccount, CliError> {
    let url = arguments.url.as_deref().unwrap_or(postroom_dotdigital::Settings::FIRST_REGION);
    Ok(ServiceAccount {
        events: None,
        forms: None,
        url: HttpUrl(url.to_owned()),
        user: arguments.user.clone(),
        password: SecretRef::File(arguments.password_file.clone()),
        api: *ServiceApi::ALL
            .iter()
            .find(|api| api.as_str() == arguments.api.as_str())
            .unwrap_or(&ServiceApi::Rest),
        every: Every::default(),
        window: None,
        on_suppress: OnSuppressWord::BulkEmail,
        scope: ScopeWord::Lists,
        ca_file: None,
        tls_pin: None,
        proxy: None,
        proxy_username: None,
        proxy_password: None,
        timeout: Span::seconds(125),
        patience: Span::seconds(65),
    })
}

/// Its section of the configuration.
fn written(arguments: &AddAccountArgs) -> String {
    let file = &arguments.password_file;
    let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
    let url = arguments.url.as_ref().map(|url| format!("url = {}\n", quoted(url))).unwrap_or_default();
    let api = match arguments.api.as_str() {
        "rest" => String::new(),
        other => format!("api = {}\n", quoted(other)),
    };
    format!(
        "[marketing.accounts.{}]\n{url}user = {}\npassword = {{ file = {} }}\n{api}",
        arguments.name,
        quoted(&arguments.user),
        quoted(&file.display().to_string()),
    )
}
