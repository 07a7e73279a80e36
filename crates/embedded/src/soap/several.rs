//! Many messages at once, and messages of many rows (dataverse.md E5).
//!
//! * `ExecuteMultiple`: one after the other, each by itself. Where the caller goes on after errors, neighbours that read
//!   nothing are written in one unit of the store.
//! * `ExecuteTransaction`: one set of changes. A message sees what was there before the transaction, and the rows that it
//!   names itself as the messages before it leave them; references to rows that it makes are fine in any order. What fails is found by trying ever shorter beginnings, none of which stays.
//! * `CreateMultiple`, `UpdateMultiple`, `UpsertMultiple`: one set of rows of one table.

use postroom_core::{Change, ChangeSet, RecordRef};
use postroom_formats::soap::Generation as Wire;
use postroom_formats::soap::names::{GENERIC, XRM};
use postroom_formats::soap::request::{Request, Response, ResponseItem};
use postroom_formats::soap::value::{Any, Entity};
use uuid::Uuid;

use super::call::Call;
use super::stop::Stop;
use super::write::{self, Prepared, Then};
use super::{define, execute, message};
use crate::access::Share;
use crate::failure::Failure;
use crate::messages;
use crate::rules::Refusal;
use crate::session::Session;

/// Messages in one at most.
const MOST: usize = 1000;
/// A table that there cannot be.
const NOWHERE: &str = "?";

fn requests(request: &Request) -> Result<&[Request], Stop> {
    let requests = match request.get("Requests") {
        Some(Any::Requests(requests)) => requests,
        _ => return Err(Stop::parameter(&request.name, "Requests", "OrganizationRequestCollection")),
    };
    if requests.len() > MOST {
        let text = format!(
            "The request batch size of {} exceeds the maximum batch size allowed, which is {MOST}.",
            requests.len()
        );
        return Err(Stop::bad(text));
    }
    match requests
        .iter()
        .find(|inner| ["ExecuteMultiple", "ExecuteTransaction"].contains(&inner.name.as_str()))
    {
        Some(inner) => Err(Stop::bad(format!("{} cannot stand within {}", inner.name, request.name))),
        None => Ok(requests),
    }
}

/// `ExecuteMultiple`.
pub(super) async fn multiple(call: &Call<'_>, request: &Request) -> Result<Response, Stop> {
    let requests = requests(request)?;
    let Some(Any::Settings(settings)) = request.get("Settings") else {
        return Err(Stop::parameter(&request.name, "Settings", "ExecuteMultipleSettings"));
    };
    let mut items = Vec::new();
    let mut faulted = false;
    let mut own = call.fresh().await?;
    let mut next = 0;
    while next < requests.len() {
        let together = match settings.continue_on_error {
            true => requests[next..].iter().take_while(|request| reads_nothing(request)).count(),
            false => 0,
        };
        let answers = match together {
            0 | 1 => vec![execute::single(&own, &requests[next]).await],
            count => neighbours(&own, &requests[next..next + count]).await,
        };
        let first = next;
        next += answers.len();
        for (place, answer) in answers.into_iter().enumerate() {
            let index = i32::try_from(first + place).unwrap_or(i32::MAX);
            match answer {
                Ok(response) if settings.return_responses => {
                    items.push(ResponseItem { fault: None, index, response: Some(response) });
                }
                Ok(_) => {}
                Err(stop) => {
                    faulted = true;
                    let fault = stop.fault(call.id(), call.session.now());
                    items.push(ResponseItem { fault: Some(fault), index, response: None });
                }
            }
        }
        if faulted && !settings.continue_on_error {
            break;
        }
        if define::changes(&requests[next - 1].name) {
            own = call.fresh().await?;
        }
    }
    Ok(Response::new("ExecuteMultiple")
        .with("IsFaulted", Any::Boolean(faulted))
        .with("Responses", Any::ResponseItems(items)))
}

