//! Party lists: columns such as `to` that are rows of `activityparty` (dataverse.md B3, E3). Which list a row is in follows
//! from the column; the rows of the regarding record and the owner are the server's own.

use std::collections::HashMap;

use postroom_core::metadata::{ColumnKind, TableInfo};
use postroom_core::query::{Filter, Order};
use postroom_core::{Change, Query, Record, RecordRef, Value};
use postroom_formats::soap::names::PARTY_LISTS;
use postroom_formats::soap::value::{Any, Entity, EntityCollection};
use uuid::Uuid;

use super::call::Call;
use super::input;
use super::output::{self, Shape};
use super::read;
use super::stop::Stop;
use crate::webapi::codes;

const TABLE: &str = "activityparty";

/// The mask of the rows in a party list.
pub(super) fn mask(table: &TableInfo, column: &str) -> Result<i64, Stop> {
    let known = PARTY_LISTS.iter().find(|(name, _)| *name == column);
    known.map(|(_, mask)| *mask).ok_or_else(|| {
        let text = format!("Invalid party mapping: {column} of {} cannot be written.", table.logical_name);
        Stop::coded(codes::PARTY, text)
    })
}

/// The rows of a party list as a client gives it, in either of its forms. Those that are sent back with their ids are made
/// anew.
pub(super) async fn read(
    call: &Call<'_>,
    activity: &RecordRef,
    column: &str,
    mask: i64,
    any: &Any,
) -> Result<Vec<Record>, Stop> {
    if *any == Any::Null {
        return Ok(Vec::new());
    }
    let wrong = || Stop::bad(format!("{}.{column} takes an EntityCollection of {TABLE}", activity.table));
    let mut rows = Vec::new();
    for entity in any.rows().ok_or_else(wrong)? {
        if !matches!(entity.logical_name.as_str(), TABLE | "") {
            return Err(wrong());
        }
        let mut row = Record::new(RecordRef::new(TABLE, call.id()));
        let table = call.table(TABLE)?;
        for (name, any) in &entity.attributes {
            let known = table.column(name).ok_or_else(|| Stop::no_column(TABLE, name))?;
            if known.valid_for_create && !known.is_primary_id {
                let value = Box::pin(input::value(call, table, name, any)).await?;
                input::put(&mut row, name, value);
            }
        }
        input::put(&mut row, "activityid", Value::Lookup(activity.clone()));
        input::put(&mut row, "participationtypemask", Value::Int(mask));
        rows.push(row);
    }
    Ok(rows)
}

/// What puts these lists in the place of the ones the activity has.
pub(super) async fn replace(
    call: &Call<'_>,
    activity: &RecordRef,
    lists: Vec<(i64, Vec<Record>)>,
) -> Result<Vec<Change>, Stop> {
    if lists.is_empty() {
        return Ok(Vec::new());
    }
    let masks = lists.iter().map(|(mask, _)| Value::Int(*mask)).collect();
    let query = Query::of(TABLE).select(&[]).filter(Filter::All(vec![
        Filter::eq("activityid", activity.clone()),
        Filter::In("participationtypemask".into(), masks),
    ]));
    let old = call.session.all(query).await?;
    let new = lists.into_iter().flat_map(|(_, rows)| rows).map(Change::CreateNew);
    Ok(old.into_iter().map(|party| Change::Delete(party.at)).chain(new).collect())
}

/// The party lists that rows are to be answered with.
pub(super) struct Lists {
    /// Column, and its mask; `None` is every party.
    columns: Vec<(String, Option<i64>)>,
    /// By activity: mask and party, in the order in which they were made.
    rows: HashMap<Uuid, Vec<(i64, Entity)>>,
}

/// Takes the names of party lists out of `columns`. Those of every column, when there is no choice.
pub(super) fn wanted(table: &TableInfo, columns: Option<&mut Vec<String>>) -> Vec<(String, Option<i64>)> {
    let listed = |name: &str| {
        let column = table.column(name)?;
        matches!(column.kind, ColumnKind::PartyList { .. }).then(|| (name.to_owned(), of(name)))
    };
    match columns {
        None => table.columns.iter().filter_map(|column| listed(&column.logical_name)).collect(),
        Some(columns) => {
            let lists = columns.iter().filter_map(|name| listed(name)).collect();
            columns.retain(|name| listed(name).is_none());
            lists
        }
    }
}

fn of(column: &str) -> Option<i64> {
    match column {
        "allparties" => None,
        // A list that nobody can write is empty: no party has the mask 0.
        name => Some(PARTY_LISTS.iter().find(|(known, _)| *known == name).map_or(0, |(_, mask)| *mask)),
    }
}

impl Lists {
    /// Reads the parties of all these rows in one query.
    pub(super) async fn load(
        call: &Call<'_>,
        columns: Vec<(String, Option<i64>)>,
        records: &[Record],
    ) -> Result<Lists, Stop> {
        let mut lists = Lists { columns, rows: HashMap::new() };
        if lists.columns.is_empty() || records.is_empty() {
            return Ok(lists);
        }
        let table = call.table(TABLE)?;
        let ids = records.iter().map(|row| Value::Guid(row.at.id)).collect();
        let wanted = crate::webapi::columns(&call.schema, table, None, Vec::new());
        let mut query = Query::of(TABLE).filter(Filter::In("activityid".into(), ids));
        query.columns = Some(wanted.asked.clone());
        query.order = vec![Order { column: "versionnumber".into(), descending: false }];
        let found = call.session.all(query).await?;
        let shape = Shape::new(call, table, &wanted.asked, &HashMap::new(), &wanted.hidden);
        let names = read::names(call, &shape, &found).await?;
        for party in &found {
            let (Some(at), Some(mask)) = (party.lookup("activityid"), party.int("participationtypemask"))
            else {
                continue;
            };
            let entity = output::entity(call, &shape, party, &names, Vec::new());
            lists.rows.entry(at.id).or_default().push((mask, entity));
        }
        Ok(lists)
    }

    /// The lists of one activity, as attributes.
    pub(super) fn of(&self, activity: Uuid) -> Vec<(String, Any)> {
        let rows = self.rows.get(&activity).map(Vec::as_slice).unwrap_or_default();
        let list = |(name, mask): &(String, Option<i64>)| {
            let mine = rows.iter().filter(|(of, _)| mask.is_none_or(|mask| mask == *of));
            let entities = mine.map(|(_, entity)| entity.clone()).collect();
            (name.clone(), Any::EntityCollection(EntityCollection::of(TABLE, entities)))
        };
        self.columns.iter().map(list).collect()
    }
}
