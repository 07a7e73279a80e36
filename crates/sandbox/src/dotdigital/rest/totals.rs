//! Totals of a campaign, counted anew for each answer. Percentages are fractions, as the service writes them
//! (dotdigital.md, fact 30).

use serde_json::{Value, json};

use super::call::moment;
use crate::dotdigital::account::campaign::Campaign;
use crate::dotdigital::account::report::{Recipient, Roi, Row};

#[derive(Default, Clone, Copy)]
struct Counts {
    sent: u32,
    delivered: u32,
    unique_opens: u32,
    opens: u32,
    clicks: u32,
    clickers: u32,
    page_views: u32,
    forwards: u32,
    replies: u32,
    hard: u32,
    soft: u32,
    unsubscribes: u32,
    complaints: u32,
}

fn count<'a>(rows: impl Iterator<Item = &'a Recipient>) -> Counts {
    let mut all = Counts::default();
    for row in rows {
        all.sent += 1;
        all.delivered += u32::from(!row.hard_bounced && !row.soft_bounced);
        all.unique_opens += u32::from(row.opens > 0);
        all.opens += row.opens;
        all.clicks += row.clicks;
        all.clickers += u32::from(row.clicks > 0);
        all.page_views += row.page_views;
        all.forwards += row.forwards;
        all.replies += row.replies;
        all.hard += u32::from(row.hard_bounced);
        all.soft += u32::from(row.soft_bounced);
        all.unsubscribes += u32::from(row.unsubscribed);
        all.complaints += u32::from(row.complained);
    }
    all
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

/// Money and number of orders.
fn orders<'a>(rows: impl Iterator<Item = &'a Row<Roi>>) -> (f64, u32) {
    rows.filter_map(|row| row.what.value.as_f64()).fold((0.0, 0), |(sum, n), value| (sum + value, n + 1))
}

pub(super) fn summary(campaign: &Campaign) -> Value {
    let rows = &campaign.report.recipients;
    let html = count(rows.iter().filter(|row| !row.text));
    let text = count(rows.iter().filter(|row| row.text));
    let all = count(rows.iter());
    let mut body = serde_json::Map::new();
    let mut triple = |name: &str, get: fn(&Counts) -> u32| {
        body.insert(format!("num{name}"), get(&html).into());
        // Where the service's own names differ from its rule.
        let plain =
            if name == "UniqueOpens" { "numUniqueTextOpens".to_owned() } else { format!("numText{name}") };
        body.insert(plain, get(&text).into());
        if name != "Forwards" {
            body.insert(format!("numTotal{name}"), get(&all).into());
        }
    };
    triple("UniqueOpens", |counts| counts.unique_opens);
    triple("Opens", |counts| counts.opens);
    triple("Clicks", |counts| counts.clicks);
    triple("PageViews", |counts| counts.page_views);
    triple("Forwards", |counts| counts.forwards);
    triple("EstimatedForwards", |counts| counts.forwards);
    triple("Replies", |counts| counts.replies);
    triple("HardBounces", |counts| counts.hard);
    triple("SoftBounces", |counts| counts.soft);
    triple("Unsubscribes", |counts| counts.unsubscribes);
    triple("IspComplaints", |counts| counts.complaints);
    triple("MailBlocks", |_| 0);
    triple("Sent", |counts| counts.sent);
    triple("Delivered", |counts| counts.delivered);
    let (revenue, orders) = orders(campaign.report.roi.all().iter());
    let sent = campaign.sent.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), moment);
    let rest = json!({
        "dateSent": sent,
        "numRecipientsClicked": all.clickers,
        "percentageDelivered": share(all.delivered, all.sent),
        "percentageUniqueOpens": share(all.unique_opens, all.delivered),
        "percentageOpens": share(all.opens, all.delivered),
        "percentageUnsubscribes": share(all.unsubscribes, all.delivered),
        "percentageReplies": share(all.replies, all.delivered),
        "percentageHardBounces": share(all.hard, all.sent),
        "percentageSoftBounces": share(all.soft, all.sent),
        "percentageUsersClicked": share(all.clickers, all.delivered),
        "percentageClicksToOpens": share(all.clickers, all.unique_opens),
        "revenue": format!("{revenue:.2}"),
        "conversionRate": share(orders, all.delivered),
        "assistedRevenue": "0.00",
        "numOrders": orders,
        "numAssistedOrders": 0,
    });
    if let Value::Object(rest) = rest {
        body.extend(rest);
    }
    body.into()
}

pub(super) fn revenue<'a>(campaign: &Campaign, rows: impl Iterator<Item = &'a Row<Roi>>) -> Value {
    let (revenue, orders) = orders(rows);
    json!({
        "campaignID": campaign.id,
        "dateLastSent": campaign.sent.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), moment),
        "currency": "GBP",
        "revenue": revenue,
        "numOrders": orders,
        "conversionRate": share(orders, count(campaign.report.recipients.iter()).delivered),
    })
}

pub(super) fn metrics(campaign: &Campaign) -> Value {
    let all = count(campaign.report.recipients.iter());
    let (revenue, orders) = orders(campaign.report.roi.all().iter());
    let main = campaign.main();
    json!({
        "campaignId": campaign.id,
        "dateSent": campaign.sent.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), moment),
        "campaignName": campaign.name,
        "campaignType": if campaign.triggered() { "Triggered" } else { "Standard" },
        "sent": all.sent,
        "delivered": all.delivered,
        "uniqueOpens": all.unique_opens,
        "clicks": all.clicks,
        "hardBounces": all.hard,
        "softBounces": all.soft,
        "replies": all.replies,
        "unsubscribes": all.unsubscribes,
        "forwards": all.forwards,
        "uniqueClicks": all.clickers,
        "sendStatusFails": 0,
        "mailBlocks": 0,
        "opens": all.opens,
        "complaints": all.complaints,
        "pageViews": all.page_views,
        "percentageDelivered": share(all.delivered, all.sent),
        "percentageUniqueOpens": share(all.unique_opens, all.delivered),
        "percentageHardBounces": share(all.hard, all.sent),
        "percentageSoftBounces": share(all.soft, all.sent),
        "percentageReplies": share(all.replies, all.delivered),
        "percentageUnsubscribes": share(all.unsubscribes, all.delivered),
        "percentageUniqueClicks": share(all.clickers, all.delivered),
        "percentageUniqueClicksToOpens": share(all.clickers, all.unique_opens),
        "revenue": revenue,
        "conversionRate": share(orders, all.delivered),
        "assistedRevenue": 0.0,
        "orders": orders,
        "assistedOrders": 0,
        "tags": campaign.tags,
        "subjectLine": main.subject,
        "fromName": main.from_name,
        "fromAddress": main.from_address,
        "isSplitTest": campaign.is_split(),
    })
}
