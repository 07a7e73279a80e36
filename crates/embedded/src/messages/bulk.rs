//! BulkDelete: rows deleted by queries, with the rights of the caller, as a system job (dataverse.md A13).
//!
//! The job's row is durable before the first row goes, with its queries in it as FetchXML. Up to [`INLINE`] rows go before
//! the answer, so the job is completed when it is asked for. More go on behind the answer. When the process dies, the job
//! stays *In Progress*; [`resume`] takes it up: deleting what is gone changes nothing, and rows that were made after the
//! job began are not its business. A row on which more rows hang than one unit takes goes after them, piece by piece.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use postroom_core::metadata::CascadeType;
use postroom_core::query::Comparison;
use postroom_core::{Change, ChangeSet, Fault, Filter, Query, Record, RecordRef, Value};
use postroom_formats::fetchxml::{self, Fetch};

use super::ask::{Ask, table};
use super::system_job::{self, Order};
use super::{Parameter, Prepared, codes, refuse};
use crate::Embedded;
use crate::failure::Failure;
use crate::lot::{Kin, Tie};
use crate::rules::Refusal;
use crate::session::{Session, Start, Window};

/// Rows deleted before the answer.
const INLINE: usize = 5000;
/// Rows in one unit of the store.
const LOT: u64 = 500;
/// `operationtype` of a bulk deletion.
const OPERATION: i64 = 13;

/// One job.
#[derive(Clone)]
struct Job {
    session: Session,
    at: RecordRef,
    queries: Vec<Query>,
}

/// How far a job is.
#[derive(Default)]
struct Tally {
    deleted: usize,
    refused: usize,
    /// Why the first one was refused.
    why: Option<String>,
    query: usize,
    /// The sort keys of the last row looked at.
    after: Option<Vec<Value>>,
}

pub(super) async fn delete(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    ask.need("JobName")?;
    let name = ask.text("JobName")?.unwrap_or_default();
    if ask.text("RecurrencePattern")?.is_some_and(|pattern| !pattern.is_empty()) {
        let text = "Bulk deletions that repeat are not done here: leave RecurrencePattern empty.";
        return Err(refuse(codes::NOT_SUPPORTED, text));
    }
    let now = ask.session.now();
    if ask.time("StartDateTime")?.is_some_and(|start| start > now + SignedDuration::from_hours(24)) {
        let text = "Bulk deletions begin at once here: leave StartDateTime empty or name a time of today.";
        return Err(refuse(codes::NOT_SUPPORTED, text));
    }
    let queries = queries(ask, now).await?;
    let texts: Result<Vec<String>, _> =
        queries.iter().map(|query| fetchxml::write(&Fetch::of(query.clone()))).collect();
    let texts = texts.map_err(|error| refuse(codes::INVALID_ARGUMENT, error.to_string()))?;
    let data = serde_json::to_string(&texts).expect("texts have a JSON form");
    let order = Order { name, operation: OPERATION, table: &queries[0].table, data };
    let at = system_job::begin(ask, order).await?;
    let job = Job { session: ask.session.clone(), at: at.clone(), queries };
    let mut tally = Tally::default();
    match job.step(&mut tally, INLINE).await {
        Ok(false) => system_job::behind(&at, job.rest(tally)),
        done => job.close(&tally, done).await?,
    }
    Ok(Prepared::answer(vec![("JobId", Parameter::Guid(at.id))]))
}

/// The rows that were there when the job began.
async fn queries(ask: &Ask<'_>, now: Timestamp) -> Result<Vec<Query>, Failure> {
    let wrong = || ask.unfit("QuerySet", "a list of queries");
    let Parameter::List(given) = ask.need("QuerySet")? else { return Err(wrong()) };
    let mut queries = Vec::new();
    for query in given {
        let Parameter::Query(query) = query else { return Err(wrong()) };
        if query.computes() {
            return Err(ask.unfit("QuerySet", "a list of queries for rows, not for sums"));
        }
        let table = table(ask.session, &query.table).await?;
        // A query without conditions: a part that is always true has no form in FetchXML.
        let mut filter = match &query.filter {
            Filter::All(parts) if parts.is_empty() => Vec::new(),
            own => vec![own.clone()],
        };
        if table.column("createdon").is_some() {
            filter.push(Filter::Compare("createdon".into(), Comparison::Le, Value::Time(now)));
        }
        queries.push(Query {
            columns: Some(Vec::new()),
            filter: Filter::All(filter),
            order: Vec::new(),
            distinct: false,
            ..(**query).clone()
        });
    }
    if queries.is_empty() { Err(wrong()) } else { Ok(queries) }
}

impl Job {
    /// Everything that is left, and the end.
    async fn rest(self, mut tally: Tally) -> Result<(), Failure> {
        let done = self.step(&mut tally, usize::MAX).await;
        self.close(&tally, done).await
    }

