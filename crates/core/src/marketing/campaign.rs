//! Campaigns: what is mailed, and its totals.

use async_trait::async_trait;
use jiff::Timestamp;

use super::page::{Ask, CampaignId, ListId, Page};
use super::send::FromAddress;
use super::word::words;
use crate::Fault;

words! {
    /// Where a campaign stands.
    CampaignStatus {
        Unsent = "Unsent",
        Sending = "Sending",
        Sent = "Sent",
        Paused = "Paused",
        Cancelled = "Cancelled",
        RequiresSystemApproval = "RequiresSystemApproval",
        RequiresSmsApproval = "RequiresSMSApproval",
        RequiresWorkflowApproval = "RequiresWorkflowApproval",
        Triggered = "Triggered",
    }
}

words! {
    /// What a campaign is for.
    CampaignType { Standard = "Standard", Triggered = "Triggered", Template = "Template", AiTemplate = "AiTemplate" }
}

words! {
    /// What happens to replies.
    ReplyAction { Unset = "Unset", WebMailForward = "WebMailForward", Webmail = "Webmail", Delete = "Delete" }
}

/// The mail itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    pub html: String,
    pub text: String,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Campaign {
    pub id: CampaignId,
    pub name: String,
    pub subject: String,
    pub from_name: String,
    pub from: Option<FromAddress>,
    pub reply_action: ReplyAction,
    pub reply_to: Option<String>,
    pub split_test: bool,
    pub status: CampaignStatus,
    /// `None` when the list it came in does not say.
    pub kind: Option<CampaignType>,
    pub tags: Vec<String>,
    pub sent: Option<Timestamp>,
    pub scheduled: Option<Timestamp>,
    /// Only of a campaign that was asked for by its id.
    pub content: Option<Content>,
}

/// A campaign to be made or changed.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignDraft {
    pub name: String,
    pub subject: String,
    pub from_name: String,
    /// One of [`Campaigns::senders`]; `None` for the account's own.
    pub from: Option<FromAddress>,
    /// HTML must hold an unsubscribe link.
    pub content: Content,
    pub reply_action: ReplyAction,
    pub reply_to: Option<String>,
}

/// Which campaigns are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CampaignAsk {
    pub kind: Option<CampaignType>,
    /// Any of these; all when empty.
    pub statuses: Vec<CampaignStatus>,
}

macro_rules! summary {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)+) => {
        /// Totals of a campaign as the service counts them, over HTML and text. They are overwritten, never added up.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Summary { $($(#[$doc])* pub $name: $kind,)+ }
    };
}

summary! {
    /// Of the newest send.
    sent_at: Option<Timestamp>,
    sent: u64,
    delivered: u64,
    unique_opens: u64,
    opens: u64,
    /// People who clicked.
    clickers: u64,
    clicks: u64,
    page_views: u64,
    forwards: u64,
    estimated_forwards: u64,
    replies: u64,
    hard_bounces: u64,
    soft_bounces: u64,
    unsubscribes: u64,
    complaints: u64,
    mail_blocks: u64,
    /// Fractions: 0.888 is 88.8 %, although the service's names say percentage.
    delivered_rate: f64,
    unique_opens_rate: f64,
    opens_rate: f64,
    unsubscribes_rate: f64,
    replies_rate: f64,
    hard_bounces_rate: f64,
    soft_bounces_rate: f64,
    clickers_rate: f64,
    clicks_to_opens_rate: f64,
    conversion_rate: f64,
    /// Plain decimals.
    revenue: Option<String>,
    assisted_revenue: Option<String>,
    orders: u64,
    assisted_orders: u64,
    /// Every whole number that was said, by the service's name: HTML and text apart.
    figures: std::collections::BTreeMap<String, u64>,
}

/// Campaigns.
#[async_trait]
pub trait Campaigns: Send + Sync {
    /// All of them, without content.
    async fn campaigns(&self, which: &CampaignAsk, ask: &Ask) -> Result<Page<Campaign>, Fault>;

    /// Those sent ones to which something happened at this moment or later: what drives the reading of behaviour.
    async fn active_campaigns(&self, since: Timestamp, ask: &Ask) -> Result<Page<Campaign>, Fault>;

    /// One with its content.
    async fn campaign(&self, id: &CampaignId) -> Result<Option<Campaign>, Fault>;

    async fn summary(&self, id: &CampaignId) -> Result<Summary, Fault>;

    /// Lists that it went to.
    async fn campaign_lists(&self, id: &CampaignId, ask: &Ask) -> Result<Page<ListId>, Fault>;

    /// Addresses that mail may come from.
    async fn senders(&self) -> Result<Vec<FromAddress>, Fault>;

    /// Makes a campaign. Names need not be unique, so a lost answer is `Unknown`: the newest campaigns tell, and a second one
    /// that nobody sends does no harm.
    async fn create_campaign(&self, draft: &CampaignDraft) -> Result<Campaign, Fault>;

    /// Repeating does no harm.
    ///
    /// # Errors
    /// [`crate::Code::MARKETING_STATE`] when it has been sent already; [`crate::Code::MARKETING_NOT_FOUND`].
    async fn change_campaign(&self, id: &CampaignId, draft: &CampaignDraft) -> Result<Campaign, Fault>;

    /// Makes a copy, "Copy of …". As for [`Campaigns::create_campaign`].
    async fn copy_campaign(&self, id: &CampaignId) -> Result<Campaign, Fault>;
}
