//! Lists (address books), segments, and who is in them. Source: dotdigital.md A13 and A20.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::contact::folded;

/// Everyone; cannot be written.
pub const ALL_CONTACTS: i32 = 1;
/// For test sends; cannot be written through the API.
pub const TEST: i32 = 2;

/// A person who left one list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Departure {
    pub contact: i32,
    pub email: String,
    pub at: Timestamp,
}

/// A list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct List {
    pub id: i32,
    pub name: String,
    pub public: bool,
    /// Ids, ascending.
    pub members: Vec<i32>,
    /// By address in lower case: cannot be added again.
    departed: BTreeMap<String, Departure>,
}

impl List {
    pub fn new(id: i32, name: &str, public: bool) -> Self {
        List { id, name: name.to_owned(), public, ..List::default() }
    }

    pub fn has(&self, contact: i32) -> bool {
        self.members.binary_search(&contact).is_ok()
    }

    pub fn add(&mut self, contact: i32) {
        if let Err(place) = self.members.binary_search(&contact) {
            self.members.insert(place, contact);
        }
    }

    pub fn remove(&mut self, contact: i32) {
        if let Ok(place) = self.members.binary_search(&contact) {
            self.members.remove(place);
        }
    }

    pub fn depart(&mut self, contact: i32, email: &str, at: Timestamp) {
        self.remove(contact);
        self.departed.insert(folded(email), Departure { contact, email: email.to_owned(), at });
    }

    pub fn departed(&self, email: &str) -> Option<&Departure> {
        self.departed.get(&folded(email))
    }

    pub fn readmit(&mut self, email: &str) {
        self.departed.remove(&folded(email));
    }

    /// Who left since then, oldest first.
    pub fn departed_since(&self, since: Timestamp) -> Vec<&Departure> {
        let mut found: Vec<_> = self.departed.values().filter(|gone| gone.at >= since).collect();
        found.sort_by_key(|gone| (gone.at, gone.contact));
        found
    }
}

/// A segment: a rule, and who met it when it was last refreshed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Segment {
    pub id: i32,
    pub name: String,
    pub rule: Rule,
    pub members: Vec<i32>,
    /// When a refresh that runs now will be done.
    pub refreshing: Option<Timestamp>,
}

/// Who is in a segment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    Everyone,
    /// A data field has this text.
    Field {
        name: String,
        text: String,
    },
}
