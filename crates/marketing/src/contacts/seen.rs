//! Whom a run has looked at and not settled yet: an address is written once at a time, and a record that changed since it was
//! looked at waits until what was sent of it has landed.

use std::collections::{HashMap, HashSet};

use postroom_core::RecordRef;
use sha2::{Digest, Sha256};

use super::who::Person;

/// A hash of an address or a record: there are some hundred thousand, and as texts they would fill the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u8; 16]);

impl Key {
    fn of(parts: &[&[u8]]) -> Key {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Key(key)
    }

    fn record(at: &RecordRef) -> Key {
        Key::of(&[at.table.as_bytes(), at.id.as_bytes()])
    }
}

/// Addresses, and records with the change of each that was seen.
#[derive(Default)]
pub(super) struct Seen {
    addresses: HashSet<Key>,
    people: HashMap<Key, i64>,
}

impl Seen {
    /// Notes an address; `false` when it is known.
    pub(super) fn address(&mut self, address: &str) -> bool {
        self.addresses.insert(Key::of(&[address.as_bytes()]))
    }

    pub(super) fn has(&self, address: &str) -> bool {
        self.addresses.contains(&Key::of(&[address.as_bytes()]))
    }

    pub(super) fn person(&mut self, person: &Person) {
        self.people.insert(Key::record(&person.at), person.seq);
    }

    /// Whether a person or the address was looked at before this change of it.
    pub(super) fn is_older(&self, person: &Person) -> bool {
        match self.people.get(&Key::record(&person.at)) {
            Some(seen) => *seen < person.seq,
            None => self.has(&person.address()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use postroom_core::Value;
    use uuid::Uuid;

    use super::*;

    fn person(id: u128, seq: i64, address: &str) -> Person {
        Person {
            at: RecordRef::new("contact", Uuid::from_u128(id)),
            seq,
            active: true,
            gone: false,
            master: None,
            modified: None,
            columns: BTreeMap::from([("emailaddress1".to_owned(), Value::from(address))]),
        }
    }

    #[test]
    fn who_changed_after_the_look_is_looked_at_again() {
        let mut seen = Seen::default();
        let anna = person(1, 10, "anna@x.example");
        seen.person(&anna);
        assert!(seen.address("anna@x.example") && !seen.address("anna@x.example"));
        let check = |person: &Person, older: bool| assert_eq!(seen.is_older(person), older, "{person:?}");
        check(&anna, false);
        check(&person(1, 11, "anna@x.example"), true);
        check(&person(1, 11, "anna@y.example"), true);
        check(&person(2, 12, "anna@x.example"), true);
        check(&person(2, 12, "bert@x.example"), false);
    }
}
