//! New requests for single people, and jobs for those whose moment has come.

use futures_util::FutureExt;
use postroom_core::query::{Join, Link};
use postroom_core::{Filter, Query, Record};
use postroom_store::sql::{Expr, ExprTrait};

use super::request::{TABLE, person};
use super::row::{self, Kind, Single};
use super::{job, tell};
use crate::sends::request::yes;
use crate::sends::restored;
use crate::solution::options::Set;
use crate::sync::{Halt, Turn};

/// Requests that are woken in one scan.
const MOST: u64 = 5000;

/// Looks once.
///
/// # Errors
/// Those of the CRM and of the store.
pub(crate) async fn run(turn: &mut Turn) -> Result<(), Halt> {
    requests(turn).await?;
    if turn.dry {
        return Ok(());
    }
    wake(turn).await?;
    let told = tell::run(turn).await?;
    turn.counts.to_crm.sent += told;
    turn.counts.to_crm.changed += told;
    Ok(())
}

async fn requests(turn: &mut Turn) -> Result<(), Halt> {
    let requested = Set::SendStatus.value("Requested").expect("a label of the set");
    let campaign = Link::new("esc_emailcampaign", "esc_emailcampaignid", "esc_emailcampaignid", "campaign")
        .join(Join::Outer)
        .select(&["esc_emailaccountid"]);
    let query = Query::of(TABLE).filter(Filter::eq("esc_sendstatus", requested)).link(campaign);
    let rows = turn.engine.crm.query(&query).await?;
    let ours = turn.connected.row().id;
    let (now, account, dry) = (turn.now(), turn.account.name.clone(), turn.dry);
    let rows: Vec<Record> =
        rows.into_iter().filter(|row| crate::sends::account_of(row).is_none_or(|id| id == ours)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let stored = turn.page("marketing.single_requested", move |tx, counts| {
        async move {
            counts.read += rows.len() as u64;
            if dry {
                return Ok(());
            }
            let restored = restored::when(tx, &account).await?;
            let fresh = |row: &Record| {
                let mut single = Single::new(row.at.id, &account, kind(row), now);
                single.details.record = person(row);
                if restored.is_after(row) {
                    restored::unknown(&mut single);
                }
                single
            };
            let new: Vec<Single> = rows.iter().map(fresh).collect();
            let added = row::add(tx, &new).await?;
            counts.skip("known already", new.len() as u64 - added);
            Ok(())
        }
        .boxed()
    });
    Ok(stored.await?)
}

fn kind(row: &Record) -> Kind {
    match () {
        () if yes(row, "esc_isprogram") => Kind::Program,
        () if yes(row, "esc_istransactional") => Kind::Transactional,
        () => Kind::Marketing,
    }
}

async fn wake(turn: &mut Turn) -> Result<(), Halt> {
    let (ids, now, account) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone());
    let woken = turn.page("marketing.singles_woken", move |tx, _| {
        async move {
            let mut due = row::select();
            due.and_where(Expr::col("account").eq(account.as_str()))
                .and_where(Expr::col("wake").lte(now.as_microsecond()))
                .and_where(Expr::col("kind").ne(Kind::Program.as_str()))
                .limit(MOST);
            let due = row::load(tx, &due).await?;
            job::wake(tx, &ids, now, &account, &due).await
        }
        .boxed()
    });
    if woken.await? > 0 {
        turn.engine.store.wake();
    }
    Ok(())
}
