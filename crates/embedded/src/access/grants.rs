//! Roles and what is in them: AddPrivilegesRole, ReplacePrivilegesRole, RemovePrivilegeRole, RetrieveRolePrivilegesRole,
//! RetrieveUserPrivileges, and giving roles to users and teams. Source: dataverse.md G, protocol annex 8.2.
//!
//! Nobody gives what he does not have. Each answers the changes to make; apply them in the unit in which they were worked
//! out.

use std::collections::HashMap;

use postroom_core::metadata::PrivilegeKind;
use postroom_core::{Change, Record, RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::caller::Caller;
use super::load::privileges_of;
use super::privilege::{self, Privilege};
use super::sharing::{one, there};
use super::{AccessError, Level, roles};
use crate::schema::Schema;

/// One privilege to be put into a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub privilege: Uuid,
    pub depth: Level,
}

/// One privilege that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePrivilege {
    pub privilege: Privilege,
    pub depth: Level,
    pub unit: Uuid,
}

/// RetrieveUserPrivileges. What only teams give is said to be Basic, as the platform says it.
pub fn user_privileges(caller: &Caller) -> Vec<RolePrivilege> {
    let mut held = Vec::new();
    for privilege in privilege::all(&caller.schema) {
        let own = caller.rights.0.first().map_or(Level::None, |user| user.level(&privilege));
        let level = caller.level(&privilege);
        let depth = if own == Level::None { level.min(Level::Basic) } else { level.min(own) };
        if depth != Level::None {
            held.push(RolePrivilege { privilege, depth, unit: caller.unit });
        }
    }
    held
}

/// What a role gives, computed ones too.
pub async fn role_privileges(
    tx: &mut Tx,
    schema: &Schema,
    role: Uuid,
) -> Result<Vec<(Privilege, Level)>, Error> {
    let stored = stored(tx, role).await?;
    let all = privilege::all(schema).into_iter();
    let level = |privilege: &Privilege| {
        let stored = stored.get(&privilege.id).map_or(Level::None, |(_, level)| *level);
        stored.max(roles::computed(role, privilege))
    };
    Ok(all
        .map(|privilege| (level(&privilege), privilege))
        .filter(|(level, _)| *level != Level::None)
        .map(|(level, privilege)| (privilege, level))
        .collect())
}

/// AddPrivilegesRole: those that are there get the depth given.
pub async fn add_privileges(
    tx: &mut Tx,
    caller: &Caller,
    role: Uuid,
    grants: &[Grant],
) -> Result<Vec<Change>, AccessError> {
    changed_role(tx, caller, role).await?;
    let stored = stored(tx, role).await?;
    put_all(caller, role, grants, &stored)
}

/// ReplacePrivilegesRole: these and no others.
pub async fn replace_privileges(
    tx: &mut Tx,
    caller: &Caller,
    role: Uuid,
    grants: &[Grant],
) -> Result<Vec<Change>, AccessError> {
    changed_role(tx, caller, role).await?;
    let stored = stored(tx, role).await?;
    let mut changes = put_all(caller, role, grants, &stored)?;
    let kept = |id: &Uuid| grants.iter().any(|grant| grant.privilege == *id);
    changes.extend(stored.iter().filter(|(id, _)| !kept(id)).map(|(_, (row, _))| drop_row(*row)));
    Ok(changes)
}

/// RemovePrivilegeRole.
pub async fn remove_privilege(
    tx: &mut Tx,
    caller: &Caller,
    role: Uuid,
    privilege: Uuid,
) -> Result<Vec<Change>, AccessError> {
    changed_role(tx, caller, role).await?;
    let stored = stored(tx, role).await?;
    Ok(stored.get(&privilege).map(|(row, _)| drop_row(*row)).into_iter().collect())
}

/// Gives a role to a user or team: `systemuserroles_association`, `teamroles_association`.
pub async fn assign_role(
    tx: &mut Tx,
    caller: &Caller,
    role: Uuid,
    principal: &RecordRef,
) -> Result<Vec<Change>, AccessError> {
    let pairs = Pairs::of(principal)?;
    may_hand_out(tx, caller, role).await?;
    there(tx, principal).await?;
    if !pairs.rows(tx, role, principal.id).await?.is_empty() {
        return Ok(Vec::new());
    }
    let at = RecordRef::new(pairs.table, Uuid::new_v5(&role, principal.id.as_bytes()));
    Ok(vec![Change::Create(Record::new(at).with(pairs.column, principal.id).with("roleid", role))])
}

