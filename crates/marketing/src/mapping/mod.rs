//! Which columns of the CRM go with which data labels (`esc_emaildatamapping`, kept by users in the CRM).
//!
//! # Design
//!
//! * [`path`]: where a label's value comes from; [`valid`]: whether the CRM's definitions and the label's type allow it.
//! * [`book`]: an account's mappings as a run uses them: read once, checked, applied to records. Rows that lookups name are
//!   read as they are when a record is sent; a row that is renamed later is sent with the record's next change.
//! * [`edit`]: mappings listed, set and removed by people outside the CRM, checked before they are written.
//! * [`labels`]: the flow that keeps data labels in step both ways, fills `esc_crmfield` ([`crm_fields`]), and marks mappings
//!   that cannot be used. [`sample`] shows one record as it would be sent, beside what the service has.
//!
//! A changed mapping changes the book's fingerprint, and everybody is looked at again; who would be sent as before is not sent.

pub mod book;
pub mod crm_fields;
pub mod edit;
pub mod labels;
pub mod path;
pub mod sample;
pub mod valid;

use std::collections::{BTreeMap, BTreeSet};

use postroom_core::{Fault, Query};

use crate::engine::Engine;
use crate::people::TABLES;
use crate::solution::options::Set;

impl Engine {
    /// The columns of contacts, leads and accounts that some account maps, by table.
    pub(crate) async fn mapped_columns(&self) -> Result<BTreeMap<&'static str, BTreeSet<String>>, Fault> {
        let query = Query::of("esc_emaildatamapping").select(&["esc_entitytype", "esc_fieldpath"]);
        let mut columns: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
        for row in self.crm.query(&query).await? {
            let label = row.int("esc_entitytype").and_then(|value| i32::try_from(value).ok());
            let label = label.and_then(|value| Set::RecordType.option(value)).unwrap_or_default();
            let Some(table) = TABLES.into_iter().find(|table| table.eq_ignore_ascii_case(label)) else {
                continue;
            };
            let own = columns.entry(table).or_default();
            let path = path::Path::read(row.text("esc_fieldpath").unwrap_or_default());
            own.extend(path.iter().flat_map(path::Path::parts).map(|part| part.column.clone()));
        }
        Ok(columns)
    }
}
