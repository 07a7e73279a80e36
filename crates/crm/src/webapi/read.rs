//! Rows: pages, and many queries in one batch.
//!
//! A query is said in OData; what OData cannot say, in FetchXML. Of the server's own link to the next page only the query string
//! is kept, so that no answer can send us to another host.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postroom_core::metadata::Metadata;
use postroom_core::{Code, Fault, Query};
use postroom_formats::fetchxml::{self, Fetch};
use postroom_formats::odata::write;
use serde::{Deserialize, Serialize};

use super::api::{Api, unreadable};
use super::rows::{LOOKUP, Shape};
use crate::client::Part;
use crate::client::line::Trouble;
use crate::promises::table;

/// URLs longer than this go in a batch: servers and proxies cut them.
const LONGEST: usize = 4000;
/// Where a page begins.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The query string of the server's link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// FetchXML: the cookie and number of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cookie: Option<(u32, Option<String>)>,
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

impl Api {
    /// One page.
    pub(super) async fn rows(
        &self,
        metadata: &Metadata,
        query: &Query,
        size: u32,
        at: Option<Place>,
    ) -> Result<Part<Place>, Fault> {
        let asked = Asked::of(metadata, query)?;
        let (path, prefer, number) = asked.page(size, at.unwrap_or_default())?;
        let rows = asked.shape.read(&self.raw(&path, &prefer).await?).map_err(unreadable)?;
        let next = match asked.said {
            Said::OData(_) => rows.next_link.map(|link| Place { link: Some(tail(&link)), cookie: None }),
            Said::Fetch(_) => rows.more.then(|| {
                let cookie =
                    rows.fetch_cookie.as_deref().and_then(|text| fetchxml::from_annotation(text).ok());
                let cookie = cookie.map(|(_, cookie)| cookie.write());
                Place { link: None, cookie: Some((number + 1, cookie)) }
            }),
        };
        Ok(Part { records: rows.records, next })
    }

    /// The first parts of the answers to many queries, in one batch where there are batches.
    pub(super) async fn first_rows(
        &self,
        metadata: &Metadata,
        queries: &[Query],
    ) -> Result<Vec<Part<Place>>, Fault> {
        let asked = queries.iter().map(|query| Asked::of(metadata, query));
        let asked = asked.collect::<Result<Vec<Asked>, Fault>>()?;
        let paths = asked.iter().map(Asked::first).collect::<Result<Vec<String>, Fault>>()?;
        let prefer = annotations(&[LOOKUP]);
        let mut found = Vec::with_capacity(queries.len());
        for (asked, answer) in asked.iter().zip(self.get_many(&paths, &prefer).await?) {
            let rows = asked.shape.read(&answer.map_err(|refusal| refusal.fault())?).map_err(unreadable)?;
            let next = rows.next_link.map(|link| Place { link: Some(tail(&link)), cookie: None });
            found.push(Part { records: rows.records, next });
        }
        Ok(found)
    }

    /// The answer at a path; a long one goes in a batch.
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
    fn of(metadata: &Metadata, query: &Query) -> Result<Asked, Fault> {
        let table = table(metadata, &query.table)?;
        let said = match write::query(metadata, query) {
            Ok(text) => Said::OData(text),
            Err(_) => Said::Fetch(Box::new(Fetch::of(query.clone()))),
        };
        Ok(Asked { set: table.entity_set.clone(), shape: Shape::of(metadata, table, query), said })
    }

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
