//! Column security: columns that only members of a profile see or write. Source: dataverse.md G.
//!
//! A column is secured when its definition or a field permission says so.

use std::collections::{BTreeMap, BTreeSet};

use super::{AccessError, Caller};
use crate::schema::Table;

/// What somebody may do with one secured column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Permission {
    pub read: bool,
    pub create: bool,
    pub update: bool,
}

impl Permission {
    /// Several profiles add up.
    pub(super) fn or(self, other: Permission) -> Permission {
        Permission {
            read: self.read || other.read,
            create: self.create || other.create,
            update: self.update || other.update,
        }
    }

    fn and(self, other: Permission) -> Permission {
        Permission {
            read: self.read && other.read,
            create: self.create && other.create,
            update: self.update && other.update,
        }
    }
}

/// The secured columns with what the caller may do with each: table, column.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ColumnRights(pub BTreeMap<(String, String), Permission>);

impl ColumnRights {
    /// Only what both may.
    pub(super) fn and(self, other: &ColumnRights) -> ColumnRights {
        let both = |(name, mine): ((String, String), Permission)| {
            let theirs = other.0.get(&name).copied().unwrap_or_default();
            (name, mine.and(theirs))
        };
        ColumnRights(self.0.into_iter().map(both).collect())
    }
}

/// The columns of one table that the caller may not use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secured {
    /// Come back null, and may not be filtered or ordered by.
    pub hidden: BTreeSet<String>,
    /// May not be given to a new row.
    pub not_created: BTreeSet<String>,
    /// May not be changed.
    pub not_updated: BTreeSet<String>,
}

/// Columns whose change takes a privilege of its own.
const PRIVILEGED: &[(&str, &str, &str)] = &[
    ("businessunit", "parentbusinessunitid", "prvReparentBusinessUnit"),
    ("systemuser", "businessunitid", "prvReparentUser"),
    ("systemuser", "isdisabled", "prvDisableUser"),
    ("team", "businessunitid", "prvReparentTeam"),
];

impl Caller {
    pub fn secured(&self, table: &Table) -> Secured {
        let mut secured = Secured::default();
        if self.administrates() {
            return secured;
        }
        for column in &table.columns {
            let known = self.columns.0.get(&(table.name.clone(), column.name.clone())).copied();
            let Some(may) = known.or(column.secured.then(Permission::default)) else { continue };
            let mut note = |allowed: bool, list: fn(&mut Secured) -> &mut BTreeSet<String>| {
                if !allowed {
                    list(&mut secured).insert(column.name.clone());
                }
            };
            note(may.read, |secured| &mut secured.hidden);
            note(may.create, |secured| &mut secured.not_created);
            note(may.update, |secured| &mut secured.not_updated);
        }
        secured
    }

    /// The columns that a new row (`create`) or a change names.
    pub fn check_columns<'a>(
        &self,
        table: &Table,
        columns: impl IntoIterator<Item = &'a str>,
        create: bool,
    ) -> Result<(), AccessError> {
        let secured = self.secured(table);
        let refused = if create { &secured.not_created } else { &secured.not_updated };
        for column in columns {
            if refused.contains(column) {
                let (table, column) = (table.name.clone(), column.to_owned());
                return Err(AccessError::Column { table, column, create });
            }
            let takes = PRIVILEGED.iter().find(|(of, name, _)| *of == table.name && *name == column);
            if let Some((_, _, privilege)) = takes.filter(|_| !create) {
                self.check_misc(privilege)?;
            }
        }
        Ok(())
    }
}
