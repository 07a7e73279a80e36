//! Decide again, and take a decision back.

use postroom_core::{Code, Decision, Fault, MailId, MailState, Method, RecordRef};
use postroom_store::body;
use postroom_tracking::filing::decide::Ruling;
use postroom_tracking::filing::place::Placement;
use postroom_tracking::filing::{load, reading};
use postroom_tracking::intake;
use postroom_tracking::messages::{self, Detail, Wanted};
use serde::Serialize;

use crate::{Actor, Bulk, Operations, Permission, audit};

/// Mails that are read at once.
const LOT: usize = 32;

/// What deciding again does, or would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Replay {
    /// Those that today's rules decide otherwise.
    pub changed: Vec<MailId>,
    pub dry_run: bool,
    /// How those stand, and how they will.
    pub changes: Vec<Turn>,
    /// How many were looked at.
    pub looked_at: u64,
}

/// One mail that is decided otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Turn {
    pub id: MailId,
    pub subject: String,
    pub from: Standing,
    pub to: Standing,
}

/// How a mail stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    pub state: MailState,
    pub method: String,
    pub record: Option<RecordRef>,
    pub reason: String,
}

impl Standing {
    /// Whether the decision is another one; words alone make no difference.
    fn differs(&self, other: &Standing) -> bool {
        (self.state, &self.method, &self.record) != (other.state, &other.method, &other.record)
    }
}

impl From<Ruling> for Standing {
    fn from(ruling: Ruling) -> Self {
        let (method, reason) = (ruling.method.as_str().to_owned(), ruling.reason);
        Standing { state: ruling.state, method, record: ruling.record, reason }
    }
}

impl Operations {
    /// Decides a message again under the rules in force. What a person placed stays.
    pub async fn replay_message(&self, actor: &Actor, id: MailId, dry_run: bool) -> Result<Replay, Fault> {
        actor.needs(Permission::Decide)?;
        let detail = self.message(actor, id).await?;
        filed(&detail)?;
        self.replay(actor, vec![detail.message], dry_run).await
    }

    /// Decides everything again that is in review.
    pub async fn replay_review(&self, actor: &Actor, dry_run: bool) -> Result<Replay, Fault> {
        actor.needs(Permission::Decide)?;
        let wanted = Wanted { state: Some(MailState::Review), ..Wanted::default() };
        let waiting = messages::list(&self.0.store, wanted).await.map_err(Fault::from)?;
        self.replay(actor, waiting, dry_run).await
    }

    async fn replay(
        &self,
        actor: &Actor,
        mut mails: Vec<messages::Message>,
        dry_run: bool,
    ) -> Result<Replay, Fault> {
        mails.retain(|mail| mail.method != Method::Person.as_str());
        mails.reverse(); // oldest first, as they came: parents before their replies
        let mut done = Replay { dry_run, looked_at: mails.len() as u64, ..Replay::default() };
        for some in mails.chunks(LOT) {
            done.changes.extend(self.foreseen(some).await?);
        }
        done.changed = done.changes.iter().map(|turn| turn.id).collect();
        if !dry_run {
            for mail in &mails {
                let now = self.0.clock.now();
                let entry = audit::Entry::new(actor, now, "message.replay", mail.id, mail.state.as_str());
                self.enqueue("operations.replay", vec![intake::filing_job(mail.id)], entry).await?;
            }
        }
        Ok(done)
    }

    /// Which of these mails would be decided otherwise, each looked at by itself.
    async fn foreseen(&self, mails: &[messages::Message]) -> Result<Vec<Turn>, Fault> {
        let (store, filing) = (&self.0.store, &self.0.filing);
        let loaded =
            load::load(store, mails.iter().map(|mail| mail.id).collect()).await.map_err(Fault::from)?;
        let mut turns = Vec::new();
        for stored in loaded {
            let raw = body::get(store, vec![stored.body]).await.map_err(Fault::from)?.remove(0);
            let id = stored.id;
            let (rules, signer) = (filing.rules.clone(), filing.signer.clone());
            let read = move || reading::read(stored, &raw, &rules, signer.as_deref());
            let reading = tokio::task::spawn_blocking(read).await;
            let mut reading =
                reading.map_err(|error| Fault::bug(format!("reading a mail panicked: {error}")))?;
            let to = Standing::from(filing.rule(&mut reading).await?);
            let mail = mails.iter().find(|mail| mail.id == id).expect("only these were loaded");
            let (method, reason) = (mail.method.clone(), mail.reason.clone());
            let from = Standing { state: mail.state, method, record: mail.record.clone(), reason };
            if from.differs(&to) {
                turns.push(Turn { id, subject: mail.subject.clone(), from, to });
            }
        }
        Ok(turns)
    }

    /// Takes back what a person decided last: the message stands as the decision before says.
    pub async fn undo_message(&self, actor: &Actor, id: MailId, dry_run: bool) -> Result<Bulk, Fault> {
        actor.needs(Permission::Decide)?;
        let detail = self.message(actor, id).await?;
        filed(&detail)?;
        let before = before_last_word(&detail)?;
        let detail = format!("{} -> {}", short(detail.decision.as_ref()), short(Some(&before)));
        self.settle(actor, id, Placement::Restore(Box::new(before)), "message.undo", &detail, dry_run).await
    }
}

/// Refuses mail of the outgoing connector: where it belongs is the CRM's word.
pub(crate) fn filed(detail: &Detail) -> Result<(), Fault> {
    use MailState::{NotTracked, Parsed, Received, Review, Shelf, Tracked};
    let state = detail.message.state;
    match [Received, Parsed, Tracked, NotTracked, Review, Shelf].contains(&state) {
        true => Ok(()),
        false => {
            let id = detail.message.id;
            let text = format!("{id} is {state}: it was written in the CRM; change its e-mail there");
            Err(Fault::reject(Code::API_CONFLICT, text))
        }
    }
}

/// The decision that stood before a person spoke last.
fn before_last_word(detail: &Detail) -> Result<Decision, Fault> {
    let mut newest_first = detail.decisions.iter().rev();
    let (last, before) = (newest_first.next(), newest_first.next());
    let refused = |why: &str| Fault::reject(Code::API_CONFLICT, format!("{}: {why}", detail.message.id));
    match (last.is_some_and(|last| last.method == Method::Person), before) {
        (true, Some(before)) => Ok(before.clone()),
        (true, None) => {
            Err(refused("nothing was decided before, so there is nothing to go back to; move it instead"))
        }
        (false, _) => Err(refused("no person decided about it last, so there is nothing to undo")),
    }
}

fn short(decision: Option<&Decision>) -> String {
    match decision {
        Some(Decision { record: Some(record), .. }) => record.to_string(),
        Some(decision) => decision.state.to_string(),
        None => "nothing".into(),
    }
}
