//! Sharing single rows: GrantAccess, ModifyAccess, RevokeAccess, RetrievePrincipalAccess. Source: dataverse.md G, protocol
//! annex 8.2.
//!
//! Each answers the changes to make; apply them in the unit in which they were worked out.

use std::fmt;
use std::sync::Arc;

use postroom_core::metadata::PrivilegeKind;
use postroom_core::{Change, Record, RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::caller::Caller;
use super::facts::facts;
use super::govern::{Governed, governed};
use super::{AccessError, RowFacts};
use crate::schema::Schema;

/// The flags of `AccessRights`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccessRights(pub i64);

/// In the platform's order of names.
const NAMES: [(AccessRights, PrivilegeKind, &str); 8] = [
    (AccessRights(1), PrivilegeKind::Read, "ReadAccess"),
    (AccessRights(2), PrivilegeKind::Write, "WriteAccess"),
    (AccessRights(4), PrivilegeKind::Append, "AppendAccess"),
    (AccessRights(16), PrivilegeKind::AppendTo, "AppendToAccess"),
    (AccessRights(32), PrivilegeKind::Create, "CreateAccess"),
    (AccessRights(65_536), PrivilegeKind::Delete, "DeleteAccess"),
    (AccessRights(262_144), PrivilegeKind::Share, "ShareAccess"),
    (AccessRights(524_288), PrivilegeKind::Assign, "AssignAccess"),
];

impl AccessRights {
    pub const NONE: AccessRights = AccessRights(0);

    pub fn of(kind: PrivilegeKind) -> AccessRights {
        let known = NAMES.iter().find(|(_, known, _)| *known == kind);
        known.map(|(right, ..)| *right).expect("every kind is in the list")
    }

    pub fn has(self, right: AccessRights) -> bool {
        self.0 & right.0 == right.0
    }

    pub fn and(self, other: AccessRights) -> AccessRights {
        AccessRights(self.0 | other.0)
    }

    pub fn kinds(self) -> impl Iterator<Item = PrivilegeKind> {
        NAMES.into_iter().filter(move |(right, ..)| self.has(*right)).map(|(_, kind, _)| kind)
    }

    /// Reads `ReadAccess, WriteAccess`, also with spaces alone as SOAP has it; `None` for a name that is not one.
    pub fn parse(text: &str) -> Option<AccessRights> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty() && *word != "None");
        let right = |word: &str| NAMES.iter().find(|(_, _, name)| *name == word).map(|(right, ..)| *right);
        words.map(right).try_fold(AccessRights::NONE, |all, one| Some(all.and(one?)))
    }
}

impl fmt::Display for AccessRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            NAMES.iter().filter(|(right, ..)| self.has(*right)).map(|(_, _, name)| *name).collect();
        f.write_str(if names.is_empty() { "None".into() } else { names.join(", ") }.as_str())
    }
}

/// GrantAccess: adds rights to those that the principal has of this row.
pub async fn grant(
    tx: &mut Tx,
    caller: &Caller,
    target: &RecordRef,
    principal: &RecordRef,
    rights: AccessRights,
) -> Result<Vec<Change>, AccessError> {
    let row = shared_row(tx, caller, target, principal, rights).await?;
    let have = share_of(tx, &row.at, principal).await?;
    let rights = have.map_or(rights, |(_, have)| have.and(rights));
    Ok(vec![put(&row.at, principal, have, rights)])
}

/// ModifyAccess: puts rights in the place of those that the principal has of this row.
pub async fn modify(
    tx: &mut Tx,
    caller: &Caller,
    target: &RecordRef,
    principal: &RecordRef,
    rights: AccessRights,
) -> Result<Vec<Change>, AccessError> {
    let row = shared_row(tx, caller, target, principal, rights).await?;
    let have = share_of(tx, &row.at, principal).await?;
    Ok(match (have, rights) {
        (Some((id, _)), AccessRights::NONE) => vec![drop_share(id)],
        (None, AccessRights::NONE) => Vec::new(),
        _ => vec![put(&row.at, principal, have, rights)],
    })
}

/// RevokeAccess: takes all that was shared of this row.
pub async fn revoke(
    tx: &mut Tx,
    caller: &Caller,
    target: &RecordRef,
    principal: &RecordRef,
) -> Result<Vec<Change>, AccessError> {
    let row = shared_row(tx, caller, target, principal, AccessRights::NONE).await?;
    let have = share_of(tx, &row.at, principal).await?;
    Ok(have.map(|(id, _)| drop_share(id)).into_iter().collect())
}

