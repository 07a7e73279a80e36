//! `postroom person …`

use postroom_operations::Erased;
use postroom_operations::marketing::{EntryView, PersonView, ProofWanted};

use crate::app::App;
use crate::cli::{ErasePersonArgs, Globals, MergePeopleArgs, PersonCommand, ProveArgs};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

const RECORDS: [Column; 4] = [
    Column::id("record", "/record/id"),
    Column::new("table", "/record/table"),
    Column::new("name", "/name"),
    Column::new("forbids", "/forbids"),
];

const FIELDS: [Column; 5] = [
    Column::id("label", "/label"),
    Column::new("path", "/path"),
    Column::new("in the crm", "/here"),
    Column::new("at the service", "/there"),
    Column::new("same", "/same"),
];

const EVENTS: [Column; 5] = [
    Column::new("at", "/at"),
    Column::new("account", "/account"),
    Column::new("kind", "/kind"),
    Column::new("campaign", "/campaign"),
    Column::new("what", "/what"),
];

pub async fn run(
    app: App,
    command: &PersonCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let app = app.with_marketing().await?;
    match command {
        PersonCommand::Show { address } => show(&app, address, out).await,
        PersonCommand::Prove(arguments) => prove(&app, arguments, out).await,
        PersonCommand::Erase(arguments) => erase(&app, arguments, globals, out).await,
        PersonCommand::Merge(arguments) => merge(&app, arguments, globals, out).await,
    }
}

async fn show(app: &App, address: &str, out: &mut Output) -> Result<Exit, CliError> {
    let found = app.operations.person(&actor(), address).await?;
    match out.is_json() {
        true => out.item(&found)?,
        false => shown(&found, out)?,
    }
    Ok(Exit::Done)
}

fn shown(found: &PersonView, out: &mut Output) -> Result<(), CliError> {
    out.text(&found.address)?;
    if let Some(erased) = found.erased {
        out.text(&format!("erased on {erased}"))?;
    }
    out.list(&RECORDS, &found.records)?;
    for there in &found.accounts {
        let known = match (there.contact, &there.fault) {
            (_, Some(fault)) => format!("could not be asked: {fault}"),
            (None, None) => "knows nobody of this address".to_owned(),
            (Some(number), None) => {
                format!("person {number}, {}", there.status.clone().unwrap_or_default())
            }
        };
        out.text(&format!("{}: {known}", there.account))?;
        for block in &there.blocks {
            out.text(&format!("  no mail: {block}"))?;
        }
        for fields in &there.fields {
            out.list(&FIELDS, &fields.fields)?;
        }
        if let Some(fault) = &there.fields_fault {
            out.note(&format!("the mappings could not be read: {fault}"))?;
        }
    }
    said(&found.entries, out)?;
    if !found.events.is_empty() {
        out.list(&EVENTS, &found.events)?;
    }
    for response in &found.responses {
        let record = response.record.as_ref().map(|at| format!(", {at}")).unwrap_or_default();
        out.text(&format!(
            "{} answered form {} of {}{record}",
            response.at, response.form, response.account
        ))?;
    }
    Ok(out.text(&format!("{} mails: postroom message list --json", found.mail.len()))?)
}

/// The consent ledger.
fn said(entries: &[EntryView], out: &mut Output) -> Result<(), CliError> {
    for entry in entries {
        let who = if entry.actor.is_empty() { "the person" } else { &entry.actor };
        let proof = if entry.proof.is_empty() { String::new() } else { format!(", proof: {}", entry.proof) };
        out.text(&format!(
            "  {} {} {} {} ({}, by {who}{proof})",
            entry.at, entry.account, entry.scope, entry.said, entry.source
        ))?;
    }
    Ok(())
}

/// Exit 20 when mail was not allowed to go there.
async fn prove(app: &App, arguments: &ProveArgs, out: &mut Output) -> Result<Exit, CliError> {
    let wanted = ProofWanted {
        address: arguments.address.clone(),
        account: arguments.account.clone(),
        scope: arguments.scope.clone(),
        on: arguments.on,
    };
    let proofs = app.operations.prove_consent(&actor(), &wanted).await?;
    for proof in &proofs {
        match out.is_json() {
            true => out.item(proof)?,
            false => {
                out.text(&format!("{} ({}): {}", proof.account, proof.scope, proof.text))?;
                said(&proof.entries, out)?;
            }
        }
    }
    Ok(if proofs.iter().all(|proof| proof.could) { Exit::Done } else { Exit::No })
}

/// Counts first, asks, then erases: `--expect-count` is about the messages.
async fn erase(
    app: &App,
    arguments: &ErasePersonArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let (operations, address) = (&app.operations, arguments.address.as_str());
    let trial = operations.erase_person(&actor(), address, true).await?;
    if arguments.dry_run.dry_run {
        out.item(&trial)?;
        return Ok(Exit::Done);
    }
    arguments.yes.check_count(trial.mail.counts.messages)?;
    let rows: u64 = trial.marketing.iter().flat_map(|half| &half.counts).map(|count| count.number).sum();
    let question = format!(
        "Erase {} messages, {} activities and {rows} rows of marketing data of {address} for good?",
        trial.mail.counts.messages, trial.mail.counts.activities
    );
    arguments.yes.confirm(&question, globals)?;
    told(&operations.erase_person(&actor(), address, false).await?, out)
}

/// The receipt. What the CRM refused, or the service goes on with, makes the work partly done.
fn told(receipt: &Erased, out: &mut Output) -> Result<Exit, CliError> {
    out.item(receipt)?;
    if receipt.is_whole() {
        return Ok(Exit::Done);
    }
    match receipt.mail.refusals.is_empty() {
        true => out.note("the service goes on with it: run this again later")?,
        false => out.note("the CRM refused some of it: see refusals; erase the rest there by hand")?,
    }
    Ok(Exit::PartlyDone)
}

async fn merge(
    app: &App,
    arguments: &MergePeopleArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let MergePeopleArgs { from, into, dry_run, yes } = arguments;
    let mut done = app.operations.merge_people(&actor(), from, into, true).await?;
    if !dry_run.dry_run {
        yes.check_count(1)?;
        yes.confirm(&format!("Give everything known of {from} to {into}?"), globals)?;
        done = app.operations.merge_people(&actor(), from, into, false).await?;
    }
    if out.is_json() {
        out.item(&done)?;
        return Ok(Exit::Done);
    }
    let would = if done.dry_run { "would go" } else { "went" };
    out.text(&format!(
        "{} links, {} events and {} responses {would} from {from} to {into}",
        done.links, done.events, done.responses
    ))?;
    Ok(Exit::Done)
}
