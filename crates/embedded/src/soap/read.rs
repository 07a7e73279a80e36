//! Reading rows: one, or those of a query in any of its forms, page by page (dataverse.md E4).

use std::collections::HashMap;

use postroom_core::metadata::TableInfo;
use postroom_core::query::{Filter, Function, Link};
use postroom_core::{Query, Record, RecordRef, Value};
use postroom_formats::fetchxml::Fetch;
use postroom_formats::soap::query::ColumnSet;
use postroom_formats::soap::value::{Entity, EntityCollection, EntityReference};
use uuid::Uuid;

use super::call::Call;
use super::output::{self, Names, Shape};
use super::parties::{self, Lists};
use super::stop::Stop;
use crate::session::{COUNTED, Page};
use crate::webapi::{Problem, asked, columns, cookie, numbered, start};

/// Ids in one condition at most.
const AT_ONCE: usize = 500;

/// One row.
pub(super) async fn one(
    call: &Call<'_>,
    reference: &EntityReference,
    wanted: ColumnSet,
) -> Result<Entity, Stop> {
    let table = call.table(&reference.table)?;
    let at = call.row(reference).await?;
    let mut query = Query::of(&at.table).filter(Filter::eq(table.primary_id.as_str(), at.id)).top(1);
    query.columns = wanted.into_columns();
    let rows = rows(call, Fetch::of(query)).await?;
    rows.entities.into_iter().next().ok_or_else(|| Problem::no_row(&at.table, at.id).into())
}

/// The rows of a query.
pub(super) async fn rows(call: &Call<'_>, fetch: Fetch) -> Result<EntityCollection, Stop> {
    let table = call.table(&fetch.query.table)?;
    if fetch.query.computes() {
        return computed(call, table, fetch).await;
    }
    let mut query = fetch.query.clone();
    let lists = parties::wanted(table, query.columns.as_mut());
    if let Some(names) = &mut query.columns {
        known(call, table, names)?;
    }
    let wanted = columns(&call.schema, table, query.columns.as_deref(), Vec::new());
    if !query.distinct {
        query.columns = Some(wanted.asked.clone());
    }
    let mut aliases = HashMap::new();
    settle(call, &mut query.links, &mut aliases)?;
    let asked = asked(&query);
    let most = call.door.settings.page;
    let mut page = call.session.page(query, start(&fetch, most, most), fetch.total).await?;
    output::bodies(call, &mut page.records).await?;
    let shape = Shape::new(call, table, &asked, &aliases, &wanted.hidden).renamed(&asked, &fetch.renamed);
    let names = names(call, &shape, &page.records).await?;
    let lists = Lists::load(call, lists, &page.records).await?;
    let entities = page
        .records
        .iter()
        .map(|record| output::entity(call, &shape, record, &names, lists.of(record.at.id)))
        .collect();
    let cookie =
        (!page.records.is_empty() && !fetch.query.distinct).then(|| cookie(fetch.page.max(1), &page).write());
    let mut rows = collection(table, &page, entities);
    // A query that asks for so many rows and no more has no second page.
    rows.more &= fetch.query.top.is_none();
    rows.cookie = cookie;
    Ok(rows)
}

fn collection(table: &TableInfo, page: &Page, entities: Vec<Entity>) -> EntityCollection {
    let total = page.total.map_or(-1, |total| i32::try_from(total.min(COUNTED)).unwrap_or(i32::MAX));
    EntityCollection {
        more: page.more,
        total,
        total_exceeded: page.total.is_some_and(|total| total > COUNTED),
        ..EntityCollection::of(table.logical_name.as_str(), entities)
    }
}

/// Columns that only show more of others are known but hold nothing; they are left out.
fn known(call: &Call<'_>, table: &TableInfo, names: &mut Vec<String>) -> Result<(), Stop> {
    if let Some(name) = names.iter().find(|name| table.column(name).is_none()) {
        return Err(Stop::no_column(&table.logical_name, name));
    }
    let stored = call.stored(&table.logical_name)?;
    names.retain(|name| stored.column(name).is_some());
    Ok(())
}

/// Names the columns of links that want all of them, and says which table each alias means.
fn settle(call: &Call<'_>, links: &mut [Link], aliases: &mut HashMap<String, String>) -> Result<(), Stop> {
    for link in links {
        let table = call.table(&link.table)?;
        match &mut link.columns {
            Some(names) => {
                parties::wanted(table, Some(names));
                known(call, table, names)?;
            }
            None => {
                let all = columns(&call.schema, table, None, Vec::new());
                let shown = all.asked.into_iter().filter(|name| !all.hidden.contains(name));
                link.columns = Some(shown.collect());
            }
        }
        aliases.insert(link.alias.clone(), link.table.clone());
        settle(call, &mut link.links, aliases)?;
    }
    Ok(())
}

/// Groups and aggregates: entities without ids, whose attributes are aliased values.
async fn computed(call: &Call<'_>, table: &TableInfo, fetch: Fetch) -> Result<EntityCollection, Stop> {
    let query = fetch.query.clone();
    let mut aliases = HashMap::new();
    settle(call, &mut query.links.clone(), &mut aliases)?;
    let of = |name: &str| match name.split_once('.') {
        Some((alias, column)) => {
            (aliases.get(alias).cloned().unwrap_or_else(|| alias.to_owned()), column.to_owned())
        }
        None => (table.logical_name.clone(), name.to_owned()),
    };
    let groups = query.groups.iter().map(|one| (one.alias.clone(), of(&one.column), one.part.is_none()));
    let aggregates = query.aggregates.iter().map(|one| {
        let same = matches!(one.function, Function::Min | Function::Max | Function::Sum);
        (one.alias.clone(), of(&one.column), same)
    });
    let shape = Shape::computed(call, table, groups.chain(aggregates).collect());
    let most = call.door.settings.page;
    let page = call.session.page(query, numbered(&fetch, most, most), fetch.total).await?;
    let names = names(call, &shape, &page.records).await?;
    let entities = page.records.iter().map(|record| {
        let mut entity = output::entity(call, &shape, record, &names, Vec::new());
        entity.id = Uuid::nil();
        entity
    });
    let mut rows = collection(table, &page, entities.collect());
    rows.more &= fetch.query.top.is_none();
    // Groups have no keys: the cookie says the page's number alone.
    rows.cookie = rows.more.then(|| cookie(fetch.page.max(1), &page).write());
    Ok(rows)
}

/// The primary names of the rows that lookups name.
pub(super) async fn names(call: &Call<'_>, shape: &Shape<'_>, records: &[Record]) -> Result<Names, Stop> {
    names_of(call, shape.named(records.iter())).await
}

async fn names_of(call: &Call<'_>, rows: Vec<RecordRef>) -> Result<Names, Stop> {
    let mut by_table: HashMap<String, Vec<Uuid>> = HashMap::new();
    for at in rows {
        by_table.entry(at.table).or_default().push(at.id);
    }
    let mut names = Names::new();
    for (table, ids) in by_table {
        let Some(info) = call.metadata.table(&table) else { continue };
        let Some(name) = &info.primary_name else { continue };
        for ids in ids.chunks(AT_ONCE) {
            let list = Filter::In(info.primary_id.clone(), ids.iter().copied().map(Value::Guid).collect());
            let query = Query::of(&table).select(&[name.as_str()]).filter(list);
            // A name that may not be read is left out.
            let Ok(found) = call.session.all(query).await else { continue };
            for row in found {
                if let Some(text) = row.text(name) {
                    names.insert(row.at.clone(), text.to_owned());
                }
            }
        }
    }
    Ok(names)
}
