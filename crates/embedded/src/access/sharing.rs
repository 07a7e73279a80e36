//! Sharing single rows: GrantAccess, ModifyAccess, RevokeAccess, RetrievePrincipalAccess. Source: dataverse.md G, protocol
//! annex 8.2.
//!
//! Rows that follow the row are shared with it. What was shared of one of them by itself is not told apart from what came
//! down: revoking takes both. What a row inherits from the rows that it hangs on (`lot::inherit`) stands beside and stays.
//!
//! Each answers the changes to make; apply them in the unit in which they were worked out.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use postroom_core::metadata::{Cascade, CascadeType, PrivilegeKind};
use postroom_core::{Change, Record, RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::caller::Caller;
use super::facts::facts;
use super::govern::{Governed, governed};
use super::{AccessError, RowFacts};
use crate::lot::descend::{Family, Goes, MOST};
use crate::lot::load::CHUNK;
use crate::lot::{Kin, Tie};
use crate::rules::Refusal;
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

/// What a message does to the shares of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    Grant(AccessRights),
    Modify(AccessRights),
    Revoke,
}

/// One such message, worked out in the unit that writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    pub what: Sharing,
    pub target: RecordRef,
    pub principal: RecordRef,
}

impl Share {
    pub(crate) async fn changes(&self, tx: &mut Tx, caller: &Caller) -> Result<Vec<Change>, AccessError> {
        match self.what {
            Sharing::Grant(rights) => grant(tx, caller, &self.target, &self.principal, rights).await,
            Sharing::Modify(rights) => modify(tx, caller, &self.target, &self.principal, rights).await,
            Sharing::Revoke => revoke(tx, caller, &self.target, &self.principal).await,
        }
    }
}

/// GrantAccess: adds rights to those that the principal has of this row and of the rows that follow it by relationships
/// whose `Share` says so.
pub async fn grant(
    tx: &mut Tx,
    caller: &Caller,
    target: &RecordRef,
    principal: &RecordRef,
    rights: AccessRights,
) -> Result<Vec<Change>, AccessError> {
    let rows = shared_rows(tx, caller, target, principal, rights, |cascade| cascade.share).await?;
    let have = shares_of(tx, &rows, principal).await?;
    let more = |row: &RecordRef| {
        let have = have.get(row).copied();
        put(row, principal, have, have.map_or(rights, |(_, have, _)| have.and(rights)))
    };
    Ok(rows.iter().map(more).collect())
}

/// ModifyAccess: puts rights in the place of those that the principal has.
pub async fn modify(
    tx: &mut Tx,
    caller: &Caller,
    target: &RecordRef,
    principal: &RecordRef,
    rights: AccessRights,
) -> Result<Vec<Change>, AccessError> {
    if rights == AccessRights::NONE {
        return revoke(tx, caller, target, principal).await;
    }
    let rows = shared_rows(tx, caller, target, principal, rights, |cascade| cascade.share).await?;
    let have = shares_of(tx, &rows, principal).await?;
    Ok(rows.iter().map(|row| put(row, principal, have.get(row).copied(), rights)).collect())
}

