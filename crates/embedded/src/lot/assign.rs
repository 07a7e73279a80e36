//! A row that gets another owner, and the rows that follow it there: those below it by relationships whose `Assign` says so.

use std::collections::HashSet;

use postroom_core::metadata::{CascadeType, PrivilegeKind};
use postroom_core::{RecordRef, Value};

use super::descend::MOST;
use super::{Key, Lot};
use crate::failure::Failure;
use crate::rules::Refusal;
use crate::rules::defaults::Draft;

impl Lot {
    /// Gives the rows below `root` its new owner; `from` is the one it had.
    pub(super) fn assign_below(&mut self, root: Key, from: &Value) -> Result<(), Failure> {
        let Some(kin) = self.kin.clone() else { return Ok(()) };
        let owner = self.rows[&root].fields.named(self.schema.at(root.0), "ownerid").cloned();
        let Some(owner) = owner else { return Ok(()) };
        if self.overflow {
            let at = RecordRef::new(self.schema.at(root.0).name.clone(), root.1);
            return Err(Refusal::Family { at, most: MOST }.into());
        }
        let mut seen = HashSet::from([root]);
        let mut moving = vec![root];
        while let Some(parent) = moving.pop() {
            let ties = kin.ties(parent.0).iter().filter(|tie| tie.cascade.assign != CascadeType::NoCascade);
            for tie in ties {
                for child in self.naming(parent, (tie.child, tie.column)) {
                    let table = self.table(child);
                    let follows = tie.takes(tie.cascade.assign, &table, &self.rows[&child].fields, from);
                    if follows && seen.insert(child) {
                        self.assign_one(child, &owner)?;
                        moving.push(child);
                    }
                }
            }
        }
        Ok(())
    }

    fn assign_one(&mut self, key: Key, owner: &Value) -> Result<(), Failure> {
        let table = self.table(key);
        let Some(place) = table.place("ownerid") else { return Ok(()) };
        let mut fields = self.rows[&key].fields.clone();
        if fields.get(place) == Some(owner) {
            return Ok(());
        }
        self.allowed(PrivilegeKind::Assign, key)?;
        fields.set(place, owner.clone());
        let facts = |at: &RecordRef| self.facts(at);
        let (now, acting) = (self.writer.now, self.writer.acting);
        let mut draft = Draft { table: &table, id: key.1, fields: &mut fields, now, acting, facts };
        draft.owner_changed();
        draft.modified();
        self.store_changes(key, fields);
        self.platform_parties(key);
        Ok(())
    }
}
