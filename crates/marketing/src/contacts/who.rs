//! The people of the store as this flow needs them: records with their columns, and which of several speaks for an address.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::{RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Order, Query, SelectStatement};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use crate::people::{TABLES, stored};

/// Addresses or records of one statement.
const ASKED: usize = 256;

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub at: RecordRef,
    pub seq: i64,
    pub active: bool,
    /// No longer in the CRM.
    pub gone: bool,
    /// The survivor of a merge.
    pub master: Option<Uuid>,
    pub modified: Option<Timestamp>,
    pub columns: BTreeMap<String, Value>,
}

impl Person {
    /// The address that mail goes to, in normal form: the first one that the record has; empty when it has none.
    pub fn address(&self) -> String {
        let columns = ["emailaddress1", "emailaddress2", "emailaddress3"];
        let mut addresses =
            columns.iter().filter_map(|column| self.columns.get(*column)?.as_str().map(normal));
        addresses.find(|address| !address.is_empty()).unwrap_or_default()
    }

    /// Whether the record can speak for its address.
    pub fn speaks(&self) -> bool {
        self.active && !self.gone && self.master.is_none()
    }

    /// The lead that a contact was made of.
    pub fn lead(&self) -> Option<&RecordRef> {
        self.columns.get("originatingleadid").and_then(Value::as_lookup)
    }
}

fn select() -> SelectStatement {
    let columns = ["record_table", "record", "seq", "active", "gone", "master", "modified", "fields"];
    Query::select().columns(columns).from("person").to_owned()
}

async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Person>, Error> {
    let mut people = Vec::new();
    for row in tx.query(select).await? {
        let (table, record, fields): (String, Uuid, String) = (row.at(0)?, row.at(1)?, row.at(7)?);
        people.push(Person {
            at: RecordRef::new(table, record),
            seq: row.at(2)?,
            active: row.at(3)?,
            gone: row.at(4)?,
            master: row.at(5)?,
            modified: row.at(6)?,
            columns: stored::read(&fields),
        });
    }
    Ok(people)
}

/// The next people by the number of their change.
pub async fn behind(tx: &mut Tx, after: i64, limit: u64) -> Result<Vec<Person>, Error> {
    let mut next = select();
    next.and_where(Expr::col("seq").gt(after)).order_by("seq", Order::Asc).limit(limit);
    load(tx, &next).await
}

pub async fn of_records(tx: &mut Tx, records: &[RecordRef]) -> Result<Vec<Person>, Error> {
    let wanted: HashSet<&RecordRef> = records.iter().collect();
    let mut found = Vec::new();
    for some in records.chunks(ASKED) {
        let mut these = select();
        these.and_where(Expr::col("record_table").is_in(TABLES));
        these.and_where(Expr::col("record").is_in(some.iter().map(|record| record.id)));
        found.extend(load(tx, &these).await?.into_iter().filter(|person| wanted.contains(&person.at)));
    }
    Ok(found)
}

/// The records that have one of these addresses (in normal form) in any column, whether mail goes there or not.
pub async fn holders(tx: &mut Tx, addresses: &[String]) -> Result<Vec<RecordRef>, Error> {
    let mut records = Vec::with_capacity(addresses.len());
    for some in addresses.chunks(ASKED) {
        let holders = Query::select()
            .columns(["record_table", "record"])
            .distinct()
            .from("person_address")
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
            .to_owned();
        for row in tx.query(&holders).await? {
            records.push(RecordRef::new(row.at::<String>(0)?, row.at(1)?));
        }
    }
    records.sort();
    records.dedup();
    Ok(records)
}

/// Everybody whom [`holders`] finds.
pub async fn of_addresses(tx: &mut Tx, addresses: &[String]) -> Result<Vec<Person>, Error> {
    let records = holders(tx, addresses).await?;
    of_records(tx, &records).await
}

/// The record that speaks for an address: contacts before leads before accounts, then the newest, then the lowest id.
pub fn speaker<'p>(people: &[&'p Person]) -> Option<&'p Person> {
    let rank = |person: &Person| TABLES.iter().position(|table| *table == person.at.table);
    let speaking = people.iter().copied().filter(|person| person.speaks());
    speaking.min_by_key(|person| (rank(person), std::cmp::Reverse(person.modified), person.at.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(table: &str, id: u128, modified: u8) -> Person {
        Person {
            at: RecordRef::new(table, Uuid::from_u128(id)),
            seq: 1,
            active: true,
            gone: false,
            master: None,
            modified: Some(format!("2026-01-{modified:02}T00:00:00Z").parse().unwrap()),
            columns: BTreeMap::new(),
        }
    }

    #[track_caller]
    fn check(people: &[Person], expected: Option<u128>) {
        let speaker = speaker(&people.iter().collect::<Vec<_>>()).map(|person| person.at.id.as_u128());
        assert_eq!(speaker, expected);
    }

    #[test]
    fn one_speaks() {
        check(&[], None);
        check(&[person("lead", 1, 9), person("contact", 2, 1), person("account", 3, 9)], Some(2));
        check(&[person("contact", 1, 1), person("contact", 2, 5)], Some(2));
        check(&[person("contact", 4, 5), person("contact", 2, 5)], Some(2));
        let inactive = Person { active: false, ..person("contact", 1, 9) };
        let merged = Person { master: Some(Uuid::nil()), ..person("contact", 2, 9) };
        check(&[inactive, merged, person("lead", 3, 1)], Some(3));
    }

    #[test]
    fn the_first_address_counts() {
        let with = |columns: &[(&str, &str)]| {
            let columns = columns.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
            Person { columns: columns.collect(), ..person("contact", 1, 1) }.address()
        };
        assert_eq!(with(&[("emailaddress1", "A@X"), ("emailaddress2", "b@x")]), "a@x");
        assert_eq!(with(&[("emailaddress1", " "), ("emailaddress3", "C@x")]), "c@x");
        assert_eq!(with(&[]), "");
    }
}
