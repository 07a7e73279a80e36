//! Records by what people call them: names for ids, and ids for names.

use postroom_core::query::{Comparison, Filter};
use postroom_core::{Code, Fault, Query, RecordRef, Value};
use serde::Serialize;
use uuid::Uuid;

use crate::records::primary_key;
use crate::{Actor, Operations, Permission};

/// Tables that mail is filed at, each with the column that names a row and others that say which one it is.
const NAMES: [(&str, &str, &[&str]); 10] = [
    ("incident", "title", &["ticketnumber"]),
    ("opportunity", "name", &[]),
    ("contact", "fullname", &["emailaddress1"]),
    ("lead", "fullname", &["emailaddress1", "companyname"]),
    ("account", "name", &["emailaddress1"]),
    ("quote", "name", &["quotenumber"]),
    ("salesorder", "name", &["ordernumber"]),
    ("invoice", "name", &["invoicenumber"]),
    ("campaign", "name", &["codename"]),
    ("email", "subject", &[]),
];

/// Rows of one table that a search answers.
const OF_TABLE: u64 = 5;
/// Words of a search that are looked at.
const WORDS: usize = 8;

/// A record with what people call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    pub record: RecordRef,
    /// Empty when it has none.
    pub name: String,
    /// A number or an address, to tell it from others of the same name.
    pub more: String,
}

impl Operations {
    /// Records whose name, number or address has each word of `text` in it, a few of each table that mail is filed at; for
    /// `TABLE/GUID` that record.
    pub async fn find_records(&self, actor: &Actor, text: &str) -> Result<Vec<Named>, Fault> {
        actor.needs(Permission::Read)?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        if let Ok(record) = text.parse::<RecordRef>() {
            return self.named(vec![record]).await;
        }
        let tables = &self.rules().tables;
        let mut found = Vec::new();
        for (table, name, more) in
            NAMES.iter().filter(|(table, ..)| tables.iter().any(|known| known == table))
        {
            let holds = |word: &str| {
                let columns = std::iter::once(name).chain(more.iter());
                let contains = |column: &&str| {
                    Filter::Compare((*column).to_owned(), Comparison::Contains, Value::text(word))
                };
                Filter::Any(columns.map(contains).collect())
            };
            let filter = Filter::All(text.split_whitespace().take(WORDS).map(holds).collect());
            found.extend(self.rows_named(table, name, more, filter, Some(OF_TABLE)).await?);
        }
        Ok(found)
    }

    /// These records with their names, in the same order. One that the CRM does not have is left out.
    pub(crate) async fn named(&self, records: Vec<RecordRef>) -> Result<Vec<Named>, Fault> {
        let mut tables: Vec<&str> = records.iter().map(|record| record.table.as_str()).collect();
        tables.sort_unstable();
        tables.dedup();
        let mut found = Vec::new();
        for table in tables {
            let of_table = records.iter().filter(|record| record.table == table);
            let ids: Vec<Uuid> = of_table.map(|record| record.id).collect();
            match NAMES.iter().find(|(known, ..)| *known == table) {
                Some((table, name, more)) => {
                    let filter = Filter::In(primary_key(table), ids.into_iter().map(Value::from).collect());
                    found.extend(self.rows_named(table, name, more, filter, None).await?);
                }
                // A table of the organisation's own: its rows are there or not, and have no name that we know.
                None => {
                    let rows = self.0.crm.find(&[table], &ids).await?;
                    let bare = |at| Named { record: at, name: String::new(), more: String::new() };
                    found.extend(rows.into_iter().map(|row| bare(row.at)));
                }
            }
        }
        let place = |named: &Named| records.iter().position(|record| *record == named.record);
        found.sort_by_key(place);
        Ok(found)
    }

    async fn rows_named(
        &self,
        table: &str,
        name: &str,
        more: &[&str],
        filter: Filter,
        most: Option<u64>,
    ) -> Result<Vec<Named>, Fault> {
        let columns: Vec<&str> = std::iter::once(name).chain(more.iter().copied()).collect();
        let query =
            Query { top: most, ..Query::of(table).select(&columns).filter(filter).order_by(name, false) };
        let rows = match self.0.crm.query(&query).await {
            // An organisation may lack a table or a column; the others are searched all the same.
            Err(fault) if fault.code == Code::CRM_UNKNOWN_COLUMN => return Ok(Vec::new()),
            rows => rows?,
        };
        let text = |column: &str, row: &postroom_core::Record| {
            row.text(column).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let named = |row: &postroom_core::Record| Named {
            record: row.at.clone(),
            name: text(name, row).unwrap_or_default(),
            more: more.iter().find_map(|column| text(column, row)).unwrap_or_default(),
        };
        Ok(rows.iter().map(named).collect())
    }
}
