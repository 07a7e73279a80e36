//! Tracking tokens: what a record's mail carries, and what a token in hand names.

use std::collections::HashSet;

use postroom_core::Fault;
use postroom_tracking::filing::known::{self, Known, Lead};
use postroom_tracking::token::{self, Kind, Verification};
use serde::Serialize;
use uuid::Uuid;

use crate::{Actor, Operations, Permission};

/// What marks a mail as one about a record.
#[derive(Debug, Clone, Serialize)]
pub struct TrackingToken {
    /// For a subject.
    pub token: String,
    /// Signed, for the header; null where nothing is signed.
    pub message_id: Option<String>,
}

/// A token that was found in a text.
#[derive(Debug, Clone, Serialize)]
pub struct FoundToken {
    /// `seed`, `signed`, `forged`.
    pub kind: &'static str,
    pub text: String,
    /// What it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Of a signed one, the number of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<u8>,
    /// `TABLE/GUID`: where mail with it goes.
    pub record: Option<String>,
    pub note: String,
}

/// The tokens of a text.
#[derive(Debug, Clone, Serialize)]
pub struct TokensFound {
    /// Whether one of them leads to a record.
    pub valid: bool,
    pub tokens: Vec<FoundToken>,
    /// What was a token before somebody cut or changed it.
    pub damaged: Vec<String>,
}

impl Operations {
    /// The token of a record. Who has it can place mail there.
    pub fn make_tracking_token(&self, actor: &Actor, id: Uuid) -> Result<TrackingToken, Fault> {
        actor.needs(Permission::Decide)?;
        let signer = self.0.filing.signer.as_ref();
        let message_id = signer.map(|signer| signer.sign_message_id(Kind::Record, id));
        Ok(TrackingToken { token: token::make(id), message_id })
    }

    /// Which tokens stand in a text, such as a subject or a Message-ID, and what they name. Writes nothing.
    ///
    /// # Errors
    /// Those of reading the CRM.
    pub async fn verify_tracking_tokens(&self, actor: &Actor, text: &str) -> Result<TokensFound, Fault> {
        actor.needs(Permission::Read)?;
        let mut tokens = Vec::new();
        for found in token::find_tokens(text) {
            let (record, note) = self.leads_to(found.guid).await?;
            let (kind, id) = ("seed", Some(found.guid));
            tokens.push(FoundToken { kind, text: found.text, id, key: None, record, note });
        }
        for word in text.split_whitespace() {
            tokens.extend(self.verify_word(word).await?);
        }
        let valid = tokens.iter().any(|found| found.record.is_some() || found.kind == "signed");
        let damaged = token::near_misses(text).into_iter().map(|miss| miss.text).collect();
        Ok(TokensFound { valid, tokens, damaged })
    }

    /// What a word is, when it claims to be signed by us.
    async fn verify_word(&self, word: &str) -> Result<Option<FoundToken>, Fault> {
        let Some(signer) = &self.0.filing.signer else { return Ok(None) };
        let verification = match signer.verify(word) {
            Verification::NotOurs => signer.verify_address(word),
            other => other,
        };
        let text = word.to_owned();
        Ok(match verification {
            Verification::Valid { id, key, .. } => {
                let (record, note) = self.leads_to(id).await?;
                Some(FoundToken { kind: "signed", text, id: Some(id), key: Some(key), record, note })
            }
            Verification::Forged => {
                let note = "not signed by a key of ours".to_owned();
                Some(FoundToken { kind: "forged", text, id: None, key: None, record: None, note })
            }
            Verification::NotOurs => None,
        })
    }

    async fn leads_to(&self, id: Uuid) -> Result<(Option<String>, String), Fault> {
        let mut known = Known::default();
        known::gather_records(&*self.0.crm, self.rules(), HashSet::from([id]), &mut known).await?;
        Ok(match known.follow(id) {
            Lead::Record { record, note, .. } => (Some(record.to_string()), note),
            Lead::Nothing(note) | Lead::Gone(note) => (None, note),
        })
    }
}
