//! The service hears who left a list, and who came back to one by newer, dated consent. A repeat does no harm: coming back is
//! asked for without a challenge, so nobody gets a mail by it. Whom the service does not let back has left here again.

use futures_util::FutureExt;
use jiff::SignedDuration;
use postroom_core::marketing::{Challenge, ListId, Resubscribe, Resubscribed};
use postroom_core::{Code, Fault, Verdict};

use super::rows::{self, Departure};
use crate::suppressions::rows::{Origin, SaidOut, Told};
use crate::sync::run::Reject;
use crate::sync::turn::rejected;
use crate::sync::{Halt, To, Turn};

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
    turn.foresee(rows.iter().map(|one| one.sample(To::Service)));
    turn.foresee_calls(rows.len() as u64);
    let (mut told, mut rejects, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for one in rows {
        if turn.dry {
            told.push(one);
            continue;
        }
        match say(turn, &one).await {
            Ok(()) => told.push(one),
            // That is what was asked for; and whom or what the service does not know, nobody can leave.
            Err(fault) if is_so(&one, &fault) => told.push(one),
            Err(fault) if fault.verdict == Verdict::Reject => {
                rejects.push(rejected(one.row.address.clone(), &fault, format!("list {}", one.list)));
                if !one.row.active {
                    kept.push(one);
                }
            }
            Err(fault) => {
                note(turn, told, rejects).await?;
                keep_out(turn, kept).await?;
                return Err(fault.into());
            }
        }
    }
    note(turn, told, rejects).await?;
    keep_out(turn, kept).await
}

async fn say(turn: &Turn, one: &Departure) -> Result<(), Fault> {
    let (list, email) = (ListId(one.list), one.row.address.clone());
    if one.row.active {
        return turn.account.service.unsubscribe_from_list(&list, &email).await.map(drop);
    }
    let back = Resubscribe { email, list: Some(list), challenge: Challenge::None };
    match turn.account.service.resubscribe(&back).await? {
        Resubscribed::Added => Ok(()),
        other => Err(Fault::reject(
            Code::MARKETING_LIST_SUPPRESSED,
            format!("the service does not let this address back onto the list ({other}): it stays off"),
        )),
    }
}

/// Whether a refusal says that it stands so already.
fn is_so(one: &Departure, fault: &Fault) -> bool {
    let out = [Code::MARKETING_LIST_SUPPRESSED, Code::MARKETING_SUPPRESSED].contains(&fault.code);
    fault.code == Code::MARKETING_NOT_FOUND || (one.row.active && out)
}

/// Those that the service does not let back have left here again, and the CRM hears of it.
async fn keep_out(turn: &mut Turn, kept: Vec<Departure>) -> Result<(), Halt> {
    if kept.is_empty() || turn.dry {
        return Ok(());
    }
    let (ids, now, account) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone());
    let stored = turn.page("marketing.list_kept_out", move |tx, _| {
        async move {
            for Departure { list, row } in kept {
                let said = SaidOut {
                    address: row.address,
                    status: row.status,
                    // After the consent that it refused, though a clock may say otherwise.
                    at: now.max(row.since.saturating_add(SignedDuration::from_micros(1)).unwrap_or(now)),
                    contact: None,
                    source: "refused by the service".to_owned(),
                    actor: String::new(),
                };
                rows::take(tx, &ids, now, (&account, list), Origin::Service, &[said]).await?;
            }
            Ok(())
        }
        .boxed()
    });
    Ok(stored.await?)
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
