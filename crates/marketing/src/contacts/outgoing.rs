//! From the CRM to the service: whoever changed, by address.
//!
//! The mark is the number of the last change looked at. It moves when what was found up to there has been written, so a run
//! that is cut looks at the same people again, and finds most of them sent.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::FutureExt;
use postroom_core::RecordRef;
use postroom_core::marketing::{ContactId, ContactRow, FieldValue, Person as Who};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::identity::Identity;
use super::who::{self, Person, speaker};
use super::{rename, scope};
use crate::consent::gate::{self, Asked};
use crate::consent::standing::{self, Known};
use crate::engine::Scope;
use crate::fields::merge::{Direction, EmptyRule};
use crate::fields::{Field, base};
use crate::imports::{self, Purpose, Row};
use crate::mapping::book::{self, Book, Names, Problem};
use crate::people::links::{self, Link};
use crate::sync::cursor::{self, Cursor};
use crate::sync::run::Reject;
use crate::sync::{Halt, Turn};

/// People of one look, and rows that are written together at least, when there are so many.
const PAGE: u64 = 1000;
const LOT: usize = 10_000;

/// How far the people have been looked at, and with which mappings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    seq: i64,
    mappings: String,
    lists: String,
}

/// Somebody of the service for whom nobody speaks any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaving {
    pub contact: ContactId,
    pub address: String,
    /// Whom the person named.
    pub record: RecordRef,
}

/// What is to be done about some addresses.
#[derive(Default)]
pub(super) struct Plan {
    pub rows: Vec<Row>,
    /// Links that are known without asking anybody: of records for which another one speaks.
    links: Vec<Link>,
    /// People of the service for whom nobody speaks any more.
    pub leaving: Vec<Leaving>,
    rejects: Vec<Reject>,
    skipped: BTreeMap<&'static str, u64>,
}

/// Whom a lot has looked at.
#[derive(Default)]
struct Seen {
    addresses: HashSet<String>,
    /// Each record, and the change of it that was seen.
    people: HashMap<RecordRef, i64>,
}

impl Seen {
    /// Whether a person or the address was looked at before this change of it.
    fn is_older(&self, person: &Person) -> bool {
        match self.people.get(&person.at) {
            Some(seen) => *seen < person.seq,
            None => self.addresses.contains(&person.address()),
        }
    }
}

pub(super) async fn run(
    turn: &mut Turn,
    book: &Book,
    identity: &Identity,
    purpose: &Purpose,
) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let mut cursor: Cursor<Place> =
        turn.read(move |tx| async move { cursor::read(tx, &account, "crm/contacts").await }.boxed()).await?;
    if cursor.place.mappings != book.fingerprint {
        cursor.place = Place { seq: 0, mappings: book.fingerprint.clone(), ..cursor.place };
    }
    if turn.account.settings.scope == Scope::Lists {
        cursor.place.lists = newcomers(turn, cursor.place.lists).await?;
    }
    let mut names = Names::new();
    loop {
        let (mut plan, mut seen, mut read) = (Plan::default(), Seen::default(), 0);
        let from = cursor.place.seq;
        let mut more = true;
        while more && plan.rows.len() < LOT {
            let after = cursor.place.seq;
            let mut people =
                turn.read(move |tx| async move { who::behind(tx, after, PAGE).await }.boxed()).await?;
            more = people.len() as u64 == PAGE;
            // Who changed since this lot looked at them begins the next one.
            if let Some(changed) = people.iter().position(|person| seen.is_older(person)) {
                people.truncate(changed);
                more = true;
            }
            let Some(last) = people.last() else { break };
            cursor.place.seq = last.seq;
            let whole = people.len() as u64 == PAGE || !more;
            read += people.len() as u64;
            look(turn, book, *identity, people, &mut names, (&mut plan, &mut seen)).await?;
            if !whole {
                break;
            }
        }
        if from == cursor.place.seq {
            return Ok(());
        }
        rename::settle(turn, *identity, &mut plan).await?;
        let mut rows = std::mem::take(&mut plan.rows);
        // Whoever is there takes a record's identifier off before another person gets it.
        rows.sort_by_key(|row| row.contact.by.is_none());
        imports::write(turn, purpose, rows).await?;
        cursor = note(turn, plan, read, cursor).await?;
        if !more {
            return Ok(());
        }
    }
}

