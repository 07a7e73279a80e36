//! What came of campaigns: totals and rows. Source: dotdigital.md A17.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Answer, Call, Refusal, moment, ok};
use super::campaigns::campaign;
use super::{contacts, totals};
use crate::dotdigital::account::report::{Click, Open, Recipient, Reply, Report, Roi, Row, Rows, SocialView};

/// What "never" looks like.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// Replies of one page.
const MOST_REPLIES: usize = 5;

fn summary(row: &Recipient) -> Value {
    let at = |at: Option<Timestamp>| at.map_or_else(|| NEVER.to_owned(), moment);
    json!({
        "contactId": row.contact,
        "email": row.email,
        "numOpens": row.opens,
        "numPageViews": row.page_views,
        "numClicks": row.clicks,
        "numForwards": row.forwards,
        "numEstimatedForwards": row.forwards,
        "numReplies": row.replies,
        "dateSent": moment(row.sent),
        "dateFirstOpened": at(row.first_open),
        "dateLastOpened": at(row.last_open),
        "firstOpenIp": row.first_ip.as_deref().unwrap_or_default(),
        "unsubscribed": row.unsubscribed,
        "softBounced": row.soft_bounced,
        "hardBounced": row.hard_bounced,
    })
}

fn click(row: &Row<Click>) -> Value {
    json!({
        "contactId": row.contact,
        "email": row.email,
        "url": row.what.url,
        "ipAddress": row.what.ip,
        "userAgent": row.what.agent,
        "dateClicked": moment(row.at),
        "keyword": "",
    })
}

fn grouped_click(row: &Row<Click>) -> Value {
    let mut click = click(row);
    click["groups"] = json!([]);
    click
}

fn open(row: &Row<Open>) -> Value {
    json!({
        "contactId": row.contact,
        "email": row.email,
        "mailClient": row.what.client,
        "mailClientVersion": "",
        "ipAddress": row.what.ip,
        "userAgent": row.what.agent,
        "isHtml": true,
        "isForward": false,
        "dateOpened": moment(row.at),
    })
}

fn page_view(row: &Row<String>) -> Value {
    json!({ "contactId": row.contact, "email": row.email, "url": row.what, "dateViewed": moment(row.at) })
}

fn reply(row: &Row<Reply>) -> Value {
    json!({
        "contactId": row.contact,
        "email": row.email,
        "fromAddress": row.email,
        "toAddress": super::campaigns::FROM.1,
        "subject": "Re:",
        "message": row.what.text,
        "isHtml": false,
        "dateReplied": moment(row.at),
        "replyType": if row.what.automatic { "AutoReply" } else { "Reply" },
        "customReplyToAddress": null,
    })
}

fn roi(row: &Row<Roi>) -> Value {
    json!({
        "contactId": row.contact,
        "email": row.email,
        "markerName": row.what.marker,
        "dataType": row.what.kind.word(),
        "value": row.what.value,
        "dateEntered": moment(row.at),
    })
}

fn social_view(row: &SocialView) -> Value {
    json!({
        "contactId": row.contact, "email": row.email, "bookmarkName": row.network, "numViews": row.views,
    })
}

pub(super) fn activities(call: &mut Call<'_>) -> Answer {
    let page = call.page()?;
    ok(page.slice(&campaign(call, 0)?.report.recipients).iter().map(summary).collect())
}

pub(super) fn activities_since(call: &mut Call<'_>) -> Answer {
    let (page, since) = (call.page_of(2000, 2000)?, call.since(1)?);
    let rows = campaign(call, 0)?.report.recipients.iter().filter(|row| row.changed >= since);
    ok(page.cut(rows).into_iter().map(summary).collect())
}

/// The last mail to this contact, also to one that is gone.
fn recipient<'a>(call: &'a Call<'_>) -> Result<&'a Recipient, Refusal> {
    let contact = call.id(1)?;
    campaign(call, 0)?.report.recipient(contact).ok_or(Refusal::absent("ERROR_CONTACT_NOT_FOUND"))
}

pub(super) fn activity(call: &mut Call<'_>) -> Answer {
    ok(summary(recipient(call)?))
}

type Get<T> = fn(&Report) -> &Rows<T>;

fn all<T>(call: &Call<'_>, get: Get<T>, row: fn(&Row<T>) -> Value) -> Answer {
    let page = call.page()?;
    ok(page.slice(get(&campaign(call, 0)?.report).all()).iter().map(row).collect())
}

fn since<T>(call: &Call<'_>, get: Get<T>, row: fn(&Row<T>) -> Value) -> Answer {
    let (page, since) = (call.page()?, call.since(1)?);
    ok(page.slice(get(&campaign(call, 0)?.report).since(since)).iter().map(row).collect())
}

