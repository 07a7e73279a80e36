//! Rows: pages, and many queries in one message.

use futures_util::stream::{self, StreamExt};
use postroom_core::metadata::Metadata;
use postroom_core::{Fault, Query};
use postroom_formats::soap::operation::Operation;
use postroom_formats::soap::reply::{Rows, Said};
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::Any;
use serde::{Deserialize, Serialize};

use super::ability::Ability;
use super::query::Asked;
use super::rows::Shape;
use super::service::{Service, strange};
use crate::client::Part;
use crate::promises::table;

/// Queries in one message at most.
const QUERIES: usize = 50;
/// Values in a page at most: in XML each of them is wide, and a whole page is in memory at once.
const VALUES: usize = 30_000;
/// Rows in a page of the widest tables.
const FEW: u32 = 100;

/// Where a page begins.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The page's number, from 1.
    page: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cookie: Option<String>,
    /// Rows in each page: without a cookie the server counts pages to find the place.
    size: u32,
}

/// A query ready to be asked; nothing when no row can be in the answer.
struct Ready {
    shape: Shape,
    asked: Option<Asked>,
    computes: bool,
}

impl Service {
    /// One page.
    pub(super) async fn rows(
        &self,
        metadata: &Metadata,
        query: &Query,
        size: u32,
        at: Option<Place>,
    ) -> Result<Part<Place>, Fault> {
        let ready = Ready::of(metadata, query)?;
        let Some(asked) = &ready.asked else { return Ok(Part { records: Vec::new(), next: None }) };
        let at = at.unwrap_or(Place { page: 1, cookie: None, size });
        let size = match at.page > 1 && at.cookie.is_none() {
            true => at.size.max(1),
            false => self.fitting(size, &ready.shape),
        };
        let said = asked.page(at.page, at.cookie, (!ready.computes).then_some(size))?;
        match self.ask(Operation::RetrieveMultiple(said)).await? {
            Said::Rows(rows) => Ok(ready.part(rows, at.page, size)),
            _ => Err(strange("RetrieveMultiple")),
        }
    }

    /// The size of a page of rows like these, when so many are asked for.
    pub(super) fn fitting(&self, wanted: u32, shape: &Shape) -> u32 {
        let fit = u32::try_from(VALUES / shape.width().max(1)).unwrap_or(FEW).max(FEW);
        wanted.clamp(1, self.settings.page.min(fit).max(1))
    }

    /// The first pages of many queries, in as few messages as the server allows.
    pub(super) async fn first_rows(
        &self,
        metadata: &Metadata,
        queries: &[Query],
    ) -> Result<Vec<Part<Place>>, Fault> {
        let mut found = Vec::with_capacity(queries.len());
        for chunk in queries.chunks(QUERIES) {
            if chunk.len() > 1 && self.can(Ability::Multiple).await? {
                found.extend(self.together(metadata, chunk).await?);
                continue;
            }
            let one = |query: &Query| {
                let most = query.top.and_then(|top| u32::try_from(top).ok()).unwrap_or(u32::MAX);
                let query = Query { top: None, ..query.clone() };
                async move { self.rows(metadata, &query, self.settings.page.min(most), None).await }
            };
            let lanes = self.line.lanes.open();
            let parts: Vec<_> = stream::iter(chunk.iter().map(one)).buffered(lanes).collect().await;
            for part in parts {
                found.push(part?);
            }
        }
        Ok(found)
    }

    async fn together(&self, metadata: &Metadata, queries: &[Query]) -> Result<Vec<Part<Place>>, Fault> {
        let (mut all, mut requests) = (Vec::new(), Vec::new());
        for query in queries {
            let ready = Ready::of(metadata, &Query { top: None, ..query.clone() })?;
            let size = self.fitting(self.settings.page, &ready.shape);
            if let Some(asked) = &ready.asked {
                let said = asked.page(1, None, (!ready.computes).then_some(size))?;
                requests.push(Request::new("RetrieveMultiple").with("Query", Any::Query(Box::new(said))));
            }
            all.push((ready, size));
        }
        let mut answers = self.several(requests).await?.into_iter();
        let mut found = Vec::with_capacity(queries.len());
        for (ready, size) in all {
            if ready.asked.is_none() {
                found.push(Part { records: Vec::new(), next: None });
                continue;
            }
            let answer = answers.next().ok_or_else(|| strange("ExecuteMultiple"))?;
            match answer.map_err(|refusal| refusal.fault())? {
                Said::Rows(rows) => found.push(ready.part(rows, 1, size)),
                _ => return Err(strange("RetrieveMultiple")),
            }
        }
        Ok(found)
    }
}

impl Ready {
    fn of(metadata: &Metadata, query: &Query) -> Result<Ready, Fault> {
        let shape = Shape::of(metadata, table(metadata, &query.table)?, query);
        Ok(Ready { shape, asked: Asked::of(metadata, query)?, computes: query.computes() })
    }

    fn part(&self, rows: Rows, page: u32, size: u32) -> Part<Place> {
        let next = rows.more.then(|| Place { page: page + 1, cookie: rows.cookie.clone(), size });
        Part { records: self.shape.records(rows), next }
    }
}
