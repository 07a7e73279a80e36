//! The people of the CRM as they were last read: contacts, leads and accounts with all their addresses.
//!
//! # Design
//!
//! * [`read`] follows the CRM's changes of the three tables into `person` and `person_address`. It is one stream for all
//!   accounts; a record that changed gets the next number of [`SEQ`], and whoever keeps people in step asks for what is behind
//!   the number that it has seen.
//! * [`holders`] answers who has an address: every record, active or not, with its opt-outs. The gate of a send asks it in the
//!   transaction that writes the intent.
//! * [`links`]: who a record is at an account of the service.
//! * `moved`: which addresses became which, so that opt-outs can follow ([`crate::consent::carry`]).
//! * [`stored`] keeps mapped columns as JSON.

pub mod links;
mod moved;
pub mod read;
pub mod stored;

use std::collections::HashMap;

use postroom_core::{Record, RecordRef};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use crate::consent::standing::Holder;

/// The counter that numbers changes of people.
pub const SEQ: &str = "marketing.person";

/// The tables whose rows are people.
pub const TABLES: [&str; 3] = ["contact", "lead", "account"];

/// Addresses of one statement.
const ASKED: usize = 256;

/// Keeps what was just written to the CRM, so that nobody takes the values from before for news until the next reading. That
/// reading still finds a change: a record's number and its digest stay.
pub async fn wrote(tx: &mut Tx, records: &[Record]) -> Result<(), Error> {
    for some in records.chunks(ASKED) {
        let written: HashMap<&RecordRef, &Record> = some.iter().map(|record| (&record.at, record)).collect();
        let select = Query::select()
            .columns(["record_table", "record", "fields"])
            .from("person")
            .and_where(Expr::col("record_table").is_in(TABLES))
            .and_where(Expr::col("record").is_in(some.iter().map(|record| record.at.id)))
            .to_owned();
        for row in tx.query(&select).await? {
            let (table, id, fields): (String, Uuid, String) = (row.at(0)?, row.at(1)?, row.at(2)?);
            let at = RecordRef::new(table, id);
            let Some(record) = written.get(&at) else { continue };
            let mut columns = stored::read(&fields);
            columns.extend(record.columns.iter().map(|(name, value)| (name.to_string(), value.clone())));
            let fields = stored::write(columns.iter().map(|(name, value)| (name.as_str(), value)));
            let mut update = Query::update();
            update
                .table("person")
                .value("fields", fields)
                .and_where(Expr::col("record_table").eq(at.table.as_str()))
                .and_where(Expr::col("record").eq(at.id));
            tx.execute(&update).await?;
        }
    }
    Ok(())
}

/// What a record says against mail, as the bits of `person.flags`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    pub do_not_bulk_email: bool,
    pub do_not_email: bool,
    pub do_not_send_materials: bool,
}

impl Flags {
    pub fn bits(self) -> i64 {
        i64::from(self.do_not_bulk_email)
            | i64::from(self.do_not_email) << 1
            | i64::from(self.do_not_send_materials) << 2
    }

    pub fn of_bits(bits: i64) -> Self {
        Flags {
            do_not_bulk_email: bits & 1 != 0,
            do_not_email: bits & 2 != 0,
            do_not_send_materials: bits & 4 != 0,
        }
    }

    /// Whether the record opts out of marketing mail.
    pub fn any(self) -> bool {
        self != Flags::default()
    }
}

