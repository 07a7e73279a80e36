//! Lists of people, and the segments that the service makes itself.

use async_trait::async_trait;
use jiff::Timestamp;

use super::contact::{Contact, ContactAsk, Contacts, Include, Scope};
use super::field::Visibility;
use super::page::{Ask, CampaignId, ContactId, DeletionId, ListId, Page, SegmentId};
use super::suppression::Suppression;
use crate::Fault;

/// A list.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    pub id: ListId,
    pub name: String,
    pub visibility: Visibility,
    /// People on it, as far as the service has counted.
    pub contacts: u64,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub id: SegmentId,
    pub name: String,
    pub contacts: u64,
}

/// Which members of a list are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembersAsk {
    pub list: ListId,
    /// Changed at this moment or later.
    pub modified_since: Option<Timestamp>,
    pub include: Include,
}

/// Lists. Adding people is an import's ([`super::ContactRow::lists`]).
#[async_trait]
pub trait Lists: Contacts {
    async fn lists(&self, ask: &Ask) -> Result<Page<List>, Fault>;

    async fn list(&self, id: &ListId) -> Result<Option<List>, Fault>;

    async fn segments(&self, ask: &Ask) -> Result<Page<Segment>, Fault>;

    /// Makes a list. A lost answer is `Unknown`: [`Lists::find_list`] tells whether there is one of this name now.
    ///
    /// # Errors
    /// [`crate::Code::MARKETING_DUPLICATE`] when a list or segment has this name; [`crate::Code::MARKETING_RESERVED`] for
    /// names that the service keeps to itself; [`crate::Code::MARKETING_QUOTA`].
    async fn create_list(&self, name: &str, visibility: &Visibility) -> Result<List, Fault>;

    /// Gives a list this name and visibility. Repeating does no harm.
    ///
    /// # Errors
    /// As for [`Lists::create_list`], and [`crate::Code::MARKETING_NOT_FOUND`].
    async fn change_list(&self, id: &ListId, name: &str, visibility: &Visibility) -> Result<List, Fault>;

    /// Deletes a list; the people stay. Repeating does no harm: one that is not there is success.
    async fn delete_list(&self, id: &ListId) -> Result<(), Fault>;

    /// Takes people off a list; they stay in the account. At most once each, any number at once. Repeating does no harm.
    /// Nobody named takes nobody off.
    async fn remove_members(&self, list: &ListId, people: &[ContactId]) -> Result<Option<DeletionId>, Fault>;

    /// Who left a list at this moment or later. Leaving a list is not leaving the account.
    async fn list_unsubscribes(
        &self,
        list: &ListId,
        since: Timestamp,
        ask: &Ask,
    ) -> Result<Page<Suppression>, Fault>;

    /// Campaigns that went to a list: evidence for a send whose answer was lost.
    async fn list_campaigns(&self, list: &ListId, ask: &Ask) -> Result<Page<CampaignId>, Fault>;

    /// Members of a list.
    async fn members(&self, which: &MembersAsk, ask: &Ask) -> Result<Page<Contact>, Fault> {
        let which = ContactAsk {
            scope: Scope::List(which.list.clone()),
            modified_since: which.modified_since,
            include: which.include.clone(),
        };
        self.contacts(&which, ask).await
    }

    /// The list of this name; services compare names without case. Reads all pages.
    async fn find_list(&self, name: &str) -> Result<Option<List>, Fault> {
        let mut ask = Ask::default();
        loop {
            let page = self.lists(&ask).await?;
            let found = page.rows.into_iter().find(|list| list.name.eq_ignore_ascii_case(name));
            match (found, page.next) {
                (Some(list), _) => return Ok(Some(list)),
                (None, Some(next)) => ask = ask.after(next),
                (None, None) => return Ok(None),
            }
        }
    }
}
