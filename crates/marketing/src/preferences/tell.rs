//! Each side hears of the choices that it did not make itself. All of it says a state, so a repeat does no harm.

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::marketing::{Person, PreferenceId};
use postroom_core::{Change, ChangeSet, Code, Fault, Filter, Query, Record, RecordRef, Value, Verdict};
use uuid::Uuid;

use super::choices::{self, Choice};
use super::definitions::{self, Tree};
use super::gather::{self, TABLE};
use crate::consent::standing::Holder;
use crate::people;
use crate::solution::options::Set;
use crate::suppressions::rows::{Origin, Told};
use crate::sync::run::Reject;
use crate::sync::turn::rejected;
use crate::sync::{Halt, To, Turn};

/// Rows of one lot.
const LOT: u64 = 200;

/// The tables of people: the column that names one, and the word of the record's kind.
const KINDS: [(&str, &str, &str); 3] = [
    ("contact", "esc_contactid", "Contact"),
    ("lead", "esc_leadid", "Lead"),
    ("account", "esc_accountid", "Account"),
];

/// Every record with the address gets a row.
///
/// # Errors
/// The CRM's.
pub async fn crm(turn: &mut Turn, tree: &Tree) -> Result<(), Halt> {
    let mut after = (String::new(), i64::MIN);
    loop {
        let rows = untold(turn, Told::Crm, &after).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = (last.address.clone(), last.preference);
        // Of a preference that is gone there is nothing to tell.
        let known = |row: &Choice| tree.choices().iter().any(|id| id.0 == row.preference);
        let (rows, gone): (Vec<Choice>, Vec<Choice>) = rows.into_iter().partition(known);
        tell_crm(turn, tree, rows, gone).await?;
    }
}

async fn untold(turn: &Turn, side: Told, after: &(String, i64)) -> Result<Vec<Choice>, Halt> {
    let (account, behind) = (turn.account.name.clone(), after.clone());
    let read =
        turn.read(move |tx| async move { choices::untold(tx, &account, side, &behind, LOT).await }.boxed());
    Ok(read.await?)
}

async fn tell_crm(turn: &mut Turn, tree: &Tree, rows: Vec<Choice>, gone: Vec<Choice>) -> Result<(), Halt> {
    let addresses: Vec<String> = rows.iter().map(|row| row.address.clone()).collect();
    let holders = turn.read(move |tx| async move { people::holders(tx, &addresses).await }.boxed()).await?;
    let there = existing(turn, holders.values().flatten()).await?;
    let rows = unchanged(turn, tree, rows).await?;
    let none = Vec::new();
    let sets: Vec<Vec<ChangeSet>> = rows
        .iter()
        .map(|row| {
            let holders = holders.get(&row.address).unwrap_or(&none);
            let one = |holder: &Holder| subscription(turn, row, &holder.at, &there);
            holders.iter().map(one).map(|change| ChangeSet { changes: vec![change] }).collect()
        })
        .collect();
    let sizes: Vec<usize> = sets.iter().map(Vec::len).collect();
    if turn.dry {
        turn.foresee(rows.iter().map(|row| row.sample(To::Crm)));
        turn.counts.to_crm.sent += rows.len() as u64;
        turn.counts.to_crm.changed += rows.len() as u64;
        return Ok(());
    }
    let mut answers = turn.engine.crm.apply(sets.into_iter().flatten().collect()).await.into_iter();
    let (mut told, mut rejects) = (gone, Vec::new());
    for (row, size) in rows.into_iter().zip(sizes) {
        match answers.by_ref().take(size).filter_map(Result::err).next() {
            None => told.push(row),
            // A user was quicker: the next run hears what was chosen.
            Some(fault) if fault.code == Code::CRM_VERSION => {}
            Some(fault) if fault.verdict == Verdict::Reject => rejects.push(reject(&row, &fault)),
            Some(fault) => return note(turn, Told::Crm, told, rejects).await.and(Err(fault.into())),
        }
    }
    note(turn, Told::Crm, told, rejects).await
}

/// What users chose up to now is heard before anything is written over it; choices that this changed are told in their turn.
async fn unchanged(turn: &mut Turn, tree: &Tree, rows: Vec<Choice>) -> Result<Vec<Choice>, Halt> {
    if turn.dry || rows.is_empty() {
        return Ok(rows);
    }
    gather::run(turn, tree).await?;
    let account = turn.account.name.clone();
    let read = turn.read(move |tx| async move { choices::as_they_were(tx, &account, rows).await }.boxed());
    Ok(read.await?)
}

/// Rows that are there, with the version at which each was looked at: by preference and person.
type There = HashMap<(Uuid, RecordRef), (Uuid, Option<i64>)>;

