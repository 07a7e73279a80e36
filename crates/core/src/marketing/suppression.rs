//! Who may not be mailed, in the account or on one list, and coming back.

use async_trait::async_trait;
use jiff::Timestamp;

use super::contact::{Person, Status};
use super::page::{Ask, ContactId, ListId, Page};
use super::word::words;
use crate::Fault;

/// Somebody who may not be mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// `None` for an address that the service did not know as a person.
    pub contact: Option<ContactId>,
    pub email: String,
    pub reason: Status,
    /// When it happened, by the service's clock.
    pub at: Option<Timestamp>,
}

/// What became of suppressing people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suppressed {
    pub suppressed: Vec<Person>,
    /// Addresses that the service does not know are **not** suppressed by this; [`Suppressions::unsubscribe`] takes them.
    pub not_found: Vec<Person>,
}

/// Whether the person is asked by mail before coming back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A mail with a link, in this language (`de-DE`), that leads here.
    Ask { locale: Option<String>, return_to: Option<String> },
    /// None: only with newer, dated proof of consent at hand.
    None,
}

/// Somebody who wants mail again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resubscribe {
    pub email: String,
    /// `None` for the account.
    pub list: Option<ListId>,
    pub challenge: Challenge,
}

words! {
    /// What became of it.
    Resubscribed {
        Added = "ContactAdded",
        /// Not subscribed yet: the person has been asked.
        Challenged = "ContactChallenged",
        /// Somebody who complained, or another reason that cannot be lifted.
        CannotBeLifted = "ContactCannotBeUnsuppressed",
    }
}

/// Opt-outs, both ways.
#[async_trait]
pub trait Suppressions: Send + Sync {
    /// Everybody suppressed at this moment or later, for any reason. The first exchange asks since 1970.
    async fn suppressions(&self, since: Timestamp, ask: &Ask) -> Result<Page<Suppression>, Fault>;

    /// Those of them who unsubscribed.
    async fn unsubscribes(&self, since: Timestamp, ask: &Ask) -> Result<Page<Suppression>, Fault>;

    /// No more mail to this address from this account, whether the service knows it or not. Repeating does no harm, and an
    /// address that is suppressed already is success.
    async fn unsubscribe(&self, email: &str) -> Result<Suppression, Fault>;

    /// No more mail by this list. Repeating does no harm.
    async fn unsubscribe_from_list(&self, list: &ListId, email: &str) -> Result<Suppression, Fault>;

    /// Suppresses people that the service knows, many in one call. Repeating does no harm.
    async fn suppress(&self, people: &[Person]) -> Result<Suppressed, Fault>;

    /// Lets somebody back. With a challenge the person gets a mail, so a lost answer is `Unknown`: whether the address is
    /// still suppressed tells little; ask the person, or wait for the link. Without one repeating does no harm.
    async fn resubscribe(&self, who: &Resubscribe) -> Result<Resubscribed, Fault>;
}
