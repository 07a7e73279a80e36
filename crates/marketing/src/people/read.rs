//! From the CRM's changes to the rows of `person`.
//!
//! A page and the mark behind it are one unit. What the CRM says is gone is marked and keeps its number's place, so that
//! followers hear of it. After a reading of a whole table (the first one, or when the CRM forgot what changed), whoever was not
//! seen is gone as well.

use std::collections::{BTreeSet, HashMap};

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::{ChangesAsk, Code, Fault, Ids, Record, RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::moved::{self, Followed};
use super::{Flags, SEQ, TABLES, stored};
use crate::consent::carry;
use crate::engine::Engine;
use crate::sync::cursor::{self, Cursor};

/// Rows of one page.
const PAGE: u32 = 1000;
/// How often another run may be faster.
const OVERTAKEN: u32 = 100;
/// Columns that every reading takes, where the table has them.
const BASE: [&str; 13] = [
    "emailaddress1",
    "emailaddress2",
    "emailaddress3",
    "donotemail",
    "donotbulkemail",
    "donotsendmm",
    "statecode",
    "merged",
    "masterid",
    // Of contacts: the lead that each was.
    "originatingleadid",
    "modifiedon",
    "modifiedby",
    "esc_optintype",
];

/// How far a table has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    token: Option<String>,
    /// The columns that were asked for; others begin anew.
    columns: String,
    /// Counts readings of the whole table.
    reading: i64,
    /// Such a reading goes on.
    whole: bool,
}

impl Engine {
    /// Brings the people up to date with the CRM, mapped columns included; answers how many records changed.
    ///
    /// # Errors
    /// The CRM's.
    pub async fn read_people(&self) -> Result<u64, Fault> {
        let (mapped, metadata) = (self.mapped_columns().await?, self.crm.metadata(&TABLES).await?);
        let mut changed = 0;
        for table in TABLES {
            let Some(described) = metadata.table(table) else { continue };
            let has = |column: &&str| described.column(column).is_some();
            let mut columns: BTreeSet<String> =
                BASE.iter().filter(|column| has(column)).map(|column| (*column).to_owned()).collect();
            columns.extend(
                mapped.get(table).into_iter().flatten().filter(|column| has(&column.as_str())).cloned(),
            );
            changed += self.read_on(table, &columns).await?;
        }
        Ok(changed)
    }

    /// Reads a table to its end. Several runs may do so at once: whoever finds the mark moved goes on from there.
    async fn read_on(&self, table: &'static str, columns: &BTreeSet<String>) -> Result<u64, Fault> {
        let mut left = OVERTAKEN;
        loop {
            match self.read_table(table, columns).await {
                Err(fault) if fault.code == Code::STORE_CONFLICT && left > 0 => left -= 1,
                other => return other,
            }
        }
    }

    async fn read_table(&self, table: &'static str, columns: &BTreeSet<String>) -> Result<u64, Fault> {
        let stream = format!("crm/{table}");
        let read: Result<Cursor<Place>, Error> =
            self.store.read(move |tx| async move { cursor::read(tx, "", &stream).await }.boxed()).await;
        let mut cursor = read?;
        let named = columns.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        if cursor.place.columns != named {
            cursor.place = Place { columns: named, reading: cursor.place.reading, ..Place::default() };
        }
        let mut changed = 0;
        loop {
            let ask = ChangesAsk {
                table: table.to_owned(),
                columns: Some(columns.iter().cloned().collect()),
                since: cursor.place.token.clone(),
                size: PAGE,
            };
            let page = self.crm.changes(&ask).await?;
            if page.full && !cursor.place.whole {
                (cursor.place.whole, cursor.place.reading) = (true, cursor.place.reading + 1);
            }
            let more = page.more;
            let (reading, ends) = (cursor.place.reading, cursor.place.whole && !more);
            cursor.place.whole &= more;
            cursor.place.token = Some(page.token);
            let (records, gone, mut moved) = (page.records, page.gone, cursor.clone());
            let (ids, now) = (self.ids.clone(), self.clock.now());
            let unit = self.store.write("marketing.people_read", move |tx| {
                async move {
                    let mut changed = put(tx, &ids, now, (table, reading), &records).await?;
                    changed += leave(tx, table, &gone).await?;
                    if ends {
                        let unseen = unseen(tx, table, reading).await?;
                        changed += leave(tx, table, &unseen).await?;
                    }
                    moved.write(tx).await?;
                    Ok((changed, moved))
                }
                .boxed()
            });
            let stored: Result<(u64, Cursor<Place>), Error> = unit.await;
            let (number, moved) = stored?;
            (changed, cursor) = (changed + number, moved);
            if !more {
                return Ok(changed);
            }
        }
    }
}