/// Every record that has one of these addresses (in normal form), by address.
pub async fn holders(tx: &mut Tx, addresses: &[String]) -> Result<HashMap<String, Vec<Holder>>, Error> {
    let mut found: HashMap<String, Vec<Holder>> = HashMap::new();
    for some in addresses.chunks(ASKED) {
        let select = Query::select()
            .columns([
                ("person_address", "address"),
                ("person", "record_table"),
                ("person", "record"),
                ("person", "active"),
                ("person", "flags"),
            ])
            .distinct()
            .from("person_address")
            .inner_join(
                "person",
                Expr::col(("person", "record"))
                    .equals(("person_address", "record"))
                    .and(Expr::col(("person", "record_table")).equals(("person_address", "record_table"))),
            )
            .and_where(Expr::col(("person_address", "address")).is_in(some.iter().map(String::as_str)))
            .and_where(Expr::col(("person", "gone")).eq(false))
            .to_owned();
        for row in tx.query(&select).await? {
            let (address, table, record): (String, String, Uuid) = (row.at(0)?, row.at(1)?, row.at(2)?);
            let flags = Flags::of_bits(row.at(4)?);
            found.entry(address).or_default().push(Holder {
                at: RecordRef::new(table, record),
                active: row.at(3)?,
                do_not_bulk_email: flags.do_not_bulk_email,
                do_not_email: flags.do_not_email,
                do_not_send_materials: flags.do_not_send_materials,
            });
        }
    }
    Ok(found)
}

/// Records that say no, of which no account knows yet, and that no longer speak for themselves: who left the CRM, and who was merged
/// into another record. Their word counts for their own addresses and for those of the other one. What came after the number
/// `heard` is not in the suppressions yet; what came before is, and there it can be lifted.
pub async fn unheard(
    tx: &mut Tx,
    heard: i64,
    addresses: &[String],
) -> Result<HashMap<String, Vec<Holder>>, Error> {
    let mut found: HashMap<String, Vec<Holder>> = HashMap::new();
    let own = |column| Expr::col(("person", column)).equals(("person_address", "record"));
    for some in addresses.chunks(ASKED) {
        for by in ["record", "master"] {
            let mut select = Query::select();
            select
                .columns([
                    ("person_address", "address"),
                    ("person", "record_table"),
                    ("person", "record"),
                    ("person", "flags"),
                ])
                .distinct()
                .from("person_address")
                .inner_join(
                    "person",
                    own(by).and(
                        Expr::col(("person", "record_table")).equals(("person_address", "record_table")),
                    ),
                )
                .and_where(Expr::col(("person_address", "address")).is_in(some.iter().map(String::as_str)))
                .and_where(Expr::col(("person", "flags")).ne(0))
                .and_where(Expr::col(("person", "seq")).gt(heard));
            if by == "record" {
                select.and_where(Expr::col(("person", "gone")).eq(true));
            }
            for row in tx.query(&select).await? {
                let (address, table): (String, String) = (row.at(0)?, row.at(1)?);
                let flags = Flags::of_bits(row.at(3)?);
                found.entry(address).or_default().push(Holder {
                    at: RecordRef::new(table, row.at::<Uuid>(2)?),
                    active: false,
                    do_not_bulk_email: flags.do_not_bulk_email,
                    do_not_email: flags.do_not_email,
                    do_not_send_materials: flags.do_not_send_materials,
                });
            }
        }
    }
    Ok(found)
}

/// The addresses of these records, each once.
pub(crate) async fn addresses_of_all(
    tx: &mut Tx,
    records: &[RecordRef],
) -> Result<HashMap<RecordRef, Vec<String>>, Error> {
    let mut found: HashMap<RecordRef, Vec<String>> = HashMap::new();
    for some in records.chunks(ASKED) {
        let select = Query::select()
            .columns(["record_table", "record", "address"])
            .distinct()
            .from("person_address")
            .and_where(Expr::col("record").is_in(some.iter().map(|record| record.id)))
            .to_owned();
        for row in tx.query(&select).await? {
            let record = RecordRef::new(row.at::<String>(0)?, row.at(1)?);
            found.entry(record).or_default().push(row.at(2)?);
        }
    }
    Ok(found)
}

/// Every address of a record, each once.
pub(crate) async fn addresses_of(tx: &mut Tx, at: &RecordRef) -> Result<Vec<String>, Error> {
    let select = Query::select()
        .column("address")
        .distinct()
        .from("person_address")
        .and_where(Expr::col("record_table").eq(at.table.as_str()))
        .and_where(Expr::col("record").eq(at.id))
        .to_owned();
    tx.query(&select).await?.iter().map(|row| row.at(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_read_back() {
        for bits in 0..8 {
            assert_eq!(Flags::of_bits(bits).bits(), bits);
            assert_eq!(Flags::of_bits(bits).any(), bits != 0);
        }
    }
}
