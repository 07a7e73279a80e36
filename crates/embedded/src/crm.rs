//! The port: what `postroom_core::Crm` asks, answered from the store.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::metadata::Metadata;
use postroom_core::{
    AddressHit, Capabilities, ChangeSet, ChangesAsk, Content, Crm, CrmChanges, CrmPage, Delivery, Fault,
    Imported, IncomingMail, Outcome, Query, Record, RecordRef,
};
use postroom_store::body::{self, Body};
use postroom_store::sql::{Expr, Func, Query as Sql};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use crate::acting::Acting;
use crate::failure::Failure;
use crate::lot::{self, Writer, load};
use crate::query::{self, Frame, Me, Window, all_visible};
use crate::schema::registry::Cache;
use crate::schema::{Schema, Table};
use crate::solutions::Import;
use crate::{Embedded, address, content, solutions};

/// The columns that say how a row stands, where its table has them.
const STANDING: &[&str] = &["statecode", "statuscode", "ownerid", "merged", "masterid"];
/// The tables that [`Crm::check`] counts.
const COUNTED: &[&str] = &["contact", "account", "lead", "incident", "email"];

/// What became of each set of a lot, as the port says it.
pub(crate) type Answers = Vec<Result<Vec<Outcome>, Fault>>;
/// The same with the reasons of the rules.
pub(crate) type Outcomes = Vec<Result<Vec<Outcome>, Failure>>;

impl Embedded {
    pub(crate) fn writer(&self) -> Writer {
        Writer { acting: self.acting, now: self.clock.now() }
    }
}

#[async_trait]
impl Crm for Embedded {
    async fn find(&self, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
        let tables: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
        let (ids, cache) = (ids.to_vec(), self.cache.clone());
        let found = self.store.read(move |tx| {
            async move {
                let schema = cache.current(tx).await?;
                let mut found = Vec::new();
                for name in &tables {
                    find_in(tx, schema.table(name)?, &ids, &mut found).await?;
                }
                Ok(found)
            }
            .boxed()
        });
        found.await
    }

    async fn find_addresses(&self, addresses: &[String]) -> Result<Vec<AddressHit>, Fault> {
        let (addresses, cache) = (addresses.to_vec(), self.cache.clone());
        let hits = self.store.read(move |tx| {
            async move {
                let schema = cache.current(tx).await?;
                address::find(tx, schema, addresses).await
            }
            .boxed()
        });
        let hits: Result<Vec<AddressHit>, Error> = hits.await;
        Ok(hits?)
    }

    async fn query(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        let (query, cache, now) = (query.clone(), self.cache.clone(), self.clock.now());
        let rows = self.store.read(move |tx| {
            async move {
                let schema = cache.current(tx).await?;
                ask(tx, schema, now, &query).await
            }
            .boxed()
        });
        rows.await
    }

    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        self.page_of(query, size, after).await
    }

    async fn changes(&self, ask: &ChangesAsk) -> Result<CrmChanges, Fault> {
        self.changes_of(ask).await
    }

    async fn metadata(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        self.described(tables).await
    }

    async fn capabilities(&self) -> Result<Capabilities, Fault> {
        Ok(Capabilities {
            version: concat!("embedded ", env!("CARGO_PKG_VERSION")).to_owned(),
            alternate_keys: true,
            upsert: true,
            change_tracking: true,
            multiple: true,
            batch: true,
            transaction: true,
            update_state: true,
            deliver_incoming: true,
            concurrency: true,
            max_batch: 1000,
            max_page: 5000,
        })
    }

    async fn import_solution(&self, file: Bytes, job: Uuid) -> Result<(), Fault> {
        let import = Import { file, job, upgrade: false, holding: false, convert: false };
        solutions::import(&self.session(self.acting), import).await.map(drop).map_err(Fault::from)
    }

    fn acting_for(&self, user: Uuid) -> Option<Arc<dyn Crm>> {
        Some(Arc::new(Acting::new(self.session(user))))
    }

    async fn associate(&self, relationship: &str, at: &RecordRef, others: &[RecordRef]) -> Result<(), Fault> {
        self.tie(relationship, at, others).await
    }

    async fn disassociate(
        &self,
        relationship: &str,
        at: &RecordRef,
        others: &[RecordRef],
    ) -> Result<(), Fault> {
        self.untie(relationship, at, others).await
    }

    async fn apply(&self, mut sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>> {
        let count = sets.len();
        if count == 0 {
            return Vec::new();
        }
        if let Some(answers) = solutions::apart_of_port(self, &sets).await {
            return answers;
        }
        let (writer, cache) = (self.writer(), self.cache.clone());
        let files = content::store_files(&mut sets);
        let unit = self.change(move |tx| put(tx, cache, writer, files, sets).boxed());
        match unit.await {
            Ok((schema, answers)) => {
                self.cache.keep(&schema);
                faults(answers).collect()
            }
            Err(error) => same_for_all(error, count),
        }
    }

    async fn deliver(&self, mails: Vec<IncomingMail>, dry_run: bool) -> Vec<Result<Delivery, Fault>> {
        self.deliver_all(&mails, dry_run).await
    }

    async fn import(&self, lines: Vec<String>, dry_run: bool) -> Result<Vec<Imported>, Fault> {
        self.import_lines(&lines, dry_run).await
    }

    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        content::read(&self.store, content).await
    }

    async fn check(&self) -> Result<String, Fault> {
        let schema = self.schema().await?;
        let tables = schema.tables().count();
        let counted = schema.clone();
        let counts: String =
            self.store.read(move |tx| async move { counts(tx, &counted).await }.boxed()).await?;
        let version = env!("CARGO_PKG_VERSION");
        Ok(format!("embedded CRM {version} as {}: {tables} tables, {counts}", self.acting()))
    }
}

