//! One part of a run through changes that the server keeps account of (`RetrieveEntityChanges`, from 2015 Update 1): pages up
//! to a token, with deletions. The token of the first page is the next run's: what is written while the pages are read comes
//! then.

use postroom_core::metadata::Metadata;
use postroom_core::{ChangesAsk, CrmChanges, Query};
use postroom_formats::soap::names::{GENERIC, XRM};
use postroom_formats::soap::operation::Operation;
use postroom_formats::soap::query::ColumnSet;
use postroom_formats::soap::reply::Said;
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::Any;
use postroom_formats::xml::Element;
use serde::{Deserialize, Serialize};

use super::rows::Shape;
use super::service::{Service, strange};
use crate::client::changes::went_back;
use crate::client::line::Trouble;
use crate::promises::table;

/// Where a run stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Run {
    /// What this run began with; `None` in a full run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// What the next run begins with: the first page said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    then: Option<String>,
    /// The next page; 0 and 1 are the first.
    #[serde(default)]
    page: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cookie: Option<String>,
}

impl Service {
    pub(super) async fn changes(
        &self,
        metadata: &Metadata,
        ask: &ChangesAsk,
        run: Run,
    ) -> Result<(CrmChanges, Run), Trouble> {
        let query = Query { columns: ask.columns.clone(), ..Query::of(&ask.table) };
        let table = table(metadata, &ask.table).map_err(Trouble::Fault)?;
        let shape = Shape::of(metadata, table, &query);
        let page = run.page.max(1);
        let size = self.fitting(ask.size, &shape);
        let columns = ColumnSet::of(ask.columns.as_deref());
        let mut request = Request::new("RetrieveEntityChanges")
            .with("EntityName", Any::String(ask.table.clone()))
            .with("Columns", Any::ColumnSet(columns))
            .with("PageInfo", Any::Raw(paging(page, size, run.cookie.as_deref())));
        if let Some(since) = &run.since {
            request = request.with("DataVersion", Any::String(since.clone()));
        }
        let Said::Changes(part) = self.ask(Operation::Execute(request)).await? else {
            return Err(Trouble::Fault(strange("RetrieveEntityChanges")));
        };
        if let (Some(since), 1) = (&run.since, page) {
            went_back(since, &part.token)?;
        }
        let (full, more) = (run.since.is_none(), part.rows.more);
        let then = run.then.unwrap_or(part.token);
        let next = match more {
            true => {
                let cookie = part.rows.cookie.clone();
                Run { since: run.since, then: Some(then), page: page + 1, cookie }
            }
            false => Run { since: Some(then), ..Run::default() },
        };
        let records = shape.records(part.rows);
        Ok((CrmChanges { records, gone: part.gone, token: String::new(), more, full }, next))
    }
}

/// `PagingInfo`
fn paging(page: u32, size: u32, cookie: Option<&str>) -> Element {
    Element::new(GENERIC, "value")
        .kind(XRM, "PagingInfo")
        .with(Element::leaf(XRM, "Count", size.to_string()))
        .with(Element::leaf(XRM, "PageNumber", page.to_string()))
        .with(Element::maybe(XRM, "PagingCookie", cookie))
        .with(Element::leaf(XRM, "ReturnTotalRecordCount", "false"))
}
