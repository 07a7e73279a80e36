//! The activity: one change set of an `email` row with its parties, attachments and queue items (design.md 4.4).
//!
//! Every id is a UUIDv5 of what the row stands for, so that writing the set again changes nothing.

use postroom_core::{Change, ChangeSet, Direction, Record, RecordRef, Value};
use uuid::Uuid;

use crate::filing::decide::{Create, Ruling};
use crate::filing::known::Known;
use crate::filing::parties::{self, Party, Role};
use crate::filing::reading::{Attached, Reading, Stored};
use crate::filing::signals;
use crate::rules::Rules;

/// Column lengths of dataverse.md B1 and B5.
pub(super) const SUBJECT: usize = 800;
pub(super) const SENDER: usize = 250;
const RECIPIENTS: usize = 500;
pub(super) const MESSAGE_ID: usize = 320;
const TRACKING_TOKEN: usize = 50;
const FILE_NAME: usize = 255;
const MIME_TYPE: usize = 256;
const CONTENT_ID: usize = 250;
const ADDRESS_USED: usize = 200;

/// statecode Completed with statuscode Received or Sent (dataverse.md B2).
const COMPLETED: i64 = 1;
const SENT: i64 = 3;
const RECEIVED: i64 = 4;

/// A change set and what it makes.
pub struct Activity {
    pub id: Uuid,
    pub set: ChangeSet,
    /// The record it regards; a new lead or contact when one is created with it.
    pub record: Option<RecordRef>,
}

/// An id that is the same whenever it is made again.
pub fn derived(installation: Uuid, what: &str, key: &[u8]) -> Uuid {
    let mut name = Vec::with_capacity(what.len() + key.len() + 1);
    name.extend_from_slice(what.as_bytes());
    name.push(b':');
    name.extend_from_slice(key);
    Uuid::new_v5(&installation, &name)
}

/// The id of a row that belongs to an e-mail: it begins as the e-mail's does, so that a mail's rows lie side by side in
/// their index instead of each on a page of its own.
fn child(email: Uuid, own: Uuid) -> Uuid {
    let mut bytes = *email.as_bytes();
    bytes[10..].copy_from_slice(&own.as_bytes()[10..]);
    Uuid::from_bytes(bytes)
}

/// The mail's activity: as its row says, else as it will be when we write it.
pub fn id_of(stored: &Stored, rules: &Rules) -> Uuid {
    stored.activity.unwrap_or_else(|| derived(rules.installation, "email", &stored.key))
}

/// The activity of a mail that the server delivered, under an id of its own.
pub fn elsewhere(stored: &Stored, rules: &Rules) -> Option<Uuid> {
    stored.activity.filter(|id| *id != derived(rules.installation, "email", &stored.key))
}

/// The lead or contact that a ruling wants made, with the owner that its mail has.
pub fn person_of(reading: &Reading, ruling: &Ruling, known: &Known, rules: &Rules) -> Option<Record> {
    let person = person(ruling.create?, reading, rules);
    let who = parties::of(reading, known, None);
    Some(owned(person, owner(reading, &who, None, known, rules)))
}

/// Where it is, or will be.
pub fn person_at(reading: &Reading, ruling: &Ruling, rules: &Rules) -> Option<RecordRef> {
    ruling.create.map(|what| person(what, reading, rules).at)
}

fn owned(row: Record, owner: Option<RecordRef>) -> Record {
    match owner {
        Some(owner) => row.with("ownerid", owner),
        None => row,
    }
}

/// Builds the change set of a tracked mail.
pub fn build(reading: &Reading, ruling: &Ruling, known: &Known, rules: &Rules) -> Activity {
    let id = derived(rules.installation, "email", &reading.stored.key);
    let mut set = ChangeSet::default();
    let created = person_of(reading, ruling, known, rules);
    let record = created.as_ref().map(|person| person.at.clone()).or_else(|| ruling.record.clone());
    set.changes.extend(created.map(Change::Create));
    let mut who = parties::of(reading, known, record.as_ref());
    if let (Some(_), Some(record)) = (ruling.create, &record) {
        who.iter_mut()
            .filter(|party| party.role == Role::Sender)
            .for_each(|party| party.record = Some(record.clone()));
    }
    set.changes.push(Change::Create(email(id, reading, ruling, record.as_ref(), &who, known, rules)));
    for (place, party) in who.iter().enumerate() {
        set.changes.push(Change::Create(party_row(id, place, party, rules)));
    }
    for (place, attached) in reading.attachments.iter().enumerate() {
        set.changes.push(Change::Create(attachment(id, place, attached, rules)));
    }
    set.changes.extend(queue_items(id, reading, &who, rules).map(Change::Create));
    Activity { id, set, record }
}