/// Writes one lot in the unit at hand; answers the tables as they were, and what became of each set.
pub(crate) async fn put(
    tx: &mut Tx,
    cache: Cache,
    writer: Writer,
    files: Vec<Body>,
    sets: Vec<ChangeSet>,
) -> Result<(Arc<Schema>, Outcomes), Error> {
    let schema = cache.current(tx).await?;
    body::put(tx, files).await?;
    let answers = lot::apply(tx, schema.clone(), writer, None, sets).await?;
    Ok((schema, answers))
}

pub(crate) fn faults(answers: Outcomes) -> impl Iterator<Item = Result<Vec<Outcome>, Fault>> {
    answers.into_iter().map(|answer| answer.map_err(Fault::from))
}

async fn find_in(tx: &mut Tx, table: &Table, ids: &[Uuid], found: &mut Vec<Record>) -> Result<(), Error> {
    let extra = (table.name == "email").then_some("regardingobjectid");
    let columns: Vec<usize> =
        STANDING.iter().copied().chain(extra).filter_map(|name| table.place(name)).collect();
    for (id, fields) in load::rows(tx, table, ids, &columns).await? {
        let mut record = Record::new(RecordRef::new(table.name.clone(), id));
        for (place, value) in fields.iter() {
            record.columns.push((table.columns[place].name.as_str().into(), value.clone()));
        }
        found.push(record);
    }
    Ok(())
}

/// The rows of a query, all that there are.
pub(crate) async fn ask(
    tx: &mut Tx,
    schema: Arc<Schema>,
    now: Timestamp,
    query: &Query,
) -> Result<Vec<Record>, Fault> {
    let mut query = query.clone();
    query::hierarchy::resolve(tx, &schema, &mut query).await?;
    let frame =
        Frame { schema: &schema, dialect: tx.dialect(), now, me: Me::default(), visible: &all_visible };
    let plan = query::plan(&frame, &query, &Window::default())?;
    let rows = tx.query(&plan.select).await?;
    Ok(plan.records(&schema, rows)?)
}

/// The unit failed as a whole: nothing of any set is there.
pub(crate) fn same_for_all(error: Error, count: usize) -> Answers {
    let fault = Fault::from(error);
    (0..count).map(|_| Err(Fault::new(fault.verdict, fault.code, fault.message.clone()))).collect()
}

async fn counts(tx: &mut Tx, schema: &Schema) -> Result<String, Fault> {
    let mut texts = Vec::new();
    for table in COUNTED.iter().filter_map(|name| schema.table(name).ok()) {
        let count = Func::count(Expr::col(table.primary_key.clone()));
        let select = Sql::select().expr(count).from(table.storage()).to_owned();
        let count = tx.query_one(&select).await?.map(|row| row.at::<i64>(0)).transpose()?.unwrap_or(0);
        texts.push(format!("{count} {}", table.name));
    }
    Ok(texts.join(", "))
}
