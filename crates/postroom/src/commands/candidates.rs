//! What the shell offers for an argument: names from the configuration, ids of what is stored, newest first.
//!
//! A completion never fails and never speaks: where it cannot look (no configuration, no database yet, nobody answers in
//! time) it offers nothing. It looks as the person at the console, who may see these lists by their commands too.

use std::ffi::OsStr;
use std::time::Duration;

use clap::{ArgMatches, FromArgMatches};
use clap_complete::CompletionCandidate;
use postroom_core::{Fault, MailState, RecordRef, code};
use postroom_operations::{OutgoingWanted, Wanted};

use super::{actor, block_on};
use crate::app::App;
use crate::cli::{self, Globals};
use crate::config::{self, Config};
use crate::report::{CliError, one_line};

/// Ids offered at once.
const OFFERED: u64 = 50;
/// A person is waiting with a finger on the key.
const PATIENCE: Duration = Duration::from_secs(3);
/// Characters of what is said beside an id.
const HELP: usize = 60;

type Candidates = Vec<CompletionCandidate>;

/// Messages, newest first.
pub fn messages() -> Candidates {
    message_ids(None)
}

/// Messages that wait for a person.
pub fn in_review() -> Candidates {
    message_ids(Some(MailState::Review))
}

fn message_ids(state: Option<MailState>) -> Candidates {
    look(async |app| {
        let wanted = Wanted { state, limit: OFFERED, ..Wanted::default() };
        let found = app.operations.messages(&actor(), wanted).await?;
        let offer = |mail: &postroom_operations::Message| {
            candidate(mail.id, &format!("{} {}: {}", mail.state, mail.from, mail.subject))
        };
        Ok(found.iter().map(offer).collect())
    })
}

/// Outgoing mail, newest first.
pub fn outgoing() -> Candidates {
    look(async |app| {
        let wanted = OutgoingWanted { limit: OFFERED, ..OutgoingWanted::default() };
        let found = app.operations.outgoing(&actor(), wanted).await?;
        Ok(found
            .iter()
            .map(|mail| candidate(mail.id, &format!("{}: {}", mail.state, mail.subject)))
            .collect())
    })
}

/// What lies on the shelf.
pub fn shelf_items() -> Candidates {
    look(async |app| {
        let found = app.operations.shelf(&actor(), OFFERED).await?;
        Ok(found.iter().map(|item| candidate(item.id, &format!("{}: {}", item.kind, item.reason))).collect())
    })
}

/// Tokens that have not been ended.
pub fn tokens() -> Candidates {
    look(async |app| {
        let found = app.operations.list_tokens(&actor()).await?;
        let alive = found.iter().filter(|token| token.revoked_at.is_none());
        Ok(alive.map(|token| candidate(token.id, &format!("{} {}", token.scope, token.name))).collect())
    })
}

/// Mailboxes by name, from the configuration alone.
pub fn mailboxes() -> Candidates {
    let Some(config) = configured() else { return Vec::new() };
    let offer = |(name, mailbox): (&String, &config::Mailbox)| candidate(name, mailbox.address.as_ref());
    config.mailboxes.iter().map(offer).collect()
}

/// Accounts of the marketing service, from the configuration alone.
pub fn accounts() -> Candidates {
    let Some(config) = configured() else { return Vec::new() };
    let offer = |(name, account): (&String, &config::ServiceAccount)| candidate(name, &account.user);
    config.marketing.accounts.iter().map(offer).collect()
}

/// The CRM's tables.
pub fn tables() -> Candidates {
    look(async |app| {
        let names: Vec<String> = match app.crm.embedded() {
            Some(embedded) => embedded.schema().await?.tables().map(|table| table.name.clone()).collect(),
            // A CRM outside describes a thousand tables, and a person is waiting.
            None => app.config.token.tables.iter().map(ToString::to_string).collect(),
        };
        Ok(names.into_iter().map(CompletionCandidate::new).collect())
    })
}

