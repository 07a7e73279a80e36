//! Which subject a mail should carry that a user is sending.

use postroom_core::{Fault, Stamp, StampAsk};

use crate::{Actor, Operations, Permission};

impl Operations {
    /// Never fails for want of an answer: then the subject stays as it is.
    pub async fn stamp(&self, actor: &Actor, ask: StampAsk) -> Result<Stamp, Fault> {
        actor.needs(Permission::Submit)?;
        match &self.0.stamper {
            Some(stamper) => Ok(stamper.stamp(ask).await),
            None => {
                let reason = "Stamping is not set up here; the subject stays as it is.".to_owned();
                Ok(Stamp { subject: ask.subject, record: None, reason })
            }
        }
    }
}
