//! The four security roles of the seed and what each may do (marketing-entities.md 6).
//!
//! The roles come on top of a person's ordinary CRM roles, which say what that person may do with contacts, leads and
//! accounts. One table decides for the CRM, the pages, the API and the commands alike: [`Role::may`].

use postroom_core::metadata::PrivilegeKind::{
    self, Append, AppendTo, Assign, Create, Delete, Read, Share, Write,
};

use postroom_formats::solution as format;
use uuid::Uuid;

use super::{Era, definitions, tables};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// For the connector's own user.
    Service,
    Manager,
    Professional,
    Viewer,
}

/// Privileges that a role has on a table, at the level of the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Logical name.
    pub table: &'static str,
    pub kinds: &'static [PrivilegeKind],
}

/// What a person may do in the marketing half, whatever the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duty {
    /// See campaigns, lists, runs and figures.
    View,
    /// Accounts, settings, labels and mappings.
    Configure,
    /// Run a synchronisation now.
    Sync,
    /// Edit campaigns and lists.
    Edit,
    /// Ask for a send to lists, approve one, pause one.
    Send,
    /// Ask for a single send that is no transaction.
    SendSingle,
    /// Suppress an address, or take back a suppression with proof.
    Suppress,
    /// Preferences of people.
    Prefer,
}

const ALL: &[PrivilegeKind] = &[Create, Read, Write, Delete, Assign, Share, Append, AppendTo];
const SEE: &[PrivilegeKind] = &[Read];
const EDIT: &[PrivilegeKind] = &[Read, Write, Append, AppendTo];
const MAKE: &[PrivilegeKind] = &[Create, Read, Append, AppendTo];
const MAKE_AND_EDIT: &[PrivilegeKind] = &[Create, Read, Write, Append, AppendTo];

/// Which rights a table gives: tables of one row of marketing-entities.md 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Configuration,
    Campaign,
    Send,
    SingleSend,
    Behaviour,
    Suppression,
    Preference,
    Form,
    Queue,
}

fn group(table: &str) -> Group {
    match table {
        "esc_emailcampaign" => Group::Campaign,
        "esc_emailsend" => Group::Send,
        "esc_emailsinglesend" => Group::SingleSend,
        "esc_emailcampaigncontactsummary"
        | "esc_emailcampaigncontactclick"
        | "esc_emailroidetail"
        | "esc_socialbookmark"
        | "esc_listunsubscriber" => Group::Behaviour,
        "esc_emailsupression" => Group::Suppression,
        "esc_marketingpreference"
        | "esc_marketingpreferencesubscription"
        | "esc_emailsubscriptiongroup"
        | "esc_emailsubscriptiongroupitem"
        | "esc_emailpreference" => Group::Preference,
        "esc_form" | "esc_formquestion" | "esc_formquestionoption" | "esc_response" | "esc_formanswer" => {
            Group::Form
        }
        "esc_messagequeue" => Group::Queue,
        _ => Group::Configuration,
    }
}

/// Standard tables that the connector's own user works on. The others' own CRM roles say what they may do with them.
const SERVICE_STANDARD: &[Grant] = &[
    Grant { table: "contact", kinds: MAKE_AND_EDIT },
    Grant { table: "lead", kinds: MAKE_AND_EDIT },
    Grant { table: "account", kinds: MAKE_AND_EDIT },
    Grant { table: "list", kinds: MAKE_AND_EDIT },
    Grant { table: "campaign", kinds: EDIT },
    Grant { table: "systemuser", kinds: &[Read, AppendTo] },
    Grant { table: "team", kinds: SEE },
    Grant { table: "businessunit", kinds: SEE },
    // Whoever asks for a send is looked up by the roles held, those of teams too.
    Grant { table: "role", kinds: SEE },
    Grant { table: "activitypointer", kinds: SEE },
    Grant { table: "asyncoperation", kinds: SEE },
];

/// What the connector's own user needs besides: definitions, and to ask as the owner of a list (`MSCRMCallerID`), as personal
/// queries find nothing for anybody else.
const MISCELLANEOUS: &[&str] = &[
    "prvReadEntity",
    "prvReadAttribute",
    "prvReadRelationship",
    "prvReadOptionSet",
    "prvActOnBehalfOfAnotherUser",
];

const MARKETER_STANDARD: &[Grant] =
    &[Grant { table: "list", kinds: EDIT }, Grant { table: "campaign", kinds: &[Read, Append, AppendTo] }];

const VIEWER_STANDARD: &[Grant] =
    &[Grant { table: "list", kinds: SEE }, Grant { table: "campaign", kinds: SEE }];

impl Role {
    pub const ALL: [Role; 4] = [Role::Service, Role::Manager, Role::Professional, Role::Viewer];

