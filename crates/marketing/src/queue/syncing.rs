//! Rows that ask for a synchronisation: the sync types are asked for as by the buttons, and the row hears how their runs ended.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Fault, Filter, Query};
use uuid::Uuid;

use super::Standing;
use super::item::Item;
use crate::sends::request::{self, choice, unfit};
use crate::solution::options::Set;
use crate::sync::look::{self, Runs};
use crate::sync::{Run, RunState, SyncType, Turn};

/// Runs of one kind that are looked through; rows are looked at each minute.
const MOST: u64 = 50;

/// One list, of which its own row says how it went.
pub(super) async fn list(turn: &Turn, item: &Item, list: Uuid, fresh: bool) -> Result<Standing, Fault> {
    if fresh {
        fit(turn, list).await?;
    }
    match ended(turn, item, SyncType::Lists).await? {
        None => Ok(Standing::Waits(None)),
        Some(run) if run.state == RunState::Failed => Ok(Standing::Failed(failed(&run))),
        Some(_) => {
            let by_id = Filter::eq("listid", list);
            let columns = ["esc_membersyncstatus", "esc_lastsyncmessage"];
            let row = turn.engine.crm.query(&Query::of("list").select(&columns).filter(by_id)).await?.pop();
            let row = row.ok_or_else(|| unfit(format!("there is no marketing list {list}")))?;
            Ok(match choice(&row, "esc_membersyncstatus", Set::MemberSyncStatus) {
                Some("Sync Complete" | "Completed with rejects") => Standing::Complete,
                _ => Standing::Failed(match row.text("esc_lastsyncmessage").unwrap_or_default() {
                    "" => "the list was not synchronised: look at it".to_owned(),
                    text => text.to_owned(),
                }),
            })
        }
    }
}

async fn fit(turn: &Turn, list: Uuid) -> Result<(), Fault> {
    let found = turn.engine.crm.query(&Query::of("list").filter(Filter::eq("listid", list))).await?;
    let Some(row) = found.first() else { return Err(unfit(format!("there is no marketing list {list}"))) };
    request::list(row, &turn.connected.row()).map(drop)
}

/// A campaign's totals, and what people did with it. All of the account's are read: the service says what changed.
pub(super) async fn campaign(turn: &Turn, item: &Item, id: Uuid, fresh: bool) -> Result<Standing, Fault> {
    if fresh {
        request::campaign(turn, id).await?;
    }
    types(turn, item, &[SyncType::Campaigns, SyncType::Events]).await
}

/// Everything that runs by itself.
pub(super) async fn account(turn: &Turn, item: &Item, id: Option<Uuid>) -> Result<Standing, Fault> {
    if id.is_some_and(|id| id != turn.connected.row().id) {
        let text = "the payload names another account than the row's Email Account: write the same, or leave it empty";
        return Err(unfit(text));
    }
    let settings = &turn.account.settings;
    let own = |sync_type: &SyncType| {
        // This row is read by a run of the sends.
        *sync_type != SyncType::Sends && settings.every(*sync_type).is_some()
    };
    let all: Vec<SyncType> = SyncType::ALL.iter().copied().filter(own).collect();
    types(turn, item, &all).await
}

/// These sync types, each of which must have run since the row was taken.
pub(super) async fn types(turn: &Turn, item: &Item, types: &[SyncType]) -> Result<Standing, Fault> {
    let (mut waits, mut wrong) = (false, Vec::new());
    for sync_type in types {
        match ended(turn, item, *sync_type).await? {
            None => waits = true,
            Some(run) if matches!(run.state, RunState::Done | RunState::Partly) => {}
            Some(run) => wrong.push(failed(&run)),
        }
    }
    Ok(match (waits, wrong.is_empty()) {
        (true, _) => Standing::Waits(None),
        (false, true) => Standing::Complete,
        (false, false) => Standing::Failed(wrong.join("; ")),
    })
}

fn failed(run: &Run) -> String {
    let why = run.reason.as_deref().unwrap_or("no reason was noted");
    match run.state {
        RunState::Held => format!("the run of {} waits for a person: {why}", run.sync_type),
        _ => format!("the run of {} failed: {why}", run.sync_type),
    }
}

/// The first run that began when the row was taken or later, once it has ended; one is asked for until there is one.
async fn ended(turn: &Turn, item: &Item, sync_type: SyncType) -> Result<Option<Run>, Fault> {
    let since = item.started.unwrap_or(Timestamp::UNIX_EPOCH);
    let account = turn.account.name.clone();
    let wanted = Runs { account: Some(account), sync_type: Some(sync_type), limit: MOST, ..Runs::default() };
    let runs = turn.read(move |tx| async move { look::runs(tx, &wanted).await }.boxed()).await?;
    let since = |run: &Run| run.started >= since && run.undoes.is_none() && !run.dry;
    match runs.into_iter().rfind(since) {
        None => {
            turn.engine.ask(&turn.account.name, sync_type, "the CRM's message queue").await?;
            Ok(None)
        }
        Some(run) => Ok((run.state != RunState::Running).then_some(run)),
    }
}
