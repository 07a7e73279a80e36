//! Rights: shares and the privileges of roles (dataverse.md G, protocol annex 8.2). What they change is found to be allowed
//! in the unit that writes it: the rows are nobody's to write. Shares wait for the set that they are part of; roles change
//! at once.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::{Change, ChangeSet, RecordRef};
use postroom_store::Tx;
use std::sync::Arc;
use uuid::Uuid;

use super::ask::{Ask, guid, member, reference};
use super::{Parameter, Prepared};
use crate::access::{
    self, AccessError, AccessRights, Caller, Grant, Level, Privilege, RolePrivilege, Share, Sharing,
};
use crate::failure::Failure;
use crate::lot::{self, Writer};
use crate::schema::Schema;

/// What is done to a role.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Add,
    Replace,
    Remove,
}

/// GrantAccess and ModifyAccess: `what` is done with the rights given.
pub(super) fn share(ask: &Ask<'_>, what: fn(AccessRights) -> Sharing) -> Result<Prepared, Failure> {
    let target = ask.needed("Target", None)?;
    let (principal, rights) = given(ask)?;
    Ok(Prepared::share(Share { what: what(rights), target, principal }))
}

pub(super) fn revoke(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let target = ask.needed("Target", None)?;
    let principal = ask.needed("Revokee", None)?;
    Ok(Prepared::share(Share { what: Sharing::Revoke, target, principal }))
}

/// `PrincipalAccess {Principal, AccessMask}`; the mask by name or number.
fn given(ask: &Ask<'_>) -> Result<(RecordRef, AccessRights), Failure> {
    let access = ask.need("PrincipalAccess")?;
    let wrong =
        || ask.unfit("PrincipalAccess", "a Principal with an AccessMask such as ReadAccess, WriteAccess");
    let principal =
        member(access, "Principal").and_then(|value| reference(&value, None)).ok_or_else(wrong)?;
    let rights = match member(access, "AccessMask") {
        Some(Parameter::Text(text)) => AccessRights::parse(&text),
        Some(Parameter::Int(mask)) => Some(AccessRights(mask)),
        _ => None,
    };
    Ok((principal, rights.ok_or_else(wrong)?))
}

pub(super) async fn change_role(ask: &Ask<'_>, what: Role) -> Result<Prepared, Failure> {
    let role = ask.target("RoleId", "role")?.id;
    let (grants, privilege) = match what {
        Role::Remove => {
            let name = if ask.get("Privilege").is_some() { "Privilege" } else { "PrivilegeId" };
            (Vec::new(), ask.needed(name, Some("privilege"))?.id)
        }
        Role::Add | Role::Replace => (grants(ask)?, Uuid::nil()),
    };
    at_once(ask, move |tx, caller| {
        async move {
            match what {
                Role::Add => access::add_privileges(tx, &caller, role, &grants).await,
                Role::Replace => access::replace_privileges(tx, &caller, role, &grants).await,
                Role::Remove => access::remove_privilege(tx, &caller, role, privilege).await,
            }
        }
        .boxed()
    })
    .await
}

fn grants(ask: &Ask<'_>) -> Result<Vec<Grant>, Failure> {
    let wrong = || ask.unfit("Privileges", "a list of PrivilegeId with Depth");
    let Parameter::List(all) = ask.need("Privileges")? else { return Err(wrong()) };
    let one = |value: &Parameter| {
        let depth = match member(value, "Depth")? {
            Parameter::Text(name) => Level::of_name(&name)?,
            // `PrivilegeDepth`: Basic 0 to Global 3; the first level here is none.
            Parameter::Int(number) => *Level::ALL.get(usize::try_from(number).ok()? + 1)?,
            _ => return None,
        };
        Some(Grant { privilege: guid(&member(value, "PrivilegeId")?)?, depth })
    };
    all.iter().map(|value| one(value).ok_or_else(wrong)).collect()
}

pub(super) async fn principal_access(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let principal = match &ask.message.target {
        Some(at) => at.clone(),
        None => ask.needed("Principal", None)?,
    };
    let target = ask.needed("Target", None)?;
    let cache = ask.session.crm().cache.clone();
    let rights = ask.session.crm().store.read(move |tx| {
        async move {
            let schema = cache.current(tx).await?;
            access::principal_access(tx, &schema, &principal, &target).await
        }
        .boxed()
    });
    let rights: Result<AccessRights, AccessError> = rights.await;
    Ok(Prepared::answer(vec![("AccessRights", Parameter::Text(rights?.to_string()))]))
}

pub(super) async fn user_privileges(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let mut held = held(ask, ask.target("UserId", "systemuser")?).await?;
    if let Some(Parameter::List(names)) = ask.get("PrivilegeNames") {
        let named = |name: &str| names.contains(&Parameter::Text(name.to_owned()));
        held.retain(|one| named(&one.privilege.name));
    }
    Ok(told(&held))
}

