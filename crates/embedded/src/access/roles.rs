//! The roles that every database has from the start.
//!
//! *System Administrator* and *System Customizer* are computed here and never stored. The others are put down once, when
//! their role row is made; from then on they are the organisation's to change.

use postroom_core::metadata::PrivilegeKind::{self, *};
use uuid::{Uuid, uuid};

use super::privilege::{Level, Privilege, Subject};

/// Everything, everywhere.
pub const SYSTEM_ADMINISTRATOR: Uuid = uuid!("1f081023-409b-593f-8b09-9f9b53d05ee6");
/// All definitions, all of the tables made at run time, of other rows one's own.
pub const SYSTEM_CUSTOMIZER: Uuid = uuid!("b0881a37-89ca-5212-b3bd-a82fe873f8f6");
/// Sells: own rows, and reads what the unit has.
pub const SALESPERSON: Uuid = uuid!("12ca1991-6385-5794-85fd-9efb5d7abb2e");
/// Own rows and no more.
pub const BASIC_USER: Uuid = uuid!("f689c4b0-2d34-5cdf-a6ef-1e250fdf5066");
/// What postroom itself needs as a client.
pub const MAIL_SERVICE: Uuid = uuid!("8054a125-4ea2-51a5-86a3-f62b29312dcc");

/// One role as it is put down.
#[derive(Debug, Clone, Copy)]
pub struct Standard {
    pub id: Uuid,
    pub name: &'static str,
    /// The platform's own template, by which clients know the role.
    pub template: Option<Uuid>,
    rules: &'static [Rule],
}

/// These kinds over these tables at this level. The deepest rule that fits counts.
type Rule = (&'static [&'static str], &'static [PrivilegeKind], Level);

pub const STANDARD: [Standard; 5] = [
    Standard {
        id: SYSTEM_ADMINISTRATOR,
        name: "System Administrator",
        template: Some(uuid!("627090ff-40a3-4053-8790-584edc5be201")),
        rules: &[],
    },
    Standard {
        id: SYSTEM_CUSTOMIZER,
        name: "System Customizer",
        template: Some(uuid!("119f245c-3cc8-4b62-b31c-d1a046ced15d")),
        rules: &[],
    },
    Standard { id: SALESPERSON, name: "Salesperson", template: None, rules: SALES },
    Standard { id: BASIC_USER, name: "Basic User", template: None, rules: BASIC },
    Standard { id: MAIL_SERVICE, name: "postroom Mail Service", template: None, rules: MAIL },
];

const CHANGES: &[PrivilegeKind] = &[Create, Write, Delete, Append, Assign, Share];
const ALL: &[PrivilegeKind] = &[Create, Read, Write, Delete, Append, AppendTo, Assign, Share];
const SEES: &[PrivilegeKind] = &[Read, AppendTo];

/// What everybody refers to.
const REFERENCE: &[&str] = &[
    "BusinessUnit",
    "EmailTemplate",
    "Organization",
    "Publisher",
    "Query",
    "Queue",
    "Role",
    "Solution",
    "Team",
    "TransactionCurrency",
    "User",
];
/// Reading definitions: every client does it before anything else.
const DEFINITIONS: &[&str] =
    &["prvReadAttribute", "prvReadEntity", "prvReadOptionSet", "prvReadRelationship"];
const SELLING: &[&str] =
    &["Account", "Activity", "Connection", "Contact", "Lead", "Note", "Opportunity", "Order", "Quote"];
const PEOPLE: &[&str] = &["Account", "Contact", "Lead"];

const SALES: &[Rule] = &[
    (SELLING, CHANGES, Level::Basic),
    (SELLING, SEES, Level::Local),
    (&["Invoice", "Contract", "List", "UserQuery"], CHANGES, Level::Basic),
    (&["Invoice", "Contract", "List", "Incident", "Campaign"], SEES, Level::Local),
    (&["UserQuery", "Mailbox"], ALL, Level::Basic),
    (REFERENCE, SEES, Level::Global),
    (DEFINITIONS, &[], Level::Global),
    (&["prvBulkEmail", "prvExportToExcel", "prvMerge"], &[], Level::Global),
];

const BASIC: &[Rule] = &[
    (&["Account", "Activity", "Connection", "Contact", "Note", "UserQuery"], ALL, Level::Basic),
    (&["Mailbox"], SEES, Level::Basic),
    (REFERENCE, SEES, Level::Global),
    (DEFINITIONS, &[], Level::Global),
];

