//! What people did with a campaign.
//!
//! No row has an id. The natural keys: a recipient is (campaign, contact, sent at); a click is (campaign, contact, URL,
//! moment, and which one of those), because two links may be followed in one instant. `since` counts the very moment in, and a
//! recipient's row comes again with other figures: rows are known by their key and overwritten.

use async_trait::async_trait;
use jiff::Timestamp;

use super::page::{Ask, CampaignId, ContactId, Page};
use super::word::words;
use crate::Fault;

/// One person's part in one send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipient {
    pub contact: Option<ContactId>,
    pub email: String,
    pub sent_at: Option<Timestamp>,
    pub first_opened: Option<Timestamp>,
    pub last_opened: Option<Timestamp>,
    pub first_open_ip: Option<String>,
    pub opens: u64,
    pub clicks: u64,
    pub page_views: u64,
    pub forwards: u64,
    pub estimated_forwards: u64,
    pub replies: u64,
    pub unsubscribed: bool,
    pub soft_bounced: bool,
    pub hard_bounced: bool,
}

/// A link that was followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Click {
    pub contact: Option<ContactId>,
    pub email: String,
    pub url: String,
    pub at: Option<Timestamp>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub keyword: Option<String>,
}

/// A mail that was opened, by a person or a machine: the user agent helps to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open {
    pub contact: Option<ContactId>,
    pub email: String,
    pub at: Option<Timestamp>,
    pub mail_client: Option<String>,
    pub mail_client_version: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub html: bool,
    pub forwarded: bool,
}

/// A page of the web site that somebody came to from a mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageView {
    pub contact: Option<ContactId>,
    pub email: String,
    pub url: String,
    pub at: Option<Timestamp>,
}

words! {
    /// What a reply is.
    ReplyType { Reply = "Reply", AutoReply = "AutoReply", ChallengeResponse = "ChallengeResponse", Unsafe = "Unsafe" }
}

/// A reply that the service took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    pub contact: Option<ContactId>,
    pub email: String,
    pub from: String,
    pub to: String,
    pub subject: String,
    pub message: String,
    pub html: bool,
    pub at: Option<Timestamp>,
    pub kind: ReplyType,
}

/// How often somebody's mail was looked at by way of a social network: a total, overwritten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocialView {
    pub contact: Option<ContactId>,
    pub email: String,
    pub network: String,
    pub views: u64,
}

words! {
    /// What a marker's value is.
    RoiType { Text = "String", Number = "Numeric", Date = "Date", Bool = "Boolean" }
}

/// A marker that the web site set for somebody who came from a mail: a purchase, a sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoiDetail {
    pub contact: Option<ContactId>,
    pub email: String,
    pub marker: String,
    pub kind: RoiType,
    /// As text, whatever its type.
    pub value: String,
    pub at: Option<Timestamp>,
}

/// What people did with a campaign. Reads only; `since: None` reads all there is.
#[async_trait]
pub trait Behaviour: Send + Sync {
    async fn recipients(
        &self,
        campaign: &CampaignId,
        since: Option<Timestamp>,
        ask: &Ask,
    ) -> Result<Page<Recipient>, Fault>;

    async fn clicks(
        &self,
        campaign: &CampaignId,
        since: Option<Timestamp>,
        ask: &Ask,
    ) -> Result<Page<Click>, Fault>;

    async fn opens(
        &self,
        campaign: &CampaignId,
        since: Option<Timestamp>,
        ask: &Ask,
    ) -> Result<Page<Open>, Fault>;

    async fn page_views(
        &self,
        campaign: &CampaignId,
        since: Timestamp,
        ask: &Ask,
    ) -> Result<Page<PageView>, Fault>;

    /// Of one person: the service has no other way, and five in a page.
    async fn replies(
        &self,
        campaign: &CampaignId,
        contact: &ContactId,
        ask: &Ask,
    ) -> Result<Page<Reply>, Fault>;

    /// All of them, each time.
    async fn social_views(&self, campaign: &CampaignId, ask: &Ask) -> Result<Page<SocialView>, Fault>;

    async fn roi_details(
        &self,
        campaign: &CampaignId,
        since: Timestamp,
        ask: &Ask,
    ) -> Result<Page<RoiDetail>, Fault>;

    /// The people whose addresses bounced for good.
    async fn hard_bounces(
        &self,
        campaign: &CampaignId,
        ask: &Ask,
    ) -> Result<Page<(Option<ContactId>, String)>, Fault>;
}
