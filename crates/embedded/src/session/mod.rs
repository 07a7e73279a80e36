//! The CRM as one caller sees and changes it: what the doors are made of.
//!
//! A query answers a page, and says where the next one begins. Changes since a version come with the rows that went. What
//! the caller may see and do is asked in the unit that reads or writes ([`permission`]).

mod each;
mod permission;
mod preview;
mod shared;

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::metadata::PrivilegeKind;
use postroom_core::{Change, ChangeSet, Code, Fault, Filter, Outcome, Query, Record, Value};
use postroom_store::Tx;
use uuid::Uuid;

use crate::access::{AccessError, Caller, Callers};
use crate::failure::Failure;
use crate::lot::Writer;
use crate::query::{self, Frame, Me, hierarchy};
pub use crate::query::{Start, Window};
use crate::rules::Refusal;
use crate::schema::registry::Cache;
use crate::schema::{Schema, Table};
use crate::{Embedded, changes, content, crm, solutions};
pub(crate) use each::First;

/// Rows counted at most when a total is asked for; the platform says no more either.
pub const COUNTED: u64 = 5000;

/// One caller at the embedded CRM. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    crm: Embedded,
    user: Uuid,
    impersonated: Option<Uuid>,
    /// Changes that this caller sees as if they were made.
    pending: Arc<Vec<Change>>,
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
    pub(crate) fn new(crm: Embedded, user: Uuid, impersonated: Option<Uuid>) -> Self {
        Session { crm, user, impersonated, pending: Arc::default() }
    }

    /// The same caller, to whom these changes are made already: a later request of a change set sees what the earlier ones
    /// stand for. What this caller writes is not affected.
    pub(crate) fn after(&self, changes: Vec<Change>) -> Session {
        Session { pending: Arc::new(changes), ..self.clone() }
    }

    /// The CRM behind this caller.
    pub fn crm(&self) -> &Embedded {
        &self.crm
    }

    /// The `systemuserid` in whose name things are done.
    pub fn user(&self) -> Uuid {
        self.impersonated.unwrap_or(self.user)
    }

    /// The caller with all rights, as they are now.
    pub async fn caller(&self) -> Result<Arc<Caller>, Failure> {
        let (asks, crm) = (self.asks(), self.crm.clone());
        let caller = self.crm.store.read(move |tx| {
            async move {
                let schema = crm.cache.current(tx).await?;
                asks.caller(tx, &schema).await
            }
            .boxed()
        });
        let caller: Result<Arc<Caller>, AccessError> = caller.await;
        let caller = caller?;
        self.crm.callers.keep(&caller);
        Ok(caller)
    }

    /// Refused unless the caller has this miscellaneous privilege, such as `prvPublishCustomization`.
    pub async fn check_misc(&self, privilege: &str) -> Result<(), Failure> {
        Ok(self.caller().await?.check_misc(privilege)?)
    }

    pub(crate) fn asks(&self) -> Asks {
        Asks { callers: self.crm.callers.clone(), user: self.user, impersonated: self.impersonated }
    }

    /// What time it is at this CRM.
    pub fn now(&self) -> Timestamp {
        self.crm.clock.now()
    }

    /// Rows, with those of linked tables, as this caller may see them.
    pub async fn page(&self, query: Query, window: Window, total: bool) -> Result<Page, Failure> {
        self.look(move |reader| async move { reader.page(query, &window, total).await }.boxed()).await
    }

    /// Rows as the platform itself sees them.
    pub(crate) async fn system(&self, query: Query) -> Result<Vec<Record>, Failure> {
        self.look(move |reader| {
            async move {
                let schema = reader.cache.current(reader.tx).await?;
                Ok(crm::ask(reader.tx, schema, reader.now, &query).await?)
            }
            .boxed()
        })
        .await
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
        self.look(move |reader| async move { reader.changes(&table, columns, since, window).await }.boxed())
            .await
    }

    /// Applies each set by itself; one that fails leaves its neighbours alone.
    pub async fn apply(&self, mut sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Failure>> {
        let count = sets.len();
        if count == 0 {
            return Vec::new();
        }
        if let Some(answers) = solutions::apart(self, &sets).await {
            return answers;
        }
        let writer = Writer { acting: self.user(), now: self.crm.clock.now() };
        let (cache, files, asks) = (self.crm.cache.clone(), content::store_files(&mut sets), self.asks());
        let unit = self.crm.change(move |tx| permission::put(tx, cache, asks, writer, files, sets).boxed());
        match unit.await {
            Ok((schema, caller, answers)) => {
                self.crm.cache.keep(&schema);
                self.crm.callers.keep(&caller);
                answers
            }
            Err(permission::Stopped::Denied(error)) => {
                // Nobody may do anything: the same for each set.
                let text = error.to_string();
                let denied = |_| Err(Failure::Store(Fault::reject(Code::API_DENIED, text.clone())));
                let mut answers: Vec<_> = (1..count).map(denied).collect();
                answers.insert(0, Err(Failure::from(error)));
                answers
            }
            Err(permission::Stopped::Store(error)) => crm::same_for_all(error, count)
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

/// Who asks, to be read in the unit that answers.
#[derive(Clone)]
pub(crate) struct Asks {
    callers: Callers,
    user: Uuid,
    impersonated: Option<Uuid>,
}

impl Asks {
    pub(crate) async fn caller(&self, tx: &mut Tx, schema: &Arc<Schema>) -> Result<Arc<Caller>, AccessError> {
        let caller = self.callers.current(tx, schema, self.user, self.impersonated).await?;
        self.callers.keep(&caller);
        Ok(caller)
    }
}

impl Asks {
    /// The caller by definitions that are not durable yet: read anew, and kept by nobody.
    pub(crate) async fn fresh(&self, tx: &mut Tx, schema: &Arc<Schema>) -> Result<Caller, AccessError> {
        Caller::load(tx, schema, self.user, self.impersonated).await
    }
}

/// One read of the store.
pub(crate) struct Reader<'t> {
    tx: &'t mut Tx,
    cache: Cache,
    asks: Asks,
    now: Timestamp,
}

impl Reader<'_> {
    async fn page(self, query: Query, window: &Window, total: bool) -> Result<Page, Failure> {
        let schema = self.cache.current(self.tx).await?;
        let caller = self.asks.caller(self.tx, &schema).await?;
        run(self.tx, schema, &caller, self.now, query, window, total).await
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
        if since.version.is_some_and(|version| version > newest) {
            return Err(Failure::expired());
        }
        let described = schema.table(table)?.clone();
        let caller = self.asks.caller(self.tx, &schema).await?;
        if caller.filter(PrivilegeKind::Read, &described).is_some() {
            // Which rows went cannot be told to someone who could not see all of them.
            caller.check_table(PrivilegeKind::Read, &described)?;
            return Err(Refusal::Tracking(table.to_owned()).into());
        }
        let mut query = Query { columns, ..Query::of(table) };
        if let Some(version) = since.version {
            query = query.filter(between(version, until)).order_by("versionnumber", false);
        }
        let page = run(self.tx, schema, &caller, self.now, query, &window, false).await?;
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
    caller: &Caller,
    now: Timestamp,
    mut query: Query,
    window: &Window,
    total: bool,
) -> Result<Page, Failure> {
    permission::check_query(caller, &schema, &query)?;
    hierarchy::resolve(tx, &schema, &mut query).await?;
    let visible = |table: &Table| caller.filter(PrivilegeKind::Read, table);
    let me = Me::of(caller);
    let frame = Frame { schema: &schema, dialect: tx.dialect(), now, me, visible: &visible };
    // One row more than asked for shows whether there are more.
    let wider = Window { size: window.size.map(|size| size + 1), start: window.start.clone() };
    let plan = query::plan(&frame, &query, &wider)?;
    let mut rows = tx.query(&plan.select).await?;
    let total = match total {
        true => Some(count(tx, plan.count.clone()).await?),
        false => None,
    };
    let shown = window.size.map_or(rows.len(), |size| rows.len().min(size as usize));
    let more = rows.len() > shown;
    rows.truncate(shown);
    let mark = |row: Option<&postroom_store::Row>| {
        row.map(|row| plan.mark(&schema, row)).transpose().map(Option::unwrap_or_default)
    };
    let (first, last) = (mark(rows.first())?, mark(rows.last())?);
    let mut records = plan.records(&schema, rows)?;
    permission::hide(caller, &schema, &query, records.iter_mut());
    Ok(Page { records, more, keys: plan.keys(), first, last, total })
}

async fn count(tx: &mut Tx, select: postroom_store::sql::SelectStatement) -> Result<u64, Failure> {
    let row = tx.query_one(&select).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.at(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}
