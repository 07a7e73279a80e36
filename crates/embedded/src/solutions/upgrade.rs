//! Solutions that take another one's place: holding solutions and their promotion, patches and what becomes of them.
//!
//! * A **holding** solution is the new version of a managed one, imported beside it as `NAME_Upgrade`. Its components are
//!   there at once; what only the old version has stays until DeleteAndPromote takes it away with the old version and its
//!   patches, and gives the holding solution the name.
//! * A **patch** holds a few components of an unmanaged solution under a version of the same major and minor number. As long
//!   as there is one, its parent is locked. CloneAsSolution takes all patches into the parent, under a higher version.
//!
//! Source: dataverse.md A18 and F3; the texts of refusals are ours where the reference has none. Not here: what a patch's
//! file says of its parent (the file is one of the components alone).

use std::collections::HashSet;

use futures_util::FutureExt;
use postroom_core::{Change, Crm, Filter, Ids, Query, Record, RecordRef, Value};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::held::{self, Component};
use super::import::{by_name, numbers};
use super::{codes, remove};
use crate::failure::Failure;
use crate::lot::Writer;
use crate::messages::{codes as message_codes, refuse};
use crate::schema::registry;
use crate::session::Session;
use crate::solutions::remove::put;

/// What a holding solution is called until it is promoted.
pub(super) const HOLDING: &str = "_Upgrade";

/// DeleteAndPromote: the id of the solution that has the name now.
///
/// # Errors
/// When one of the two is not there, or what goes is still needed.
pub(crate) async fn promote(session: &Session, name: &str) -> Result<Uuid, Failure> {
    session.check_misc("prvImportCustomization").await?;
    let (cache, name) = (session.crm().cache.clone(), name.to_owned());
    let writer = Writer { acting: session.user(), now: session.now() };
    let unit = session.crm().shape(move |tx| {
        async move {
            registry::lock(tx).await?;
            let columns = ["ismanaged", "uniquename"];
            let old = by_name(tx, "solution", "solutionid", &name, &columns).await?;
            let holding = format!("{name}{HOLDING}");
            let new = by_name(tx, "solution", "solutionid", &holding, &columns).await?;
            let (Some(old), Some(new)) = (old, new) else {
                let text = format!(
                    "The solution {name} cannot be promoted: both {name} and {holding} must be installed. Import the new \
                     version with HoldingSolution first."
                );
                return Err(refuse(codes::NO_SOLUTION, text));
            };
            if old.at::<Option<bool>>(1)? != Some(true) {
                let text = format!("The solution {name} is not managed, so nothing takes its place.");
                return Err(refuse(codes::UNMANAGED_THERE, text));
            }
            let (old_id, new_id): (Uuid, Uuid) = (old.at(0)?, new.at(0)?);
            let kept: String = old.at::<Option<String>>(2)?.unwrap_or(name);
            for gone in patches_in(tx, old_id).await?.into_iter().chain([old_id]) {
                let held = held::all(tx).await?;
                let own = held.iter().filter(|(_, solution, _)| *solution == gone);
                let own = own.map(|(object, _, kind)| (*object, *kind)).collect();
                remove::take(tx, &cache, writer, gone, own).await?;
                put(tx, &cache, writer, vec![Change::Delete(RecordRef::new("solution", gone))]).await?;
            }
            let named = Record::new(RecordRef::new("solution", new_id)).with("uniquename", kept);
            put(tx, &cache, writer, vec![Change::Update(named)]).await?;
            registry::renew(tx).await?;
            Ok(new_id)
        }
        .boxed()
    });
    unit.await
}

/// The solutions that are patches of this one.
async fn patches_in(tx: &mut Tx, parent: Uuid) -> Result<Vec<Uuid>, Error> {
    remove::related(tx, "solution", "solutionid", "parentsolutionid", &[parent]).await
}

/// The rows of the patches of a solution.
pub(super) async fn patches(crm: &crate::Embedded, parent: Uuid) -> Result<Vec<Record>, Failure> {
    let of = Filter::eq("parentsolutionid", Value::Lookup(RecordRef::new("solution", parent)));
    let query = Query::of("solution").select(&["uniquename", "version"]).filter(of);
    Ok(Crm::query(crm, &query).await?)
}

