//! How things stand: readiness, today's counts, safe mode.

use std::collections::BTreeMap;

use postroom_core::{Code, Fault, MailState};
use postroom_marketing::sends::AskedAfterRestore;
use postroom_tracking::messages;
use postroom_tracking::sending::{self, Tally};
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
    pub outgoing: Tally,
    /// Names of mailboxes on servers that are not read now, though they should be.
    pub unread: Vec<String>,
    pub safe_mode: bool,
}

/// What the first page's sentence is made of.
struct Trouble<'t> {
    shelf: u64,
    review: u64,
    waiting: u64,
    outgoing: &'t Tally,
    unread: &'t [String],
    safe_mode: bool,
}

impl Trouble<'_> {
    /// The state, and the sentence about what matters most.
    fn sentence(&self) -> (&'static str, String) {
        let Trouble { shelf, review, waiting, outgoing, unread, safe_mode } = *self;
        let mut found = vec![
            (safe_mode, "Safe mode: nothing leaves until the reconciliation is confirmed.".to_owned()),
            (shelf > 0, format!("Stopped after their tries and on the shelf: {shelf}.")),
            (!unread.is_empty(), format!("Mailboxes that cannot be read: {}.", unread.join(", "))),
            (outgoing.held > 0, format!("Outgoing mails that wait for a release: {}.", outgoing.held)),
            (review > 0, format!("In review, for a person to decide: {review}.")),
            (outgoing.failed > 0, format!("Outgoing mails that failed within a day: {}.", outgoing.failed)),
        ];
        found.retain(|(there, _)| *there);
        if let Some((_, sentence)) = found.into_iter().next() {
            return ("needs_you", sentence);
        }
        match (outgoing.unknown, waiting) {
            (1.., _) => {
                let text = format!(
                    "Outgoing mails of which it is not known whether they arrived: {}.",
                    outgoing.unknown
                );
                ("catching_up", text)
            }
            (_, 1..) => ("catching_up", format!("Stored and being filed: {waiting}.")),
            _ => ("healthy", "Everything that came in has its place.".to_owned()),
        }
    }
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
        let outgoing = self.outgoing_tally().await?;
        let unread: Vec<String> = self.unread().await?.into_iter().map(|mailbox| mailbox.name).collect();
        let trouble = Trouble { shelf, review, waiting, outgoing: &outgoing, unread: &unread, safe_mode };
        let (state, sentence) = trouble.sentence();
        Ok(Today { state, sentence, counts, shelf, review, waiting, outgoing, unread, safe_mode })
    }

    pub(crate) async fn outgoing_tally(&self) -> Result<Tally, Fault> {
        sending::tally(&self.0.store, self.0.clock.now()).await.map_err(Fault::from)
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

    /// Ends safe mode. What the marketing half believes to be unsent asks first; answers how much that is.
    pub async fn confirm_reconciliation(&self, actor: &Actor) -> Result<AskedAfterRestore, Fault> {
        actor.needs(Permission::Administer)?;
        if !self.safe_mode().await? {
            return Err(Fault::reject(Code::API_CONFLICT, "this database is not in safe mode"));
        }
        let asked = match &self.0.marketing {
            Some(engine) => engine.ask_after_restore().await?,
            None => AskedAfterRestore::default(),
        };
        settings::set(&self.0.store, SAFE_MODE, "off".into()).await.map_err(Fault::from)?;
        let entry = audit::Entry::new(actor, self.0.clock.now(), "safe_mode.end", "database", "");
        self.record_audit(entry).await?;
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Trouble<'_>), outgoing: Tally, state: &str, sentence: &str) {
        let mut trouble =
            Trouble { shelf: 0, review: 0, waiting: 0, outgoing: &outgoing, unread: &[], safe_mode: false };
        change(&mut trouble);
        let found = trouble.sentence();
        assert!(found.0 == state && found.1.contains(sentence), "{found:?}");
    }

    #[test]
    fn all_is_well_only_when_it_is() {
        let none = Tally::default();
        let held = Tally { held: 2, unknown: 1, ..none };
        static SALES: LazyLock<[String; 1]> = LazyLock::new(|| ["sales".to_owned()]);
        check(|_| {}, none, "healthy", "has its place");
        check(|_| {}, Tally { foreign: 3, queued: 1, sending: 1, ..none }, "healthy", "has its place");
        check(|_| {}, held, "needs_you", "wait for a release: 2");
        check(|_| {}, Tally { failed: 1, ..none }, "needs_you", "failed within a day: 1");
        check(|_| {}, Tally { unknown: 1, ..none }, "catching_up", "whether they arrived: 1");
        check(|all| all.unread = &*SALES, held, "needs_you", "cannot be read: sales");
        check(|all| all.waiting = 4, none, "catching_up", "being filed: 4");
        check(|all| all.review = 4, held, "needs_you", "wait for a release: 2");
        check(|all| (all.safe_mode, all.shelf) = (true, 1), held, "needs_you", "Safe mode");
    }
}
