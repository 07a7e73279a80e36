//! A contact and the words for its states; the index by every identifier. Not here: who may change it (`writing`).
//!
//! Source: dotdigital.md A10 and A11.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::field::Cells;

/// The state of an address, in the words of v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Subscribed,
    Unsubscribed,
    SoftBounced,
    HardBounced,
    IspComplained,
    MailBlocked,
    PendingOptIn,
    DirectComplaint,
    SharedSuppression,
    Suppressed,
    DomainSuppression,
}

impl Status {
    /// No mail, and no write that is not a resubscription.
    pub fn suppresses(self) -> bool {
        !matches!(self, Status::Subscribed | Status::SoftBounced | Status::PendingOptIn)
    }

    /// A campaign may go there.
    pub fn mailable(self) -> bool {
        matches!(self, Status::Subscribed | Status::SoftBounced)
    }

    /// The word of v2.
    pub fn v2(self) -> &'static str {
        match self {
            Status::Subscribed => "Subscribed",
            Status::Unsubscribed => "Unsubscribed",
            Status::SoftBounced => "SoftBounced",
            Status::HardBounced => "HardBounced",
            Status::IspComplained => "IspComplained",
            Status::MailBlocked => "MailBlocked",
            Status::PendingOptIn => "PendingOptIn",
            Status::DirectComplaint => "DirectComplaint",
            Status::SharedSuppression => "SharedSuppression",
            Status::Suppressed => "Suppressed",
            Status::DomainSuppression => "DomainSuppression",
        }
    }

    /// The word of v3's e-mail channel.
    pub fn v3_channel(self) -> &'static str {
        match self {
            Status::Subscribed => "subscribed",
            Status::Unsubscribed => "unsubscribed",
            Status::SoftBounced => "softBounced",
            Status::HardBounced => "hardBounced",
            Status::IspComplained => "ispComplained",
            Status::MailBlocked => "blockedlocalpart",
            Status::PendingOptIn => "pendingOptIn",
            Status::DirectComplaint => "directComplaint",
            Status::SharedSuppression => "sharedsuppression",
            Status::Suppressed => "suppressed",
            Status::DomainSuppression => "domainSuppressed",
        }
    }

    /// The word of v3's whole contact.
    pub fn v3(self) -> &'static str {
        match self {
            Status::Subscribed | Status::SoftBounced => "subscribed",
            Status::Unsubscribed => "unsubscribed",
            Status::PendingOptIn => "pendingOptIn",
            _ => "suppressed",
        }
    }

    /// The `Reason` of a fault report, in the words that the vendor's module knows (dotdigital.md A12).
    pub fn fault_reason(self) -> &'static str {
        match self {
            Status::Unsubscribed => "Unsubscribed",
            Status::HardBounced => "Hard Bounced",
            Status::IspComplained | Status::DirectComplaint => "Isp Complaints",
            Status::MailBlocked => "Mail Blocked",
            Status::DomainSuppression => "Domain Suppressed",
            Status::Suppressed => "Suppressed by you",
            Status::PendingOptIn => "Pending Double Optin",
            Status::SoftBounced => "Soft Bounced",
            Status::SharedSuppression | Status::Subscribed => "Globally Suppressed",
        }
    }
}

/// How a contact agreed to mail. The order is that of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum OptIn {
    #[default]
    Unknown,
    Single,
    Double,
    VerifiedDouble,
}

impl OptIn {
    pub fn word(self) -> &'static str {
        match self {
            OptIn::Unknown => "Unknown",
            OptIn::Single => "Single",
            OptIn::Double => "Double",
            OptIn::VerifiedDouble => "VerifiedDouble",
        }
    }

    /// v2 and v3 write the same words in different case.
    pub fn of(word: &str) -> Option<OptIn> {
        [OptIn::Unknown, OptIn::Single, OptIn::Double, OptIn::VerifiedDouble]
            .into_iter()
            .find(|known| known.word().eq_ignore_ascii_case(word))
    }
}

/// The make of mail that a contact gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum EmailType {
    PlainText,
    #[default]
    Html,
}

impl EmailType {
    pub fn word(self) -> &'static str {
        match self {
            EmailType::PlainText => "PlainText",
            EmailType::Html => "Html",
        }
    }

    pub fn of(word: &str) -> Option<EmailType> {
        [EmailType::PlainText, EmailType::Html]
            .into_iter()
            .find(|known| known.word().eq_ignore_ascii_case(word))
    }
}

