//! Rows made, changed and deleted: messages as changes and what to answer once these are made (dataverse.md E4, E5).

use postroom_core::{Change, ChangeSet, Outcome, Record, RecordRef, Value};
use postroom_formats::soap::request::{Request, Response};
use postroom_formats::soap::value::{Any, Entity, EntityReference};

use super::call::Call;
use super::input::{self, Given};
use super::stop::Stop;
use super::{Ability, message, parties, relate, several};
use crate::access::Share;
use crate::webapi::{Problem, codes};

/// `ConcurrencyVersionNotProvided`.
const NO_VERSION: u32 = 0x8006_0883;

/// A message ready to be done.
pub(super) struct Prepared {
    pub changes: Vec<Change>,
    pub share: Option<Share>,
    pub then: Then,
}

/// What to answer when the changes are made.
pub(super) enum Then {
    Results(Vec<(String, Any)>),
    /// This row; the change at this place says whether it is new.
    Upserted {
        at: RecordRef,
        change: usize,
    },
    /// Several of those.
    AllUpserted(Vec<(RecordRef, usize)>),
}

impl Prepared {
    pub(super) fn silent(changes: Vec<Change>) -> Self {
        Prepared { changes, share: None, then: Then::Results(Vec::new()) }
    }
}

/// Does one message.
pub(super) async fn run(call: &Call<'_>, request: &Request) -> Result<Response, Stop> {
    let prepared = prepare(call, request).await?;
    let shares: Vec<(usize, Share)> = prepared.share.into_iter().map(|share| (0, share)).collect();
    let outcomes = match prepared.changes.is_empty() && shares.is_empty() {
        true => Vec::new(),
        false => call.session.write_shared(ChangeSet { changes: prepared.changes }, shares).await?,
    };
    Ok(finish(call, &request.name, prepared.then, &outcomes))
}

/// Reads a message that changes rows. Nothing is written yet.
pub(super) async fn prepare(call: &Call<'_>, request: &Request) -> Result<Prepared, Stop> {
    if request.get("ConcurrencyBehavior").is_some() && !call.has(Ability::Concurrency) {
        return Err(Stop::bad("Unrecognized request parameter: ConcurrencyBehavior"));
    }
    match request.name.as_str() {
        "Create" => create(call, entity(request)?).await,
        "Update" => update(call, request).await,
        "Delete" => delete(call, request).await,
        "Upsert" => upsert(call, entity(request)?).await,
        "Associate" | "Disassociate" => relate::prepare(call, request).await,
        "SetState" => set_state(call, request).await,
        "Assign" => assign(call, request).await,
        "CreateMultiple" | "UpdateMultiple" | "UpsertMultiple" => several::rows(call, request).await,
        _ => message::prepare(call, request).await,
    }
}

/// Answers what was prepared; `outcomes` are those of its own changes.
pub(super) fn finish(call: &Call<'_>, name: &str, then: Then, outcomes: &[Outcome]) -> Response {
    let created = |change: usize| outcomes.get(change) == Some(&Outcome::Created);
    let upserted = |at: &RecordRef, change: usize| {
        vec![
            ("RecordCreated".to_owned(), Any::Boolean(created(change))),
            ("Target".to_owned(), Any::EntityReference(EntityReference::new(at.table.as_str(), at.id))),
        ]
    };
    let results = match then {
        Then::Results(results) => results,
        Then::Upserted { at, change } => upserted(&at, change),
        Then::AllUpserted(rows) => {
            let rows = rows
                .iter()
                .map(|(at, change)| Response { results: upserted(at, *change), ..Response::new("Upsert") });
            vec![("Results".to_owned(), several::upserts(rows.collect(), call.wire()))]
        }
    };
    Response { results, ..Response::new(name) }
}

/// The `Target` of a message.
pub(super) fn entity(request: &Request) -> Result<&Entity, Stop> {
    match request.get("Target") {
        Some(Any::Entity(entity)) => Ok(entity),
        _ => Err(Stop::parameter(&request.name, "Target", "Entity")),
    }
}

pub(super) fn reference<'r>(request: &'r Request, name: &str) -> Result<&'r EntityReference, Stop> {
    match request.get(name) {
        Some(Any::EntityReference(to)) => Ok(to),
        _ => Err(Stop::parameter(&request.name, name, "EntityReference")),
    }
}

/// A new row with its parts.
pub(super) fn made(given: Given) -> Vec<Change> {
    let mut changes = vec![Change::CreateNew(given.record)];
    changes.extend(given.lists.into_iter().flat_map(|(_, rows)| rows).map(Change::CreateNew));
    changes.extend(given.more);
    changes
}

/// A changed row with its parts.
pub(super) async fn changed(call: &Call<'_>, given: Given) -> Result<Vec<Change>, Stop> {
    let lists = parties::replace(call, &given.record.at, given.lists).await?;
    let mut changes = vec![Change::Update(given.record)];
    changes.extend(lists);
    changes.extend(given.more);
    Ok(changes)
}

/// Rows that only stand and fall with others are not made or changed by themselves.
fn own(message: &str, call: &Call<'_>, table: &str) -> Result<(), Stop> {
    let info = call.table(table)?;
    let part = ["activityparty", "activitypointer"].contains(&table);
    match part || message == "Create" && info.is_intersect {
        true => {
            let text = format!("The '{message}' method does not support entities of type '{table}'.");
            Err(Stop::coded(codes::NOT_SUPPORTED, text))
        }
        false => Ok(()),
    }
}