pub(super) async fn team_privileges(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    Ok(told(&held(ask, ask.target("TeamId", "team")?).await?))
}

/// What a user or a team has, for those who may read it.
async fn held(ask: &Ask<'_>, holder: RecordRef) -> Result<Vec<RolePrivilege>, Failure> {
    ask.row(&holder, &[]).await?;
    let cache = ask.session.crm().cache.clone();
    let caller = ask.session.crm().store.read(move |tx| {
        async move {
            let schema = cache.current(tx).await?;
            match holder.table.as_str() {
                "team" => Caller::of_team(tx, &schema, holder.id).await,
                _ => Caller::load(tx, &schema, holder.id, None).await,
            }
        }
        .boxed()
    });
    let caller: Result<Caller, AccessError> = caller.await;
    Ok(access::user_privileges(&caller?))
}

fn told(held: &[RolePrivilege]) -> Prepared {
    let shown = held.iter().map(|one| privilege(&one.privilege, one.depth, one.unit)).collect();
    Prepared::answer(vec![("RolePrivileges", Parameter::List(shown))])
}

pub(super) async fn role_privileges(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let role = ask.target("RoleId", "role")?;
    let row = ask.row(&role, &["businessunitid"]).await?;
    let unit = row.lookup("businessunitid").map_or(crate::seed::BUSINESS_UNIT, |unit| unit.id);
    let cache = ask.session.crm().cache.clone();
    let given = ask.session.crm().store.read(move |tx| {
        async move {
            let schema: Arc<Schema> = cache.current(tx).await?;
            access::role_privileges(tx, &schema, role.id).await
        }
        .boxed()
    });
    let given: Result<Vec<(Privilege, Level)>, postroom_store::Error> = given.await;
    let shown = given?.iter().map(|(one, depth)| privilege(one, *depth, unit)).collect();
    Ok(Prepared::answer(vec![("RolePrivileges", Parameter::List(shown))]))
}

/// With whom a row is shared, for those who may read it.
pub(super) async fn shared_with(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let target = ask.needed("Target", None)?;
    ask.row(&target, &[]).await?;
    let read =
        ask.session.crm().store.read(move |tx| async move { access::shared_with(tx, &target).await }.boxed());
    let shares: Result<Vec<(RecordRef, AccessRights)>, postroom_store::Error> = read.await;
    let shown = shares?.into_iter().map(|(principal, rights)| {
        Parameter::Members(vec![
            ("AccessMask".to_owned(), Parameter::Text(rights.to_string())),
            ("Principal".to_owned(), Parameter::Reference(principal)),
        ])
    });
    Ok(Prepared::answer(vec![("PrincipalAccesses", Parameter::List(shown.collect()))]))
}

fn privilege(privilege: &Privilege, depth: Level, unit: Uuid) -> Parameter {
    let member = |name: &str, value| (name.to_owned(), value);
    Parameter::Members(vec![
        member("Depth", Parameter::Text(depth.name().to_owned())),
        member("PrivilegeId", Parameter::Guid(privilege.id)),
        member("BusinessUnitId", Parameter::Guid(unit)),
        member("PrivilegeName", Parameter::Text(privilege.name.clone())),
        member("RecordFilterId", Parameter::Guid(Uuid::nil())),
        member("RecordFilterUniqueName", Parameter::Text(String::new())),
    ])
}

/// Finds out what to change and changes it in one unit, as the platform itself.
async fn at_once<F>(ask: &Ask<'_>, work: F) -> Result<Prepared, Failure>
where
    F: for<'t> FnOnce(&'t mut Tx, Arc<Caller>) -> BoxFuture<'t, Result<Vec<Change>, AccessError>>
        + Send
        + 'static,
{
    let asks = ask.session.asks();
    let cache = ask.session.crm().cache.clone();
    let writer = Writer { acting: ask.session.user(), now: ask.session.now() };
    let unit = ask.session.crm().change(move |tx| {
        async move {
            let schema = cache.current(tx).await?;
            // Writers go one after the other: what is found to be allowed stays so until it is written.
            lot::begin(tx).await?;
            let caller = asks.caller(tx, &schema).await?;
            let changes = work(tx, caller).await?;
            if changes.is_empty() {
                return Ok(Ok(()));
            }
            let mut answers = lot::apply(tx, schema, writer, None, vec![ChangeSet { changes }]).await?;
            Ok(answers.pop().expect("one set gives one answer").map(drop))
        }
        .boxed()
    });
    let done: Result<Result<(), Failure>, AccessError> = unit.await;
    done??;
    Ok(Prepared::default())
}
