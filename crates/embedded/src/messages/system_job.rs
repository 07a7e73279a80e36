//! System jobs (`asyncoperation`): the row of a job that works on behind its answer, from its beginning to its end, and those that an
//! ended process left behind.
//!
//! The row is durable before the job does anything, with all that the job needs in it. Not here: what a job does.

use std::future::Future;

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Content, Crm, Fault, Filter, Query, Record, RecordRef, Value};
use postroom_store::Error;

use super::ask::Ask;
use crate::Embedded;
use crate::failure::Failure;
use crate::lot::{self, Writer};
use crate::session::Session;

/// `statecode` and `statuscode`.
const IN_PROGRESS: (i64, i64) = (2, 20);
pub(super) const SUCCEEDED: (i64, i64) = (3, 30);
pub(super) const FAILED: (i64, i64) = (3, 31);
/// The longest `name` and `message` of a job.
const NAME: usize = 250;
const MESSAGE: usize = 2000;

/// A job that begins.
pub(super) struct Order<'a> {
    pub name: &'a str,
    /// `operationtype`.
    pub operation: i64,
    /// The table that it is mostly about.
    pub table: &'a str,
    /// What a process that takes it up needs.
    pub data: String,
}

/// Makes the row of a job.
pub(super) async fn begin(ask: &Ask<'_>, order: Order<'_>) -> Result<RecordRef, Failure> {
    let at = RecordRef::new("asyncoperation", ask.ids.next());
    let row = Record::new(at.clone())
        .with("name", order.name.chars().take(NAME).collect::<String>())
        .with("operationtype", order.operation)
        .with("primaryentitytype", order.table)
        .with("startedon", ask.session.now())
        .with("data", order.data)
        .with("statecode", IN_PROGRESS.0)
        .with("statuscode", IN_PROGRESS.1);
    put(ask.session, Change::CreateNew(ask.fitting(row).await?)).await?;
    Ok(at)
}

/// Ends a job's row with what it came to; `why` something failed, when it did.
pub(super) async fn end(
    session: &Session,
    at: &RecordRef,
    said: &str,
    why: Option<&str>,
) -> Result<(), Failure> {
    let (state, status) = if why.is_none() { SUCCEEDED } else { FAILED };
    let row = Record::new(at.clone())
        .with("statecode", state)
        .with("statuscode", status)
        .with("completedon", session.now())
        .with("message", said.chars().take(MESSAGE).collect::<String>());
    put(session, Change::Update(row)).await
}

/// Goes on after the answer. What a job found out stands in its row; when that cannot be written, the log says so.
pub(super) fn behind(at: &RecordRef, work: impl Future<Output = Result<(), Failure>> + Send + 'static) {
    let job = at.id;
    tokio::spawn(async move {
        if let Err(error) = work.await {
            let fault = Fault::from(error);
            tracing::error!(event = "crm.job_failed", job = %job, error = %fault, "A system job could not be closed: {fault}");
        }
    });
}

/// The jobs of a kind that an ended process left behind, each in the name of its owner, with what it kept for itself.
pub(super) async fn left_behind(
    crm: &Embedded,
    operation: i64,
) -> Result<Vec<(Session, RecordRef, Option<String>)>, Failure> {
    let filter =
        Filter::All(vec![Filter::eq("operationtype", operation), Filter::eq("statecode", IN_PROGRESS.0)]);
    let query = Query::of("asyncoperation").select(&["data", "ownerid"]).filter(filter);
    let mut jobs = Vec::new();
    for row in Crm::query(crm, &query).await? {
        let owner = row.lookup("ownerid").map_or(crm.acting, |owner| owner.id);
        let data = stored(crm, row.get("data")).await;
        jobs.push((crm.session(owner), row.at, data));
    }
    Ok(jobs)
}

/// What a job's row holds for it.
pub(super) async fn stored(crm: &Embedded, data: Option<&Value>) -> Option<String> {
    match data? {
        Value::Text(text) => Some(text.clone()),
        Value::Content(Content::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).ok(),
        Value::Content(content) => String::from_utf8(Crm::read(crm, content).await.ok()?.to_vec()).ok(),
        _ => None,
    }
}

/// The job's row is the system's own: its writing asks for no privilege.
async fn put(session: &Session, change: Change) -> Result<(), Failure> {
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