/// Makes members of lists whose fields have not been sent be looked at again when the lists changed; answers what they look
/// like.
async fn newcomers(turn: &mut Turn, before: String) -> Result<String, Halt> {
    let account = turn.account.name.clone();
    let now = turn.read(move |tx| async move { scope::fingerprint(tx, &account).await }.boxed()).await?;
    let mut after = (now != before).then(Uuid::nil);
    while let Some(last) = after {
        let account = turn.account.name.clone();
        let stored = turn.page("marketing.list_newcomers", move |tx, _| {
            async move {
                let some = scope::unsent(tx, &account, last, PAGE).await?;
                touch_records(tx, &some).await?;
                Ok(some.last().map(|record| record.id))
            }
            .boxed()
        });
        let stored: Result<Option<Uuid>, Error> = stored.await;
        after = stored?;
    }
    Ok(now)
}

/// Everything that is known about the addresses of some people.
struct Scene {
    people: Vec<Person>,
    links: HashMap<RecordRef, Link>,
    known: HashMap<String, Known>,
    members: HashSet<RecordRef>,
    /// Records whose identifier is somebody's who has yet to leave.
    named_elsewhere: HashSet<RecordRef>,
}

/// Looks at some people, and at everybody who has one of their addresses, or had it when it was sent.
async fn look(
    turn: &mut Turn,
    book: &Book,
    identity: Identity,
    changed: Vec<Person>,
    names: &mut Names,
    (plan, seen): (&mut Plan, &mut Seen),
) -> Result<(), Halt> {
    take_over(turn, &changed).await?;
    let (account, scope) = (turn.account.name.clone(), turn.account.settings.scope);
    let records: Vec<RecordRef> = changed.iter().map(|person| person.at.clone()).collect();
    let mut addresses: BTreeSet<String> = changed.iter().map(Person::address).collect();
    let asked = addresses.clone();
    let scene = turn.read(move |tx| async move { scene(tx, &account, scope, &records, asked).await }.boxed());
    let scene = scene.await?;
    let had = changed.iter().filter_map(|person| scene.links.get(&person.at));
    addresses.extend(had.map(|link| link.address.clone()));
    addresses.remove("");
    let wanted = scene.people.iter().flat_map(|person| book.wanted(&person.at.table, &person.columns));
    book::names(turn.engine.crm.as_ref(), wanted.collect(), names).await?;
    seen.people.extend(scene.people.iter().chain(&changed).map(|person| (person.at.clone(), person.seq)));
    for address in addresses {
        if seen.addresses.insert(address.clone()) {
            consider(&scene, book, identity, &address, names, plan);
        }
    }
    let nowhere = changed.iter().filter(|person| person.speaks() && person.address().is_empty()).count();
    *plan.skipped.entry("no address").or_default() += nowhere as u64;
    Ok(())
}

async fn scene(
    tx: &mut Tx,
    account: &str,
    scope: Scope,
    records: &[RecordRef],
    mut addresses: BTreeSet<String>,
) -> Result<Scene, Error> {
    let own = links::of_records(tx, account, records).await?;
    addresses.extend(own.values().map(|link| link.address.clone()));
    addresses.remove("");
    let addresses: Vec<String> = addresses.into_iter().collect();
    let people = who::of_addresses(tx, &addresses).await?;
    let all: Vec<RecordRef> = people.iter().map(|person| person.at.clone()).collect();
    let mut links = links::of_records(tx, account, &all).await?;
    links.extend(own);
    let asked: Vec<Asked> =
        addresses.iter().map(|address| Asked { address: address.clone(), member: None }).collect();
    let known = gate::known(tx, account, &asked, None).await?;
    let members = scope::of(tx, account, scope, &all).await?;
    let named_elsewhere = named_elsewhere(tx, account).await?;
    let known = addresses.into_iter().zip(known).collect();
    Ok(Scene { people, links, known, members, named_elsewhere })
}

/// A contact that was made of a lead is who the lead was.
async fn take_over(turn: &mut Turn, changed: &[Person]) -> Result<(), Halt> {
    let pairs: Vec<(RecordRef, RecordRef)> =
        changed.iter().filter_map(|person| Some((person.at.clone(), person.lead()?.clone()))).collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let account = turn.account.name.clone();
    let moved = turn.page("marketing.lead_qualified", move |tx, _| {
        async move {
            let records: Vec<RecordRef> =
                pairs.iter().flat_map(|(contact, lead)| [contact.clone(), lead.clone()]).collect();
            let known = links::of_records(tx, &account, &records).await?;
            let (mut next, mut left) = (Vec::new(), Vec::new());
            for (contact, lead) in pairs {
                if let (None, Some(link)) = (known.get(&contact), known.get(&lead)) {
                    next.push(Link { record: contact, digest: None, ..link.clone() });
                    left.push(lead);
                }
            }
            links::remove(tx, &account, &left).await?;
            links::put(tx, &account, next).await
        }
        .boxed()
    });
    Ok(moved.await?)
}

