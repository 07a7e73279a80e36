//! Rows: whole answers, pages, and many queries at once. Where a page goes on stands in a text that the caller keeps.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::metadata::Metadata;
use postroom_core::{Code, CrmPage, Fault, Query, Record};
use serde::{Deserialize, Serialize};

use super::{Client, Part, Words};
use crate::promises::place::{known_columns, pack, tables, unpack};
use crate::promises::{Listed, Reads, table};

/// Pages of one answer at most.
const PAGES: usize = 1_000_000;

/// Where a page begins.
#[derive(Debug, Serialize, Deserialize)]
struct Place<P> {
    #[serde(flatten)]
    at: P,
    /// Rows still wanted, of a query for so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
}

#[async_trait]
impl<W: Words> Reads for Client<W> {
    async fn metadata(&self, tables: &[&str]) -> Result<Arc<Metadata>, Fault> {
        Client::metadata(self, tables).await
    }

    async fn all(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        if query.top == Some(0) {
            return Ok(Vec::new());
        }
        let (mut records, mut place) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page = self.page(query, self.words.page_size(), place.as_deref()).await?;
            records.extend(page.records);
            match page.next {
                None => return Ok(records),
                next => place = next,
            }
        }
        Err(Fault::reject(Code::CRM_REFUSED, "the CRM's pages have no end"))
    }

    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        let place = after.map(unpack::<Place<W::Place>>).transpose()?;
        let left = place.as_ref().map_or(query.top, |place| place.left);
        let most = left.map_or(u32::MAX, |left| u32::try_from(left).unwrap_or(u32::MAX));
        let size = size.min(most).clamp(1, self.words.page_size());
        // Servers ignore or refuse a limit when pages are asked for: rows are counted here.
        let query = Query { top: None, ..query.clone() };
        let metadata = self.for_queries(std::slice::from_ref(&query)).await?;
        let part = self.words.page(&metadata, &query, size, place.map(|place| place.at)).await?;
        Ok(page(&query, part, left))
    }

    async fn many(&self, queries: &[Query]) -> Result<Vec<Vec<Record>>, Fault> {
        let metadata = self.for_queries(queries).await?;
        let firsts = self.words.firsts(&metadata, queries).await?;
        let mut found = Vec::with_capacity(queries.len());
        for (query, first) in queries.iter().zip(firsts) {
            let mut page = page(query, first, query.top);
            let mut records = page.records;
            while let Some(after) = page.next {
                page = self.page(query, self.words.page_size(), Some(&after)).await?;
                records.append(&mut page.records);
            }
            found.push(records);
        }
        Ok(found)
    }

    fn listed(&self) -> Listed {
        self.words.listed()
    }

    fn clock(&self) -> Option<Timestamp> {
        self.words.line().seen().date
    }
}

impl<W: Words> Client<W> {
    /// The definitions that queries need. What these do not have is refused here, by name.
    async fn for_queries(&self, queries: &[Query]) -> Result<Arc<Metadata>, Fault> {
        let names: Vec<&str> = queries.iter().flat_map(tables).collect();
        let metadata = Client::metadata(self, &names).await?;
        let fit = |metadata: &Metadata| {
            queries.iter().try_for_each(|query| known_columns(table(metadata, &query.table)?, query))
        };
        match fit(&metadata) {
            Ok(()) => Ok(metadata),
            // A column may have come since they were read.
            Err(fault) if !self.refresh().await? => Err(fault),
            Err(_) => {
                let metadata = Client::metadata(self, &names).await?;
                fit(&metadata).map(|()| metadata)
            }
        }
    }
}

/// A part of an answer as the caller has it: no more rows than are wanted.
fn page<P: Serialize>(query: &Query, part: Part<P>, left: Option<u64>) -> CrmPage {
    let mut records = part.records;
    if let Some(left) = left {
        records.truncate(usize::try_from(left).unwrap_or(usize::MAX));
    }
    let left = left.map(|left| left - records.len() as u64);
    // What is computed comes at once.
    let next = part.next.filter(|_| left != Some(0) && !query.computes());
    CrmPage { records, next: next.map(|at| pack(&Place { at, left })) }
}
