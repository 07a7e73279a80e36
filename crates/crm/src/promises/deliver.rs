//! Mails handed to the server's own `DeliverIncomingEmail`, so that each is there once although the server chooses the ids.
//!
//! 1. *Look*: what is there by Message-ID, sender, subject and recipients is not sent again.
//! 2. *Check*: `CheckIncomingEmail` asks the recipients' rules, and the server's own against duplicates. Bodies and attachments
//!    go over the wire only for what is taken.
//! 3. *Deliver*, in order, many in one request where the server has that.
//! 4. *Look again* for what has no answer, and for what the server calls a duplicate. What is still not to be seen after a lost
//!    answer is not sent again here: the server may be at it. The caller tries later, and then begins with 1.
//!
//! A refused mail may be a reply to one that was delivered after it was asked about, so the refused are asked about again as
//! long as a round delivers something.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use postroom_core::metadata::Metadata;
use postroom_core::{
    Code, Content, Delivered, Delivery, Fault, Filter, IncomingMail, Query, ReasonCode, Record, Value,
    Verdict, deliver,
};
use uuid::Uuid;

use super::write::copy;
use super::{Reads, Writes, table};
use crate::refusal::{Refusal, codes};
use crate::webapi::Bodies;

/// Message-IDs are long: so many in one question.
const IDS: usize = 20;
/// What an attachment's row says of the mail that it hangs on: the server finds out itself.
const HUNG: [&str; 4] = ["objectid", "objecttypecode", "activityid", "activitymimeattachmentid"];

type Answer = Result<Delivery, Fault>;

/// A mail ready to be said.
pub(crate) struct Ready {
    pub mail: IncomingMail,
    /// The server knows what a reply's `inreplyto` is (dataverse.md B6); older ones refuse the column.
    pub threaded: bool,
    /// Attachments stayed behind.
    shortened: bool,
}

/// What became of a mail on its way.
#[derive(Debug)]
pub(crate) enum Handed {
    Done(Uuid),
    Refused(Refusal),
    Lost(Fault),
    /// It was not tried.
    Not(Fault),
}

/// The two messages in a make's words.
#[async_trait]
pub(crate) trait Delivers: Send + Sync {
    /// `CheckIncomingEmail` for each: whether it is to be delivered, and the reason's number.
    async fn check(&self, mails: &[&Ready]) -> Result<Vec<Result<(bool, i64), Refusal>>, Fault>;

    /// `DeliverIncomingEmail`, in this order; the answers stand in it too.
    async fn hand_in(&self, metadata: &Metadata, mails: &[&Ready]) -> Vec<Handed>;

    /// The server does not know the message.
    fn unknown(&self, refusal: &Refusal) -> bool;
}

/// Delivers mails, or only asks about them.
pub(crate) async fn deliver(
    make: &impl Writes,
    words: &impl Delivers,
    mails: Vec<IncomingMail>,
    dry_run: bool,
) -> Vec<Answer> {
    let count = mails.len();
    let answers = async {
        let metadata = make.reads().metadata(&["email", "activitymimeattachment"]).await?;
        let ready = prepare(make, &metadata, mails).await?;
        let answers = ready.iter().map(|_| None).collect();
        let mut lot = Lot { make, words, metadata: &metadata, answers, ready };
        lot.look(&(0..count).collect::<Vec<_>>(), false).await?;
        lot.rounds(dry_run).await?;
        Ok(lot.answers)
    };
    match answers.await {
        Ok(answers) => answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| Err(Fault::bug("a mail was not answered for"))))
            .collect(),
        Err(fault) => (0..count).map(|_| Err(copy(&fault))).collect(),
    }
}

/// Leaves out the attachments that the organisation takes none of. Bodies stay handles until they are sent.
async fn prepare(
    make: &impl Writes,
    metadata: &Metadata,
    mails: Vec<IncomingMail>,
) -> Result<Vec<Ready>, Fault> {
    let threaded = table(metadata, "email")?.column("inreplyto").is_some();
    let limits = match mails.iter().any(|mail| !mail.attachments.is_empty()) {
        true => make.limits().await?,
        false => Arc::default(),
    };
    let ready = |mut mail: IncomingMail| {
        let whole = mail.attachments.len();
        mail.attachments.retain(|row| !limits.keep(row));
        for row in &mut mail.attachments {
            row.columns.retain(|(name, _)| !HUNG.contains(&name.as_str()));
        }
        Ready { threaded, shortened: mail.attachments.len() < whole, mail }
    };
    Ok(mails.into_iter().map(ready).collect())
}

