//! What people did with a campaign, by v2.

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::marketing::{
    Ask as Part, Behaviour, CampaignId, Click, ContactId, Open, Page, PageView, Recipient, Reply, RoiDetail,
    SocialView,
};

use super::Dotdigital;
use super::list::PAGE;
use crate::ask::Ask;
use crate::date;
use crate::wire::Row;

/// Replies in a page: the service's most.
const REPLIES: u32 = 5;

/// All rows, or those since a moment.
fn question(
    all: &'static str,
    since: &'static str,
    campaign: &CampaignId,
    from: Option<Timestamp>,
) -> impl Fn() -> Ask + Send + Sync + use<> {
    let (campaign, from) = (campaign.to_string(), from.map(date::write));
    move || match &from {
        None => Ask::get(all, &[&campaign]),
        Some(from) => Ask::get(since, &[&campaign, from]),
    }
}

#[async_trait]
impl Behaviour for Dotdigital {
    async fn recipients(
        &self,
        campaign: &CampaignId,
        since: Option<Timestamp>,
        ask: &Part,
    ) -> Result<Page<Recipient>, Fault> {
        const ALL: &str = "/v2/campaigns/{}/activities";
        const SINCE: &str = "/v2/campaigns/{}/activities/since-date/{}";
        self.page(question(ALL, SINCE, campaign, since), ask, PAGE, recipient).await
    }

    async fn clicks(
        &self,
        campaign: &CampaignId,
        since: Option<Timestamp>,
        ask: &Part,
    ) -> Result<Page<Click>, Fault> {
        const ALL: &str = "/v2/campaigns/{}/clicks";
        const SINCE: &str = "/v2/campaigns/{}/clicks/since-date/{}";
        if self.soap() {
            let all = question(ALL, SINCE, campaign, None);
            return self.soap_report(all, since, ask, click, |click| click.at).await;
        }
        self.page(question(ALL, SINCE, campaign, since), ask, PAGE, click).await
    }

    async fn opens(
        &self,
        campaign: &CampaignId,
        since: Option<Timestamp>,
        ask: &Part,
    ) -> Result<Page<Open>, Fault> {
        const ALL: &str = "/v2/campaigns/{}/opens";
        const SINCE: &str = "/v2/campaigns/{}/opens/since-date/{}";
        if self.soap() {
            let all = question(ALL, SINCE, campaign, None);
            return self.soap_report(all, since, ask, open, |open| open.at).await;
        }
        self.page(question(ALL, SINCE, campaign, since), ask, PAGE, open).await
    }

    async fn page_views(
        &self,
        campaign: &CampaignId,
        since: Timestamp,
        ask: &Part,
    ) -> Result<Page<PageView>, Fault> {
        const SINCE: &str = "/v2/campaigns/{}/page-views/since-date/{}";
        self.page(question(SINCE, SINCE, campaign, Some(since)), ask, PAGE, page_view).await
    }

    async fn replies(
        &self,
        campaign: &CampaignId,
        contact: &ContactId,
        ask: &Part,
    ) -> Result<Page<Reply>, Fault> {
        const ROUTE: &str = "/v2/campaigns/{}/activities/{}/replies";
        let (campaign, contact) = (campaign.to_string(), contact.to_string());
        self.page(|| Ask::get(ROUTE, &[&campaign, &contact]), ask, REPLIES, reply).await
    }

    async fn social_views(&self, campaign: &CampaignId, ask: &Part) -> Result<Page<SocialView>, Fault> {
        const ROUTE: &str = "/v2/campaigns/{}/social-bookmark-views";
        self.page(question(ROUTE, ROUTE, campaign, None), ask, PAGE, social).await
    }

    async fn roi_details(
        &self,
        campaign: &CampaignId,
        since: Timestamp,
        ask: &Part,
    ) -> Result<Page<RoiDetail>, Fault> {
        const SINCE: &str = "/v2/campaigns/{}/roi-details/since-date/{}";
        self.page(question(SINCE, SINCE, campaign, Some(since)), ask, PAGE, roi).await
    }

    async fn hard_bounces(
        &self,
        campaign: &CampaignId,
        ask: &Part,
    ) -> Result<Page<(Option<ContactId>, String)>, Fault> {
        const ROUTE: &str = "/v2/campaigns/{}/hard-bouncing-contacts";
        let person = |row: &Row<'_>| Some((row.id("id").map(ContactId), row.some_text("email")?));
        self.page(question(ROUTE, ROUTE, campaign, None), ask, PAGE, person).await
    }
}

fn contact(row: &Row<'_>) -> Option<ContactId> {
    row.id("contactId").map(ContactId)
}

fn recipient(row: &Row<'_>) -> Option<Recipient> {
    Some(Recipient {
        contact: contact(row),
        email: row.string("email"),
        sent_at: row.moment("dateSent"),
        first_opened: row.moment("dateFirstOpened"),
        last_opened: row.moment("dateLastOpened"),
        first_open_ip: row.some_text("firstOpenIp"),
        opens: row.count("numOpens"),
        clicks: row.count("numClicks"),
        page_views: row.count("numPageViews"),
        forwards: row.count("numForwards"),
        estimated_forwards: row.count("numEstimatedForwards"),
        replies: row.count("numReplies"),
        unsubscribed: row.is("unsubscribed"),
        soft_bounced: row.is("softBounced"),
        hard_bounced: row.is("hardBounced"),
    })
}

fn click(row: &Row<'_>) -> Option<Click> {
    Some(Click {
        contact: contact(row),
        email: row.string("email"),
        url: row.string("url"),
        at: row.moment("dateClicked"),
        ip: row.some_text("ipAddress"),
        user_agent: row.some_text("userAgent"),
        keyword: row.some_text("keyword"),
    })
}

fn open(row: &Row<'_>) -> Option<Open> {
    Some(Open {
        contact: contact(row),
        email: row.string("email"),
        at: row.moment("dateOpened"),
        mail_client: row.some_text("mailClient"),
        mail_client_version: row.some_text("mailClientVersion"),
        ip: row.some_text("ipAddress"),
        user_agent: row.some_text("userAgent"),
        html: row.is("isHtml"),
        forwarded: row.is("isForward"),
    })
}

fn page_view(row: &Row<'_>) -> Option<PageView> {
    Some(PageView {
        contact: contact(row),
        email: row.string("email"),
        url: row.string("url"),
        at: row.moment("dateViewed"),
    })
}

fn reply(row: &Row<'_>) -> Option<Reply> {
    Some(Reply {
        contact: contact(row),
        email: row.string("email"),
        from: row.string("fromAddress"),
        to: row.string("toAddress"),
        subject: row.string("subject"),
        message: row.string("message"),
        html: row.is("isHtml"),
        at: row.moment("dateReplied"),
        kind: row.word("replyType"),
    })
}

fn social(row: &Row<'_>) -> Option<SocialView> {
    Some(SocialView {
        contact: contact(row),
        email: row.string("email"),
        network: row.string("bookmarkName"),
        views: row.count("numViews"),
    })
}

fn roi(row: &Row<'_>) -> Option<RoiDetail> {
    Some(RoiDetail {
        contact: contact(row),
        email: row.string("email"),
        marker: row.string("markerName"),
        kind: row.word("dataType"),
        value: row.string("value"),
        at: row.moment("dateEntered"),
    })
}
