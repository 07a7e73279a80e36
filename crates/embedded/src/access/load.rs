//! Reads a [`Caller`] from the database: about ten small selects, and none but one when nothing changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use postroom_store::sql::{Expr, ExprTrait, Query, SelectStatement};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::caller::{Caller, Principal, Rights};
use super::columns::{ColumnRights, Permission};
use super::{AccessError, Level, VERSION, privilege};
use crate::schema::Schema;

/// How many callers are kept before all are forgotten.
const KEPT: usize = 1000;

type Who = (Uuid, Option<Uuid>);

/// The callers that this process has seen lately. Cheap to clone; the clones share them.
#[derive(Clone, Default)]
pub struct Callers(Arc<Mutex<HashMap<Who, Arc<Caller>>>>);

impl Callers {
    /// The caller as he is now, from memory when nothing changed: see [`Caller::load`].
    pub async fn current(
        &self,
        tx: &mut Tx,
        schema: &Arc<Schema>,
        user: Uuid,
        impersonated: Option<Uuid>,
    ) -> Result<Arc<Caller>, AccessError> {
        let kept = {
            let callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            callers.get(&(user, impersonated)).cloned()
        };
        if let Some(kept) = kept.filter(|kept| kept.schema.version == schema.version)
            && kept.version == version(tx).await?
        {
            return Ok(kept);
        }
        Ok(Arc::new(Caller::load(tx, schema, user, impersonated).await?))
    }

    /// Remembers a caller that was read from durable state: by a reading unit, or by a writing one before it wrote.
    pub fn keep(&self, caller: &Arc<Caller>) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= KEPT {
            callers.clear();
        }
        let who = match caller.acting {
            Some(acting) => (acting, Some(caller.user)),
            None => (caller.user, None),
        };
        callers.insert(who, caller.clone());
    }
}

/// The counter of changes to anyone's rights.
pub async fn version(tx: &mut Tx) -> Result<i64, Error> {
    let select =
        Query::select().column("value").from("counter").and_where(Expr::col("name").eq(VERSION)).to_owned();
    let row = tx.query_one(&select).await?;
    Ok(row.map(|row| row.at(0)).transpose()?.unwrap_or(0))
}

impl Caller {
    /// Reads a user's rights. With `impersonated` things are done in that user's name, with what both may: it takes
    /// prvActOnBehalfOfAnotherUser. Disabled users and strangers are refused.
    pub async fn load(
        tx: &mut Tx,
        schema: &Arc<Schema>,
        user: Uuid,
        impersonated: Option<Uuid>,
    ) -> Result<Caller, AccessError> {
        // First, so that what is read below is at least as new.
        let version = version(tx).await?;
        let units = Units::read(tx).await?;
        let own = Caller::of_user(tx, schema, &units, version, user).await?;
        let Some(other) = impersonated.filter(|other| *other != user) else { return Ok(own) };
        let act = privilege::miscellaneous("prvActOnBehalfOfAnotherUser").expect("it is in the list");
        if own.level(&act) == Level::None {
            return Err(AccessError::OnBehalf { user });
        }
        let mut caller = Caller::of_user(tx, schema, &units, version, other).await?;
        if !own.administrates() {
            let columns = std::mem::take(&mut caller.columns);
            caller.columns = match caller.administrates() {
                true => own.columns,
                false => columns.and(&own.columns),
            };
        }
        caller.acting = Some(user);
        caller.cap = Some(own.rights);
        Ok(caller)
    }

    async fn of_user(
        tx: &mut Tx,
        schema: &Arc<Schema>,
        units: &Units,
        version: i64,
        user: Uuid,
    ) -> Result<Caller, AccessError> {
        let select = Query::select()
            .columns(["businessunitid", "isdisabled", "accessmode"])
            .from("crm_systemuser")
            .and_where(Expr::col("systemuserid").eq(user))
            .to_owned();
        let row = tx.query_one(&select).await?.ok_or(AccessError::Stranger(user))?;
        if row.at::<Option<bool>>(1)? == Some(true) {
            return Err(AccessError::Disabled(user));
        }
        let unit = row.at::<Option<Uuid>>(0)?.unwrap_or(crate::seed::BUSINESS_UNIT);
        let mode = row.at::<Option<i64>>(2)?.unwrap_or(0);
        let teams = teams(tx, "teammembership", "systemuserid", user).await?;
        let mut principals = vec![units.principal(user, unit)];
        principals.extend(teams.iter().map(|(team, unit)| units.principal(*team, *unit)));
        assemble(tx, schema, version, mode, principals).await
    }

