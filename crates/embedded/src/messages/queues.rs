//! Queues: AddToQueue, PickFromQueue, ReleaseToQueue, RemoveFromQueue, RouteTo (dataverse.md B10).
//!
//! A record stands in one queue at a time. The id of a queue item is made of the record and of the items that it had, so of
//! two callers who add it at once one is refused.

use postroom_core::{Change, Filter, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::ask::{Ask, unless_changed};
use super::{Parameter, Prepared, codes, refuse};
use crate::failure::Failure;

pub(super) async fn add(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let queue = ask.target("DestinationQueueId", "queue")?;
    let object = ask.needed("Target", None)?;
    let source = match ask.reference("SourceQueue", Some("queue"))? {
        Some(source) => Some(source),
        None => ask.reference("SourceQueueId", Some("queue"))?.filter(|source| !source.id.is_nil()),
    };
    ask.row(&queue, &[]).await?;
    ask.row(&object, &[]).await?;
    let items = Query::of("queueitem")
        .select(&["queueid", "statecode", "versionnumber"])
        .filter(Filter::eq("objectid", object.clone()));
    let items = ask.system(items).await?;
    let active = items.iter().find(|item| item.int("statecode") == Some(0));
    let (change, id) = match active {
        Some(item) => (moved(item, &queue, source.as_ref())?, item.at.id),
        None => {
            let id = Uuid::new_v5(&object.id, format!("queueitem:{}", items.len()).as_bytes());
            (Some(Change::CreateNew(new_item(ask, id, &object, &queue)?)), id)
        }
    };
    Ok(Prepared::of(change.into_iter().collect(), vec![("QueueItemId", Parameter::Guid(id))]))
}

/// To another queue only by one who knows where it stands.
fn moved(item: &Record, queue: &RecordRef, source: Option<&RecordRef>) -> Result<Option<Change>, Failure> {
    let stands = item.lookup("queueid");
    match source {
        Some(source) if stands == Some(source) && source != queue => {
            let change =
                Record::new(item.at.clone()).with("queueid", queue.clone()).with("workerid", Value::Null);
            Ok(Some(unless_changed(item, change)))
        }
        _ => {
            let text = "This item is already in a queue: an active queue item for it exists.";
            Err(refuse(codes::QUEUED_ALREADY, text))
        }
    }
}

fn new_item(ask: &Ask<'_>, id: Uuid, object: &RecordRef, queue: &RecordRef) -> Result<Record, Failure> {
    let mut item = Record::new(RecordRef::new("queueitem", id))
        .with("objectid", object.clone())
        .with("queueid", queue.clone());
    if let Some(more) = ask.given("QueueItemProperties")? {
        let own = ["objectid", "queueid", "queueitemid", "objecttypecode"];
        let others = more.record.columns.into_iter();
        item.columns.extend(others.filter(|(name, _)| !own.contains(&name.as_str())));
    }
    Ok(item)
}

async fn item(ask: &Ask<'_>, at: &RecordRef) -> Result<Record, Failure> {
    ask.row(at, &["workerid", "queueid", "statecode", "versionnumber"]).await
}

/// A user takes an item on, or takes it out.
pub(super) async fn pick(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let at = ask.target("QueueItemId", "queueitem")?;
    let worker = match ask.reference("SystemUser", Some("systemuser"))? {
        Some(worker) => worker,
        None => ask.needed("WorkerId", Some("systemuser"))?,
    };
    let row = item(ask, &at).await?;
    if ask.flag("RemoveQueueItem")?.unwrap_or(false) {
        return Ok(Prepared::of(vec![gone(&row)], Vec::new()));
    }
    ask.row(&worker, &[]).await?;
    Ok(Prepared::of(vec![worked_by(ask, &row, worker.into()).await?], Vec::new()))
}

pub(super) async fn release(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let row = item(ask, &ask.target("QueueItemId", "queueitem")?).await?;
    Ok(Prepared::of(vec![worked_by(ask, &row, Value::Null).await?], Vec::new()))
}

pub(super) async fn remove(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let row = item(ask, &ask.target("QueueItemId", "queueitem")?).await?;
    Ok(Prepared::of(vec![gone(&row)], Vec::new()))
}

/// To another queue, or to somebody who works on it.
pub(super) async fn route(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let target = ask.needed("Target", None)?;
    let at = match ask.reference("QueueItem", Some("queueitem"))? {
        Some(at) => at,
        None => ask.needed("QueueItemId", Some("queueitem"))?,
    };
    let row = item(ask, &at).await?;
    ask.row(&target, &[]).await?;
    let change = match target.table.as_str() {
        "queue" => {
            let change = Record::new(at).with("queueid", target).with("workerid", Value::Null);
            unless_changed(&row, change)
        }
        "systemuser" | "team" => worked_by(ask, &row, target.into()).await?,
        _ => return Err(ask.unfit("Target", "a queue, a user or a team")),
    };
    Ok(Prepared::of(vec![change], Vec::new()))
}

async fn worked_by(ask: &Ask<'_>, row: &Record, worker: Value) -> Result<Change, Failure> {
    let since = if worker == Value::Null { Value::Null } else { Value::Time(ask.session.now()) };
    let change = Record::new(row.at.clone()).with("workerid", worker).with("workeridmodifiedon", since);
    Ok(unless_changed(row, ask.fitting(change).await?))
}

fn gone(row: &Record) -> Change {
    Change::DeleteIf(row.at.clone(), row.int("versionnumber"))
}
