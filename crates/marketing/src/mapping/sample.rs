//! One record as its mappings would send it, beside what the service has of the person: what the mapping editor shows beside
//! each row, and a person's page.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use postroom_core::address::normal;
use postroom_core::marketing::{Contact, FieldType, FieldValue, Include, Person};
use postroom_core::{Code, Fault, Filter, Query, Record, RecordRef, Value};
use postroom_store::Error;
use uuid::Uuid;

use super::book::{self, Book, Mapping, Names};
use super::path::Path;
use crate::Engine;
use crate::engine::Account;
use crate::fields::merge::Direction;
use crate::fields::{Field, convert};
use crate::people::links::{self, Link};

/// One mapping for one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub mapping: Uuid,
    /// Empty when the account has no such label.
    pub label: String,
    pub kind: Option<FieldType>,
    pub path: String,
    pub direction: Direction,
    /// What stands in the record's own columns, in their order.
    pub values: Vec<Value>,
    /// What would be sent, or why nothing is.
    pub result: Result<Field, String>,
    /// What may get lost on the way.
    pub lossy: Option<&'static str>,
    /// What the service has; `None` when it has nothing, or was not asked.
    pub there: Option<FieldValue>,
    /// Whether both sides have the same; `None` when that cannot be said.
    pub same: Option<bool>,
}

/// A record with all its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    pub record: Record,
    /// In normal form; empty when it has none.
    pub address: String,
    /// The person at the service.
    pub contact: Option<Contact>,
    /// Why the service could not be asked.
    pub fault: Option<String>,
    pub samples: Vec<Sample>,
}

impl Engine {
    /// What would be sent of a record to an account, for every mapping of its kind, those that cannot be used too; and what the
    /// service has of the person. A service that cannot be asked is said so.
    ///
    /// # Errors
    /// The CRM's; and a refusal for an account or record that is not there.
    pub async fn sample(&self, account: &str, at: &RecordRef) -> Result<Sampled, Fault> {
        let account = self.named(account)?;
        let query = Query::of(&at.table).filter(Filter::eq(format!("{}id", at.table), at.id));
        let record = self.crm.query(&query).await?.pop();
        let record = record.ok_or_else(|| Fault::reject(Code::CRM_NOT_FOUND, format!("there is no {at}")))?;
        let address = normal(record.text("emailaddress1").unwrap_or_default());
        let (contact, fault) = match self.whom(account, at, &address).await? {
            None => (None, None),
            Some(person) => {
                let include = Include { fields: vec![Include::ALL_FIELDS.to_owned()], ..Include::default() };
                match account.service.find_contacts(&[person], &include).await {
                    Ok(mut found) => (found.pop().flatten(), None),
                    Err(fault) => (None, Some(fault.to_string())),
                }
            }
        };
        let samples = self.samples(account, std::slice::from_ref(&record), contact.as_ref()).await?;
        let samples = samples.into_iter().next().unwrap_or_default();
        Ok(Sampled { record, address, contact, fault, samples })
    }

    /// By whom the service knows a record: the number that it gave, or the address.
    async fn whom(&self, account: &Account, at: &RecordRef, address: &str) -> Result<Option<Person>, Fault> {
        let (name, record) = (account.name.clone(), at.clone());
        let read =
            self.store.read(move |tx| async move { links::of_records(tx, &name, &[record]).await }.boxed());
        let links: Result<_, Error> = read.await;
        let number = links?.into_values().find_map(|link: Link| link.contact).map(Person::Id);
        let by_address = || (!address.is_empty()).then(|| Person::Email(address.to_owned()));
        Ok(number.or_else(by_address))
    }

    /// The samples of several records of one person, in their order; `contact` is the person at the service.
    ///
    /// # Errors
    /// The CRM's; and the service's when the account was never reached.
    pub async fn samples(
        &self,
        account: &Account,
        records: &[Record],
        contact: Option<&Contact>,
    ) -> Result<Vec<Vec<Sample>>, Fault> {
        let connected = self.identity(account).await?;
        let crm = self.crm.as_ref();
        let metadata = book::described(crm).await?;
        let rows = book::read(crm, connected.row().id, &metadata).await?;
        let book = Book::new(metadata, &rows);
        let (mut names, mut all) = (Names::default(), Vec::with_capacity(records.len()));
        for record in records {
            let columns: BTreeMap<String, Value> =
                record.columns.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
            book::names(crm, book.wanted(&record.at.table, &columns, &names), &mut names).await?;
            let of_table =
                rows.iter().filter(|row| book::table(&row.record) == Some(record.at.table.as_str()));
            all.push(of_table.map(|row| sample(&book, row, &columns, &names, contact)).collect());
        }
        Ok(all)
    }
}

fn sample(
    book: &Book,
    row: &book::Row,
    columns: &BTreeMap<String, Value>,
    names: &Names,
    contact: Option<&Contact>,
) -> Sample {
    let text = row.record.text("esc_fieldpath").unwrap_or_default();
    let path = Path::read(text);
    let parts = path.iter().flat_map(Path::parts);
    let values = parts.map(|part| columns.get(&part.column).cloned().unwrap_or(Value::Null)).collect();
    let (label, kind) = row.label.clone().unzip();
    let label = label.unwrap_or_default();
    let result = row.mapping.clone().and_then(|mapping| book.field(&mapping, columns, names));
    let said = contact.and_then(|contact| {
        contact.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(&label)).map(|(_, value)| value)
    });
    let same = contact.zip(row.mapping.as_ref().ok()).and_then(|(_, mapping)| {
        let theirs = convert::of_service(said, &mapping.kind, mapping.column_kind()?).ok()?;
        Some(result.as_ref().ok()? == &theirs)
    });
    Sample {
        mapping: row.record.at.id,
        label,
        kind,
        path: text.to_owned(),
        direction: book::rule(&row.record).direction,
        values,
        result,
        lossy: row.mapping.as_ref().ok().and_then(Mapping::lossy),
        there: said.filter(|value| **value != FieldValue::Clear).cloned(),
        same,
    }
}
