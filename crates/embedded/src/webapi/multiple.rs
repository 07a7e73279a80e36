//! CreateMultiple, UpdateMultiple, UpsertMultiple: many rows of one table in one set, all or nothing (dataverse.md A13).

use http::StatusCode;
use postroom_core::metadata::TableInfo;
use postroom_core::{Change, RecordRef, Value};
use postroom_formats::odata::path::{self, Path};
use postroom_formats::odata::resolve::{self, Row};
use serde_json::Value as Json;

use super::call::Call;
use super::dispatch::Place;
use super::input::{self, Members};
use super::json::Json as Writer;
use super::problem::Problem;
use super::write::{Prepared, Then, creatable, fill, keyed};
use super::{Reply, value};

/// Rows that this request makes under an alternate key, so that naming one twice means one row.
type Known = Vec<(Vec<(String, Value)>, RecordRef)>;

/// An action bound to a set.
pub(crate) async fn prepare(call: &Call<'_>, table: &TableInfo, name: &str) -> Result<Prepared, Problem> {
    match name {
        _ if !call.door.settings.knows(name) => Err(Problem::no_message(name)),
        "CreateMultiple" => create(call, table).await,
        "UpdateMultiple" => update(call, table).await,
        "UpsertMultiple" => upsert(call, table).await,
        "DeleteMultiple" => Err(Problem::unsupported(name, &table.logical_name)),
        _ => Err(Problem::no_message(name)),
    }
}

fn targets(call: &Call<'_>, table: &TableInfo) -> Result<Vec<Members>, Problem> {
    let mut members = input::object(call)?;
    let Some(Json::Array(rows)) = members.remove("Targets") else {
        return Err(Problem::payload("The body is {\"Targets\":[…]}."));
    };
    if rows.is_empty() {
        return Err(Problem::bad("Targets holds no row."));
    }
    let row = |(number, row): (usize, Json)| match row {
        Json::Object(members) => {
            typed(table, number, &members)?;
            Ok(members)
        }
        _ => Err(Problem::payload(format!("Targets[{number}] is no object."))),
    };
    rows.into_iter().enumerate().map(row).collect()
}

/// Only its type says what an element of a list of rows is.
fn typed(table: &TableInfo, number: usize, members: &Members) -> Result<(), Problem> {
    let said = members.get("@odata.type").and_then(Json::as_str);
    match said.and_then(input::type_name) {
        Some(name) if name == table.logical_name => Ok(()),
        Some(name) => Err(Problem::payload(format!(
            "Targets[{number}] is a '{}', not a '{}'.",
            value::clipped(name),
            table.logical_name
        ))),
        None => Err(Problem::payload(format!(
            "Targets[{number}] needs \"@odata.type\":\"Microsoft.Dynamics.CRM.{}\".",
            table.logical_name
        ))),
    }
}

async fn create(call: &Call<'_>, table: &TableInfo) -> Result<Prepared, Problem> {
    creatable(&Place { table, row: None, tail: &[] })?;
    let (mut changes, mut ids) = (Vec::new(), Vec::new());
    for members in targets(call, table)? {
        let at = RecordRef::new(&table.logical_name, input::new_id(call, table, &members)?);
        ids.push(at.id);
        let given = input::new_row(call, at, &members).await?;
        changes.push(Change::CreateNew(given.record));
        changes.extend(given.more);
    }
    let mut json = Writer::default();
    json.object(|json| {
        json.key("@odata.context").value(&call.context("Microsoft.Dynamics.CRM.CreateMultipleResponse"));
        json.key("Ids").value(&ids);
    });
    let reply = Reply::json(StatusCode::OK, json.into_bytes());
    Ok(Prepared { changes, share: None, made: None, then: Then::Reply(reply) })
}

async fn update(call: &Call<'_>, table: &TableInfo) -> Result<Prepared, Problem> {
    let mut changes = Vec::new();
    for (number, members) in targets(call, table)?.into_iter().enumerate() {
        let at = match named(call, table, &members)? {
            Some(Row::Id(id)) => RecordRef::new(&table.logical_name, id),
            Some(row) => {
                let place = Place { table, row: Some(row), tail: &[] };
                let id = place.id(call).await?.ok_or_else(|| place.missing())?;
                RecordRef::new(&table.logical_name, id)
            }
            None => return Err(unnamed(table, number)),
        };
        let given = input::changed_row(call, at, &members).await?;
        changes.push(Change::Update(given.record));
    }
    Ok(Prepared { changes, share: None, made: None, then: Then::Nothing })
}

async fn upsert(call: &Call<'_>, table: &TableInfo) -> Result<Prepared, Problem> {
    let (mut changes, mut known) = (Vec::new(), Known::new());
    for (number, members) in targets(call, table)?.into_iter().enumerate() {
        match named(call, table, &members)? {
            Some(Row::Id(id)) => {
                let at = RecordRef::new(&table.logical_name, id);
                let given = input::changed_row(call, at, &members).await?;
                changes.push(Change::Upsert(given.record));
            }
            Some(Row::Alternate(columns)) => {
                changes.push(by_key(call, table, columns, &members, &mut known).await?);
            }
            None => return Err(unnamed(table, number)),
        }
    }
    Ok(Prepared { changes, share: None, made: None, then: Then::Nothing })
}

async fn by_key(
    call: &Call<'_>,
    table: &TableInfo,
    columns: Vec<(String, Value)>,
    members: &Members,
    known: &mut Known,
) -> Result<Change, Problem> {
    let place = Place { table, row: Some(Row::Alternate(columns.clone())), tail: &[] };
    let before = known.iter().find(|(values, _)| *values == columns).map(|(_, at)| at.clone());
    let found = match before {
        Some(at) => Some(at),
        None => place.id(call).await?.map(|id| RecordRef::new(&table.logical_name, id)),
    };
    if let Some(at) = found {
        let mut given = input::changed_row(call, at, members).await?;
        given.record.columns.retain(|(name, _)| !columns.iter().any(|(key, _)| key == name));
        return Ok(Change::Update(given.record));
    }
    let at = RecordRef::new(&table.logical_name, input::new_id(call, table, members)?);
    let mut given = input::changed_row(call, at.clone(), members).await?;
    fill(&mut given.record, keyed(table, &columns)?);
    known.push((columns, at));
    Ok(Change::CreateNew(given.record))
}

/// The row that a target means: by its key as a URL, or by its id.
fn named(call: &Call<'_>, table: &TableInfo, members: &Members) -> Result<Option<Row>, Problem> {
    let Some(uri) = members.get("@odata.id").and_then(Json::as_str) else {
        return Ok(input::own_id(table, members)?.map(Row::Id));
    };
    let path = Path::parse(path::resource(uri).path)?;
    let [segment] = path.segments.as_slice() else { return Err(Problem::no_resource(uri)) };
    let of_table = matches!(segment, path::Segment::Name { name, .. } if *name == table.entity_set);
    let key = segment.key()?.filter(|_| of_table).ok_or_else(|| {
        Problem::payload(format!("'{}' names no row of {}.", value::clipped(uri), table.entity_set))
    })?;
    Ok(Some(resolve::row(&call.metadata, &table.logical_name, &key)?))
}

fn unnamed(table: &TableInfo, number: usize) -> Problem {
    Problem::payload(format!(
        "Targets[{number}] names no row: give its {} or an \"@odata.id\" with an alternate key.",
        table.primary_id
    ))
}