/// Whether a message can be prepared without what its neighbours write.
fn reads_nothing(request: &Request) -> bool {
    let plain = |any: &Any| !matches!(any, Any::EntityReference(to) if !to.keys.is_empty());
    let simple = |entity: &Entity, parties: bool| {
        entity.keys.is_empty()
            && entity.related.is_empty()
            && entity.attributes.iter().all(|(_, any)| plain(any) && (parties || any.rows().is_none()))
    };
    match (request.name.as_str(), request.get("Target")) {
        ("Create", Some(Any::Entity(entity))) => simple(entity, true),
        ("Update", Some(Any::Entity(entity))) => simple(entity, false),
        ("Delete", Some(any @ Any::EntityReference(_))) => plain(any),
        _ => false,
    }
}

/// Messages that read nothing, each a set of its own, in one unit.
async fn neighbours(call: &Call<'_>, requests: &[Request]) -> Vec<Result<Response, Stop>> {
    let mut sets = Vec::new();
    let mut waiting = Vec::new();
    for request in requests {
        waiting.push(match write::prepare(call, request).await {
            Ok(prepared) => {
                sets.push(ChangeSet { changes: prepared.changes });
                Ok(prepared.then)
            }
            Err(stop) => Err(stop),
        });
    }
    let mut outcomes = call.session.apply(sets).await.into_iter();
    let answer = |(request, then): (&Request, Result<Then, Stop>)| {
        let then = then?;
        let outcomes = match outcomes.next() {
            Some(done) => done?,
            None => Vec::new(),
        };
        Ok(write::finish(call, &request.name, then, &outcomes))
    };
    requests.iter().zip(waiting).map(answer).collect()
}

/// `ExecuteTransaction`.
pub(super) async fn transaction(call: &Call<'_>, request: &Request) -> Result<Response, Stop> {
    let requests = requests(request)?;
    let returns = request.get("ReturnResponses").and_then(Any::as_bool).unwrap_or_default();
    let mut changes = Vec::new();
    let mut shares = Vec::new();
    let mut parts = Vec::new();
    // How many changes and shares there are up to the end of each.
    let mut ends = Vec::new();
    for (index, inner) in requests.iter().enumerate() {
        let prepared = one(call, inner, &changes).await.map_err(|stop| stop.of_request(index))?;
        let first = changes.len();
        shares.extend(prepared.share.map(|share| (first, share)));
        changes.extend(prepared.changes);
        parts.push((first..changes.len(), prepared.then));
        ends.push((changes.len(), shares.len()));
    }
    let outcomes = match changes.is_empty() && shares.is_empty() {
        true => Vec::new(),
        false => {
            match call.session.write_shared(ChangeSet { changes: changes.clone() }, shares.clone()).await {
                Ok(outcomes) => outcomes,
                Err(failure) => {
                    let index = culprit(call, &changes, &shares, &ends).await;
                    return Err(Stop::from(failure).of_request(index));
                }
            }
        }
    };
    let responses = requests.iter().zip(parts).map(|(inner, (part, then))| {
        write::finish(call, &inner.name, then, outcomes.get(part).unwrap_or_default())
    });
    let responses = if returns { responses.collect() } else { Vec::new() };
    Ok(Response::new("ExecuteTransaction").with("Responses", Any::Responses(responses)))
}

/// A message of a transaction. What only reads is done at once; definitions are not part of any. A message that names rows
/// of the messages before it sees them.
async fn one(call: &Call<'_>, request: &Request, before: &[Change]) -> Result<Prepared, Stop> {
    if !call.door.settings.knows(&request.name) {
        return Err(Stop::no_message(&request.name));
    }
    if define::changes(&request.name) || message::at_once(&request.name) {
        return Err(Stop::bad(format!("{} cannot be part of a transaction here", request.name)));
    }
    match request.name.starts_with("Retrieve") || request.name == "WhoAmI" {
        true => {
            let response = execute::single(call, request).await?;
            Ok(Prepared { changes: Vec::new(), share: None, then: Then::Results(response.results) })
        }
        false if messages::find(&request.name).is_some() && names_one(request, before) => {
            let later = call.session.after(before.to_vec());
            let prepared = write::prepare(&call.with(&later), request).await?;
            Ok(Prepared { changes: Session::settle(before, prepared.changes), ..prepared })
        }
        false => write::prepare(call, request).await,
    }
}

