//! How things stand: readiness, today's counts, safe mode.

use std::collections::BTreeMap;

use postroom_core::{Code, Fault, MailState};
use postroom_tracking::messages;
use postroom_tracking::settings::{self, SAFE_MODE};
use serde::Serialize;

use crate::{Actor, Operations, Permission, audit};

/// Named checks with their results.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    pub ready: bool,
    pub checks: BTreeMap<&'static str, String>,
}

/// The first page.
#[derive(Debug, Clone, Serialize)]
pub struct Today {
    /// `healthy`, `catching_up`, `needs_you`.
    pub state: &'static str,
    pub sentence: String,
    pub counts: BTreeMap<&'static str, u64>,
    pub shelf: u64,
    pub review: u64,
    pub waiting: u64,
    pub safe_mode: bool,
}

impl Operations {
    /// Whether mail can be accepted and stored. A CRM that is away does not make us unready: we store.
    pub async fn health(&self) -> Health {
        let mut checks = BTreeMap::new();
        let storage = settings::get(&self.0.store, "installation").await;
        let room = self.has_room(0);
        let ready = storage.is_ok() && room.is_ok();
        checks.insert("storage", storage.map_or_else(|error| error.to_string(), |_| "ok".into()));
        checks.insert("disk", room.map_or_else(|fault| fault.message, |()| "ok".into()));
        Health { ready, checks }
    }

    pub async fn today(&self, actor: &Actor) -> Result<Today, Fault> {
        actor.needs(Permission::Read)?;
        let counted = messages::counts(&self.0.store).await.map_err(Fault::from)?;
        let counts: BTreeMap<&'static str, u64> =
            counted.iter().map(|(state, count)| (state.as_str(), *count)).collect();
        let of = |state: MailState| counts.get(state.as_str()).copied().unwrap_or(0);
        let shelf = self.shelf_count().await?;
        let waiting = of(MailState::Received) + of(MailState::Parsed);
        let review = of(MailState::Review);
        let safe_mode = self.safe_mode().await?;
        let (state, sentence) = match (safe_mode, shelf, review, waiting) {
            (true, ..) => {
                ("needs_you", "Safe mode: nothing leaves until the reconciliation is confirmed.".to_owned())
            }
            (_, 1.., ..) => ("needs_you", format!("Stopped after their tries and on the shelf: {shelf}.")),
            (_, _, 1.., _) => ("needs_you", format!("In review, for a person to decide: {review}.")),
            (.., 1..) => ("catching_up", format!("Stored and being filed: {waiting}.")),
            _ => ("healthy", "Everything that came in has its place.".to_owned()),
        };
        Ok(Today { state, sentence, counts, shelf, review, waiting, safe_mode })
    }

    /// Whether this database came from a backup and has not been reconciled.
    pub async fn safe_mode(&self) -> Result<bool, Fault> {
        let setting = settings::get(&self.0.store, SAFE_MODE).await.map_err(Fault::from)?;
        Ok(setting.as_deref() == Some("on"))
    }

    /// Begins safe mode: this database came back by means that postroom does not know. Beginning it again is no error.
    pub async fn begin_reconciliation(&self, actor: &Actor) -> Result<(), Fault> {
        actor.needs(Permission::Administer)?;
        settings::set(&self.0.store, SAFE_MODE, "on".into()).await.map_err(Fault::from)?;
        let entry = audit::Entry::new(actor, self.0.clock.now(), "safe_mode.begin", "database", "");
        self.record_audit(entry).await
    }

    /// Whether this caller may end safe mode.
    pub fn may_reconcile(&self, actor: &Actor) -> Result<(), Fault> {
        actor.needs(Permission::Administer)
    }

    /// Ends safe mode.
    pub async fn confirm_reconciliation(&self, actor: &Actor) -> Result<(), Fault> {
        actor.needs(Permission::Administer)?;
        if !self.safe_mode().await? {
            return Err(Fault::reject(Code::API_CONFLICT, "this database is not in safe mode"));
        }
        settings::set(&self.0.store, SAFE_MODE, "off".into()).await.map_err(Fault::from)?;
        let entry = audit::Entry::new(actor, self.0.clock.now(), "safe_mode.end", "database", "");
        self.record_audit(entry).await
    }
}
