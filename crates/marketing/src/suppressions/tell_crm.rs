//! The CRM hears of suppressions: the opt-out and the address's standing on every record with the address, and a row of
//! `esc_emailsupression`.
//!
//! Records are asked for in the CRM itself, as one may have been made a moment ago. All of it says a state, so a repeat does
//! no harm; a row counts as told only when each of its writes was taken.

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::marketing::Status;
use postroom_core::{AddressHit, Change, ChangeSet, Code, Fault, Record, RecordRef, Value, Verdict};
use postroom_store::Error;

use super::OnSuppress;
use super::gather;
use super::let_back::{self, LetBack};
use super::rows::{self, Origin, Row, SaidOut, Told};
use crate::consent::reason::{Meaning, meaning};
use crate::people::TABLES;
use crate::solution::options::Set;
use crate::sync::run::Reject;
use crate::sync::{Halt, To, Turn};

const TABLE: &str = "esc_emailsupression";
/// Rows of one lot.
const LOT: u64 = 200;

/// `first` is the account's first exchange, which takes over all history without asking.
pub async fn run(turn: &mut Turn, first: bool) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let extent = turn.read(move |tx| async move { rows::extent(tx, &account, Told::Crm).await }.boxed());
    let (going, people) = extent.await?;
    // In a dry run nothing that was read is stored.
    let going = if turn.dry { going + turn.counts.to_crm.sent } else { going };
    if !first {
        turn.admit(going, Ord::max(people, going + 1), "marked in the CRM")?;
    }
    let mut after = String::new();
    loop {
        let (account, behind) = (turn.account.name.clone(), after.clone());
        let rows = turn
            .read(move |tx| async move { rows::untold(tx, &account, Told::Crm, &behind, LOT).await }.boxed());
        let rows = rows.await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after.clone_from(&last.address);
        tell(turn, rows).await?;
    }
}

async fn tell(turn: &mut Turn, rows: Vec<Row>) -> Result<(), Halt> {
    let addresses: Vec<String> = rows.iter().map(|row| row.address.clone()).collect();
    let hits = by_address(turn.engine.crm.find_addresses(&addresses).await?);
    let none = Vec::new();
    let of = |row: &Row| hits.get(&row.address).unwrap_or(&none).as_slice();
    let back = rows.iter().filter(|row| !row.active).flat_map(of).cloned().collect();
    let back = let_back::read(turn, back).await?;
    // Who said no since is not let back: that came after the consent, whatever the clocks say.
    let unheard = |row: &Row| back.unheard(of(row)).filter(|_| !row.active).cloned();
    let out: Vec<SaidOut> =
        rows.iter().filter_map(|row| Some(said_since(turn, row, &unheard(row)?))).collect();
    let rows: Vec<Row> = rows.into_iter().filter(|row| unheard(row).is_none()).collect();
    stay_out(turn, out).await?;
    let changes: Vec<Vec<Change>> = rows.iter().map(|row| changes(turn, row, of(row), &back)).collect();
    if turn.dry {
        turn.foresee(rows.iter().map(|row| row.sample(To::Crm)));
        let number = rows.len() as u64;
        (turn.counts.to_crm.sent, turn.counts.to_crm.changed) =
            (turn.counts.to_crm.sent + number, turn.counts.to_crm.changed + number);
        return Ok(());
    }
    let sizes: Vec<usize> = changes.iter().map(Vec::len).collect();
    let sets = changes.into_iter().flatten().map(|change| ChangeSet { changes: vec![change] }).collect();
    let mut answers = turn.engine.crm.apply(sets).await.into_iter();
    let (mut told, mut rejects) = (Vec::new(), Vec::new());
    for (row, size) in rows.into_iter().zip(sizes) {
        let refused = answers.by_ref().take(size).filter_map(Result::err).next();
        match refused {
            None => told.push(row),
            // Somebody was quicker, and is heard by the next exchange.
            Some(fault) if fault.code == Code::CRM_VERSION => {}
            Some(fault) if fault.verdict == Verdict::Reject => rejects.push(reject(&row, &fault)),
            Some(fault) => return note(turn, told, rejects).await.and(Err(fault.into())),
        }
    }
    note(turn, told, rejects).await
}

fn said_since(turn: &Turn, row: &Row, record: &RecordRef) -> SaidOut {
    SaidOut {
        address: row.address.clone(),
        status: Status::Unsubscribed,
        at: gather::after(turn.now(), row.since),
        contact: None,
        source: record.to_string(),
        actor: String::new(),
    }
}