/// Takes a role from a user or team. It takes the same as giving it.
pub async fn unassign_role(
    tx: &mut Tx,
    caller: &Caller,
    role: Uuid,
    principal: &RecordRef,
) -> Result<Vec<Change>, AccessError> {
    let pairs = Pairs::of(principal)?;
    may_hand_out(tx, caller, role).await?;
    let rows = pairs.rows(tx, role, principal.id).await?;
    Ok(rows.into_iter().map(|id| Change::Delete(RecordRef::new(pairs.table, id))).collect())
}

/// The table that says who has a role.
struct Pairs {
    table: &'static str,
    key: &'static str,
    column: &'static str,
}

impl Pairs {
    fn of(principal: &RecordRef) -> Result<Pairs, AccessError> {
        match principal.table.as_str() {
            "systemuser" => {
                Ok(Pairs { table: "systemuserroles", key: "systemuserroleid", column: "systemuserid" })
            }
            "team" => Ok(Pairs { table: "teamroles", key: "teamroleid", column: "teamid" }),
            _ => Err(AccessError::Principal(principal.clone())),
        }
    }

    async fn rows(&self, tx: &mut Tx, role: Uuid, principal: Uuid) -> Result<Vec<Uuid>, Error> {
        let select = Query::select()
            .column(self.key)
            .from(format!("crm_{}", self.table))
            .and_where(Expr::col("roleid").eq(role))
            .and_where(Expr::col(self.column).eq(principal))
            .to_owned();
        tx.query(&select).await?.iter().map(|row| row.at(0)).collect()
    }
}

/// The caller may change the role, and it is one that can be changed.
async fn changed_role(tx: &mut Tx, caller: &Caller, role: Uuid) -> Result<(), AccessError> {
    let row = one(tx, caller, &RecordRef::new("role", role)).await?;
    caller.check(PrivilegeKind::Write, &row.table, &row)
}

/// The caller may give roles, and has himself all that this one gives.
async fn may_hand_out(tx: &mut Tx, caller: &Caller, role: Uuid) -> Result<(), AccessError> {
    caller.check_misc("prvAssignRole")?;
    let row = one(tx, caller, &RecordRef::new("role", role)).await?;
    caller.check(PrivilegeKind::Read, &row.table, &row)?;
    let given = role_privileges(tx, &caller.schema, role).await?;
    match given.into_iter().find(|(privilege, level)| caller.level(privilege) < *level) {
        Some((privilege, _)) if !caller.administrates() => Err(caller.missing(privilege, None)),
        _ => Ok(()),
    }
}

/// A role's rows: privilege, then the row and its level.
async fn stored(tx: &mut Tx, role: Uuid) -> Result<HashMap<Uuid, (Uuid, Level)>, Error> {
    let rows = tx.query(&privileges_of([role])).await?;
    let read = |row: &postroom_store::Row| {
        let level = Level::of_mask(row.at::<Option<i64>>(2)?.unwrap_or(0));
        Ok((row.at(1)?, (row.at(3)?, level)))
    };
    rows.iter().map(read).collect()
}

fn put_all(
    caller: &Caller,
    role: Uuid,
    grants: &[Grant],
    stored: &HashMap<Uuid, (Uuid, Level)>,
) -> Result<Vec<Change>, AccessError> {
    let known: HashMap<Uuid, Privilege> =
        privilege::all(&caller.schema).into_iter().map(|privilege| (privilege.id, privilege)).collect();
    let mut changes = Vec::new();
    for grant in grants {
        let privilege = known.get(&grant.privilege).ok_or(AccessError::NoPrivilege(grant.privilege))?;
        fits(privilege, grant.depth)?;
        if caller.level(privilege) < grant.depth {
            return Err(caller.missing(privilege.clone(), None));
        }
        let id = match stored.get(&grant.privilege) {
            Some((row, _)) => *row,
            None => row_of(role, grant.privilege),
        };
        let row = Record::new(RecordRef::new("roleprivileges", id))
            .with("roleid", role)
            .with("privilegeid", grant.privilege)
            .with("privilegedepthmask", Value::Int(grant.depth.mask()));
        changes.push(Change::Upsert(row));
    }
    Ok(changes)
}

fn fits(privilege: &Privilege, depth: Level) -> Result<(), AccessError> {
    let known = if privilege.levels { "Basic, Local, Deep and Global" } else { "Global" };
    match depth {
        Level::Global => Ok(()),
        Level::Basic | Level::Local | Level::Deep if privilege.levels => Ok(()),
        _ => Err(AccessError::Depth { privilege: privilege.name.clone(), depth: depth.name(), known }),
    }
}

/// The row that says that a role has a privilege.
pub(super) fn row_of(role: Uuid, privilege: Uuid) -> Uuid {
    Uuid::new_v5(&role, privilege.as_bytes())
}

fn drop_row(id: Uuid) -> Change {
    Change::Delete(RecordRef::new("roleprivileges", id))
}
