//! Who a record is at one account of the service: the address and fields that the service last took, the contact's number,
//! and the base that both sides last agreed on (table `person_link`). A record without a row has never been there.

use std::collections::HashMap;

use postroom_core::RecordRef;
use postroom_core::marketing::ContactId;
use postroom_store::sql::{Expr, ExprTrait, Query, SelectStatement};
use postroom_store::{Error, Insert, Row, Tx};
use uuid::Uuid;

use super::TABLES;

/// Records or addresses of one statement.
const ASKED: usize = 256;

const COLUMNS: [&str; 6] = ["record_table", "record", "address", "contact", "digest", "base"];

/// What the service has of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub record: RecordRef,
    /// In normal form.
    pub address: String,
    /// `None` until the service has named it.
    pub contact: Option<ContactId>,
    /// Of the fields that the service last took, or refused for what they hold: they are not sent again as they are.
    pub digest: Option<Vec<u8>>,
    /// JSON of the fields that both sides last agreed on.
    pub base: Option<String>,
}

/// The links of these records at an account, by record.
pub async fn of_records(
    tx: &mut Tx,
    account: &str,
    records: &[RecordRef],
) -> Result<HashMap<RecordRef, Link>, Error> {
    let mut found = HashMap::with_capacity(records.len());
    for some in records.chunks(ASKED) {
        let mut select = select(account);
        // Without the table, its key would be of no use and each question would look at everybody.
        select.and_where(Expr::col("record_table").is_in(TABLES));
        select.and_where(Expr::col("record").is_in(some.iter().map(|record| record.id)));
        for link in load(tx, &select).await? {
            found.insert(link.record.clone(), link);
        }
    }
    Ok(found)
}

/// The links of all records with these addresses (in normal form).
pub async fn of_addresses(tx: &mut Tx, account: &str, addresses: &[String]) -> Result<Vec<Link>, Error> {
    let mut found = Vec::new();
    for some in addresses.chunks(ASKED) {
        let mut select = select(account);
        select.and_where(Expr::col("address").is_in(some.iter().map(String::as_str)));
        found.extend(load(tx, &select).await?);
    }
    Ok(found)
}

/// The records that the service knows by these addresses (in normal form), with the address of each.
pub async fn named_by(
    tx: &mut Tx,
    account: &str,
    addresses: &[String],
) -> Result<Vec<(String, RecordRef)>, Error> {
    let mut found = Vec::new();
    for some in addresses.chunks(ASKED) {
        let mut select = records("address", account);
        select.and_where(Expr::col("address").is_in(some.iter().map(String::as_str)));
        for row in tx.query(&select).await? {
            found.push((row.at(0)?, RecordRef::new(row.at::<String>(1)?, row.at(2)?)));
        }
    }
    Ok(found)
}

/// The records that the service knows by these numbers, with the number of each.
pub async fn numbered_by(
    tx: &mut Tx,
    account: &str,
    contacts: &[i64],
) -> Result<Vec<(i64, RecordRef)>, Error> {
    let mut found = Vec::new();
    for some in contacts.chunks(ASKED) {
        let mut select = records("contact", account);
        select.and_where(Expr::col("contact").is_in(some.iter().copied()));
        for row in tx.query(&select).await? {
            found.push((row.at(0)?, RecordRef::new(row.at::<String>(1)?, row.at(2)?)));
        }
    }
    Ok(found)
}

/// Records with what names them, and nothing of what they hold.
fn records(by: &'static str, account: &str) -> SelectStatement {
    Query::select()
        .columns([by, "record_table", "record"])
        .from("person_link")
        .and_where(Expr::col("account").eq(account))
        .to_owned()
}

/// The links to these contacts of the service.
pub async fn of_contacts(tx: &mut Tx, account: &str, contacts: &[i64]) -> Result<Vec<Link>, Error> {
    let mut found = Vec::new();
    for some in contacts.chunks(ASKED) {
        let mut select = select(account);
        select.and_where(Expr::col("contact").is_in(some.iter().copied()));
        found.extend(load(tx, &select).await?);
    }
    Ok(found)
}

/// A select over the links of an account, to be narrowed.
pub fn select(account: &str) -> SelectStatement {
    Query::select()
        .columns(COLUMNS)
        .from("person_link")
        .and_where(Expr::col("account").eq(account))
        .to_owned()
}

/// A select over the links of all accounts, to be narrowed.
pub fn select_all() -> SelectStatement {
    Query::select().columns(COLUMNS).from("person_link").to_owned()
}

/// The links of a select.
pub async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Link>, Error> {
    tx.query(select).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Link, Error> {
    let table: String = row.at(0)?;
    Ok(Link {
        record: RecordRef::new(table, row.at::<Uuid>(1)?),
        address: row.at(2)?,
        contact: row.at::<Option<i64>>(3)?.map(ContactId),
        digest: row.at(4)?,
        base: row.at(5)?,
    })
}

/// Writes links as they now are.
pub async fn put(tx: &mut Tx, account: &str, links: Vec<Link>) -> Result<(), Error> {
    if links.is_empty() {
        return Ok(());
    }
    let columns = ["account", "record_table", "record", "address", "contact", "digest", "base"];
    let mut rows =
        Insert::into("person_link", &columns).or_replace_by(&["account", "record_table", "record"]);
    let mut seen = std::collections::HashSet::new();
    // The last word about a record counts.
    for link in links.into_iter().rev().filter(|link| seen.insert(link.record.clone())) {
        rows.row([
            account.into(),
            link.record.table.into(),
            link.record.id.into(),
            link.address.into(),
            link.contact.map(|contact| contact.0).into(),
            link.digest.into(),
            link.base.into(),
        ]);
    }
    tx.insert(&rows).await.map(drop)
}

/// Takes links away; the records are nobody at the account from now on.
pub async fn remove(
    tx: &mut Tx,
    account: &str,
    records: impl IntoIterator<Item = &RecordRef>,
) -> Result<(), Error> {
    let mut by_table: HashMap<&str, Vec<Uuid>> = HashMap::new();
    for record in records {
        by_table.entry(&record.table).or_default().push(record.id);
    }
    for (table, records) in by_table {
        for some in records.chunks(ASKED) {
            let mut delete = Query::delete();
            delete
                .from_table("person_link")
                .and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("record_table").eq(table))
                .and_where(Expr::col("record").is_in(some.iter().copied()));
            tx.execute(&delete).await?;
        }
    }
    Ok(())
}
