//! What a lot speaks of: the rows to change, with the columns that matter, and the rows that are only named.

use std::collections::{BTreeSet, HashMap};

use postroom_core::{Change, ChangeSet, Record, RecordRef, Value};
use uuid::Uuid;

use super::parties::{OWNER, REGARDING, party_id};
use crate::rules::defaults::main_address;
use crate::schema::{Schema, Table};

/// Columns that rules look at or empty when a row changes, where the table has them. What a rule may empty must be read
/// first, or emptying it would not show as a change.
const RULES: &[&str] = &[
    "statecode",
    "statuscode",
    "ownerid",
    "owninguser",
    "owningteam",
    "owningbusinessunit",
    "businessunitid",
    "firstname",
    "lastname",
    "fullname",
    "regardingobjectid",
    "actualend",
    "senton",
    "objectid",
    "partyid",
    "participationtypemask",
    "filesize",
    "versionnumber",
];

/// Rows to read, by table.
#[derive(Default)]
pub(super) struct Wanted {
    /// Rows of which only existence and a few facts matter.
    pub known: HashMap<usize, BTreeSet<Uuid>>,
    /// Rows that may change, with the columns to read.
    pub rows: HashMap<usize, (BTreeSet<Uuid>, BTreeSet<usize>)>,
}

pub(super) fn gather(schema: &Schema, acting: Uuid, sets: &[ChangeSet]) -> Wanted {
    let mut wanted = Wanted::default();
    wanted.name(schema, &RecordRef::new("systemuser", acting));
    for change in sets.iter().flat_map(|set| &set.changes) {
        match change {
            Change::Create(record) | Change::CreateNew(record) => {
                wanted.name(schema, &record.at);
                wanted.lookups(schema, record);
            }
            Change::Update(record) | Change::UpdateIf(record, _) | Change::Upsert(record) => {
                wanted.change(schema, record);
                wanted.lookups(schema, record);
            }
            Change::Delete(at) | Change::DeleteIf(at, _) => wanted.row(schema, at, |_| false),
        }
    }
    wanted
}

impl Wanted {
    fn name(&mut self, schema: &Schema, at: &RecordRef) {
        if at.table == "activitypointer" {
            for (place, _) in schema.activities() {
                self.known.entry(place).or_default().insert(at.id);
            }
        } else if let Some(place) = schema.find(&at.table) {
            self.known.entry(place).or_default().insert(at.id);
        }
    }

    fn lookups(&mut self, schema: &Schema, record: &Record) {
        let Some(place) = schema.find(&record.at.table) else { return };
        let table = schema.at(place);
        for (name, value) in &record.columns {
            match value {
                Value::Lookup(at) => self.name(schema, at),
                Value::Guid(id) => {
                    let only = table.column(name).and_then(|column| column.targets.only());
                    if let Some(target) = only {
                        self.name(schema, &RecordRef::new(target, *id));
                    }
                }
                _ => {}
            }
        }
    }

    fn change(&mut self, schema: &Schema, record: &Record) {
        let named = |column: &str| record.columns.iter().any(|(name, _)| name == column);
        self.row(schema, &record.at, named);
        let Some(place) = schema.find(&record.at.table) else { return };
        if schema.at(place).activity {
            // The rows that follow the regarding record and the owner.
            for mask in [REGARDING, OWNER] {
                self.row(schema, &RecordRef::new("activityparty", party_id(record.at.id, mask)), |_| false);
            }
        }
    }

    fn row(&mut self, schema: &Schema, at: &RecordRef, named: impl Fn(&str) -> bool) {
        let Some(place) = schema.find(&at.table) else { return };
        let (ids, columns) = self.rows.entry(place).or_default();
        ids.insert(at.id);
        let table = schema.at(place);
        let wanted = |name: &str| watched(table, name) || named(name);
        let places =
            table.columns.iter().enumerate().filter(|(_, column)| wanted(&column.name)).map(|(at, _)| at);
        columns.extend(places);
    }
}

/// The places of the columns that rules look at.
pub(super) fn watched_places(table: &Table) -> Vec<usize> {
    let watched = table.columns.iter().enumerate().filter(|(_, column)| watched(table, &column.name));
    watched.map(|(place, _)| place).collect()
}

fn watched(table: &Table, column: &str) -> bool {
    RULES.contains(&column)
        || main_address(&table.name) == Some(column)
        || table.primary_name.as_deref() == Some(column)
        || table.keys.iter().any(|key| key.columns.iter().any(|name| name == column))
}
