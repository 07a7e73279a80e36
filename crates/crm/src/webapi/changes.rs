//! One part of a run through changes that the server keeps account of: its delta links, with deletions.

use percent_encoding::percent_decode_str;
use postroom_core::metadata::Metadata;
use postroom_core::{ChangesAsk, Code, CrmChanges, Fault, Query};
use postroom_formats::odata::write;
use serde::{Deserialize, Serialize};

use super::api::{Api, unreadable};
use super::read::tail;
use super::rows::{LOOKUP, Shape};
use crate::client::changes::went_back;
use crate::client::line::Trouble;
use crate::promises::table;

/// Where a run stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The query string of the server's next or delta link.
    link: String,
    full: bool,
}

impl Api {
    pub(super) async fn changes(
        &self,
        metadata: &Metadata,
        ask: &ChangesAsk,
        run: Option<Run>,
    ) -> Result<(CrmChanges, Run), Trouble> {
        let table = table(metadata, &ask.table).map_err(Trouble::Fault)?;
        let query = Query { columns: ask.columns.clone(), ..Query::of(&ask.table) };
        let shape = Shape::of(metadata, table, &query);
        let unknown = |error: write::Unsayable| {
            Trouble::Fault(Fault::reject(Code::CRM_UNKNOWN_COLUMN, error.to_string()))
        };
        let path = match &run {
            Some(run) => format!("{}?{}", table.entity_set, run.link),
            None => format!("{}?{}", table.entity_set, write::query(metadata, &query).map_err(unknown)?),
        };
        let (full, before) = match run {
            Some(run) => (run.full, delta_token(&run.link)),
            None => (true, None),
        };
        let lookups =
            if shape.annotated { format!(",odata.include-annotations=\"{LOOKUP}\"") } else { String::new() };
        let size = ask.size.clamp(1, self.settings.page);
        let prefer = format!("odata.track-changes,odata.maxpagesize={size}{lookups}");
        let body = self.raw(path.trim_end_matches('?'), &prefer).await?;
        let rows = shape.read(&body).map_err(|error| Trouble::Fault(unreadable(error)))?;
        let more = rows.next_link.is_some();
        let now = rows.delta_link.as_deref().and_then(delta_token);
        if let (Some(before), Some(now)) = (before, now) {
            went_back(&before, &now)?;
        }
        let next = rows.next_link.or(rows.delta_link).ok_or_else(|| {
            let text =
                format!("the CRM answered the changes of {} without a link for the next time", ask.table);
            Trouble::Fault(Fault::retry(Code::CRM_AWAY, text))
        })?;
        let changes = CrmChanges { records: rows.records, gone: rows.gone, token: String::new(), more, full };
        Ok((changes, Run { link: tail(&next), full: full && more }))
    }
}

/// The token in a delta link.
fn delta_token(link: &str) -> Option<String> {
    let (_, rest) = link.split_once("deltatoken=")?;
    let token = rest.split('&').next().unwrap_or_default();
    Some(percent_decode_str(token).decode_utf8_lossy().into_owned())
}
