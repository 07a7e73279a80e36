//! `RelatedEntitiesQuery` of `Retrieve`: the rows that relationships lead to from the row, each by a query of its own. It
//! comes in pages as any other: the collection says whether there is more, and the next Retrieve asks with its cookie.

use postroom_core::query::{Filter, Join, Link};
use postroom_core::{Query, RecordRef, Value};
use postroom_formats::fetchxml::Fetch;
use postroom_formats::soap::query::AnyQuery;
use postroom_formats::soap::value::{Any, Entity, EntityCollection, Relationship};

use super::call::Call;
use super::read;
use super::relate::{self, Relation};
use super::stop::Stop;
use crate::schema::Kind;

/// A name that no client can write.
const ALIAS: &str = "$related";

/// Reads what hangs on `entity` by each relationship asked for.
pub(super) async fn attach(call: &Call<'_>, entity: &mut Entity, asked: &Any) -> Result<(), Stop> {
    let wrong = || Stop::parameter("Retrieve", "RelatedEntitiesQuery", "RelationshipQueryCollection");
    let Any::Raw(collection) = asked else { return Err(wrong()) };
    let at = RecordRef::new(entity.logical_name.as_str(), entity.id);
    for pair in &collection.children {
        let (Some(key), Some(value)) = (pair.child("key"), pair.child("value")) else { return Err(wrong()) };
        let relationship = Relationship::read(key)?;
        let fetch = AnyQuery::read(value)?.into_fetch();
        let relation = relate::relation(call, &at.table, &relationship)?;
        if fetch.query.table != relation.target() {
            let text = format!(
                "{} leads to rows of {}, not of {}",
                relationship.schema_name,
                relation.target(),
                fetch.query.table
            );
            return Err(Stop::bad(text));
        }
        let rows = match condition(call, &relation, &at).await? {
            Some(filter) => read::rows(call, narrowed(fetch, filter)).await?,
            None => EntityCollection::of(relation.target(), Vec::new()),
        };
        let rows = EntityCollection { min_row_version: None, ..rows };
        entity.related.push((relationship.schema_name, rows));
    }
    Ok(())
}

fn narrowed(mut fetch: Fetch, filter: Filter) -> Fetch {
    let own = std::mem::replace(&mut fetch.query.filter, Filter::All(Vec::new()));
    fetch.query.filter = Filter::All(vec![own, filter]);
    fetch
}

/// What a row at the other end satisfies; `None` when there can be none.
async fn condition(call: &Call<'_>, relation: &Relation<'_>, at: &RecordRef) -> Result<Option<Filter>, Stop> {
    Ok(match relation {
        Relation::Children(lookup) => {
            Some(Filter::eq(lookup.referencing_column.as_str(), Value::Lookup(at.clone())))
        }
        Relation::Parent(lookup) => {
            let column = lookup.referencing_column.as_str();
            let key = call.table(&at.table)?.primary_id.as_str();
            let query = Query::of(&at.table).select(&[column]).filter(Filter::eq(key, at.id));
            let found = call.session.all(query).await?;
            let named = found.first().and_then(|row| row.lookup(column));
            let named = named.filter(|named| named.table == lookup.referenced_table);
            named.map(|named| Filter::eq(lookup.referenced_column.as_str(), named.id))
        }
        Relation::Pairs { pairs, near, far } => {
            let stored = call.stored(&pairs.intersect_table)?;
            let lookup = stored.column(&near.column).is_some_and(|column| column.kind == Kind::Lookup);
            let this = if lookup { Value::Lookup(at.clone()) } else { Value::Guid(at.id) };
            let key = call.table(&far.table)?.primary_id.as_str();
            let link = Link::new(&pairs.intersect_table, &far.column, key, ALIAS).join(Join::Any);
            Some(Filter::Linked(Box::new(link.filter(Filter::eq(near.column.as_str(), this)))))
        }
    })
}