/// Ids of the table that was typed before.
pub fn ids_of_table() -> Candidates {
    let Some(table) = table_typed() else { return Vec::new() };
    look(async |app| {
        let rows = app.operations.records(&actor(), &table, &[], OFFERED).await?;
        Ok(rows
            .iter()
            .map(|row| candidate(row.at.id, super::record::name_of(row).unwrap_or_default()))
            .collect())
    })
}

/// `COLUMN=` for each column of the table that was typed before.
pub fn conditions() -> Candidates {
    let Some(table) = table_typed() else { return Vec::new() };
    look(async |app| {
        let described = app.filing.crm.metadata(&[&table]).await?;
        let columns = described.table(&table).map(|table| table.columns.as_slice()).unwrap_or_default();
        let offer = |name: &str| CompletionCandidate::new(format!("{name}="));
        Ok(columns.iter().map(|column| offer(&column.logical_name)).collect())
    })
}

/// `TABLE/GUID`: first the tables that mail can be filed at, then that table's records.
pub fn records(current: &OsStr) -> Candidates {
    let current = current.to_string_lossy();
    let found = match current.split_once('/') {
        None => {
            let tables = configured().map(|config| config.token.tables).unwrap_or_default();
            tables.iter().map(|table| CompletionCandidate::new(format!("{table}/"))).collect()
        }
        Some((table, _)) => look(async |app| {
            let rows = app.operations.records(&actor(), &table.to_lowercase(), &[], OFFERED).await?;
            let offer = |row: &postroom_core::Record| {
                let at = RecordRef::new(table, row.at.id);
                candidate(at, super::record::name_of(row).unwrap_or_default())
            };
            Ok(rows.iter().map(offer).collect())
        }),
    };
    begins(found, &current)
}

/// Error codes with their titles.
pub fn codes() -> Candidates {
    code::ALL.iter().map(|entry| candidate(entry.code, entry.title)).collect()
}

fn begins(found: Candidates, current: &str) -> Candidates {
    found.into_iter().filter(|one| one.get_value().to_string_lossy().starts_with(current)).collect()
}

/// What strangers wrote stands beside the id on one line, and cannot act on the terminal.
fn candidate(value: impl ToString, help: &str) -> CompletionCandidate {
    let help: String = one_line(help).chars().take(HELP).collect();
    CompletionCandidate::new(value.to_string()).help((!help.is_empty()).then(|| help.into()))
}

/// What was typed, as far as it can be understood.
fn typed() -> Option<ArgMatches> {
    cli::command().ignore_errors(true).try_get_matches_from(cli::completion::typed()).ok()
}

/// The table before the argument that is asked for: `record show TABLE …`, `record list TABLE …`.
fn table_typed() -> Option<String> {
    let typed = typed()?;
    let (_, verb) = typed.subcommand_matches("record")?.subcommand()?;
    verb.try_get_one::<String>("table").ok()?.map(|table| table.to_lowercase())
}

fn configured() -> Option<Config> {
    let globals = Globals::from_arg_matches(&typed()?).ok()?;
    Some(config::load(&globals.sources()).ok()?.config)
}

/// Asks the running system, when there is one: a completion makes no database.
fn look(find: impl AsyncFnOnce(&App) -> Result<Candidates, Fault>) -> Candidates {
    let Some(config) = configured() else { return Vec::new() };
    let is_there = match config.storage.url.expose().strip_prefix("sqlite://") {
        Some(path) => std::path::Path::new(path).exists(),
        None => true,
    };
    if !is_there {
        return Vec::new();
    }
    let looking = async { Ok::<_, CliError>(find(&App::open(config).await?).await?) };
    let found = block_on(async { Ok::<_, CliError>(tokio::time::timeout(PATIENCE, looking).await) });
    found.ok().and_then(Result::ok).and_then(Result::ok).unwrap_or_default()
}
