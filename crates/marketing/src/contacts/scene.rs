//! Everything that is known about the addresses of some people: who has them or had them when they were sent, and what the
//! service has of each.
//!
//! Who gave an address up and who took it over belong together, wherever their changes stand: what is sent of the one depends on
//! what is sent of the other. So the scene grows from addresses to records and back until it has everybody.

use std::collections::{BTreeSet, HashMap, HashSet};

use postroom_core::RecordRef;
use postroom_core::marketing::ContactId;
use postroom_store::{Error, Tx};

use super::scope;
use super::who::{self, Person};
use crate::consent::gate::{self, Asked};
use crate::consent::standing::Known;
use crate::engine::Scope;
use crate::people::links::{self, Link};

/// From an address to whoever has it, to the address that this one had, and so on: so far, and no further.
const DEEP: usize = 5;

pub(super) struct Scene {
    pub people: Vec<Person>,
    pub links: HashMap<RecordRef, Link>,
    /// In normal form, with what is known of mail to each.
    pub known: HashMap<String, Known>,
    members: HashSet<RecordRef>,
    /// The people whose mail goes to an address.
    by_address: HashMap<String, Vec<usize>>,
}

/// What is around these people.
pub(super) async fn around(
    tx: &mut Tx,
    account: &str,
    scope: Scope,
    changed: Vec<Person>,
) -> Result<Scene, Error> {
    let mut scene = Scene {
        people: Vec::new(),
        links: HashMap::new(),
        known: HashMap::new(),
        members: HashSet::new(),
        by_address: HashMap::new(),
    };
    let (mut there, mut asked) = (HashSet::new(), BTreeSet::new());
    let mut fresh = changed;
    for _ in 0..DEEP {
        let next = scene.grow(tx, account, fresh, (&mut there, &mut asked)).await?;
        if next.is_empty() {
            break;
        }
        fresh = who::of_records(tx, &next).await?;
        if fresh.is_empty() {
            break;
        }
    }
    let all: Vec<RecordRef> = scene.people.iter().map(|person| person.at.clone()).collect();
    scene.members = scope::of(tx, account, scope, &all).await?;
    let asked: Vec<Asked> = asked.into_iter().map(|address| Asked { address, member: None }).collect();
    let known = gate::known(tx, account, &asked, None).await?;
    scene.known = asked.into_iter().map(|asked| asked.address).zip(known).collect();
    Ok(scene)
}

impl Scene {
    /// Takes people in; answers the records that belong to their addresses and are not here yet.
    async fn grow(
        &mut self,
        tx: &mut Tx,
        account: &str,
        fresh: Vec<Person>,
        (there, asked): (&mut HashSet<RecordRef>, &mut BTreeSet<String>),
    ) -> Result<Vec<RecordRef>, Error> {
        let fresh: Vec<Person> = fresh.into_iter().filter(|person| there.insert(person.at.clone())).collect();
        let records: Vec<RecordRef> = fresh.iter().map(|person| person.at.clone()).collect();
        let own = links::of_records(tx, account, &records).await?;
        let mut addresses: BTreeSet<String> = own.values().map(|link| link.address.clone()).collect();
        for person in fresh {
            let address = person.address();
            self.by_address.entry(address.clone()).or_default().push(self.people.len());
            addresses.insert(address);
            self.people.push(person);
        }
        self.links.extend(own);
        addresses.remove("");
        addresses.retain(|address| asked.insert(address.clone()));
        let addresses: Vec<String> = addresses.into_iter().collect();
        let mut next = who::holders(tx, &addresses).await?;
        next.extend(links::named_by(tx, account, &addresses).await?.into_iter().map(|(_, record)| record));
        next.retain(|record| !there.contains(record));
        next.sort();
        next.dedup();
        Ok(next)
    }

    /// Every address that somebody here has, or had when it was sent.
    pub(super) fn addresses(&self) -> BTreeSet<&str> {
        self.known.keys().map(String::as_str).collect()
    }

    /// The records in the account's scope whose mail goes to an address.
    pub(super) fn holders(&self, address: &str) -> Vec<&Person> {
        let here = self.by_address.get(address).into_iter().flatten();
        here.map(|place| &self.people[*place]).filter(|person| self.members.contains(&person.at)).collect()
    }

    /// The service's number of the person, unless somebody else still has the address by which it is known: then the number
    /// stays there, and the new address is a person of its own.
    pub(super) fn own_contact(&self, person: &Person, address: &str) -> Option<ContactId> {
        let link = self.links.get(&person.at)?;
        let others = self.by_address.get(&link.address).into_iter().flatten();
        let shared =
            others.map(|place| &self.people[*place]).any(|other| other.at != person.at && other.speaks());
        match link.address == address || !shared {
            true => link.contact.clone(),
            false => None,
        }
    }
}
