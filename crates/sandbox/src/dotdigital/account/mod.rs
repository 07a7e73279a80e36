//! What one account of the service holds, and its rules, without HTTP.

pub(crate) mod behaviour;
pub(crate) mod campaign;
pub(crate) mod contact;
pub(crate) mod field;
pub(crate) mod form;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod program;
pub(crate) mod report;
pub(crate) mod sending;
pub(crate) mod suppression;
pub(crate) mod writing;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use behaviour::Planned;
use campaign::Campaign;
use contact::Contacts;
use field::Fields;
use form::Form;
use import::{Deletion, Import};
use list::{ALL_CONTACTS, List, Segment, TEST};
use program::{Enrolment, Program};
use sending::{Mailing, Send};
use suppression::Ledger;

/// A name that contacts can be found by, besides address and number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identifier {
    pub name: String,
    pub created: Timestamp,
}

/// A marketing preference, or a category of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Preference {
    pub id: i32,
    pub public_name: String,
    pub private_name: String,
    /// False for a category.
    pub is_preference: bool,
    pub order: Option<String>,
    pub is_public: bool,
    /// 0 at the top.
    pub category: i32,
    pub created: Timestamp,
    pub modified: Timestamp,
}

/// An account.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    pub id: i32,
    pub name: String,
    pub contacts: Contacts,
    pub ledger: Ledger,
    pub fields: Fields,
    pub identifiers: Vec<Identifier>,
    pub lists: BTreeMap<i32, List>,
    pub segments: BTreeMap<i32, Segment>,
    pub preferences: BTreeMap<i32, Preference>,
    pub campaigns: BTreeMap<i32, Campaign>,
    pub sends: HashMap<Uuid, Send>,
    pub imports: HashMap<Uuid, Import>,
    pub deletions: HashMap<Uuid, Deletion>,
    pub forms: BTreeMap<i32, Form>,
    pub programs: BTreeMap<i32, Program>,
    pub enrolments: HashMap<Uuid, Enrolment>,
    /// Every mail that was asked for, in the order of time.
    pub log: Vec<Mailing>,
    pub planned: BTreeSet<Planned>,
    /// Contacts that the plan pays for; none for no limit.
    pub most_contacts: Option<usize>,
    pub plan_number: u64,
    /// By address in lower case.
    pub soft_bounces: HashMap<String, u8>,
    last: i32,
}

impl Account {
    pub fn new(id: i32, name: &str) -> Self {
        let mut lists = BTreeMap::new();
        lists.insert(ALL_CONTACTS, List::new(ALL_CONTACTS, "All Contacts", false));
        lists.insert(TEST, List::new(TEST, "Test", false));
        Account {
            id,
            name: name.to_owned(),
            contacts: Contacts::default(),
            ledger: Ledger::default(),
            fields: Fields::default(),
            identifiers: Vec::new(),
            lists,
            segments: BTreeMap::new(),
            preferences: BTreeMap::new(),
            campaigns: BTreeMap::new(),
            sends: HashMap::new(),
            imports: HashMap::new(),
            deletions: HashMap::new(),
            forms: BTreeMap::new(),
            programs: BTreeMap::new(),
            enrolments: HashMap::new(),
            log: Vec::new(),
            planned: BTreeSet::new(),
            most_contacts: None,
            plan_number: 0,
            soft_bounces: HashMap::new(),
            last: 100,
        }
    }

    /// An id for anything but a contact.
    pub fn next_id(&mut self) -> i32 {
        self.last += 1;
        self.last
    }
}