    /// Deletes at most `most` rows more; true when none are left.
    async fn step(&self, tally: &mut Tally, most: usize) -> Result<bool, Failure> {
        let mut left = most;
        while let Some(query) = self.queries.get(tally.query) {
            if left == 0 {
                return Ok(false);
            }
            let start = tally.after.clone().map_or(Start::First, Start::After);
            let window = Window { size: Some(LOT.min(left as u64)), start };
            let page = self.session.page(query.clone(), window, false).await?;
            left = left.saturating_sub(page.records.len());
            let answers = self.session.apply(page.records.iter().map(deletion).collect()).await;
            for (row, done) in page.records.iter().zip(answers) {
                let done = match done {
                    Err(Failure::Refused(Refusal::Family { .. })) => self.piecewise(&row.at).await,
                    done => done.map(drop),
                };
                match done {
                    Ok(_) => tally.deleted += 1,
                    Err(error) => {
                        tally.refused += 1;
                        tally.why.get_or_insert_with(|| Fault::from(error).message);
                    }
                }
            }
            tally.after = Some(page.last);
            if !page.more {
                (tally.query, tally.after) = (tally.query + 1, None);
            }
        }
        Ok(true)
    }

    /// A row on which more hang than one unit takes: those go first, in lots, and it last. So not all go at once, but none
    /// goes when another one keeps the row, as far as that can be seen beforehand.
    fn piecewise<'f>(&'f self, at: &'f RecordRef) -> BoxFuture<'f, Result<(), Failure>> {
        async move {
            let schema = self.session.crm().schema().await?;
            let kin = Kin::of(&schema);
            let ties = schema.find(&at.table).map(|place| kin.ties(place)).unwrap_or_default();
            let below = |tie: &Tie, most| {
                let table = schema.at(tie.child);
                let named = Filter::eq(table.columns[tie.column].name.as_str(), Value::Lookup(at.clone()));
                Query::of(&table.name).select(&[]).filter(named).top(most)
            };
            for tie in ties.iter().filter(|tie| tie.cascade.delete == CascadeType::Restrict) {
                if let Some(by) = self.session.system(below(tie, 1)).await?.pop() {
                    let (row, relationship) = (at.clone(), tie.name.clone());
                    return Err(Refusal::Restricted { row, by: by.at, relationship }.into());
                }
            }
            for tie in ties.iter().filter(|tie| tie.cascade.delete == CascadeType::Cascade) {
                loop {
                    let rows = self.session.system(below(tie, LOT)).await?;
                    if rows.is_empty() {
                        break;
                    }
                    self.delete_all(&rows).await?;
                }
            }
            self.delete_all(&[Record::new(at.clone())]).await
        }
        .boxed()
    }

    /// Each by itself; the first that is refused ends it.
    async fn delete_all(&self, rows: &[Record]) -> Result<(), Failure> {
        let answers = self.session.apply(rows.iter().map(deletion).collect()).await;
        for (row, done) in rows.iter().zip(answers) {
            match done {
                Ok(_) => {}
                Err(Failure::Refused(Refusal::Family { .. })) => self.piecewise(&row.at).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn close(&self, tally: &Tally, done: Result<bool, Failure>) -> Result<(), Failure> {
        let why = match done {
            Ok(_) => tally.why.clone(),
            Err(error) => Some(Fault::from(error).message),
        };
        let text = match &why {
            None => format!("{} rows deleted.", tally.deleted),
            Some(why) => format!("{} rows deleted, {} not: {why}", tally.deleted, tally.refused),
        };
        system_job::end(&self.session, &self.at, &text, why.as_deref()).await
    }
}

fn deletion(row: &Record) -> ChangeSet {
    ChangeSet { changes: vec![Change::Delete(row.at.clone())] }
}

/// Takes up the jobs that an ended process left behind; answers how many there were.
pub(super) async fn resume(crm: &Embedded) -> Result<usize, Failure> {
    let jobs = system_job::left_behind(crm, OPERATION).await?;
    let count = jobs.len();
    for (session, at, data) in jobs {
        let queries = data.and_then(|text| stored(&text));
        let broken = queries.is_none();
        let job = Job { session, at, queries: queries.unwrap_or_default() };
        match broken {
            true => {
                let error = refuse(codes::INVALID_ARGUMENT, "the queries of the job cannot be read");
                job.close(&Tally::default(), Err(error)).await?;
            }
            false => job.rest(Tally::default()).await?,
        }
    }
    Ok(count)
}

fn stored(text: &str) -> Option<Vec<Query>> {
    let texts: Vec<String> = serde_json::from_str(text).ok()?;
    texts.iter().map(|xml| Some(fetchxml::parse(xml).ok()?.query)).collect()
}
