//! `postroom token …`

use postroom_tracking::filing::known::{self, Known, Lead};
use postroom_tracking::token::{self, Kind, Verification};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::cli::TokenCommand;
use crate::report::{CliError, Exit, Output};

pub async fn run(app: &App, command: &TokenCommand, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        TokenCommand::Make { id } => {
            let (token, signed) = (token::make(*id), app.signer.sign_message_id(Kind::Record, *id));
            if out.is_json() {
                out.item(&json!({ "token": token, "message_id": signed }))?;
            } else {
                out.text(&token)?;
            }
            Ok(Exit::Done)
        }
        TokenCommand::Verify(arguments) => verify(app, &arguments.text, out).await,
    }
}

/// Whether a text carries a token that leads to a record: exit 0, else 20.
async fn verify(app: &App, text: &str, out: &mut Output) -> Result<Exit, CliError> {
    let mut found = Vec::new();
    let mut good = false;
    for token in token::find_tokens(text) {
        let (record, note) = leads_to(app, token.guid).await?;
        good |= record.is_some();
        found.push(
            json!({ "kind": "seed", "text": token.text, "id": token.guid, "record": record, "note": note }),
        );
    }
    for word in text.split_whitespace() {
        let verification = match app.signer.verify(word) {
            Verification::NotOurs => app.signer.verify_address(word),
            other => other,
        };
        match verification {
            Verification::Valid { id, key, .. } => {
                let (record, note) = leads_to(app, id).await?;
                good = true;
                found.push(json!({ "kind": "signed", "text": word, "id": id, "key": key, "record": record, "note": note }));
            }
            Verification::Forged => {
                found.push(json!({ "kind": "forged", "text": word, "note": "not signed by a key of ours" }))
            }
            Verification::NotOurs => {}
        }
    }
    let misses: Vec<String> = token::near_misses(text).into_iter().map(|miss| miss.text).collect();
    out.item(&json!({ "valid": good, "tokens": found, "damaged": misses }))?;
    Ok(if good { Exit::Done } else { Exit::No })
}

async fn leads_to(app: &App, id: Uuid) -> Result<(Option<String>, Value), CliError> {
    let mut known = Known::default();
    known::gather_records(
        &*app.filing.crm,
        &app.filing.rules,
        std::collections::HashSet::from([id]),
        &mut known,
    )
    .await?;
    Ok(match known.follow(id) {
        Lead::Record { record, note, .. } => (Some(record.to_string()), json!(note)),
        Lead::Nothing(note) | Lead::Gone(note) => (None, json!(note)),
    })
}
