//! A row that goes, with the rows that are parts of it.

use postroom_core::{Outcome, RecordRef};

use super::{Key, Lot, Phase};
use crate::rules::Refusal;

/// Rows that go with the row they belong to: table, the lookup that names the parent.
pub(super) const PARTS: &[(&str, &str)] = &[
    ("activityparty", "activityid"),
    ("activitymimeattachment", "objectid"),
    ("queueitem", "objectid"),
    ("queueitem", "queueid"),
    ("annotation", "objectid"),
    ("listmember", "listid"),
    ("listmember", "entityid"),
];

impl Lot {
    pub(super) fn delete(&mut self, at: &RecordRef) -> Result<Outcome, Refusal> {
        let key = self.key(at)?;
        // A repeat is success.
        let Some(entry) = self.rows.get(&key).filter(|entry| entry.phase != Phase::Gone) else {
            return Ok(Outcome::Unchanged);
        };
        let table = self.table(key);
        if let Some(mail) = self.attached_to(&table, &entry.fields) {
            let mail = self.key(&mail)?;
            self.count(mail, -1);
        }
        self.remove(key);
        for part in self.parts(at) {
            self.remove(part);
        }
        Ok(Outcome::Deleted)
    }

    /// The rows of this lot that are parts of `at`; stored ones go by a statement at the end.
    fn parts(&self, at: &RecordRef) -> Vec<Key> {
        let is_part = |key: &Key| {
            let table = self.schema.at(key.0);
            let names_it = |column: &str| self.rows[key].fields.lookup(table, column) == Some(at);
            PARTS.iter().any(|(part, column)| *part == table.name && names_it(column))
        };
        self.rows.keys().filter(|key| self.rows[key].phase != Phase::Gone && is_part(key)).copied().collect()
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.touch(key).phase = Phase::Gone;
    }
}
