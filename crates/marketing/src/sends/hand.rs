//! What people decide about a send: pause, approve, say the number, cancel; and what became of one whose answer was lost.
//!
//! Whether the person may is the caller's to ask ([`super::Permits`]); who it was is written down.

use futures_util::FutureExt;
use postroom_core::{Code, Fault};
use postroom_store::Error;
use uuid::Uuid;

use super::job;
use super::mailed;
use super::release::end;
use super::row::{self, CampaignSend, Evidence, Word};
use super::state::{Event, State};
use crate::engine::Engine;

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Pause,
    Resume,
    /// A second person says yes to a large send.
    Approve,
    /// So many people are right: the answer to the question about the number.
    Expect(u64),
    /// Looked at; go on.
    GoOn,
    Cancel,
    /// A send whose answer was lost was made.
    Found,
    /// It was not made.
    Unsent,
}

impl Engine {
    /// Carries out what `who` (a user's id or name) decided about a send, and goes on with it.
    ///
    /// # Errors
    /// A refusal says why that cannot be here; nothing has changed then.
    pub async fn decide(&self, id: Uuid, who: &str, decision: Decision) -> Result<CampaignSend, Fault> {
        let (ids, now, who) = (self.ids.clone(), self.clock.now(), who.to_owned());
        let unit = self.store.write("marketing.send_decided", move |tx| {
            async move {
                let Some(mut send) = row::one(tx, id).await? else {
                    return Ok(Err(refused("there is no such send")));
                };
                let word = Word { who, at: now };
                let forget = decision == Decision::Unsent;
                if let Err(fault) = apply(&mut send, word, decision) {
                    return Ok(Err(fault));
                }
                send.wake = Some(now);
                if forget {
                    mailed::forget(tx, id).await?;
                }
                row::save(tx, &mut send).await?;
                job::wake(tx, &ids, now, &[id]).await?;
                Ok(Ok(send))
            }
            .boxed()
        });
        let decided: Result<Result<CampaignSend, Fault>, Error> = unit.await;
        let send = decided??;
        self.store.wake();
        Ok(send)
    }

    /// What a decision would come to; nothing is written.
    ///
    /// # Errors
    /// As for [`Engine::decide`].
    pub async fn would_decide(&self, id: Uuid, who: &str, decision: Decision) -> Result<CampaignSend, Fault> {
        let mut send = self.campaign_send(id).await?.ok_or_else(|| refused("there is no such send"))?;
        apply(&mut send, Word { who: who.to_owned(), at: self.clock.now() }, decision)?;
        Ok(send)
    }
}

fn refused(text: impl Into<String>) -> Fault {
    Fault::reject(Code::MARKETING_STATE, text)
}

/// What a decision changes. Pure, and the same for the CRM's rows and for the other faces.
pub(super) fn apply(send: &mut CampaignSend, word: Word, decision: Decision) -> Result<(), Fault> {
    let harmless = send.state.is_harmless();
    let late =
        || refused(format!("the send is {} already: the service cannot call it back", send.state.as_str()));
    let details = &mut send.details;
    match decision {
        Decision::Pause | Decision::Resume | Decision::Approve | Decision::Expect(_) | Decision::GoOn
            if !harmless =>
        {
            return Err(late());
        }
        Decision::Pause => (details.paused, details.ready) = (Some(word.who), None),
        Decision::Resume => details.paused = None,
        Decision::Approve => {
            if details.request.actor.is_some_and(|actor| actor.to_string() == word.who) {
                return Err(refused("a second person has to approve it, not the one who asked for it"));
            }
            (details.approved, details.question) = (Some(word), None);
        }
        Decision::Expect(number) => (details.expected, details.question) = (Some(number), None),
        Decision::GoOn => details.question = None,
        Decision::Cancel => {
            if !harmless {
                return Err(late());
            }
            details.decided = Some(word.clone());
            details.paused = None;
            end(send, Event::Cancel, word.at);
        }
        Decision::Found | Decision::Unsent if send.state != State::Unknown => {
            return Err(refused("what became of this send is known: there is nothing to decide"));
        }
        Decision::Found => {
            details.decided = Some(word);
            send.take(Event::Found);
        }
        Decision::Unsent => {
            if details.evidence.as_ref().is_some_and(Evidence::shows) {
                return Err(refused("the service shows that this send was made; say found instead"));
            }
            details.decided = Some(word.clone());
            details.error = Some("a person looked and said that it was not made".to_owned());
            end(send, Event::DeclaredUnsent, word.at);
        }
    }
    Ok(())
}
