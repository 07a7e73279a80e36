//! The flow: request rows become sends, wishes on rows are taken, and what is due is woken.

use futures_util::FutureExt;
use postroom_core::query::{Comparison, Join, Link};
use postroom_core::{Filter, Query, Record};
use postroom_store::Error;
use postroom_store::sql::{Expr, ExprTrait};
use uuid::Uuid;

use super::job;
use super::request::TABLE;
use super::restored;
use super::row::{self, CampaignSend, Details};
use super::state::State;
use super::tell::{self, Looked};
use crate::solution::options::Set;
use crate::sync::{Halt, Turn};

/// Sends that are looked at in one scan.
const MOST: u64 = 1000;

/// Looks once.
///
/// # Errors
/// Those of the CRM and of the store.
pub(super) async fn run(turn: &mut Turn) -> Result<(), Halt> {
    requests(turn).await?;
    if !turn.dry {
        wishes(turn).await?;
        wake(turn).await?;
    }
    Ok(())
}

/// New request rows of this account.
async fn requests(turn: &mut Turn) -> Result<(), Halt> {
    let requested = Set::SendStatus.value("Requested").expect("a label of the set");
    let mut campaign =
        Link::new("esc_emailcampaign", "esc_emailcampaignid", "esc_emailcampaignid", "campaign");
    campaign = campaign.join(Join::Outer).select(&["esc_emailaccountid"]);
    let query = Query::of(TABLE)
        .filter(Filter::Compare("esc_sendstatus".to_owned(), Comparison::Eq, requested.into()))
        .link(campaign);
    let rows = turn.engine.crm.query(&query).await?;
    let ours = turn.connected.row().id;
    let rows: Vec<Record> =
        rows.into_iter().filter(|row| account_of(row).is_none_or(|id| id == ours)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let (tokens, now, account, dry) =
        (turn.engine.ids.clone(), turn.now(), turn.account.name.clone(), turn.dry);
    let stored = turn.page("marketing.send_requested", move |tx, counts| {
        async move {
            counts.read += rows.len() as u64;
            if dry {
                return Ok(());
            }
            let restored = restored::when(tx, &account).await?;
            let fresh = |row: &Record| {
                let details = Details { token: tokens.next(), asked: Some(now), ..Details::default() };
                let mut send = CampaignSend {
                    id: row.at.id,
                    account: account.clone(),
                    campaign: None,
                    state: State::Requested,
                    version: 1,
                    told: 0,
                    wake: Some(now),
                    list: None,
                    details,
                };
                if restored.is_after(row) {
                    restored::ask(&mut send);
                }
                send
            };
            let sends: Vec<CampaignSend> = rows.iter().map(fresh).collect();
            let new = row::add(tx, &sends).await?;
            counts.skip("known already", rows.len() as u64 - new);
            Ok(())
        }
        .boxed()
    });
    Ok(stored.await?)
}

/// The account that a request is for: its own, or its campaign's.
pub(crate) fn account_of(row: &Record) -> Option<Uuid> {
    let own = row.lookup("esc_emailaccountid").or_else(|| row.lookup("campaign.esc_emailaccountid"));
    own.map(|at| at.id)
}

/// Rows of sends that have not ended, or of which the CRM has yet to hear.
async fn wishes(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let open = turn.read(move |tx| {
        async move {
            let mut open = row::select();
            let ended = [State::Sent, State::Failed, State::Cancelled].map(State::as_str);
            open.and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("state").is_not_in(ended).or(Expr::col("told").ne(Expr::col("version"))))
                .limit(MOST);
            row::load(tx, &open).await
        }
        .boxed()
    });
    let open = open.await?;
    let ids: Vec<Uuid> = open.iter().map(|send| send.id).collect();
    let mut rows = tell::rows(turn, &ids).await?;
    for send in open {
        let place = rows.iter().position(|row| row.at.id == send.id);
        let row = place.map(|place| rows.swap_remove(place));
        match tell::with_row(turn, send, row).await {
            Ok(Looked::Same) => {}
            Ok(Looked::Wished | Looked::Told) => {
                turn.counts.to_crm.sent += 1;
                turn.counts.to_crm.changed += 1;
            }
            // A job was quicker; it tells the row itself.
            Err(fault) if fault.code == postroom_core::Code::STORE_CONFLICT => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(())
}

/// Jobs for the sends whose moment has come.
async fn wake(turn: &mut Turn) -> Result<(), Error> {
    let (ids, now, account) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone());
    let woken = turn.page("marketing.sends_woken", move |tx, _| {
        async move {
            let mut due = row::select();
            due.and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("wake").lte(now.as_microsecond()))
                .limit(MOST);
            let sends: Vec<Uuid> = row::load(tx, &due).await?.into_iter().map(|send| send.id).collect();
            job::wake(tx, &ids, now, &sends).await
        }
        .boxed()
    });
    if woken.await? > 0 {
        turn.engine.store.wake();
    }
    Ok(())
}
