//! The port's reads that go on: pages, and runs through changes.
//!
//! Where a page or run goes on stands in a text of base64 that the caller keeps; nothing is kept here, so it works after a
//! restart and on another node.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::metadata::Metadata;
use postroom_core::query::Comparison;
use postroom_core::{ChangesAsk, CrmChanges, CrmPage, Fault, Filter, Query, Record, Value};
use postroom_store::Tx;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::query::{self, Frame, Me, Start, Window, all_visible, hierarchy};
use crate::rules::Refusal;
use crate::schema::Schema;
use crate::webapi::marks;
use crate::{Embedded, changes, definitions};

pub(crate) type Marks = Vec<Option<String>>;

/// Where a run through changes stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Run {
    /// Rows after this version; `None` is every row.
    since: Option<i64>,
    /// And up to this one; `None` before the first part.
    until: Option<i64>,
    /// After the row with these sort keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Marks>,
    /// When the run before ended, in seconds: deletions are not remembered for ever.
    at: i64,
}

impl Embedded {
    pub(crate) async fn page_of(
        &self,
        query: &Query,
        size: u32,
        after: Option<&str>,
    ) -> Result<CrmPage, Fault> {
        let marks = after.map(read::<Marks>).transpose()?;
        let (query, cache, now) = (query.clone(), self.cache.clone(), self.clock.now());
        let page = self.store.read(move |tx| {
            async move {
                let schema = cache.current(tx).await?;
                let (records, last) = part(tx, &schema, now, query, size, marks).await?;
                Ok(CrmPage { records, next: last.map(|last| write(&last)) })
            }
            .boxed()
        });
        page.await
    }

    pub(crate) async fn changes_of(&self, ask: &ChangesAsk) -> Result<CrmChanges, Fault> {
        let now = self.clock.now();
        let run = ask.since.as_deref().map(read::<Run>).transpose()?;
        let known = |run: &Run| run.since.is_none() || run.at >= (now - changes::KEPT).as_second();
        let run = run.filter(known);
        let run = run.unwrap_or(Run { since: None, until: None, after: None, at: now.as_second() });
        let (ask, cache) = (ask.clone(), self.cache.clone());
        let found = self.store.read(move |tx| {
            async move {
                let schema = cache.current(tx).await?;
                changed(tx, &schema, now, ask, run).await
            }
            .boxed()
        });
        found.await
    }

    /// The definitions of these tables, or of all.
    pub(crate) async fn described(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        let mut all = Metadata::clone(&*definitions::metadata(&*self.schema().await?));
        if tables.is_empty() {
            return Ok(all);
        }
        if let Some(unknown) = tables.iter().find(|name| all.table(name).is_none()) {
            self.schema().await?.table(unknown)?;
        }
        let of: HashSet<&str> = tables.iter().copied().collect();
        let named = |table: &String| of.contains(table.as_str());
        all.one_to_many.retain(|one| named(&one.referenced_table) || named(&one.referencing_table));
        all.many_to_many.retain(|many| named(&many.first.table) || named(&many.second.table));
        all.tables.retain(|table| named(&table.logical_name));
        Ok(all)
    }
}

/// One part of a run.
async fn changed(
    tx: &mut Tx,
    schema: &Schema,
    now: Timestamp,
    ask: ChangesAsk,
    run: Run,
) -> Result<CrmChanges, Fault> {
    // Before the rows: what is written meanwhile has a higher version and comes the next time.
    let newest = changes::newest(tx).await?;
    // A version that was never given out: the database was put back to an earlier copy, and nobody can tell what changed.
    let put_back = run.until.is_none() && run.since.is_some_and(|version| version > newest);
    let run = if put_back { Run { since: None, ..run } } else { run };
    let until = run.until.unwrap_or(newest);
    let table = schema.table(&ask.table)?.clone();
    let mut query = Query { columns: ask.columns, ..Query::of(&ask.table) };
    if let Some(version) = run.since {
        query = query.filter(between(version, until)).order_by("versionnumber", false);
    }
    let (records, last) = part(tx, schema, now, query, ask.size, run.after.clone()).await?;
    let full = run.since.is_none();
    if let Some(last) = last {
        let token = write(&Run { until: Some(until), after: Some(last), ..run });
        return Ok(CrmChanges { records, gone: Vec::new(), token, more: true, full });
    }
    let gone = match run.since {
        Some(version) => changes::gone_since(tx, &table, version, until).await?,
        None => Vec::new(),
    };
    let token = write(&Run { since: Some(until), until: None, after: None, at: now.as_second() });
    Ok(CrmChanges { records, gone, token, more: false, full })
}

fn between(after: i64, until: i64) -> Filter {
    let version =
        |comparison, value: i64| Filter::Compare("versionnumber".into(), comparison, Value::Int(value));
    Filter::All(vec![version(Comparison::Gt, after), version(Comparison::Le, until)])
}

/// Rows of a query after a place, and the place of the last one when there are more. Computed answers have no places: they
/// come whole.
async fn part(
    tx: &mut Tx,
    schema: &Schema,
    now: Timestamp,
    mut query: Query,
    size: u32,
    after: Option<Marks>,
) -> Result<(Vec<Record>, Option<Marks>), Fault> {
    hierarchy::resolve(tx, schema, &mut query).await?;
    let frame = Frame { schema, dialect: tx.dialect(), now, me: Me::default(), visible: &all_visible };
    let size = (!query.computes()).then_some(u64::from(size.max(1)));
    let start = after.map_or(Start::First, start);
    let plan = query::plan(&frame, &query, &Window { size: size.map(|size| size + 1), start })?;
    let mut rows = tx.query(&plan.select).await?;
    let shown = size.map_or(rows.len(), |size| rows.len().min(size as usize));
    let last = (rows.len() > shown).then(|| plan.mark(schema, &rows[shown - 1])).transpose()?;
    rows.truncate(shown);
    Ok((plan.records(schema, rows)?, last.map(|last| marks(&last))))
}

/// Where a page begins that follows the row with these sort keys.
pub(crate) fn start(marks: Marks) -> Start {
    Start::After(marks.into_iter().map(|mark| mark.map_or(Value::Null, Value::Text)).collect())
}

pub(crate) fn write(what: &impl Serialize) -> String {
    BASE64.encode(serde_json::to_vec(what).expect("plain data has a JSON form"))
}

pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    let bytes = BASE64.decode(text).map_err(|_| Refusal::Cookie)?;
    Ok(serde_json::from_slice(&bytes).map_err(|_| Refusal::Cookie)?)
}
