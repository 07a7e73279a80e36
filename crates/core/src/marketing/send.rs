//! Sends: a campaign to lists or people, and single mails. They reach people, so nothing here is repeated.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::page::{CampaignId, ContactId, ListId, SegmentId, SendId};
use super::word::words;
use crate::Fault;

/// An address that mail may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromAddress {
    pub id: i64,
    pub email: String,
}

/// Whom a campaign goes to. It cannot be made of nothing: to some services an empty audience means everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    lists: Vec<ListId>,
    segments: Vec<SegmentId>,
    people: Vec<ContactId>,
}

impl Audience {
    /// `None` when nobody is named.
    pub fn new(lists: Vec<ListId>, segments: Vec<SegmentId>, people: Vec<ContactId>) -> Option<Audience> {
        let named = !(lists.is_empty() && segments.is_empty() && people.is_empty());
        named.then_some(Audience { lists, segments, people })
    }

    pub fn lists(&self) -> &[ListId] {
        &self.lists
    }

    pub fn segments(&self) -> &[SegmentId] {
        &self.segments
    }

    pub fn people(&self) -> &[ContactId] {
        &self.people
    }
}

/// When it goes. A send that the service holds cannot be called back: what should be callable is held here and sent
/// [`SendTime::Now`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendTime {
    Now,
    At(Timestamp),
    /// When each person is likeliest to read it.
    Optimised,
}

words! {
    /// What decides a split test.
    SplitMetric { Opens = "Opens", Clicks = "Clicks", Roi = "ROI" }
}

/// A split test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    pub metric: SplitMetric,
    /// Of the audience, in per cent, that takes part.
    pub percent: u32,
    pub hours: u32,
}

/// One sending of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOrder {
    pub campaign: CampaignId,
    pub to: Audience,
    pub when: SendTime,
    pub split: Option<Split>,
}

words! {
    /// Where a send stands.
    SendStatus {
        NotSent = "NotSent",
        Scheduled = "Scheduled",
        Sending = "Sending",
        Sent = "Sent",
        Cancelled = "Cancelled",
    }
}

/// A send that the service took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub id: SendId,
    pub status: SendStatus,
    pub at: Option<Timestamp>,
}

/// What can be found of a send whose answer was lost. Evidence for a person: that nothing is found proves nothing, as a send
/// that the service holds leaves no trace yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    /// Lists of the order that the service says the campaign went to.
    pub lists: Vec<ListId>,
    /// Recipients whose mail left at the moment of the order or later; as far as was read.
    pub recipients: u64,
    /// The earliest such mail.
    pub first: Option<Timestamp>,
    /// `Sending`, `Sent` and so on, of the campaign.
    pub campaign: String,
}

impl Traces {
    /// Whether mail surely left.
    pub fn left(&self) -> bool {
        self.recipients > 0
    }
}

/// What fills the blanks of a single mail, by name.
pub type Personal = BTreeMap<String, String>;

/// What a single mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SingleContent {
    /// A triggered campaign. The service does not look at opt-outs: the caller has.
    Triggered { campaign: CampaignId, values: Personal },
    /// A triggered campaign as marketing mail: the service refuses who opted out, and makes people it does not know.
    Marketing { campaign: CampaignId, values: Personal },
    /// Written for the occasion; transactional.
    Written { subject: String, html: String, text: String },
}

/// A mail to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleSend {
    pub to: String,
    pub from: Option<String>,
    pub content: SingleContent,
    /// Comes back with the service's reports; holds our id of the request.
    pub reference: String,
}

/// Sends.
#[async_trait]
pub trait Sends: Send + Sync {
    /// Sends a campaign. Made once: a lost answer is `Unknown`, and [`Sends::traces`] looks for evidence. The service has no
    /// key against repeats and no list of sends.
    ///
    /// # Errors
    /// [`crate::Code::MARKETING_SUPPRESSED`] when one of the people named may not be mailed; [`crate::Code::MARKETING_STATE`];
    /// [`crate::Code::MARKETING_QUOTA`]; [`crate::Code::MARKETING_UNKNOWN`] with the verdict `Unknown`.
    async fn send(&self, order: &SendOrder) -> Result<Sent, Fault>;

    /// Where a send stands.
    async fn send_status(&self, id: &SendId) -> Result<Sent, Fault>;

    /// What can be found of an order whose answer was lost. `since` is the moment of its intent, by the service's clock.
    async fn traces(&self, order: &SendOrder, since: Timestamp) -> Result<Traces, Fault>;

    /// Sends single mails, in as few calls as their kinds allow; the answers stand in the same order, each for itself. Made
    /// once: when a call's answer is lost, each mail of it is `Unknown`, and no look-up exists: the service gives no ids.
    async fn send_single(&self, mails: &[SingleSend]) -> Vec<Result<(), Fault>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_of_nobody_does_not_exist() {
        assert_eq!(Audience::new(vec![], vec![], vec![]), None);
        assert!(Audience::new(vec![ListId(1)], vec![], vec![]).is_some());
        assert!(Audience::new(vec![], vec![SegmentId(1)], vec![]).is_some());
        assert!(Audience::new(vec![], vec![], vec![ContactId(1)]).is_some());
    }
}
