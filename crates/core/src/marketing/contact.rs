//! People: their identifiers, fields and channels, and reading and deleting them. Writing many is [`super::import`]'s.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::import::{ImportOrder, ImportStatus, Merge, Parcel, Started};
use super::page::{Ask, ContactId, DeletionId, ImportId, ListId, Page, PreferenceId, SegmentId};
use super::word::words;
use super::{FieldValue, Import};
use crate::Fault;

words! {
    /// How a person agreed. [`OptIn::rank`] orders them.
    OptIn { Unknown = "Unknown", Single = "Single", Double = "Double", VerifiedDouble = "VerifiedDouble" }
}

impl OptIn {
    /// A higher one may replace a lower one, never the other way round; a word that is not known counts as unknown.
    pub fn rank(&self) -> u8 {
        match self {
            OptIn::Unknown | OptIn::Other(_) => 0,
            OptIn::Single => 1,
            OptIn::Double => 2,
            OptIn::VerifiedDouble => 3,
        }
    }
}

words! {
    /// Which form of a mail a person gets.
    EmailType { PlainText = "PlainText", Html = "Html" }
}

words! {
    /// Whether an address may be mailed, and if not, why.
    Status {
        Subscribed = "Subscribed",
        Unsubscribed = "Unsubscribed",
        SoftBounced = "SoftBounced",
        HardBounced = "HardBounced",
        IspComplained = "IspComplained" | "Isp Complaints",
        MailBlocked = "MailBlocked" | "Mail Blocked" | "Blocked",
        PendingOptIn = "PendingOptIn",
        DirectComplaint = "DirectComplaint",
        Deleted = "Deleted",
        SharedSuppression = "SharedSuppression",
        Suppressed = "Suppressed" | "Suppressed by you" | "Globally Suppressed",
        NotAllowed = "NotAllowed",
        DomainSuppression = "DomainSuppression" | "DomainSuppressed" | "Domain Suppressed" | "SharedDomainSuppression",
        NoMxRecord = "NoMxRecord",
        SpamTrap = "SpamTrap",
        BlockedLocalPart = "BlockedLocalPart",
        Purchased = "Purchased",
        KnownComplainer = "KnownComplainer",
        KnownLitigator = "KnownLitigator",
        /// In the recycle bin.
        Binned = "Binned",
        /// Known, but not for this channel.
        NoSubscription = "NoSubscription",
    }
}

impl Status {
    /// Whether marketing mail goes to such an address: only the two that say so. What is not known is not mailed.
    pub fn mailable(&self) -> bool {
        matches!(self, Status::Subscribed | Status::SoftBounced)
    }
}

words! {
    /// How a person stands to one list.
    ListStatus { Subscribed = "subscribed", Suppressed = "suppressed", Pending = "pending" }
}

/// Names a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Person {
    Id(ContactId),
    Email(String),
    /// Digits of the international form.
    Mobile(String),
    /// An identifier of the account's own, and its value.
    Custom(String, String),
}

/// A person's identifiers besides the service's own id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Names {
    pub email: Option<String>,
    pub mobile: Option<String>,
    /// By the identifier's name.
    pub custom: BTreeMap<String, String>,
}

/// What is known of the mail channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Channel {
    pub email_type: EmailType,
    pub opt_in: OptIn,
    pub status: Status,
}

/// A list that a person is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListMembership {
    pub id: ListId,
    pub name: String,
    pub status: ListStatus,
}

/// What a person agreed to, as it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    pub text: String,
    pub at: Timestamp,
    pub url: String,
    pub ip: String,
    pub user_agent: String,
}

/// A person as the service knows them. Parts that were not asked for, or that the account's API does not say, are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    pub id: ContactId,
    pub names: Names,
    /// Of the person; the channel has its own.
    pub status: Status,
    pub created: Option<Timestamp>,
    pub updated: Option<Timestamp>,
    /// By name, as the service writes it; services compare names without case.
    pub fields: BTreeMap<String, FieldValue>,
    pub email: Option<Channel>,
    pub lists: Option<Vec<ListMembership>>,
    pub preferences: Option<Vec<(PreferenceId, bool)>>,
    pub consents: Option<Vec<Consent>>,
}

/// A person to be written. What is empty is left as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContactRow {
    /// Finds the person; `None` finds by the address in `names`. A change of the address finds by something else.
    pub by: Option<Person>,
    /// The identifiers that the person has from now on.
    pub names: Names,
    pub fields: BTreeMap<String, FieldValue>,
    pub email_type: Option<EmailType>,
    pub opt_in: Option<OptIn>,
    /// Lists to be added to; never a list to leave.
    pub lists: Vec<ListId>,
    pub preferences: Vec<(PreferenceId, bool)>,
    /// Added to those that are there: a repeat adds them again.
    pub consents: Vec<Consent>,
}

/// Whose people are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    #[default]
    Account,
    List(ListId),
    Segment(SegmentId),
}