/// A recorded consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub text: String,
    pub consented: Timestamp,
    pub url: String,
    pub ip: String,
    pub agent: String,
    pub created: Timestamp,
}

/// An answer to a marketing preference; `list` is 0 for the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreferenceAnswer {
    pub preference: i32,
    pub list: i32,
    pub opted_in: bool,
    pub at: Timestamp,
}

/// How warm a contact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    pub score: u8,
    pub engagement: u8,
    pub suitability: u8,
    pub at: Timestamp,
}

impl Score {
    pub fn label(self) -> &'static str {
        match self.score {
            0..25 => "Cold",
            25..50 => "Cool",
            50..75 => "Warm",
            _ => "Hot",
        }
    }
}

/// A contact of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    pub id: i32,
    /// As written; compared in lower case.
    pub email: Option<Arc<str>>,
    /// Digits of E.164 without the plus sign.
    pub mobile: Option<String>,
    pub custom: BTreeMap<String, String>,
    pub opt_in: OptIn,
    pub email_type: EmailType,
    pub status: Status,
    pub cells: Cells,
    /// Lists by id, ascending.
    pub lists: Vec<i32>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub consents: Vec<Consent>,
    pub preferences: Vec<PreferenceAnswer>,
    pub score: Option<Score>,
}

impl Contact {
    pub fn address(&self) -> &str {
        self.email.as_deref().unwrap_or_default()
    }
}

/// Which identifier a contact is looked up by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Id(i32),
    Email(String),
    Mobile(String),
    Custom(String, String),
}

/// All contacts, by every identifier.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Contacts {
    by_id: BTreeMap<i32, Contact>,
    by_email: HashMap<String, i32>,
    by_mobile: HashMap<String, i32>,
    by_custom: BTreeMap<String, HashMap<String, i32>>,
    last: i32,
}

/// How addresses are compared.
pub fn folded(email: &str) -> String {
    email.trim().to_lowercase()
}

impl Contacts {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn get(&self, id: i32) -> Option<&Contact> {
        self.by_id.get(&id)
    }

    /// For changes that leave the identifiers alone.
    pub fn get_mut(&mut self, id: i32) -> Option<&mut Contact> {
        self.by_id.get_mut(&id)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Contact> {
        self.by_id.values()
    }

    pub fn from(&self, id: i32) -> impl Iterator<Item = &Contact> {
        self.by_id.range(id..).map(|(_, contact)| contact)
    }

    pub fn find(&self, key: &Key) -> Option<i32> {
        match key {
            Key::Id(id) => self.by_id.contains_key(id).then_some(*id),
            Key::Email(email) => self.by_email.get(&folded(email)).copied(),
            Key::Mobile(mobile) => self.by_mobile.get(mobile.trim_start_matches('+')).copied(),
            Key::Custom(name, value) => self.by_custom.get(name)?.get(value).copied(),
        }
    }

    /// Puts a contact in, with an id of its own when it has none (0), and answers the id.
    pub fn put(&mut self, mut contact: Contact) -> i32 {
        if contact.id == 0 {
            self.last += 1;
            contact.id = self.last;
        }
        let id = contact.id;
        self.forget(id);
        if let Some(email) = &contact.email {
            self.by_email.insert(folded(email), id);
        }
        if let Some(mobile) = &contact.mobile {
            self.by_mobile.insert(mobile.clone(), id);
        }
        for (name, value) in &contact.custom {
            self.by_custom.entry(name.clone()).or_default().insert(value.clone(), id);
        }
        self.by_id.insert(id, contact);
        id
    }

    pub fn remove(&mut self, id: i32) -> Option<Contact> {
        self.forget(id);
        self.by_id.remove(&id)
    }

    /// Whether some contact has a value for this custom identifier.
    pub fn uses(&self, identifier: &str) -> bool {
        self.by_custom.get(identifier).is_some_and(|values| !values.is_empty())
    }

    fn forget(&mut self, id: i32) {
        let Some(contact) = self.by_id.get(&id) else { return };
        if let Some(email) = &contact.email {
            self.by_email.remove(&folded(email));
        }
        if let Some(mobile) = &contact.mobile {
            self.by_mobile.remove(mobile);
        }
        for (name, value) in &contact.custom {
            if let Some(values) = self.by_custom.get_mut(name) {
                values.remove(value);
            }
        }
    }
}