fn email(
    id: Uuid,
    reading: &Reading,
    ruling: &Ruling,
    record: Option<&RecordRef>,
    who: &[Party],
    known: &Known,
    rules: &Rules,
) -> Record {
    let stored = &reading.stored;
    let outgoing = stored.direction == Direction::Outgoing;
    let sender = who.iter().find(|party| party.role == Role::Sender);
    let mut row = Record::new(RecordRef::new("email", id))
        .with("subject", cut(&stored.subject, SUBJECT))
        .with("description", reading.description.clone())
        .with("directioncode", outgoing)
        .with("sender", sender.map(|party| cut(&party.address.address, SENDER)))
        .with("torecipients", torecipients(who))
        .with("messageid", stored.header_id.as_ref().map(|id| cut(&format!("<{id}>"), MESSAGE_ID)))
        .with("actualend", stored.sent_at.unwrap_or(stored.received_at).min(stored.received_at))
        .with("statecode", COMPLETED)
        .with("statuscode", if outgoing { SENT } else { RECEIVED });
    if let Some(record) = record {
        row = row.with("regardingobjectid", record.clone());
    }
    if let Some(parent) = ruling.parent {
        row = row.with("parentactivityid", Value::lookup("email", parent));
    }
    if let Some(token) = reading.tokens.first() {
        row = row.with("trackingtoken", cut(&crate::token::make(token.guid), TRACKING_TOKEN));
    }
    if sender.is_some_and(|party| party.ambiguous) {
        row = row.with("isduplicatesenderunresolved", true);
    }
    let accepting = who.iter().find(|party| party.role != Role::Sender && is_ours(party));
    if let Some(accepting) = accepting.and_then(|party| party.record.clone()).filter(|_| !outgoing) {
        row = row.with("acceptingentityid", accepting);
    }
    owned(row, owner(reading, who, record, known, rules))
}

/// The mailbox's user, else the queue's owner, else the record's, else whom the configuration names; never the service
/// account (design.md 4.4). Whoever else of ours the mail names comes after the mailbox that it came to.
fn owner(
    reading: &Reading,
    who: &[Party],
    record: Option<&RecordRef>,
    known: &Known,
    rules: &Rules,
) -> Option<RecordRef> {
    let outgoing = reading.stored.direction == Direction::Outgoing;
    let mailbox = signals::mailbox(reading, rules).map_or(&[][..], |mailbox| &mailbox.addresses);
    let others = who.iter().filter(|party| (party.role == Role::Sender) == outgoing);
    let others: Vec<String> = others.map(|party| party.address.normal()).collect();
    let owner = owner_among(mailbox, known).or_else(|| owner_among(&others, known));
    owner.or_else(|| record.and_then(|record| known.owner_of(record))).or_else(|| rules.owner.clone())
}

/// The user of these addresses, else the owner of the queue that has one of them.
fn owner_among(addresses: &[String], known: &Known) -> Option<RecordRef> {
    let of_table = |table: &'static str| {
        let picked = addresses.iter().filter_map(|address| parties::pick(known.who(address), None));
        picked.filter(move |hit| hit.record.table == table)
    };
    let user = of_table("systemuser").next().map(|hit| hit.record.clone());
    user.or_else(|| of_table("queue").find_map(|hit| hit.owner.clone()))
}

fn is_ours(party: &Party) -> bool {
    party.record.as_ref().is_some_and(|record| matches!(record.table.as_str(), "systemuser" | "queue"))
}

fn party_row(email: Uuid, place: usize, party: &Party, rules: &Rules) -> Record {
    let key = [email.as_bytes().as_slice(), &(place as u32).to_be_bytes()].concat();
    let row = Record::new(RecordRef::new(
        "activityparty",
        child(email, derived(rules.installation, "party", &key)),
    ))
    .with("activityid", Value::lookup("email", email))
    .with("participationtypemask", party.role as i64)
    .with("addressused", cut(&party.address.address, ADDRESS_USED));
    match &party.record {
        Some(record) => row.with("partyid", record.clone()),
        None => row,
    }
}

