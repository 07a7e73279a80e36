//! Requests for one list: the button *Sync now* sets `esc_syncrequested` on the list itself, and in servers before 9.0 there are
//! rows of `esc_messagequeue` that say *synchronise this list*, whose payload is the list's id.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Change, ChangeSet, Fault, Filter, Query, Record, RecordRef, Value};
use uuid::Uuid;

use crate::solution::options::Set;
use crate::sync::{SyncType, Turn, look};

const TABLE: &str = "esc_messagequeue";

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub at: RecordRef,
    pub list: Uuid,
    /// When it was written, or fell due.
    since: Timestamp,
}

/// The requests that wait and are due.
///
/// # Errors
/// The CRM's.
pub async fn open(turn: &Turn) -> Result<Vec<Request>, Fault> {
    if !has_queue(&turn.engine.crm.capabilities().await?.version) {
        return Ok(Vec::new());
    }
    let is = |column: &str, set: Set, label: &str| {
        Filter::eq(column, set.value(label).map_or(Value::Null, Value::from))
    };
    let query =
        Query::of(TABLE).select(&["esc_payload", "esc_scheduledon", "createdon"]).filter(Filter::All(vec![
            is("esc_messagetype", Set::MessageType, "SynchroniseEmailAddressBook"),
            is("esc_status", Set::QueueStatus, "Pending"),
            Filter::eq("esc_emailaccountid", turn.connected.row()),
        ]));
    let rows = turn.engine.crm.query(&query).await?;
    Ok(rows.into_iter().filter_map(|row| request(row, turn.now())).collect())
}

/// Only the organisation's own words of a version begin with a number.
fn has_queue(version: &str) -> bool {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major < 9)
}

fn request(row: Record, now: Timestamp) -> Option<Request> {
    let (made, due) = (time(&row, "createdon"), time(&row, "esc_scheduledon"));
    let payload = row.text("esc_payload").unwrap_or_default().trim();
    let list = payload.strip_prefix("list/").unwrap_or(payload).trim_matches(['{', '}']).parse().ok()?;
    let since = made.max(due).unwrap_or(Timestamp::UNIX_EPOCH);
    due.is_none_or(|due| due <= now).then_some(Request { at: row.at, list, since })
}

/// Makes lists due at once when somebody pressed *Sync now*, or wrote a request, since they last began to run. What a run
/// began with is its own to see to, so one that fails is not asked for again and again.
///
/// # Errors
/// The CRM's and the store's.
pub async fn wake(turn: &Turn) -> Result<(), Fault> {
    let pressed = Query::of("list").select(&["modifiedon"]).filter(Filter::All(vec![
        Filter::eq("esc_activatedforemail", true),
        Filter::eq("esc_emailaccountid", turn.connected.row()),
        Filter::eq("esc_syncrequested", true),
        Filter::eq("statecode", 0),
    ]));
    let rows = turn.engine.crm.query(&pressed).await?;
    let mut asked: Vec<Timestamp> = rows.iter().filter_map(|row| time(row, "modifiedon")).collect();
    asked.extend(open(turn).await?.into_iter().map(|request| request.since));
    let Some(newest) = asked.into_iter().max() else { return Ok(()) };
    let account = turn.account.name.clone();
    let last =
        turn.read(move |tx| async move { look::last(tx, &account, SyncType::Lists).await }.boxed()).await?;
    if last.is_none_or(|run| run.started < newest) {
        turn.engine.ask(&turn.account.name, SyncType::Lists, "the CRM").await?;
    }
    Ok(())
}

fn time(row: &Record, column: &str) -> Option<Timestamp> {
    match row.get(column) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    }
}

/// Notes that they were seen to; how it went stands on the list.
///
/// # Errors
/// The CRM's; a repeat does no harm.
pub async fn close(turn: &Turn, requests: Vec<Request>) -> Result<(), Fault> {
    if turn.dry || requests.is_empty() {
        return Ok(());
    }
    let complete = Set::QueueStatus.value("Complete").map_or(Value::Null, Value::from);
    let done = |request: Request| {
        let row =
            Record::new(request.at).with("esc_status", complete.clone()).with("esc_completedon", turn.now());
        ChangeSet { changes: vec![Change::Update(row)] }
    };
    let answers = turn.engine.crm.apply(requests.into_iter().map(done).collect()).await;
    answers.into_iter().try_for_each(|answer| answer.map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_with_a_queue() {
        let check = |version: &str, expected: bool| assert_eq!(has_queue(version), expected, "{version}");
        check("5.0.9690.0", true);
        check("8.2.0.0", true);
        check("9.2.24044.200", false);
        check("embedded 0.1.0", false);
        check("", false);
    }

    #[test]
    fn payloads() {
        let id = Uuid::from_u128(7);
        let check = |payload: String, expected: Option<Uuid>| {
            let row = Record::new(RecordRef::new(TABLE, Uuid::nil())).with("esc_payload", payload.as_str());
            let found = request(row, Timestamp::UNIX_EPOCH).map(|request| request.list);
            assert_eq!(found, expected, "{payload}");
        };
        check(id.to_string(), Some(id));
        check(format!("list/{{{id}}}"), Some(id));
        check("everything".to_owned(), None);
    }
}
