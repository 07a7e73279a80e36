//! `$ref`: rows tied together and untied, by lookups and by tables of pairs (dataverse.md A4).
//!
//! Tying twice is success, and so is untying what is not tied: the platform answers 204 to both, as long as the rows are
//! there.

use postroom_core::metadata::TableInfo;
use postroom_core::{Change, Filter, Query, Record, RecordRef, Value};
use postroom_formats::odata::path::Segment;
use postroom_formats::odata::resolve::{self, Relation, Row};
use serde_json::Value as Json;

use super::call::Call;
use super::dispatch::Place;
use super::write::{Prepared, Then};
use super::{Problem, input};
use crate::pairs::Pair;

/// `POST` or `PUT` of `{"@odata.id": uri}`.
pub(crate) async fn associate(call: &Call<'_>, place: &Place<'_>, name: &str) -> Result<Prepared, Problem> {
    let (at, relation) = start(call, place, name).await?;
    if call.method == http::Method::PUT && !relation.single() {
        return Err(Problem::method(&call.method));
    }
    let members = input::object(call)?;
    let uri = members
        .get("@odata.id")
        .and_then(Json::as_str)
        .ok_or_else(|| Problem::payload("The body of a $ref is {\"@odata.id\":\"<the URI of a row>\"}."))?;
    let to = input::target(call, uri).await?;
    input::fits(call, name, relation.target(), &to)?;
    let mut changes = vec![];
    match &relation {
        Relation::ManyToMany { relation: pairs, near, far } => {
            there(call, &at).await?;
            there(call, &to).await?;
            let pair = Pair { relation: pairs, near: (near, &at), far: (far, &to) };
            if tied(call, pair).await?.is_empty() {
                changes.push(tie(call, &relation, &at, &to));
            }
        }
        Relation::OneToMany(_) => {
            there(call, &at).await?;
            changes.push(tie(call, &relation, &at, &to));
        }
        Relation::ManyToOne(lookup) => {
            let record = Record::new(at).with(&lookup.referencing_column, Value::Lookup(to));
            changes.push(Change::Update(record));
        }
    }
    Ok(Prepared { changes, share: None, made: None, then: Then::Nothing })
}

/// `DELETE` of one reference: by the key in the path, by `$id`, or the only one of a lookup.
pub(crate) async fn disassociate(
    call: &Call<'_>,
    place: &Place<'_>,
    segment: &Segment,
) -> Result<Prepared, Problem> {
    let Segment::Name { name, .. } = segment else { return Err(Problem::method(&call.method)) };
    let (at, relation) = start(call, place, name).await?;
    let target = call.table(relation.target())?;
    let changes = match &relation {
        Relation::ManyToOne(lookup) => {
            vec![Change::Update(Record::new(at).with(&lookup.referencing_column, Value::Null))]
        }
        Relation::OneToMany(lookup) => {
            let child = other(call, name, target, segment).await?;
            there(call, &at).await?;
            let query = Query::of(&child.table)
                .select(&[lookup.referencing_column.as_str()])
                .filter(Filter::eq(call.table(&child.table)?.primary_id.as_str(), child.id));
            let found = call.session.all(query).await?;
            let row = found.first().ok_or_else(|| Problem::no_row(&child.table, child.id))?;
            match row.lookup(&lookup.referencing_column) == Some(&at) {
                true => {
                    vec![Change::Update(Record::new(child).with(&lookup.referencing_column, Value::Null))]
                }
                false => Vec::new(),
            }
        }
        Relation::ManyToMany { relation: pairs, near, far } => {
            let to = other(call, name, target, segment).await?;
            there(call, &at).await?;
            there(call, &to).await?;
            let pair = Pair { relation: pairs, near: (near, &at), far: (far, &to) };
            tied(call, pair).await?.into_iter().map(Change::Delete).collect()
        }
    };
    Ok(Prepared { changes, share: None, made: None, then: Then::Nothing })
}

/// The row that the path begins with, and the relation that goes on from it.
async fn start(call: &Call<'_>, place: &Place<'_>, name: &str) -> Result<(RecordRef, Relation), Problem> {
    let id = place.id(call).await?.ok_or_else(|| place.missing())?;
    let relation = resolve::navigation(&call.metadata, &place.table.logical_name, name)
        .ok_or_else(|| Problem::no_resource(name))?;
    if let Relation::ManyToOne(lookup) = &relation {
        let column = place.table.column(&lookup.referencing_column);
        if !column.is_some_and(|column| input::is_lookup(column) && column.valid_for_update) {
            return Err(Problem::bad(format!("The navigation property '{name}' cannot be changed.")));
        }
    }
    Ok((RecordRef::new(&place.table.logical_name, id), relation))
}

/// The row at the other end of a reference that is to be taken away.
async fn other(
    call: &Call<'_>,
    name: &str,
    target: &TableInfo,
    segment: &Segment,
) -> Result<RecordRef, Problem> {
    if let Some(key) = segment.key()? {
        return match resolve::row(&call.metadata, &target.logical_name, &key)? {
            Row::Id(id) => Ok(RecordRef::new(&target.logical_name, id)),
            row => {
                let place = Place { table: target, row: Some(row), tail: &[] };
                let id = place.id(call).await?.ok_or_else(|| place.missing())?;
                Ok(RecordRef::new(&target.logical_name, id))
            }
        };
    }
    let uri = call.options.id.as_deref().ok_or_else(|| {
        Problem::bad(format!("Say which reference of '{name}' goes: {name}(<id>)/$ref, or $ref?$id=<uri>."))
    })?;
    let to = input::target(call, uri).await?;
    input::fits(call, name, &target.logical_name, &to)?;
    Ok(to)
}

/// The change that ties two rows together by a collection-valued navigation property of the first.
pub(crate) fn tie(call: &Call<'_>, relation: &Relation, at: &RecordRef, to: &RecordRef) -> Change {
    match relation {
        Relation::ManyToMany { relation: pairs, near, far } => {
            let pair = Pair { relation: pairs, near: (near, at), far: (far, to) };
            Change::Create(pair.row(&call.schema))
        }
        Relation::OneToMany(lookup) | Relation::ManyToOne(lookup) => {
            let row = Record::new(to.clone()).with(&lookup.referencing_column, Value::Lookup(at.clone()));
            Change::Update(row)
        }
    }
}

/// The rows that tie these two together.
async fn tied(call: &Call<'_>, pair: Pair<'_>) -> Result<Vec<RecordRef>, Problem> {
    Ok(call.session.all(pair.ties(&call.schema)).await?.into_iter().map(|row| row.at).collect())
}

/// The row is there, or is made by an earlier request of the same change set.
pub(crate) async fn there(call: &Call<'_>, at: &RecordRef) -> Result<(), Problem> {
    if call.made.values().any(|made| made == at) {
        return Ok(());
    }
    let key = call.table(&at.table)?.primary_id.as_str();
    let query = Query::of(&at.table).select(&[]).filter(Filter::eq(key, at.id)).top(1);
    match call.session.all(query).await?.is_empty() {
        true => Err(Problem::no_row(&at.table, at.id)),
        false => Ok(()),
    }
}
