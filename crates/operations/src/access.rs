//! Who acts, and what they may do.

use std::fmt;
use std::str::FromStr;

use postroom_core::{Code, Fault};

/// What an operation needs. One table for CLI, REST and pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See messages without their bodies, records, counts, the shelf.
    Read,
    /// Open a mail's body, raw bytes and attachments. Each opening is audited.
    ReadBodies,
    /// Hand mail in.
    Submit,
    /// Attach, reject, move and replay mail; work the shelf; hold and release outgoing mail; pause mailboxes and have them
    /// read again; try them and what else is configured; make tracking tokens.
    Decide,
    /// Write CRM records.
    WriteRecords,
    /// Tokens, sign-in links, safe mode; forgetting where a mailbox stood; purging, erasing; the solution in the CRM.
    Administer,
}

impl Permission {
    pub fn as_str(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::ReadBodies => "read_bodies",
            Permission::Submit => "submit",
            Permission::Decide => "decide",
            Permission::WriteRecords => "write_records",
            Permission::Administer => "administer",
        }
    }
}

/// A set of permissions with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Owner,
    /// All daily work.
    Operator,
    /// Looks, without bodies.
    Viewer,
    /// A mail agent: hands mail in and asks after what it handed in.
    Agent,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Operator => "operator",
            Role::Viewer => "viewer",
            Role::Agent => "agent",
        }
    }

    pub fn may(self, permission: Permission) -> bool {
        use Permission::{Administer, Decide, Read, ReadBodies, Submit, WriteRecords};
        let granted: &[Permission] = match self {
            Role::Owner => &[Read, ReadBodies, Submit, Decide, WriteRecords, Administer],
            Role::Operator => &[Read, ReadBodies, Submit, Decide, WriteRecords],
            Role::Viewer => &[Read],
            Role::Agent => &[Submit],
        };
        granted.contains(&permission)
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Role::Owner, Role::Operator, Role::Viewer, Role::Agent]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(())
    }
}

/// What an API token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The HTTP front end for mail agents.
    Agent,
    /// The embedded CRM's doors.
    Crm,
    /// The REST API.
    Api,
}

impl Scope {
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Agent => "agent",
            Scope::Crm => "crm",
            Scope::Api => "api",
        }
    }

    pub(crate) fn role(self) -> Role {
        match self {
            Scope::Agent => Role::Agent,
            Scope::Crm => Role::Viewer, // the CRM's doors ask the CRM's own privileges
            Scope::Api => Role::Operator,
        }
    }
}

impl FromStr for Scope {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let known = [Scope::Agent, Scope::Crm, Scope::Api];
        known.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            Fault::reject(Code::API_INPUT, format!("{text:?} is no scope; use agent, crm or api"))
        })
    }
}

/// Which face a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Cli,
    Api,
    Page,
    /// The embedded CRM's own doors.
    Crm,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Door::Cli => "cli",
            Door::Api => "api",
            Door::Page => "page",
            Door::Crm => "crm",
        })
    }
}

/// Who asks for an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
    pub role: Role,
    pub door: Door,
    /// A person who signed in under this name, to the pages or through them to the API; or a token that acts as the user of
    /// the CRM with this id. Names of other API tokens are free.
    pub signed_in: bool,
}

impl Actor {
    /// Whoever can run commands on the configuration and its database may do everything.
    pub fn console() -> Self {
        Actor { name: "console".into(), role: Role::Owner, door: Door::Cli, signed_in: false }
    }

    /// `PR-8003` unless the role has the permission.
    pub fn needs(&self, permission: Permission) -> Result<(), Fault> {
        match self.role.may(permission) {
            true => Ok(()),
            false => {
                metrics::counter!("postroom_denied_total", "permission" => permission.as_str()).increment(1);
                let (role, wanted) = (self.role.as_str(), permission.as_str());
                Err(Fault::reject(Code::API_DENIED, format!("{role} has no permission {wanted}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(role: Role, granted: &str) {
        use Permission::{Administer, Decide, Read, ReadBodies, Submit, WriteRecords};
        let all = [Read, ReadBodies, Submit, Decide, WriteRecords, Administer];
        let has: Vec<&str> =
            all.into_iter().filter(|wanted| role.may(*wanted)).map(Permission::as_str).collect();
        assert_eq!(has.join(" "), granted);
    }

    #[test]
    fn the_role_table() {
        check(Role::Owner, "read read_bodies submit decide write_records administer");
        check(Role::Operator, "read read_bodies submit decide write_records");
        check(Role::Viewer, "read");
        check(Role::Agent, "submit");
    }
}
