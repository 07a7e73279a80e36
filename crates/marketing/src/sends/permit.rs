//! Whether the person who asks may: the CRM's roles decide, whatever the face.
//!
//! A request row's actor is its `createdby`. The roles are those of the solution; a System Administrator, whom the platform
//! allows everything, may as well, and a disabled user nothing.

use std::fmt;

use async_trait::async_trait;
use postroom_core::query::Link;
use postroom_core::{Crm, Fault, Filter, Query, Record, Value};
use uuid::{Uuid, uuid};

use crate::solution::roles::{Duty, Role};

/// Answers who may do what.
#[async_trait]
pub trait Permits: fmt::Debug + Send + Sync {
    async fn may(&self, crm: &dyn Crm, user: Uuid, duty: Duty) -> Result<bool, Fault>;
}

/// Reads the user's roles, and those of the user's teams, in the CRM.
#[derive(Debug, Clone, Copy, Default)]
pub struct CrmRoles;

/// The platform's template of the role System Administrator, whatever the role is called there.
const ADMINISTRATOR: Uuid = uuid!("627090ff-40a3-4053-8790-584edc5be201");

#[async_trait]
impl Permits for CrmRoles {
    async fn may(&self, crm: &dyn Crm, user: Uuid, duty: Duty) -> Result<bool, Fault> {
        let by_id = Filter::eq("systemuserid", user);
        let query = Query::of("systemuser").select(&["isdisabled"]).filter(by_id);
        let Some(known) = crm.query(&query).await?.pop() else { return Ok(false) };
        if known.get("isdisabled").and_then(Value::as_bool) == Some(true) {
            return Ok(false);
        }
        let own =
            Link::new("systemuserroles", "roleid", "roleid", "held").filter(Filter::eq("systemuserid", user));
        if allows(&crm.query(&roles().link(own)).await?, duty) {
            return Ok(true);
        }
        let mut held = Link::new("teamroles", "roleid", "roleid", "held");
        let member = Link::new("teammembership", "teamid", "teamid", "member")
            .filter(Filter::eq("systemuserid", user));
        held.links.push(member);
        Ok(allows(&crm.query(&roles().link(held)).await?, duty))
    }
}

fn roles() -> Query {
    Query::of("role").select(&["name", "roletemplateid"])
}

fn allows(roles: &[Record], duty: Duty) -> bool {
    roles.iter().any(|role| {
        let named = role.text("name").and_then(Role::of_name).is_some_and(|role| role.may(duty));
        let template = match role.get("roletemplateid") {
            Some(Value::Guid(id)) => Some(*id),
            Some(Value::Lookup(at)) => Some(at.id),
            _ => None,
        };
        named || template == Some(ADMINISTRATOR)
    })
}

#[cfg(test)]
mod tests {
    use postroom_core::RecordRef;

    use super::*;

    #[track_caller]
    fn check(name: &str, template: Option<Uuid>, duty: Duty, may: bool) {
        let role = Record::new(RecordRef::new("role", Uuid::nil()))
            .with("name", name)
            .with("roletemplateid", template.map_or(Value::Null, |id| Value::lookup("roletemplate", id)));
        assert_eq!(allows(&[role], duty), may, "{name} {duty:?}");
    }

    #[test]
    fn roles_of_the_solution_and_the_platform() {
        check("Email Marketing Manager", None, Duty::Send, true);
        check("Email Marketing Professional", None, Duty::Send, false);
        check("Email Marketing Professional", None, Duty::SendSingle, true);
        check("Salesperson", None, Duty::Send, false);
        check("Systemadministrator", Some(ADMINISTRATOR), Duty::Send, true);
        assert!(!allows(&[], Duty::View));
    }
}
