//! What came of a campaign: one row for each person mailed, and a row for each thing that a person did.
//! Source: dotdigital.md A17.
//!
//! Rows carry contact and address themselves: they outlive the contact.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::field::Kind;

/// One mail to one person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recipient {
    pub contact: i32,
    pub email: Arc<str>,
    pub sent: Timestamp,
    pub version: u8,
    pub text: bool,
    pub opens: u32,
    pub page_views: u32,
    pub clicks: u32,
    pub forwards: u32,
    pub replies: u32,
    pub first_open: Option<Timestamp>,
    pub last_open: Option<Timestamp>,
    pub first_ip: Option<Arc<str>>,
    pub unsubscribed: bool,
    pub soft_bounced: bool,
    pub hard_bounced: bool,
    pub complained: bool,
    /// When this row changed last.
    pub changed: Timestamp,
}

impl Recipient {
    /// A mail that went out, of which nothing has been heard.
    pub fn new(contact: i32, email: Arc<str>, sent: Timestamp) -> Self {
        Recipient {
            contact,
            email,
            sent,
            version: 0,
            text: false,
            opens: 0,
            page_views: 0,
            clicks: 0,
            forwards: 0,
            replies: 0,
            first_open: None,
            last_open: None,
            first_ip: None,
            unsubscribed: false,
            soft_bounced: false,
            hard_bounced: false,
            complained: false,
            changed: sent,
        }
    }
}

/// Something that a person did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row<T> {
    pub contact: i32,
    pub email: Arc<str>,
    pub at: Timestamp,
    pub what: T,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Open {
    pub client: Arc<str>,
    pub ip: Arc<str>,
    pub agent: Arc<str>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Click {
    pub url: Arc<str>,
    pub ip: Arc<str>,
    pub agent: Arc<str>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reply {
    pub text: String,
    pub automatic: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Roi {
    pub marker: String,
    pub kind: Kind,
    pub value: Value,
}

/// Rows in the order of time.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rows<T>(Vec<Row<T>>);

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Rows(Vec::new())
    }
}

impl<T> Rows<T> {
    pub fn push(&mut self, row: Row<T>) {
        let place = self.0.partition_point(|known| known.at <= row.at);
        self.0.insert(place, row);
    }

    pub fn all(&self) -> &[Row<T>] {
        &self.0
    }

    /// The bound belongs to it.
    pub fn since(&self, since: Timestamp) -> &[Row<T>] {
        let from = self.0.partition_point(|row| row.at < since);
        &self.0[from..]
    }
}

/// How often a person looked at the campaign in a social network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SocialView {
    pub contact: i32,
    pub email: Arc<str>,
    pub network: String,
    pub views: u32,
}

/// Everything of one campaign.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub recipients: Vec<Recipient>,
    /// By contact: the last mail to it.
    latest: HashMap<i32, usize>,
    pub opens: Rows<Open>,
    pub clicks: Rows<Click>,
    pub page_views: Rows<String>,
    pub replies: Rows<Reply>,
    pub roi: Rows<Roi>,
    pub social: Vec<SocialView>,
    pub changed: Option<Timestamp>,
}

impl Report {
    pub fn add(&mut self, recipient: Recipient) {
        self.changed = self.changed.max(Some(recipient.changed));
        self.latest.insert(recipient.contact, self.recipients.len());
        self.recipients.push(recipient);
    }

    pub fn recipient(&self, contact: i32) -> Option<&Recipient> {
        self.recipients.get(*self.latest.get(&contact)?)
    }

    pub fn recipient_mut(&mut self, contact: i32) -> Option<&mut Recipient> {
        self.recipients.get_mut(*self.latest.get(&contact)?)
    }

    /// By address, also of a contact that is gone; `guess` is the contact that has the address now.
    pub fn contact_of(&self, email: &str, guess: Option<i32>) -> Option<i32> {
        let same = |row: &&Recipient| row.email.eq_ignore_ascii_case(email);
        let guessed = guess.and_then(|id| self.recipient(id)).filter(same);
        guessed.or_else(|| self.recipients.iter().rev().find(same)).map(|row| row.contact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stay_in_the_order_of_time_and_the_bound_belongs_to_them() {
        let mut rows = Rows::default();
        for second in [5, 1, 3, 3] {
            let at = Timestamp::from_second(second).unwrap();
            rows.push(Row { contact: 1, email: "a@x.io".into(), at, what: () });
        }
        let seconds: Vec<_> = rows.all().iter().map(|row| row.at.as_second()).collect();
        assert_eq!(seconds, [1, 3, 3, 5]);
        assert_eq!(rows.since(Timestamp::from_second(3).unwrap()).len(), 3);
        assert_eq!(rows.since(Timestamp::from_second(6).unwrap()).len(), 0);
    }
}
