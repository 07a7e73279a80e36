//! A row that goes, with what hangs on it: `Cascade` takes the children along, with their own; `RemoveLink` lets go of them;
//! `Restrict` keeps the row as long as a child is left. Parts go without a word.
//!
//! The rows that follow were loaded before ([`super::descend`]); links and parts in the database are dealt with by
//! statements at the end ([`super::unlink`]), here only those that this lot knows.

use postroom_core::metadata::{CascadeType, PrivilegeKind};
use postroom_core::{Outcome, RecordRef, Value};

use super::descend::MOST;
use super::kin::{Kin, Tie, is_party};
use super::{Key, Lot, Phase};
use crate::failure::Failure;
use crate::rules::Refusal;

impl Lot {
    pub(super) fn delete(&mut self, at: &RecordRef) -> Result<Outcome, Failure> {
        let key = self.key(at)?;
        // A repeat is success.
        if !self.is_there(key) {
            return Ok(Outcome::Unchanged);
        }
        if self.overflow {
            return Err(Refusal::Family { at: at.clone(), most: MOST }.into());
        }
        let kin = self.kin.clone().expect("a lot that deletes knows what hangs on its rows");
        let mut going = vec![key];
        let mut gone: Vec<Key> = Vec::new();
        while let Some(key) = self.next(&mut going) {
            if !gone.is_empty() {
                self.allowed(PrivilegeKind::Delete, key)?;
            }
            self.uncount(key)?;
            self.remove(key);
            gone.push(key);
            self.remove_parts(&kin, key);
            for tie in kin.ties(key.0) {
                self.loosen(tie, key, &mut going);
            }
        }
        self.unrestricted(&kin, &gone)?;
        Ok(Outcome::Deleted)
    }

    /// The next row on the way that is still there: several ties may lead to one.
    fn next(&self, going: &mut Vec<Key>) -> Option<Key> {
        loop {
            let key = going.pop()?;
            if self.is_there(key) {
                return Some(key);
            }
        }
    }

    pub(super) fn is_there(&self, key: Key) -> bool {
        self.rows.get(&key).is_some_and(|entry| entry.phase != Phase::Gone)
    }

    /// One relationship of a row that went.
    fn loosen(&mut self, tie: &Tie, parent: Key, going: &mut Vec<Key>) {
        let column = (tie.child, tie.column);
        match tie.cascade.delete {
            CascadeType::Cascade => going.extend(self.naming(parent, column)),
            CascadeType::RemoveLink => {
                for child in self.naming(parent, column) {
                    self.set(child, tie.column, Value::Null);
                }
            }
            _ if is_party(&self.schema, tie) => {
                let place = self.schema.at(tie.child).place("ispartydeleted");
                for child in self.naming(parent, column) {
                    if let Some(place) = place {
                        self.set(child, place, Value::Bool(true));
                    }
                }
            }
            _ => {}
        }
    }

    /// Nobody is left who would not be without one of these.
    fn unrestricted(&self, kin: &Kin, gone: &[Key]) -> Result<(), Refusal> {
        for parent in gone {
            let ties = kin.ties(parent.0).iter().filter(|tie| tie.cascade.delete == CascadeType::Restrict);
            for tie in ties {
                if let Some(child) = self.naming(*parent, (tie.child, tie.column)).first() {
                    let at = |key: Key| RecordRef::new(self.schema.at(key.0).name.clone(), key.1);
                    return Err(Refusal::Restricted {
                        row: at(*parent),
                        by: at(*child),
                        relationship: tie.name.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// An attachment that goes is one less for its mail.
    fn uncount(&mut self, key: Key) -> Result<(), Refusal> {
        let table = self.table(key);
        if let Some(mail) = self.attached_to(&table, &self.rows[&key].fields) {
            let mail = self.key(&mail)?;
            self.count(mail, -1);
        }
        Ok(())
    }

    /// The rows of this lot that are parts of the row; stored ones go by a statement at the end.
    fn remove_parts(&mut self, kin: &Kin, parent: Key) {
        for part in kin.parts(parent.0) {
            for key in self.naming(parent, *part) {
                self.remove(key);
            }
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.touch(key).phase = Phase::Gone;
    }
}
