//! Who left one list, both ways (marketing-sync.md 9.2).
//!
//! # Design
//!
//! As opt-outs from an account ([`crate::suppressions`]), for each list that is linked: [`rows`] are what a gate reads, the ledger
//! what was said (scope *list*), and each side hears of what the other said in a step of its own. What is said of a list that is
//! not linked is kept until it is ([`unlinked`]).
//!
//! 1. The service's departures since the mark of each list less an overlap, the first time all of them.
//! 2. [`gather`]: rows of `esc_listunsubscriber` that users and workflows made.
//! 3. [`tell_crm`]: every record with the address leaves the CRM's list, and a row of `esc_listunsubscriber` says so.
//! 4. [`tell_service`]: the person leaves the service's list, or comes back by newer, dated consent.

pub mod gather;
pub mod rows;
pub mod tell_crm;
pub mod tell_service;
pub mod unlinked;

use futures_util::FutureExt;
use postroom_core::Code;
use postroom_core::marketing::ListId;

use crate::lists::links::{self, Link, State};
use crate::suppressions::incoming;
use crate::sync::{Halt, Turn};

/// The flow.
///
/// # Errors
/// Faults of either side; what was stored until then stays. A question when very many would leave lists at the service.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    turn.engine.read_people().await?;
    let links = linked(turn).await?;
    for link in &links {
        let Some(list) = &link.service else { continue };
        of_service(turn, list).await?;
    }
    gather::run(turn).await?;
    tell_crm::run(turn, &links).await?;
    tell_service::run(turn).await
}

/// Who left a list at the service.
///
/// # Errors
/// The service's.
pub(crate) async fn of_service(turn: &mut Turn, list: &ListId) -> Result<(), Halt> {
    match incoming::of_list(turn, list).await {
        // Deleted there since the lists were looked at: they will say so.
        Err(Halt::Fault(fault)) if fault.code == Code::MARKETING_NOT_FOUND => {
            turn.counts.skip("list gone at the service", 1);
            Ok(())
        }
        read => read,
    }
}

/// The lists that are linked now.
pub(crate) async fn linked(turn: &Turn) -> Result<Vec<Link>, Halt> {
    let account = turn.account.name.clone();
    let links = turn.read(move |tx| async move { links::all(tx, &account).await }.boxed()).await?;
    Ok(links.into_iter().filter(|link| link.state == State::Linked).collect())
}
