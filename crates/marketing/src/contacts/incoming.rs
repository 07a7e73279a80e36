//! From the service to the CRM: people who changed since the mark, less an overlap.
//!
//! The CRM is written first and the mark moves with what was agreed: after a crash between the two both sides are equal, and
//! the second look says so. Our own writes come back as changes of the other side and are equal, too: echoes end by value.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::FutureExt;
use postroom_core::address::normal;
use postroom_core::marketing::{Contact, ContactAsk, Include};
use postroom_core::{Change, ChangeSet, Record, RecordRef, Value, Verdict};
use postroom_store::{Error, Tx};

use super::identity::{self, Identity};
use super::merging::{self, Merged};
use super::outgoing::{Leaving, leave, touch};
use super::who::{self, Person, speaker};
use super::{created, returned};
use crate::fields::base;
use crate::mapping::book::{self, Book, Names};
use crate::people::{
    self,
    links::{self, Link},
};
use crate::sync::cursor::{self, Cursor};
use crate::sync::run::Reject;
use crate::sync::since::Since;
use crate::sync::{Act, Halt, Turn};
use crate::undo::written::{self, Columns, Write};

/// People of a page that are looked at together: what is known of them all is in memory.
const LOOK: usize = 1000;

pub(super) async fn run(turn: &mut Turn, book: &Book, identity: &Identity) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let mut cursor: Cursor<Since> =
        turn.read(move |tx| async move { cursor::read(tx, &account, "contacts").await }.boxed()).await?;
    let since = cursor.place.begin(turn.engine.rules.overlap);
    let latest = turn.account.service.server_time().await?;
    let include = Include { fields: book.labels_in(), channels: true, ..Include::default() };
    let which = ContactAsk { modified_since: since, include, ..ContactAsk::default() };
    let mut names = Names::default();
    loop {
        let ask = cursor.place.ask();
        let page = turn.account.service.contacts(&which, &ask).await?;
        // An account that gives no moments has been read as of the beginning.
        let moments = page.rows.iter().map(|row| row.updated.unwrap_or(latest));
        let more = cursor.place.pass(moments, latest, page.next);
        cursor.place.rest(turn.engine.rules.late);
        let mut rows = page.rows;
        while rows.len() > LOOK {
            let left = rows.split_off(LOOK);
            take(turn, book, *identity, rows, &mut names, None).await?;
            rows = left;
        }
        let moved = take(turn, book, *identity, rows, &mut names, Some(cursor.clone())).await?;
        cursor = moved.unwrap_or(cursor);
        if !more {
            return Ok(());
        }
    }
}

/// What is known here about the people of a page.
struct Scene {
    people: HashMap<RecordRef, Person>,
    links: HashMap<RecordRef, Link>,
    by_contact: HashMap<i64, Vec<RecordRef>>,
    by_address: HashMap<String, Vec<RecordRef>>,
}

async fn scene(
    tx: &mut Tx,
    account: &str,
    page: &[(i64, String, Option<RecordRef>)],
) -> Result<Scene, Error> {
    let ids: Vec<i64> = page.iter().map(|(id, ..)| *id).collect();
    let addresses: Vec<String> = page.iter().map(|(_, address, _)| address.clone()).collect();
    let linked = links::of_contacts(tx, account, &ids).await?;
    let named = page.iter().filter_map(|(.., record)| record.clone());
    let mut records: Vec<RecordRef> = linked.iter().map(|link| link.record.clone()).chain(named).collect();
    // Nearly always the same ones: each is read once.
    let holders = who::holders(tx, &addresses).await?;
    records.extend(holders.iter().cloned());
    records.sort();
    records.dedup();
    let holders: HashSet<RecordRef> = holders.into_iter().collect();
    let mut by_address: HashMap<String, Vec<RecordRef>> = HashMap::new();
    let mut people: HashMap<RecordRef, Person> = HashMap::with_capacity(records.len());
    for person in who::of_records(tx, &records).await? {
        if holders.contains(&person.at) {
            by_address.entry(person.address()).or_default().push(person.at.clone());
        }
        people.insert(person.at.clone(), person);
    }
    let known: HashSet<RecordRef> = linked.iter().map(|link| link.record.clone()).collect();
    let others: Vec<RecordRef> = people.keys().filter(|record| !known.contains(*record)).cloned().collect();
    let mut links = links::of_records(tx, account, &others).await?;
    let mut by_contact: HashMap<i64, Vec<RecordRef>> = HashMap::new();
    for link in &linked {
        by_contact
            .entry(link.contact.as_ref().map_or(0, |contact| contact.0))
            .or_default()
            .push(link.record.clone());
    }
    links.extend(linked.into_iter().map(|link| (link.record.clone(), link)));
    Ok(Scene { people, links, by_contact, by_address })
}

