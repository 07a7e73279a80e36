//! The CRM as one caller sees and changes it: what the doors are made of.
//!
//! A query answers a page, and says where the next one begins. Changes since a version come with the rows that went.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{ChangeSet, Filter, Outcome, Query, Record, Value};
use postroom_store::Tx;
use uuid::Uuid;

use crate::failure::Failure;
use crate::lot::Writer;
use crate::query::{self, Frame, Me, hierarchy};
pub use crate::query::{Start, Window};
use crate::schema::registry::Cache;
use crate::schema::{Schema, Table};
use crate::{Embedded, changes, content, crm};

/// Rows counted at most when a total is asked for; the platform says no more either.
pub const COUNTED: u64 = 5000;

/// One caller at the embedded CRM. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    crm: Embedded,
    me: Me,
}

/// A page of rows.
#[derive(Debug, Default)]
pub struct Page {
    pub records: Vec<Record>,
    /// There are rows after these.
    pub more: bool,
    /// The names of the sort keys, and their values in the first and the last row.
    pub keys: Vec<String>,
    pub first: Vec<Value>,
    pub last: Vec<Value>,
    /// How many rows there are in all, when that was asked for: at most [`COUNTED`] + 1.
    pub total: Option<u64>,
}

/// What changed in a table.
#[derive(Debug, Default)]
pub struct Changed {
    pub page: Page,
    /// Rows that went; they come with the last page.
    pub gone: Vec<Uuid>,
    /// Ask for what comes after this version the next time.
    pub until: i64,
}

/// Which changes.
#[derive(Debug, Clone, Copy)]
pub struct Since {
    /// Changes after this version; `None` is every row there is, and none that went.
    pub version: Option<i64>,
    /// And up to this one: what the first page of the same run answered.
    pub until: Option<i64>,
}

impl Session {
    pub(crate) fn new(crm: Embedded, me: Me) -> Self {
        Session { crm, me }
    }

    /// The CRM behind this caller.
    pub fn crm(&self) -> &Embedded {
        &self.crm
    }

    /// The caller's `systemuserid`.
    pub fn user(&self) -> Uuid {
        self.me.user
    }

    /// What time it is at this CRM.
    pub fn now(&self) -> Timestamp {
        self.crm.clock.now()
    }

    /// The caller's business unit.
    pub fn unit(&self) -> Option<Uuid> {
        self.me.unit
    }

    /// Rows, with those of linked tables, as this caller may see them.
    pub async fn page(&self, query: Query, window: Window, total: bool) -> Result<Page, Failure> {
        let (cache, me, now) = (self.crm.cache.clone(), self.me.clone(), self.crm.clock.now());
        let page = self.crm.store.read(move |tx| {
            async move { Reader { tx, cache, me, now }.page(query, &window, total).await }.boxed()
        });
        page.await
    }

    /// Every row of a query, without pages.
    pub async fn all(&self, query: Query) -> Result<Vec<Record>, Failure> {
        Ok(self.page(query, Window::default(), false).await?.records)
    }

    /// The rows of a table that changed, by their versions. `columns` as in [`Query::columns`].
    pub async fn changes(
        &self,
        table: String,
        columns: Option<Vec<String>>,
        since: Since,
        window: Window,
    ) -> Result<Changed, Failure> {
        let (cache, me, now) = (self.crm.cache.clone(), self.me.clone(), self.crm.clock.now());
        let changed = self.crm.store.read(move |tx| {
            async move { Reader { tx, cache, me, now }.changes(&table, columns, since, window).await }.boxed()
        });
        changed.await
    }

