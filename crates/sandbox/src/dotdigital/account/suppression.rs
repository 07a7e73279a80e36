//! Addresses that are not to be mailed: the account's ledger, and the three ways back. Source: dotdigital.md A14.
//!
//! The ledger belongs to the address: deleting the contact leaves it, and another contact that takes the address takes
//! the suppression. A contact that changes its address leaves its suppression with the old one (inferred; the hardest case
//! for a connector, so it is the one played).

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Account;
use super::contact::{Key, Status, folded};

/// An address that is not to be mailed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Suppression {
    pub contact: i32,
    pub email: String,
    pub status: Status,
    pub at: Timestamp,
}

/// The suppressions of an account.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    by_email: HashMap<String, Suppression>,
    by_time: BTreeSet<(Timestamp, String)>,
}

impl Ledger {
    pub fn get(&self, email: &str) -> Option<&Suppression> {
        self.by_email.get(&folded(email))
    }

    pub fn put(&mut self, suppression: Suppression) {
        self.remove(&suppression.email);
        self.by_time.insert((suppression.at, folded(&suppression.email)));
        self.by_email.insert(folded(&suppression.email), suppression);
    }

    pub fn remove(&mut self, email: &str) -> Option<Suppression> {
        let found = self.by_email.remove(&folded(email))?;
        self.by_time.remove(&(found.at, folded(email)));
        Some(found)
    }

    /// Oldest first; the bound belongs to it.
    pub fn since(&self, since: Timestamp) -> impl Iterator<Item = &Suppression> {
        let from = (since, String::new());
        self.by_time.range(from..).filter_map(|(_, email)| self.by_email.get(email))
    }
}

/// The answer to a resubscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resubscribed {
    Added,
    Challenged,
    Refused,
}

impl Resubscribed {
    pub fn word(self) -> &'static str {
        match self {
            Resubscribed::Added => "ContactAdded",
            Resubscribed::Challenged => "ContactChallenged",
            Resubscribed::Refused => "ContactCannotBeUnsuppressed",
        }
    }
}

impl Account {
    /// The state of an address, known or not.
    pub fn status_of(&self, email: &str) -> Status {
        let contact = self.contacts.find(&Key::Email(email.to_owned())).and_then(|id| self.contacts.get(id));
        match (contact, self.ledger.get(email)) {
            // A challenge waits for its answer.
            (Some(contact), _) if contact.status == Status::PendingOptIn => Status::PendingOptIn,
            (_, Some(suppression)) => suppression.status,
            (Some(contact), None) => contact.status,
            (None, None) => Status::Subscribed,
        }
    }

    /// Suppresses an address; one that is unknown becomes a contact first (inferred). The first reason and date stay,
    /// but a complaint or bounce is stronger than an unsubscription.
    pub fn suppress(&mut self, email: &str, status: Status, at: Timestamp) -> Suppression {
        let contact = match self.contacts.find(&Key::Email(email.to_owned())) {
            Some(id) => id,
            None => self.contacts.put(self.blank(Some(email), at)),
        };
        // Who was challenged and leaves again leaves anew.
        let waits = self.contacts.get(contact).is_some_and(|known| known.status == Status::PendingOptIn);
        let known = self.ledger.get(email).filter(|_| !waits);
        let stays =
            known.filter(|known| known.status != Status::Unsubscribed || status == Status::Unsubscribed);
        let suppression = match stays {
            Some(known) => known.clone(),
            None => Suppression { contact, email: email.to_owned(), status, at },
        };
        self.ledger.put(suppression.clone());
        if let Some(contact) = self.contacts.get_mut(contact) {
            contact.status = suppression.status;
            contact.updated = contact.updated.max(at);
        }
        suppression
    }

    /// Lifts a suppression where the service allows it.
    pub fn resubscribe(&mut self, email: &str, challenge: bool, at: Timestamp) -> Resubscribed {
        let known = self.contacts.find(&Key::Email(email.to_owned()));
        let answer = match self.ledger.get(email).map(|known| known.status) {
            Some(Status::Unsubscribed) if challenge => Resubscribed::Challenged,
            None | Some(Status::Unsubscribed | Status::Suppressed) => Resubscribed::Added,
            Some(_) => Resubscribed::Refused,
        };
        if answer == Resubscribed::Refused {
            return answer;
        }
        let id = known.unwrap_or_else(|| self.contacts.put(self.blank(Some(email), at)));
        if answer == Resubscribed::Challenged {
            self.set_status(id, Status::PendingOptIn, at);
        } else {
            self.ledger.remove(email);
            self.set_status(id, Status::Subscribed, at);
        }
        answer
    }

    /// The person answers the challenge. False when none waits.
    pub fn confirm(&mut self, email: &str, at: Timestamp) -> bool {
        let Some(id) = self.contacts.find(&Key::Email(email.to_owned())) else { return false };
        let waits = self.contacts.get(id).is_some_and(|contact| contact.status == Status::PendingOptIn);
        if waits {
            self.ledger.remove(email);
            self.set_status(id, Status::Subscribed, at);
        }
        waits
    }

    fn set_status(&mut self, id: i32, status: Status, at: Timestamp) {
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.status = status;
            contact.updated = contact.updated.max(at);
        }
    }
}