/// Parts of a person that cost something to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Include {
    /// Names of fields, or [`Include::ALL_FIELDS`] alone; empty for none. An account without identifiers gives all or none.
    pub fields: Vec<String>,
    pub channels: bool,
    pub lists: bool,
    pub preferences: bool,
    pub consents: bool,
}

impl Include {
    /// Stands for every field.
    pub const ALL_FIELDS: &'static str = "*";
}

/// Which people are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactAsk {
    pub scope: Scope,
    /// Changed at this moment or later.
    pub modified_since: Option<Timestamp>,
    pub include: Include,
}

/// What became of writing one person.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched {
    pub contact: Contact,
    pub created: bool,
}

/// A removal that goes on, or went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deletion {
    pub done: bool,
    /// It ended without success.
    pub failed: bool,
    /// How many went, when the service counts.
    pub deleted: Option<u64>,
    /// How many it did not know.
    pub unknown: Option<u64>,
    /// Who was refused, and why.
    pub refused: Vec<(Option<Person>, String)>,
}

/// People.
#[async_trait]
pub trait Contacts: Send + Sync {
    /// A part of the account's people. Accounts without identifiers leave out whoever may not be mailed.
    async fn contacts(&self, which: &ContactAsk, ask: &Ask) -> Result<Page<Contact>, Fault>;

    /// The people named; one that is not known is `None` at its place. One call for each, or one for many where the account
    /// has that; for very many read [`Contacts::contacts`].
    async fn find_contacts(
        &self,
        people: &[Person],
        include: &Include,
    ) -> Result<Vec<Option<Contact>>, Fault>;

    /// How many people the account has.
    async fn count_contacts(&self) -> Result<u64, Fault>;

    /// Writes one person at once, for what a person waits for. Repeating does no harm unless `consents` are given; then a
    /// lost answer is `Unknown`, and the person's consents tell.
    ///
    /// # Errors
    /// [`crate::Code::MARKETING_SUPPRESSED`] for somebody who may not be written; [`crate::Code::MARKETING_DATA`];
    /// [`crate::Code::MARKETING_DUPLICATE`] when an identifier is another person's.
    async fn patch_contact(&self, row: &ContactRow, merge: Merge) -> Result<Patched, Fault>;

    /// Puts a row into a parcel; `false` when it belongs into another one, as this one is full or the call has something in
    /// common that the row has not. An empty parcel takes every row.
    ///
    /// # Errors
    /// What the account's API cannot write.
    fn pack(&self, row: &ContactRow, parcel: &mut Parcel) -> Result<bool, Fault>;

    /// Begins the import of a parcel. Who is suppressed stays so. Repeating does no harm to people unless rows carry consents.
    /// A lost answer of an import without consents is repeated by the make, and the report is the last one's (who was new the
    /// first time is then counted as changed); one with consents is `Unknown`.
    ///
    /// # Errors
    /// [`crate::Code::MARKETING_BUSY`], when too many imports run.
    async fn import_parcel(&self, parcel: Parcel) -> Result<ImportId, Fault>;

    /// Begins an import of the first rows that fit into one call; the answer says how many.
    ///
    /// # Errors
    /// Those of [`Contacts::pack`] and [`Contacts::import_parcel`].
    async fn import(&self, order: &ImportOrder) -> Result<Started, Fault> {
        let mut parcel = Parcel { merge: order.merge, ..Parcel::default() };
        for row in order.rows {
            if !self.pack(row, &mut parcel)? {
                break;
            }
        }
        let taken = parcel.rows;
        Ok(Started { id: self.import_parcel(parcel).await?, taken })
    }

    /// Where an import stands, and its report when it has ended. The service keeps reports for about a week.
    async fn import_status(&self, id: &ImportId) -> Result<Import, Fault>;

    /// Deletes people from the account. Repeating does no harm: who is not there counts as unknown. Suppressions stay.
    async fn delete_contacts(&self, people: &[Person]) -> Result<DeletionId, Fault>;

    /// Where a removal stands.
    async fn deletion(&self, id: &DeletionId) -> Result<Deletion, Fault>;
}

impl Import {
    /// Whether asking again could tell more.
    pub fn running(&self) -> bool {
        self.status == ImportStatus::NotFinished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_mailed() {
        let check =
            |word: &str, mailable: bool| assert_eq!(Status::from(word).mailable(), mailable, "{word}");
        check("Subscribed", true);
        check("softBounced", true);
        check("unsubscribed", false);
        check("PendingOptIn", false);
        check("NotAvailableInThisVersion", false);
        check("brandNewReason", false);
        check("", false);
    }

    #[test]
    fn opt_ins_have_an_order() {
        let ranks = ["Other", "single", "Double", "VerifiedDouble"].map(|word| OptIn::from(word).rank());
        assert_eq!(ranks, [0, 1, 2, 3]);
    }
}
