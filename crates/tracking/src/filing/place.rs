//! A person's word about one mail: attach it to a record, set it aside, or take such a word back. It stands against every
//! later decision, and replies follow it.

use std::collections::HashSet;

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Class, Code, Decision, Fault, MailId, MailState, Method, RecordRef};
use postroom_store::body;

use crate::filing::decide::Ruling;
use crate::filing::known::{self, Known, Lead};
use crate::filing::outcome::{self, Outcome, Settled};
use crate::filing::reading::{self, Reading};
use crate::filing::{Filing, activity, load, mark_purged, moved, parties};

/// What a person decided.
#[derive(Debug, Clone)]
pub enum Placement {
    Attach(RecordRef),
    /// Not tracked, for this reason.
    Aside(String),
    /// As this earlier decision had it. An activity that only the word taken back had made is deleted.
    Restore(Box<Decision>),
}

impl Filing {
    /// Does what a person decided about the mail `id`. `who` is named in the reason.
    pub async fn place(&self, id: MailId, placement: Placement, who: &str) -> Result<(), Fault> {
        let stored = load::load(&self.store, vec![id]).await?.into_iter().next();
        let stored = stored.ok_or_else(|| Fault::reject(Code::API_NOT_FOUND, format!("no message {id}")))?;
        let raw = body::get(&self.store, vec![stored.body]).await?.remove(0);
        let mut reading = reading::read(stored, &raw, &self.rules, self.signer.as_deref());
        self.resolve_names(std::slice::from_mut(&mut reading)).await?;
        let mut known =
            known::gather(&self.store, &*self.crm, &self.rules, std::slice::from_ref(&reading)).await?;
        let mut ruling = match placement {
            Placement::Attach(record) => {
                known::gather_records(&*self.crm, &self.rules, HashSet::from([record.id]), &mut known)
                    .await?;
                attached(&record, &known, who)?
            }
            Placement::Aside(reason) => ruled(MailState::NotTracked, None, reason),
            Placement::Restore(decision) => {
                let record = decision.record.as_ref().map(|record| record.id);
                known::gather_records(&*self.crm, &self.rules, record.into_iter().collect(), &mut known)
                    .await?;
                let ruling = restored(*decision, who);
                if ruling.state != MailState::Tracked {
                    self.unfile(&reading).await?;
                    return self.store_placed(reading, ruling, None).await;
                }
                ruling
            }
        };
        mark_purged(&reading.stored, &mut ruling);
        if ruling.state == MailState::Tracked {
            ruling.flags.extend(parties::doubts(&reading, &known));
        }
        let activity = self.write_placed(&reading, &ruling, &known).await?;
        self.store_placed(reading, ruling, activity).await
    }

    async fn write_placed(
        &self,
        reading: &Reading,
        ruling: &Ruling,
        known: &Known,
    ) -> Result<Option<uuid::Uuid>, Fault> {
        if ruling.state != MailState::Tracked {
            return Ok(reading.stored.activity);
        }
        let mut made = match activity::elsewhere(&reading.stored, &self.rules) {
            Some(id) => self.update_of(id, reading, ruling, known),
            None => activity::build(reading, ruling, known, &self.rules),
        };
        if reading.stored.activity.is_some() {
            made.set.changes.push(Change::Update(moved(made.id, made.record.as_ref())));
        }
        let answer = self.crm.apply(vec![made.set]).await.pop();
        answer.ok_or_else(|| Fault::bug("the CRM answered nothing for a change set"))??;
        Ok(Some(made.id))
    }

    /// Deletes the mail's activity. One that is gone already is no failure.
    async fn unfile(&self, reading: &Reading) -> Result<(), Fault> {
        let Some(activity) = reading.stored.activity else { return Ok(()) };
        let delete = Change::Delete(RecordRef::new("email", activity));
        let answer = self.crm.apply(vec![ChangeSet { changes: vec![delete] }]).await.pop();
        match answer.ok_or_else(|| Fault::bug("the CRM answered nothing for a change set"))? {
            Err(fault) if fault.code != Code::CRM_NOT_FOUND => Err(fault),
            _ => Ok(()),
        }
    }

    async fn store_placed(
        &self,
        reading: Reading,
        ruling: Ruling,
        activity: Option<uuid::Uuid>,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        let settled = Settled {
            id: reading.stored.id,
            header_id: reading.stored.header_id.clone(),
            class: reading.class,
            automatic: reading.automatic,
            mailbox: self.mailbox(&reading).name.clone(),
            record: ruling.record.clone(),
            activity,
            decision: outcome::decision(&self.ids, now, &ruling),
            report: reading.report.filter(|_| reading.class == Class::Bounce),
            unpacked: reading.unpacked,
            parties: reading.named.then(|| reading.stored.parties.join(" ")),
            moved: ruling.record.is_some() && ruling.record != reading.stored.record,
            unchanged: false,
        };
        let outcome = Outcome { results: vec![settled], claims: Vec::new(), seen: HashSet::new() };
        let ids = self.ids.clone();
        self.store
            .write("mail.placed", move |tx| {
                async move { outcome::store(tx, outcome, &ids, now).await }.boxed()
            })
            .await?;
        self.store.wake();
        Ok(())
    }
}

/// Merged records are followed for a person too.
fn attached(record: &RecordRef, known: &Known, who: &str) -> Result<Ruling, Fault> {
    match known.follow(record.id) {
        Lead::Record { record: found, note, .. } if found == *record || !note.is_empty() => {
            Ok(ruled(MailState::Tracked, Some(found), format!("Attached by {who}.")))
        }
        Lead::Record { record: found, .. } => {
            Err(Fault::reject(Code::CRM_NOT_FOUND, format!("{record} is {found} in the CRM")))
        }
        Lead::Nothing(why) | Lead::Gone(why) => {
            Err(Fault::reject(Code::CRM_NOT_FOUND, format!("{record} {why}")))
        }
    }
}

/// What an earlier decision said, said again.
fn restored(decision: Decision, who: &str) -> Ruling {
    Ruling {
        state: decision.state,
        method: decision.method,
        record: decision.record,
        parent: None,
        create: None,
        reason: format!("Undone by {who}. {}", decision.reason),
        signals: decision.signals,
        flags: decision.flags,
    }
}

fn ruled(state: MailState, record: Option<RecordRef>, reason: String) -> Ruling {
    Ruling {
        state,
        method: Method::Person,
        record,
        parent: None,
        create: None,
        reason,
        signals: Vec::new(),
        flags: Vec::new(),
    }
}
