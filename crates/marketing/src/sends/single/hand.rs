//! What a person decides about a mail to one person, or somebody put into a program, when nobody knows whether it was done.
//!
//! Whether the person may is the caller's to ask; who it was is written down.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Code, Fault};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::row::{self, Single, State};
use crate::engine::Engine;
use crate::programs;
use crate::sends::Decision;

impl Engine {
    /// Carries out what `who` found out about a single send whose outcome is unknown: [`Decision::Found`] or
    /// [`Decision::Unsent`]. The request row is told by the next look; nothing is sent again. With `dry_run` it only answers how
    /// the single send would stand.
    ///
    /// # Errors
    /// A refusal says why that cannot be; nothing has changed then.
    pub async fn decide_single(
        &self,
        id: Uuid,
        who: &str,
        decision: Decision,
        dry_run: bool,
    ) -> Result<Single, Fault> {
        let (now, who) = (self.clock.now(), who.to_owned());
        let decided: Result<Result<Single, Fault>, Error> = match dry_run {
            true => {
                let unit = self
                    .store
                    .rehearse(move |tx| async move { decided(tx, now, id, who, decision).await }.boxed());
                unit.await
            }
            false => {
                let unit = self.store.write("marketing.single_decided", move |tx| {
                    async move { decided(tx, now, id, who, decision).await }.boxed()
                });
                unit.await
            }
        };
        decided?
    }
}

fn refused(text: &str) -> Fault {
    Fault::reject(Code::MARKETING_STATE, text)
}

async fn decided(
    tx: &mut Tx,
    now: Timestamp,
    id: Uuid,
    who: String,
    decision: Decision,
) -> Result<Result<Single, Fault>, Error> {
    let Some(mut single) = row::these(tx, &[id]).await?.pop() else {
        return Ok(Err(refused("there is no such single send")));
    };
    if single.state != State::Unknown {
        return Ok(Err(refused("what became of this single send is known: there is nothing to decide")));
    }
    match decision {
        Decision::Found => single.end(State::Done, None),
        Decision::Unsent => {
            let why = format!("a person looked and said that it was not done, {now}");
            single.end(State::Failed, Some(why));
        }
        _ => return Ok(Err(refused("a mail to a single person was either sent or not: say which"))),
    }
    single.details.decided = Some(who);
    row::save(tx, std::slice::from_mut(&mut single)).await?;
    if let Some(enrolment) = single.enrolment {
        programs::decided(tx, enrolment).await?;
    }
    Ok(Ok(single))
}
