//! Requests for one list: the button *Sync now* sets `esc_syncrequested` on the list itself. Servers before 9.0 have rows of a
//! queue besides ([`crate::queue`]).

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Fault, Filter, Query};

use crate::sends::request::moment;
use crate::sync::{SyncType, Turn, look};

/// Makes lists due at once when somebody pressed *Sync now* since they last began to run. What a run began with is its own to
/// see to, so one that fails is not asked for again and again.
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
    let newest: Option<Timestamp> = rows.iter().filter_map(|row| moment(row, "modifiedon")).max();
    let Some(newest) = newest else { return Ok(()) };
    let account = turn.account.name.clone();
    let last =
        turn.read(move |tx| async move { look::last(tx, &account, SyncType::Lists).await }.boxed()).await?;
    if last.is_none_or(|run| run.started < newest) {
        turn.engine.ask(&turn.account.name, SyncType::Lists, "the CRM").await?;
    }
    Ok(())
}
