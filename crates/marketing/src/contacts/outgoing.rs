//! From the CRM to the service: whoever changed, by address.
//!
//! The mark is the number of the last change looked at. It moves when what was found up to there has landed at the service, so
//! a run that is cut looks at the same people again, and finds most of them sent. Meanwhile others are looked at and packed
//! ([`Flight`]): what was looked at while one import was packed is a [`Lot`], and it is noted when its last row has landed.

use std::collections::{BTreeMap, HashSet, VecDeque};

use futures_util::FutureExt;
use postroom_core::RecordRef;
use postroom_core::marketing::{ContactId, ContactRow, FieldValue, Person as Who};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::identity::Identity;
use super::scene::{self, Scene};
use super::seen::Seen;
use super::who::{self, Person, speaker};
use super::{rename, scope};
use crate::consent::standing;
use crate::engine::Scope;
use crate::fields::merge::{Direction, EmptyRule};
use crate::fields::{Field, base};
use crate::imports::flight::Flight;
use crate::imports::{Purpose, Row};
use crate::mapping::book::{self, Book, Names, Problem};
use crate::people::links::{self, Link};
use crate::sync::cursor::{self, Cursor};
use crate::sync::run::Reject;
use crate::sync::{Act, Cell, FieldChange, Halt, Sample, To, Turn};

/// People of one look, and of one lot when nothing of it is to be sent.
const PAGE: u64 = 1000;
const IDLE: u64 = 10_000;
/// People of one lot: whom it has looked at is in memory.
const LOT: u64 = 200_000;

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
    /// Rows, by their place, of people whom the service knows by another address: by their number, or without identifiers.
    pub renamed: Vec<(usize, Link)>,
    /// Addresses that people give up whom the service knows, and records whose person somebody else takes over.
    left: HashSet<String>,
    parted: HashSet<RecordRef>,
    /// Links that are known without asking anybody: of records for which another one speaks.
    links: Vec<Link>,
    /// People of the service for whom nobody speaks any more.
    pub leaving: Vec<Leaving>,
    rejects: Vec<Reject>,
    skipped: BTreeMap<&'static str, u64>,
    /// Of a dry run.
    samples: Vec<Sample>,
}

impl Plan {
    /// The rows that go out, and those that go when the others have landed: whoever is there gives an address or a record's
    /// identifier up before another person gets it.
    fn rows(&mut self) -> (Vec<Row>, Vec<Row>) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by_key(|row| row.contact.by.is_none());
        let behind = |row: &Row| {
            row.contact.by.is_none()
                && (self.parted.contains(&row.record) || self.left.contains(&row.address))
        };
        let (behind, first): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(behind);
        if first.is_empty() { (behind, first) } else { (first, behind) }
    }

    fn add(&mut self, other: Plan) {
        self.links.extend(other.links);
        self.leaving.extend(other.leaving);
        self.rejects.extend(other.rejects);
        for (reason, number) in other.skipped {
            *self.skipped.entry(reason).or_default() += number;
        }
    }
}

/// What was looked at together, to be noted when its rows have landed.
#[derive(Default)]
struct Lot {
    plan: Plan,
    read: u64,
    /// The mark behind it.
    seq: i64,
    /// Its rows have lower numbers in the flight.
    until: usize,
    seen: Seen,
}

/// A run's way through the people.
struct Way<'b> {
    book: &'b Book,
    identity: Identity,
    names: Names,
    flight: Flight,
    /// Lots with rows under way, oldest first, and the one that grows.
    lots: VecDeque<Lot>,
    lot: Lot,
    /// Records whose identifier is somebody's who has yet to leave.
    named_elsewhere: HashSet<RecordRef>,
    cursor: Cursor<Place>,
    dry: bool,
}

pub(super) async fn run(
    turn: &mut Turn,
    book: &Book,
    identity: &Identity,
    purpose: &Purpose,
) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let read = turn.read(move |tx| {
        async move {
            let cursor: Cursor<Place> = cursor::read(tx, &account, "crm/contacts").await?;
            Ok((cursor, named_elsewhere(tx, &account).await?))
        }
        .boxed()
    });
    let read: Result<_, Error> = read.await;
    let (mut cursor, named_elsewhere) = read?;
    if cursor.place.mappings != book.fingerprint {
        cursor.place = Place { seq: 0, mappings: book.fingerprint.clone(), ..cursor.place };
    }
    if turn.account.settings.scope == Scope::Lists {
        cursor.place.lists = newcomers(turn, cursor.place.lists).await?;
    }
    let way = Way {
        book,
        identity: *identity,
        names: Names::default(),
        flight: Flight::new(purpose),
        lots: VecDeque::new(),
        lot: Lot::default(),
        named_elsewhere,
        cursor,
        dry: turn.dry,
    };
    way.go(turn).await
}

