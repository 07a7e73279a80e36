//! Rows tied together and untied, by lookups and by tables of pairs: `Associate` and `Disassociate` (dataverse.md E4).
//!
//! Pairs that are tied already are refused as duplicates, as the platform does here (the Web API takes them for done);
//! untying what is not tied is success.

use postroom_core::metadata::{End, ManyToMany, OneToMany};
use postroom_core::{Change, Filter, Query, Record, RecordRef, Value};
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::{Any, Relationship};

use super::call::Call;
use super::stop::Stop;
use super::write::{self, Prepared};
use crate::pairs::Pair;
use crate::webapi::codes;

/// Where a relationship leads from a row.
pub(super) enum Relation<'m> {
    /// To rows that name this one.
    Children(&'m OneToMany),
    /// To the row that this one names.
    Parent(&'m OneToMany),
    Pairs {
        pairs: &'m ManyToMany,
        near: &'m End,
        far: &'m End,
    },
}

impl Relation<'_> {
    /// The table at its other end.
    pub(super) fn target(&self) -> &str {
        match self {
            Relation::Children(lookup) => &lookup.referencing_table,
            Relation::Parent(lookup) => &lookup.referenced_table,
            Relation::Pairs { far, .. } => &far.table,
        }
    }
}

/// A relationship of a table by its schema name. Between rows of one table the role says which end this is.
pub(super) fn relation<'m>(call: &'m Call<'_>, table: &str, of: &Relationship) -> Result<Relation<'m>, Stop> {
    let named = |name: &str| name.eq_ignore_ascii_case(&of.schema_name);
    let referencing = of.role.as_deref() == Some("Referencing");
    let lookup = call.metadata.one_to_many.iter().find(|one| {
        named(&one.schema_name) && (one.referenced_table == table || one.referencing_table == table)
    });
    if let Some(lookup) = lookup {
        let parent = lookup.referenced_table != table || lookup.referencing_table == table && referencing;
        return Ok(if parent { Relation::Parent(lookup) } else { Relation::Children(lookup) });
    }
    let pairs = call.metadata.many_to_many.iter().find(|pairs| named(&pairs.schema_name));
    match pairs {
        Some(pairs) if pairs.first.table == table && of.role.as_deref() != Some("Referenced") => {
            Ok(Relation::Pairs { pairs, near: &pairs.first, far: &pairs.second })
        }
        Some(pairs) if pairs.second.table == table => {
            Ok(Relation::Pairs { pairs, near: &pairs.second, far: &pairs.first })
        }
        Some(pairs) if pairs.first.table == table => {
            Ok(Relation::Pairs { pairs, near: &pairs.first, far: &pairs.second })
        }
        _ => {
            let text = format!("The {table} entity has no relationship with Name = '{}'.", of.schema_name);
            Err(Stop::coded(codes::NOT_FOUND, text))
        }
    }
}

/// The rows that tie these two together.
async fn tied(call: &Call<'_>, pair: &Pair<'_>) -> Result<Vec<RecordRef>, Stop> {
    Ok(call.session.all(pair.ties(&call.schema)).await?.into_iter().map(|row| row.at).collect())
}

/// `Associate` or `Disassociate`.
pub(super) async fn prepare(call: &Call<'_>, request: &Request) -> Result<Prepared, Stop> {
    let ties = request.name == "Associate";
    let at = call.row(write::reference(request, "Target")?).await?;
    let Some(Any::Relationship(of)) = request.get("Relationship") else {
        return Err(Stop::parameter(&request.name, "Relationship", "Relationship"));
    };
    let Some(Any::References(related)) = request.get("RelatedEntities") else {
        return Err(Stop::parameter(&request.name, "RelatedEntities", "EntityReferenceCollection"));
    };
    let relation = relation(call, &at.table, of)?;
    call.there(&at).await?;
    let mut changes = Vec::new();
    for reference in related {
        let to = call.row(reference).await?;
        if to.table != relation.target() && relation.target() != "activitypointer" {
            let text =
                format!("{} leads to rows of {}, not of {}", of.schema_name, relation.target(), to.table);
            return Err(Stop::bad(text));
        }
        match ties {
            true => tie(call, &relation, &at, &to, &mut changes).await?,
            false => untie(call, &relation, &at, &to, &mut changes).await?,
        }
    }
    Ok(Prepared::silent(changes))
}

async fn tie(
    call: &Call<'_>,
    relation: &Relation<'_>,
    at: &RecordRef,
    to: &RecordRef,
    changes: &mut Vec<Change>,
) -> Result<(), Stop> {
    let point = |row: &RecordRef, lookup: &OneToMany, to: &RecordRef| {
        Change::Update(Record::new(row.clone()).with(&lookup.referencing_column, Value::Lookup(to.clone())))
    };
    match relation {
        Relation::Children(lookup) => changes.push(point(to, lookup, at)),
        Relation::Parent(lookup) => changes.push(point(at, lookup, to)),
        Relation::Pairs { pairs, near, far } => {
            call.there(to).await?;
            let pair = Pair { relation: pairs, near: (near, at), far: (far, to) };
            if !tied(call, &pair).await?.is_empty() {
                return Err(Stop::coded(codes::DUPLICATE, "Cannot insert duplicate key."));
            }
            changes.push(Change::CreateNew(pair.row(&call.schema)));
        }
    }
    Ok(())
}

async fn untie(
    call: &Call<'_>,
    relation: &Relation<'_>,
    at: &RecordRef,
    to: &RecordRef,
    changes: &mut Vec<Change>,
) -> Result<(), Stop> {
    let (row, lookup, named) = match relation {
        Relation::Children(lookup) => (to, lookup, at),
        Relation::Parent(lookup) => (at, lookup, to),
        Relation::Pairs { pairs, near, far } => {
            let pair = Pair { relation: pairs, near: (near, at), far: (far, to) };
            let rows = tied(call, &pair).await?;
            changes.extend(rows.into_iter().map(Change::Delete));
            return Ok(());
        }
    };
    call.there(row).await?;
    let column = lookup.referencing_column.as_str();
    let query = Query::of(&row.table)
        .select(&[column])
        .filter(Filter::eq(call.table(&row.table)?.primary_id.as_str(), row.id));
    let found = call.session.all(query).await?;
    if found.first().and_then(|found| found.lookup(column)) == Some(named) {
        changes.push(Change::Update(Record::new(row.clone()).with(column, Value::Null)));
    }
    Ok(())
}
