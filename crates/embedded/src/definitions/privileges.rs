//! The privileges of tables: `prvReadContact`. All activities share one set; parts of other rows have none of their own.

use postroom_core::metadata::{PrivilegeInfo, PrivilegeKind};

use super::id;
use crate::schema::{Ownership, Table};

/// Tables whose privileges bear another name than theirs.
const NAMED: &[(&str, &str)] = &[
    ("activitymimeattachment", "Activity"),
    ("attachment", "Activity"),
    ("annotation", "Note"),
    ("savedquery", "Query"),
    ("salesorder", "Order"),
    ("systemuser", "User"),
    ("template", "EmailTemplate"),
];
/// Rows that come under the privileges of the rows they belong to.
const PARTS: &[&str] = &[
    "activityparty",
    "campaignitem",
    "fieldpermission",
    "listmember",
    "owner",
    "principalobjectaccess",
    "privilege",
    "roleprivileges",
    "systemuserprofiles",
    "systemuserroles",
    "teammembership",
    "teamprofiles",
    "teamroles",
];
/// Tables of the business units: they know levels though no row has an owner.
const LEVELLED: &[&str] = &["businessunit", "role", "systemuser", "team", "usersettings"];

const KINDS: &[(PrivilegeKind, &str)] = &[
    (PrivilegeKind::Create, "Create"),
    (PrivilegeKind::Read, "Read"),
    (PrivilegeKind::Write, "Write"),
    (PrivilegeKind::Delete, "Delete"),
    (PrivilegeKind::Append, "Append"),
    (PrivilegeKind::AppendTo, "AppendTo"),
    (PrivilegeKind::Assign, "Assign"),
    (PrivilegeKind::Share, "Share"),
];

pub(super) fn of(table: &Table, schema_name: &str) -> Vec<PrivilegeInfo> {
    if PARTS.contains(&table.name.as_str()) || table.intersect.is_some() {
        return Vec::new();
    }
    let named = NAMED.iter().find(|(name, _)| *name == table.name).map(|(_, name)| *name);
    let noun = if table.activity { "Activity" } else { named.unwrap_or(schema_name) };
    let owned = table.ownership == Ownership::User || table.activity;
    let kinds = KINDS
        .iter()
        .filter(|(kind, _)| owned || !matches!(kind, PrivilegeKind::Assign | PrivilegeKind::Share));
    let privilege = |(kind, verb): &(PrivilegeKind, &str)| {
        let name = format!("prv{verb}{noun}");
        let levels = owned || LEVELLED.contains(&table.name.as_str());
        PrivilegeInfo { id: id("privilege", &name), name, kind: *kind, levels }
    };
    kinds.map(privilege).collect()
}