/// What is to be done about one address.
fn consider(scene: &Scene, book: &Book, identity: Identity, address: &str, names: &Names, plan: &mut Plan) {
    let holders: Vec<&Person> = scene
        .people
        .iter()
        .filter(|person| person.address() == address && scene.members.contains(&person.at))
        .collect();
    let Some(speaking) = speaker(&holders) else { return };
    let known = scene.known.get(address).cloned().unwrap_or_default();
    if !standing::blocks(&known, standing::Purpose::Marketing).is_empty() {
        *plan.skipped.entry("gets no mail").or_default() += 1;
        return;
    }
    let (fields, problems) = book.fields(&speaking.at.table, &speaking.columns, names);
    let link = scene.links.get(&speaking.at);
    let others = || holders.iter().filter(|person| person.speaks() && person.at != speaking.at);
    // Who shared the address may have been there first.
    let contact = own_contact(scene, speaking, address).or_else(|| {
        let shared = others().filter_map(|person| scene.links.get(&person.at));
        shared.filter(|link| link.address == address).find_map(|link| link.contact.clone())
    });
    let digest = book.digest(&speaking.at, address, &fields);
    let same = link.is_some_and(|link| link.digest.as_deref() == Some(digest.as_slice()));
    if same {
        *plan.skipped.entry("unchanged").or_default() += 1;
    } else {
        plan.rejects.extend(problems.into_iter().map(|problem| unfit(&speaking.at, &problem)));
        let before = link.and_then(|link| link.base.as_deref()).map(base::read);
        let contact_row = ContactRow {
            by: contact.clone().filter(|_| identity.named).map(Who::Id),
            names: Identity { named: identity.named && !scene.named_elsewhere.contains(&speaking.at) }
                .names(&speaking.at, address),
            fields: outward(book, &speaking.at.table, &fields, before.as_ref()),
            ..ContactRow::default()
        };
        plan.rows.push(Row {
            record: speaking.at.clone(),
            address: address.to_owned(),
            contact: contact_row,
            digest: Some(digest),
            base: Some(base::write(&agreed(book, &speaking.at.table, &fields, before))),
        });
    }
    for other in others() {
        let stale = |link: &Link| link.address != address || link.contact != contact || link.digest.is_some();
        if scene.links.get(&other.at).is_none_or(stale) {
            let fresh = Link {
                record: other.at.clone(),
                address: address.to_owned(),
                contact: contact.clone(),
                digest: None,
                base: None,
            };
            plan.links.push(fresh);
        }
    }
}

/// The service's number of the person, unless somebody else still has the address by which it is known: then the number stays
/// there, and the new address is a person of its own.
fn own_contact(scene: &Scene, person: &Person, address: &str) -> Option<ContactId> {
    let link = scene.links.get(&person.at)?;
    let shared = scene
        .people
        .iter()
        .any(|other| other.at != person.at && other.speaks() && other.address() == link.address);
    match link.address == address || !shared {
        true => link.contact.clone(),
        false => None,
    }
}

/// The fields that the service gets. Before both sides agreed on anything, nothing that is empty here clears what may be there.
pub(super) fn outward(
    book: &Book,
    table: &str,
    fields: &BTreeMap<String, Field>,
    before: Option<&BTreeMap<String, Field>>,
) -> BTreeMap<String, FieldValue> {
    let mut out = BTreeMap::new();
    for mapping in book.of_table(table) {
        let Some(field) = fields.get(&mapping.label) else { continue };
        let first = before.is_none_or(|before| !before.contains_key(&mapping.label));
        let kept = mapping.rule.empty == EmptyRule::KeepRemote
            || (first && mapping.rule.direction == Direction::TwoWay);
        let goes = mapping.rule.direction != Direction::ToCrm && !(*field == Field::Null && kept);
        if goes {
            out.insert(mapping.label.clone(), FieldValue::from(field));
        }
    }
    out
}