    /// A team by itself, as if it were a user: what its own roles give.
    pub(crate) async fn of_team(
        tx: &mut Tx,
        schema: &Arc<Schema>,
        team: Uuid,
    ) -> Result<Caller, AccessError> {
        let version = version(tx).await?;
        let units = Units::read(tx).await?;
        let select = Query::select()
            .column("businessunitid")
            .from("crm_team")
            .and_where(Expr::col("teamid").eq(team))
            .to_owned();
        let row = tx.query_one(&select).await?.ok_or(AccessError::Stranger(team))?;
        let unit = row.at::<Option<Uuid>>(0)?.unwrap_or(crate::seed::BUSINESS_UNIT);
        assemble(tx, schema, version, 0, vec![units.principal(team, unit)]).await
    }
}

async fn assemble(
    tx: &mut Tx,
    schema: &Arc<Schema>,
    version: i64,
    mode: i64,
    mut principals: Vec<Principal>,
) -> Result<Caller, AccessError> {
    roles(tx, &mut principals).await?;
    levels(tx, &mut principals).await?;
    let ids: Vec<Uuid> = principals.iter().map(|principal| principal.id).collect();
    let shares = shares(tx, &ids).await?;
    let columns = columns(tx, ids[0], &ids[1..]).await?;
    Ok(Caller {
        user: ids[0],
        acting: None,
        unit: principals[0].unit,
        units_below: principals[0].below.clone(),
        teams: ids[1..].to_vec(),
        version,
        mode,
        schema: schema.clone(),
        rights: Rights(principals),
        cap: None,
        shares,
        columns,
    })
}

/// The tree of business units.
struct Units(Vec<(Uuid, Option<Uuid>)>);

impl Units {
    async fn read(tx: &mut Tx) -> Result<Units, Error> {
        let select = Query::select()
            .columns(["businessunitid", "parentbusinessunitid"])
            .from("crm_businessunit")
            .to_owned();
        let rows = tx.query(&select).await?;
        let pairs: Result<Vec<_>, Error> = rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect();
        Ok(Units(pairs?))
    }

    fn principal(&self, id: Uuid, unit: Uuid) -> Principal {
        Principal { id, unit, below: self.below(unit), ..Principal::default() }
    }

    /// A unit and all below it. A circle, which nobody should make, ends.
    fn below(&self, unit: Uuid) -> Arc<[Uuid]> {
        let mut found = vec![unit];
        let mut seen = BTreeSet::from([unit]);
        let mut at = 0;
        while at < found.len() {
            let children = self.0.iter().filter(|(_, parent)| *parent == Some(found[at]));
            let children: Vec<Uuid> =
                children.map(|(child, _)| *child).filter(|child| seen.insert(*child)).collect();
            found.extend(children);
            at += 1;
        }
        found.into()
    }
}

/// The teams that a table of pairs names beside `id`, with their units. Teams that are gone are left out.
async fn teams(tx: &mut Tx, pairs: &str, column: &'static str, id: Uuid) -> Result<Vec<(Uuid, Uuid)>, Error> {
    let storage = format!("crm_{pairs}");
    let mut select = Query::select();
    select
        .distinct()
        .column(("crm_team", "teamid"))
        .column(("crm_team", "businessunitid"))
        .from(storage.clone())
        .inner_join("crm_team", Expr::col(("crm_team", "teamid")).equals((storage.clone(), "teamid")))
        .and_where(Expr::col((storage, column)).eq(id));
    let rows = tx.query(&select).await?;
    rows.iter()
        .map(|row| Ok((row.at(0)?, row.at::<Option<Uuid>>(1)?.unwrap_or(crate::seed::BUSINESS_UNIT))))
        .collect()
}