/// The changes of a new row, and its id.
pub(super) async fn creation(call: &Call<'_>, entity: &Entity) -> Result<(RecordRef, Vec<Change>), Stop> {
    let table = call.table(&entity.logical_name)?;
    own("Create", call, &table.logical_name)?;
    let id = input::own_id(table, entity).unwrap_or_else(|| call.id());
    let at = RecordRef::new(&table.logical_name, id);
    let mut given = input::row(call, at.clone(), entity, true).await?;
    if call.names_keys(&entity.keys) {
        for (name, any) in &entity.keys {
            let value = input::value(call, table, name, any).await?;
            input::put(&mut given.record, name, value);
        }
    }
    Ok((at, made(given)))
}

async fn create(call: &Call<'_>, entity: &Entity) -> Result<Prepared, Stop> {
    let (at, changes) = creation(call, entity).await?;
    Ok(Prepared { changes, share: None, then: Then::Results(vec![("id".to_owned(), Any::Guid(at.id))]) })
}

/// The row that an entity means: by its id, else by a key. `None`: a key that no row has.
async fn target(call: &Call<'_>, entity: &Entity) -> Result<Option<RecordRef>, Stop> {
    let table = call.table(&entity.logical_name)?;
    let id = match input::own_id(table, entity) {
        Some(id) => Some(id),
        None if call.names_keys(&entity.keys) => call.keyed(&entity.logical_name, &entity.keys).await?,
        None => return Err(Stop::bad(format!("Entity Id must be specified for {}", entity.logical_name))),
    };
    Ok(id.map(|id| RecordRef::new(&entity.logical_name, id)))
}

/// The changes of an update.
pub(super) async fn alteration(call: &Call<'_>, entity: &Entity) -> Result<Vec<Change>, Stop> {
    own("Update", call, &entity.logical_name)?;
    let at = target(call, entity).await?.ok_or_else(|| Problem::no_key(&entity.logical_name))?;
    let given = input::row(call, at, entity, false).await?;
    changed(call, given).await
}

async fn update(call: &Call<'_>, request: &Request) -> Result<Prepared, Stop> {
    let entity = entity(request)?;
    let mut changes = alteration(call, entity).await?;
    if let Some(version) = version(request, entity.row_version.as_deref())?
        && let Some(Change::Update(record)) = changes.first()
    {
        changes[0] = Change::UpdateIf(record.clone(), version);
    }
    Ok(Prepared::silent(changes))
}

/// The version that the row must still have.
fn version(request: &Request, given: Option<&str>) -> Result<Option<i64>, Stop> {
    match request.get("ConcurrencyBehavior").and_then(Any::as_str) {
        None | Some("Default" | "AlwaysOverwrite" | "") => Ok(None),
        Some("IfRowVersionMatches") => {
            let text = "The RowVersion property must be provided when the value of ConcurrencyBehavior is \
                        IfVersionMatches.";
            let given = given.ok_or_else(|| Stop::coded(NO_VERSION, text))?;
            given.parse().map(Some).map_err(|_| Problem::version().into())
        }
        Some(other) => Err(Stop::bad(format!("{other:?} is no ConcurrencyBehavior"))),
    }
}

async fn delete(call: &Call<'_>, request: &Request) -> Result<Prepared, Stop> {
    let target = reference(request, "Target")?;
    own("Delete", call, &target.table)?;
    let version = version(request, target.row_version.as_deref())?;
    let at = call.row(target).await?;
    Ok(Prepared::silent(vec![Change::DeleteIf(at, version)]))
}

/// The changes of an upsert, and the row; the first change is the row's.
pub(super) async fn either(call: &Call<'_>, entity: &Entity) -> Result<(RecordRef, Vec<Change>), Stop> {
    own("Create", call, &entity.logical_name)?;
    let table = call.table(&entity.logical_name)?;
    let Some(at) = target(call, entity).await? else { return creation(call, entity).await };
    if input::own_id(table, entity).is_none() {
        return Ok((at, alteration(call, entity).await?));
    }
    let found = call.there(&at).await.is_ok();
    let given = input::row(call, at.clone(), entity, !found).await?;
    let record = given.record.clone();
    let mut changes = match found {
        true => changed(call, given).await?,
        false => made(given),
    };
    // Whichever it was a moment ago: both are right now.
    changes[0] = Change::Upsert(record);
    Ok((at, changes))
}

async fn upsert(call: &Call<'_>, entity: &Entity) -> Result<Prepared, Stop> {
    let (at, changes) = either(call, entity).await?;
    Ok(Prepared { changes, share: None, then: Then::Upserted { at, change: 0 } })
}

async fn set_state(call: &Call<'_>, request: &Request) -> Result<Prepared, Stop> {
    let option = |name: &str| match request.get(name) {
        Some(Any::OptionSetValue(value) | Any::Int(value)) => Ok(i64::from(*value)),
        _ => Err(Stop::parameter(&request.name, name, "OptionSetValue")),
    };
    let (state, status) = (option("State")?, option("Status")?);
    let at = call.row(reference(request, "EntityMoniker")?).await?;
    let mut record = Record::new(at).with("statecode", state);
    // -1 is the state's usual status.
    if status >= 0 {
        record = record.with("statuscode", status);
    }
    Ok(Prepared::silent(vec![Change::Update(record)]))
}

async fn assign(call: &Call<'_>, request: &Request) -> Result<Prepared, Stop> {
    let at = call.row(reference(request, "Target")?).await?;
    let to = call.row(reference(request, "Assignee")?).await?;
    Ok(Prepared::silent(vec![Change::Update(Record::new(at).with("ownerid", Value::Lookup(to)))]))
}
