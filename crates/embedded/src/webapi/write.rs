//! Rows made, changed and deleted (dataverse.md A4 to A6).
//!
//! A request is *prepared*: it becomes changes and what to answer once they are made. Alone it is one set; the requests of a
//! change set are one set together, so that they happen all or none.

use http::{Method, StatusCode};
use postroom_core::metadata::{ColumnKind, TableInfo};
use postroom_core::{Change, ChangeSet, Filter, Outcome, Record, RecordRef, Value};
use postroom_formats::odata::path::Segment;
use postroom_formats::odata::resolve::{self, Relation, Row};
use serde_json::Value as Json;
use uuid::Uuid;

use super::call::Call;
use super::conditions::{Condition, condition};
use super::dispatch::{self, Place};
use super::in_solution::Joining;
use super::input::{self, Members};
use super::problem::{Problem, codes};
use super::{Ability, Reply, actions, files, multiple, parties, read, reference, row, value};
use crate::access::Share;
use crate::schema::Kind;

/// A request ready to be done.
pub(crate) struct Prepared {
    pub changes: Vec<Change>,
    pub share: Option<Share>,
    /// The row that later requests of the same change set may name.
    pub made: Option<RecordRef>,
    pub then: Then,
}

/// What to answer when the changes are made.
pub(crate) enum Then {
    /// 204 alone.
    Nothing,
    /// This row, at this URL; the change at this place says whether it is new.
    Row { at: RecordRef, url: String, change: usize },
    /// An answer that nothing can change any more.
    Reply(Reply),
}

/// Does one request.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    let prepared = prepare(call).await?;
    let joining = Joining::of(call, &prepared.changes).await?;
    let shares: Vec<(usize, Share)> = prepared.share.into_iter().map(|share| (0, share)).collect();
    let outcomes = match prepared.changes.is_empty() && shares.is_empty() {
        true => Vec::new(),
        false => {
            let written = call.session.write_shared(ChangeSet { changes: prepared.changes }, shares).await;
            written.map_err(|failure| refused(call, failure.into()))?
        }
    };
    joining.join(call).await?;
    finish(call, prepared.then, &outcomes).await
}

/// Reads a request that changes rows. Nothing is written yet.
pub(crate) async fn prepare(call: &Call<'_>) -> Result<Prepared, Problem> {
    if let Some(asked) = actions::find(call).await? {
        return actions::prepare(call, &asked).await;
    }
    let place = dispatch::place(call)?;
    if let Some(column) =
        files::column(&place).filter(|_| ["PATCH", "DELETE"].contains(&call.method.as_str()))
    {
        return files::prepare(call, &place, column).await;
    }
    match (call.method.as_str(), &place.row, place.tail) {
        ("POST", None, []) => create(call, &place).await,
        ("POST", None, [Segment::Qualified { name, .. }]) => multiple::prepare(call, place.table, name).await,
        ("POST", Some(_), [Segment::Name { name, arguments: None }]) => create_at(call, &place, name).await,
        ("POST" | "PUT", Some(_), [Segment::Name { name, arguments: None }, Segment::Ref]) => {
            reference::associate(call, &place, name).await
        }
        ("DELETE", Some(_), [segment, Segment::Ref]) => reference::disassociate(call, &place, segment).await,
        ("PATCH" | "MERGE", Some(row), []) => update(call, &place, row).await,
        ("DELETE", Some(_), []) => delete(call, &place).await,
        ("PUT", Some(_), [Segment::Name { name, arguments: None }]) => put(call, &place, name).await,
        ("DELETE", Some(_), [Segment::Name { name, arguments: None }]) => clear(call, &place, name).await,
        (_, _, [.., Segment::Qualified { name, .. }]) => Err(Problem::no_message(name)),
        _ => Err(Problem::method(&call.method)),
    }
}

/// Answers what was prepared; `outcomes` are those of its own changes.
pub(crate) async fn finish(call: &Call<'_>, then: Then, outcomes: &[Outcome]) -> Result<Reply, Problem> {
    let (at, url, change) = match then {
        Then::Nothing => return Ok(Reply::empty(StatusCode::NO_CONTENT)),
        Then::Reply(reply) => return Ok(reply),
        Then::Row { at, url, change } => (at, url, change),
    };
    let created = outcomes.get(change) == Some(&Outcome::Created);
    if call.prefer.representation == Some(true) {
        let table = call.table(&at.table)?;
        let found = read::row_where(call, table, Filter::eq(table.primary_id.as_str(), at.id)).await?;
        let mut reply = found.ok_or_else(|| Problem::no_row(&at.table, at.id))?;
        if created {
            reply.status = StatusCode::CREATED;
            reply = reply.header("location", &url);
        }
        return Ok(reply);
    }
    let reply = Reply::empty(StatusCode::NO_CONTENT).header("odata-entityid", &url);
    let reply = if created { reply.header("location", &url) } else { reply };
    Ok(read::applied(call, reply))
}