/// The row of an attachment.
pub fn attachment(email: Uuid, place: usize, attached: &Attached, rules: &Rules) -> Record {
    let key = [email.as_bytes().as_slice(), &(place as u32).to_be_bytes()].concat();
    let at = RecordRef::new(
        "activitymimeattachment",
        child(email, derived(rules.installation, "attachment", &key)),
    );
    let row = Record::new(at)
        .with("objectid", Value::lookup("email", email))
        .with("objecttypecode", "email")
        .with("subject", cut(&attached.name, FILE_NAME))
        .with("filename", cut(&attached.name, FILE_NAME))
        .with("mimetype", cut(&attached.content_type, MIME_TYPE))
        .with("attachmentnumber", place as i64 + 1)
        .with("body", attached.content.clone());
    match &attached.content_id {
        Some(id) => row.with("attachmentcontentid", cut(id, CONTENT_ID)),
        None => row,
    }
}

/// One for each queue addressed.
fn queue_items<'r>(
    email: Uuid,
    reading: &'r Reading,
    who: &'r [Party],
    rules: &'r Rules,
) -> impl Iterator<Item = Record> + 'r {
    let incoming = reading.stored.direction == Direction::Incoming;
    let mut queues: Vec<&RecordRef> = who
        .iter()
        .filter(|party| incoming && party.role != Role::Sender)
        .filter_map(|party| party.record.as_ref().filter(|record| record.table == "queue"))
        .collect();
    queues.sort_unstable();
    queues.dedup();
    queues.into_iter().map(move |queue| {
        let key = [email.as_bytes().as_slice(), queue.id.as_bytes()].concat();
        Record::new(RecordRef::new("queueitem", derived(rules.installation, "queueitem", &key)))
            .with("queueid", queue.clone())
            .with("objectid", Value::lookup("email", email))
            .with("title", cut(&reading.stored.subject, 300))
            .with("sender", cut(&reading.sender(), SENDER))
            .with("torecipients", torecipients(who))
            .with("enteredon", reading.stored.received_at)
    })
}

/// The lead or contact of an unknown sender.
fn person(what: Create, reading: &Reading, rules: &Rules) -> Record {
    let from = reading.from.first().cloned().unwrap_or_default();
    let address = from.normal();
    let (first, last) = match from.name.trim().rsplit_once(' ') {
        Some((first, last)) => (Some(first.to_owned()), last.to_owned()),
        None if !from.name.trim().is_empty() => (None, from.name.trim().to_owned()),
        None => (None, address.split('@').next().unwrap_or_default().to_owned()),
    };
    let (table, word) = match what {
        Create::Lead => ("lead", "lead-of"),
        Create::Contact => ("contact", "contact-of"),
    };
    let row = Record::new(RecordRef::new(table, derived(rules.installation, word, address.as_bytes())))
        .with("firstname", first.map(|name| cut(&name, 50)))
        .with("lastname", cut(&last, 50))
        .with("emailaddress1", cut(&address, 100));
    match what {
        Create::Lead => row.with("subject", cut(&reading.stored.subject, 300)),
        Create::Contact => row,
    }
}

/// `a@x;b@y;`, whole addresses only.
fn torecipients(who: &[Party]) -> String {
    let mut text = String::new();
    for party in who.iter().filter(|party| party.role == Role::To) {
        if text.chars().count() + party.address.address.chars().count() + 1 > RECIPIENTS {
            break;
        }
        text.push_str(&party.address.address);
        text.push(';');
    }
    text
}

/// At most `length` UTF-16 units, which is how Dataverse counts, never half a character.
pub(crate) fn cut(text: &str, length: usize) -> String {
    let mut left = length;
    let fits = |letter: &char| {
        let units = letter.len_utf16();
        let fits = units <= left;
        left = left.saturating_sub(units);
        fits
    };
    text.chars().filter(|letter| *letter != '\0').take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_counts_like_the_server_and_never_splits_a_character() {
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("a📦b", 2), "a");
        assert_eq!(cut("a📦b", 3), "a📦");
        assert_eq!(cut("a\0b", 9), "ab");
    }

    #[test]
    fn derived_ids_depend_on_installation_kind_and_key() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(derived(one, "email", b"k"), derived(one, "email", b"k"));
        assert_ne!(derived(one, "email", b"k"), derived(two, "email", b"k"));
        assert_ne!(derived(one, "email", b"k"), derived(one, "party", b"k"));
    }
}
