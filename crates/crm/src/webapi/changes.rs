//! Runs through the changes of a table.
//!
//! * **Change tracking**: the server's delta links, with deletions. A link that is too old begins again with every row.
//! * **Without it**: rows whose `versionnumber` is higher than the highest seen, or whose `modifiedon` is not much older than
//!   the newest seen: a row that was committed late has a lower number than one that was read before it, but was changed at
//!   nearly the same time. Rows that come again so are left out by their versions. Deletions are found by whoever reads: once
//!   a day the run brings every row.

use std::sync::PoisonError;

use jiff::{SignedDuration, Timestamp};
use postroom_core::query::{Comparison, Filter};
use postroom_core::{ChangesAsk, Clock, CrmChanges, Fault, Query, Record, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::body;
use super::client::{Client, unreadable};
use super::read::{pack, tail, unpack};
use super::refusal::codes;
use super::rows::{LOOKUP, Shape};
use super::wire::Trouble;

/// How long after a change a row may become visible: the platform ends transactions after two minutes.
const LATE: SignedDuration = SignedDuration::from_mins(5);
/// Versions remembered of rows that will come again; of more, some come twice.
const REMEMBERED: usize = 1000;
/// Every row is read again so often where deletions are not told.
const WHOLE: SignedDuration = SignedDuration::from_hours(24);

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

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Polled {
    /// Rows up to this version were seen when the run before ended; `None` in a full run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    /// The newest `modifiedon` when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest_before: Option<Timestamp>,
    /// The highest version seen so far.
    high: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<Timestamp>,
    /// Late in time: rows that will come again, with their versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    seen: Vec<(Uuid, i64, Timestamp)>,
    /// The place of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// When every row was read last.
    whole: Timestamp,
}

impl Client {
    pub(crate) async fn changes(&self, ask: &ChangesAsk, clock: &Clock) -> Result<CrmChanges, Fault> {
        match ask.since.as_deref().map(unpack::<Token>).transpose()? {
            Some(Token::Polled(polled)) => self.polled(ask, polled, clock).await,
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
        let tracked = body::table(&metadata, &ask.table)?.change_tracking && self.tracks(&ask.table);
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
        let high = self.highest(ask).await?;
        self.polled(ask, Polled { high, whole: clock.now(), ..Polled::default() }, clock).await
    }

    fn tracks(&self, table: &str) -> bool {
        let untracked = self.can.untracked.lock().unwrap_or_else(PoisonError::into_inner);
        !untracked.iter().any(|known| known == table)
    }

    async fn tracked(&self, ask: &ChangesAsk, link: Option<&str>, full: bool) -> Result<CrmChanges, Trouble> {
        let metadata = self.metadata(&[&ask.table]).await.map_err(Trouble::Fault)?;
        let table = body::table(&metadata, &ask.table).map_err(Trouble::Fault)?;
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

    /// The highest version that there is.
    async fn highest(&self, ask: &ChangesAsk) -> Result<i64, Fault> {
        let newest = Query::of(&ask.table).select(&["versionnumber"]).order_by("versionnumber", true).top(1);
        Ok(self.all(&newest).await?.first().and_then(|row| row.int("versionnumber")).unwrap_or_default())
    }

    async fn polled(&self, ask: &ChangesAsk, mut run: Polled, clock: &Clock) -> Result<CrmChanges, Fault> {
        if run.after.is_none() && run.since.is_some() && clock.now().duration_since(run.whole) > WHOLE {
            let high = self.highest(ask).await?;
            run = Polled { high, whole: clock.now(), ..Polled::default() };
        }
        let full = run.since.is_none();
        let mut query = Query { columns: ask.columns.clone(), ..Query::of(&ask.table) };
        let hidden = add_marks(&mut query);
        if let Some(since) = run.since {
            query = query.filter(newer(since, run.newest_before)).order_by("versionnumber", false);
        }
        let page = self.page(&query, ask.size, run.after.as_deref()).await?;
        let mut records = Vec::with_capacity(page.records.len());
        for mut row in page.records {
            if run.notes(&row) {
                row.columns.retain(|(name, _)| !hidden.contains(&name.as_str()));
                records.push(row);
            }
        }
        let more = page.next.is_some();
        run.after = page.next;
        if !more {
            run.since = Some(run.high);
            run.newest_before = run.newest;
            run.forget();
        }
        Ok(CrmChanges { records, gone: Vec::new(), token: pack(&Token::Polled(run)), more, full })
    }
}

/// The columns that a run goes by; answers those that were not asked for.
fn add_marks(query: &mut Query) -> Vec<&'static str> {
    let Some(columns) = &mut query.columns else { return Vec::new() };
    let mut hidden = Vec::new();
    for mark in ["versionnumber", "modifiedon"] {
        if !columns.iter().any(|column| column == mark) {
            columns.push(mark.to_owned());
            hidden.push(mark);
        }
    }
    hidden
}

fn newer(since: i64, newest: Option<Timestamp>) -> Filter {
    let version = Filter::Compare("versionnumber".into(), Comparison::Gt, Value::Int(since));
    let late = newest.and_then(|newest| newest.checked_sub(LATE).ok());
    match late {
        None => version,
        Some(late) => {
            let time = Filter::Compare("modifiedon".into(), Comparison::Ge, Value::Time(late));
            Filter::Any(vec![version, time])
        }
    }
}

impl Polled {
    /// Takes note of a row; false when it came before as it is.
    fn notes(&mut self, row: &Record) -> bool {
        let (Some(version), Some(Value::Time(time))) = (row.int("versionnumber"), row.get("modifiedon"))
        else {
            return true;
        };
        self.high = self.high.max(version);
        self.newest = Some(self.newest.map_or(*time, |newest| newest.max(*time)));
        let known = self.seen.iter().position(|(id, ..)| *id == row.at.id);
        let fresh = known.is_none_or(|at| self.seen[at].1 != version);
        if let Some(at) = known {
            self.seen.swap_remove(at);
        }
        self.seen.push((row.at.id, version, *time));
        if self.seen.len() > 2 * REMEMBERED {
            self.forget();
        }
        fresh
    }

    /// Rows that will not come again need not be known, and of many only the newest.
    fn forget(&mut self) {
        let late = self.newest.and_then(|newest| newest.checked_sub(LATE).ok());
        self.seen.retain(|(_, _, time)| late.is_none_or(|late| *time >= late));
        self.seen.sort_by_key(|(_, version, _)| std::cmp::Reverse(*version));
        self.seen.truncate(REMEMBERED);
    }
}
