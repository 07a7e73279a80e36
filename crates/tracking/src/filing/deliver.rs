//! Delivery by the CRM server's own `DeliverIncomingEmail`, where `crm.delivery = "server"` asks for it.
//!
//! # Design
//!
//! * **Our rules decide first**, as ever: what they do not track, or leave to a person, the server never sees. What they track
//!   is handed to the server instead of being written as rows: it asks the recipients' rules, finds the people, correlates,
//!   makes queue items, and chooses the activity's id.
//! * **Our record wins.** Where our rules found a record and the server's correlation found none or another one, the activity
//!   is updated, so that the books and the CRM say the same. Where ours found none, the server's is taken over.
//! * **What the server does not take goes to review**, with its reason's name and what to change; a replay, or a reply that
//!   comes in, asks it again. No reason is a fault, so nothing lands on the shelf for it.
//! * **Outgoing mail is written as rows**: it was never received. So is what a person attaches, whose word stands against the
//!   rules of recipients too. What was written as rows before stays rows; what the server delivered is only updated.
//! * A lead or contact that `on_unmatched` asks for is made before, so that the server knows the sender; it stays when the
//!   mail is then refused.
//! * A lot's mails go together, in the order of [`super::order`].
//!
//! # Nothing lost, nothing doubled
//!
//! The id is the server's, so a repeat cannot meet its own row by id. It meets it by Message-ID, sender, subject and
//! recipients ([`IncomingMail::is`]): every delivery begins with that look, and after an answer that was lost the mail is not
//! sent again but looked for, now and when its job is tried again. A mail without a Message-ID, or with one that the column
//! does not hold, gets one made of its key, the same each time.
//!
//! When the process dies
//!
//! * before the server's commit: the job starts over, nothing is found, the mail is delivered;
//! * after the server's commit and before ours: the job starts over, the look finds the activity, nothing is sent, and the
//!   record is set if it is not set yet; an update of that kind repeats safely;
//! * after our commit: nothing.
//!
//! What is left to the server: two deliveries at the very same moment, as when a server goes on with a request long after we
//! gave it up, are told apart by its own rule against duplicates.

use std::collections::HashMap;

use postroom_core::{
    Change, ChangeSet, Delivered, Delivery, Fault, IncomingMail, MailState, Method, Outcome, ReasonCode,
    Record, RecordRef,
};
use uuid::Uuid;

use super::activity::{self, cut};
use super::decide::Ruling;
use super::known::Known;
use super::parties::{self, Role};
use super::reading::{Reading, Stored};
use super::write::{By, Filed, Item, Written, by};
use super::{Filing, moved};
use crate::rules::Rules;

/// `notifications`: some attachments were not saved (dataverse.md B1).
const ATTACHMENTS_DROPPED: i64 = 1;

/// A mail that the server has, and where it shall be.
struct Settling {
    delivered: Delivered,
    /// What our rules found.
    record: Option<RecordRef>,
    /// What the server's correlation found.
    regarding: Option<RecordRef>,
}

