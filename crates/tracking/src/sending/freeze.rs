//! The rendered mail becomes a message of the store: its bytes never change again, whatever the CRM says later.

use jiff::Timestamp;
use postroom_core::mail::Authentication;
use postroom_core::{Class, Decision, DecisionId, Direction, Fault, MailState, Method};
use postroom_formats::mime;
use postroom_store::Insert;
use postroom_store::body::Body;
use postroom_store::sql::Value;

use super::Sending;
use super::attempt::begun;
use super::entry::Entry;
use super::gather::Activity;
use super::render::Rendered;
use crate::filing::outcome::StoredDecision;
use crate::identity::{self, Identity};
use crate::intake;

/// The rows that a rendered mail makes besides its own, and its bytes.
pub(super) struct Frozen {
    message: Vec<Value>,
    references: Vec<Vec<Value>>,
    decision: Vec<Value>,
    pub body: Body,
}

/// The rows of all of them, a statement a table.
pub(super) fn inserts(frozen: &[&Frozen]) -> [Insert; 3] {
    let mut messages = Insert::into("message", &MESSAGE);
    let mut references = Insert::into("message_ref", &["message", "place", "ref"]);
    let mut decisions = Insert::into("decision", &["id", "message", "at", "body"]);
    for one in frozen {
        messages.row(one.message.iter().cloned());
        for row in &one.references {
            references.row(row.iter().cloned());
        }
        decisions.row(one.decision.iter().cloned());
    }
    [messages, references, decisions]
}

impl Sending {
    /// The mail with its final bytes, on its way at once or waiting, and the rows that these make. Costs CPU: not for the
    /// runtime's own threads.
    pub(super) fn freeze(
        &self,
        entry: &Entry,
        activity: &Activity,
        rendered: Rendered,
        raw: &[u8],
        leaves: Option<Timestamp>,
    ) -> Result<(Entry, Frozen), Fault> {
        let body = Body::prepare(raw);
        let mut after =
            entry.clone().to(MailState::Queued, "Rendered; waits to be handed to the mail server.");
        after.body = Some(body.hash);
        after.message_id = mime::normal_message_id(&rendered.draft.message_id);
        (after.reverse_path, after.recipients) = (rendered.reverse_path, rendered.recipients);
        (after.subject, after.receipt) = (rendered.draft.subject, activity.delivery_receipt);
        if let Some(now) = leaves {
            after = begun(after, now);
        }
        let frozen = self.rows(&after, activity, body, raw)?;
        Ok((after, frozen))
    }

    /// The `message` row, what it refers to, and the decision that ties it to its record.
    fn rows(&self, entry: &Entry, activity: &Activity, body: Body, raw: &[u8]) -> Result<Frozen, Fault> {
        let decision = self.decision(activity);
        let scanned = mime::scan_headers(raw);
        let identity = identity::identify(raw, &mime::Limits::default());
        let message = self.message(entry, activity, &body, &scanned, identity, &decision);
        let row = |(place, reference): (usize, String)| -> Vec<Value> {
            vec![entry.id.0.into(), (place as i64).into(), reference.into()]
        };
        let references = intake::references(&scanned).into_iter().enumerate().map(row).collect();
        let (id, at) = (decision.id.0, decision.at.as_microsecond());
        let text = serde_json::to_string(&StoredDecision { decision, bounce: None })
            .map_err(|error| Fault::bug(format!("a decision has no JSON form: {error}")))?;
        let decision = vec![id.into(), entry.id.0.into(), at.into(), text.into()];
        Ok(Frozen { message, references, decision, body })
    }

    fn decision(&self, activity: &Activity) -> Decision {
        Decision {
            id: DecisionId(self.ids.next()),
            at: self.clock.now(),
            rules: crate::rules::VERSION,
            state: MailState::Queued,
            // A person wrote it on this record; filing leaves such mail where it is when a copy of it is seen.
            method: Method::Person,
            record: activity.regarding.clone(),
            reason: "It was written in the CRM.".into(),
            signals: Vec::new(),
            flags: Vec::new(),
            class_evidence: Vec::new(),
        }
    }

    fn message(
        &self,
        entry: &Entry,
        activity: &Activity,
        body: &Body,
        scanned: &mime::Fields<'_>,
        identity: Identity,
        decision: &Decision,
    ) -> Vec<Value> {
        let at = decision.at.as_microsecond();
        let from = scanned.from.first().cloned().unwrap_or_default();
        let parties = scanned.from.iter().chain(&scanned.to).chain(&scanned.cc).map(|party| party.normal());
        let class = if activity.parent.is_some() { Class::Reply } else { Class::Normal };
        let record = activity.regarding.as_ref();
        vec![
            entry.id.0.into(),
            identity.key.to_vec().into(),
            identity.message_id.into(),
            scanned.subject.clone().into(),
            from.normal().into(),
            from.name.clone().into(),
            scanned.date.map(jiff::Timestamp::as_microsecond).into(),
            Direction::Outgoing.as_str().into(),
            activity.by_workflow.into(),
            entry.state.as_str().into(),
            Method::Person.as_str().into(),
            entry.reason.clone().into(),
            self.mailbox(&from.normal()).into(),
            "".into(),
            body.hash.0.to_vec().into(),
            (body.size as i64).into(),
            at.into(),
            Authentication::Unknown.as_str().into(),
            parties.collect::<Vec<_>>().join(" ").into(),
            class.as_str().into(),
            record.map(|record| record.table.clone()).into(),
            record.map(|record| record.id).into(),
            activity.id.into(),
            decision.id.0.into(),
            at.into(),
        ]
    }

    /// The tracked mailbox it leaves from.
    fn mailbox(&self, from: &str) -> String {
        let found = self.rules.mailbox_of([from]).unwrap_or(&self.rules.fallback);
        found.name.clone()
    }
}

/// The columns of `message` that a frozen mail fills.
const MESSAGE: [&str; 25] = [
    "id",
    "key",
    "header_id",
    "subject",
    "from_address",
    "from_name",
    "sent_at",
    "direction",
    "automatic",
    "state",
    "method",
    "reason",
    "mailbox",
    "flags",
    "body",
    "size",
    "received_at",
    "authentication",
    "parties",
    "class",
    "record_table",
    "record_id",
    "activity_id",
    "decision_id",
    "decided_at",
];
