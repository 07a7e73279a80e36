//! From the CRM's changes to the rows of `person`.
//!
//! A page and the mark behind it are one unit. What the CRM says is gone is marked and keeps its number's place, so that
//! followers hear of it. After a reading of a whole table (the first one, or when the CRM forgot what changed), whoever was not
//! seen is gone as well.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use postroom_core::address::normal;
use postroom_core::{ChangesAsk, Code, Fault, Record, Value};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Flags, SEQ, TABLES, stored};
use crate::engine::Engine;
use crate::sync::cursor::{self, Cursor};

/// Rows of one page.
const PAGE: u32 = 1000;
/// How often another run may be faster.
const OVERTAKEN: u32 = 100;
/// Columns that every reading takes, where the table has them.
const BASE: [&str; 12] = [
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
            let unit = self.store.write("marketing.people_read", move |tx| {
                async move {
                    let mut changed = put(tx, table, reading, &records).await?;
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
                .filter(|(name, _)| name != "modifiedon")
                .map(|(name, value)| (name.as_str(), value)),
        );
        let modified = match record.get("modifiedon") {
            Some(Value::Time(at)) => Some(at.as_microsecond()),
            _ => None,
        };
        let digest = Sha256::digest(fields.as_bytes()).to_vec();
        Person { record: record.at.id, active, flags, master, modified, addresses, fields, digest }
    }
}

/// Writes the records of a page; answers how many are not as they were.
async fn put(tx: &mut Tx, table: &str, reading: i64, records: &[Record]) -> Result<u64, Error> {
    let people: Vec<Person> = records.iter().map(Person::of).collect();
    let mut kept = std::collections::HashMap::new();
    for some in people.chunks(256) {
        let select = Query::select()
            .columns(["record", "digest", "gone", "seen"])
            .from("person")
            .and_where(Expr::col("record_table").eq(table))
            .and_where(Expr::col("record").is_in(some.iter().map(|person| person.record)))
            .to_owned();
        for row in tx.query(&select).await? {
            let (record, digest, gone, seen): (Uuid, Vec<u8>, bool, i64) =
                (row.at(0)?, row.at(1)?, row.at(2)?, row.at(3)?);
            kept.insert(record, (digest, gone, seen));
        }
    }
    let is_same = |person: &Person| {
        kept.get(&person.record).is_some_and(|(digest, gone, _)| *digest == person.digest && !gone)
    };
    let seen: Vec<Uuid> = people
        .iter()
        .filter(|person| is_same(person) && kept[&person.record].2 != reading)
        .map(|person| person.record)
        .collect();
    // A row may come twice in one page; the later one counts.
    let last: std::collections::HashMap<Uuid, usize> =
        people.iter().enumerate().map(|(place, person)| (person.record, place)).collect();
    let fresh: Vec<Person> = people
        .into_iter()
        .enumerate()
        .filter(|(place, person)| last[&person.record] == *place && !is_same(person))
        .map(|(_, person)| person)
        .collect();
    let there = fresh.iter().map(|person| person.record).filter(|record| kept.contains_key(record));
    remove(tx, table, there).await?;
    mark_seen(tx, table, reading, &seen).await?;
    write(tx, table, reading, &fresh).await?;
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