/// RevokeAccess: takes all that was shared, here and of the rows that follow by relationships whose `Unshare` says so.
pub async fn revoke(
    tx: &mut Tx,
    caller: &Caller,
    target: &RecordRef,
    principal: &RecordRef,
) -> Result<Vec<Change>, AccessError> {
    let none = AccessRights::NONE;
    let rows = shared_rows(tx, caller, target, principal, none, |cascade| cascade.unshare).await?;
    let have = shares_of(tx, &rows, principal).await?;
    Ok(rows.iter().filter_map(|row| have.get(row)).map(drop_share).collect())
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

/// The row and those that follow it, when the caller may share each and has himself what he gives.
async fn shared_rows(
    tx: &mut Tx,
    caller: &Caller,
    target: &RecordRef,
    principal: &RecordRef,
    rights: AccessRights,
    by: fn(&Cascade) -> CascadeType,
) -> Result<Vec<RecordRef>, AccessError> {
    if governed(caller.schema.table(&target.table)?) != Governed::Owner {
        return Err(AccessError::NotShared(target.table.clone()));
    }
    if !["systemuser", "team"].contains(&principal.table.as_str()) {
        return Err(AccessError::Principal(principal.clone()));
    }
    let row = one(tx, caller, target).await?;
    let mut rows = vec![row.at.clone()];
    rows.extend(below(tx, &caller.schema, &row, by).await?);
    let facts = facts(tx, caller, &rows).await?;
    for row in rows.iter().filter_map(|at| facts.get(at)) {
        caller.check(PrivilegeKind::Share, &row.table, row)?;
        rights.kinds().try_for_each(|kind| caller.check(kind, &row.table, row))?;
    }
    if rights != AccessRights::NONE {
        there(tx, principal).await?;
    }
    Ok(rows)
}

/// The rows with owners of their own that follow this one.
async fn below(
    tx: &mut Tx,
    schema: &Schema,
    row: &RowFacts,
    by: fn(&Cascade) -> CascadeType,
) -> Result<Vec<RecordRef>, AccessError> {
    let Some(place) = schema.find(&row.at.table) else { return Ok(Vec::new()) };
    let kin = Kin::of(schema);
    let owner = row.owner.clone().map_or(Value::Null, Value::Lookup);
    let mut found = Vec::new();
    let family = Family { schema, kin: &kin };
    let follows = |tie: &Tie| by(&tie.cascade) != CascadeType::NoCascade;
    let root = [(place, row.at.id)];
    let whole = family.walk(tx, &root, follows, |tie, _, key, fields| {
        let table = schema.at(key.0);
        let owned = governed(table) == Governed::Owner;
        if !owned || !tie.takes(by(&tie.cascade), table, &fields, &owner) {
            return Goes::NoFurther;
        }
        found.push(RecordRef::new(table.name.clone(), key.1));
        Goes::On
    });
    if !whole.await? {
        return Err(Refusal::Family { at: row.at.clone(), most: MOST }.into());
    }
    found.sort_unstable_by(|a, b| (&a.table, a.id).cmp(&(&b.table, b.id)));
    found.dedup();
    Ok(found)
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

/// A share: its row's id, its rights, and whether something is inherited beside them.
type Held = (Uuid, AccessRights, bool);

/// What the principal has of these rows already.
async fn shares_of(
    tx: &mut Tx,
    rows: &[RecordRef],
    principal: &RecordRef,
) -> Result<HashMap<RecordRef, Held>, Error> {
    let mut shares = HashMap::new();
    for rows in rows.chunks(CHUNK) {
        let select = Query::select()
            .columns(["objectid", "objecttypecode", "principalobjectaccessid", "accessrightsmask"])
            .column("inheritedaccessrightsmask")
            .from("crm_principalobjectaccess")
            .and_where(Expr::col("objectid").is_in(rows.iter().map(|row| row.id)))
            .and_where(Expr::col("principalid").eq(principal.id))
            .to_owned();
        for share in tx.query(&select).await? {
            let table = share.at::<Option<String>>(1)?.unwrap_or_default();
            let rights = AccessRights(share.at::<Option<i64>>(3)?.unwrap_or(0));
            let inherited = share.at::<Option<i64>>(4)?.is_some_and(|mask| mask != 0);
            shares.insert(RecordRef::new(table, share.at(0)?), (share.at(2)?, rights, inherited));
        }
    }
    Ok(shares)
}

/// RetrieveSharedPrincipalsAndAccess: with whom a row is shared, and what each may do by it.
pub async fn shared_with(tx: &mut Tx, row: &RecordRef) -> Result<Vec<(RecordRef, AccessRights)>, Error> {
    let select = Query::select()
        .columns(["principalid", "principaltypecode", "accessrightsmask"])
        .from("crm_principalobjectaccess")
        .and_where(Expr::col("objectid").eq(row.id))
        .and_where(Expr::col("accessrightsmask").ne(0))
        .order_by("principaltypecode", Order::Asc)
        .order_by("principalid", Order::Asc)
        .to_owned();
    let mut found = Vec::new();
    for share in tx.query(&select).await? {
        let table = share.at::<Option<String>>(1)?.unwrap_or_default();
        let rights = AccessRights(share.at::<Option<i64>>(2)?.unwrap_or(0));
        found.push((RecordRef::new(table, share.at(0)?), rights));
    }
    Ok(found)
}

fn put(row: &RecordRef, principal: &RecordRef, have: Option<Held>, rights: AccessRights) -> Change {
    // One row for a pair, whoever makes it and however often.
    let id = have.map_or_else(|| Uuid::new_v5(&row.id, principal.id.as_bytes()), |(id, ..)| id);
    let share = Record::new(RecordRef::new("principalobjectaccess", id))
        .with("objectid", row.id)
        .with("objecttypecode", row.table.as_str())
        .with("principalid", principal.id)
        .with("principaltypecode", principal.table.as_str())
        .with("accessrightsmask", Value::Int(rights.0));
    Change::Upsert(share)
}

/// What was inherited stays: only the share itself is taken.
fn drop_share((id, _, inherited): &Held) -> Change {
    let at = RecordRef::new("principalobjectaccess", *id);
    match inherited {
        true => Change::Update(Record::new(at).with("accessrightsmask", Value::Int(0))),
        false => Change::Delete(at),
    }
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
