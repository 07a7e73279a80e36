//! Runs through the changes of a table.
//!
//! * **Change tracking** (`RetrieveEntityChanges`, from 2015 Update 1): pages up to a token, with deletions. The token of the
//!   first page is the next run's: what is written while the pages are read comes then. One that is too old begins again with
//!   every row.
//! * **Without it**: [`poll`].

use postroom_core::{ChangesAsk, Clock, CrmChanges, Fault, Query};
use postroom_formats::soap::names::{GENERIC, XRM};
use postroom_formats::soap::operation::Operation;
use postroom_formats::soap::query::ColumnSet;
use postroom_formats::soap::reply::Said;
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::Any;
use postroom_formats::xml::Element;
use serde::{Deserialize, Serialize};

use super::ability::Ability;
use super::client::{Client, strange};
use super::refusal::unknown;
use super::rows::Shape;
use super::wire::Trouble;
use crate::promises::place::{known_columns, pack, unpack};
use crate::promises::poll::{self, Polled};
use crate::promises::table;
use crate::refusal::codes;

/// Where a run stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Token {
    Tracked(Tracked),
    Polled(Polled),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Tracked {
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

impl Client {
    pub(super) async fn changes(&self, ask: &ChangesAsk, clock: &Clock) -> Result<CrmChanges, Fault> {
        match ask.since.as_deref().map(unpack::<Token>).transpose()? {
            Some(Token::Polled(run)) => poll::go_on(self, ask, run, clock).await.map(polled),
            Some(Token::Tracked(run)) => match self.tracked(ask, run).await {
                Err(Trouble::Refused(refusal, _)) if refusal.code == codes::EXPIRED => {
                    tracing::info!(event = "crm.changes_expired", table = %ask.table, "The CRM no longer knows what changed in {} since the last run: every row is read", ask.table);
                    self.begin(ask, clock).await
                }
                Err(Trouble::Refused(refusal, _)) if unknown(&refusal) => {
                    self.abilities.lose(Ability::Tracking);
                    self.begin(ask, clock).await
                }
                answer => answer.map_err(Fault::from),
            },
            None => self.begin(ask, clock).await,
        }
    }

    async fn begin(&self, ask: &ChangesAsk, clock: &Clock) -> Result<CrmChanges, Fault> {
        let metadata = self.metadata(&[&ask.table]).await?;
        if table(&metadata, &ask.table)?.change_tracking && self.abilities.tracks(&ask.table) {
            match self.tracked(ask, Tracked::default()).await {
                Err(Trouble::Refused(refusal, _)) if unknown(&refusal) => {
                    self.abilities.lose(Ability::Tracking);
                }
                Err(Trouble::Refused(refusal, _))
                    if [codes::NOT_TRACKED, codes::TRACKED_ELSEWHERE].contains(&refusal.code) =>
                {
                    self.abilities.not_tracked(&ask.table);
                }
                answer => return answer.map_err(Fault::from),
            }
        }
        poll::begin(self, ask, clock).await.map(polled)
    }

    async fn tracked(&self, ask: &ChangesAsk, run: Tracked) -> Result<CrmChanges, Trouble> {
        let metadata = self.metadata(&[&ask.table]).await.map_err(Trouble::Fault)?;
        let query = Query { columns: ask.columns.clone(), ..Query::of(&ask.table) };
        let known =
            table(&metadata, &ask.table).and_then(|table| known_columns(table, &query).map(|()| table));
        let shape = Shape::of(&metadata, known.map_err(Trouble::Fault)?, &query);
        let page = run.page.max(1);
        let size = self.page_size(ask.size, &shape);
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
        let (full, more) = (run.since.is_none(), part.rows.more);
        let then = run.then.unwrap_or(part.token);
        let next = match more {
            true => {
                let cookie = part.rows.cookie.clone();
                Tracked { since: run.since, then: Some(then), page: page + 1, cookie }
            }
            false => Tracked { since: Some(then), ..Tracked::default() },
        };
        let token = pack(&Token::Tracked(next));
        Ok(CrmChanges { records: shape.records(part.rows), gone: part.gone, token, more, full })
    }
}

fn polled((changes, run): (CrmChanges, Polled)) -> CrmChanges {
    CrmChanges { token: pack(&Token::Polled(run)), ..changes }
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
