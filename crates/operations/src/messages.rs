//! Mail: look, hand in, decide by hand.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::mail::Authentication;
use postroom_core::{Code, Direction, Envelope, Fault, Incoming, MailId, MailState, RecordRef, Source};
use postroom_store::body;
use postroom_tracking::filing::place::Placement;
use postroom_tracking::messages::{self, Detail, Message, Wanted};
use postroom_tracking::verify;
use postroom_tracking::why::{self, Why};
use serde::Serialize;

use crate::openings::{MESSAGE_OPEN, Opening};
use crate::replay::filed;
use crate::{Actor, Books, Operations, Permission, audit};

/// Bytes of a person's reason.
const REASON: usize = 500;

/// A mail handed in by a program.
#[derive(Debug, Clone)]
pub struct Posted {
    pub mailbox: Option<String>,
    pub direction: Direction,
    pub envelope: Envelope,
    /// Any id of the sender, for instance replica id and UNID: a repeat with the same one adds nothing.
    pub source_id: Option<String>,
    pub peer: Option<String>,
    pub raw: Bytes,
}

/// What a change to several messages did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Bulk {
    pub changed: Vec<MailId>,
    /// What it would do, when nothing was done.
    pub dry_run: bool,
}

/// One stop of a mail on its way, for *Follow one mail*.
#[derive(Debug, Clone, Serialize)]
pub struct Hop {
    pub at: Timestamp,
    /// `sent`, `received`, `decided`, `filed`, `changed`.
    pub what: &'static str,
    pub text: String,
}

impl Operations {
    pub async fn messages(&self, actor: &Actor, wanted: Wanted) -> Result<Vec<Message>, Fault> {
        actor.needs(Permission::Read)?;
        messages::list(&self.0.store, wanted).await.map_err(Fault::from)
    }

    /// How many of these messages stand in each state.
    pub async fn message_states(
        &self,
        actor: &Actor,
        ids: &[MailId],
    ) -> Result<BTreeMap<MailState, u64>, Fault> {
        actor.needs(Permission::Read)?;
        messages::states_of(&self.0.store, ids).await.map_err(Fault::from)
    }

    /// A message. A mail agent may ask too: it sees states, never bodies.
    pub async fn message(&self, actor: &Actor, id: MailId) -> Result<Detail, Fault> {
        actor.needs(Permission::Read).or_else(|_| actor.needs(Permission::Submit))?;
        let found = messages::show(&self.0.store, id).await.map_err(Fault::from)?;
        found.ok_or_else(|| Fault::reject(Code::API_NOT_FOUND, format!("no message {id}")))
    }

    /// The bytes as they came. The opening is audited.
    pub async fn message_raw(&self, actor: &Actor, id: MailId) -> Result<Bytes, Fault> {
        self.message_opened(actor, id, "raw", None).await.map(|(raw, _)| raw)
    }

    /// The bytes, once the opening of `part` stands in the audit trail: as an entry of its own, or as belonging to the
    /// opening `under`, when that is one. Answers the opening too.
    pub(crate) async fn message_opened(
        &self,
        actor: &Actor,
        id: MailId,
        part: &str,
        under: Option<Opening>,
    ) -> Result<(Bytes, Opening), Fault> {
        let found = self.message(actor, id).await;
        if found.is_err() {
            actor.needs(Permission::ReadBodies)?; // a stranger does not learn what there is
        }
        let detail = found?;
        self.needs_to_open(actor, &detail)?;
        let opening = self.opening(actor, id, part, under).await?;
        Ok((self.body(detail.message.body).await?, opening))
    }

    async fn body(&self, hash: postroom_core::BodyHash) -> Result<Bytes, Fault> {
        let mut bodies = body::get(&self.0.store, vec![hash]).await.map_err(Fault::from)?;
        Ok(Bytes::from(bodies.remove(0)))
    }

    /// Hands a mail in; the answer means durable.
    pub async fn post_message(
        &self,
        actor: &Actor,
        posted: Posted,
    ) -> Result<postroom_core::Accepted, Fault> {
        actor.needs(Permission::Submit)?;
        self.accept(Source::Http, posted).await
    }

    /// Hands in a mail read from a file.
    pub async fn import_message(
        &self,
        actor: &Actor,
        posted: Posted,
    ) -> Result<postroom_core::Accepted, Fault> {
        actor.needs(Permission::Submit)?;
        self.accept(Source::File, posted).await
    }

    /// [`Code::API_INPUT`] unless the mailbox is configured, by its name or an address of it. Without any, all names go.
    pub fn knows_mailbox(&self, name: &str) -> Result<(), Fault> {
        let rules = self.rules();
        let known = rules.mailbox_named(name).or_else(|| rules.mailbox_of([name]));
        if known.is_some() || rules.mailboxes.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = rules.mailboxes.iter().map(|mailbox| mailbox.name.as_str()).collect();
        let text = format!("no mailbox {name:?}; configured are: {}", names.join(", "));
        Err(Fault::reject(Code::API_INPUT, text))
    }

    async fn accept(&self, source: Source, posted: Posted) -> Result<postroom_core::Accepted, Fault> {
        if let Some(name) = &posted.mailbox {
            self.knows_mailbox(name)?;
        }
        self.has_room(posted.raw.len() as u64)?;
        let rules = self.rules();
        let named = posted.mailbox.map(|name| match rules.mailbox_of([name.as_str()]) {
            Some(mailbox) => mailbox.name.clone(), // an address was given: the mailbox it belongs to
            None => name,
        });
        let mail = Incoming {
            source,
            direction: posted.direction,
            mailbox: named,
            folder: None,
            envelope: posted.envelope,
            source_id: posted.source_id,
            peer: posted.peer,
            authentication: Authentication::Unknown,
            received_at: self.0.clock.now(),
            raw: posted.raw,
        };
        self.0.inbox.accept(mail).await
    }