struct Lot<'d, M, D> {
    make: &'d M,
    words: &'d D,
    metadata: &'d Metadata,
    ready: Vec<Ready>,
    answers: Vec<Option<Answer>>,
}

impl<M: Writes, D: Delivers> Lot<'_, M, D> {
    fn open(&self) -> Vec<usize> {
        (0..self.ready.len()).filter(|at| self.answers[*at].is_none()).collect()
    }

    fn is_there(&mut self, at: usize, email: Uuid, new: bool) {
        let shortened = self.ready[at].shortened;
        self.answers[at] = Some(Ok(Delivery::Delivered(Delivered { email, new, shortened })));
    }

    /// Answers for what is there. `new`: we have just sent it.
    async fn look(&mut self, which: &[usize], new: bool) -> Result<(), Fault> {
        let ids: BTreeSet<&str> = which.iter().map(|at| self.ready[*at].mail.message_id.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let email = table(self.metadata, "email")?;
        let columns: Vec<&str> =
            deliver::LOOKED_AT.into_iter().filter(|column| email.column(column).is_some()).collect();
        let query = |ids: &[&str]| {
            let list = Filter::In("messageid".into(), ids.iter().map(|id| Value::text(*id)).collect());
            Query::of("email").select(&columns).filter(list).order_by("createdon", false)
        };
        let queries: Vec<Query> = ids.chunks(IDS).map(query).collect();
        if queries.is_empty() {
            return Ok(());
        }
        let rows: Vec<Record> = self.make.reads().many(&queries).await?.into_iter().flatten().collect();
        let mut by_id: HashMap<String, Vec<&Record>> = HashMap::new();
        for row in &rows {
            let id = row.text("messageid").unwrap_or_default().to_lowercase();
            by_id.entry(id).or_default().push(row);
        }
        for at in which {
            let mail = &self.ready[*at].mail;
            let known = by_id.get(&mail.message_id.to_lowercase());
            let found = known.into_iter().flatten().find(|row| mail.is(row)).map(|row| row.at.id);
            if let Some(email) = found {
                self.is_there(*at, email, new);
            }
        }
        Ok(())
    }

    async fn rounds(&mut self, dry_run: bool) -> Result<(), Fault> {
        loop {
            let open = self.open();
            if open.is_empty() {
                return Ok(());
            }
            let (taken, refused) = self.check(&open).await?;
            if dry_run {
                for (at, reason) in taken {
                    self.answers[at] = Some(Ok(Delivery::Accepted(reason)));
                }
            } else if self.hand_in(&taken).await? {
                continue; // what was refused may answer what is there now
            }
            for (at, reason) in refused {
                self.answers[at].get_or_insert(Ok(Delivery::Refused(reason)));
            }
        }
    }

    /// What the server would take, and what not, each with the reason.
    async fn check(&mut self, open: &[usize]) -> Result<(Reasons, Reasons), Fault> {
        let asked: Vec<&Ready> = open.iter().map(|at| &self.ready[*at]).collect();
        let said = self.words.check(&asked).await?;
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for (at, said) in open.iter().zip(said) {
            match said {
                Ok((true, reason)) => taken.push((*at, ReasonCode::of(reason))),
                Ok((false, reason)) => refused.push((*at, ReasonCode::of(reason))),
                Err(refusal) => self.answers[*at] = Some(Err(self.fault(&refusal))),
            }
        }
        // Somebody else may have delivered it since the look.
        let twice = |(_, reason): &&(usize, ReasonCode)| *reason == ReasonCode::Duplicate;
        let twice: Vec<usize> = refused.iter().filter(twice).map(|(at, _)| *at).collect();
        self.look(&twice, false).await?;
        refused.retain(|(at, _)| self.answers[*at].is_none());
        Ok((taken, refused))
    }

    /// Attachments of these mails were refused: the limits are others now. Where they do not say which attachments stay here,
    /// all do.
    async fn leave_out(&mut self, refused: &[usize]) {
        self.make.forget_limits();
        let limits = self.make.limits().await;
        for at in refused {
            let (ready, limits) = match &limits {
                Ok(limits) => (&mut self.ready[*at], limits),
                Err(fault) => {
                    self.answers[*at] = Some(Err(copy(fault)));
                    continue;
                }
            };
            let whole = ready.mail.attachments.len();
            ready.mail.attachments.retain(|row| !limits.keep(row));
            if ready.mail.attachments.len() == whole {
                ready.mail.attachments.clear();
            }
            ready.shortened = true;
        }
    }

    /// Whether anything was delivered, or is to be tried again.
    async fn hand_in(&mut self, taken: &[(usize, ReasonCode)]) -> Result<bool, Fault> {
        if taken.is_empty() {
            return Ok(false);
        }
        for (at, _) in taken {
            resolve(self.make.bodies(), &mut self.ready[*at].mail).await?;
        }
        let mails: Vec<&Ready> = taken.iter().map(|(at, _)| &self.ready[*at]).collect();
        let handed = self.words.hand_in(self.metadata, &mails).await;
        let (mut delivered, mut lost, mut twice, mut files) = (false, Vec::new(), Vec::new(), Vec::new());
        for ((at, _), handed) in taken.iter().zip(handed) {
            match handed {
                Handed::Done(email) => {
                    self.is_there(*at, email, true);
                    delivered = true;
                }
                Handed::Refused(refusal) if refusal.code == codes::CANNOT_ACCEPT => {
                    match reason(&refusal.message) {
                        ReasonCode::Duplicate => twice.push(*at),
                        reason => self.answers[*at] = Some(Ok(Delivery::Refused(reason))),
                    }
                }
                Handed::Refused(refusal)
                    if refusal.file() && !self.ready[*at].mail.attachments.is_empty() =>
                {
                    files.push(*at);
                }
                Handed::Refused(refusal) => self.answers[*at] = Some(Err(self.fault(&refusal))),
                Handed::Lost(fault) => lost.push((*at, fault)),
                Handed::Not(fault) => self.answers[*at] = Some(Err(fault)),
            }
        }
        self.look(&twice, false).await?;
        for at in twice {
            self.answers[at].get_or_insert(Ok(Delivery::Refused(ReasonCode::Duplicate)));
        }
        let places: Vec<usize> = lost.iter().map(|(at, _)| *at).collect();
        // Also a look that fails leaves them to a later try.
        if let Err(fault) = self.look(&places, true).await {
            tracing::debug!(event = "crm.delivery_unseen", code = %fault.code, "No look after a lost answer: {fault}");
        }
        for (at, fault) in lost {
            delivered |= self.answers[at].is_some();
            self.answers[at]
                .get_or_insert_with(|| Err(Fault { verdict: Verdict::Retry { after: None }, ..fault }));
        }
        if !files.is_empty() {
            self.leave_out(&files).await;
        }
        Ok(delivered || !files.is_empty())
    }

    fn fault(&self, refusal: &Refusal) -> Fault {
        match self.words.unknown(refusal) {
            true => {
                let text = "this CRM does not deliver mail itself: set crm.delivery = \"rows\"";
                Fault::new(Verdict::Hold, Code::CRM_REFUSED, text)
            }
            false => refusal.fault(),
        }
    }
}

