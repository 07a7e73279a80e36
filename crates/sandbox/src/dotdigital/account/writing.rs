//! The one way in which contacts are written, by single calls and by imports: identifiers, gates, merge options.
//! Source: dotdigital.md A10 to A12.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Account;
use super::contact::{Consent, Contact, EmailType, Key, OptIn, PreferenceAnswer, Status};
use super::field::FieldFault;
use super::list::{ALL_CONTACTS, TEST};
use super::suppression::Resubscribed;

/// What a writer asks for. What is absent stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Wanted {
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub custom: BTreeMap<String, String>,
    pub opt_in: Option<OptIn>,
    pub email_type: Option<EmailType>,
    pub status: Option<Wish>,
    pub fields: Vec<(String, Value)>,
    pub lists: Vec<i32>,
    pub preferences: Vec<(i32, bool)>,
    pub consents: Vec<Consent>,
}

/// A state that v3 lets a writer ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// With or without a challenge to one who unsubscribed.
    Subscribe {
        challenge: bool,
    },
    Unsubscribe,
    Suppress,
}

/// What happens to stored values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Merge {
    #[default]
    Overwrite,
    /// Empty values do not overwrite.
    IfNotEmpty,
    /// Only where nothing is stored.
    IfEmpty,
}

/// Whether a suppressed address stops the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Closed,
    /// v3's single writes: data may change, the state stays.
    Open,
}

/// Why a row, or a part of it, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteFault {
    Suppressed(Status),
    SuppressedForList(i32),
    ListNotFound(i32),
    ListReadOnly(i32),
    Field(FieldFault, String),
    InvalidEmail(String),
    InvalidMobile(String),
    /// Another contact has this identifier.
    Taken(String),
    UnknownIdentifier(String),
    PreferenceNotFound(i32),
    NoIdentifier,
    NotFound,
}

/// A write that happened, perhaps without some parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub id: i32,
    pub created: bool,
    pub faults: Vec<WriteFault>,
}

/// An address that the service takes: one @, a domain with a dot, no spaces or control characters.
pub fn is_address(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let labels = domain.split('.').all(|label| !label.is_empty()) && domain.contains('.');
    plain(local)
        && plain(domain)
        && labels
        && !domain.contains('@')
        && email.chars().count() <= 320
        && !email.contains([',', ';', '<', '>', '"'])
}

impl Account {
    /// A contact with nothing in it, not yet stored.
    pub fn blank(&self, email: Option<&str>, at: Timestamp) -> Contact {
        let status = email.map_or(Status::Subscribed, |email| self.status_of(email));
        Contact {
            id: 0,
            email: email.map(Arc::from),
            mobile: None,
            custom: BTreeMap::new(),
            opt_in: OptIn::default(),
            email_type: EmailType::default(),
            status,
            cells: Default::default(),
            lists: Vec::new(),
            created: at,
            updated: at,
            consents: Vec::new(),
            preferences: Vec::new(),
            score: None,
        }
    }

    /// Writes a contact: `matched` when it is known, a new one otherwise.
    pub fn write(
        &mut self,
        matched: Option<i32>,
        wanted: &Wanted,
        merge: Merge,
        gate: Gate,
        at: Timestamp,
    ) -> Result<Written, WriteFault> {
        let known = matched.and_then(|id| self.contacts.get(id)).cloned();
        self.check_identifiers(known.as_ref().map(|known| known.id), wanted)?;
        let old_address = known.as_ref().and_then(|known| known.email.clone());
        let address = wanted.email.clone().or_else(|| old_address.as_deref().map(str::to_owned));
        self.check_gate(address.as_deref(), wanted, gate)?;
        let created = known.is_none();
        let mut contact = known.unwrap_or_else(|| self.blank(wanted.email.as_deref(), at));
        self.fill(&mut contact, wanted, merge)?;
        if let Some(email) = &wanted.email
            && old_address.as_deref().is_none_or(|old| !old.eq_ignore_ascii_case(email))
        {
            contact.status = self.status_of(email);
        }
        contact.updated = at;
        contact.consents.extend(wanted.consents.iter().cloned());
        let id = self.contacts.put(contact);
        let mut faults = self.wish(id, wanted, at).err().into_iter().collect::<Vec<_>>();
        faults.extend(wanted.lists.iter().filter_map(|list| self.join(id, *list).err()));
        faults.extend(
            wanted
                .preferences
                .iter()
                .filter_map(|(preference, yes)| self.prefer(id, *preference, *yes, at).err()),
        );
        Ok(Written { id, created, faults })
    }

    fn check_identifiers(&self, known: Option<i32>, wanted: &Wanted) -> Result<(), WriteFault> {
        if known.is_none() && wanted.email.is_none() && wanted.mobile.is_none() && wanted.custom.is_empty() {
            return Err(WriteFault::NoIdentifier);
        }
        let other = |key: Key| self.contacts.find(&key).is_some_and(|found| Some(found) != known);
        if let Some(email) = &wanted.email {
            if !is_address(email) {
                return Err(WriteFault::InvalidEmail(email.clone()));
            }
            if other(Key::Email(email.clone())) {
                return Err(WriteFault::Taken("email".to_owned()));
            }
        }
        if let Some(mobile) = &wanted.mobile {
            if !(7..=15).contains(&mobile.len()) || !mobile.bytes().all(|b| b.is_ascii_digit()) {
                return Err(WriteFault::InvalidMobile(mobile.clone()));
            }
            if other(Key::Mobile(mobile.clone())) {
                return Err(WriteFault::Taken("mobileNumber".to_owned()));
            }
        }
        for (name, value) in &wanted.custom {
            if !self.identifiers.iter().any(|known| known.name == *name) {
                return Err(WriteFault::UnknownIdentifier(name.clone()));
            }
            if other(Key::Custom(name.clone(), value.clone())) {
                return Err(WriteFault::Taken(name.clone()));
            }
        }
        Ok(())
    }

