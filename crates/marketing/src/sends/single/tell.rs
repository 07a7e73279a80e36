//! The request rows of single sends hear how they stand.

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Fault, Record, RecordRef, Value, Verdict};
use postroom_store::Error;
use postroom_store::sql::{Expr, ExprTrait};

use super::request::TABLE;
use super::row::{self, Single, State};
use crate::solution::options::Set;
use crate::sync::Turn;

/// Rows of one lot.
const LOT: u64 = 200;

/// Tells every row that does not know yet; answers how many were told.
pub(super) async fn run(turn: &Turn) -> Result<u64, Fault> {
    let mut number = 0;
    loop {
        let account = turn.account.name.clone();
        let untold = turn.read(move |tx| {
            async move {
                let mut untold = row::select();
                untold
                    .and_where(Expr::col("account").eq(account))
                    .and_where(Expr::col("told").ne(Expr::col("version")))
                    .limit(LOT);
                row::load(tx, &untold).await
            }
            .boxed()
        });
        let untold = untold.await?;
        if untold.is_empty() {
            return Ok(number);
        }
        number += untold.len() as u64;
        tell(turn, untold).await?;
    }
}

async fn tell(turn: &Turn, singles: Vec<Single>) -> Result<(), Fault> {
    let sets = singles
        .iter()
        .map(|single| ChangeSet { changes: vec![Change::Update(record(turn, single))] })
        .collect();
    let answers = turn.engine.crm.apply(sets).await;
    let (mut told, mut stop) = (Vec::new(), None);
    for (single, answer) in singles.into_iter().zip(answers) {
        match answer {
            Err(fault) if fault.verdict != Verdict::Reject => stop = Some(fault),
            // A row that was deleted has nobody who reads it.
            Ok(_) | Err(_) => told.push((single.id, single.version)),
        }
    }
    let unit = turn
        .engine
        .store
        .write("marketing.single_told", move |tx| async move { row::told(tx, &told).await }.boxed());
    let noted: Result<(), Error> = unit.await;
    noted?;
    stop.map_or(Ok(()), Err)
}

fn record(turn: &Turn, single: &Single) -> Record {
    let label = match single.state {
        State::Requested if single.wake.is_some_and(|wake| wake > turn.now()) => "Scheduled",
        State::Requested => "Preparing",
        State::Intent | State::Made => "Submitting",
        State::Done => "Sent",
        State::Blocked | State::Failed => "Failed",
        State::Unknown => "Needs attention",
    };
    let option = |set: Set, label: &str| set.value(label).map_or(Value::Null, Value::from);
    let block = single.details.block.as_deref().map_or(Value::Null, |label| option(Set::BlockReason, label));
    let address = (!single.person.is_empty()).then(|| single.person.clone());
    Record::new(RecordRef::new(TABLE, single.id))
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_sendstatus", option(Set::SendStatus, label))
        .with("esc_blockreason", block)
        .with("esc_toemailaddress", address.clone())
        .with("esc_emailaddress", address)
        .with("esc_servicecontactid", single.details.contact)
        .with("esc_servicesendid", single.details.service_send.clone())
        .with("esc_error", single.details.error.as_deref().map(|text| crate::sends::cut(text, 4000)))
        .with("esc_lastsyncedon", turn.now())
}