/// Rows that are there for these people, made here or by users.
async fn existing<'h>(turn: &Turn, holders: impl Iterator<Item = &'h Holder>) -> Result<There, Fault> {
    let holders: Vec<&Holder> = holders.collect();
    let of = |(table, column, _): &(&str, &str, &str)| {
        let ids: Vec<Value> = holders
            .iter()
            .filter(|holder| holder.at.table == *table)
            .map(|holder| Value::Lookup(holder.at.clone()))
            .collect();
        (!ids.is_empty()).then(|| Filter::In((*column).to_owned(), ids))
    };
    let among: Vec<Filter> = KINDS.iter().filter_map(of).collect();
    if among.is_empty() {
        return Ok(HashMap::new());
    }
    let mut columns = vec!["esc_marketingpreferenceid", "versionnumber"];
    columns.extend(KINDS.iter().map(|(_, column, _)| *column));
    let rows = turn.engine.crm.query(&Query::of(TABLE).select(&columns).filter(Filter::Any(among))).await?;
    let mut found = HashMap::new();
    for row in rows {
        let Some(preference) = row.lookup("esc_marketingpreferenceid").map(|at| at.id) else { continue };
        for person in KINDS.iter().filter_map(|(_, column, _)| row.lookup(column)) {
            found.insert((preference, person.clone()), (row.at.id, row.int("versionnumber")));
        }
    }
    Ok(found)
}

fn subscription(turn: &Turn, row: &Choice, person: &RecordRef, there: &There) -> Change {
    let key = turn.connected.key.preference_choice(row.preference, &person.table, person.id);
    let preference = turn.connected.key.preference(row.preference).id(definitions::TABLE);
    let known = there.get(&(preference, person.clone())).copied();
    let id = known.map_or_else(|| key.id(TABLE), |(id, _)| id);
    let kind = KINDS.iter().find(|(table, ..)| *table == person.table);
    let mut record = Record::new(RecordRef::new(TABLE, id))
        .with("esc_name", row.address.as_str())
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_marketingpreferenceid", RecordRef::new(definitions::TABLE, preference))
        .with("esc_emailaddress", row.address.as_str())
        .with("esc_isoptedin", row.chosen)
        .with("esc_lastsyncedvalue", row.chosen)
        .with("esc_lastsyncedon", turn.now());
    if let Some((_, column, label)) = kind {
        record = record
            .with(*column, person.clone())
            .with("esc_recordtype", Set::RecordType.value(label).map_or(Value::Null, Value::from));
    }
    let moment = if row.origin == Origin::Service { "esc_servicemodifiedon" } else { "esc_crmmodifiedon" };
    let record = record.with(moment, (row.at != choices::UNDATED).then_some(row.at));
    match known.and_then(|(_, version)| version) {
        Some(version) => Change::UpdateIf(record, version),
        None => Change::Upsert(record),
    }
}

/// The choices of a person go in one call.
///
/// # Errors
/// The service's.
pub async fn service(turn: &mut Turn) -> Result<(), Halt> {
    let mut after = (String::new(), i64::MIN);
    loop {
        let rows = untold(turn, Told::Service, &after).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = (last.address.clone(), last.preference);
        let mut by_person: Vec<Vec<Choice>> = Vec::new();
        for row in rows {
            match by_person.last_mut().filter(|own| own[0].address == row.address) {
                Some(own) => own.push(row),
                None => by_person.push(vec![row]),
            }
        }
        tell_service(turn, by_person).await?;
    }
}

async fn tell_service(turn: &mut Turn, people: Vec<Vec<Choice>>) -> Result<(), Halt> {
    let (mut told, mut rejects) = (Vec::new(), Vec::new());
    for rows in people {
        let who = Person::Email(rows[0].address.clone());
        let chosen: Vec<(PreferenceId, bool)> =
            rows.iter().map(|row| (PreferenceId(row.preference), row.chosen)).collect();
        turn.foresee(rows.iter().map(|row| row.sample(To::Service)));
        turn.foresee_calls(1);
        let said = match turn.dry {
            true => Ok(()),
            false => turn.account.service.set_preferences(&who, &chosen).await,
        };
        match said {
            Ok(()) => told.extend(rows),
            // Nobody there yet: the person gets them with the next change, and the gate knows them now.
            Err(fault) if fault.code == Code::MARKETING_NOT_FOUND => {
                turn.counts.skip("not at the service", rows.len() as u64);
            }
            Err(fault) if fault.verdict == Verdict::Reject => {
                rejects.extend(rows.iter().map(|row| reject(row, &fault)));
            }
            Err(fault) => return note(turn, Told::Service, told, rejects).await.and(Err(fault.into())),
        }
    }
    note(turn, Told::Service, told, rejects).await
}

fn reject(row: &Choice, fault: &Fault) -> Reject {
    rejected(row.address.clone(), fault, format!("preference {} = {}", row.preference, row.chosen))
}

async fn note(turn: &mut Turn, side: Told, told: Vec<Choice>, rejects: Vec<Reject>) -> Result<(), Halt> {
    let counts = match side {
        Told::Crm => &mut turn.counts.to_crm,
        Told::Service => &mut turn.counts.to_service,
    };
    counts.sent += (told.len() + rejects.len()) as u64;
    counts.changed += told.len() as u64;
    counts.rejected += rejects.len() as u64;
    if turn.dry {
        return Ok(());
    }
    let stored = turn.page("marketing.preferences_noted", move |tx, _| {
        async move { choices::told(tx, side, &told).await }.boxed()
    });
    stored.await?;
    turn.reject(rejects).await?;
    Ok(())
}