impl Scene {
    /// The records that a person is: by number, by our identifier, by address.
    fn records(&self, contact: &Contact, address: &str) -> Vec<&Person> {
        let by_number = self.by_contact.get(&contact.id.0).into_iter().flatten();
        let by_address = self.by_address.get(address).filter(|_| !address.is_empty()).into_iter().flatten();
        let mut records: Vec<RecordRef> = by_number.chain(by_address).cloned().collect();
        // Who is known otherwise needs no name.
        if records.is_empty() {
            records.extend(identity::record(&contact.names));
        }
        records.sort();
        records.dedup();
        records.iter().filter_map(|record| self.people.get(record)).filter(|person| !person.gone).collect()
    }
}

/// What a page comes to.
#[derive(Default)]
struct Found {
    updates: Vec<Update>,
    /// What the CRM took of them.
    written: Vec<Record>,
    links: Vec<Link>,
    again: HashSet<String>,
    conflicts: u64,
    unknown: Vec<Contact>,
    moved: u64,
    leaving: Vec<Leaving>,
    rejects: Vec<Reject>,
}

/// A record that the CRM changes, and the links that hold once it has.
struct Update {
    record: Record,
    /// The columns as they were read.
    was: Columns,
    link: Option<Link>,
}

/// Looks at some people of a page; the mark moves with the last of them.
async fn take(
    turn: &mut Turn,
    book: &Book,
    identity: Identity,
    page: Vec<Contact>,
    names: &mut Names,
    cursor: Option<Cursor<Since>>,
) -> Result<Option<Cursor<Since>>, Halt> {
    let read = page.len() as u64;
    let keys: Vec<_> = page
        .iter()
        .map(|contact| (contact.id.0, address(contact), identity::record(&contact.names)))
        .collect();
    let account = turn.account.name.clone();
    let scene = turn.read(move |tx| async move { scene(tx, &account, &keys).await }.boxed()).await?;
    let people = scene.people.values();
    let wanted = people.flat_map(|person| book.wanted(&person.at.table, &person.columns, names)).collect();
    book::names(turn.engine.crm.as_ref(), wanted, names).await?;
    let mut found = Found::default();
    for contact in &page {
        compare(&scene, book, identity, contact, names, &mut found);
    }
    returned::look(turn, &page).await?;
    let unknown = std::mem::take(&mut found.unknown);
    created::make(turn, book, unknown).await?;
    write(turn, &mut found).await?;
    note(turn, found, read, cursor).await
}

fn address(contact: &Contact) -> String {
    normal(contact.names.email.as_deref().unwrap_or_default())
}

fn compare(
    scene: &Scene,
    book: &Book,
    identity: Identity,
    contact: &Contact,
    names: &Names,
    found: &mut Found,
) {
    let at = address(contact);
    let records = scene.records(contact, &at);
    let Some(speaking) = speaker(&records).or_else(|| records.first().copied()) else {
        found.unknown.push(contact.clone());
        return;
    };
    let link = scene.links.get(&speaking.at);
    // Two people of the service for one record: the one with its address is the one.
    if let Some(other) = link.and_then(|link| link.contact.clone()).filter(|own| *own != contact.id) {
        if at != speaking.address() {
            return;
        }
        let address = link.map(|link| link.address.clone()).unwrap_or_default();
        found.leaving.push(Leaving { contact: other, address, record: speaking.at.clone() });
    }
    // The CRM's address is the one that counts; the next thing that is sent brings it there.
    found.moved += u64::from(speaking.address() != at && link.is_some_and(|link| link.address != at));
    let (here, _) = book.fields(&speaking.at.table, &speaking.columns, names);
    let before = link.and_then(|link| link.base.as_deref()).map(base::read);
    let merged = merging::merge(book, &speaking.at.table, here, &contact.fields, before.as_ref());
    let rejected = merged.problems.iter().map(|problem| Reject {
        subject: speaking.at.to_string(),
        code: Some(postroom_core::Code::MARKETING_DATA),
        reason: format!("{}: {}", problem.label, problem.reason),
        sent: String::new(),
        received: format!("{:?}", contact.fields.get(&problem.label)),
    });
    found.rejects.extend(rejected);
    found.conflicts += merged.conflicts;
    let unnamed = identity.named && identity::record(&contact.names).as_ref() != Some(&speaking.at);
    let base = match link.and_then(|link| link.base.clone()).filter(|_| merged.agreed.is_empty()) {
        Some(as_before) => as_before,
        None => base::write(&before.into_iter().flatten().chain(merged.agreed.clone()).collect()),
    };
    let next = Link { base: Some(base), ..after(book, speaking, link, contact, &merged, unnamed) };
    if merged.resend && link.is_some_and(|link| link.digest.is_some()) {
        found.again.insert(speaking.address());
    }
    let opt_in = contact.email.as_ref().map(|channel| &channel.opt_in);
    let columns = |person: &Person| {
        let raised = opt_in.and_then(|opt_in| merging::raised(&person.columns, opt_in));
        raised.map(|value| ("esc_optintype".to_owned(), Value::from(value)))
    };
    let own = merged.columns.iter().cloned().chain(columns(speaking)).collect();
    // An echo of our own writing, nearly always: then nothing is written.
    let next = Some(next).filter(|next| link != Some(next));
    put(found, speaking, own, next);
    for other in records.iter().filter(|other| other.at != speaking.at) {
        let shared = scene.links.get(&other.at);
        let known = shared.is_some_and(|link| link.contact.as_ref() == Some(&contact.id));
        let fresh = Link {
            record: other.at.clone(),
            address: other.address(),
            contact: Some(contact.id.clone()),
            digest: None,
            base: None,
        };
        put(found, other, columns(other).into_iter().collect(), (!known).then_some(fresh));
    }
}