/// Whether a message names a row that one before it makes or changes.
fn names_one(request: &Request, before: &[Change]) -> bool {
    let names = |id: Uuid| Session::names_one(before, &id.to_string());
    request.parameters.iter().any(|(_, any)| match any {
        Any::Guid(id) => names(*id),
        Any::EntityReference(to) => names(to.id),
        Any::Entity(entity) => names(entity.id),
        Any::Guids(ids) => ids.iter().copied().any(names),
        Any::References(rows) => rows.iter().any(|to| names(to.id)),
        _ => false,
    })
}

/// Which request fails: the first beginning of the set that cannot be done. Each ends with a change that never can be, so
/// nothing of it stays.
async fn culprit(
    call: &Call<'_>,
    changes: &[Change],
    shares: &[(usize, Share)],
    ends: &[(usize, usize)],
) -> usize {
    let (mut good, mut bad) = (0, ends.len());
    while good + 1 < bad {
        let middle = usize::midpoint(good, bad);
        let (change, share) = ends[middle - 1];
        let (mut begun, shares) = (changes[..change].to_vec(), shares[..share].to_vec());
        begun.push(Change::Delete(RecordRef::new(NOWHERE, Uuid::nil())));
        match call.session.write_shared(ChangeSet { changes: begun }, shares).await {
            Err(Failure::Refused(Refusal::UnknownTable { table, .. })) if table == NOWHERE => good = middle,
            _ => bad = middle,
        }
    }
    good
}

/// `CreateMultiple`, `UpdateMultiple`, `UpsertMultiple`.
pub(super) async fn rows(call: &Call<'_>, request: &Request) -> Result<Prepared, Stop> {
    let targets = match request.get("Targets") {
        Some(Any::EntityCollection(targets)) => targets,
        _ => return Err(Stop::parameter(&request.name, "Targets", "EntityCollection")),
    };
    let table = targets.table.as_deref().or(targets.entities.first().map(|row| row.logical_name.as_str()));
    if let Some(other) = targets.entities.iter().find(|row| Some(row.logical_name.as_str()) != table) {
        let text = format!(
            "Targets holds rows of {} among those of {}",
            other.logical_name,
            table.unwrap_or_default()
        );
        return Err(Stop::bad(text));
    }
    if targets.entities.is_empty() {
        return Err(Stop::bad("Targets holds no row"));
    }
    let mut changes = Vec::new();
    let mut made = Vec::new();
    for entity in &targets.entities {
        let place = changes.len();
        let (at, more) = match request.name.as_str() {
            "CreateMultiple" => write::creation(call, entity).await?,
            "UpsertMultiple" => write::either(call, entity).await?,
            _ => {
                changes.extend(write::alteration(call, entity).await?);
                continue;
            }
        };
        changes.extend(more);
        made.push((at, place));
    }
    let then = match request.name.as_str() {
        "CreateMultiple" => {
            let ids = made.iter().map(|(at, _)| at.id).collect();
            Then::Results(vec![("Ids".to_owned(), Any::Guids(ids))])
        }
        "UpsertMultiple" => Then::AllUpserted(made),
        _ => Then::Results(Vec::new()),
    };
    Ok(Prepared { changes, share: None, then })
}

/// `ArrayOfUpsertResponse`.
pub(super) fn upserts(responses: Vec<Response>, wire: Wire) -> Any {
    let mut list = Any::Responses(responses).write(GENERIC, "value", wire).kind(XRM, "ArrayOfUpsertResponse");
    for one in &mut list.children {
        let mut plain = one.clone().renamed(XRM, "UpsertResponse");
        plain.kind = None;
        *one = plain;
    }
    Any::Raw(list)
}