    /// Applies each set by itself; one that fails leaves its neighbours alone.
    pub async fn apply(&self, mut sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Failure>> {
        let count = sets.len();
        if count == 0 {
            return Vec::new();
        }
        let writer = Writer { acting: self.me.user, now: self.crm.clock.now() };
        let (cache, files) = (self.crm.cache.clone(), content::store_files(&mut sets));
        let unit =
            self.crm.store.write("crm.apply", move |tx| crm::put(tx, cache, writer, files, sets).boxed());
        match unit.await {
            Ok((schema, answers)) => {
                self.crm.cache.keep(&schema);
                answers.into_iter().map(|answer| answer.map_err(Failure::from)).collect()
            }
            Err(error) => crm::same_for_all(error, count)
                .into_iter()
                .map(|answer| answer.map_err(Failure::from))
                .collect(),
        }
    }

    /// One set.
    pub async fn write(&self, set: ChangeSet) -> Result<Vec<Outcome>, Failure> {
        self.apply(vec![set]).await.pop().expect("one set gives one answer")
    }
}

/// One read of the store.
struct Reader<'t> {
    tx: &'t mut Tx,
    cache: Cache,
    me: Me,
    now: Timestamp,
}

impl Reader<'_> {
    async fn page(self, query: Query, window: &Window, total: bool) -> Result<Page, Failure> {
        let schema = self.cache.current(self.tx).await?;
        run(self.tx, schema, self.me, self.now, query, window, total).await
    }

    async fn changes(
        self,
        table: &str,
        columns: Option<Vec<String>>,
        since: Since,
        window: Window,
    ) -> Result<Changed, Failure> {
        let schema = self.cache.current(self.tx).await?;
        // Before the rows: what is written meanwhile has a higher version and comes the next time.
        let newest = changes::newest(self.tx).await?;
        let until = since.until.unwrap_or(newest);
        let described = schema.table(table)?.clone();
        let mut query = Query { columns, ..Query::of(table) };
        if let Some(version) = since.version {
            query = query.filter(between(version, until)).order_by("versionnumber", false);
        }
        let page = run(self.tx, schema, self.me, self.now, query, &window, false).await?;
        let gone = match since.version.filter(|_| !page.more) {
            Some(version) => changes::gone_since(self.tx, &described, version, until).await?,
            None => Vec::new(),
        };
        Ok(Changed { page, gone, until })
    }
}

fn between(after: i64, until: i64) -> Filter {
    use postroom_core::query::Comparison;
    let version =
        |comparison, value: i64| Filter::Compare("versionnumber".into(), comparison, Value::Int(value));
    Filter::All(vec![version(Comparison::Gt, after), version(Comparison::Le, until)])
}

async fn run(
    tx: &mut Tx,
    schema: Arc<Schema>,
    me: Me,
    now: Timestamp,
    mut query: Query,
    window: &Window,
    total: bool,
) -> Result<Page, Failure> {
    hierarchy::resolve(tx, &schema, &mut query).await?;
    let visible = |_: &Table| None;
    let frame = Frame { schema: &schema, dialect: tx.dialect(), now, me, visible: &visible };
    // One row more than asked for shows whether there are more.
    let wider = Window { size: window.size.map(|size| size + 1), start: window.start.clone() };
    let plan = query::plan(&frame, &query, &wider)?;
    let rows = tx.query(&plan.select).await?;
    let total = match total {
        true => Some(count(tx, plan.count.clone()).await?),
        false => None,
    };
    let shown = window.size.map_or(rows.len(), |size| rows.len().min(size as usize));
    let more = rows.len() > shown;
    let rows = &rows[..shown];
    let mark = |row: Option<&postroom_store::Row>| {
        row.map(|row| plan.mark(&schema, row)).transpose().map(Option::unwrap_or_default)
    };
    let (first, last) = (mark(rows.first())?, mark(rows.last())?);
    let records = rows.iter().map(|row| plan.record(&schema, row)).collect::<Result<_, _>>()?;
    Ok(Page { records, more, keys: plan.keys(), first, last, total })
}

async fn count(tx: &mut Tx, select: postroom_store::sql::SelectStatement) -> Result<u64, Failure> {
    let row = tx.query_one(&select).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.at(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}
