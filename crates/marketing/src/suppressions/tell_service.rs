//! The service hears of opt-outs that it does not know of, and of those that were lifted. `unsubscribe` also takes addresses
//! that are nobody's there, and a repeat does no harm.

use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use postroom_core::marketing::{Challenge, Marketing, Resubscribe, Resubscribed};
use postroom_core::{Code, Fault, Verdict};
use postroom_store::Error;

use super::incoming;
use super::rows::{self, Origin, Row, SaidOut, Told};
use crate::sync::run::Reject;
use crate::sync::{Halt, To, Turn};

/// Rows of one lot, and how many are told at once.
const LOT: u64 = 100;
const AT_ONCE: usize = 4;

pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let extent = turn.read(move |tx| async move { rows::extent(tx, &account, Told::Service).await }.boxed());
    let (going, people) = extent.await?;
    // In a dry run nothing that was read is stored.
    let going = if turn.dry { going + turn.counts.to_service.sent } else { going };
    // That everybody opts out is nothing odd where there are few.
    turn.admit(going, Ord::max(people, going + 1), "suppressed at the service")?;
    let mut after = String::new();
    loop {
        let (account, behind) = (turn.account.name.clone(), after.clone());
        let rows = turn
            .read(move |tx| {
                async move { rows::untold(tx, &account, Told::Service, &behind, LOT).await }.boxed()
            })
            .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after.clone_from(&last.address);
        tell(turn, rows).await?;
    }
}

async fn tell(turn: &mut Turn, rows: Vec<Row>) -> Result<(), Halt> {
    if turn.dry {
        turn.foresee(rows.iter().map(|row| row.sample(To::Service)));
        turn.foresee_calls(rows.len() as u64);
        let number = rows.len() as u64;
        (turn.counts.to_service.sent, turn.counts.to_service.new) =
            (turn.counts.to_service.sent + number, turn.counts.to_service.new + number);
        return Ok(());
    }
    let rows = read_again(turn, rows).await?;
    let service = turn.account.service.clone();
    let answers: Vec<_> = stream::iter(rows)
        .map(|row| {
            let service = service.clone();
            async move {
                let answer = match row.active {
                    true => service.unsubscribe(&row.address).await.map(drop),
                    false => let_back(&*service, &row.address).await,
                };
                (row, answer)
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (mut told, mut rejects, mut kept, mut stop) = (Vec::new(), Vec::new(), Vec::new(), None);
    for (row, answer) in answers {
        match answer {
            Ok(()) => told.push(row),
            // That is what was asked for.
            Err(fault) if row.active && fault.code == Code::MARKETING_SUPPRESSED => told.push(row),
            Err(fault) if fault.verdict == Verdict::Reject => {
                if !row.active {
                    kept.push(kept_out(turn, &row));
                }
                rejects.push(crate::sync::turn::rejected(
                    row.address.clone(),
                    &fault,
                    row.status.to_string(),
                ));
            }
            Err(fault) => stop = Some(fault),
        }
    }
    note(turn, told, rejects).await?;
    keep_out(turn, kept).await?;
    stop.map_or(Ok(()), |fault| Err(fault.into()))
}

/// Before anybody is let back the service is asked once more: whoever opted out since stays out. Rows that changed are told in their
/// turn.
async fn read_again(turn: &mut Turn, rows: Vec<Row>) -> Result<Vec<Row>, Halt> {
    if rows.iter().all(|row| row.active) {
        return Ok(rows);
    }
    incoming::read(turn).await?;
    let account = turn.account.name.clone();
    let addresses: Vec<String> = rows.iter().map(|row| row.address.clone()).collect();
    let now = turn.read(move |tx| async move { rows::load(tx, &account, &addresses).await }.boxed()).await?;
    let same = |row: &Row| now.get(&row.address).is_some_and(|now| now.version == row.version);
    Ok(rows.into_iter().filter(same).collect())
}

/// Somebody whose consent was shown gets mail again. The consent is newer than the opt-out, so nobody is asked once more.
async fn let_back(service: &dyn Marketing, address: &str) -> Result<(), Fault> {
    let who = Resubscribe { email: address.to_owned(), list: None, challenge: Challenge::None };
    match service.resubscribe(&who).await? {
        Resubscribed::Added => Ok(()),
        other => Err(Fault::reject(
            Code::MARKETING_SUPPRESSED,
            format!("the service does not let this address back ({other}): it stays suppressed"),
        )),
    }
}

fn kept_out(turn: &Turn, row: &Row) -> SaidOut {
    SaidOut {
        address: row.address.clone(),
        status: row.status.clone(),
        at: turn.now(),
        contact: None,
        source: "refused by the service".to_owned(),
        actor: String::new(),
    }
}

/// Those that the service does not let back are suppressed here again.
async fn keep_out(turn: &mut Turn, kept: Vec<SaidOut>) -> Result<(), Error> {
    if kept.is_empty() {
        return Ok(());
    }
    let (ids, now, account) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone());
    let stored = turn.page("marketing.kept_out", move |tx, _| {
        async move { rows::take(tx, &ids, now, &account, Origin::Service, &kept).await.map(drop) }.boxed()
    });
    stored.await
}

async fn note(turn: &mut Turn, told: Vec<Row>, rejects: Vec<Reject>) -> Result<(), Halt> {
    let side = &mut turn.counts.to_service;
    side.sent += (told.len() + rejects.len()) as u64;
    side.new += told.len() as u64;
    side.rejected += rejects.len() as u64;
    let stored = turn.page("marketing.told_service", move |tx, _| {
        async move { rows::told(tx, Told::Service, &told).await }.boxed()
    });
    stored.await?;
    turn.reject(rejects).await?;
    Ok(())
}
