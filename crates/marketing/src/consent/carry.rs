//! Opt-outs follow the person: to the address that a record has now, to the record that it was merged into, and to records that
//! the service still knows by the address before.
//!
//! What a person said counts wherever that person is mailed. A bounce is of a mailbox and stays with it. What follows is of the
//! day on which it was said, so consent that is newer stands against it as it would against the first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::{ContactId, Status};
use postroom_core::{Ids, RecordRef};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::reason::{Meaning, meaning};
use crate::people;
use crate::people::links;
use crate::preferences::choices::{self, SaidChoice};
use crate::preferences::scoped;
use crate::suppressions::rows::{self, Origin, SaidOut};
use crate::unsubscribes::{self, unlinked};

/// One person under two addresses (in normal form).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub from: String,
    pub to: String,
    /// Whose addresses they are.
    pub record: RecordRef,
}

impl Move {
    /// From each of some addresses to each of others.
    pub fn all(from: &[String], to: &[String], record: &RecordRef) -> Vec<Move> {
        let to = |from: &String| {
            let from = from.clone();
            to.iter().filter(move |to| **to != from).cloned().collect::<Vec<_>>()
        };
        let moves = from.iter().flat_map(|from| to(from).into_iter().map(|to| (from.clone(), to)));
        moves.map(|(from, to)| Move { from, to, record: record.clone() }).collect()
    }
}

