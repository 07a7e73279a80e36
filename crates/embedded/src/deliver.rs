//! `DeliverIncomingEmail` for the port: the message done directly, mail by mail, with bodies as handles on the stored mail.
//!
//! One unit for each mail, in their order: a mail sees what the ones before it became, so that a reply finds its parent.
//! The id is made of the Message-ID; a mail that is there is found before, and of two at once one is refused and found after.

use postroom_core::{
    ChangeSet, Code, Crm, Delivered, Delivery, Fault, Filter, Ids, IncomingMail, Query, ReasonCode, deliver,
};
use uuid::Uuid;

use crate::Embedded;
use crate::messages::incoming;
use crate::session::Session;

impl Embedded {
    pub(crate) async fn deliver_all(
        &self,
        mails: &[IncomingMail],
        dry_run: bool,
    ) -> Vec<Result<Delivery, Fault>> {
        let (session, ids) = (self.session(self.acting), Ids::random());
        let mut answers = Vec::with_capacity(mails.len());
        for mail in mails {
            answers.push(self.deliver_one(&session, &ids, mail, dry_run).await);
        }
        answers
    }

    async fn deliver_one(
        &self,
        session: &Session,
        ids: &Ids,
        mail: &IncomingMail,
        dry_run: bool,
    ) -> Result<Delivery, Fault> {
        if let Some(email) = self.delivered_before(mail).await? {
            return Ok(delivered(email, false));
        }
        if dry_run {
            let (taken, reason) = incoming::consider(session, ids, mail).await?;
            return Ok(if taken { Delivery::Accepted(reason) } else { Delivery::Refused(reason) });
        }
        let taken = match incoming::hand_in(session, ids, mail).await? {
            Ok(taken) => taken,
            Err(reason) => return Ok(Delivery::Refused(reason)),
        };
        let set = ChangeSet { changes: taken.prepared.changes };
        let answer = self.apply(vec![set]).await.pop();
        match answer.ok_or_else(|| Fault::bug("one set of changes gave no answer"))? {
            Ok(_) => Ok(delivered(taken.email.id, true)),
            // Somebody else made it meanwhile.
            Err(fault) if fault.code == Code::CRM_DUPLICATE => {
                Ok(match self.delivered_before(mail).await? {
                    Some(email) => delivered(email, false),
                    None => Delivery::Refused(ReasonCode::Duplicate),
                })
            }
            Err(fault) => Err(fault),
        }
    }

    /// The activity of this very mail; the oldest, when several are there.
    async fn delivered_before(&self, mail: &IncomingMail) -> Result<Option<Uuid>, Fault> {
        let query = Query::of("email")
            .select(&deliver::LOOKED_AT)
            .filter(Filter::eq("messageid", mail.message_id.as_str()))
            .order_by("createdon", false);
        let rows = self.query(&query).await?;
        Ok(rows.into_iter().find(|row| mail.is(row)).map(|row| row.at.id))
    }
}

/// What stayed behind is marked in the same set.
fn delivered(email: Uuid, new: bool) -> Delivery {
    Delivery::Delivered(Delivered { email, new, shortened: false })
}
