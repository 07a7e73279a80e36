//! Mail of unknown fate (promise P5): shown, looked for, then sent again with the same Message-ID or left to a person.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Code, Direction, Fault, MailState};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};

use super::entry::{Entry, Standing};
use super::history::Attempt;
use super::lot::{Change, Item, Left, Then};
use super::{Sending, events};

/// Between two looks for evidence.
const LOOK: SignedDuration = SignedDuration::from_mins(1);
/// Between two looks when only a person may send it again.
const SELDOM: SignedDuration = SignedDuration::from_mins(30);

impl Sending {
    /// The process that sent them is gone, and the answers with it.
    pub(super) async fn lost(&self, items: Vec<Item>, left: &mut Left) {
        let now = self.clock.now();
        let change = |item: Item| {
            let why = "the process ended while it was being handed over";
            let after = self.doubtful(item.entry.clone(), now, why);
            let begun = Attempt::begun(&item.entry, self.sender.host());
            Change { attempt: Some(begun.unanswered(why)), ..Change::new(item, after) }
        };
        let gone = self.change("mail.unknown", items.into_iter().map(change).collect(), left).await;
        left.items.extend(gone);
    }

    /// The mail as unknown from now on.
    pub(super) fn doubtful(&self, mut entry: Entry, now: Timestamp, why: &str) -> Entry {
        let then = match self.options.resend_after {
            Some(after) => format!("it is sent again after {} minutes without evidence", after.as_mins()),
            None => "a person decides whether it is sent again".to_owned(),
        };
        entry.code = Some(Code::SMTP_OUT_UNKNOWN.0);
        entry.next_try = Some(self.next_look(&entry, now));
        entry.to(MailState::Unknown, format!("Whether it arrived is not known ({why}); {then}."))
    }

    fn next_look(&self, entry: &Entry, now: Timestamp) -> Timestamp {
        let soon = now.checked_add(if self.options.resend_after.is_some() { LOOK } else { SELDOM });
        let soon = soon.unwrap_or(Timestamp::MAX);
        self.resend_at(entry).map_or(soon, |at| soon.min(at.max(now)))
    }

    /// When it is sent again, if nothing shows that it arrived.
    fn resend_at(&self, entry: &Entry) -> Option<Timestamp> {
        entry.sending_at?.checked_add(self.options.resend_after?).ok()
    }

    /// Looks whether they arrived.
    pub(super) async fn look(&self, items: Vec<Item>, left: &mut Left) {
        let now = self.clock.now();
        let (mut seen, mut resent, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for item in items {
            // After the clock was set back, the time without evidence begins anew.
            let sending_at = item.entry.sending_at.map(|at| at.min(now));
            let entry = Entry { sending_at, ..item.entry.clone() };
            match self.evidence(&entry).await {
                Ok(Some(evidence)) => seen.push(arrived(item, evidence, now)),
                Ok(None) if self.resend_at(&entry).is_some_and(|at| at <= now) => {
                    let reason = "Nothing shows that it arrived; it is sent again with the same Message-ID.";
                    let mut after = entry.to(MailState::Queued, reason);
                    after.next_try = None;
                    resent.push(Change::new(item, after));
                }
                Ok(None) => {
                    let due = self.next_look(&entry, now);
                    let after = Entry { next_try: Some(due), ..entry };
                    waiting.push(Change::new(item, after).then(Then::Again(due)));
                }
                Err(fault) => left.end(&item.claim, Err(fault)),
            }
        }
        let seen = self.change("mail.evidence", seen, left).await;
        seen.iter().for_each(|item| events::finished(&item.entry, now));
        left.items.extend(seen);
        let resent = self.change("mail.resend", resent, left).await;
        left.items.extend(resent);
        self.put_off(waiting, left).await;
    }

    /// What shows that a server took the mail: somebody saw it, or it was answered or reported on.
    async fn evidence(&self, entry: &Entry) -> Result<Option<&'static str>, Fault> {
        let (id, header_id) = (entry.id, entry.message_id.clone());
        let found = self.store.read(move |tx| {
            async move {
                let seen = Query::select()
                    .column("id")
                    .from("sighting")
                    .and_where(Expr::col("message").eq(id.0))
                    .limit(1)
                    .to_owned();
                if tx.query_one(&seen).await?.is_some() {
                    return Ok(Some("a copy of it was seen in a mailbox"));
                }
                let Some(header_id) = header_id else { return Ok(None) };
                referred(tx, header_id).await
            }
            .boxed()
        });
        let found: Result<Option<&'static str>, Error> = found.await;
        Ok(found?)
    }
}

fn arrived(item: Item, evidence: &str, now: Timestamp) -> Change {
    let mut after = item.entry.clone();
    for recipient in after.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
        (recipient.state, recipient.at) = (Standing::Accepted, now);
        recipient.text = format!("its answer was lost, but {evidence}");
    }
    after.tries += 1;
    Change::new(item, after.concluded(now))
}

async fn referred(tx: &mut Tx, header_id: String) -> Result<Option<&'static str>, Error> {
    let select = Query::select()
        .column(("message_ref", "message"))
        .from("message_ref")
        .inner_join("message", Expr::col(("message", "id")).equals(("message_ref", "message")))
        .and_where(Expr::col(("message_ref", "ref")).eq(header_id))
        // Our own later mail of the thread refers to it too, and proves nothing.
        .and_where(Expr::col(("message", "direction")).eq(Direction::Incoming.as_str()))
        .limit(1)
        .to_owned();
    Ok(tx.query_one(&select).await?.map(|_| "a mail came that refers to it"))
}
