//! What decides over the rows of a table.
//!
//! Rows without an owner and without privileges of their own are parts of another row and are reached through it: who may
//! read a mail may read its parties and attachments. A row filter joins to the parent ([`Parent`]) instead of asking for
//! the parent's privilege alone, because the privilege says nothing about *this* mail.

use postroom_core::metadata::PrivilegeKind;

use crate::schema::{Ownership, Table};

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Governed {
    /// `ownerid`, `owningbusinessunit` and shares.
    Owner,
    /// A business unit: users, teams, roles, the units themselves.
    Unit,
    /// The organisation: all rows or none.
    Organization,
    /// Any of these rows.
    Parents(&'static [Parent]),
    /// Everybody reads it; only System Administrators write it.
    Open,
    /// System Administrators only.
    Closed,
}

/// A row that decides over another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Parent {
    /// The column of the child that names it.
    pub column: &'static str,
    /// Its table; `activitypointer` is all activities.
    pub table: &'static str,
    /// What a change to the child needs there.
    pub need: Need,
}

/// What a change to a child needs on its parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Need {
    /// The child is content of the parent.
    Write,
    /// The child hangs a third row on the parent.
    AppendTo,
    /// Made by messages only, or by System Administrators.
    Message,
}

impl Parent {
    /// What `kind` on the child means on the parent; `None` is for System Administrators only.
    pub(super) fn needs(&self, kind: PrivilegeKind) -> Option<PrivilegeKind> {
        match (kind, self.need) {
            (PrivilegeKind::Read, _) => Some(PrivilegeKind::Read),
            (_, Need::Write) => Some(PrivilegeKind::Write),
            (_, Need::AppendTo) => Some(PrivilegeKind::AppendTo),
            (_, Need::Message) => None,
        }
    }
}

const fn parent(column: &'static str, table: &'static str, need: Need) -> Parent {
    Parent { column, table, need }
}

/// The tables that other rows decide over.
const CHILDREN: &[(&str, &[Parent])] = &[
    ("activityparty", &[parent("activityid", "activitypointer", Need::Write)]),
    (
        "activitymimeattachment",
        &[parent("objectid", "activitypointer", Need::Write), parent("objectid", "template", Need::Write)],
    ),
    // Working on a queue is not changing the queue.
    ("queueitem", &[parent("queueid", "queue", Need::AppendTo)]),
    // RemoveMemberList asks for prvAppendToList and prvReadList (protocol annex 8.1).
    ("listmember", &[parent("listid", "list", Need::AppendTo)]),
    ("campaignitem", &[parent("campaignid", "campaign", Need::AppendTo)]),
    ("usersettings", &[parent("systemuserid", "systemuser", Need::Write)]),
    ("solutioncomponent", &[parent("solutionid", "solution", Need::Message)]),
    ("appmodulecomponent", &[parent("appmoduleidunique", "appmodule", Need::Message)]),
    ("appmoduleroles", &[parent("appmoduleid", "appmodule", Need::Message)]),
    ("fieldpermission", &[parent("fieldsecurityprofileid", "fieldsecurityprofile", Need::Message)]),
    ("roleprivileges", &[parent("roleid", "role", Need::Message)]),
    ("systemuserroles", &[parent("systemuserid", "systemuser", Need::Message)]),
    ("teamroles", &[parent("teamid", "team", Need::Message)]),
    ("teammembership", &[parent("teamid", "team", Need::Message)]),
    ("systemuserprofiles", &[parent("fieldsecurityprofileid", "fieldsecurityprofile", Need::Message)]),
    ("teamprofiles", &[parent("fieldsecurityprofileid", "fieldsecurityprofile", Need::Message)]),
];

/// Who owns a row is shown with the row; what privileges and messages exist is no secret.
const OPEN: &[&str] = &["owner", "privilege", "sdkmessage", "sdkmessagefilter"];
/// The bytes of attachments are read through activitymimeattachment, shares through the messages.
const CLOSED: &[&str] = &["attachment", "principalobjectaccess"];
const UNITS: &[&str] = &["businessunit", "role", "systemuser", "team"];

pub(super) fn governed(table: &Table) -> Governed {
    let name = table.name.as_str();
    if let Some((_, parents)) = CHILDREN.iter().find(|(child, _)| *child == name) {
        return Governed::Parents(parents);
    }
    match table.ownership {
        _ if OPEN.contains(&name) => Governed::Open,
        _ if CLOSED.contains(&name) => Governed::Closed,
        _ if UNITS.contains(&name) => Governed::Unit,
        Ownership::User => Governed::Owner,
        // Pairs of ids: the doors check both rows that they tie together.
        _ if table.intersect.is_some() => Governed::Open,
        Ownership::None | Ownership::Organization => Governed::Organization,
    }
}

/// The lookups that name the row which a row of this table is a part of; none for a table that decides itself.
pub(crate) fn parents(table: &Table) -> Vec<&'static str> {
    match governed(table) {
        Governed::Parents(parents) => parents.iter().map(|parent| parent.column).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn parents_are_there_and_decide_themselves() {
        let schema = Schema::new(1, Schema::standard());
        for (child, parents) in CHILDREN {
            for parent in *parents {
                let table = schema.table(parent.table).unwrap();
                assert!(!matches!(governed(table), Governed::Parents(_)), "{child}");
                if let Ok(child) = schema.table(child) {
                    assert!(child.column(parent.column).is_some(), "{}.{}", child.name, parent.column);
                }
            }
        }
    }

    #[test]
    fn owned_tables_say_who_owns_a_row() {
        let schema = Schema::new(1, Schema::standard());
        for table in schema.tables() {
            let columns: &[&str] = match governed(table) {
                Governed::Owner => &["ownerid", "owningbusinessunit"],
                Governed::Unit => &["businessunitid"],
                _ => &[],
            };
            for column in columns {
                assert!(table.column(column).is_some(), "{}.{column}", table.name);
            }
            assert!(!table.activity || governed(table) == Governed::Owner, "{}", table.name);
        }
    }
}