/// Dataverse.md G, the last point; Assign because mails belong to the users whose they are.
const MAIL: &[Rule] = &[
    (&["Activity"], &[Create, Read, Write, Append, AppendTo, Assign], Level::Global),
    (PEOPLE, &[Read, Write, AppendTo], Level::Global),
    (&["Campaign", "Contract", "Incident", "Invoice", "Opportunity", "Order", "Quote"], SEES, Level::Global),
    (&["List"], &[Read, Write, AppendTo], Level::Global),
    (&["Mailbox", "EmailServerProfile"], SEES, Level::Global),
    (REFERENCE, SEES, Level::Global),
    (DEFINITIONS, &[], Level::Global),
    (&["prvActOnBehalfOfAnotherUser", "prvSendAsUser", "prvBulkEmail"], &[], Level::Global),
];

/// Tables that a customizer works on.
const CUSTOMIZED: &[&str] = &[
    "AppModule",
    "EmailTemplate",
    "ImportJob",
    "Publisher",
    "Query",
    "SiteMap",
    "Solution",
    "SystemForm",
    "WebResource",
];

/// Whether a role is computed and cannot be changed.
pub fn is_fixed(role: Uuid) -> bool {
    [SYSTEM_ADMINISTRATOR, SYSTEM_CUSTOMIZER].contains(&role)
}

/// What a computed role gives; None for all others.
pub(super) fn computed(role: Uuid, privilege: &Privilege) -> Level {
    match role {
        SYSTEM_ADMINISTRATOR => Level::Global,
        SYSTEM_CUSTOMIZER => customizer(privilege),
        _ => Level::None,
    }
}

fn customizer(privilege: &Privilege) -> Level {
    let sees = privilege.kind.is_some_and(|kind| SEES.contains(&kind));
    match privilege.subject {
        Subject::Custom | Subject::Customizing => Level::Global,
        _ if CUSTOMIZED.contains(&privilege.noun.as_str()) => Level::Global,
        Subject::Owned if privilege.noun == "Queue" && sees => Level::Global,
        Subject::Owned => Level::Basic,
        Subject::Units | Subject::Organization if sees => Level::Global,
        Subject::Units | Subject::Organization | Subject::Miscellaneous => Level::None,
    }
}

impl Standard {
    /// What is put down for the role.
    pub(super) fn level(&self, privilege: &Privilege) -> Level {
        let fits = |(names, kinds, _): &&Rule| match privilege.kind {
            Some(kind) => kinds.contains(&kind) && names.contains(&privilege.noun.as_str()),
            None => names.contains(&privilege.name.as_str()),
        };
        self.rules.iter().filter(fits).map(|(.., level)| *level).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::privilege;
    use super::*;
    use crate::schema::Schema;
    use crate::seed::NAMESPACE;

    #[test]
    fn fixed_ids_are_made_of_names() {
        for role in STANDARD {
            let name = format!("role/{}", role.name);
            assert_eq!(role.id, Uuid::new_v5(&NAMESPACE, name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn rules_name_what_there_is() {
        let all = privilege::all(&Schema::new(1, Schema::standard()));
        let known: HashSet<&str> =
            all.iter().flat_map(|privilege| [privilege.noun.as_str(), privilege.name.as_str()]).collect();
        for role in STANDARD {
            for name in role.rules.iter().flat_map(|(names, ..)| *names).chain(CUSTOMIZED) {
                assert!(known.contains(name), "{}: {name}", role.name);
            }
        }
    }

    #[track_caller]
    fn check(role: Uuid, privilege: &str, expected: Level) {
        let schema = Schema::new(1, Schema::standard());
        let all = privilege::all(&schema);
        let privilege = all.iter().find(|known| known.name == privilege).expect(privilege);
        let standard = STANDARD.iter().find(|known| known.id == role).unwrap();
        assert_eq!(computed(role, privilege).max(standard.level(privilege)), expected, "{}", standard.name);
    }

    #[test]
    fn what_the_roles_give() {
        check(SYSTEM_ADMINISTRATOR, "prvDeleteContact", Level::Global);
        check(SYSTEM_ADMINISTRATOR, "prvSendAsUser", Level::Global);
        check(SYSTEM_CUSTOMIZER, "prvCreateEntity", Level::Global);
        check(SYSTEM_CUSTOMIZER, "prvReadContact", Level::Basic);
        check(SYSTEM_CUSTOMIZER, "prvWriteUser", Level::None);
        check(SYSTEM_CUSTOMIZER, "prvSendAsUser", Level::None);
        check(SALESPERSON, "prvReadLead", Level::Local);
        check(SALESPERSON, "prvWriteLead", Level::Basic);
        check(SALESPERSON, "prvReadUser", Level::Global);
        check(SALESPERSON, "prvAssignRole", Level::None);
        check(BASIC_USER, "prvReadAccount", Level::Basic);
        check(BASIC_USER, "prvReadOpportunity", Level::None);
        check(MAIL_SERVICE, "prvCreateActivity", Level::Global);
        check(MAIL_SERVICE, "prvDeleteContact", Level::None);
        check(MAIL_SERVICE, "prvActOnBehalfOfAnotherUser", Level::Global);
    }
}