type Reasons = Vec<(usize, ReasonCode)>;

async fn resolve(bodies: &dyn Bodies, mail: &mut IncomingMail) -> Result<(), Fault> {
    let files =
        mail.attachments.iter_mut().flat_map(|row| &mut row.columns).filter_map(|(_, value)| match value {
            Value::Content(content) => Some(content),
            _ => None,
        });
    for content in files.chain([&mut mail.body]).filter(|content| !matches!(content, Content::Bytes(_))) {
        *content = Content::Bytes(bodies.read(content).await?);
    }
    Ok(())
}

/// `… Reason Code: 3.`, or the reason's name.
fn reason(message: &str) -> ReasonCode {
    let Some((_, rest)) = message.rsplit_once("Reason Code:") else { return ReasonCode::Unknown };
    let word = rest.trim().trim_end_matches('.');
    let named = ReasonCode::ALL.into_iter().find(|reason| reason.name().eq_ignore_ascii_case(word));
    named.unwrap_or_else(|| word.parse().map_or(ReasonCode::Unknown, ReasonCode::of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_from_refusals() {
        let said = "The e-mail cannot be delivered because it was refused. Reason Code:";
        for (word, expected) in [
            (" 3.", ReasonCode::NoRecipientMatch),
            (" Duplicate.", ReasonCode::Duplicate),
            (" -1", ReasonCode::Unknown),
            (" 99.", ReasonCode::Unknown),
            ("", ReasonCode::Unknown),
        ] {
            assert_eq!(reason(&format!("{said}{word}")), expected, "{word}");
        }
        assert_eq!(reason("no"), ReasonCode::Unknown);
    }
}