impl Way<'_> {
    async fn go(mut self, turn: &mut Turn) -> Result<(), Halt> {
        let mut after = self.cursor.place.seq;
        loop {
            let people = turn.read(move |tx| async move { who::behind(tx, after, PAGE).await }.boxed());
            let mut people = people.await?;
            let more = people.len() as u64 == PAGE;
            match people.iter().position(|person| self.is_older(person)) {
                // Who changed since they were looked at are looked at again when everything has landed.
                Some(0) => {
                    self.land(turn).await?;
                    continue;
                }
                Some(changed) => people.truncate(changed),
                None if !more && people.is_empty() => return self.land(turn).await,
                None => {}
            }
            let last = people.last().map_or(after, |person| person.seq);
            after = last;
            self.page(turn, people, last).await?;
        }
    }

    fn is_older(&self, person: &Person) -> bool {
        self.lots.iter().chain([&self.lot]).any(|lot| lot.seen.is_older(person))
    }

    async fn page(&mut self, turn: &mut Turn, people: Vec<Person>, last: i64) -> Result<(), Halt> {
        (self.lot.read, self.lot.seq) = (self.lot.read + people.len() as u64, last);
        let mut plan = self.look(turn, people).await?;
        turn.foresee(std::mem::take(&mut plan.samples));
        rename::settle(turn, self.identity, &mut plan).await?;
        let departed = self.flight.departed();
        let (first, behind) = plan.rows();
        self.flight.add(turn, first).await?;
        if !behind.is_empty() {
            self.flight.land(turn).await?;
            self.flight.add(turn, behind).await?;
        }
        self.lot.plan.add(plan);
        self.lot.until = self.flight.next();
        if self.lot.read >= LOT {
            self.flight.depart(turn).await?;
        }
        if self.flight.departed() > departed {
            self.lots.push_back(std::mem::take(&mut self.lot));
        }
        self.note(turn).await
    }

    /// Waits until everything has landed, and notes it.
    async fn land(&mut self, turn: &mut Turn) -> Result<(), Halt> {
        self.flight.land(turn).await?;
        if self.lot.read > 0 {
            self.lots.push_back(std::mem::take(&mut self.lot));
        }
        self.note(turn).await
    }

    /// Notes the lots whose rows have landed.
    async fn note(&mut self, turn: &mut Turn) -> Result<(), Halt> {
        let settled = self.flight.settled();
        while let Some(lot) = self.lots.pop_front_if(|lot| lot.until <= settled) {
            self.take(turn, lot).await?;
        }
        if self.lots.is_empty() && self.lot.read >= IDLE && self.lot.until <= settled {
            let lot = std::mem::take(&mut self.lot);
            self.take(turn, lot).await?;
        }
        Ok(())
    }

    async fn take(&mut self, turn: &mut Turn, lot: Lot) -> Result<(), Halt> {
        self.named_elsewhere.extend(lot.plan.leaving.iter().map(|leaving| leaving.record.clone()));
        let mut cursor = self.cursor.clone();
        cursor.place.seq = lot.seq;
        self.cursor = note(turn, lot.plan, lot.read, cursor).await?;
        Ok(())
    }

    /// Looks at some people, and at everybody who has one of their addresses, or had it when it was sent.
    async fn look(&mut self, turn: &mut Turn, changed: Vec<Person>) -> Result<Plan, Halt> {
        take_over(turn, &changed).await?;
        let mut plan = Plan::default();
        let nowhere = changed.iter().filter(|person| person.speaks() && person.address().is_empty()).count();
        *plan.skipped.entry("no address").or_default() += nowhere as u64;
        let (account, scope) = (turn.account.name.clone(), turn.account.settings.scope);
        let scene =
            turn.read(move |tx| async move { scene::around(tx, &account, scope, changed).await }.boxed());
        let scene = scene.await?;
        let wanted = |person: &Person| self.book.wanted(&person.at.table, &person.columns, &self.names);
        let wanted = scene.people.iter().flat_map(wanted).collect();
        book::names(turn.engine.crm.as_ref(), wanted, &mut self.names).await?;
        for person in &scene.people {
            self.lot.seen.person(person);
        }
        for address in scene.addresses() {
            let known = self.lots.iter().any(|lot| lot.seen.has(address));
            if !known && self.lot.seen.address(address) {
                self.consider(&scene, address, &mut plan);
            }
        }
        Ok(plan)
    }

    /// What is to be done about one address.
    fn consider(&self, scene: &Scene, address: &str, plan: &mut Plan) {
        let holders = scene.holders(address);
        let Some(speaking) = speaker(&holders) else { return };
        let blocked = |known| !standing::blocks(known, standing::Purpose::Marketing).is_empty();
        if scene.known.get(address).is_some_and(blocked) {
            *plan.skipped.entry("gets no mail").or_default() += 1;
            return;
        }
        let others: Vec<&Person> =
            holders.iter().copied().filter(|person| person.speaks() && person.at != speaking.at).collect();
        // Who shared the address may have been there first.
        let contact = scene.own_contact(speaking, address).or_else(|| {
            let shared = others.iter().filter_map(|person| scene.links.get(&person.at));
            shared.filter(|link| link.address == address).find_map(|link| link.contact.clone())
        });
        self.speak(scene, speaking, address, contact.clone(), plan);
        for other in others {
            let stale =
                |link: &Link| link.address != address || link.contact != contact || link.digest.is_some();
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

    /// What is sent of the record that speaks for an address.
    fn speak(
        &self,
        scene: &Scene,
        speaking: &Person,
        address: &str,
        contact: Option<ContactId>,
        plan: &mut Plan,
    ) {
        let (table, link) = (&speaking.at.table, scene.links.get(&speaking.at));
        let (fields, problems) = self.book.fields(table, &speaking.columns, &self.names);
        let digest = self.book.digest(&speaking.at, address, &fields);
        if link.is_some_and(|link| link.digest.as_deref() == Some(digest.as_slice())) {
            *plan.skipped.entry("unchanged").or_default() += 1;
            return;
        }
        plan.rejects.extend(problems.into_iter().map(|problem| unfit(&speaking.at, &problem)));
        let before = link.and_then(|link| link.base.as_deref()).map(base::read);
        let out = outward(self.book, table, &fields, before.as_ref());
        let named = self.identity.named && !self.named_elsewhere.contains(&speaking.at);
        if let Some(link) = link.filter(|link| link.contact.is_some() && link.address != address) {
            if contact.is_none() {
                plan.parted.insert(speaking.at.clone());
            }
            if !link.address.is_empty() && (contact.is_some() || !self.identity.named) {
                plan.left.insert(link.address.clone());
                plan.renamed.push((plan.rows.len(), link.clone()));
            }
        }
        if self.dry {
            plan.samples.push(example(speaking, contact.is_some(), link, &out, before.as_ref()));
        }
        let base = base::write(&agreed(fields, &out, before));
        plan.rows.push(Row {
            record: speaking.at.clone(),
            address: address.to_owned(),
            contact: ContactRow {
                by: contact.filter(|_| self.identity.named).map(Who::Id),
                names: Identity { named }.names(&speaking.at, address),
                fields: out,
                ..ContactRow::default()
            },
            digest: Some(digest),
            base: Some(base),
        });
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

/// The fields that the service gets. Before both sides agreed on anything, nothing that is empty here clears what may be there.
pub(super) fn outward(
    book: &Book,
    table: &str,
    fields: &BTreeMap<String, Field>,
    before: Option<&BTreeMap<String, Field>>,
) -> BTreeMap<String, FieldValue> {
    let mappings = book.of_table(table);
    let mut out = Vec::with_capacity(mappings.len());
    for mapping in mappings {
        let Some(field) = fields.get(&mapping.label) else { continue };
        let first = before.is_none_or(|before| !before.contains_key(&mapping.label));
        let kept = mapping.rule.empty == EmptyRule::KeepRemote
            || (first && mapping.rule.direction == Direction::TwoWay);
        let goes = mapping.rule.direction != Direction::ToCrm && !(*field == Field::Null && kept);
        if goes {
            out.push((mapping.label.clone(), FieldValue::from(field)));
        }
    }
    out.into_iter().collect()
}

/// What a dry run shows of a row: the fields that differ from what both sides agreed on, and a new address.
fn example(
    person: &Person,
    there: bool,
    link: Option<&Link>,
    out: &BTreeMap<String, FieldValue>,
    before: Option<&BTreeMap<String, Field>>,
) -> Sample {
    let known = |label: &str| before.and_then(|before| before.get(label));
    let differ = out
        .iter()
        .filter(|(label, value)| known(label).is_none_or(|field| FieldValue::from(field) != **value));
    let fields = differ.map(|(label, value)| FieldChange::label(label, known(label), value));
    let (address, word) = (person.address(), |text: &str| Some(Cell::Word(text.to_owned())));
    let moved = link.filter(|link| link.address != address).map(|link| FieldChange {
        name: "address".to_owned(),
        before: word(&link.address),
        after: word(&address),
    });
    let act = if there { Act::Change } else { Act::Create };
    Sample::of(To::Service, act, format!("{} {address}", person.at)).with(moved).with(fields)
}

/// What both sides have once the row was taken.
fn agreed(
    fields: BTreeMap<String, Field>,
    out: &BTreeMap<String, FieldValue>,
    before: Option<BTreeMap<String, Field>>,
) -> BTreeMap<String, Field> {
    let sent = fields.into_iter().filter(|(label, _)| out.contains_key(label));
    match before {
        Some(before) => before.into_iter().chain(sent).collect(),
        None => sent.collect(),
    }
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