    /// What would become of a mail; nothing is written.
    pub async fn why(
        &self,
        actor: &Actor,
        raw: &[u8],
        direction: Direction,
        mailbox: Option<String>,
    ) -> Result<Why, Fault> {
        actor.needs(Permission::Read)?;
        why::explain(&self.0.filing, raw, direction, mailbox).await
    }

    /// Attaches a message to a record: one in review, or one that lies elsewhere. Later replies follow.
    pub async fn place(
        &self,
        actor: &Actor,
        id: MailId,
        record: RecordRef,
        dry_run: bool,
    ) -> Result<Bulk, Fault> {
        actor.needs(Permission::Decide)?;
        let detail = self.message(actor, id).await?;
        filed(&detail)?;
        if detail.message.record.as_ref() == Some(&record) && detail.message.state == MailState::Tracked {
            return Ok(Bulk { changed: Vec::new(), dry_run });
        }
        let from = detail
            .message
            .record
            .map_or_else(|| detail.message.state.to_string(), |record| record.to_string());
        let placement = Placement::Attach(record.clone());
        self.settle(actor, id, placement, "message.place", &format!("{from} -> {record}"), dry_run).await
    }

    /// Decides that a message belongs nowhere. `skip` leaves it untracked without judging it.
    pub async fn set_aside(
        &self,
        actor: &Actor,
        id: MailId,
        skip: bool,
        dry_run: bool,
    ) -> Result<Bulk, Fault> {
        let reason = if skip { "A person skipped it." } else { "A person rejected it." };
        self.put_aside(actor, id, skip, reason.to_owned(), dry_run).await
    }

    /// The same for a message that is rejected, in the words of whoever does it.
    pub async fn reject_message(
        &self,
        actor: &Actor,
        id: MailId,
        reason: &str,
        dry_run: bool,
    ) -> Result<Bulk, Fault> {
        let words: Vec<&str> = reason.split_whitespace().collect();
        let words = words.join(" ");
        if words.is_empty() || words.len() > REASON {
            let text = format!("a reason has 1 to {REASON} bytes, in one line");
            return Err(Fault::reject(Code::API_INPUT, text));
        }
        self.put_aside(actor, id, false, format!("A person rejected it: {words}"), dry_run).await
    }

    async fn put_aside(
        &self,
        actor: &Actor,
        id: MailId,
        skip: bool,
        reason: String,
        dry_run: bool,
    ) -> Result<Bulk, Fault> {
        actor.needs(Permission::Decide)?;
        let detail = self.message(actor, id).await?;
        if detail.message.state != MailState::Review {
            let text = format!("{id} is {}, not in review", detail.message.state);
            return Err(Fault::reject(Code::API_CONFLICT, text));
        }
        let action = if skip { "message.skip" } else { "message.reject" };
        self.settle(actor, id, Placement::Aside(reason), action, "review -> not_tracked", dry_run).await
    }

    pub(crate) async fn settle(
        &self,
        actor: &Actor,
        id: MailId,
        placement: Placement,
        action: &str,
        detail: &str,
        dry_run: bool,
    ) -> Result<Bulk, Fault> {
        if !dry_run {
            let entry = audit::Entry::new(actor, self.0.clock.now(), action, id, detail);
            self.record_audit(entry).await?;
            self.0.filing.place(id, placement, &actor.name).await?;
        }
        Ok(Bulk { changed: vec![id], dry_run })
    }

    /// Whether the books balance.
    pub async fn verify(&self, actor: &Actor) -> Result<Books, Fault> {
        actor.needs(Permission::Read)?;
        verify::verify(&self.0.store, &*self.0.crm, self.rules().installation).await
    }

    /// Every stop of a mail, oldest first.
    pub async fn hops(&self, actor: &Actor, detail: &Detail) -> Result<Vec<Hop>, Fault> {
        actor.needs(Permission::Read)?;
        let mut hops: Vec<Hop> = detail
            .seen
            .iter()
            .map(|seen| {
                let place =
                    seen.mailbox.as_deref().map(|name| format!(" in mailbox {name}")).unwrap_or_default();
                let peer = seen.peer.as_deref().map(|peer| format!(" from {peer}")).unwrap_or_default();
                Hop {
                    at: seen.received_at,
                    what: "received",
                    text: format!("{}{place}{peer}", way(&seen.source)),
                }
            })
            .collect();
        for decision in &detail.decisions {
            hops.push(Hop { at: decision.at, what: "decided", text: decision.reason.clone() });
            if let (MailState::Tracked, Some(activity)) = (decision.state, detail.message.activity_id) {
                hops.push(Hop { at: decision.at, what: "filed", text: format!("As e-mail {activity}") });
            }
        }
        for entry in self.audit_of(actor, &detail.message.id.to_string(), 50).await? {
            if entry.action != MESSAGE_OPEN {
                hops.push(Hop {
                    at: entry.at,
                    what: "changed",
                    text: format!("{} by {}: {}", entry.action, entry.actor, entry.detail),
                });
            }
        }
        hops.sort_by_key(|hop| hop.at);
        Ok(hops)
    }
}

/// A way in, in words.
fn way(source: &str) -> String {
    match source {
        "file" => "Read from a file".into(),
        other => format!("Taken in by {}", other.to_uppercase()),
    }
}
