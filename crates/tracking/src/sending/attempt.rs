//! One attempt: the intent before the wire, the answer after.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Answer, Fate, Fault, Handed, MailState, Outgoing, Verdict};
use postroom_jobs::Claim;
use postroom_store::body;

use super::ledger::{Entry, Hold, Standing, Then};
use super::worker::Next;
use super::{Sending, events, schedule};

/// Characters of a server's words that are kept.
const TEXT: usize = 500;

impl Sending {
    /// Sends to whoever has no answer yet.
    pub(super) async fn attempt(&self, claim: &Claim, entry: Entry) -> Result<Next, Fault> {
        if self.is_safe_mode().await? {
            return self.hold_for_safe_mode(claim, entry).await;
        }
        let now = self.clock.now();
        let raw = self.raw(&entry).await?;
        let mut intent = entry.clone().to(MailState::Sending, "Handed to the mail server; no answer yet.");
        intent.attempts += 1;
        (intent.sending_at, intent.next_try) = (Some(now), None);
        // From here on the row is guarded by the number that the intent wrote.
        let entry = self.change("mail.sending", &entry, intent, Then::Stay).await?;
        let open = entry.recipients.iter().filter(|recipient| recipient.state.is_open());
        let mail = Outgoing {
            from: entry.reverse_path.clone(),
            to: open.map(|recipient| recipient.address.clone()).collect(),
            envelope_id: Some(entry.id.0.simple().to_string()),
            raw,
        };
        let answer = self.sender.send(mail).await;
        self.answered(claim, entry, answer).await
    }

    /// The frozen bytes.
    pub(super) async fn raw(&self, entry: &Entry) -> Result<Bytes, Fault> {
        let hash = entry
            .body
            .ok_or_else(|| Fault::bug(format!("{} is to be sent and was never rendered", entry.id)))?;
        let raw = body::get(&self.store, vec![hash]).await?.pop();
        raw.map(Bytes::from).ok_or_else(|| Fault::bug("one body was asked for and none answered"))
    }

    async fn answered(
        &self,
        claim: &Claim,
        entry: Entry,
        answer: Result<Handed, Fault>,
    ) -> Result<Next, Fault> {
        let now = self.clock.now();
        let after = match &answer {
            Ok(handed) => self.settled(taken(entry.clone(), handed, now), now, None),
            Err(fault) => self.failed(entry.clone(), fault, now),
        };
        // An answer that comes after somebody took this process for dead is still the answer.
        let from = vec![MailState::Sending, MailState::Unknown];
        let after = self.change_from("mail.answered", &entry, after, Then::Stay, from).await?;
        if after.finished_at.is_some() {
            events::finished(&after, now);
        }
        match answer {
            // Credentials or TLS: the queue slows down until somebody mends them.
            Err(fault) if fault.verdict == Verdict::Hold => Err(fault),
            _ if after.state == MailState::Held => {
                self.end(&after, after.clone(), Then::Finish(claim.clone())).await
            }
            _ => Ok(Next::Look),
        }
    }

    /// What stands after an attempt in which nobody got the mail, or nobody knows.
    fn failed(&self, mut entry: Entry, fault: &Fault, now: Timestamp) -> Entry {
        let said: String = fault.message.chars().take(TEXT).collect();
        match fault.verdict {
            Verdict::Unknown => self.doubtful(entry, now, &said),
            Verdict::Retry { after } => {
                entry.code = Some(fault.code.0);
                for recipient in entry.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
                    (recipient.state, recipient.text, recipient.at) = (Standing::Later, said.clone(), now);
                    (recipient.code, recipient.status) = (None, None);
                }
                self.settled(entry, now, after)
            }
            Verdict::Reject => {
                for recipient in entry.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
                    (recipient.state, recipient.text, recipient.at) = (Standing::Refused, said.clone(), now);
                }
                self.settled(entry, now, None)
            }
            Verdict::Hold => {
                entry.code = Some(fault.code.0);
                entry.to(MailState::Queued, format!("Waits for the mail server to let us in: {said}"))
            }
            Verdict::Bug => {
                entry.held(Hold::Rule, Some(fault.code), format!("It could not be handed over: {said}"))
            }
        }
    }

    /// Counts the try, and says when the next one is or that there is none.
    fn settled(&self, mut entry: Entry, now: Timestamp, asked: Option<SignedDuration>) -> Entry {
        entry.tries += 1;
        if !entry.is_open() {
            return entry.concluded(now);
        }
        let options = &self.options;
        match schedule::next_try(entry.tries, entry.first_at, now, asked, options.give_up) {
            Some(due) => {
                let said = entry.recipients.iter().find(|recipient| recipient.state.is_open());
                let said = said.map(|recipient| recipient.text.clone()).unwrap_or_default();
                entry.next_try = Some(due);
                let reason = format!("Tried {} times; the mail server said: {said}", entry.tries);
                entry.to(MailState::Queued, reason)
            }
            None => {
                for recipient in entry.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
                    recipient.state = Standing::Expired;
                    let hours = options.give_up.as_hours();
                    recipient.text = format!("given up after {hours} hours; last said: {}", recipient.text);
                }
                entry.concluded(now)
            }
        }
    }
}

/// Writes the answers to the recipients they are for. One without an answer stays open.
fn taken(mut entry: Entry, handed: &Handed, now: Timestamp) -> Entry {
    for recipient in entry.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
        let answer =
            handed.iter().find(|(address, _)| *address == recipient.address).map(|(_, answer)| answer);
        let Some(answer) = answer else { continue };
        recipient.state = match answer.fate() {
            Fate::Accepted => Standing::Accepted,
            Fate::Later => Standing::Later,
            Fate::Refused => Standing::Refused,
        };
        (recipient.code, recipient.status) = (Some(answer.code), answer.status.clone());
        (recipient.text, recipient.at) = (said(answer), now);
    }
    entry.code = None;
    entry
}

/// `550 5.1.1 user unknown`.
fn said(answer: &Answer) -> String {
    let status = answer.status.as_deref().map(|status| format!("{status} ")).unwrap_or_default();
    format!("{} {status}{}", answer.code, answer.text)
        .chars()
        .filter(|c| !c.is_control())
        .take(TEXT)
        .collect()
}
