//! Mapped fields for people whom another flow writes before the flow of contacts has: nobody is mailed with empty fields.

use std::collections::{HashMap, HashSet};

use futures_util::FutureExt;
use postroom_core::address::normal;
use postroom_store::{Error, Tx};

use super::outgoing::outward;
use super::who::{self, Person, speaker};
use crate::imports::Row;
use crate::mapping::book::{self, Book, Names};
use crate::people::links;
use crate::sync::{Halt, Turn};

/// Fills in the fields of rows whose address the service has none of. What is remembered of a person stays: the flow of
/// contacts sends the person once more, with everything that belongs to it.
///
/// # Errors
/// Those of the CRM and of the store.
pub(crate) async fn fill(turn: &Turn, rows: &mut [Row]) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let addresses: Vec<String> = rows.iter().map(|row| normal(&row.address)).collect();
    let people = turn.read(move |tx| async move { unknown(tx, &account, addresses).await }.boxed()).await?;
    if people.is_empty() {
        return Ok(());
    }
    let book = Book::of(turn.engine.crm.as_ref(), turn.connected.row().id).await?;
    let mut names = Names::default();
    let each = people.values().flatten();
    let wanted = each.flat_map(|person| book.wanted(&person.at.table, &person.columns, &names)).collect();
    book::names(turn.engine.crm.as_ref(), wanted, &mut names).await?;
    for row in rows {
        let holders: Vec<&Person> = people.get(&normal(&row.address)).into_iter().flatten().collect();
        let Some(speaking) = speaker(&holders) else { continue };
        let (fields, _) = book.fields(&speaking.at.table, &speaking.columns, &names);
        row.contact.fields = outward(&book, &speaking.at.table, &fields, None);
    }
    Ok(())
}

/// Who has those of the addresses of which the service has been sent no fields, by address.
async fn unknown(
    tx: &mut Tx,
    account: &str,
    mut addresses: Vec<String>,
) -> Result<HashMap<String, Vec<Person>>, Error> {
    let linked = links::of_addresses(tx, account, &addresses).await?;
    let sent: HashSet<String> =
        linked.into_iter().filter(|link| link.digest.is_some()).map(|link| link.address).collect();
    addresses.retain(|address| !sent.contains(address));
    let mut people: HashMap<String, Vec<Person>> = HashMap::new();
    for person in who::of_addresses(tx, &addresses).await? {
        let address = person.address();
        if !sent.contains(&address) {
            people.entry(address).or_default().push(person);
        }
    }
    Ok(people)
}
