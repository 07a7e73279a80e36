//! Tables of any rows: accounts and contacts that name each other, with nulls wherever they may be.

use postroom_core::{Change, Record, RecordRef, Value as Stored};
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::naive::{Row, Rows, Value};
use super::tree::{Columns, Kind, Table, value};
use crate::bench::Bench;

const ACCOUNTS: usize = 14;
const CONTACTS: usize = 24;

/// Ids that conditions name too: the first are accounts, the next contacts, the rest nobody's.
pub fn id(number: u64) -> Uuid {
    Uuid::from_u128(0xa11c_e000_0000_4000_8000_0000_0000_0000 | u128::from(number))
}

pub fn rows() -> impl Strategy<Value = Rows> {
    let accounts = vec(row(Table::Account, CONTACTS), ACCOUNTS);
    let contacts = vec(row(Table::Contact, ACCOUNTS), CONTACTS);
    (accounts, contacts).prop_map(|(mut accounts, mut contacts)| {
        for (number, row) in accounts.iter_mut().chain(&mut contacts).enumerate() {
            row.id = id(number as u64);
        }
        let ids = |rows: &[Row]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        let (account_ids, contact_ids) = (ids(&accounts), ids(&contacts));
        for (rows, others) in [(&mut accounts, contact_ids), (&mut contacts, account_ids)] {
            for row in rows {
                let other = row.other.map_or(Value::Null, |other| Value::Id(others[other]));
                row.values.extend([Value::Id(row.id), other]);
            }
        }
        Rows { accounts, contacts }
    })
}

/// A row without its last two columns, which are ids.
fn row(table: Table, others: usize) -> impl Strategy<Value = Row> {
    let kinds = plain(table.columns()).iter().map(|(_, kind)| cell(*kind));
    let values = kinds.collect::<Vec<_>>();
    (values, proptest::option::weighted(0.8, 0..others)).prop_map(|(values, other)| Row {
        id: Uuid::nil(),
        values,
        other,
    })
}

fn plain(columns: Columns) -> Columns {
    &columns[..columns.len() - 2]
}

fn cell(kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        // The platform gives it a value when it has none.
        Kind::Bool => value(kind),
        kind => prop_oneof![3 => value(kind), 1 => Just(Value::Null)].boxed(),
    }
}

pub async fn create(bench: &Bench, rows: &Rows) {
    let filled = |table: &str, columns: Columns, row: &Row| {
        let mut record = Record::new(RecordRef::new(table, row.id));
        for ((name, _), value) in plain(columns).iter().zip(&row.values) {
            record = record.with(*name, stored(value));
        }
        record
    };
    let accounts: Vec<Record> =
        rows.accounts.iter().map(|row| filled("account", Table::Account.columns(), row)).collect();
    bench.create(&accounts).await;
    let contacts = rows.contacts.iter().map(|row| {
        let record = filled("contact", Table::Contact.columns(), row);
        match row.other {
            Some(other) => record.with("parentcustomerid", accounts[other].at.clone()),
            None => record,
        }
    });
    bench.create(&contacts.collect::<Vec<_>>()).await;
    for (row, account) in rows.accounts.iter().zip(&accounts) {
        let Some(other) = row.other else { continue };
        let contact = RecordRef::new("contact", rows.contacts[other].id);
        let change = Record::new(account.at.clone()).with("primarycontactid", contact);
        bench.must(Change::Update(change)).await;
    }
}

fn stored(value: &Value) -> Stored {
    match value {
        Value::Null => Stored::Null,
        Value::Text(text) => Stored::text(text.as_str()),
        Value::Int(number) => Stored::Int(*number),
        money @ Value::Money(_) => Stored::Decimal(money.plain()),
        Value::Double(number) => Stored::Float(*number),
        Value::Bool(value) => Stored::Bool(*value),
        Value::Time(time) => Stored::Time(*time),
        Value::Day(day) => Stored::Time(super::naive::midnight(*day)),
        Value::Id(id) => Stored::Guid(*id),
    }
}
