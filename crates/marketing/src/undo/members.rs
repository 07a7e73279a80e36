//! Memberships of marketing lists go back. The service follows with the next run of `lists`, as for any change in the CRM.

use std::collections::{BTreeMap, HashMap};

use futures_util::FutureExt;
use postroom_core::{Code, Filter, Query, RecordRef};
use postroom_store::Tx;
use uuid::Uuid;

use super::back::Settled;
use super::written::{self, Kind, Outcome, Row, Write};
use crate::consent::gate::{self, Asked};
use crate::consent::standing::{Purpose, blocks};
use crate::lists;
use crate::lists::here::CrmList;
use crate::people::addresses_of;
use crate::sync::{Halt, Turn};

const NO_MAIL: &str = "the person gets no mail of this list any more";
const NO_LIST: &str = "the marketing list is gone, or dynamic by now";

/// Takes off whoever joined, and puts back whoever left, unless consent is against it.
///
/// # Errors
/// Those of the CRM and of the store.
pub(super) async fn back(turn: &mut Turn, rows: Vec<Row>, settled: &mut Settled) -> Result<(), Halt> {
    let mut by_list: BTreeMap<Uuid, Vec<Row>> = BTreeMap::new();
    for row in rows {
        let (Kind::Joined(list) | Kind::Left(list)) = row.write.kind else { continue };
        by_list.entry(list).or_default().push(row);
    }
    for (id, rows) in by_list {
        let by_id = Query::of("list").filter(Filter::eq("listid", id));
        let list = turn.engine.crm.query(&by_id).await?.pop().map(CrmList::of);
        let Some(list) = list.filter(|list| !list.dynamic) else {
            rows.iter().for_each(|row| settled.left(row, NO_LIST));
            continue;
        };
        one(turn, &list, rows, settled).await?;
    }
    Ok(())
}

async fn one(turn: &mut Turn, list: &CrmList, rows: Vec<Row>, settled: &mut Settled) -> Result<(), Halt> {
    let (joined, left): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| matches!(row.write.kind, Kind::Joined(_)));
    let blocked = blocked(turn, list, &left).await?;
    let (out, again): (Vec<Row>, Vec<Row>) =
        left.into_iter().partition(|row| blocked.contains_key(&row.write.record));
    out.iter().for_each(|row| settled.left(row, NO_MAIL));
    let of = |rows: &[Row]| rows.iter().map(|row| row.write.record.clone()).collect::<Vec<RecordRef>>();
    let intended = |row: &Row| {
        let list = list.at.id;
        let kind =
            if matches!(row.write.kind, Kind::Joined(_)) { Kind::Left(list) } else { Kind::Joined(list) };
        Write::of(kind, row.write.record.clone())
    };
    written::intend(turn, joined.iter().chain(&again).map(intended).collect()).await?;
    if !turn.dry {
        lists::act::leave_list(turn, list, &of(&joined)).await?;
        if !again.is_empty() {
            match turn.engine.crm.associate(&list.relationship(), &list.at, &of(&again)).await {
                Ok(()) => {}
                // Somebody of the lot is gone: each is tried alone.
                Err(fault) if fault.code == Code::CRM_NOT_FOUND => {
                    return apart(turn, list, joined, again, settled).await;
                }
                Err(fault) => return Err(fault.into()),
            }
        }
    }
    done(turn, &joined, &again, settled);
    Ok(())
}

fn done(turn: &mut Turn, joined: &[Row], again: &[Row], settled: &mut Settled) {
    turn.counts.removed += joined.len() as u64;
    let side = &mut turn.counts.to_crm;
    (side.sent, side.new) = (side.sent + again.len() as u64, side.new + again.len() as u64);
    joined.iter().chain(again).for_each(|row| settled.done(row, Outcome::Back));
}

async fn apart(
    turn: &mut Turn,
    list: &CrmList,
    joined: Vec<Row>,
    again: Vec<Row>,
    settled: &mut Settled,
) -> Result<(), Halt> {
    let mut there = Vec::new();
    for row in again {
        let one = std::slice::from_ref(&row.write.record);
        match turn.engine.crm.associate(&list.relationship(), &list.at, one).await {
            Ok(()) => there.push(row),
            Err(fault) if fault.code == Code::CRM_NOT_FOUND => settled.left(&row, super::compare::GONE),
            Err(fault) => return Err(fault.into()),
        }
    }
    done(turn, &joined, &there, settled);
    Ok(())
}

/// Of these records, those who get no mail of the list.
async fn blocked(turn: &Turn, list: &CrmList, rows: &[Row]) -> Result<HashMap<RecordRef, ()>, Halt> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let (account, id) = (turn.account.name.clone(), list.at.id);
    let records: Vec<RecordRef> = rows.iter().map(|row| row.write.record.clone()).collect();
    let found = turn.read(move |tx| async move { judge(tx, &account, id, records).await }.boxed());
    Ok(found.await?)
}

async fn judge(
    tx: &mut Tx,
    account: &str,
    list: Uuid,
    records: Vec<RecordRef>,
) -> Result<HashMap<RecordRef, ()>, postroom_store::Error> {
    let mut blocked = HashMap::new();
    for record in records {
        let addresses = addresses_of(tx, &record).await?;
        let asked: Vec<Asked> =
            addresses.into_iter().map(|address| Asked { address, member: Some(record.clone()) }).collect();
        let known = gate::known(tx, account, &asked, Some(list)).await?;
        if known.iter().any(|known| !blocks(known, Purpose::Marketing).is_empty()) {
            blocked.insert(record, ());
        }
    }
    Ok(blocked)
}
