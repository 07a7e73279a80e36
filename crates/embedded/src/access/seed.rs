//! Puts down the privileges that there are and the roles that every database has. Doing it again changes nothing, and what
//! an administrator took out of a role stays out.

use std::collections::HashSet;

use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use uuid::Uuid;

use super::grants::row_of;
use super::privilege::{self, Level, Privilege};
use super::roles::{self, STANDARD};
use super::{AccessRights, VERSION};
use crate::lot;
use crate::schema::Schema;
use crate::seed::{ADMINISTRATOR, BUSINESS_UNIT};

/// Whether [`ensure`] would do anything.
pub(crate) async fn lacks(tx: &mut Tx, schema: &Schema) -> Result<bool, Error> {
    Ok(!new_privileges(tx, schema).await?.is_empty() || !new_roles(tx).await?.is_empty())
}

/// Makes what is missing. Call it in the unit in which tables were made.
pub(crate) async fn ensure(tx: &mut Tx, schema: &Schema) -> Result<(), Error> {
    // Locks out other writers, so that two processes that start at once do not both make the roles.
    tx.next_numbers(lot::VERSION, 1).await?;
    let privileges = new_privileges(tx, schema).await?;
    put_privileges(tx, &privileges).await?;
    forget(tx, schema).await?;
    let roles = new_roles(tx).await?;
    if !roles.is_empty() {
        put_roles(tx, schema, &roles).await?;
        tx.next_numbers(VERSION, 1).await?;
    }
    Ok(())
}

async fn new_privileges(tx: &mut Tx, schema: &Schema) -> Result<Vec<Privilege>, Error> {
    let select = Query::select().column("privilegeid").from("crm_privilege").to_owned();
    let have: Result<HashSet<Uuid>, Error> = tx.query(&select).await?.iter().map(|row| row.at(0)).collect();
    let have = have?;
    Ok(privilege::all(schema).into_iter().filter(|privilege| !have.contains(&privilege.id)).collect())
}

async fn new_roles(tx: &mut Tx) -> Result<Vec<roles::Standard>, Error> {
    let ids = STANDARD.iter().map(|role| role.id);
    let select = Query::select()
        .column("roleid")
        .from("crm_role")
        .and_where(Expr::col("roleid").is_in(ids))
        .to_owned();
    let have: Result<HashSet<Uuid>, Error> = tx.query(&select).await?.iter().map(|row| row.at(0)).collect();
    let have = have?;
    Ok(STANDARD.into_iter().filter(|role| !have.contains(&role.id)).collect())
}

/// The privileges of tables that are gone: a table of the same name made later shall not find what was given before.
async fn forget(tx: &mut Tx, schema: &Schema) -> Result<(), Error> {
    let known: HashSet<Uuid> = privilege::all(schema).into_iter().map(|privilege| privilege.id).collect();
    let select = Query::select()
        .column("privilegeid")
        .from("crm_privilege")
        .and_where(Expr::col("accessright").ne(0))
        .to_owned();
    let have: Result<Vec<Uuid>, Error> = tx.query(&select).await?.iter().map(|row| row.at(0)).collect();
    let gone: Vec<Uuid> = have?.into_iter().filter(|id| !known.contains(id)).collect();
    if gone.is_empty() {
        return Ok(());
    }
    for table in ["crm_privilege", "crm_roleprivileges"] {
        let by_id = Expr::col("privilegeid").is_in(gone.iter().copied());
        tx.execute(&Query::delete().from_table(table).and_where(by_id).to_owned()).await?;
    }
    tx.next_numbers(VERSION, 1).await.map(drop)
}

async fn put_privileges(tx: &mut Tx, privileges: &[Privilege]) -> Result<(), Error> {
    if privileges.is_empty() {
        return Ok(());
    }
    let first = tx.next_numbers(lot::VERSION, privileges.len() as u64).await?;
    let mut insert = Insert::into(
        "crm_privilege",
        &[
            "privilegeid",
            "name",
            "accessright",
            "canbebasic",
            "canbelocal",
            "canbedeep",
            "canbeglobal",
            "versionnumber",
        ],
    )
    .or_skip();
    for (number, privilege) in (first..).zip(privileges) {
        let right = privilege.kind.map_or(0, |kind| AccessRights::of(kind).0);
        let levels = privilege.levels;
        insert.row([
            privilege.id.into(),
            privilege.name.clone().into(),
            right.into(),
            levels.into(),
            levels.into(),
            levels.into(),
            true.into(),
            number.into(),
        ]);
    }
    tx.insert(&insert).await.map(drop)
}

async fn put_roles(tx: &mut Tx, schema: &Schema, new: &[roles::Standard]) -> Result<(), Error> {
    let mut rows =
        Insert::into("crm_role", &["roleid", "name", "businessunitid", "roletemplateid", "versionnumber"])
            .or_skip();
    let mut given = Insert::into(
        "crm_roleprivileges",
        &["roleprivilegeid", "roleid", "privilegeid", "privilegedepthmask", "versionnumber"],
    )
    .or_skip();
    let privileges = privilege::all(schema);
    let first = tx.next_numbers(lot::VERSION, (new.len() * (1 + privileges.len())) as u64).await?;
    let mut numbers = first..;
    let mut number = || numbers.next().expect("as many as were taken");
    for role in new {
        rows.row([
            role.id.into(),
            role.name.into(),
            BUSINESS_UNIT.into(),
            role.template.into(),
            number().into(),
        ]);
        for privilege in &privileges {
            let level = role.level(privilege);
            if level != Level::None {
                let id = row_of(role.id, privilege.id);
                let cells = [id.into(), role.id.into(), privilege.id.into(), level.mask().into()];
                given.row(cells.into_iter().chain([number().into()]));
            }
        }
    }
    tx.insert(&rows).await?;
    tx.insert(&given).await?;
    match new.iter().any(|role| role.id == roles::SYSTEM_ADMINISTRATOR) {
        true => put_administrator(tx).await,
        false => Ok(()),
    }
}

async fn put_administrator(tx: &mut Tx) -> Result<(), Error> {
    let number = tx.next_numbers(lot::VERSION, 1).await?;
    let mut insert =
        Insert::into("crm_systemuserroles", &["systemuserroleid", "systemuserid", "roleid", "versionnumber"])
            .or_skip();
    let role = roles::SYSTEM_ADMINISTRATOR;
    let id = Uuid::new_v5(&role, ADMINISTRATOR.as_bytes());
    insert.row([id.into(), ADMINISTRATOR.into(), role.into(), number.into()]);
    tx.insert(&insert).await.map(drop)
}
