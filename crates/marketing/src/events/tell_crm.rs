//! The CRM hears of events, in lots. Ids come from natural keys, so a repeat after a lost answer or a crash meets its own rows;
//! a row counts as told only when the CRM has taken it.

use std::collections::{BTreeSet, HashSet};

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Fault, Outcome, Record, Verdict};
use postroom_store::Error;
use uuid::Uuid;

use super::record::{self, Around};
use super::rows::{self, Stored, Told};
use super::sends::{self, Lists};
use super::settings::Kind;
use super::whom::{self, Asked, Candidates, Whom};
use crate::sync::run::{Reject, Side};
use crate::sync::{Halt, Turn};

/// Rows of one lot.
const LOT: u64 = 500;

/// Tells the CRM of everything of these kinds that it has yet to hear of.
///
/// # Errors
/// Faults of the CRM that are not one row's.
pub async fn run(turn: &mut Turn, kinds: &'static [Kind]) -> Result<(), Halt> {
    sends::tell(turn).await?;
    loop {
        let account = turn.account.name.clone();
        let lot = turn.read(move |tx| async move { rows::untold(tx, &account, kinds, LOT).await }.boxed());
        let lot = lot.await?;
        if lot.is_empty() {
            return Ok(());
        }
        if turn.dry {
            // Nothing is noted, so the next lot would be the same one.
            let account = turn.account.name.clone();
            let number = turn.read(move |tx| async move { rows::waiting(tx, &account, kinds).await }.boxed());
            let number = number.await?;
            turn.foresee(lot.iter().map(Stored::sample));
            turn.counts.to_crm.sent += number;
            turn.counts.to_crm.changed += number;
            return Ok(());
        }
        tell(turn, lot).await?;
    }
}

async fn tell(turn: &mut Turn, lot: Vec<Stored>) -> Result<(), Halt> {
    let of_sends: HashSet<Uuid> = lot.iter().filter_map(|row| row.send).collect();
    let lists = sends::lists(turn, &of_sends).await?;
    let candidates = candidates(turn, &lot).await?;
    let (mut told, mut sets, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    let mut unknown = 0;
    for row in lot {
        let lists = row.send.and_then(|send| lists.get(&send)).cloned().unwrap_or_default();
        let whom = whom(&candidates, &row, &lists);
        match made(turn, &row, &lists, &whom) {
            Some(record) => {
                sets.push(ChangeSet { changes: vec![Change::Upsert(record)] });
                asked.push((row, whom));
            }
            // Told when somebody in the CRM turns out to be the person (`super::follow`).
            None => {
                unknown += 1;
                told.push(Told {
                    key: row.event.key,
                    version: row.version,
                    record: None,
                    in_crm: row.in_crm,
                });
            }
        }
    }
    let answers = turn.engine.crm.apply(sets).await;
    let (mut side, mut rejects, mut stop) = (Side::default(), Vec::new(), None);
    for ((row, whom), answer) in asked.into_iter().zip(answers) {
        match settle(row, whom, answer, &mut side) {
            Settled::Told(one) => told.push(one),
            Settled::Refused(one, reject) => {
                told.push(one);
                rejects.push(reject);
            }
            Settled::Stop(fault) => stop = Some(fault),
        }
    }
    note(turn, told, rejects, side, unknown).await?;
    stop.map_or(Ok(()), |fault| Err(fault.into()))
}

async fn candidates(turn: &Turn, lot: &[Stored]) -> Result<Candidates, Error> {
    let asked: BTreeSet<(i64, String)> =
        lot.iter().map(|row| (row.event.contact, row.event.address.clone())).collect();
    let account = turn.account.name.clone();
    turn.read(move |tx| async move { whom::find(tx, &account, &asked).await }.boxed()).await
}

fn whom(candidates: &Candidates, row: &Stored, lists: &Lists) -> Whom {
    candidates.whom(&Asked {
        contact: row.event.contact,
        address: row.event.address.clone(),
        members: lists.table,
    })
}

/// The row to be written; `None` when it is about nobody in the CRM.
fn made(turn: &Turn, row: &Stored, lists: &Lists, whom: &Whom) -> Option<Record> {
    whom.leader()?;
    record::of(turn, &row.event, &Around { whom, send: row.send, list: lists.list })
}

enum Settled {
    Told(Told),
    /// Noted as told: the same row would be refused each time. It stands among the rejected rows with both payloads.
    Refused(Told, Reject),
    Stop(Fault),
}

fn settle(row: Stored, whom: Whom, answer: Result<Vec<Outcome>, Fault>, side: &mut Side) -> Settled {
    let record = whom.leader().cloned();
    let told = |in_crm| Told { key: row.event.key.clone(), version: row.version, record, in_crm };
    match answer {
        Ok(outcomes) => {
            side.applied(&outcomes);
            Settled::Told(told(true))
        }
        Err(fault) if fault.verdict == Verdict::Reject => {
            side.refused();
            let sent = format!("{} {:?}", row.event.key, row.event.facts);
            let reject = crate::sync::turn::rejected(row.event.address.clone(), &fault, sent);
            Settled::Refused(told(row.in_crm), reject)
        }
        Err(fault) => Settled::Stop(fault),
    }
}

async fn note(
    turn: &mut Turn,
    told: Vec<Told>,
    rejects: Vec<Reject>,
    side: Side,
    unknown: u64,
) -> Result<(), Error> {
    let account = turn.account.name.clone();
    let stored = turn.page("marketing.events_told", move |tx, counts| {
        async move {
            counts.skip("nobody in the CRM", unknown);
            let to = &mut counts.to_crm;
            (to.sent, to.new, to.changed) =
                (to.sent + side.sent, to.new + side.new, to.changed + side.changed);
            (to.same, to.rejected) = (to.same + side.same, to.rejected + side.rejected);
            rows::told(tx, &account, &told).await
        }
        .boxed()
    });
    stored.await?;
    turn.reject(rejects).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::facts::{Event, Facts};

    fn stored() -> Stored {
        let event = Event {
            key: "k".into(),
            campaign: 1,
            contact: 2,
            address: "o'brien+x@example.com".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            what: String::new(),
            machine: false,
            facts: Facts::PageView,
        };
        Stored {
            seq: 1,
            event,
            send: None,
            record: None,
            told_crm: false,
            in_crm: false,
            replies_due: false,
            version: 3,
        }
    }

    #[test]
    fn sides_balance() {
        let mut side = Side::default();
        for outcome in [Outcome::Created, Outcome::Updated, Outcome::Unchanged] {
            settle(stored(), Whom::default(), Ok(vec![outcome]), &mut side);
        }
        let refused = Fault::reject(postroom_core::Code::CRM_REFUSED, "no");
        let settled = settle(stored(), Whom::default(), Err(refused), &mut side);
        assert!(matches!(settled, Settled::Refused(told, _) if told.version == 3 && !told.in_crm));
        assert_eq!((side.sent, side.missing()), (4, 0));
        let away = Fault::retry(postroom_core::Code::CRM_AWAY, "away");
        assert!(matches!(settle(stored(), Whom::default(), Err(away), &mut side), Settled::Stop(_)));
        assert_eq!(side.sent, 4);
    }
}
