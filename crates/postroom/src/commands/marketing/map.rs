//! `postroom marketing map …`

use postroom_operations::marketing::{MappingChange, MappingOrder};

use crate::app::App;
use crate::cli::{Globals, MapCommand, RemoveMappingArgs, SampleArgs, SetMappingArgs};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

const COLUMNS: [Column; 7] = [
    Column::id("table", "/table"),
    Column::id("label", "/label"),
    Column::new("type", "/type"),
    Column::new("path", "/path"),
    Column::new("direction", "/direction"),
    Column::new("wrong", "/problem"),
    Column::new("may lose", "/lossy"),
];

const FIELDS: [Column; 7] = [
    Column::id("label", "/label"),
    Column::new("path", "/path"),
    Column::new("in the crm", "/here"),
    Column::new("sent as", "/sent"),
    Column::new("at the service", "/there"),
    Column::new("same", "/same"),
    Column::new("wrong", "/problem"),
];

pub async fn run(
    app: &App,
    command: &MapCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    match command {
        MapCommand::List(of) => {
            out.list(&COLUMNS, &app.operations.mappings(&actor(), &of.account, false).await?)?;
            Ok(Exit::Done)
        }
        MapCommand::Set(arguments) => set(app, arguments, out).await,
        MapCommand::Remove(arguments) => remove(app, arguments, globals, out).await,
        MapCommand::Check(of) => check(app, &of.account, out).await,
        MapCommand::Sample(arguments) => sample(app, arguments, out).await,
    }
}

async fn set(app: &App, arguments: &SetMappingArgs, out: &mut Output) -> Result<Exit, CliError> {
    let order = MappingOrder {
        account: arguments.account.clone(),
        table: arguments.table.clone(),
        label: arguments.label.clone(),
        path: arguments.path.clone(),
        direction: arguments.direction.clone(),
        empty: arguments.empty.clone(),
        choices: arguments.choices.clone(),
    };
    let done = app.operations.set_mapping(&actor(), &order, arguments.dry_run.dry_run).await?;
    told(&done, out)?;
    if let Some(lossy) = done.lossy {
        out.note(&format!("it may lose something: {lossy}"))?;
    }
    if !done.dry_run && done.change != "unchanged" {
        out.note("everybody is looked at again by the next run of contacts")?;
    }
    Ok(Exit::Done)
}

fn told(done: &MappingChange, out: &mut Output) -> Result<(), CliError> {
    if out.is_json() {
        return Ok(out.item(done)?);
    }
    let would = if done.dry_run && done.change != "unchanged" { "would be " } else { "" };
    Ok(out.text(&format!("{}: {} of a {} is {would}{}", done.account, done.label, done.table, done.change))?)
}

async fn remove(
    app: &App,
    arguments: &RemoveMappingArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let RemoveMappingArgs { account, table, label, dry_run, yes } = arguments;
    let mut done = app.operations.remove_mapping(&actor(), account, table, label, true).await?;
    if !dry_run.dry_run {
        yes.check_count(1)?;
        yes.confirm(&format!("Map nothing of a {table} to {label} any more?"), globals)?;
        done = app.operations.remove_mapping(&actor(), account, table, label, false).await?;
    }
    told(&done, out)?;
    Ok(Exit::Done)
}

/// Exit 20 when a mapping cannot be used; one that may lose something is only told.
async fn check(app: &App, account: &str, out: &mut Output) -> Result<Exit, CliError> {
    let wrong = app.operations.mappings(&actor(), account, true).await?;
    out.list(&COLUMNS, &wrong)?;
    let unusable = wrong.iter().filter(|mapping| !mapping.valid).count();
    match unusable {
        0 => out.note("every mapping can be used")?,
        1 => out.note("one mapping cannot be used")?,
        number => out.note(&format!("{number} mappings cannot be used"))?,
    }
    Ok(if unusable == 0 { Exit::Done } else { Exit::No })
}

async fn sample(app: &App, arguments: &SampleArgs, out: &mut Output) -> Result<Exit, CliError> {
    let found = app.operations.mapping_sample(&actor(), &arguments.account, &arguments.record).await?;
    if out.is_json() {
        out.item(&found)?;
        return Ok(Exit::Done);
    }
    out.list(&FIELDS, &found.fields)?;
    match (&found.fault, found.contact) {
        (Some(fault), _) => out.note(&format!("the service could not be asked: {fault}"))?,
        (None, None) => out.note("the service knows nobody of this record")?,
        (None, Some(number)) => out.note(&format!("person {number} at the service"))?,
    }
    Ok(Exit::Done)
}
