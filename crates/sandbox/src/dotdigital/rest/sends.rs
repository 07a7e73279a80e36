//! Sends of campaigns, and single mails. Source: dotdigital.md A16 and A21.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::call::{Answer, Call, Refusal, Reply, accepted, created, ints, member, moment, ok, text};
use super::{campaigns, contacts};
use crate::dotdigital::account::campaign::Metric;
use crate::dotdigital::account::contact::{Key, Status};
use crate::dotdigital::account::field::date;
use crate::dotdigital::account::sending::{MailKind, Send, SendStatus, Split};

fn json_of(send: &Send) -> Value {
    let split = send.split.map(|split| {
        json!({
            "testMetric": split.metric.word(),
            "testPercentage": split.percentage,
            "testPeriodHours": split.hours,
        })
    });
    json!({
        "id": send.id,
        "campaignId": send.campaign,
        "addressBookIds": send.lists,
        "contactIds": send.contacts,
        "sendDate": moment(send.date),
        "splitTestOptions": split,
        "status": send.status.word(),
    })
}

pub(super) fn send(call: &mut Call<'_>) -> Answer {
    begin(call, true)
}

/// Without a date and without a test.
pub(super) fn send_optimised(call: &mut Call<'_>) -> Answer {
    begin(call, false)
}

fn begin(call: &mut Call<'_>, plain: bool) -> Answer {
    let body = call.object()?;
    let id = campaigns::id_of(&body, "campaignId")?;
    let campaign = call.account.campaigns.get(&id).ok_or(Refusal::absent("ERROR_CAMPAIGN_NOT_FOUND"))?;
    if campaign.triggered() {
        return Err(Refusal::bad("ERROR_CAMPAIGN_SEND_INVALID"));
    }
    let (is_split, now) = (campaign.is_split(), call.now);
    let at = match text(&body, "sendDate").filter(|_| plain) {
        None => now,
        Some(text) => date(text).ok_or(Refusal::bad("ERROR_CAMPAIGN_SEND_INVALID"))?.max(now),
    };
    let status = if at > now { SendStatus::Scheduled } else { SendStatus::NotSent };
    let mut send = Send::new(call.ids.next(), id, at, status);
    send.lists = ints(&body, "addressBookIds")?;
    send.contacts = ints(&body, "contactIds")?;
    check_audience(call, &send)?;
    send.split = match member(&body, "splitTestOptions").filter(|_| plain) {
        None => None,
        Some(_) if !is_split => return Err(Refusal::bad("ERROR_CAMPAIGN_SEND_INVALID")),
        Some(options) => Some(split(options)?),
    };
    if send.split.is_none() && is_split {
        return Err(Refusal::bad("ERROR_CAMPAIGN_SEND_INVALID"));
    }
    if let Some(campaign) = call.account.campaigns.get_mut(&id) {
        campaign.scheduled = Some(at);
    }
    let answer = json_of(&send);
    call.account.sends.insert(send.id, send);
    accepted(answer)
}

fn split(options: &Value) -> Result<Split, Refusal> {
    let invalid = || Refusal::bad("ERROR_CAMPAIGN_SEND_INVALID");
    let metric = match text(options, "testMetric") {
        Some("Opens") => Metric::Opens,
        Some("Clicks") => Metric::Clicks,
        Some("ROI") => Metric::Roi,
        _ => return Err(invalid()),
    };
    let number =
        |name: &str| super::call::int(options, name).filter(|number| *number >= 1).ok_or_else(invalid);
    let (percentage, hours) = (number("testPercentage")?, number("testPeriodHours")?);
    if percentage > 100 {
        return Err(invalid());
    }
    Ok(Split { metric, percentage, hours })
}

/// One contact that is suppressed stops the whole call (seen in the vendor's shop module).
fn check_audience(call: &Call<'_>, send: &Send) -> Result<(), Refusal> {
    let known =
        |list: &i32| call.account.lists.contains_key(list) || call.account.segments.contains_key(list);
    if !send.lists.iter().all(known) {
        return Err(Refusal::absent("ERROR_ADDRESSBOOK_NOT_FOUND"));
    }
    for contact in &send.contacts {
        let contact = contacts::contact(call.account, *contact)?;
        if contact.status.suppresses() {
            return Err(Refusal::bad("ERROR_CONTACT_SUPPRESSED"));
        }
    }
    Ok(())
}

