//! The identifier that names a person's record at the service (`CRM_ID` = `contact/GUID`), where the service has identifiers.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::marketing::Names;
use postroom_core::{Code, RecordRef};
use serde::{Deserialize, Serialize};

use crate::sync::cursor::{self, Cursor};
use crate::sync::{Halt, Turn};

/// How the identifier is called.
pub const NAME: &str = "CRM_ID";
/// What an account can is asked again after so long.
const FRESH: SignedDuration = SignedDuration::from_hours(24);

/// How an account tells people apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// People have identifiers besides their address, ours among them.
    pub named: bool,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    identity: Identity,
    asked: Option<Timestamp>,
}

/// Asks what the account can, once a day, and makes the identifier where it is missing.
pub(crate) async fn ready(turn: &mut Turn) -> Result<Identity, Halt> {
    let account = turn.account.name.clone();
    let mut kept: Cursor<Kept> =
        turn.read(move |tx| async move { cursor::read(tx, &account, "identity").await }.boxed()).await?;
    let now = turn.now();
    let fresh = |asked: Timestamp| {
        let age = now.duration_since(asked);
        !age.is_negative() && age < FRESH
    };
    if kept.place.asked.is_some_and(fresh) {
        return Ok(kept.place.identity);
    }
    let can = turn.account.service.capabilities().await?;
    let there = can.custom_identifiers.iter().any(|name| name.eq_ignore_ascii_case(NAME));
    let mut identity = Identity { named: can.identifiers };
    if can.identifiers && !there && !turn.dry {
        match turn.account.service.create_identifier(NAME).await {
            Ok(()) => {}
            // Without it people are told apart by number and address.
            Err(fault) if [Code::MARKETING_QUOTA, Code::MARKETING_FEATURE].contains(&fault.code) => {
                tracing::warn!(event = "marketing.no_identifier", code = %fault.code, "People have no identifier of ours: {fault}");
                identity.named = false;
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    if !turn.dry {
        kept.place = Kept { identity, asked: Some(now) };
        let stored =
            turn.page("marketing.identity", move |tx, _| async move { kept.write(tx).await }.boxed());
        stored.await?;
    }
    Ok(identity)
}

impl Identity {
    /// What a record's person is called.
    pub fn names(self, record: &RecordRef, address: &str) -> Names {
        let mut names = Names { email: Some(address.to_owned()), ..Names::default() };
        if self.named {
            names.custom.insert(NAME.to_owned(), record.to_string());
        }
        names
    }
}

/// The record that a person's names name.
pub fn record(names: &Names) -> Option<RecordRef> {
    let (_, value) = names.custom.iter().find(|(name, _)| name.eq_ignore_ascii_case(NAME))?;
    value.parse().ok()
}
