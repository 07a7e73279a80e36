//! What can be granted: eight privileges a table, shared by all activities, and the miscellaneous ones.
//!
//! Names as the platform has them (`prv` + kind + schema name, with its own words for some tables); ids are UUIDv5 of the
//! name, so every database has the same. Source: dataverse.md G.

use std::collections::HashSet;

use postroom_core::metadata::{PrivilegeInfo, PrivilegeKind};
use uuid::Uuid;

use super::govern::{Governed, governed};
use crate::definitions;
use crate::definitions::tables::{is_custom, schema_name};
use crate::schema::{Schema, Table};

/// How far a privilege reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    #[default]
    None,
    /// The principal's own rows.
    Basic,
    /// Rows of the principal's business unit.
    Local,
    /// Rows of that unit and all below it.
    Deep,
    /// Every row.
    Global,
}

impl Level {
    pub const ALL: [Level; 5] = [Level::None, Level::Basic, Level::Local, Level::Deep, Level::Global];

    /// `roleprivileges.privilegedepthmask`.
    pub fn mask(self) -> i64 {
        match self {
            Level::None => 0,
            Level::Basic => 1,
            Level::Local => 2,
            Level::Deep => 4,
            Level::Global => 8,
        }
    }

    /// The deepest level in a mask.
    pub fn of_mask(mask: i64) -> Level {
        Level::ALL.into_iter().rev().find(|level| mask & level.mask() != 0).unwrap_or_default()
    }

    /// `PrivilegeDepth`, as the Web API and SOAP write it.
    pub fn name(self) -> &'static str {
        match self {
            Level::None => "None",
            Level::Basic => "Basic",
            Level::Local => "Local",
            Level::Deep => "Deep",
            Level::Global => "Global",
        }
    }

    pub fn of_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// What a privilege is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Rows of a table that an owner has.
    Owned,
    /// Rows of a table that business units have.
    Units,
    /// Rows of a table that the organisation has.
    Organization,
    /// Rows of a table made at run time.
    Custom,
    /// Definitions and solutions.
    Customizing,
    /// Anything else.
    Miscellaneous,
}

/// One privilege.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privilege {
    pub id: Uuid,
    pub name: String,
    /// `None` for the miscellaneous ones.
    pub kind: Option<PrivilegeKind>,
    /// The table's part of the name: `Contact`.
    pub noun: String,
    pub subject: Subject,
    /// Whether it knows levels between none and Global.
    pub levels: bool,
}

/// The kinds in the platform's order.
pub const KINDS: [PrivilegeKind; 8] = [
    PrivilegeKind::Create,
    PrivilegeKind::Read,
    PrivilegeKind::Write,
    PrivilegeKind::Delete,
    PrivilegeKind::Append,
    PrivilegeKind::AppendTo,
    PrivilegeKind::Assign,
    PrivilegeKind::Share,
];

/// Privileges over no table, and whether they are about customizing.
const MISCELLANEOUS: &[(&str, bool)] = &[
    ("prvActOnBehalfOfAnotherUser", false),
    ("prvApproveRejectEmailAddress", false),
    ("prvAssignRole", false),
    ("prvBulkDelete", false),
    ("prvBulkEmail", false),
    ("prvBypassCustomBusinessLogic", false),
    ("prvBypassCustomPlugins", false),
    ("prvDisableUser", false),
    ("prvExportToExcel", false),
    ("prvMerge", false),
    ("prvReparentBusinessUnit", false),
    ("prvReparentTeam", false),
    ("prvReparentUser", false),
    ("prvSendAsUser", false),
    ("prvCreateAttribute", true),
    ("prvCreateEntity", true),
    ("prvCreateOptionSet", true),
    ("prvCreateRelationship", true),
    ("prvDeleteAttribute", true),
    ("prvDeleteEntity", true),
    ("prvDeleteOptionSet", true),
    ("prvDeleteRelationship", true),
    ("prvExportCustomization", true),
    ("prvImportCustomization", true),
    ("prvPublishCustomization", true),
    ("prvReadAttribute", true),
    ("prvReadEntity", true),
    ("prvReadOptionSet", true),
    ("prvReadRelationship", true),
    ("prvWriteAttribute", true),
    ("prvWriteEntity", true),
    ("prvWriteOptionSet", true),
    ("prvWriteRelationship", true),
];

/// Tables whose privileges bear another name than theirs.
const NOUNS: &[(&str, &str)] = &[
    ("annotation", "Note"),
    ("salesorder", "Order"),
    ("savedquery", "Query"),
    ("systemuser", "User"),
    ("template", "EmailTemplate"),
];

