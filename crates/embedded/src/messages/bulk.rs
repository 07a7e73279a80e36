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
use postroom_core::{Change, ChangeSet, Content, Crm, Fault, Filter, Query, Record, RecordRef, Value};
use postroom_formats::fetchxml::{self, Fetch};
use postroom_store::Error;

use super::ask::{Ask, table};
use super::{Parameter, Prepared, codes, refuse};
use crate::Embedded;
use crate::failure::Failure;
use crate::lot::{self, Kin, Tie, Writer};
use crate::rules::Refusal;
use crate::session::{Session, Start, Window};

/// Rows deleted before the answer.
const INLINE: usize = 5000;
/// Rows in one unit of the store.
const LOT: u64 = 500;
/// `operationtype` of a bulk deletion.
const OPERATION: i64 = 13;
pub(super) const IN_PROGRESS: (i64, i64) = (2, 20);
pub(super) const SUCCEEDED: (i64, i64) = (3, 30);
pub(super) const FAILED: (i64, i64) = (3, 31);

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
    let at = RecordRef::new("asyncoperation", ask.ids.next());
    let texts: Result<Vec<String>, _> =
        queries.iter().map(|query| fetchxml::write(&Fetch::of(query.clone()))).collect();
    let texts = texts.map_err(|error| refuse(codes::INVALID_ARGUMENT, error.to_string()))?;
    let row = Record::new(at.clone())
        .with("name", name.chars().take(250).collect::<String>())
        .with("operationtype", OPERATION)
        .with("primaryentitytype", queries[0].table.as_str())
        .with("startedon", now)
        .with("data", serde_json::to_string(&texts).expect("texts have a JSON form"))
        .with("statecode", IN_PROGRESS.0)
        .with("statuscode", IN_PROGRESS.1);
    put(ask.session, Change::CreateNew(ask.fitting(row).await?)).await?;
    let job = Job { session: ask.session.clone(), at: at.clone(), queries };
    let mut tally = Tally::default();
    match job.step(&mut tally, INLINE).await {
        Ok(false) => behind(job, tally),
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

/// Goes on after the answer. What it found out stands in the job's row.
fn behind(job: Job, mut tally: Tally) {
    tokio::spawn(async move {
        let done = job.step(&mut tally, usize::MAX).await;
        if let Err(error) = job.close(&tally, done).await {
            let fault = Fault::from(error);
            tracing::error!(event = "crm.bulk_delete_failed", job = %job.at.id, error = %fault, "A bulk deletion could not be closed: {fault}");
        }
    });
}

impl Job {
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
        let (state, status) = if why.is_none() { SUCCEEDED } else { FAILED };
        let text = match &why {
            None => format!("{} rows deleted.", tally.deleted),
            Some(why) => format!("{} rows deleted, {} not: {why}", tally.deleted, tally.refused),
        };
        let row = Record::new(self.at.clone())
            .with("statecode", state)
            .with("statuscode", status)
            .with("completedon", self.session.now())
            .with("message", text.chars().take(2000).collect::<String>());
        put(&self.session, Change::Update(row)).await
    }
}

fn deletion(row: &Record) -> ChangeSet {
    ChangeSet { changes: vec![Change::Delete(row.at.clone())] }
}

/// The job's row is the system's own: its writing asks for no privilege.
pub(super) async fn put(session: &Session, change: Change) -> Result<(), Failure> {
    let cache = session.crm().cache.clone();
    let writer = Writer { acting: session.user(), now: session.now() };
    let unit = session.crm().change(move |tx| {
        async move {
            let schema = cache.current(tx).await?;
            let set = ChangeSet { changes: vec![change] };
            let mut answers = lot::apply(tx, schema, writer, None, vec![set]).await?;
            Ok(answers.pop().expect("one set gives one answer").map(drop))
        }
        .boxed()
    });
    let done: Result<Result<(), Failure>, Error> = unit.await;
    done?
}

/// Takes up the jobs that an ended process left behind; answers how many there were.
pub(super) async fn resume(crm: &Embedded) -> Result<usize, Failure> {
    let rows = left_behind(crm, OPERATION).await?;
    for row in &rows {
        let owner = row.lookup("ownerid").map_or(crm.acting, |owner| owner.id);
        let queries = stored(crm, row.get("data")).await;
        let broken = queries.is_none();
        let job =
            Job { session: crm.session(owner), at: row.at.clone(), queries: queries.unwrap_or_default() };
        let mut tally = Tally::default();
        let done = match broken {
            true => Err(refuse(codes::INVALID_ARGUMENT, "the queries of the job cannot be read")),
            false => job.step(&mut tally, usize::MAX).await,
        };
        job.close(&tally, done).await?;
    }
    Ok(rows.len())
}

/// The jobs of a kind that are in progress.
pub(super) async fn left_behind(crm: &Embedded, operation: i64) -> Result<Vec<Record>, Failure> {
    let filter =
        Filter::All(vec![Filter::eq("operationtype", operation), Filter::eq("statecode", IN_PROGRESS.0)]);
    let query = Query::of("asyncoperation").select(&["data", "ownerid"]).filter(filter);
    Ok(Crm::query(crm, &query).await?)
}

/// What a job's row holds for it.
pub(super) async fn stored_text(crm: &Embedded, data: Option<&Value>) -> Option<String> {
    match data? {
        Value::Text(text) => Some(text.clone()),
        Value::Content(Content::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).ok(),
        Value::Content(content) => String::from_utf8(Crm::read(crm, content).await.ok()?.to_vec()).ok(),
        _ => None,
    }
}

async fn stored(crm: &Embedded, data: Option<&Value>) -> Option<Vec<Query>> {
    let text = stored_text(crm, data).await?;
    let texts: Vec<String> = serde_json::from_str(&text).ok()?;
    texts.iter().map(|xml| Some(fetchxml::parse(xml).ok()?.query)).collect()
}