async fn stay_out(turn: &mut Turn, out: Vec<SaidOut>) -> Result<(), Error> {
    if out.is_empty() {
        return Ok(());
    }
    let (ids, now, account) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone());
    let stored = turn.page("marketing.stayed_out", move |tx, _| {
        async move { rows::take(tx, &ids, now, &account, Origin::Crm, &out).await.map(drop) }.boxed()
    });
    stored.await
}

fn by_address(hits: Vec<AddressHit>) -> HashMap<String, Vec<RecordRef>> {
    let mut found: HashMap<String, Vec<RecordRef>> = HashMap::new();
    for hit in hits.into_iter().filter(|hit| TABLES.contains(&hit.record.table.as_str())) {
        let records = found.entry(hit.address).or_default();
        if !records.contains(&hit.record) {
            records.push(hit.record);
        }
    }
    found
}

/// What the CRM is to hold for a row.
fn changes(turn: &Turn, row: &Row, records: &[RecordRef], back: &LetBack) -> Vec<Change> {
    let opts_out = row.active && matches!(meaning(&row.status), Meaning::Consent | Meaning::Deliverability);
    // What was lifted by consent takes back what a suppression sets; what is unclear sets nothing.
    let flags = if opts_out || !row.active { turn.account.settings.on_suppress } else { OnSuppress::Nothing };
    let mut changes = vec![Change::Upsert(suppression(turn, row, records))];
    changes.extend(records.iter().map(|record| {
        let flagged =
            flags.columns().iter().fold(standing(record, row), |to, column| to.with(*column, opts_out));
        match back.version(record).filter(|_| !row.active) {
            Some(version) => Change::UpdateIf(flagged, version),
            None => Change::Update(flagged),
        }
    }));
    changes
}

/// What a record shows of its address.
fn standing(record: &RecordRef, row: &Row) -> Record {
    let status = |word: &str| Set::ContactStatus.of_service(word).map_or(Value::Null, Value::from);
    let to = Record::new(record.clone());
    match row.active {
        true => to
            .with("esc_emailstatus", status(row.status.as_str()))
            .with("esc_suppressedon", row.since)
            .with("esc_suppressionreason", status(row.status.as_str())),
        false => to
            .with("esc_emailstatus", status(Status::Subscribed.as_str()))
            .with("esc_suppressedon", Value::Null)
            .with("esc_suppressionreason", Value::Null),
    }
}

fn suppression(turn: &Turn, row: &Row, records: &[RecordRef]) -> Record {
    let key = turn.connected.key.suppression(&row.address);
    let origin = match row.origin {
        Origin::Crm => "CRM",
        Origin::Service | Origin::Elsewhere => "Dotdigital",
        Origin::Here => "Import",
    };
    let option = |set: Set, label: &str| set.value(label).map_or(Value::Null, Value::from);
    let reason = Set::ContactStatus.of_service(row.status.as_str()).map_or(Value::Null, Value::from);
    let first = |table: &str| records.iter().find(|record| record.table == table).cloned();
    Record::new(RecordRef::new(TABLE, key.id(TABLE)))
        .with("esc_name", row.address.as_str())
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_emailaddress", row.address.as_str())
        .with("esc_reason", reason)
        .with("esc_datesuppressed", row.since)
        .with("esc_servicecontactid", row.contact.as_ref().map(|contact| contact.0))
        .with("esc_origin", option(Set::Origin, origin))
        .with("esc_isactive", row.active)
        .with("esc_contactid", first("contact"))
        .with("esc_leadid", first("lead"))
        .with("esc_accountid", first("account"))
        .with("esc_lastsyncedon", turn.now())
}

fn reject(row: &Row, fault: &Fault) -> Reject {
    crate::sync::turn::rejected(row.address.clone(), fault, row.status.to_string())
}

async fn note(turn: &mut Turn, told: Vec<Row>, rejects: Vec<Reject>) -> Result<(), Halt> {
    turn.counts.to_crm.sent += (told.len() + rejects.len()) as u64;
    turn.counts.to_crm.changed += told.len() as u64;
    turn.counts.to_crm.rejected += rejects.len() as u64;
    let stored = turn.page("marketing.told_crm", move |tx, _| {
        async move { rows::told(tx, Told::Crm, &told).await }.boxed()
    });
    stored.await?;
    turn.reject(rejects).await?;
    Ok(())
}