fn put(found: &mut Found, person: &Person, columns: Vec<(String, Value)>, link: Option<Link>) {
    if columns.is_empty() {
        found.links.extend(link);
        return;
    }
    let was = columns.iter().filter_map(|(column, _)| person.columns.get_key_value(column));
    let was = was.map(|(column, value)| (column.clone(), value.clone())).collect();
    let record = columns
        .into_iter()
        .fold(Record::new(person.at.clone()), |record, (column, value)| record.with(column, value));
    found.updates.push(Update { record, was, link });
}

/// The link after both sides agreed, without its base. When nothing is to be sent back, what was agreed counts as sent.
fn after(
    book: &Book,
    person: &Person,
    link: Option<&Link>,
    contact: &Contact,
    merged: &Merged,
    unnamed: bool,
) -> Link {
    let address = person.address();
    let same_address = self::address(contact) == address;
    let digest = book.digest(&person.at, &address, &merged.fields).to_vec();
    // What was refused for what it holds stays refused; what is at the service as it is here need not be sent.
    let sent = match (merged.resend || unnamed || !same_address, link.and_then(|link| link.digest.clone())) {
        (true, _) if merged.resend => None,
        (true, kept) => kept,
        (false, _) => Some(digest),
    };
    Link {
        record: person.at.clone(),
        address: link.map_or_else(|| self::address(contact), |link| link.address.clone()),
        contact: Some(contact.id.clone()),
        digest: sent,
        base: None,
    }
}

/// Writes the CRM; a record that is refused leaves its neighbours alone, and its link as it was.
async fn write(turn: &mut Turn, found: &mut Found) -> Result<(), Halt> {
    let updates = std::mem::take(&mut found.updates);
    if turn.dry {
        turn.foresee_records(Act::Change, updates.iter().map(|update| (&update.record, Some(&update.was))));
        let number = updates.len() as u64;
        let side = &mut turn.counts.to_crm;
        (side.sent, side.changed) = (side.sent + number, side.changed + number);
        return Ok(());
    }
    let intended = updates.iter().map(|update| Write::columns(&update.record, &update.was)).collect();
    written::intend(turn, intended).await?;
    let sets =
        updates.iter().map(|update| ChangeSet { changes: vec![Change::Update(update.record.clone())] });
    let answers = match updates.is_empty() {
        true => Vec::new(),
        false => turn.engine.crm.apply(sets.collect()).await,
    };
    for (update, answer) in updates.into_iter().zip(answers) {
        match answer {
            Ok(_) => {
                turn.counts.to_crm.sent += 1;
                turn.counts.to_crm.changed += 1;
                found.links.extend(update.link);
                found.written.push(update.record);
            }
            Err(fault) if fault.verdict == Verdict::Reject => {
                turn.counts.to_crm.sent += 1;
                turn.counts.to_crm.rejected += 1;
                let sent = serde_json::to_string(&update.record).unwrap_or_default();
                found.rejects.push(crate::sync::turn::rejected(update.record.at.to_string(), &fault, sent));
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(())
}

async fn note(
    turn: &mut Turn,
    found: Found,
    read: u64,
    mut cursor: Option<Cursor<Since>>,
) -> Result<Option<Cursor<Since>>, Halt> {
    let (account, now, dry) = (turn.account.name.clone(), turn.now().as_microsecond(), turn.dry);
    let Found { written, links, again, conflicts, moved, leaving, rejects, .. } = found;
    turn.reject(rejects).await?;
    let stored = turn.page("marketing.contacts_read", move |tx, counts| {
        async move {
            counts.read += read;
            counts.conflicts += conflicts;
            counts.skip("address changed in the service", moved);
            people::wrote(tx, &written).await?;
            links::put(tx, &account, links).await?;
            leave(tx, &account, now, &leaving).await?;
            let again: Vec<String> = again.into_iter().collect();
            touch(tx, &again).await?;
            if let Some(cursor) = cursor.as_mut().filter(|_| !dry) {
                cursor.write(tx).await?;
            }
            Ok(cursor)
        }
        .boxed()
    });
    Ok(stored.await?)
}

/// The fields that an unknown person gives a new record of a table.
pub(super) fn first_columns(book: &Book, table: &str, contact: &Contact) -> BTreeMap<String, Value> {
    let nothing = BTreeMap::new();
    let (empty, _) = book.fields(table, &nothing, &Names::default());
    let merged = merging::merge(book, table, empty, &contact.fields, None);
    merged.columns.into_iter().filter(|(_, value)| *value != Value::Null).collect()
}