/// The platform has a text of its own for a row that `If-None-Match: *` says must not be there.
pub(crate) fn refused(call: &Call<'_>, problem: Problem) -> Problem {
    match problem.code == codes::DUPLICATE && call.header("if-none-match") == Some("*") {
        true => matching(),
        false => problem,
    }
}

fn matching() -> Problem {
    let text = "A record with matching key values already exists.";
    Problem::new(StatusCode::PRECONDITION_FAILED, codes::DUPLICATE, text)
}

/// `POST` of a set.
async fn create(call: &Call<'_>, place: &Place<'_>) -> Result<Prepared, Problem> {
    let members = input::object(call)?;
    let at = RecordRef::new(&place.table.logical_name, input::new_id(call, place.table, &members)?);
    creatable(place)?;
    made(call, at, &members, |_| {}).await
}

/// Rows that only stand and fall with others are not made by themselves.
pub(crate) fn creatable(place: &Place<'_>) -> Result<(), Problem> {
    let table = place.table;
    match parties::is_party(table) || table.is_intersect || table.logical_name == "activitypointer" {
        true => Err(Problem::unsupported("Create", &table.logical_name)),
        false => Ok(()),
    }
}

async fn made(
    call: &Call<'_>,
    at: RecordRef,
    members: &Members,
    finish: impl FnOnce(&mut Record),
) -> Result<Prepared, Problem> {
    let mut given = input::new_row(call, at.clone(), members).await?;
    finish(&mut given.record);
    let mut changes = vec![Change::CreateNew(given.record)];
    changes.extend(given.more);
    let then = Then::Row { url: call.url_of(&at), at: at.clone(), change: 0 };
    Ok(Prepared { changes, share: None, made: Some(at), then })
}

/// `POST` of a collection-valued navigation property: a new row, tied to this one.
async fn create_at(call: &Call<'_>, place: &Place<'_>, name: &str) -> Result<Prepared, Problem> {
    let id = place.id(call).await?.ok_or_else(|| place.missing())?;
    let owner = RecordRef::new(&place.table.logical_name, id);
    let relation =
        resolve::navigation(&call.metadata, &owner.table, name).ok_or_else(|| Problem::no_resource(name))?;
    if relation.single() {
        return Err(Problem::method(&call.method));
    }
    reference::there(call, &owner).await?;
    let members = input::object(call)?;
    let target = Place { table: call.table(relation.target())?, row: None, tail: &[] };
    let at = RecordRef::new(relation.target(), input::new_id(call, target.table, &members)?);
    if let Relation::OneToMany(lookup) = &relation {
        if input::is_parties(lookup) {
            return Err(Problem::unsupported("Create", &at.table));
        }
        let column = lookup.referencing_column.clone();
        return made(call, at, &members, |record| input::put(record, &column, Value::Lookup(owner))).await;
    }
    creatable(&target)?;
    let mut prepared = made(call, at.clone(), &members, |_| {}).await?;
    prepared.changes.push(reference::tie(call, &relation, &owner, &at));
    Ok(prepared)
}

/// `PATCH` of a row: it is changed, or made when it is not there.
async fn update(call: &Call<'_>, place: &Place<'_>, row: &Row) -> Result<Prepared, Problem> {
    updatable(place)?;
    let members = input::object(call)?;
    let condition = match condition(call)? {
        Condition::None | Condition::Absent if !call.door.settings.has(Ability::Upsert) => Condition::There,
        condition => condition,
    };
    let columns = match row {
        Row::Id(id) => {
            let at = RecordRef::new(&place.table.logical_name, *id);
            let url = call.url_of(&at);
            return changed(call, at, &members, condition, url, &[]).await;
        }
        Row::Alternate(columns) => columns,
    };
    let url = keyed_url(call, place);
    match place.id(call).await? {
        Some(_) if condition == Condition::Absent => Err(matching()),
        Some(id) => {
            let at = RecordRef::new(&place.table.logical_name, id);
            changed(call, at, &members, condition, url, columns).await
        }
        None if matches!(condition, Condition::There | Condition::Version(_)) => Err(place.missing()),
        None => {
            let at = RecordRef::new(&place.table.logical_name, input::new_id(call, place.table, &members)?);
            creatable(place)?;
            let keys = keyed(place.table, columns)?;
            let mut prepared = made(call, at.clone(), &members, |record| fill(record, keys)).await?;
            prepared.then = Then::Row { at, url, change: 0 };
            Ok(prepared)
        }
    }
}

/// Columns that the row does not have yet.
pub(crate) fn fill(record: &mut Record, columns: Vec<(String, Value)>) {
    for (name, value) in columns {
        if record.get(&name).is_none() {
            record.columns.push((name.into(), value));
        }
    }
}

fn updatable(place: &Place<'_>) -> Result<(), Problem> {
    match parties::is_party(place.table) || place.table.logical_name == "activitypointer" {
        true => Err(Problem::unsupported("Update", &place.table.logical_name)),
        false => Ok(()),
    }
}

