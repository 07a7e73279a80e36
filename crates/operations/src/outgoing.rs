//! Outgoing mail: look, hold, release, give up.

use jiff::Timestamp;
use postroom_core::{Code, Fault, MailId, MailState, RecordRef};
use postroom_tracking::sending::history::{self, Attempt};
use postroom_tracking::sending::verbs::{self, Answer, Wanted};
use postroom_tracking::sending::{Entry, Hold, Recipient};
use serde::Serialize;
use uuid::Uuid;

use crate::{Actor, Operations, Permission, audit};

/// One outgoing mail, as programs and people see it.
#[derive(Debug, Clone, Serialize)]
pub struct OutgoingView {
    pub id: MailId,
    pub activity_id: Uuid,
    pub state: MailState,
    /// One sentence.
    pub reason: String,
    /// The documented error that stands in the way, `PR-nnnn`.
    pub code: Option<String>,
    /// Why it is held: `rule`, `safe_mode`, `person`; `foreign` when its sender is none of ours and it is left to others.
    pub hold: Option<&'static str>,
    /// As in the header; null until it is rendered.
    pub message_id: Option<String>,
    pub subject: String,
    pub record: Option<RecordRef>,
    /// Those whose answer is known or asked for; empty until it is rendered.
    pub recipients: Vec<RecipientView>,
    pub attempts: u32,
    pub next_try: Option<Timestamp>,
    pub first_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// The attempts to hand it over, newest first, as far as they are kept; only when one mail is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<AttemptView>>,
}

/// One attempt to hand a mail over.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptView {
    /// From 1.
    pub number: u32,
    pub started: Timestamp,
    /// Null while it runs, or when nobody knows.
    pub ended: Option<Timestamp>,
    /// The mail server.
    pub host: String,
    /// `answered`, `failed` (nobody has it), `unknown` (somebody may have it); null while it runs.
    pub outcome: Option<&'static str>,
    /// What went wrong, when no recipient was answered.
    pub text: String,
    pub answers: Vec<AnswerView>,
}

/// What one recipient was answered in one attempt.
#[derive(Debug, Clone, Serialize)]
pub struct AnswerView {
    pub address: String,
    /// SMTP reply code.
    pub code: Option<u16>,
    /// Enhanced status code (RFC 3463).
    pub status: Option<String>,
    pub text: String,
}

impl AttemptView {
    fn of(attempt: Attempt, recipients: &[RecipientView]) -> AttemptView {
        let answers = attempt.answers.into_iter().map(|said| AnswerView {
            address: recipients.get(said.place).map(|one| one.address.clone()).unwrap_or_default(),
            code: said.code,
            status: said.status,
            text: said.text,
        });
        AttemptView {
            number: attempt.number,
            started: attempt.started,
            ended: attempt.ended,
            host: attempt.host,
            outcome: attempt.ending.map(history::Ending::as_str),
            text: attempt.text,
            answers: answers.collect(),
        }
    }
}

/// One recipient with the last word about it.
#[derive(Debug, Clone, Serialize)]
pub struct RecipientView {
    pub address: String,
    /// `to`, `cc`, `bcc`.
    pub role: &'static str,
    /// `waiting`, `later`, `accepted`, `refused`, `expired`, `delayed`, `bounced`, `delivered`, `read`.
    pub state: &'static str,
    /// SMTP reply code.
    pub code: Option<u16>,
    /// Enhanced status code (RFC 3463).
    pub status: Option<String>,
    /// Of one that came back: whether sending again is of no use.
    pub hard: Option<bool>,
    /// What the mail server said; of one that came back, why in a word before it.
    pub text: String,
    pub at: Timestamp,
}

/// What a change to one outgoing mail did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct OutgoingChange {
    pub id: MailId,
    pub from: MailState,
    /// The state it has now; with a dry run, the one it would have.
    pub to: MailState,
    pub dry_run: bool,
}

impl From<Recipient> for RecipientView {
    fn from(recipient: Recipient) -> Self {
        RecipientView {
            address: recipient.address,
            role: recipient.role.as_str(),
            state: recipient.state.as_str(),
            code: recipient.code,
            status: recipient.status,
            hard: recipient.hard,
            text: recipient.text,
            at: recipient.at,
        }
    }
}

impl From<Entry> for OutgoingView {
    fn from(entry: Entry) -> Self {
        OutgoingView {
            id: entry.id,
            activity_id: entry.activity,
            state: entry.state,
            reason: entry.reason,
            code: entry.code.map(|code| Code(code).to_string()),
            hold: entry.hold.map(Hold::as_str),
            message_id: entry.message_id.map(|id| format!("<{id}>")),
            subject: entry.subject,
            record: entry.record,
            recipients: entry.recipients.into_iter().map(RecipientView::from).collect(),
            attempts: entry.attempts,
            next_try: entry.next_try,
            first_at: entry.first_at,
            finished_at: entry.finished_at,
            history: None,
        }
    }
}

