//! Rows: whole answers, pages, and many queries in one batch.
//!
//! A query is said in OData; what OData cannot say, in FetchXML. Where a page goes on stands in a text that the caller keeps:
//! of the server's own link only the query string is kept, so that no answer can send us to another host.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postroom_core::{Code, CrmPage, Fault, Query, Record};
use postroom_formats::fetchxml::{self, Fetch};
use postroom_formats::odata::write;
use serde::{Deserialize, Serialize};

use super::client::{Client, unreadable};
use super::rows::{LOOKUP, Rows, Shape};
use super::wire::Trouble;
use crate::promises::place::{known_columns, pack, tables, unpack};
use crate::promises::table;

/// URLs longer than this go in a batch: servers and proxies cut them.
const LONGEST: usize = 4000;
/// Pages of one answer at most.
const PAGES: usize = 1_000_000;

/// Where a page begins.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    /// The query string of the server's link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// FetchXML: the cookie and number of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cookie: Option<(u32, Option<String>)>,
    /// Rows still wanted, of a query for so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
}

/// How a query is put to the server.
enum Said {
    OData(String),
    Fetch(Box<Fetch>),
}

/// A query ready to be asked.
struct Asked {
    set: String,
    shape: Shape,
    said: Said,
}

impl Client {
    /// All rows of a query.
    pub(crate) async fn all(&self, query: &Query) -> Result<Vec<Record>, Fault> {
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
    pub(crate) async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        let place =
            after.map(unpack::<Place>).transpose()?.unwrap_or(Place { left: query.top, ..Place::default() });
        let left = place.left;
        // Servers ignore a limit when pages are asked for: rows are counted here.
        let query = Query { top: None, ..query.clone() };
        let size = left
            .map_or(size, |left| size.min(u32::try_from(left).unwrap_or(u32::MAX)))
            .clamp(1, self.settings.page);
        let asked = self.asked(&query).await?;
        let (path, prefer, number) = asked.page(size, place)?;
        let rows = self.rows(&asked.shape, &path, &prefer).await?;
        let mut records = rows.records;
        if let Some(left) = left {
            records.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        let left = left.map(|left| left - records.len() as u64);
        let next = match asked.said {
            _ if left == Some(0) || query.computes() => None,
            Said::OData(_) => {
                rows.next_link.map(|link| Place { link: Some(tail(&link)), cookie: None, left })
            }
            Said::Fetch(_) => rows.more.then(|| {
                let cookie =
                    rows.fetch_cookie.as_deref().and_then(|text| fetchxml::from_annotation(text).ok());
                let cookie = cookie.map(|(_, cookie)| cookie.write());
                Place { link: None, cookie: Some((number + 1, cookie)), left }
            }),
        };
        Ok(CrmPage { records, next: next.map(|next| pack(&next)) })
    }

    /// The rows of many queries, in one batch where there are batches.
    pub(crate) async fn many(&self, queries: &[Query]) -> Result<Vec<Vec<Record>>, Fault> {
        let mut asked = Vec::with_capacity(queries.len());
        for query in queries {
            asked.push(self.asked(query).await?);
        }
        let paths = asked.iter().map(Asked::first).collect::<Result<Vec<String>, Fault>>()?;
        let prefer = annotations(&[LOOKUP]);
        let mut found = Vec::with_capacity(queries.len());
        for ((asked, query), answer) in asked.iter().zip(queries).zip(self.get_many(&paths, &prefer).await?) {
            let rows = asked.shape.read(&answer.map_err(|refusal| refusal.fault())?).map_err(unreadable)?;
            let mut records = rows.records;
            let mut place =
                rows.next_link.map(|link| pack(&Place { link: Some(tail(&link)), ..Place::default() }));
            while let Some(after) = place {
                let page = self.page(query, self.settings.page, Some(&after)).await?;
                records.extend(page.records);
                place = page.next;
            }
            found.push(records);
        }
        Ok(found)
    }

    async fn asked(&self, query: &Query) -> Result<Asked, Fault> {
        let metadata = self.metadata(&tables(query)).await?;
        let table = table(&metadata, &query.table)?;
        known_columns(table, query)?;
        let said = match write::query(&metadata, query) {
            Ok(text) => Said::OData(text),
            Err(_) => Said::Fetch(Box::new(Fetch::of(query.clone()))),
        };
        Ok(Asked { set: table.entity_set.clone(), shape: Shape::of(&metadata, table, query), said })
    }

    /// The rows at a path; a long one goes in a batch.
    pub(crate) async fn rows(&self, shape: &Shape, path: &str, prefer: &str) -> Result<Rows, Fault> {
        shape.read(&self.raw(path, prefer).await?).map_err(unreadable)
    }

    pub(crate) async fn raw(&self, path: &str, prefer: &str) -> Result<bytes::Bytes, Trouble> {
        if path.len() > LONGEST && self.batches() {
            // Two, as one alone is asked plainly; the second costs nothing.
            let paths = [path.to_owned(), "RetrieveVersion()".to_owned()];
            let mut answers = self.get_many(&paths, prefer).await.map_err(Trouble::Fault)?;
            return answers.swap_remove(0).map_err(Trouble::Refused);
        }
        Ok(self.get(path, prefer).await?.body)
    }
}

impl Asked {
    /// The path of the whole answer, as far as one page goes.
    fn first(&self) -> Result<String, Fault> {
        match &self.said {
            Said::OData(text) if text.is_empty() => Ok(self.set.clone()),
            Said::OData(text) => Ok(format!("{}?{text}", self.set)),
            Said::Fetch(fetch) => self.fetch(fetch),
        }
    }

