//! Reads that go on: pages by the keys of their last row, and runs through changes by versions; and ties of many to many.

use std::cmp::Ordering;
use std::sync::atomic::Ordering::SeqCst;

use postroom_core::{ChangesAsk, Code, CrmChanges, CrmPage, Fault, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::{Flaw, Model, Row, Rows};

/// Where a run through changes stands. A token is the number of one.
#[derive(Debug, Clone)]
pub struct Run {
    /// Changes after this version; `None` is every row.
    since: Option<i64>,
    /// And up to this one.
    until: i64,
    /// Rows brought so far.
    brought: usize,
}

impl Model {
    pub(super) fn page_of(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        let size = size as usize + usize::from(self.has(Flaw::PagesAreLarger));
        let rows = self.sorted(query)?;
        let start = match after {
            None => 0,
            Some(cookie) => self.start(query, &rows, cookie)?,
        };
        let mut records: Vec<Row> = rows.into_iter().skip(start).collect();
        let more = records.len() > size;
        records.truncate(size);
        let mut places = self.places.lock().unwrap();
        let next = more.then(|| {
            places.push((records[records.len() - 1].clone(), start + records.len()));
            (places.len() - 1).to_string()
        });
        Ok(CrmPage { records: self.cut(query, records), next })
    }

    /// The first row behind the one that a cookie names; that one may be gone.
    fn start(&self, query: &Query, rows: &[Row], cookie: &str) -> Result<usize, Fault> {
        let places = self.places.lock().unwrap();
        let place = cookie.parse::<usize>().ok().and_then(|place| places.get(place));
        let (last, offset) =
            place.ok_or_else(|| self.fault(Code::CRM_REFUSED, "page", "is none of these"))?;
        if self.has(Flaw::PagesByOffset) {
            return Ok(*offset);
        }
        let wanted = if self.has(Flaw::PagesOverlap) { Ordering::Less } else { Ordering::Equal };
        Ok(rows.iter().take_while(|row| self.compare(query, row, last) <= wanted).count())
    }

    pub(super) fn changes_of(&self, ask: &ChangesAsk) -> Result<CrmChanges, Fault> {
        let now = self.version.load(SeqCst);
        let run = match &ask.since {
            None => Run { since: None, until: now, brought: 0 },
            Some(token) => {
                match token.parse::<usize>().ok().and_then(|at| self.runs.lock().unwrap().get(at).cloned()) {
                    Some(run) if run.brought == 0 => Run { until: now, ..run },
                    Some(run) => run,
                    None if self.has(Flaw::AnyTokenWillDo) => {
                        Run { since: Some(now), until: now, brought: 0 }
                    }
                    None => return Err(self.fault(Code::CRM_REFUSED, "token", "is none of these")),
                }
            }
        };
        let since = run.since.filter(|_| !self.has(Flaw::EveryRowIsAChange)).unwrap_or_default();
        let version = |row: &Row| row.get("versionnumber").as_int().unwrap_or_default();
        let mut rows = self.sorted(&Query { columns: ask.columns.clone(), ..Query::of(&ask.table) })?;
        rows.retain(|row| version(row) > since && version(row) <= run.until);
        // A row that changes while a run goes on stands behind its end: the next run brings it.
        rows.sort_by_key(version);
        let first = rows.iter().position(|row| version(row) > run.brought as i64).unwrap_or(rows.len());
        let part: Vec<Row> = rows[first..].iter().take(ask.size as usize).cloned().collect();
        let more = first + part.len() < rows.len();
        let full = run.since.is_none() && !self.has(Flaw::FirstRunIsNotFull);
        let next = match part.last().filter(|_| more) {
            Some(last) => Run { brought: usize::try_from(version(last)).unwrap(), ..run.clone() },
            None if self.has(Flaw::TokensAreTakenLate) => Run { since: Some(now), until: 0, brought: 0 },
            None => Run { since: Some(run.until), until: 0, brought: 0 },
        };
        let told = !more && run.since.is_some() && !self.has(Flaw::DeletionsAreNotTold);
        let gone = if told { self.gone_since(since, &ask.table) } else { Vec::new() };
        let mut runs = self.runs.lock().unwrap();
        runs.push(next);
        let token = (runs.len() - 1).to_string();
        let query = Query { columns: ask.columns.clone(), ..Query::of(&ask.table) };
        Ok(CrmChanges { records: self.cut(&query, part), gone, token, more, full })
    }

    /// Rows that were deleted and did not come again; a set that was taken back left its rows where they were.
    fn gone_since(&self, since: i64, table: &str) -> Vec<Uuid> {
        let (rows, gone) = (self.rows.lock().unwrap(), self.gone.lock().unwrap());
        let went = gone.iter().filter(|(version, at)| *version > since && at.table == table);
        went.filter(|(_, at)| !rows.contains_key(at)).map(|(_, at)| at.id).collect()
    }

    /// A row of the intersect table for each pair.
    pub(super) fn tie(&self, at: &RecordRef, others: &[RecordRef]) {
        let mut rows = self.rows.lock().unwrap();
        let others = if self.has(Flaw::OneIsTied) { &others[..1] } else { others };
        for other in others {
            if self.tied(&rows, at, other).is_empty() || self.has(Flaw::TiesAreDoubled) {
                let number = self.version.fetch_add(1, SeqCst) as u128;
                let pair = Record::new(RecordRef::new("listmember", Uuid::from_u128(0x11e5 << 64 | number)));
                let pair = pair.with("listid", at.clone()).with("entityid", other.clone());
                rows.insert(pair.at.clone(), Row(pair));
            }
        }
    }

    pub(super) fn untie(&self, at: &RecordRef, others: &[RecordRef]) {
        let mut rows = self.rows.lock().unwrap();
        for other in others {
            for pair in self.tied(&rows, at, other) {
                rows.remove(&pair);
            }
        }
    }

    fn tied(&self, rows: &Rows, at: &RecordRef, other: &RecordRef) -> Vec<RecordRef> {
        let is = |row: &Row, column: &str, to: &RecordRef| row.get(column) == Value::Lookup(to.clone());
        let all = self.has(Flaw::AllAreUntied);
        let pairs = rows.values().filter(|row| row.0.at.table == "listmember" && is(row, "listid", at));
        pairs.filter(|row| all || is(row, "entityid", other)).map(|row| row.0.at.clone()).collect()
    }
}
