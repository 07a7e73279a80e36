//! The service hears who left a list, and who came back to one by newer, dated consent. A repeat does no harm: coming back is
//! asked for without a challenge, so nobody gets a mail by it.

use futures_util::FutureExt;
use postroom_core::marketing::{Challenge, ListId, Resubscribe};
use postroom_core::{Code, Fault, Verdict};

use super::rows::{self, Departure};
use crate::suppressions::rows::Told;
use crate::sync::run::Reject;
use crate::sync::turn::rejected;
use crate::sync::{Halt, Turn};

/// Rows of one lot.
const LOT: u64 = 100;

pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let going =
        turn.read(move |tx| async move { rows::waiting(tx, &account, Told::Service).await }.boxed()).await?;
    turn.admit(going, going + 1, "taken off lists of the service")?;
    let mut after = (i64::MIN, String::new());
    loop {
        let (account, behind) = (turn.account.name.clone(), after.clone());
        let rows = turn
            .read(move |tx| {
                async move { rows::untold(tx, &account, Told::Service, &behind, LOT).await }.boxed()
            })
            .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = (last.list, last.row.address.clone());
        tell(turn, rows).await?;
    }
}

async fn tell(turn: &mut Turn, rows: Vec<Departure>) -> Result<(), Halt> {
    let (mut told, mut rejects) = (Vec::new(), Vec::new());
    for one in rows {
        if turn.dry {
            told.push(one);
            continue;
        }
        match say(turn, &one).await {
            Ok(()) => told.push(one),
            // That is what was asked for; and whom or what the service does not know, nobody can leave.
            Err(fault) if is_so(&fault) => told.push(one),
            Err(fault) if fault.verdict == Verdict::Reject => {
                rejects.push(rejected(one.row.address.clone(), &fault, format!("list {}", one.list)));
            }
            Err(fault) => return note(turn, told, rejects).await.and(Err(fault.into())),
        }
    }
    note(turn, told, rejects).await
}

async fn say(turn: &Turn, one: &Departure) -> Result<(), Fault> {
    let (list, email) = (ListId(one.list), one.row.address.clone());
    if one.row.active {
        return turn.account.service.unsubscribe_from_list(&list, &email).await.map(drop);
    }
    let back = Resubscribe { email, list: Some(list), challenge: Challenge::None };
    turn.account.service.resubscribe(&back).await.map(drop)
}

fn is_so(fault: &Fault) -> bool {
    [Code::MARKETING_LIST_SUPPRESSED, Code::MARKETING_SUPPRESSED, Code::MARKETING_NOT_FOUND]
        .contains(&fault.code)
}

async fn note(turn: &mut Turn, told: Vec<Departure>, rejects: Vec<Reject>) -> Result<(), Halt> {
    let side = &mut turn.counts.to_service;
    side.sent += (told.len() + rejects.len()) as u64;
    side.changed += told.len() as u64;
    side.rejected += rejects.len() as u64;
    if turn.dry {
        return Ok(());
    }
    let stored = turn.page("marketing.list_told_service", move |tx, _| {
        async move { rows::told(tx, Told::Service, &told).await }.boxed()
    });
    stored.await?;
    turn.reject(rejects).await?;
    Ok(())
}