    /// The seed's name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Service => "Email Campaign Connector Service (System Use Only)",
            Role::Manager => "Email Marketing Manager",
            Role::Professional => "Email Marketing Professional",
            Role::Viewer => "Email Marketing Viewer",
        }
    }

    pub fn of_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The same in every organisation.
    pub fn id(self) -> Uuid {
        definitions::id(&format!("role:{}", self.name()))
    }

    /// The role as a solution file has it: privileges by the platform's names.
    pub fn in_file(self, era: Era) -> format::Role {
        let granted = self.grants(era).into_iter().flat_map(|grant| {
            grant.kinds.iter().map(move |kind| format!("prv{}{}", kind.name(), noun(grant.table)))
        });
        let others = MISCELLANEOUS.iter().filter(|_| self == Role::Service).map(|name| (*name).to_owned());
        let privileges = granted.chain(others).map(|name| (name, "Global".to_owned())).collect();
        format::Role { id: self.id(), name: self.name().to_owned(), privileges }
    }

    /// Every privilege that the role brings to an organisation of this generation.
    pub fn grants(self, era: Era) -> Vec<Grant> {
        let standard = match self {
            Role::Service => SERVICE_STANDARD,
            Role::Manager | Role::Professional => MARKETER_STANDARD,
            Role::Viewer => VIEWER_STANDARD,
        };
        let own = tables::all()
            .filter(|table| table.is_in(era))
            .map(|table| Grant { table: table.name, kinds: self.rights(group(table.name)) });
        own.chain(standard.iter().copied()).collect()
    }

    fn rights(self, group: Group) -> &'static [PrivilegeKind] {
        match (self, group) {
            (Role::Service, _) => ALL,
            (Role::Manager, Group::Configuration | Group::Preference) => ALL,
            (Role::Manager, Group::Campaign | Group::Form) => EDIT,
            // A send is paused, approved and cancelled by columns of its row.
            (Role::Manager, Group::Send | Group::Suppression) => MAKE_AND_EDIT,
            (Role::Manager, Group::SingleSend | Group::Queue) => MAKE,
            (Role::Professional, Group::Campaign | Group::Preference) => EDIT,
            (Role::Professional, Group::SingleSend) => MAKE,
            _ => SEE,
        }
    }

    pub fn may(self, duty: Duty) -> bool {
        let send_single = || self.rights(Group::SingleSend).contains(&Create);
        match duty {
            Duty::View => true,
            Duty::Configure => self.rights(Group::Configuration).contains(&Write),
            // A request to synchronise is a column of the list.
            Duty::Sync | Duty::Edit => self.rights(Group::Campaign).contains(&Write),
            Duty::Send => self.rights(Group::Send).contains(&Create),
            Duty::SendSingle => send_single(),
            Duty::Suppress => self.rights(Group::Suppression).contains(&Create),
            Duty::Prefer => self.rights(Group::Preference).contains(&Write),
        }
    }
}

/// The table's part of a privilege's name.
fn noun(table: &'static str) -> &'static str {
    match table {
        "contact" => "Contact",
        "lead" => "Lead",
        "account" => "Account",
        "list" => "List",
        "campaign" => "Campaign",
        "systemuser" => "User",
        "team" => "Team",
        "businessunit" => "BusinessUnit",
        "role" => "Role",
        "activitypointer" => "Activity",
        "asyncoperation" => "AsyncOperation",
        own => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(role: Role, may: &[Duty]) {
        let all = [
            Duty::View,
            Duty::Configure,
            Duty::Sync,
            Duty::Edit,
            Duty::Send,
            Duty::SendSingle,
            Duty::Suppress,
            Duty::Prefer,
        ];
        for duty in all {
            assert_eq!(role.may(duty), may.contains(&duty), "{role:?} {duty:?}");
        }
    }

    #[test]
    fn duties() {
        use Duty::{Configure, Edit, Prefer, Send, SendSingle, Suppress, Sync, View};
        check(Role::Manager, &[View, Configure, Sync, Edit, Send, SendSingle, Suppress, Prefer]);
        check(Role::Professional, &[View, Sync, Edit, SendSingle, Prefer]);
        check(Role::Viewer, &[View]);
    }

    #[test]
    fn a_viewer_changes_nothing() {
        for grant in Role::Viewer.grants(Era::Dynamics365) {
            assert_eq!(grant.kinds, SEE, "{}", grant.table);
        }
    }

    #[test]
    fn names() {
        for role in Role::ALL {
            assert_eq!(Role::of_name(role.name()), Some(role));
        }
        let queue = |era| Role::Manager.grants(era).iter().any(|grant| grant.table == "esc_messagequeue");
        assert!(queue(Era::Crm2016) && !queue(Era::Dynamics365));
    }
}