impl Filing {
    /// Hands mails to the server, then brings them to their records.
    pub(super) async fn hand_in(&self, items: &[Item<'_>], known: &Known, written: &mut Written) {
        let items = self.make_people(items, known, written).await;
        if items.is_empty() {
            return;
        }
        let mails = items.iter().map(|item| mail(item.reading, known, &self.rules)).collect();
        let mut there: Vec<(&Item<'_>, Delivered)> = Vec::new();
        for (item, answer) in items.iter().zip(self.crm.deliver(mails, false).await) {
            let id = item.reading.stored.id;
            match answer {
                Ok(Delivery::Delivered(delivered)) => {
                    let in_lot = there.iter().any(|(_, other)| other.email == delivered.email)
                        || written.filed.values().any(|filed| filed.activity == delivered.email);
                    match in_lot || is_anothers(item.reading, delivered.email, known) {
                        true => drop(written.refused.insert(id, ReasonCode::Duplicate)),
                        false => there.push((*item, delivered)),
                    }
                }
                Ok(Delivery::Refused(reason)) => drop(written.refused.insert(id, reason)),
                Ok(Delivery::Accepted(_)) => {
                    let fault = Fault::bug("the CRM answered a delivery as if it had only been asked about");
                    written.failed.insert(id, fault);
                }
                Err(fault) => drop(written.failed.insert(id, fault)),
            }
        }
        self.settle(there, written).await;
    }

    /// Makes the leads and contacts that rulings want; answers the mails that can go on.
    async fn make_people<'i, 'l>(
        &self,
        items: &'i [Item<'l>],
        known: &Known,
        written: &mut Written,
    ) -> Vec<&'i Item<'l>> {
        let person = |item: &Item<'_>| activity::person_of(item.reading, &item.ruling, known, &self.rules);
        let (wanting, rest): (Vec<&Item<'l>>, Vec<&Item<'l>>) =
            items.iter().partition(|item| item.ruling.create.is_some());
        if wanting.is_empty() {
            return rest;
        }
        let sets = wanting
            .iter()
            .map(|item| ChangeSet { changes: person(item).map(Change::Create).into_iter().collect() });
        for (item, answer) in wanting.iter().zip(self.crm.apply(sets.collect()).await) {
            if let Err(fault) = answer {
                written.failed.insert(item.reading.stored.id, fault);
            }
        }
        items.iter().filter(|item| !written.failed.contains_key(&item.reading.stored.id)).collect()
    }

    /// Sets the record where the server's correlation did not, and marks what lost attachments.
    async fn settle(&self, there: Vec<(&Item<'_>, Delivered)>, written: &mut Written) {
        let ids: Vec<Uuid> = there.iter().map(|(_, delivered)| delivered.email).collect();
        if ids.is_empty() {
            return;
        }
        let found = match self.crm.find(&["email"], &ids).await {
            Ok(found) => found,
            Err(fault) => {
                let each = there.iter().map(|(item, _)| (item.reading.stored.id, super::copy(&fault)));
                return written.failed.extend(each);
            }
        };
        let regarding: HashMap<Uuid, RecordRef> = found
            .iter()
            .filter_map(|row| Some((row.at.id, row.lookup("regardingobjectid")?.clone())))
            .collect();
        let mut sets = Vec::with_capacity(there.len());
        let mut ends = Vec::with_capacity(there.len());
        for (item, delivered) in there {
            let person = activity::person_at(item.reading, &item.ruling, &self.rules);
            let record = person.or_else(|| item.ruling.record.clone());
            let regarding = regarding.get(&delivered.email).cloned();
            let settling = Settling { delivered, record, regarding };
            sets.push(settling.update());
            ends.push((item.reading.stored.id, settling));
        }
        for ((mail, settling), answer) in ends.into_iter().zip(self.apply_some(sets).await) {
            match answer {
                Ok(_) => {
                    let Delivered { email: activity, new, .. } = settling.delivered;
                    tracing::debug!(event = "crm.delivered", message_id = %mail, new, "The CRM delivered a mail");
                    let record = settling.record.or(settling.regarding);
                    written.filed.insert(mail, Filed { activity, record });
                }
                Err(fault) => drop(written.failed.insert(mail, fault)),
            }
        }
    }

    /// Applies what is there to apply; an empty set is done.
    async fn apply_some(&self, sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>> {
        match sets.iter().all(|set| set.changes.is_empty()) {
            true => sets.iter().map(|_| Ok(Vec::new())).collect(),
            false => self.crm.apply(sets).await,
        }
    }

    /// Asks the server whether it would take a mail that our rules would track.
    pub(super) async fn ask_server(
        &self,
        reading: &Reading,
        ruling: &mut Ruling,
        known: &Known,
    ) -> Result<(), Fault> {
        if ruling.state != MailState::Tracked || by(&reading.stored, &self.rules) != By::Server {
            return Ok(());
        }
        let answer = self.crm.deliver(vec![mail(reading, known, &self.rules)], true).await.pop();
        if let Delivery::Refused(reason) =
            answer.ok_or_else(|| Fault::bug("one question gave no answer"))??
        {
            refuse(ruling, reason);
        }
        Ok(())
    }
}

/// The activity belongs to another mail of ours that used the same Message-ID: one activity stands for one mail.
fn is_anothers(reading: &Reading, email: Uuid, known: &Known) -> bool {
    let same_id = reading.stored.header_id.as_ref().and_then(|id| known.parents.get(id));
    same_id.into_iter().flatten().any(|other| other.id != reading.stored.id && other.activity == Some(email))
}

impl Settling {
    fn update(&self) -> ChangeSet {
        let at = self.delivered.email;
        let elsewhere = self.record.is_some() && self.record != self.regarding;
        let mut row = match elsewhere {
            true => moved(at, self.record.as_ref()),
            false => Record::new(RecordRef::new("email", at)),
        };
        if self.delivered.shortened {
            row = row.with("notifications", ATTACHMENTS_DROPPED);
        }
        let change = (!row.columns.is_empty()).then_some(Change::Update(row));
        ChangeSet { changes: change.into_iter().collect() }
    }
}

/// Turns the rulings about mails that the server did not take, and tells of records that only its correlation found.
pub(super) fn heed(readings: &[Reading], rulings: &mut [Ruling], written: &mut Written) {
    for (reading, ruling) in readings.iter().zip(rulings) {
        if let Some(reason) = written.refused.get(&reading.stored.id) {
            refuse(ruling, *reason);
        }
        let filed = written.filed.get(&reading.stored.id).and_then(|filed| filed.record.as_ref());
        if let (Some(record), None, None) = (filed, &ruling.record, ruling.create) {
            ruling.reason.push_str(&format!(" The CRM itself put it on {record}."));
        }
    }
}

/// To review, with the reason.
fn refuse(ruling: &mut Ruling, reason: ReasonCode) {
    let decided = std::mem::take(&mut ruling.reason);
    ruling.reason =
        format!("The CRM does not take it: {reason}. {} (Our own rules: {decided})", reason.explanation());
    ruling.state = MailState::Review;
    ruling.method = Method::None;
    (ruling.record, ruling.parent, ruling.create) = (None, None, None);
    ruling.flags.push("refused_by_crm".into());
}

/// The mail in the message's terms.
fn mail(reading: &Reading, known: &Known, rules: &Rules) -> IncomingMail {
    let stored = &reading.stored;
    let who = parties::of(reading, known, None);
    let all = |role: Role| -> Vec<String> {
        let of = who.iter().filter(|party| party.role == role);
        of.map(|party| party.address.address.clone()).collect()
    };
    let from = all(Role::Sender).into_iter().next().unwrap_or_default();
    IncomingMail {
        message_id: message_id(stored, rules),
        subject: cut(&stored.subject, activity::SUBJECT),
        to: all(Role::To),
        cc: all(Role::Cc),
        bcc: all(Role::Bcc),
        received_on: stored.received_at,
        submitted_by: cut(stored.envelope_from.as_deref().unwrap_or(&from), activity::SENDER),
        importance: reading.importance,
        body: reading.description.clone(),
        attachments: attachments(reading, rules),
        in_reply_to: stored.references.first().map(|id| format!("<{id}>")),
        from,
    }
}

/// As its header says; without one, or when the column does not hold it, made of the mail's key.
fn message_id(stored: &Stored, rules: &Rules) -> String {
    let given = stored.header_id.as_ref().map(|id| format!("<{id}>"));
    let fits = given.filter(|id| id.encode_utf16().count() <= activity::MESSAGE_ID);
    fits.unwrap_or_else(|| {
        let made = activity::derived(rules.installation, "message-id", &stored.key);
        format!("<{}@postroom.invalid>", made.simple())
    })
}

fn attachments(reading: &Reading, rules: &Rules) -> Vec<Record> {
    let rows = reading.attachments.iter().enumerate();
    rows.map(|(place, attached)| activity::attachment(Uuid::nil(), place, attached, rules)).collect()
}
