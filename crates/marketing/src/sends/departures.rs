//! Who left by the link of a mail. The mail came by the single-use list of its send, so that is the list that the service notes: the
//! person has left the lists of the request that had the address.

use std::collections::HashMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::{Ask, ListId, Suppression};
use postroom_core::{Code, Fault, Ids};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};

use super::row::{self, ASKED, CampaignSend};
use crate::consent::ledger::hashed;
use crate::suppressions::rows::{Origin, SaidOut};
use crate::sync::Turn;
use crate::unsubscribes::unlinked;

/// Reads who left by the mail of a send. The list is the send's own, so it is read whole.
///
/// # Errors
/// The service's; a list that is gone there has nobody to tell of.
pub(super) async fn read(turn: &Turn, send: &CampaignSend) -> Result<(), Fault> {
    let (Some(list), Some(intent)) = (send.list.map(ListId), send.details.intent) else { return Ok(()) };
    if send.details.list_deleted {
        return Ok(());
    }
    let mut ask = Ask::default();
    loop {
        let asked = turn.account.service.list_unsubscribes(&list, Timestamp::UNIX_EPOCH, &ask).await;
        let page = match asked {
            Err(fault) if fault.code == Code::MARKETING_NOT_FOUND => return Ok(()),
            asked => asked?,
        };
        // What is not dated came after the mail; the same each time, as it is read again.
        let left: Vec<SaidOut> = page.rows.into_iter().filter_map(|row| said(send, row, intent)).collect();
        if !left.is_empty() {
            let (ids, now, send) = (turn.engine.ids.clone(), turn.now(), send.clone());
            let unit = turn.engine.store.write("marketing.send_departures", move |tx| {
                async move { take(tx, &ids, now, &send, left).await }.boxed()
            });
            let taken: Result<(), Error> = unit.await;
            taken?;
        }
        match page.next {
            Some(next) => ask = ask.after(next),
            None => return Ok(()),
        }
    }
}

fn said(send: &CampaignSend, row: Suppression, intent: Timestamp) -> Option<SaidOut> {
    let address = normal(&row.email);
    (!address.is_empty()).then(|| SaidOut {
        address,
        status: row.reason,
        at: row.at.unwrap_or(intent),
        contact: row.contact,
        source: format!("mail of send {}", send.id),
        actor: String::new(),
    })
}

/// Reads the same of every other send to one of these lists whose own list is still there.
///
/// # Errors
/// The service's.
pub(super) async fn of_same_lists(turn: &Turn, send: &CampaignSend) -> Result<(), Fault> {
    let account = turn.account.name.clone();
    let kept = turn.read(move |tx| {
        async move {
            let mut select = row::select();
            // A send whose list is kept has a moment at which it is looked at again.
            select
                .and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("wake").is_not_null())
                .and_where(Expr::col("list").is_not_null());
            row::load(tx, &select).await
        }
        .boxed()
    });
    let lists = &send.details.request.lists;
    let same = |other: &CampaignSend| {
        let theirs = &other.details.request.lists;
        other.id != send.id && theirs.iter().any(|one| lists.iter().any(|list| list.list == one.list))
    };
    for other in kept.await?.into_iter().filter(same) {
        read(turn, &other).await?;
    }
    Ok(())
}

async fn take(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    send: &CampaignSend,
    left: Vec<SaidOut>,
) -> Result<(), Error> {
    let mailed = mailed(tx, send, &left).await?;
    for (place, target) in send.details.request.lists.iter().enumerate() {
        let of_list = left.iter().filter(|said| match mailed.get(&said.address) {
            Some(lists) => lists & row::bit(place) != 0,
            // Somebody who was erased is not to be known again by this.
            None if mailed.contains_key(&hashed(&said.address)) => false,
            // Mailed under another address: of whichever list.
            None => true,
        });
        let of_list: Vec<SaidOut> = of_list.cloned().collect();
        let list = (send.account.as_str(), target.list);
        unlinked::take(tx, ids, now, list, Origin::Elsewhere, &of_list).await?;
    }
    Ok(())
}

/// On which lists of the request those who were mailed are, by address.
async fn mailed(tx: &mut Tx, send: &CampaignSend, left: &[SaidOut]) -> Result<HashMap<String, u64>, Error> {
    let mut mailed = HashMap::new();
    for some in left.chunks(ASKED / 2) {
        let addresses = some.iter().flat_map(|said| [said.address.clone(), hashed(&said.address)]);
        let select = Query::select()
            .columns(["address", "list", "lists"])
            .from("campaign_recipient")
            .and_where(Expr::col("send").eq(send.id))
            .and_where(Expr::col("address").is_in(addresses))
            .to_owned();
        for cells in tx.query(&select).await? {
            let first = usize::try_from(cells.at::<i64>(1)?).unwrap_or(0);
            let all = cells.at::<Option<i64>>(2)?.and_then(|lists| u64::try_from(lists).ok()).unwrap_or(0);
            mailed.insert(cells.at::<String>(0)?, all | row::bit(first));
        }
    }
    Ok(mailed)
}
