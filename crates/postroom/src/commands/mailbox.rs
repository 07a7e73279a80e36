//! `postroom mailbox …`

use postroom_core::Code;
use serde_json::json;

use crate::app::App;
use crate::cli::MailboxCommand;
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

const COLUMNS: [Column; 6] = [
    Column::id("name", "/name"),
    Column::new("state", "/state"),
    Column::new("track", "/track"),
    Column::new("unmatched", "/on_unmatched"),
    Column::new("messages", "/messages"),
    Column::new("last", "/last_received_at"),
];

pub async fn run(app: &App, command: &MailboxCommand, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        MailboxCommand::List => {
            out.list(&COLUMNS, &app.operations.mailboxes(&actor()).await?)?;
            Ok(Exit::Done)
        }
        MailboxCommand::Test { name } => test(app, name.as_deref(), out).await,
    }
}

/// What can be tried without the mailbox's own server: whether the listeners take its addresses, and whom the CRM knows
/// under them.
async fn test(app: &App, name: Option<&str>, out: &mut Output) -> Result<Exit, CliError> {
    let all = app.operations.mailboxes(&actor()).await?;
    let chosen: Vec<_> =
        all.into_iter().filter(|mailbox| name.is_none_or(|name| mailbox.name == name)).collect();
    if let (Some(name), []) = (name, chosen.as_slice()) {
        return Err(CliError::new(Code::API_NOT_FOUND, format!("no mailbox {name:?} is configured")));
    }
    let mut lines = Vec::new();
    let mut healthy = true;
    let listens = app.config.smtp_in.enabled || app.config.lmtp_in.enabled;
    for mailbox in chosen.iter().filter(|mailbox| !mailbox.addresses.is_empty()) {
        let owners = postroom_core::Crm::find_addresses(&app.embedded, &mailbox.addresses).await?;
        let owner = owners.iter().find(|hit| matches!(hit.record.table.as_str(), "queue" | "systemuser"));
        let fix = match (listens, owner) {
            (false, _) => Some("no way in is enabled: set [smtp_in] or [lmtp_in] enabled = true"),
            (_, None) => {
                Some("no user or queue of the CRM has this address: give it to one, or its mail has no owner")
            }
            _ => None,
        };
        healthy &= fix.is_none();
        lines.push(json!({
            "name": mailbox.name,
            "addresses": mailbox.addresses,
            "way_in": listens,
            "owner": owner.map(|hit| hit.record.to_string()),
            "messages": mailbox.messages,
            "ok": fix.is_none(),
            "do": fix,
        }));
    }
    let columns = [
        Column::id("name", "/name"),
        Column::new("ok", "/ok"),
        Column::new("owner", "/owner"),
        Column::new("do", "/do"),
    ];
    out.list(&columns, &lines)?;
    Ok(if healthy { Exit::Done } else { Exit::No })
}