/// The set and key as the caller wrote them.
fn keyed_url(call: &Call<'_>, place: &Place<'_>) -> String {
    let key = call.path.segments.first().and_then(|segment| segment.key().ok().flatten());
    let key = key.map_or_else(String::new, |key| key.to_url());
    format!("{}/{}{key}", call.root, place.table.entity_set)
}

/// The values of a key as a new row takes them: dates stand in it as text.
pub(crate) fn keyed(table: &TableInfo, columns: &[(String, Value)]) -> Result<Vec<(String, Value)>, Problem> {
    let one = |(name, value): &(String, Value)| {
        let column = table.column(name).ok_or_else(|| Problem::no_resource(name))?;
        let value = match (&column.kind, value) {
            (ColumnKind::DateTime { .. }, Value::Text(text)) => {
                value::read(column, Kind::Time, &Json::from(text.as_str()))?
            }
            (_, value) => value.clone(),
        };
        Ok((name.clone(), value))
    };
    columns.iter().map(one).collect()
}

async fn changed(
    call: &Call<'_>,
    at: RecordRef,
    members: &Members,
    condition: Condition,
    url: String,
    keys: &[(String, Value)],
) -> Result<Prepared, Problem> {
    let mut given = input::changed_row(call, at.clone(), members).await?;
    // The row was found by them: what the body says of the same columns counts for nothing.
    given.record.columns.retain(|(name, _)| !keys.iter().any(|(key, _)| key == name));
    let change = match condition {
        Condition::None if keys.is_empty() => Change::Upsert(given.record),
        Condition::None | Condition::There => Change::Update(given.record),
        Condition::Version(version) => Change::UpdateIf(given.record, version),
        Condition::Absent => Change::CreateNew(given.record),
    };
    let mut changes = vec![change];
    if let Some(list) = given.parties {
        changes.extend(parties::replace(call, &at, list, false).await?);
    }
    Ok(Prepared { changes, share: None, made: Some(at.clone()), then: Then::Row { at, url, change: 0 } })
}

/// `DELETE` of a row.
async fn delete(call: &Call<'_>, place: &Place<'_>) -> Result<Prepared, Problem> {
    updatable(place)?;
    let id = place.id(call).await?.ok_or_else(|| place.missing())?;
    let version = match condition(call)? {
        Condition::Version(version) => Some(version),
        _ => None,
    };
    let at = RecordRef::new(&place.table.logical_name, id);
    Ok(Prepared {
        changes: vec![Change::DeleteIf(at, version)],
        share: None,
        made: None,
        then: Then::Nothing,
    })
}

/// `PUT` of one property, `{"value": …}`, or of a party list.
async fn put(call: &Call<'_>, place: &Place<'_>, name: &str) -> Result<Prepared, Problem> {
    let at = RecordRef::new(&place.table.logical_name, one_row(call, place).await?);
    let members = input::object(call)?;
    let value = members.get("value").ok_or_else(|| Problem::payload("The body is {\"value\": …}."))?;
    let relation = resolve::navigation(&call.metadata, &at.table, name);
    if let (Some(Relation::OneToMany(relation)), Json::Array(rows)) = (&relation, value)
        && input::is_parties(relation)
    {
        let list = parties::read(call, &at, relation, rows).await?;
        let mut changes = vec![conditional(call, Record::new(at.clone()))?];
        changes.extend(parties::replace(call, &at, list, true).await?);
        return Ok(Prepared { changes, share: None, made: None, then: Then::Nothing });
    }
    single(call, place, at, name, value).await
}

/// `DELETE` of one property: it becomes null.
async fn clear(call: &Call<'_>, place: &Place<'_>, name: &str) -> Result<Prepared, Problem> {
    let at = RecordRef::new(&place.table.logical_name, one_row(call, place).await?);
    single(call, place, at, name, &Json::Null).await
}

async fn one_row(call: &Call<'_>, place: &Place<'_>) -> Result<Uuid, Problem> {
    updatable(place)?;
    place.id(call).await?.ok_or_else(|| place.missing())
}

async fn single(
    call: &Call<'_>,
    place: &Place<'_>,
    at: RecordRef,
    name: &str,
    value: &Json,
) -> Result<Prepared, Problem> {
    let lookup = resolve::navigation(&call.metadata, &at.table, name);
    let known = place.table.columns.iter().any(|column| row::property(column) == name);
    if !known && !lookup.is_some_and(|relation| relation.single()) {
        return Err(Problem::no_resource(name));
    }
    let members: Members = [(name.to_owned(), value.clone())].into_iter().collect();
    let given = input::changed_row(call, at, &members).await?;
    Ok(Prepared {
        changes: vec![conditional(call, given.record)?],
        share: None,
        made: None,
        then: Then::Nothing,
    })
}

/// A change to a row that must be there.
fn conditional(call: &Call<'_>, record: Record) -> Result<Change, Problem> {
    Ok(match condition(call)? {
        Condition::Version(version) => Change::UpdateIf(record, version),
        _ => Change::Update(record),
    })
}

/// Whether a method changes something.
pub(crate) fn writes(method: &Method) -> bool {
    ["POST", "PATCH", "MERGE", "PUT", "DELETE"].contains(&method.as_str())
}