/// A record as it is kept.
struct Person {
    record: Uuid,
    active: bool,
    flags: Flags,
    master: Option<Uuid>,
    modified: Option<i64>,
    modified_by: Option<String>,
    /// When the flags became what they are, and who wrote that.
    flagged: (Option<i64>, Option<String>),
    addresses: Vec<String>,
    fields: String,
    digest: Vec<u8>,
}

impl Person {
    fn of(record: &Record) -> Self {
        let yes = |column: &str| record.get(column).and_then(Value::as_bool) == Some(true);
        let flags = Flags {
            do_not_bulk_email: yes("donotbulkemail"),
            do_not_email: yes("donotemail"),
            do_not_send_materials: yes("donotsendmm"),
        };
        let addresses = ["emailaddress1", "emailaddress2", "emailaddress3"];
        let addresses: Vec<String> =
            addresses.map(|column| normal(record.text(column).unwrap_or_default())).into();
        let active = record.int("statecode").is_none_or(|state| state == 0);
        let master = record.lookup("masterid").map(|master| master.id);
        let fields = stored::write(
            record
                .columns
                .iter()
                .filter(|(name, _)| name != "modifiedon" && name != "modifiedby")
                .map(|(name, value)| (name.as_str(), value)),
        );
        let modified = match record.get("modifiedon") {
            Some(Value::Time(at)) => Some(at.as_microsecond()),
            _ => None,
        };
        let digest = Sha256::digest(fields.as_bytes()).to_vec();
        let modified_by = record.lookup("modifiedby").map(ToString::to_string);
        let (flagged, record) = ((None, None), record.at.id);
        Person { record, active, flags, master, modified, modified_by, flagged, addresses, fields, digest }
    }
}

/// What was kept of a record before.
struct Kept {
    digest: Vec<u8>,
    gone: bool,
    seen: i64,
    flags: Flags,
    flagged: (Option<i64>, Option<String>),
    master: Option<Uuid>,
}

async fn kept(tx: &mut Tx, table: &str, people: &[Person]) -> Result<HashMap<Uuid, Kept>, Error> {
    let mut kept = HashMap::new();
    for some in people.chunks(256) {
        let select = Query::select()
            .columns([
                "record",
                "digest",
                "gone",
                "seen",
                "flags",
                "flagged",
                "flagged_by",
                "master",
                "modified",
            ])
            .from("person")
            .and_where(Expr::col("record_table").eq(table))
            .and_where(Expr::col("record").is_in(some.iter().map(|person| person.record)))
            .to_owned();
        for row in tx.query(&select).await? {
            let before = Kept {
                digest: row.at(1)?,
                gone: row.at(2)?,
                seen: row.at(3)?,
                flags: Flags::of_bits(row.at(4)?),
                // What was written before that was kept is of the last change that was seen.
                flagged: (row.at::<Option<i64>>(5)?.or(row.at(8)?), row.at(6)?),
                master: row.at(7)?,
            };
            kept.insert(row.at(0)?, before);
        }
    }
    Ok(kept)
}

/// Writes the records of a page; answers how many are not as they were. Opt-outs follow whose address changed, and who was
/// merged, in the same unit.
async fn put(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    (table, reading): (&str, i64),
    records: &[Record],
) -> Result<u64, Error> {
    let people: Vec<Person> = records.iter().map(Person::of).collect();
    let kept = kept(tx, table, &people).await?;
    let is_same = |person: &Person| {
        kept.get(&person.record).is_some_and(|before| before.digest == person.digest && !before.gone)
    };
    let seen: Vec<Uuid> = people
        .iter()
        .filter(|person| is_same(person) && kept[&person.record].seen != reading)
        .map(|person| person.record)
        .collect();
    // A row may come twice in one page; the later one counts.
    let last: HashMap<Uuid, usize> =
        people.iter().enumerate().map(|(place, person)| (person.record, place)).collect();
    let mut fresh: Vec<Person> = people
        .into_iter()
        .enumerate()
        .filter(|(place, person)| last[&person.record] == *place && !is_same(person))
        .map(|(_, person)| person)
        .collect();
    for person in fresh.iter_mut().filter(|person| person.flags.any()) {
        let before = kept.get(&person.record).filter(|before| before.flags == person.flags);
        person.flagged = match before {
            Some(before) => before.flagged.clone(),
            None => (person.modified, person.modified_by.clone()),
        };
    }
    let there: Vec<Uuid> =
        fresh.iter().map(|person| person.record).filter(|record| kept.contains_key(record)).collect();
    let of = |person: &Person| Followed {
        record: RecordRef::new(table, person.record),
        addresses: person.addresses.iter().filter(|address| !address.is_empty()).cloned().collect(),
        master: person.master,
        master_before: kept.get(&person.record).and_then(|before| before.master),
    };
    let followed: Vec<Followed> = fresh.iter().map(of).collect();
    let before: Vec<RecordRef> = there.iter().map(|id| RecordRef::new(table, *id)).collect();
    let before = super::addresses_of_all(tx, &before).await?;
    remove(tx, table, there.into_iter()).await?;
    mark_seen(tx, table, reading, &seen).await?;
    write(tx, table, reading, &fresh).await?;
    let moves = moved::moves(tx, table, &followed, &before).await?;
    carry::carry(tx, ids, now, &moves).await?;
    Ok(fresh.len() as u64)
}

