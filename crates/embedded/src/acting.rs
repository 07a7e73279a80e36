//! The port in the name of one user: a [`Session`] that asks that user's rights for every row, as the doors do.
//!
//! Runs through changes bring every row each time: a caller who may not see all rows cannot be told which ones went.

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::metadata::Metadata;
use postroom_core::{
    AddressHit, Capabilities, ChangeSet, Content, Crm, CrmPage, Fault, Filter, Outcome, Query, Record,
    RecordRef, Value,
};
use uuid::Uuid;

use crate::reads::{self, Marks};
use crate::session::{Session, Window};
use crate::webapi::marks;

/// Ids of one question.
const ASKED: usize = 500;

pub(crate) struct Acting(Session);

impl Acting {
    pub(crate) fn new(session: Session) -> Self {
        Acting(session)
    }

    /// Those of the rows that the user may see.
    async fn seen(&self, table: &str, ids: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
        let schema = self.0.crm().schema().await?;
        let key = schema.table(table)?.primary_key.clone();
        let mut seen = Vec::new();
        for some in ids.chunks(ASKED) {
            let among = Filter::In(key.clone(), some.iter().copied().map(Value::Guid).collect());
            let rows = self.0.all(Query::of(table).select(&[]).filter(among)).await?;
            seen.extend(rows.into_iter().map(|row| row.at.id));
        }
        Ok(seen)
    }

    async fn keep<T>(&self, found: Vec<T>, at: impl Fn(&T) -> &RecordRef) -> Result<Vec<T>, Fault> {
        let mut tables: Vec<&str> = found.iter().map(|one| at(one).table.as_str()).collect();
        tables.sort_unstable();
        tables.dedup();
        let mut seen = Vec::new();
        for table in tables {
            let ids: Vec<Uuid> =
                found.iter().map(&at).filter(|at| at.table == table).map(|at| at.id).collect();
            seen.extend(self.seen(table, &ids).await?.into_iter().map(|id| RecordRef::new(table, id)));
        }
        Ok(found.into_iter().filter(|one| seen.contains(at(one))).collect())
    }
}

#[async_trait]
impl Crm for Acting {
    async fn find(&self, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
        let found = self.0.crm().find(tables, ids).await?;
        self.keep(found, |row| &row.at).await
    }

    async fn find_addresses(&self, addresses: &[String]) -> Result<Vec<AddressHit>, Fault> {
        let found = self.0.crm().find_addresses(addresses).await?;
        self.keep(found, |hit| &hit.record).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        Ok(self.0.all(query.clone()).await?)
    }

    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        // Computed answers have no places: they come whole.
        let size = (!query.computes()).then_some(u64::from(size.max(1)));
        let start = after.map(reads::read::<Marks>).transpose()?.map(reads::start);
        let window = Window { size, start: start.unwrap_or_default() };
        let page = self.0.page(query.clone(), window, false).await?;
        let next = page.more.then(|| reads::write(&marks(&page.last)));
        Ok(CrmPage { records: page.records, next })
    }

    async fn metadata(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        self.0.crm().metadata(tables).await
    }

    async fn capabilities(&self) -> Result<Capabilities, Fault> {
        let whole = self.0.crm().capabilities().await?;
        Ok(Capabilities { change_tracking: false, ..whole })
    }

    async fn apply(&self, sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>> {
        let answers = self.0.apply(sets).await;
        answers.into_iter().map(|answer| answer.map_err(Fault::from)).collect()
    }

    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        self.0.crm().read(content).await
    }

    async fn check(&self) -> Result<String, Fault> {
        let caller = self.0.caller().await?;
        Ok(format!("embedded CRM {} as systemuser/{}", env!("CARGO_PKG_VERSION"), caller.user))
    }
}
