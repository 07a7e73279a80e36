//! The first rows around each of many rows: what `$expand` asks for.

use futures_util::FutureExt;
use postroom_core::metadata::PrivilegeKind;
use postroom_core::{Query, Record, Value};
use postroom_store::Error;

use super::{Me, Reader, Session, permission};
use crate::failure::Failure;
use crate::query::{self, Each, Frame, Numbered, hierarchy};
use crate::schema::{Schema, Table};

/// One of them.
#[derive(Debug)]
pub(crate) struct First {
    pub record: Record,
    /// From 1, among the rows that have the same value.
    pub number: u64,
    /// The sort keys of the last but one that may come: a page ends there when there is one more.
    pub marks: Vec<Value>,
    /// How many have the same value, when that was asked for.
    pub total: u64,
}

impl Session {
    /// The first rows for each value of a column, as this caller may see them: all that come first, then all second ones,
    /// and so on.
    pub(crate) async fn firsts(&self, query: Query, each: Each) -> Result<Vec<First>, Failure> {
        self.look(move |reader| async move { reader.firsts(query, &each).await }.boxed()).await
    }
}

impl Reader<'_> {
    async fn firsts(self, mut query: Query, each: &Each) -> Result<Vec<First>, Failure> {
        let Reader { tx, cache, asks, now } = self;
        let schema = cache.current(tx).await?;
        let caller = asks.caller(tx, &schema).await?;
        permission::check_query(&caller, &schema, &query)?;
        hierarchy::resolve(tx, &schema, &mut query).await?;
        let visible = |table: &Table| caller.filter(PrivilegeKind::Read, table);
        let frame =
            Frame { schema: &schema, dialect: tx.dialect(), now, me: Me::of(&caller), visible: &visible };
        let numbered = query::each(&frame, &query, each)?;
        let rows = tx.query(&numbered.plan.select).await?;
        let mut firsts = read(&schema, &numbered, each, rows)?;
        permission::hide(&caller, &schema, &query, firsts.iter_mut().map(|first| &mut first.record));
        Ok(firsts)
    }
}

fn read(
    schema: &Schema,
    numbered: &Numbered,
    each: &Each,
    rows: Vec<postroom_store::Row>,
) -> Result<Vec<First>, Error> {
    let mut notes = Vec::with_capacity(rows.len());
    for row in &rows {
        let count = |cell: usize| Ok::<u64, Error>(u64::try_from(row.at::<i64>(cell)?).unwrap_or_default());
        let number = count(numbered.number)?;
        let ends = number + 1 == each.rows;
        let marks = if ends { numbered.plan.mark(schema, row)? } else { Vec::new() };
        notes.push((number, marks, numbered.total.map(count).transpose()?.unwrap_or_default()));
    }
    let records = numbered.plan.records(schema, rows)?;
    let firsts = records.into_iter().zip(notes);
    Ok(firsts.map(|(record, (number, marks, total))| First { record, number, marks, total }).collect())
}