/// Copies the opt-outs that stand, of every account: from accounts, from lists, from preferences.
///
/// # Errors
/// The store's.
pub async fn carry(tx: &mut Tx, ids: &Ids, now: Timestamp, moves: &[Move]) -> Result<(), Error> {
    let mut by_from: HashMap<&str, Vec<&Move>> = HashMap::new();
    for one in moves {
        by_from.entry(&one.from).or_default().push(one);
    }
    let from: Vec<String> = by_from.keys().map(|from| (*from).to_owned()).collect();
    let to = |address: &str| by_from.get(address).into_iter().flatten().copied();

    let mut accounts: BTreeMap<(String, &'static str), Vec<SaidOut>> = BTreeMap::new();
    for row in rows::standing_of(tx, &from).await?.iter().filter(|row| follows(&row.status)) {
        // Whom the service waits for is not told to it as an opt-out.
        let origin = if row.status == Status::PendingOptIn { Origin::Service } else { Origin::Crm };
        let said = to(&row.address).map(|one| said_out(one, &row.status, row.since));
        accounts.entry((row.account.clone(), origin.as_str())).or_default().extend(said);
    }
    for ((account, origin), said) in accounts {
        rows::write(tx, ids, now, &account, Origin::of(origin), &said).await?;
    }

    let mut lists: BTreeMap<(String, i64), Vec<SaidOut>> = BTreeMap::new();
    for left in
        unsubscribes::rows::standing_of(tx, &from).await?.iter().filter(|left| follows(&left.row.status))
    {
        let said = to(&left.row.address).map(|one| said_out(one, &left.row.status, left.row.since));
        lists.entry((left.row.account.clone(), left.list)).or_default().extend(said);
    }
    for ((account, list), said) in lists {
        unsubscribes::rows::write(tx, ids, now, (&account, list), Origin::Crm, &said).await?;
    }

    let mut preferences: BTreeMap<(String, i64), Vec<SaidChoice>> = BTreeMap::new();
    for choice in choices::declined_by(tx, &from).await? {
        let said = to(&choice.address).map(|one| SaidChoice {
            address: one.to.clone(),
            chosen: false,
            at: choice.at,
            source: source(&one.record),
            actor: String::new(),
        });
        preferences.entry((choice.account.clone(), choice.preference)).or_default().extend(said);
    }
    for ((account, preference), said) in preferences {
        choices::write(tx, ids, now, (&account, preference), Origin::Crm, &said).await?;
    }
    carry_of_lists(tx, now, &from, to).await
}

/// What is kept apart: of lists that the service has none for, and of preferences for one list.
async fn carry_of_lists<'m, I: Iterator<Item = &'m Move>>(
    tx: &mut Tx,
    now: Timestamp,
    from: &[String],
    to: impl Fn(&str) -> I,
) -> Result<(), Error> {
    let mut unlinked_lists: BTreeMap<(String, Uuid), Vec<SaidOut>> = BTreeMap::new();
    for left in unlinked::standing_of(tx, from).await?.iter().filter(|left| follows(&left.said.status)) {
        let said = to(&left.said.address).map(|one| said_out(one, &left.said.status, left.said.at));
        unlinked_lists.entry((left.account.clone(), left.list)).or_default().extend(said);
    }
    for ((account, list), said) in unlinked_lists {
        unlinked::keep(tx, (&account, list), Origin::Crm, &said).await?;
    }
    for no in scoped::declined_by(tx, from).await? {
        let said: Vec<SaidChoice> = to(&no.said.address)
            .map(|one| SaidChoice { address: one.to.clone(), source: source(&one.record), ..no.said.clone() })
            .collect();
        scoped::take(tx, now, (&no.account, no.preference), &no.list, &said).await?;
    }
    Ok(())
}

fn follows(status: &Status) -> bool {
    matches!(meaning(status), Meaning::Consent | Meaning::Unclear)
}

fn source(record: &RecordRef) -> String {
    format!("{record}, said of another address")
}

fn said_out(one: &Move, status: &Status, at: Timestamp) -> SaidOut {
    SaidOut {
        address: one.to.clone(),
        status: status.clone(),
        at,
        contact: None,
        source: source(&one.record),
        actor: String::new(),
    }
}

/// Where opt-outs of the service count as well: the addresses that people have now whom it knows by another one, by that
/// address or by their number.
///
/// # Errors
/// The store's.
pub(crate) async fn elsewhere(
    tx: &mut Tx,
    account: &str,
    said: &[(String, Option<ContactId>)],
) -> Result<HashMap<String, Vec<Move>>, Error> {
    let addresses: Vec<String> = said.iter().map(|(address, _)| normal(address)).collect();
    let numbers: Vec<i64> = said.iter().filter_map(|(_, contact)| Some(contact.as_ref()?.0)).collect();
    let mut known: HashMap<String, BTreeSet<RecordRef>> = HashMap::new();
    for (address, record) in links::named_by(tx, account, &addresses).await? {
        known.entry(address).or_default().insert(record);
    }
    let mut numbered: HashMap<i64, Vec<RecordRef>> = HashMap::new();
    for (number, record) in links::numbered_by(tx, account, &numbers).await? {
        numbered.entry(number).or_default().push(record);
    }
    for (address, (_, contact)) in addresses.iter().zip(said) {
        let records = contact.as_ref().and_then(|contact| numbered.get(&contact.0));
        if let Some(records) = records {
            known.entry(address.clone()).or_default().extend(records.iter().cloned());
        }
    }
    let records: BTreeSet<RecordRef> = known.values().flatten().cloned().collect();
    let records: Vec<RecordRef> = records.into_iter().collect();
    let own = people::addresses_of_all(tx, &records).await?;
    let mut moves: HashMap<String, Vec<Move>> = HashMap::new();
    for (address, records) in known {
        for record in records {
            // Who still has the address is told by it.
            let Some(now) = own.get(&record).filter(|own| !own.contains(&address)) else { continue };
            let more = Move::all(std::slice::from_ref(&address), now, &record);
            moves.entry(address.clone()).or_default().extend(more);
        }
    }
    Ok(moves)
}

/// The same opt-outs as said of those addresses.
pub(crate) async fn said_elsewhere(
    tx: &mut Tx,
    account: &str,
    said: &[SaidOut],
) -> Result<Vec<SaidOut>, Error> {
    let following: Vec<&SaidOut> = said.iter().filter(|said| follows(&said.status)).collect();
    let asked: Vec<(String, Option<ContactId>)> = following
        .iter()
        .filter(|said| said.status != Status::PendingOptIn)
        .map(|said| (said.address.clone(), said.contact.clone()))
        .collect();
    let moves = elsewhere(tx, account, &asked).await?;
    let all = following.iter().flat_map(|said| {
        let moves = moves.get(&normal(&said.address)).into_iter().flatten();
        moves.map(|one| SaidOut { actor: said.actor.clone(), ..said_out(one, &said.status, said.at) })
    });
    Ok(all.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_follows_itself() {
        let record = RecordRef::new("contact", Uuid::nil());
        let both = ["a@x".to_owned(), "b@x".to_owned()];
        let moves = Move::all(&both, &both[1..], &record);
        assert_eq!(moves.len(), 1);
        assert_eq!((moves[0].from.as_str(), moves[0].to.as_str()), ("a@x", "b@x"));
    }

    #[test]
    fn bounces_stay_with_their_mailbox() {
        assert!(follows(&Status::Unsubscribed) && follows(&Status::Other("Novel".into())));
        assert!(!follows(&Status::HardBounced) && !follows(&Status::SoftBounced));
    }
}