async fn mark_seen(tx: &mut Tx, table: &str, reading: i64, records: &[Uuid]) -> Result<(), Error> {
    for some in records.chunks(256) {
        let mut update = Query::update();
        update
            .table("person")
            .value("seen", reading)
            .and_where(Expr::col("record_table").eq(table))
            .and_where(Expr::col("record").is_in(some.iter().copied()));
        tx.execute(&update).await?;
    }
    Ok(())
}

/// Writes records that are not there.
async fn write(tx: &mut Tx, table: &str, reading: i64, people: &[Person]) -> Result<(), Error> {
    if people.is_empty() {
        return Ok(());
    }
    let first = tx.next_numbers(SEQ, people.len() as u64).await?;
    let columns = [
        "record_table",
        "record",
        "seq",
        "active",
        "flags",
        "gone",
        "master",
        "modified",
        "flagged",
        "flagged_by",
        "fields",
        "digest",
        "seen",
    ];
    let mut rows = Insert::into("person", &columns);
    let mut addresses = Insert::into("person_address", &["record", "place", "record_table", "address"]);
    for (seq, person) in (first..).zip(people) {
        rows.row([
            table.into(),
            person.record.into(),
            seq.into(),
            person.active.into(),
            person.flags.bits().into(),
            false.into(),
            person.master.into(),
            person.modified.into(),
            person.flagged.0.into(),
            person.flagged.1.clone().into(),
            person.fields.as_str().into(),
            person.digest.clone().into(),
            reading.into(),
        ]);
        for (place, address) in person.addresses.iter().enumerate().filter(|(_, address)| !address.is_empty())
        {
            let place = i64::try_from(place).expect("three addresses") + 1;
            addresses.row([person.record.into(), place.into(), table.into(), address.as_str().into()]);
        }
    }
    tx.insert(&rows).await?;
    tx.insert(&addresses).await.map(drop)
}

async fn remove(tx: &mut Tx, table: &str, records: impl Iterator<Item = Uuid>) -> Result<(), Error> {
    let records: Vec<Uuid> = records.collect();
    for some in records.chunks(256) {
        for from in ["person", "person_address"] {
            let mut delete = Query::delete();
            delete
                .from_table(from)
                .and_where(Expr::col("record_table").eq(table))
                .and_where(Expr::col("record").is_in(some.iter().copied()));
            tx.execute(&delete).await?;
        }
    }
    Ok(())
}

/// Marks records that are gone; answers how many were there. Their opt-outs stay what they were for whoever shares the
/// address: those were taken over as suppressions when they were read.
async fn leave(tx: &mut Tx, table: &str, records: &[Uuid]) -> Result<u64, Error> {
    let mut left = 0;
    for record in records {
        let seq = tx.next_numbers(SEQ, 1).await?;
        let mut update = Query::update();
        update
            .table("person")
            .value("gone", true)
            .value("active", false)
            .value("seq", seq)
            .and_where(Expr::col("record_table").eq(table))
            .and_where(Expr::col("record").eq(*record))
            .and_where(Expr::col("gone").eq(false));
        left += tx.execute(&update).await?;
    }
    Ok(left)
}

/// Who was there before a whole reading and did not come in it.
async fn unseen(tx: &mut Tx, table: &str, reading: i64) -> Result<Vec<Uuid>, Error> {
    let select = Query::select()
        .column("record")
        .from("person")
        .and_where(Expr::col("record_table").eq(table))
        .and_where(Expr::col("seen").ne(reading))
        .and_where(Expr::col("gone").eq(false))
        .to_owned();
    tx.query(&select).await?.iter().map(|row| row.at(0)).collect()
}
