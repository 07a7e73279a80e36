//! Which addresses became which: by a change of a record's addresses, and by a merge into another record.

use std::collections::HashMap;

use postroom_core::RecordRef;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::addresses_of_all;
use crate::consent::carry::Move;

const ASKED: usize = 256;

/// A record of a page that is not as it was.
pub(super) struct Followed {
    pub record: RecordRef,
    pub addresses: Vec<String>,
    pub master: Option<Uuid>,
    pub master_before: Option<Uuid>,
}

/// The moves of a page that has just been written; `before` are the addresses that its records had.
pub(super) async fn moves(
    tx: &mut Tx,
    table: &str,
    followed: &[Followed],
    before: &HashMap<RecordRef, Vec<String>>,
) -> Result<Vec<Move>, Error> {
    let none = Vec::new();
    let (mut moves, mut merged, mut grown) = (Vec::new(), Vec::new(), Vec::new());
    for one in followed {
        let had = before.get(&one.record).unwrap_or(&none);
        let added: Vec<String> =
            one.addresses.iter().filter(|address| !had.contains(address)).cloned().collect();
        moves.extend(Move::all(had, &added, &one.record));
        if let Some(master) = one.master.filter(|master| one.master_before != Some(*master)) {
            let all: Vec<String> = one.addresses.iter().chain(had).cloned().collect();
            merged.push((&one.record, RecordRef::new(table, master), all));
        }
        if !added.is_empty() {
            grown.push((&one.record, added));
        }
    }
    let masters: Vec<RecordRef> = merged.iter().map(|(_, master, _)| master.clone()).collect();
    let theirs = addresses_of_all(tx, &masters).await?;
    for (record, master, own) in merged {
        moves.extend(Move::all(&own, theirs.get(&master).unwrap_or(&none), record));
    }
    // Who was merged into a record before that record was read, or before it had this address.
    let grown: HashMap<Uuid, Vec<String>> =
        grown.into_iter().map(|(record, added)| (record.id, added)).collect();
    let losers = losers(tx, table, grown.keys().copied().collect()).await?;
    let records: Vec<RecordRef> = losers.iter().map(|(loser, _)| loser.clone()).collect();
    let theirs = addresses_of_all(tx, &records).await?;
    for (loser, master) in losers {
        moves.extend(Move::all(theirs.get(&loser).unwrap_or(&none), &grown[&master], &loser));
    }
    Ok(moves)
}

/// Records that were merged into these.
async fn losers(tx: &mut Tx, table: &str, masters: Vec<Uuid>) -> Result<Vec<(RecordRef, Uuid)>, Error> {
    let mut losers = Vec::new();
    for some in masters.chunks(ASKED) {
        let select = Query::select()
            .columns(["record", "master"])
            .from("person")
            .and_where(Expr::col("record_table").eq(table))
            .and_where(Expr::col("master").is_in(some.iter().copied()))
            .to_owned();
        for row in tx.query(&select).await? {
            losers.push((RecordRef::new(table, row.at(0)?), row.at(1)?));
        }
    }
    Ok(losers)
}
