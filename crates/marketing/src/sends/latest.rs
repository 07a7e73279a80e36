//! What either side said up to now, before people are counted and before they are mailed: opt-outs from the account since the last
//! exchange, departures from the lists in question, by their mails too, and choices of the preferences that they belong to.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::address::normal;
use postroom_core::marketing::{Ask, CampaignId, ListId, PreferenceId};
use postroom_store::{Error, Tx};

use super::departures;
use super::row::CampaignSend;
use crate::accounts;
use crate::lists::links;
use crate::preferences::ties::{self, Tied};
use crate::preferences::{self, groups};
use crate::suppressions::rows::{self, Origin, SaidOut};
use crate::sync::{Halt, Turn};
use crate::unsubscribes;

/// Reads all of it for a send.
///
/// # Errors
/// Faults of either side; what was stored until then stays.
pub(super) async fn read(turn: &mut Turn, send: &CampaignSend) -> Result<(), Halt> {
    turn.engine.read_people().await?;
    suppressions(turn).await?;
    ties::read_lists(turn).await?;
    ties::read_campaigns(turn).await?;
    let (of, account) = (send.clone(), turn.account.name.clone());
    let known = turn.read(move |tx| async move { concerned(tx, &account, &of).await }.boxed());
    let (linked, tied) = known.await?;
    for list in &linked {
        unsubscribes::of_service(turn, list).await?;
    }
    departures::of_same_lists(turn, send).await?;
    unsubscribes::gather::run(turn).await?;
    groups::run(turn).await?;
    preferences::read_latest(turn, &tied).await
}

/// The service's lists of a send's lists, and the preferences that those and the campaign belong to.
async fn concerned(
    tx: &mut Tx,
    account: &str,
    send: &CampaignSend,
) -> Result<(Vec<ListId>, Vec<PreferenceId>), Error> {
    let (mut linked, mut ways) = (Vec::new(), Vec::new());
    for target in &send.details.request.lists {
        linked.extend(links::service_of(tx, account, target.list).await?);
        ways.push(Tied::List(target.list));
    }
    ways.extend(send.campaign.map(|id| Tied::Campaign(CampaignId(id))));
    let mut tied = Vec::new();
    for way in &ways {
        tied.extend(ties::of(tx, account, way).await?);
    }
    Ok((linked, tied))
}

/// What the service suppressed since the last exchange.
async fn suppressions(turn: &mut Turn) -> Result<(), Fault> {
    let account = turn.account.name.clone();
    let known = turn.read(move |tx| async move { accounts::known(tx, &account).await }.boxed()).await?;
    // By the service's own clock: ours may be ahead of it.
    let since = known.exchanged_there.or(known.exchanged).unwrap_or(Timestamp::UNIX_EPOCH);
    let since = since.checked_sub(turn.engine.rules.overlap).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut ask = Ask::default();
    loop {
        let page = turn.account.service.suppressions(since, &ask).await?;
        let (ids, now, account) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone());
        let said: Vec<SaidOut> = page
            .rows
            .into_iter()
            .filter(|row| !normal(&row.email).is_empty())
            .map(|row| SaidOut {
                address: row.email,
                status: row.reason,
                at: row.at.unwrap_or(now),
                contact: row.contact,
                source: "suppression list of the service".to_owned(),
                actor: String::new(),
            })
            .collect();
        if !said.is_empty() {
            let unit = turn.engine.store.write("marketing.send_opt_outs", move |tx| {
                async move { rows::take(tx, &ids, now, &account, Origin::Service, &said).await }.boxed()
            });
            let taken: Result<rows::Written, Error> = unit.await;
            taken?;
        }
        match page.next {
            Some(next) => ask = ask.after(next),
            None => return Ok(()),
        }
    }
}