    fn fetch(&self, fetch: &Fetch) -> Result<String, Fault> {
        let unsayable = |error: fetchxml::Error| Fault::reject(Code::CRM_REFUSED, error.to_string());
        let xml = fetchxml::write(fetch).map_err(unsayable)?;
        Ok(format!("{}?fetchXml={}", self.set, utf8_percent_encode(&xml, NON_ALPHANUMERIC)))
    }

    /// Path, preferences and number of a page.
    fn page(&self, size: u32, place: Place) -> Result<(String, String, u32), Fault> {
        let wrong = || Fault::reject(Code::CRM_REFUSED, "the page asked for does not belong to this query");
        let mut wanted = Vec::new();
        if self.shape.annotated {
            wanted.push(LOOKUP);
        }
        match &self.said {
            Said::OData(_) => {
                let path = match (place.link, place.cookie) {
                    (Some(link), None) => format!("{}?{link}", self.set),
                    (None, None) => self.first()?,
                    _ => return Err(wrong()),
                };
                let list =
                    if wanted.is_empty() { String::new() } else { format!(",{}", annotations(&wanted)) };
                Ok((path, format!("odata.maxpagesize={size}{list}"), 0))
            }
            Said::Fetch(fetch) => {
                wanted.extend([
                    "Microsoft.Dynamics.CRM.fetchxmlpagingcookie",
                    "Microsoft.Dynamics.CRM.morerecords",
                ]);
                let (number, cookie) = match (place.link, place.cookie) {
                    (None, Some(cookie)) => cookie,
                    (None, None) => (1, None),
                    _ => return Err(wrong()),
                };
                let count = (!fetch.query.computes()).then_some(size);
                let fetch = Fetch { page: number, cookie, count, ..Fetch::clone(fetch) };
                Ok((self.fetch(&fetch)?, annotations(&wanted), number))
            }
        }
    }
}

fn annotations(names: &[&str]) -> String {
    format!("odata.include-annotations=\"{}\"", names.join(","))
}

/// What stands behind the question mark.
pub(crate) fn tail(link: &str) -> String {
    link.split_once('?').map_or("", |(_, query)| query).to_owned()
}