    fn check_gate(&self, address: Option<&str>, wanted: &Wanted, gate: Gate) -> Result<(), WriteFault> {
        let Some(address) = address.filter(|_| gate == Gate::Closed) else { return Ok(()) };
        let status = self.status_of(address);
        let waits = status == Status::PendingOptIn && self.ledger.get(address).is_some();
        if !status.suppresses() && !waits {
            return Ok(());
        }
        // An explicit wish is a resubscription (inferred for imports), and only of those who unsubscribed.
        let comes_back =
            matches!(wanted.status, Some(Wish::Subscribe { .. })) && status == Status::Unsubscribed;
        if comes_back { Ok(()) } else { Err(WriteFault::Suppressed(status)) }
    }

    fn fill(&self, contact: &mut Contact, wanted: &Wanted, merge: Merge) -> Result<(), WriteFault> {
        for (name, value) in &wanted.fields {
            let fault = |fault| WriteFault::Field(fault, name.clone());
            let number = self.fields.number(name).ok_or(fault(FieldFault::NotFound))?;
            let cell = self.fields.cell(number, value).map_err(fault)?;
            let keeps = match merge {
                Merge::Overwrite => false,
                Merge::IfNotEmpty => cell.is_none(),
                Merge::IfEmpty => contact.cells.get(number).is_some(),
            };
            if !keeps {
                contact.cells.set(number, cell);
            }
        }
        if let Some(email) = &wanted.email {
            contact.email = Some(email.as_str().into());
        }
        if let Some(mobile) = &wanted.mobile {
            contact.mobile = Some(mobile.clone());
        }
        contact.custom.extend(wanted.custom.clone());
        contact.opt_in = wanted.opt_in.unwrap_or(contact.opt_in);
        contact.email_type = wanted.email_type.unwrap_or(contact.email_type);
        Ok(())
    }

    fn wish(&mut self, id: i32, wanted: &Wanted, at: Timestamp) -> Result<(), WriteFault> {
        let Some(contact) = self.contacts.get(id) else { return Ok(()) };
        let Some(email) = contact.email.clone() else { return Ok(()) };
        match wanted.status {
            None => {}
            Some(Wish::Unsubscribe) => drop(self.suppress(&email, Status::Unsubscribed, at)),
            Some(Wish::Suppress) => drop(self.suppress(&email, Status::Suppressed, at)),
            Some(Wish::Subscribe { challenge }) => {
                let before = self.status_of(&email);
                if self.resubscribe(&email, challenge, at) == Resubscribed::Refused {
                    return Err(WriteFault::Suppressed(before));
                }
            }
        }
        Ok(())
    }

    /// Puts a contact on a list.
    pub fn join(&mut self, contact: i32, list: i32) -> Result<(), WriteFault> {
        if list == ALL_CONTACTS || list == TEST {
            return Err(WriteFault::ListReadOnly(list));
        }
        let book = self.lists.get_mut(&list).ok_or(WriteFault::ListNotFound(list))?;
        let person = self.contacts.get_mut(contact).ok_or(WriteFault::NotFound)?;
        if book.departed(person.address()).is_some() {
            return Err(WriteFault::SuppressedForList(list));
        }
        book.add(contact);
        if let Err(place) = person.lists.binary_search(&list) {
            person.lists.insert(place, list);
        }
        Ok(())
    }

    /// Takes a contact off a list. False when it was not on it.
    pub fn leave(&mut self, contact: i32, list: i32) -> bool {
        let Some(book) = self.lists.get_mut(&list) else { return false };
        let was = book.has(contact);
        book.remove(contact);
        if let Some(person) = self.contacts.get_mut(contact) {
            person.lists.retain(|known| *known != list);
        }
        was
    }

    /// Answers a preference for the account.
    pub fn prefer(
        &mut self,
        contact: i32,
        preference: i32,
        yes: bool,
        at: Timestamp,
    ) -> Result<(), WriteFault> {
        if !self.preferences.get(&preference).is_some_and(|known| known.is_preference) {
            return Err(WriteFault::PreferenceNotFound(preference));
        }
        let person = self.contacts.get_mut(contact).ok_or(WriteFault::NotFound)?;
        let answers = &mut person.preferences;
        match answers.iter_mut().find(|known| known.preference == preference && known.list == 0) {
            Some(known) if known.opted_in == yes => {}
            Some(known) => (known.opted_in, known.at) = (yes, at),
            None => answers.push(PreferenceAnswer { preference, list: 0, opted_in: yes, at }),
        }
        Ok(())
    }

    /// Deletes a contact; its suppression stays with the address, its activity with the campaigns.
    pub fn erase(&mut self, id: i32) -> bool {
        let Some(contact) = self.contacts.remove(id) else { return false };
        for list in contact.lists {
            if let Some(book) = self.lists.get_mut(&list) {
                book.remove(id);
            }
        }
        for segment in self.segments.values_mut() {
            segment.members.retain(|member| *member != id);
        }
        true
    }
}