/// What both sides have once the row was taken.
fn agreed(
    book: &Book,
    table: &str,
    fields: &BTreeMap<String, Field>,
    before: Option<BTreeMap<String, Field>>,
) -> BTreeMap<String, Field> {
    let mut base = before.clone().unwrap_or_default();
    for label in outward(book, table, fields, before.as_ref()).into_keys() {
        if let Some(field) = fields.get(&label) {
            base.insert(label, field.clone());
        }
    }
    base
}

fn unfit(record: &RecordRef, problem: &Problem) -> Reject {
    Reject {
        subject: record.to_string(),
        code: Some(postroom_core::Code::MARKETING_DATA),
        reason: format!("{}: {}", problem.label, problem.reason),
        sent: problem.label.clone(),
        received: String::new(),
    }
}

/// Notes what needed no call, and moves the mark.
async fn note(
    turn: &mut Turn,
    plan: Plan,
    read: u64,
    mut cursor: Cursor<Place>,
) -> Result<Cursor<Place>, Halt> {
    let (account, now, dry) = (turn.account.name.clone(), turn.now(), turn.dry);
    let Plan { links, leaving, rejects, skipped, .. } = plan;
    turn.reject(rejects).await?;
    let stored = turn.page("marketing.contacts_sent", move |tx, counts| {
        async move {
            counts.read += read;
            skipped.into_iter().for_each(|(reason, number)| counts.skip(reason, number));
            links::put(tx, &account, links).await?;
            leave(tx, &account, now.as_microsecond(), &leaving).await?;
            if !dry {
                cursor.write(tx).await?;
            }
            Ok(cursor)
        }
        .boxed()
    });
    Ok(stored.await?)
}

/// Notes people of the service for whom nobody speaks any more.
pub(super) async fn leave(tx: &mut Tx, account: &str, now: i64, leaving: &[Leaving]) -> Result<(), Error> {
    let columns = ["account", "contact", "address", "record_table", "record", "since"];
    let mut rows = Insert::into("contact_leaving", &columns).or_skip();
    for Leaving { contact, address, record } in leaving {
        rows.row([
            account.into(),
            contact.0.into(),
            address.as_str().into(),
            record.table.as_str().into(),
            record.id.into(),
            now.into(),
        ]);
    }
    tx.insert(&rows).await.map(drop)
}

async fn named_elsewhere(tx: &mut Tx, account: &str) -> Result<HashSet<RecordRef>, Error> {
    let select = Query::select()
        .columns(["record_table", "record"])
        .from("contact_leaving")
        .and_where(Expr::col("account").eq(account))
        .to_owned();
    let rows = tx.query(&select).await?;
    rows.iter().map(|row| Ok(RecordRef::new(row.at::<String>(0)?, row.at(1)?))).collect()
}

/// Makes everybody with these addresses be looked at again, by all accounts.
pub async fn touch(tx: &mut Tx, addresses: &[String]) -> Result<(), Error> {
    let people = who::of_addresses(tx, addresses).await?;
    let records: Vec<RecordRef> = people.into_iter().map(|person| person.at).collect();
    touch_records(tx, &records).await
}

/// Makes these records be looked at again, by all accounts.
pub(crate) async fn touch_records(tx: &mut Tx, records: &[RecordRef]) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let first = tx.next_numbers(crate::people::SEQ, records.len() as u64).await?;
    for (seq, record) in (first..).zip(records) {
        let mut update = Query::update();
        update
            .table("person")
            .value("seq", seq)
            .and_where(Expr::col("record_table").eq(record.table.as_str()))
            .and_where(Expr::col("record").eq(record.id));
        tx.execute(&update).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use postroom_core::Value;

    use super::*;

    fn person(id: u128, seq: i64, address: &str) -> Person {
        Person {
            at: RecordRef::new("contact", Uuid::from_u128(id)),
            seq,
            active: true,
            gone: false,
            master: None,
            modified: None,
            columns: BTreeMap::from([("emailaddress1".to_owned(), Value::from(address))]),
        }
    }

    #[test]
    fn who_changed_after_the_look_is_looked_at_again() {
        let mut seen = Seen::default();
        let anna = person(1, 10, "anna@x.example");
        seen.people.insert(anna.at.clone(), anna.seq);
        seen.addresses.insert("anna@x.example".to_owned());
        let check = |person: &Person, older: bool| assert_eq!(seen.is_older(person), older, "{person:?}");
        check(&anna, false);
        check(&person(1, 11, "anna@x.example"), true);
        check(&person(1, 11, "anna@y.example"), true);
        check(&person(2, 12, "anna@x.example"), true);
        check(&person(2, 12, "bert@x.example"), false);
    }
}