/// What a person may want of an outgoing mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Hold,
    Release,
    Fail,
}

impl Wish {
    fn action(self) -> &'static str {
        match self {
            Wish::Hold => "outgoing.hold",
            Wish::Release => "outgoing.release",
            Wish::Fail => "outgoing.fail",
        }
    }

    /// The state that the mail would have then; `None` where that cannot be done.
    fn outcome(self, entry: &Entry) -> Option<MailState> {
        use MailState::{Failed, Held, Queued, Sent, Unknown};
        match (self, entry.state) {
            (Wish::Hold, Queued | Unknown) => Some(Held),
            (Wish::Release, Held | Unknown | Queued) => Some(Queued),
            // The CRM would be told that it failed, and whoever sends it might not yet have.
            (Wish::Fail, Held) if entry.hold == Some(Hold::Foreign) => None,
            (Wish::Fail, Queued | Held | Unknown) if entry.any_accepted() => Some(Sent),
            (Wish::Fail, Queued | Held | Unknown) => Some(Failed),
            _ => None,
        }
    }
}

impl Operations {
    /// Outgoing mails, newest first.
    pub async fn outgoing(&self, actor: &Actor, wanted: Wanted) -> Result<Vec<OutgoingView>, Fault> {
        actor.needs(Permission::Read)?;
        let found = verbs::list(&self.0.store, wanted).await.map_err(Fault::from)?;
        Ok(found.into_iter().map(OutgoingView::from).collect())
    }

    /// One outgoing mail with the history of its attempts.
    pub async fn outgoing_mail(&self, actor: &Actor, id: MailId) -> Result<OutgoingView, Fault> {
        actor.needs(Permission::Read)?;
        let mut mail = OutgoingView::from(self.outgoing_entry(id).await?);
        let attempts = history::attempts(&self.0.store, id).await.map_err(Fault::from)?;
        let views = attempts.into_iter().map(|attempt| AttemptView::of(attempt, &mail.recipients));
        mail.history = Some(views.collect());
        Ok(mail)
    }

    async fn outgoing_entry(&self, id: MailId) -> Result<Entry, Fault> {
        let found = verbs::show(&self.0.store, id).await.map_err(Fault::from)?;
        found.ok_or_else(|| Fault::reject(Code::API_NOT_FOUND, format!("no outgoing mail {id}")))
    }

    /// Keeps a mail from leaving until it is released.
    pub async fn hold_outgoing(
        &self,
        actor: &Actor,
        id: MailId,
        dry_run: bool,
    ) -> Result<OutgoingChange, Fault> {
        self.wish(actor, id, Wish::Hold, dry_run).await
    }

    /// Lets a held mail go; sends one of unknown fate again with the same Message-ID; tries a queued one now.
    pub async fn release_outgoing(
        &self,
        actor: &Actor,
        id: MailId,
        dry_run: bool,
    ) -> Result<OutgoingChange, Fault> {
        self.wish(actor, id, Wish::Release, dry_run).await
    }

    /// Gives a mail up for good; where some recipient was accepted already, it stays sent.
    pub async fn fail_outgoing(
        &self,
        actor: &Actor,
        id: MailId,
        dry_run: bool,
    ) -> Result<OutgoingChange, Fault> {
        self.wish(actor, id, Wish::Fail, dry_run).await
    }

    async fn wish(
        &self,
        actor: &Actor,
        id: MailId,
        wish: Wish,
        dry_run: bool,
    ) -> Result<OutgoingChange, Fault> {
        actor.needs(Permission::Decide)?;
        let entry = self.outgoing_entry(id).await?;
        let from = entry.state;
        let to = wish.outcome(&entry).ok_or_else(|| not_now(id, from))?;
        if dry_run {
            return Ok(OutgoingChange { id, from, to, dry_run });
        }
        if wish == Wish::Release && self.safe_mode().await? {
            let text = format!("{id} stays held: this database came from a backup");
            return Err(Fault::reject(Code::SAFE_MODE, text));
        }
        let (store, ids, now) = (&self.0.store, &self.0.ids, self.0.clock.now());
        self.record_audit(audit::Entry::new(actor, now, wish.action(), id, &format!("{from} -> {to}")))
            .await?;
        let answer = match wish {
            Wish::Hold => verbs::hold(store, ids, now, id).await,
            Wish::Release => verbs::release(store, ids, now, id).await,
            Wish::Fail => verbs::fail(store, ids, now, id).await,
        };
        match answer.map_err(Fault::from)? {
            Answer::Done(after) => Ok(OutgoingChange { id, from, to: after.state, dry_run }),
            Answer::NotFound => Err(Fault::reject(Code::API_NOT_FOUND, format!("no outgoing mail {id}"))),
            Answer::NotNow(state) => Err(not_now(id, state)),
        }
    }
}

fn not_now(id: MailId, state: MailState) -> Fault {
    Fault::reject(Code::API_CONFLICT, format!("{id} is {state}: that cannot be done to it now"))
}