/// The roles of each. Roles that are gone give nothing.
async fn roles(tx: &mut Tx, principals: &mut [Principal]) -> Result<(), Error> {
    let ids: Vec<Uuid> = principals.iter().map(|principal| principal.id).collect();
    for (table, column) in [("crm_systemuserroles", "systemuserid"), ("crm_teamroles", "teamid")] {
        let mut select = Query::select();
        select
            .distinct()
            .column((table, column))
            .column((table, "roleid"))
            .from(table)
            .inner_join("crm_role", Expr::col(("crm_role", "roleid")).equals((table, "roleid")))
            .and_where(Expr::col((table, column)).is_in(ids.iter().copied()));
        for row in tx.query(&select).await? {
            let (holder, role): (Uuid, Uuid) = (row.at(0)?, row.at(1)?);
            principals.iter_mut().filter(|one| one.id == holder).for_each(|one| one.roles.push(role));
        }
    }
    Ok(())
}

/// What the stored roles give. The deepest of several counts.
async fn levels(tx: &mut Tx, principals: &mut [Principal]) -> Result<(), Error> {
    let roles: BTreeSet<Uuid> = principals.iter().flat_map(|one| one.roles.iter().copied()).collect();
    if roles.is_empty() {
        return Ok(());
    }
    for row in tx.query(&privileges_of(roles)).await? {
        let (role, privilege): (Uuid, Uuid) = (row.at(0)?, row.at(1)?);
        let level = Level::of_mask(row.at::<Option<i64>>(2)?.unwrap_or(0));
        for one in principals.iter_mut().filter(|one| one.roles.contains(&role)) {
            let have = one.levels.entry(privilege).or_default();
            *have = level.max(*have);
        }
    }
    Ok(())
}

/// Role, privilege, mask, and the row that says so.
pub(super) fn privileges_of(roles: impl IntoIterator<Item = Uuid>) -> SelectStatement {
    Query::select()
        .columns(["roleid", "privilegeid", "privilegedepthmask", "roleprivilegeid"])
        .from("crm_roleprivileges")
        .and_where(Expr::col("roleid").is_in(roles))
        .to_owned()
}

async fn shares(tx: &mut Tx, principals: &[Uuid]) -> Result<BTreeMap<String, BTreeSet<i64>>, Error> {
    let select = Query::select()
        .distinct()
        .columns(["objecttypecode", "accessrightsmask", "inheritedaccessrightsmask"])
        .from("crm_principalobjectaccess")
        .and_where(Expr::col("principalid").is_in(principals.iter().copied()))
        .to_owned();
    let mut shares: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for row in tx.query(&select).await? {
        let masks = shares.entry(row.at::<Option<String>>(0)?.unwrap_or_default()).or_default();
        for place in [1, 2] {
            masks.extend(row.at::<Option<i64>>(place)?.filter(|mask| *mask != 0));
        }
    }
    Ok(shares)
}

/// Every secured column, with what the profiles of the user and his teams allow.
async fn columns(tx: &mut Tx, user: Uuid, teams: &[Uuid]) -> Result<ColumnRights, Error> {
    let select = Query::select()
        .columns([
            "fieldsecurityprofileid",
            "entityname",
            "attributelogicalname",
            "canread",
            "cancreate",
            "canupdate",
        ])
        .from("crm_fieldpermission")
        .to_owned();
    let permissions = tx.query(&select).await?;
    if permissions.is_empty() {
        return Ok(ColumnRights::default());
    }
    let mut profiles = of_profiles(tx, "crm_systemuserprofiles", "systemuserid", &[user]).await?;
    profiles.extend(of_profiles(tx, "crm_teamprofiles", "teamid", teams).await?);
    let mut rights = ColumnRights::default();
    for row in permissions {
        let text = |place| row.at::<Option<String>>(place).map(Option::unwrap_or_default);
        let may = |place| row.at::<Option<i64>>(place).map(|may| may.unwrap_or(0) != 0);
        let have = rights.0.entry((text(1)?, text(2)?)).or_default();
        if row.at::<Option<Uuid>>(0)?.is_some_and(|profile| profiles.contains(&profile)) {
            *have = have.or(Permission { read: may(3)?, create: may(4)?, update: may(5)? });
        }
    }
    Ok(rights)
}

async fn of_profiles(
    tx: &mut Tx,
    table: &'static str,
    column: &'static str,
    ids: &[Uuid],
) -> Result<BTreeSet<Uuid>, Error> {
    let select = Query::select()
        .column("fieldsecurityprofileid")
        .from(table)
        .and_where(Expr::col(column).is_in(ids.iter().copied()))
        .to_owned();
    tx.query(&select).await?.iter().map(|row| row.at(0)).collect()
}
