//! Rows: whole answers, pages, and many queries in one message.

use futures_util::stream::{self, StreamExt};
use postroom_core::{Code, CrmPage, Fault, Query, Record};
use postroom_formats::soap::operation::Operation;
use postroom_formats::soap::reply::{Rows, Said};
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::Any;
use serde::{Deserialize, Serialize};

use super::ability::Ability;
use super::client::{Client, strange};
use super::query::Asked;
use super::rows::Shape;
use crate::promises::place::{known_columns, pack, tables, unpack};
use crate::promises::table;

/// Queries in one message at most.
const QUERIES: usize = 50;
/// Values in a page at most: in XML each of them is wide, and a whole page is in memory at once.
const VALUES: usize = 30_000;
/// Rows in a page of the widest tables.
const FEW: u32 = 100;
/// Pages of one answer at most.
const PAGES: usize = 1_000_000;

/// Where a page begins.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    /// The page's number, from 1.
    page: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cookie: Option<String>,
    /// Rows in each page: without a cookie the server counts pages to find the place.
    size: u32,
    /// Rows still wanted, of a query for so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
}

/// A query ready to be asked; nothing when no row can be in the answer.
struct Ready {
    shape: Shape,
    asked: Option<Asked>,
    computes: bool,
}

impl Client {
    /// All rows of a query.
    pub(super) async fn all(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        if query.top == Some(0) {
            return Ok(Vec::new());
        }
        let (mut records, mut place) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page = self.page(query, self.settings.page, place.as_deref()).await?;
            records.extend(page.records);
            match page.next {
                None => return Ok(records),
                next => place = next,
            }
        }
        Err(Fault::reject(Code::CRM_REFUSED, "the CRM's pages have no end"))
    }

    /// One page.
    pub(super) async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        let first = Place { page: 1, left: query.top, ..Place::default() };
        let place = after.map_or(Ok(first), unpack::<Place>)?;
        // A limit and a page size exclude each other: rows are counted here.
        let ready = self.ready(&Query { top: None, ..query.clone() }).await?;
        let Some(asked) = &ready.asked else { return Ok(CrmPage::default()) };
        let most = place.left.map_or(u32::MAX, |left| u32::try_from(left).unwrap_or(u32::MAX));
        let size = match place.page > 1 && place.cookie.is_none() {
            true => place.size.max(1),
            false => self.page_size(size.min(most), &ready.shape),
        };
        let said = asked.page(place.page, place.cookie, (!ready.computes).then_some(size))?;
        let answer = self.ask(Operation::RetrieveMultiple(said)).await?;
        let Said::Rows(rows) = answer else { return Err(strange("RetrieveMultiple")) };
        let (more, cookie) = (rows.more, rows.cookie.clone());
        let mut records = ready.shape.records(rows);
        if let Some(left) = place.left {
            records.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        let left = place.left.map(|left| left - records.len() as u64);
        let next = more && left != Some(0) && !ready.computes;
        let next = next.then(|| pack(&Place { page: place.page + 1, cookie, size, left }));
        Ok(CrmPage { records, next })
    }

    /// Rows in a page of rows like these, when so many are asked for.
    pub(super) fn page_size(&self, wanted: u32, shape: &Shape) -> u32 {
        let fit = u32::try_from(VALUES / shape.width().max(1)).unwrap_or(FEW).max(FEW);
        wanted.clamp(1, self.settings.page.min(fit).max(1))
    }

    /// The rows of many queries, in as few messages as the server allows.
    pub(super) async fn many(&self, queries: &[Query]) -> Result<Vec<Vec<Record>>, Fault> {
        let mut found = Vec::with_capacity(queries.len());
        for chunk in queries.chunks(QUERIES) {
            match chunk.len() > 1 && self.can(Ability::Multiple).await? {
                true => found.extend(self.together(chunk).await?),
                false => {
                    let one = |query: &Query| {
                        let query = query.clone();
                        async move { self.all(&query).await }
                    };
                    let lanes = self.wire.lanes.open();
                    let rows: Vec<_> = stream::iter(chunk.iter().map(one)).buffered(lanes).collect().await;
                    for rows in rows {
                        found.push(rows?);
                    }
                }
            }
        }
        Ok(found)
    }

    async fn together(&self, queries: &[Query]) -> Result<Vec<Vec<Record>>, Fault> {
        let (mut all, mut requests) = (Vec::new(), Vec::new());
        for query in queries {
            let ready = self.ready(&Query { top: None, ..query.clone() }).await?;
            if let Some(asked) = &ready.asked {
                let size = (!ready.computes).then(|| self.page_size(self.settings.page, &ready.shape));
                let said = Any::Query(Box::new(asked.page(1, None, size)?));
                requests.push(Request::new("RetrieveMultiple").with("Query", said));
            }
            all.push(ready);
        }
        let mut answers = self.several(requests).await?.into_iter();
        let mut found = Vec::with_capacity(queries.len());
        for (ready, query) in all.into_iter().zip(queries) {
            if ready.asked.is_none() {
                found.push(Vec::new());
                continue;
            }
            let answer = answers.next().ok_or_else(|| strange("ExecuteMultiple"))?;
            let Said::Rows(rows) = answer.map_err(|refusal| refusal.fault())? else {
                return Err(strange("RetrieveMultiple"));
            };
            found.push(self.rest(query, &ready, rows).await?);
        }
        Ok(found)
    }

    /// The rows of a first page and of those behind it.
    async fn rest(&self, query: &Query, ready: &Ready, rows: Rows) -> Result<Vec<Record>, Fault> {
        let size = self.page_size(self.settings.page, &ready.shape);
        let place = Place { page: 2, cookie: rows.cookie.clone(), size, left: None };
        let mut next = (rows.more && !ready.computes).then(|| pack(&place));
        let mut records = ready.shape.records(rows);
        while let Some(after) = next {
            let page =
                self.page(&Query { top: None, ..query.clone() }, self.settings.page, Some(&after)).await?;
            records.extend(page.records);
            next = page.next;
        }
        if let Some(top) = query.top {
            records.truncate(usize::try_from(top).unwrap_or(usize::MAX));
        }
        Ok(records)
    }

    async fn ready(&self, query: &Query) -> Result<Ready, Fault> {
        let metadata = self.metadata(&tables(query)).await?;
        let table = table(&metadata, &query.table)?;
        known_columns(table, query)?;
        let shape = Shape::of(&metadata, table, query);
        Ok(Ready { shape, asked: Asked::of(&metadata, query)?, computes: query.computes() })
    }
}
