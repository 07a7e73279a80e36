//! Ties of a many-to-many relationship, by the port: rows of its table of pairs.

use postroom_core::metadata::{End, ManyToMany};
use postroom_core::{Change, ChangeSet, Code, Crm, Fault, Filter, Query, Record, RecordRef, Value};

use crate::Embedded;
use crate::definitions;
use crate::schema::{Kind, Schema};

/// A relationship, seen from one of its sides.
struct Pairs<'m> {
    relation: &'m ManyToMany,
    near: &'m End,
    far: &'m End,
}

impl Embedded {
    pub(crate) async fn tie(
        &self,
        relationship: &str,
        at: &RecordRef,
        others: &[RecordRef],
    ) -> Result<(), Fault> {
        let schema = self.schema().await?;
        let metadata = definitions::metadata(&schema);
        let mut changes = Vec::new();
        for other in others {
            let pairs = pairs(&metadata.many_to_many, relationship, at, other)?;
            let near_first = std::ptr::eq(pairs.near, &pairs.relation.first);
            let (first, second) = if near_first { (at.id, other.id) } else { (other.id, at.id) };
            let id = definitions::association(&pairs.relation.schema_name, first, second);
            let row = Record::new(RecordRef::new(&pairs.relation.intersect_table, id));
            let row = row.with(&pairs.near.column, end(&schema, &pairs, pairs.near, at));
            changes.push(Change::Create(row.with(&pairs.far.column, end(&schema, &pairs, pairs.far, other))));
        }
        self.pair_up(changes).await
    }

    pub(crate) async fn untie(
        &self,
        relationship: &str,
        at: &RecordRef,
        others: &[RecordRef],
    ) -> Result<(), Fault> {
        let schema = self.schema().await?;
        let metadata = definitions::metadata(&schema);
        let mut changes = Vec::new();
        for other in others {
            let pairs = pairs(&metadata.many_to_many, relationship, at, other)?;
            let both = Filter::All(vec![
                Filter::eq(&pairs.near.column, end(&schema, &pairs, pairs.near, at)),
                Filter::eq(&pairs.far.column, end(&schema, &pairs, pairs.far, other)),
            ]);
            let tied = Query::of(&pairs.relation.intersect_table).select(&[]).filter(both);
            changes.extend(self.query(&tied).await?.into_iter().map(|row| Change::Delete(row.at)));
        }
        self.pair_up(changes).await
    }

    async fn pair_up(&self, changes: Vec<Change>) -> Result<(), Fault> {
        let mut answers = self.apply(vec![ChangeSet { changes }]).await;
        answers.pop().expect("one set gives one answer").map(drop)
    }
}

fn pairs<'m>(
    all: &'m [ManyToMany],
    relationship: &str,
    at: &RecordRef,
    other: &RecordRef,
) -> Result<Pairs<'m>, Fault> {
    let unknown = || {
        let text =
            format!("no many-to-many relationship {relationship} ties {} and {}", at.table, other.table);
        Fault::reject(Code::CRM_UNKNOWN_COLUMN, text)
    };
    let relation = all.iter().find(|one| one.schema_name == relationship).ok_or_else(unknown)?;
    let (first, second) = (&relation.first, &relation.second);
    match (
        at.table == first.table && other.table == second.table,
        at.table == second.table && other.table == first.table,
    ) {
        (true, _) => Ok(Pairs { relation, near: first, far: second }),
        (_, true) => Ok(Pairs { relation, near: second, far: first }),
        _ => Err(unknown()),
    }
}

/// Tables of pairs have bare ids; members of lists have lookups.
fn end(schema: &Schema, pairs: &Pairs<'_>, end: &End, row: &RecordRef) -> Value {
    let table = schema.table(&pairs.relation.intersect_table).ok();
    match table.and_then(|table| table.column(&end.column)).map(|column| column.kind) {
        Some(Kind::Lookup) => Value::Lookup(row.clone()),
        _ => Value::Guid(row.id),
    }
}
