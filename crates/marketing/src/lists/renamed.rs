//! People who join a list, a send's own too, under an address that the service does not know them by yet: lists may run before contacts.

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::marketing::{ContactId, ContactRow, Include, Merge, Names, Person};
use postroom_core::{RecordRef, Verdict};
use postroom_store::{Error, Tx};

use crate::contacts::identity;
use crate::imports;
use crate::people::{self, links};
use crate::sync::{Halt, Turn};

/// Somebody whom the service knows by another address joins as who they are, and gets the new address by that; else a second,
/// subscribed person would be made. Not when another record has the old address, nor when somebody has the new one there.
pub(crate) async fn settle(turn: &mut Turn, rows: &mut [imports::Row]) -> Result<(), Halt> {
    if turn.dry {
        return Ok(());
    }
    let account = turn.account.name.clone();
    let asked: Vec<(RecordRef, String)> =
        rows.iter().map(|row| (row.record.clone(), row.address.clone())).collect();
    let read = turn.read(move |tx| async move { moved(tx, &account, &asked).await }.boxed());
    let moved: HashMap<RecordRef, ContactId> = read.await?;
    let places: Vec<usize> =
        (0..rows.len()).filter(|place| moved.contains_key(&rows[*place].record)).collect();
    if places.is_empty() {
        return Ok(());
    }
    let wanted: Vec<Person> =
        places.iter().map(|place| Person::Email(rows[*place].address.clone())).collect();
    let found = turn.account.service.find_contacts(&wanted, &Include::default()).await?;
    let identity = identity::ready(turn).await?;
    for (place, found) in places.into_iter().zip(found) {
        let row = &mut rows[place];
        let by = Person::Id(moved[&row.record].clone());
        match found {
            Some(_) => {}
            None if identity.named => row.contact.by = Some(by),
            None => {
                let names = Names { email: Some(row.address.clone()), ..Names::default() };
                let renamed = ContactRow { by: Some(by), names, ..ContactRow::default() };
                match turn.account.service.patch_contact(&renamed, Merge::Overwrite).await {
                    Err(fault) if fault.verdict != Verdict::Reject => return Err(fault.into()),
                    // The import says what the service has against it.
                    Ok(_) | Err(_) => {}
                }
            }
        }
    }
    Ok(())
}

/// Who of these records is known to the service by an address that nobody has any longer, with their number.
async fn moved(
    tx: &mut Tx,
    account: &str,
    asked: &[(RecordRef, String)],
) -> Result<HashMap<RecordRef, ContactId>, Error> {
    let records: Vec<RecordRef> = asked.iter().map(|(record, _)| record.clone()).collect();
    let mut known = links::of_records(tx, account, &records).await?;
    let is_other = |(record, address): &(RecordRef, String)| {
        known.get(record).is_some_and(|link| !link.address.is_empty() && link.address != *address)
    };
    let others: Vec<&RecordRef> =
        asked.iter().filter(|one| is_other(one)).map(|(record, _)| record).collect();
    let before: Vec<String> = others.iter().map(|record| known[*record].address.clone()).collect();
    let holders = people::holders(tx, &before).await?;
    let others: Vec<RecordRef> = others
        .into_iter()
        .filter(|record| {
            !holders.get(&known[*record].address).is_some_and(|all| all.iter().any(|it| it.active))
        })
        .cloned()
        .collect();
    let found = others.into_iter().filter_map(|record| {
        let contact = known.remove(&record)?.contact?;
        Some((record, contact))
    });
    Ok(found.collect())
}