pub(super) fn progress(call: &mut Call<'_>) -> Answer {
    let id = super::guid(call, 0)?;
    ok(json_of(call.account.sends.get(&id).ok_or(Refusal::absent("ERROR_CAMPAIGN_SEND_INVALID"))?))
}

/// Recipients of a transactional mail.
fn recipients(body: &Value) -> Result<Vec<String>, &'static str> {
    let mut all = Vec::new();
    for name in ["toAddresses", "ccAddresses", "bccAddresses"] {
        let rows = member(body, name).and_then(Value::as_array).into_iter().flatten();
        all.extend(rows.filter_map(Value::as_str).map(str::to_owned));
    }
    let some = member(body, "toAddresses").and_then(Value::as_array).is_some_and(|to| !to.is_empty());
    match some && all.iter().all(|email| contacts::is_address(email)) {
        true => Ok(all),
        false => Err("ERROR_INVALID_EMAIL"),
    }
}

/// A transactional mail: opt-outs do not count.
fn transactional(call: &mut Call<'_>, body: &Value) -> Result<(), &'static str> {
    let to = recipients(body)?;
    let content = |name: &str| text(body, name).is_some_and(|text| !text.is_empty());
    if !content("subject") || !(content("htmlContent") || content("plainTextContent")) {
        return Err("ERROR_PARAMETER_INVALID");
    }
    for email in to {
        call.mail(MailKind::Transactional, &email, None);
    }
    Ok(())
}

fn triggered(call: &mut Call<'_>, body: &Value) -> Result<(), &'static str> {
    let to = recipients(body)?;
    let id = super::call::int(body, "campaignId").unwrap_or(0);
    match call.account.campaigns.get(&id) {
        None => return Err("ERROR_CAMPAIGN_NOT_FOUND"),
        Some(campaign) if !campaign.triggered() => return Err("ERROR_CAMPAIGN_INVALID"),
        Some(_) => {}
    }
    for email in to {
        call.mail(MailKind::Transactional, &email, Some(id));
    }
    Ok(())
}

type Single = fn(&mut Call<'_>, &Value) -> Result<(), &'static str>;

fn single(call: &mut Call<'_>, send: Single) -> Answer {
    let body = call.object()?;
    send(call, &body).map_err(Refusal::bad)?;
    Ok(Reply::Empty(StatusCode::OK))
}

/// Rows can fail inside a 200.
fn batch(call: &mut Call<'_>, send: Single) -> Answer {
    let body = call.json()?;
    let rows = body.as_array().ok_or(Refusal::bad("ERROR_PARAMETER_INVALID"))?;
    let results = rows.iter().enumerate().map(|(index, row)| match send(call, row) {
        Ok(()) => json!({ "index": index }),
        Err(code) => {
            json!({ "index": index, "failureCode": code, "failureReason": format!("Error: {code}") })
        }
    });
    let results: Vec<_> = results.collect();
    ok(results.into())
}

pub(super) fn email(call: &mut Call<'_>) -> Answer {
    single(call, transactional)
}

pub(super) fn emails(call: &mut Call<'_>) -> Answer {
    batch(call, transactional)
}

pub(super) fn triggered_email(call: &mut Call<'_>) -> Answer {
    single(call, triggered)
}

pub(super) fn triggered_emails(call: &mut Call<'_>) -> Answer {
    batch(call, triggered)
}

pub(super) fn statistics(call: &mut Call<'_>) -> Answer {
    let since = call.since(0)?;
    let until = match call.query("endDate").filter(|text| !text.is_empty()) {
        None => call.now,
        Some(text) => date(text).ok_or(Refusal::bad("ERROR_PARAMETER_INVALID"))?,
    };
    let sent = call.account.log.iter().filter(|mailing| {
        mailing.kind == MailKind::Transactional && mailing.at >= since && mailing.at <= until
    });
    let sent = sent.count();
    ok(json!([{
        "startDate": moment(since), "endDate": moment(until), "numSent": sent, "numDelivered": sent,
        "numOpens": 0, "numClicks": 0, "numIspComplaints": 0, "numBounces": 0,
    }]))
}

/// How one mail of the marketing e-mail service went.
enum Marketing {
    Sent,
    /// Code of the refusal.
    OptedOut(&'static str),
    /// The codes of a single call and of a batch, and why.
    Wrong(&'static str, &'static str, &'static str),
}

/// Opt-outs count, and who is unknown becomes a subscribed contact.
fn marketing(call: &mut Call<'_>, body: &Value) -> Marketing {
    let invalid = Marketing::Wrong("marketingemail:invalidValue", "INVALID_EMAIL", "Invalid value for 'to'");
    let Some(to) = body.get("to").and_then(Value::as_str) else { return invalid };
    if !contacts::is_address(to) {
        return invalid;
    }
    let content = body.get("content").cloned().unwrap_or_default();
    let word = |name: &str| content.get(name).and_then(Value::as_str).unwrap_or_default();
    let campaign = content.get("campaignId").and_then(Value::as_i64).and_then(|id| i32::try_from(id).ok());
    match word("source") {
        "html" if word("subject").is_empty() => {
            return Marketing::Wrong("marketingemail:badRequest", "MISSING_CONTENT", "There is no subject");
        }
        "html" if !word("htmlContent").contains("$UNSUB$") => {
            return Marketing::Wrong(
                "marketingemail:badRequest",
                "MISSING_UNSUB",
                "The content needs $UNSUB$",
            );
        }
        "html" => {}
        "template"
            if campaign.and_then(|id| call.account.campaigns.get(&id)).is_some_and(|it| it.triggered()) => {}
        "template" => {
            return Marketing::Wrong(
                "marketingemail:campaignNotFound",
                "INVALID_CAMPAIGN",
                "No such campaign",
            );
        }
        _ => return Marketing::Wrong("marketingemail:badJson", "MISSING_CONTENT", "There is no content"),
    }
    let refused = match call.account.status_of(to) {
        Status::Subscribed | Status::SoftBounced => None,
        Status::Unsubscribed | Status::PendingOptIn => Some("marketingEmail:unsubscribed"),
        Status::HardBounced => Some("marketingEmail:hardBounced"),
        Status::IspComplained | Status::DirectComplaint => Some("marketingEmail:complaint"),
        Status::MailBlocked => Some("marketingEmail:blocked"),
        _ => Some("marketingEmail:suppressed"),
    };
    if refused.is_none() && call.account.contacts.find(&Key::Email(to.to_owned())).is_none() {
        let contact = call.account.blank(Some(to), call.now);
        call.account.contacts.put(contact);
    }
    let to = to.to_owned();
    // What is refused is in the log, too: somebody asked for it.
    call.mail(MailKind::Marketing, &to, campaign.filter(|_| word("source") == "template"));
    refused.map_or(Marketing::Sent, Marketing::OptedOut)
}

pub(super) fn marketing_email(call: &mut Call<'_>) -> Answer {
    let body: Value = serde_json::from_slice(call.body)
        .map_err(|_| Refusal::v3("marketingemail:badJson", "The body is no JSON"))?;
    match marketing(call, &body) {
        Marketing::Sent => Ok(Reply::Empty(StatusCode::CREATED)),
        Marketing::OptedOut(code) => {
            Err(Refusal::V3(StatusCode::CONFLICT, code, "The recipient can't be contacted".to_owned()))
        }
        Marketing::Wrong(code, _, why) => Err(Refusal::v3(code, why)),
    }
}

pub(super) fn marketing_emails(call: &mut Call<'_>) -> Answer {
    let bad = || Refusal::v3("marketingemail:badJson", "The body must be an array");
    let body: Value = serde_json::from_slice(call.body).map_err(|_| bad())?;
    let (mut sent, mut away, mut failed, mut results) = (0, 0, 0, Vec::new());
    for (index, row) in body.as_array().ok_or_else(bad)?.iter().enumerate() {
        let failure = |code: &str, why: &str| json!([{ "failureCode": code, "description": why }]);
        results.push(match marketing(call, row) {
            Marketing::Sent => {
                sent += 1;
                json!({ "index": index, "status": "sent" })
            }
            Marketing::OptedOut(code) => {
                away += 1;
                let failures = failure(code, "The recipient can't be contacted");
                json!({ "index": index, "status": "uncontactable", "failures": failures })
            }
            Marketing::Wrong(_, code, why) => {
                failed += 1;
                json!({ "index": index, "status": "failed", "failures": failure(code, why) })
            }
        });
    }
    let summary = json!({ "sent": sent, "uncontactable": away, "failed": failed });
    created(json!({ "summary": summary, "results": results }))
}