/// RetrievePrincipalAccess: what a user or team may do with a row.
pub async fn principal_access(
    tx: &mut Tx,
    schema: &Arc<Schema>,
    principal: &RecordRef,
    target: &RecordRef,
) -> Result<AccessRights, AccessError> {
    let holder = match principal.table.as_str() {
        "systemuser" => Caller::load(tx, schema, principal.id, None).await,
        "team" => Caller::of_team(tx, schema, principal.id).await,
        _ => return Err(AccessError::Principal(principal.clone())),
    };
    let holder = match holder {
        Err(AccessError::Disabled(_)) => return Ok(AccessRights::NONE),
        holder => holder?,
    };
    let asked = schema.table(&target.table)?;
    let row = one(tx, &holder, target).await?;
    // A pointer is asked for as the activity that it points to.
    let table = if target.table == "activitypointer" { &row.table } else { asked };
    let may = NAMES.iter().filter(|(_, kind, _)| holder.check(*kind, table, &row).is_ok());
    Ok(may.fold(AccessRights::NONE, |all, (right, ..)| all.and(*right)))
}

/// The row, when the caller may share it and has himself what he gives.
async fn shared_row(
    tx: &mut Tx,
    caller: &Caller,
    target: &RecordRef,
    principal: &RecordRef,
    rights: AccessRights,
) -> Result<RowFacts, AccessError> {
    if governed(caller.schema.table(&target.table)?) != Governed::Owner {
        return Err(AccessError::NotShared(target.table.clone()));
    }
    let row = one(tx, caller, target).await?;
    caller.check(PrivilegeKind::Share, &row.table, &row)?;
    rights.kinds().try_for_each(|kind| caller.check(kind, &row.table, &row))?;
    if !["systemuser", "team"].contains(&principal.table.as_str()) {
        return Err(AccessError::Principal(principal.clone()));
    }
    if rights != AccessRights::NONE {
        there(tx, principal).await?;
    }
    Ok(row)
}

pub(super) async fn one(tx: &mut Tx, caller: &Caller, at: &RecordRef) -> Result<RowFacts, AccessError> {
    let mut found = facts(tx, caller, std::slice::from_ref(at)).await?;
    found.remove(at).ok_or_else(|| AccessError::NoRow(at.clone()))
}

/// A user or team that is there.
pub(super) async fn there(tx: &mut Tx, principal: &RecordRef) -> Result<(), AccessError> {
    let key = format!("{}id", principal.table);
    let select = Query::select()
        .column(key.clone())
        .from(format!("crm_{}", principal.table))
        .and_where(Expr::col(key).eq(principal.id))
        .to_owned();
    match tx.query_one(&select).await? {
        Some(_) => Ok(()),
        None => Err(AccessError::NoRow(principal.clone())),
    }
}

type Share = (Uuid, AccessRights);

async fn share_of(tx: &mut Tx, row: &RecordRef, principal: &RecordRef) -> Result<Option<Share>, Error> {
    let select = Query::select()
        .columns(["principalobjectaccessid", "accessrightsmask"])
        .from("crm_principalobjectaccess")
        .and_where(Expr::col("objectid").eq(row.id))
        .and_where(Expr::col("objecttypecode").eq(row.table.as_str()))
        .and_where(Expr::col("principalid").eq(principal.id))
        .to_owned();
    let share = tx.query_one(&select).await?;
    let read =
        |row: postroom_store::Row| Ok((row.at(0)?, AccessRights(row.at::<Option<i64>>(1)?.unwrap_or(0))));
    share.map(read).transpose()
}

fn put(row: &RecordRef, principal: &RecordRef, have: Option<Share>, rights: AccessRights) -> Change {
    // One row for a pair, whoever makes it and however often.
    let id = have.map_or_else(|| Uuid::new_v5(&row.id, principal.id.as_bytes()), |(id, _)| id);
    let share = Record::new(RecordRef::new("principalobjectaccess", id))
        .with("objectid", row.id)
        .with("objecttypecode", row.table.as_str())
        .with("principalid", principal.id)
        .with("principaltypecode", principal.table.as_str())
        .with("accessrightsmask", Value::Int(rights.0));
    Change::Upsert(share)
}

fn drop_share(id: Uuid) -> Change {
    Change::Delete(RecordRef::new("principalobjectaccess", id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, mask: i64) {
        assert_eq!(AccessRights::parse(text), Some(AccessRights(mask)), "{text}");
    }

    #[test]
    fn names_and_masks() {
        check("ReadAccess, WriteAccess", 3);
        check("ReadAccess ShareAccess", 262_145);
        check("None", 0);
        check("", 0);
        assert_eq!(AccessRights::parse("Read"), None);
        let all = "ReadAccess, WriteAccess, AppendAccess, AppendToAccess, CreateAccess, DeleteAccess, ShareAccess, \
                   AssignAccess";
        assert_eq!(AccessRights(852_023).to_string(), all);
        check(all, 852_023);
        assert_eq!(AccessRights::NONE.to_string(), "None");
    }
}
