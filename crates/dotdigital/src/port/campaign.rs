//! Campaigns, by v2.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::marketing::{
    Ask as Part, Campaign, CampaignAsk, CampaignDraft, CampaignId, CampaignStatus, CampaignType, Campaigns,
    Content, FromAddress, ListId, Page, ReplyAction, Summary,
};
use serde_json::{Value, json};

use super::Dotdigital;
use super::list::PAGE;
use crate::ask::Ask;
use crate::date;
use crate::wire::Row;

const CAMPAIGN: &str = "/v2/campaigns/{}";

#[async_trait]
impl Campaigns for Dotdigital {
    async fn campaigns(&self, which: &CampaignAsk, ask: &Part) -> Result<Page<Campaign>, Fault> {
        if self.soap() {
            return self.soap_campaigns(which, ask, campaign).await;
        }
        let statuses = which.statuses.iter().map(CampaignStatus::as_str).collect::<Vec<_>>().join(",");
        let question = || {
            let mut ask = Ask::get("/v2/campaigns/filtered", &[]);
            if let Some(kind) = &which.kind {
                ask = ask.query("~type", kind.as_str());
            }
            if statuses.is_empty() { ask } else { ask.query("~statuses", &statuses) }
        };
        self.page(question, ask, PAGE, campaign).await
    }

    async fn active_campaigns(&self, since: Timestamp, ask: &Part) -> Result<Page<Campaign>, Fault> {
        let since = date::write(since);
        self.page(|| Ask::get("/v2/campaigns/with-activity-since/{}", &[&since]), ask, PAGE, campaign).await
    }

    async fn campaign(&self, id: &CampaignId) -> Result<Option<Campaign>, Fault> {
        self.one_or_none(Ask::get("/v2/campaigns/{}/with-details", &[&id.to_string()]), whole_campaign).await
    }

    async fn summary(&self, id: &CampaignId) -> Result<Summary, Fault> {
        self.one(Ask::get("/v2/campaigns/{}/summary", &[&id.to_string()]), |row| Some(summary(row))).await
    }

    async fn campaign_lists(&self, id: &CampaignId, ask: &Part) -> Result<Page<ListId>, Fault> {
        let id = id.to_string();
        let list = |row: &Row<'_>| row.id("id").map(ListId);
        self.page(|| Ask::get("/v2/campaigns/{}/address-books", &[&id]), ask, PAGE, list).await
    }

    async fn senders(&self) -> Result<Vec<FromAddress>, Fault> {
        let (mut all, mut part) = (Vec::new(), Part::default());
        loop {
            let page =
                self.page(|| Ask::get("/v2/custom-from-addresses", &[]), &part, PAGE, from_address).await?;
            all.extend(page.rows);
            match page.next {
                Some(next) => part = part.after(next),
                None => return Ok(all),
            }
        }
    }

    async fn create_campaign(&self, draft: &CampaignDraft) -> Result<Campaign, Fault> {
        self.one(Ask::post("/v2/campaigns", &[]).json(&body(draft)), whole_campaign).await
    }

    async fn change_campaign(&self, id: &CampaignId, draft: &CampaignDraft) -> Result<Campaign, Fault> {
        let ask = Ask::put(CAMPAIGN, &[&id.to_string()]).json(&body(draft)).repeatable();
        self.one(ask, whole_campaign).await
    }

    async fn copy_campaign(&self, id: &CampaignId) -> Result<Campaign, Fault> {
        self.one(Ask::post("/v2/campaigns/{}/copy", &[&id.to_string()]), whole_campaign).await
    }
}

fn from_address(row: &Row<'_>) -> Option<FromAddress> {
    Some(FromAddress { id: row.int("id")?, email: row.string("email") })
}

fn campaign(row: &Row<'_>) -> Option<Campaign> {
    let named = |row: &Row<'_>| row.some_text("name");
    let mut tags: Vec<String> = row.rows("tags").iter().filter_map(named).collect();
    tags.extend(row.texts("tags"));
    Some(Campaign {
        id: CampaignId(row.id("id")?),
        name: row.string("name"),
        subject: row.string("subject"),
        from_name: row.string("fromName"),
        from: row.row("fromAddress").as_ref().and_then(from_address),
        reply_action: row.word("replyAction"),
        reply_to: row.some_text("replyToAddress"),
        split_test: row.is("isSplitTest"),
        status: row.word("status"),
        kind: row.get("type").map(|_| row.word::<CampaignType>("type")),
        tags,
        sent: row.moment("sentDate"),
        scheduled: row.moment("scheduledDate"),
        content: None,
    })
}

fn whole_campaign(row: &Row<'_>) -> Option<Campaign> {
    let content = Content { html: row.string("htmlContent"), text: row.string("plainTextContent") };
    let has = row.get("htmlContent").is_some() || row.get("plainTextContent").is_some();
    Some(Campaign { content: has.then_some(content), ..campaign(row)? })
}

fn body(draft: &CampaignDraft) -> Value {
    let action = match &draft.reply_action {
        ReplyAction::Other(_) => ReplyAction::Unset,
        known => known.clone(),
    };
    let mut body = json!({
        "name": draft.name,
        "subject": draft.subject,
        "fromName": draft.from_name,
        "htmlContent": draft.content.html,
        "plainTextContent": draft.content.text,
        "replyAction": action.as_str(),
    });
    if let Some(from) = &draft.from {
        body["fromAddress"] = json!({ "id": from.id, "email": from.email });
    }
    if let Some(address) = &draft.reply_to {
        body["replyToAddress"] = address.as_str().into();
    }
    body
}

fn summary(row: &Row<'_>) -> Summary {
    let figures: BTreeMap<String, u64> = row
        .members()
        .filter(|(name, _)| name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("num")))
        .map(|(name, _)| (name.to_owned(), row.count(name)))
        .collect();
    let total = |name: &str| row.count(&format!("numTotal{name}"));
    let rate = |name: &str| row.float(&format!("percentage{name}"));
    Summary {
        sent_at: row.moment("dateSent"),
        sent: total("Sent"),
        delivered: total("Delivered"),
        unique_opens: total("UniqueOpens"),
        opens: total("Opens"),
        clickers: row.count("numRecipientsClicked"),
        clicks: total("Clicks"),
        page_views: total("PageViews"),
        // The service has no total of these.
        forwards: row.count("numForwards") + row.count("numTextForwards"),
        estimated_forwards: total("EstimatedForwards"),
        replies: total("Replies"),
        hard_bounces: total("HardBounces"),
        soft_bounces: total("SoftBounces"),
        unsubscribes: total("Unsubscribes"),
        complaints: total("IspComplaints"),
        mail_blocks: total("MailBlocks"),
        delivered_rate: rate("Delivered"),
        unique_opens_rate: rate("UniqueOpens"),
        opens_rate: rate("Opens"),
        unsubscribes_rate: rate("Unsubscribes"),
        replies_rate: rate("Replies"),
        hard_bounces_rate: rate("HardBounces"),
        soft_bounces_rate: rate("SoftBounces"),
        clickers_rate: rate("UsersClicked"),
        clicks_to_opens_rate: rate("ClicksToOpens"),
        conversion_rate: row.float("conversionRate"),
        revenue: row.some_text("revenue"),
        assisted_revenue: row.some_text("assistedRevenue"),
        orders: row.count("numOrders"),
        assisted_orders: row.count("numAssistedOrders"),
        figures,
    }
}
