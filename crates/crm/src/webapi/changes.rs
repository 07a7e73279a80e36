//! Runs through the changes of a table.
//!
//! * **Change tracking**: the server's delta links, with deletions. A link that is too old begins again with every row.
//! * **Without it**: [`poll`].

use std::sync::PoisonError;

use postroom_core::{ChangesAsk, Clock, CrmChanges, Fault, Query};
use serde::{Deserialize, Serialize};

use super::client::{Client, unreadable};
use super::refusal::codes;
use super::rows::{LOOKUP, Shape};
use super::wire::Trouble;
use crate::promises::place::{pack, unpack};
use crate::promises::poll::{self, Polled};
use crate::promises::table;
use crate::webapi::read::tail;

/// Where a run stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Token {
    /// The query string of the server's next or delta link.
    Tracked {
        link: String,
        full: bool,
    },
    Polled(Polled),
}

impl Client {
    pub(crate) async fn changes(&self, ask: &ChangesAsk, clock: &Clock) -> Result<CrmChanges, Fault> {
        match ask.since.as_deref().map(unpack::<Token>).transpose()? {
            Some(Token::Polled(run)) => poll::go_on(self, ask, run, clock).await.map(polled),
            Some(Token::Tracked { link, full }) => match self.tracked(ask, Some(&link), full).await {
                Err(Trouble::Refused(refusal)) if refusal.code == codes::EXPIRED => {
                    tracing::info!(event = "crm.changes_expired", table = %ask.table, "The CRM no longer knows what changed in {} since the last run: every row is read", ask.table);
                    self.begin(ask, clock).await
                }
                answer => answer.map_err(Fault::from),
            },
            None => self.begin(ask, clock).await,
        }
    }

    async fn begin(&self, ask: &ChangesAsk, clock: &Clock) -> Result<CrmChanges, Fault> {
        let metadata = self.metadata(&[&ask.table]).await?;
        let tracked = table(&metadata, &ask.table)?.change_tracking && self.tracks(&ask.table);
        if tracked {
            match self.tracked(ask, None, true).await {
                Err(Trouble::Refused(refusal))
                    if [codes::NOT_TRACKED, codes::TRACKED_ELSEWHERE].contains(&refusal.code)
                        || refusal.unknown_here() =>
                {
                    let mut untracked = self.can.untracked.lock().unwrap_or_else(PoisonError::into_inner);
                    untracked.push(ask.table.clone());
                }
                answer => return answer.map_err(Fault::from),
            }
        }
        poll::begin(self, ask, clock).await.map(polled)
    }

    fn tracks(&self, table: &str) -> bool {
        let untracked = self.can.untracked.lock().unwrap_or_else(PoisonError::into_inner);
        !untracked.iter().any(|known| known == table)
    }

    async fn tracked(&self, ask: &ChangesAsk, link: Option<&str>, full: bool) -> Result<CrmChanges, Trouble> {
        let metadata = self.metadata(&[&ask.table]).await.map_err(Trouble::Fault)?;
        let table = table(&metadata, &ask.table).map_err(Trouble::Fault)?;
        let query = Query { columns: ask.columns.clone(), ..Query::of(&ask.table) };
        let shape = Shape::of(&metadata, table, &query);
        let select = postroom_formats::odata::write::query(&metadata, &query);
        let unknown = |error: postroom_formats::odata::write::Unsayable| {
            Trouble::Fault(Fault::reject(postroom_core::Code::CRM_UNKNOWN_COLUMN, error.to_string()))
        };
        let path = match link {
            Some(link) => format!("{}?{link}", table.entity_set),
            None => format!("{}?{}", table.entity_set, select.map_err(unknown)?),
        };
        let lookups =
            if shape.annotated { format!(",odata.include-annotations=\"{LOOKUP}\"") } else { String::new() };
        let size = ask.size.clamp(1, self.settings.page);
        let prefer = format!("odata.track-changes,odata.maxpagesize={size}{lookups}");
        let body = self.raw(path.trim_end_matches('?'), &prefer).await?;
        let rows = shape.read(&body).map_err(|error| Trouble::Fault(unreadable(error)))?;
        let more = rows.next_link.is_some();
        let next = rows.next_link.or(rows.delta_link).ok_or_else(|| {
            let text =
                format!("the CRM answered the changes of {} without a link for the next time", ask.table);
            Trouble::Fault(Fault::retry(postroom_core::Code::CRM_AWAY, text))
        })?;
        let token = pack(&Token::Tracked { link: tail(&next), full: full && more });
        Ok(CrmChanges { records: rows.records, gone: rows.gone, token, more, full })
    }
}

fn polled((changes, run): (CrmChanges, Polled)) -> CrmChanges {
    CrmChanges { token: pack(&Token::Polled(run)), ..changes }
}
