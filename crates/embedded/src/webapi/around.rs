//! What stands behind a navigation property: the row that a lookup names; the rows around one row, one of them by its key,
//! their addresses and their number.

use http::StatusCode;
use postroom_core::metadata::TableInfo;
use postroom_core::query::{Filter, Join, Link, Query};
use postroom_core::{RecordRef, Value};
use postroom_formats::odata::path::{Key, Segment};
use postroom_formats::odata::resolve::{self, Relation};

use super::call::Call;
use super::dispatch::Place;
use super::json::Json;
use super::page::{self, Turn};
use super::read;
use super::{Problem, Reply};

/// The rows around one row, by a navigation property.
pub(crate) struct Around<'r> {
    at: &'r RecordRef,
    relation: &'r Relation,
    /// `accounts(guid)/contact_customer_accounts`
    url: String,
}

/// The link that leads from a row to those around it; no client's alias begins so.
const ALIAS: &str = "_around";

impl Around<'_> {
    /// The same query of these rows alone.
    pub(crate) fn narrow(&self, target: &TableInfo, query: Query) -> Query {
        let own = match self.relation {
            Relation::OneToMany(relation) => {
                Filter::eq(relation.referencing_column.as_str(), self.at.clone())
            }
            Relation::ManyToMany { relation, near, far } => {
                let link = Link::new(&relation.intersect_table, &far.column, &target.primary_id, ALIAS);
                let link = link.join(Join::Any).filter(Filter::eq(near.column.as_str(), self.at.id));
                Filter::Linked(Box::new(link))
            }
            Relation::ManyToOne(_) => return query,
        };
        let filter = Filter::All(vec![query.filter.clone(), own]);
        query.filter(filter)
    }
}

/// Narrows a query to the rows around a row, when there is one.
pub(crate) fn narrowed(around: Option<&Around<'_>>, target: &TableInfo, query: Query) -> Query {
    match around {
        Some(around) => around.narrow(target, query),
        None => query,
    }
}

/// Where the rows are, behind the version.
pub(crate) fn url(around: Option<&Around<'_>>, table: &TableInfo) -> String {
    around.map_or_else(|| table.entity_set.clone(), |around| around.url.clone())
}

/// A path that goes on behind the row `at` with a navigation property.
pub(crate) async fn answer(
    call: &Call<'_>,
    at: &RecordRef,
    (name, key): (&str, Option<Key>),
    relation: Relation,
    rest: &[Segment],
) -> Result<Reply, Problem> {
    let target = call.table(relation.target())?;
    if let Relation::ManyToOne(relation) = &relation {
        if key.is_some() {
            return Err(Problem::bad(format!("'{name}' leads to one row: it takes no key")));
        }
        return single(call, at, target, &relation.referencing_column, rest).await;
    }
    let table = call.table(&at.table)?;
    seen(call, table, at).await?;
    let around = Around { at, relation: &relation, url: format!("{}({})/{name}", table.entity_set, at.id) };
    match (key, rest) {
        (Some(key), rest) => one(call, target, &around, &key, rest).await,
        (None, []) => read::set(call, target, Some(&around)).await,
        (None, [Segment::Count]) => read::count(call, target, Some(&around)).await,
        (None, [Segment::Ref]) => references(call, target, Some(&around)).await,
        (None, [other, ..]) => Err(Problem::no_resource(&read::shown(other))),
    }
}

/// Nothing is said of what is around a row that is not there for the caller.
async fn seen(call: &Call<'_>, table: &TableInfo, at: &RecordRef) -> Result<(), Problem> {
    let query = Query::of(&at.table).select(&[]).filter(Filter::eq(table.primary_id.as_str(), at.id)).top(1);
    match call.session.all(query).await?.is_empty() {
        true => Err(Problem::no_row(&at.table, at.id)),
        false => Ok(()),
    }
}

/// The row that a lookup names.
async fn single(
    call: &Call<'_>,
    at: &RecordRef,
    target: &TableInfo,
    lookup: &str,
    rest: &[Segment],
) -> Result<Reply, Problem> {
    let table = call.table(&at.table)?;
    let query = Query::of(&at.table).select(&[lookup]).filter(Filter::eq(table.primary_id.as_str(), at.id));
    let records = call.session.all(query).await?;
    let record = records.first().ok_or_else(|| Problem::no_row(&at.table, at.id))?;
    let Some(Value::Lookup(to)) = record.get(lookup) else {
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    };
    // Owners are users or teams: their own tables say more.
    let target = if target.logical_name == "owner" { call.table(&to.table)? } else { target };
    if to.table != target.logical_name {
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    match rest {
        [] => {
            page::plain(call)?;
            let filter = Filter::eq(target.primary_id.as_str(), to.id);
            let found = read::row_where(call, target, filter).await?;
            found.ok_or_else(|| Problem::no_row(&to.table, to.id))
        }
        [Segment::Ref] => Ok(reference(call, to)),
        [segment @ Segment::Name { .. }, rest @ ..] => {
            let inner = Place { table: target, row: Some(resolve::Row::Id(to.id)), tail: &[] };
            Box::pin(read::within(call, &inner, segment, rest)).await
        }
        [other, ..] => Err(Problem::no_resource(&read::shown(other))),
    }
}

/// One of the rows around, and what stands behind it.
async fn one(
    call: &Call<'_>,
    target: &TableInfo,
    around: &Around<'_>,
    key: &Key,
    rest: &[Segment],
) -> Result<Reply, Problem> {
    let row = resolve::row(&call.metadata, &target.logical_name, key)?;
    let query = Query::of(&target.logical_name).select(&[]).filter(row.filter(target)).top(1);
    let found = call.session.all(around.narrow(target, query)).await?;
    let Some(found) = found.into_iter().next() else {
        return Err(Place { table: target, row: Some(row), tail: &[] }.missing());
    };
    if let [Segment::Ref] = rest {
        return Ok(reference(call, &found.at));
    }
    let inner = Place { table: target, row: Some(resolve::Row::Id(found.at.id)), tail: rest };
    Box::pin(read::answer(call, &inner)).await
}

fn reference(call: &Call<'_>, to: &RecordRef) -> Reply {
    let mut json = Json::default();
    json.object(|json| {
        json.key("@odata.context").value(&call.context("$ref"));
        json.key("@odata.id").value(&call.url_of(to));
    });
    Reply::json(StatusCode::OK, json.into_bytes())
}

/// The addresses of the rows of a set, or of those around a row.
pub(crate) async fn references(
    call: &Call<'_>,
    target: &TableInfo,
    around: Option<&Around<'_>>,
) -> Result<Reply, Problem> {
    page::plain(call)?;
    let plan = resolve::plan(&call.metadata, &target.logical_name, &call.options)?;
    let turn = Turn::read(call, plan.query.top)?;
    let query = Query { columns: Some(Vec::new()), top: None, ..narrowed(around, target, plan.query) };
    let page = call.session.page(query, turn.window.clone(), plan.count).await?;
    let mut json = Json::default();
    json.object(|json| {
        json.key("@odata.context").value(&call.context("Collection($ref)"));
        read::totals(json, call, page.total);
        json.key("value").array(|json| {
            for record in &page.records {
                json.object(|json| json.key("@odata.id").value(&call.url_of(&record.at)));
            }
        });
        if let Some(token) = turn.next(&page) {
            let (name, link) = page::next(call, &format!("{}/$ref", url(around, target)), &token);
            json.key(name).value(&link);
        }
    });
    Ok(read::applied(call, Reply::json(StatusCode::OK, json.into_bytes())))
}