/// The table's part of a privilege's name.
pub fn noun(table: &Table) -> String {
    if table.activity {
        return "Activity".into();
    }
    let own = NOUNS.iter().find(|(name, _)| *name == table.name);
    own.map_or_else(|| schema_name(table), |(_, noun)| (*noun).to_owned())
}

/// A privilege's id: fixed by its name.
pub fn id_of(name: &str) -> Uuid {
    definitions::id("privilege", name)
}

/// The privilege of one kind over a table that has its own; `None` for a table that another one decides over, and for a
/// kind that it does not know.
pub fn of(kind: PrivilegeKind, table: &Table) -> Option<Privilege> {
    let subject = match governed(table) {
        Governed::Owner => Subject::Owned,
        Governed::Unit => Subject::Units,
        Governed::Organization => Subject::Organization,
        Governed::Parents(_) | Governed::Open | Governed::Closed => return None,
    };
    let owner_only = matches!(kind, PrivilegeKind::Assign | PrivilegeKind::Share);
    if owner_only && subject != Subject::Owned {
        return None;
    }
    let noun = noun(table);
    let name = format!("prv{}{noun}", kind.name());
    let levels = subject != Subject::Organization;
    let subject = if is_custom(table) { Subject::Custom } else { subject };
    Some(Privilege { id: id_of(&name), name, kind: Some(kind), noun, subject, levels })
}

/// A miscellaneous privilege by its name.
pub fn miscellaneous(name: &str) -> Option<Privilege> {
    let (name, customizing) = MISCELLANEOUS.iter().find(|(known, _)| *known == name)?;
    let subject = if *customizing { Subject::Customizing } else { Subject::Miscellaneous };
    let (name, noun) = ((*name).to_owned(), String::new());
    Some(Privilege { id: id_of(&name), name, kind: None, noun, subject, levels: false })
}

/// What `EntityMetadata.Privileges` says of a table.
pub fn of_table(table: &Table) -> Vec<PrivilegeInfo> {
    let info = |kind| {
        let privilege = of(kind, table)?;
        Some(PrivilegeInfo { id: privilege.id, name: privilege.name, kind, levels: privilege.levels })
    };
    KINDS.into_iter().filter_map(info).collect()
}

/// Every privilege that there is, each once.
pub fn all(schema: &Schema) -> Vec<Privilege> {
    let mut seen = HashSet::new();
    let of_tables = schema.tables().flat_map(|table| KINDS.into_iter().filter_map(|kind| of(kind, table)));
    let others = MISCELLANEOUS.iter().filter_map(|(name, _)| miscellaneous(name));
    of_tables.chain(others).filter(|privilege| seen.insert(privilege.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Column;

    #[track_caller]
    fn check(table: &str, expected: &[&str]) {
        let schema = Schema::new(1, Schema::standard());
        let names: Vec<String> =
            of_table(schema.table(table).unwrap()).into_iter().map(|info| info.name).collect();
        for name in expected {
            assert!(names.iter().any(|have| have == name), "{table}: {names:?}");
        }
        assert_eq!(names.is_empty(), expected.is_empty(), "{table}: {names:?}");
    }

    #[test]
    fn names_of_the_platform() {
        check("contact", &["prvReadContact", "prvAppendToContact", "prvAssignContact", "prvShareContact"]);
        check("email", &["prvReadActivity", "prvCreateActivity"]);
        check("campaignresponse", &["prvReadActivity"]);
        check("systemuser", &["prvReadUser"]);
        check("annotation", &["prvReadNote"]);
        check("salesorder", &["prvReadOrder"]);
        check("organization", &["prvReadOrganization"]);
        check("activityparty", &[]);
        check("privilege", &[]);
    }

    #[test]
    fn custom_tables_have_theirs() {
        let table = Table::custom("new_send", vec![Column::text("new_name", 10)]);
        let read = of(PrivilegeKind::Read, &table).unwrap();
        assert_eq!((read.name.as_str(), read.subject), ("prvReadnew_send", Subject::Custom));
    }

    #[test]
    fn each_stands_once_in_the_list() {
        let schema = Schema::new(1, Schema::standard());
        let names: Vec<String> = all(&schema).into_iter().map(|privilege| privilege.name).collect();
        assert_eq!(names.iter().filter(|name| *name == "prvReadActivity").count(), 1);
        let distinct: HashSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn levels_and_masks() {
        for level in Level::ALL {
            assert_eq!(Level::of_mask(level.mask()), level);
            assert_eq!(Level::of_name(level.name()), Some(level));
        }
        assert_eq!(Level::of_mask(1 | 4), Level::Deep);
    }
}