/// CloneAsPatch: a new, empty patch of an unmanaged solution; its id.
///
/// # Errors
/// A parent that is managed or a patch itself, and a version that is not newer or has other first numbers.
pub(crate) async fn patch(
    session: &Session,
    ids: &Ids,
    parent: &str,
    label: &str,
    version: &str,
) -> Result<Uuid, Failure> {
    session.check_misc("prvWriteEntity").await?;
    let row = parent_of_patches(session, parent).await?;
    let have = newest(session, &row).await?;
    let wanted = numbers(version);
    if wanted[..2] != have[..2] || wanted <= have {
        let text = format!(
            "The version {version} is none of a patch of {parent}: its first two numbers must be {}.{}, and the others \
             higher than {}.{}.",
            have[0], have[1], have[2], have[3]
        );
        return Err(refuse(codes::SOLUTION_VERSION, text));
    }
    let id = ids.next();
    let short: String = id.simple().to_string().chars().take(8).collect();
    let unique: String = parent.chars().take(50).collect();
    let patch = Record::new(RecordRef::new("solution", id))
        .with("uniquename", format!("{unique}_Patch_{short}"))
        .with("friendlyname", label)
        .with("version", version)
        .with("ismanaged", false)
        .with("isvisible", true)
        .with("parentsolutionid", row.at.clone())
        .with("publisherid", row.lookup("publisherid").map_or(Value::Null, |at| Value::Lookup(at.clone())))
        .with("installedon", session.now());
    held::write(session.crm(), session.user(), vec![Change::CreateNew(patch)]).await?;
    Ok(id)
}

/// CloneAsSolution: the patches become part of their parent; its id.
///
/// # Errors
/// A parent that is managed or a patch itself, and a version that is not newer than all of them.
pub(crate) async fn roll_up(
    session: &Session,
    parent: &str,
    label: &str,
    version: &str,
) -> Result<Uuid, Failure> {
    session.check_misc("prvWriteEntity").await?;
    let row = parent_of_patches(session, parent).await?;
    let have = newest(session, &row).await?;
    if numbers(version)[..2] <= have[..2] {
        let text = format!(
            "The version {version} of {parent} must be higher than {}.{} in its first two numbers.",
            have[0], have[1]
        );
        return Err(refuse(codes::SOLUTION_VERSION, text));
    }
    let (crm, parent) = (session.crm(), row.at.id);
    let mut changes = Vec::new();
    let mut held: HashSet<Uuid> = HashSet::new();
    for component in held::of_solution(crm, parent).await? {
        held.insert(component.object);
    }
    for patch in patches(crm, parent).await? {
        for component in held::of_solution(crm, patch.at.id).await? {
            changes.push(Change::Delete(held::row_at(patch.at.id, component.object)));
            if held.insert(component.object) {
                changes.push(Change::Upsert(Component::row(&component, parent)));
            }
        }
        changes.push(Change::Delete(patch.at));
    }
    let renewed = Record::new(row.at.clone()).with("version", version).with("friendlyname", label);
    changes.push(Change::Update(renewed));
    held::write(crm, session.user(), changes).await?;
    Ok(parent)
}

/// An unmanaged solution that is no patch.
async fn parent_of_patches(session: &Session, name: &str) -> Result<Record, Failure> {
    let row = held::solution(session.crm(), name).await?;
    if row.get("ismanaged") == Some(&Value::Bool(true)) {
        let text =
            format!("The solution {name} is managed: only unmanaged solutions have patches made of them.");
        return Err(refuse(codes::EXPORT_MANAGED, text));
    }
    if row.lookup("parentsolutionid").is_some() {
        let text = format!("The solution {name} is a patch itself: name its parent.");
        return Err(refuse(message_codes::NOT_SUPPORTED, text));
    }
    Ok(row)
}

/// The highest version among a solution and its patches.
async fn newest(session: &Session, row: &Record) -> Result<Vec<u32>, Failure> {
    let of = |row: &Record| numbers(row.text("version").unwrap_or_default());
    let patches = patches(session.crm(), row.at.id).await?;
    Ok(patches.iter().map(of).chain([of(row)]).max().unwrap_or_default())
}
