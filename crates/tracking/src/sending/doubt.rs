//! Mail of unknown fate (promise P5): shown, looked for, then sent again with the same Message-ID or left to a person.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Code, Direction, Fault, MailState};
use postroom_jobs::Claim;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};

use super::ledger::{Entry, Standing, Then};
use super::worker::Next;
use super::{Sending, events};

/// Between two looks for evidence.
const LOOK: SignedDuration = SignedDuration::from_mins(1);
/// Between two looks when only a person may send it again.
const SELDOM: SignedDuration = SignedDuration::from_mins(30);

impl Sending {
    /// The process that sent it is gone, and the answer with it.
    pub(super) async fn lost(&self, entry: Entry) -> Result<Next, Fault> {
        let now = self.clock.now();
        let after = self.doubtful(entry.clone(), now, "the process ended while it was being handed over");
        self.change("mail.unknown", &entry, after, Then::Stay).await?;
        Ok(Next::Look)
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

    /// Looks whether it arrived.
    pub(super) async fn look(&self, claim: &Claim, entry: Entry) -> Result<Next, Fault> {
        let now = self.clock.now();
        if let Some(evidence) = self.evidence(&entry).await? {
            let mut after = entry.clone();
            for recipient in after.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
                (recipient.state, recipient.at) = (Standing::Accepted, now);
                recipient.text = format!("its answer was lost, but {evidence}");
            }
            after.tries += 1;
            let after = self.change("mail.evidence", &entry, after.concluded(now), Then::Stay).await?;
            events::finished(&after, now);
            return Ok(Next::Look);
        }
        let mut after = entry.clone();
        if self.resend_at(&entry).is_some_and(|at| at <= now) {
            after.next_try = None;
            let reason = "Nothing shows that it arrived; it is sent again with the same Message-ID.";
            self.change("mail.resend", &entry, after.to(MailState::Queued, reason), Then::Stay).await?;
            return Ok(Next::Look);
        }
        let due = self.next_look(&entry, now);
        after.next_try = Some(due);
        self.end(&entry, after, Then::Again(claim.clone(), due)).await
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
