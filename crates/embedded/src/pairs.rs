//! Ties of a many-to-many relationship: rows of its table of pairs, for the port and both doors.

use postroom_core::metadata::{End, ManyToMany};
use postroom_core::{Change, ChangeSet, Code, Crm, Fault, Filter, Query, Record, RecordRef, Value};

use crate::Embedded;
use crate::definitions;
use crate::schema::{Kind, Schema};

/// Two rows that a relationship ties, or is to tie, each with its side.
pub(crate) struct Pair<'m> {
    pub relation: &'m ManyToMany,
    pub near: (&'m End, &'m RecordRef),
    pub far: (&'m End, &'m RecordRef),
}

impl Pair<'_> {
    /// The row that ties them: the same pair has the same id.
    pub(crate) fn row(&self, schema: &Schema) -> Record {
        let (near, far) = (self.near.1.id, self.far.1.id);
        let near_first = self.near.0 == &self.relation.first;
        let (first, second) = if near_first { (near, far) } else { (far, near) };
        let id = definitions::association(&self.relation.schema_name, first, second);
        Record::new(RecordRef::new(&self.relation.intersect_table, id))
            .with(&self.near.0.column, self.end(schema, self.near))
            .with(&self.far.0.column, self.end(schema, self.far))
    }

    /// Asks for the rows that tie them. Messages make some under ids of their own.
    pub(crate) fn ties(&self, schema: &Schema) -> Query {
        let both =
            [self.near, self.far].map(|side| Filter::eq(side.0.column.as_str(), self.end(schema, side)));
        Query::of(&self.relation.intersect_table).select(&[]).filter(Filter::All(both.into()))
    }

    /// Tables of pairs have bare ids; members of lists have lookups.
    fn end(&self, schema: &Schema, (end, row): (&End, &RecordRef)) -> Value {
        let table = schema.table(&self.relation.intersect_table).ok();
        match table.and_then(|table| table.column(&end.column)).map(|column| column.kind) {
            Some(Kind::Lookup) => Value::Lookup(row.clone()),
            _ => Value::Guid(row.id),
        }
    }
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
            let pair = pair(&metadata.many_to_many, relationship, at, other)?;
            changes.push(Change::Create(pair.row(&schema)));
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
            let ties = pair(&metadata.many_to_many, relationship, at, other)?.ties(&schema);
            changes.extend(self.query(&ties).await?.into_iter().map(|row| Change::Delete(row.at)));
        }
        self.pair_up(changes).await
    }

    async fn pair_up(&self, changes: Vec<Change>) -> Result<(), Fault> {
        let mut answers = self.apply(vec![ChangeSet { changes }]).await;
        answers.pop().expect("one set gives one answer").map(drop)
    }
}

fn pair<'m>(
    all: &'m [ManyToMany],
    relationship: &str,
    at: &'m RecordRef,
    other: &'m RecordRef,
) -> Result<Pair<'m>, Fault> {
    let unknown = || {
        let text =
            format!("no many-to-many relationship {relationship} ties {} and {}", at.table, other.table);
        Fault::reject(Code::CRM_UNKNOWN_COLUMN, text)
    };
    let relation = all.iter().find(|one| one.schema_name == relationship).ok_or_else(unknown)?;
    let sides = [(&relation.first, &relation.second), (&relation.second, &relation.first)];
    let (near, far) = sides
        .into_iter()
        .find(|(near, far)| near.table == at.table && far.table == other.table)
        .ok_or_else(unknown)?;
    Ok(Pair { relation, near: (near, at), far: (far, other) })
}