fn of<T>(call: &Call<'_>, get: Get<T>, row: fn(&Row<T>) -> Value, most: usize) -> Answer {
    let page = call.page_of(most, most)?;
    let contact = recipient(call)?.contact;
    let rows = get(&campaign(call, 0)?.report).all().iter().filter(|row| row.contact == contact);
    ok(page.cut(rows).into_iter().map(row).collect())
}

pub(super) fn clicks(call: &mut Call<'_>) -> Answer {
    all(call, |report| &report.clicks, click)
}

pub(super) fn clicks_since(call: &mut Call<'_>) -> Answer {
    since(call, |report| &report.clicks, click)
}

pub(super) fn clicks_of(call: &mut Call<'_>) -> Answer {
    of(call, |report| &report.clicks, click, 1000)
}

pub(super) fn grouped_clicks(call: &mut Call<'_>) -> Answer {
    all(call, |report| &report.clicks, grouped_click)
}

pub(super) fn grouped_clicks_since(call: &mut Call<'_>) -> Answer {
    since(call, |report| &report.clicks, grouped_click)
}

pub(super) fn grouped_clicks_of(call: &mut Call<'_>) -> Answer {
    of(call, |report| &report.clicks, grouped_click, 1000)
}

pub(super) fn opens(call: &mut Call<'_>) -> Answer {
    all(call, |report| &report.opens, open)
}

pub(super) fn opens_since(call: &mut Call<'_>) -> Answer {
    since(call, |report| &report.opens, open)
}

pub(super) fn opens_of(call: &mut Call<'_>) -> Answer {
    of(call, |report| &report.opens, open, 1000)
}

pub(super) fn page_views_since(call: &mut Call<'_>) -> Answer {
    since(call, |report| &report.page_views, page_view)
}

pub(super) fn page_views_of(call: &mut Call<'_>) -> Answer {
    of(call, |report| &report.page_views, page_view, 1000)
}

pub(super) fn replies_of(call: &mut Call<'_>) -> Answer {
    of(call, |report| &report.replies, reply, MOST_REPLIES)
}

pub(super) fn roi_since(call: &mut Call<'_>) -> Answer {
    since(call, |report| &report.roi, roi)
}

pub(super) fn roi_of(call: &mut Call<'_>) -> Answer {
    of(call, |report| &report.roi, roi, 1000)
}

pub(super) fn social(call: &mut Call<'_>) -> Answer {
    let page = call.page()?;
    ok(page.slice(&campaign(call, 0)?.report.social).iter().map(social_view).collect())
}

pub(super) fn social_of(call: &mut Call<'_>) -> Answer {
    let (page, contact) = (call.page()?, recipient(call)?.contact);
    let rows = campaign(call, 0)?.report.social.iter().filter(|row| row.contact == contact);
    ok(page.cut(rows).into_iter().map(social_view).collect())
}

pub(super) fn hard_bouncing(call: &mut Call<'_>) -> Answer {
    let (page, full) = (call.page()?, call.flag("withFullData"));
    let rows = campaign(call, 0)?.report.recipients.iter().filter(|row| row.hard_bounced);
    let found = rows.filter_map(|row| call.account.contacts.get(row.contact));
    ok(page.cut(found).into_iter().map(|contact| contacts::json(call.account, contact, full)).collect())
}

pub(super) fn summary_of(call: &mut Call<'_>) -> Answer {
    ok(totals::summary(campaign(call, 0)?))
}

pub(super) fn revenue_since(call: &mut Call<'_>) -> Answer {
    let since = call.since(1)?;
    let campaign = campaign(call, 0)?;
    ok(totals::revenue(campaign, campaign.report.roi.since(since).iter()))
}

pub(super) fn revenue_of(call: &mut Call<'_>) -> Answer {
    let contact = recipient(call)?.contact;
    let campaign = campaign(call, 0)?;
    ok(totals::revenue(campaign, campaign.report.roi.all().iter().filter(|row| row.contact == contact)))
}

pub(super) fn metrics(call: &mut Call<'_>) -> Answer {
    let at = |name: &str, default: Timestamp| match call.query(name) {
        None => Ok(default),
        Some(text) => {
            crate::dotdigital::account::field::date(text).ok_or(Refusal::bad("ERROR_PARAMETER_INVALID"))
        }
    };
    let (from, to) = (at("startDate", Timestamp::UNIX_EPOCH)?, at("endDate", call.now)?);
    let sent = call.account.campaigns.values();
    let sent = sent.filter(|campaign| campaign.sent.is_some_and(|at| at >= from && at <= to));
    ok(call.page()?.cut(sent).into_iter().map(totals::metrics).collect())
}
