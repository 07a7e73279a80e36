//! Campaigns. Source: dotdigital.md A16.

use serde_json::{Value, json};

use super::call::{
    Answer, Call, Refusal, created, int, member, moment, moment_or_null, no_content, ok, text,
};
use crate::dotdigital::account::campaign::{Campaign, CampaignStatus, Version};
use crate::dotdigital::account::field::date;

/// The address that mail comes from unless another is named.
pub(crate) const FROM: (i32, &str) = (1, "news@mail.example.com");
const LONGEST_NAME: usize = 255;

pub(super) fn campaign<'a>(call: &'a Call<'_>, place: usize) -> Result<&'a Campaign, Refusal> {
    let id = call.id(place)?;
    call.account.campaigns.get(&id).ok_or(Refusal::absent("ERROR_CAMPAIGN_NOT_FOUND"))
}

fn campaign_mut<'a>(call: &'a mut Call<'_>, place: usize) -> Result<&'a mut Campaign, Refusal> {
    let id = call.id(place)?;
    call.account.campaigns.get_mut(&id).ok_or(Refusal::absent("ERROR_CAMPAIGN_NOT_FOUND"))
}

/// Pages leave the content out.
pub(super) fn json_of(campaign: &Campaign, content: bool) -> Value {
    let main = campaign.main();
    let mut row = json!({
        "id": campaign.id,
        "name": campaign.name,
        "subject": main.subject,
        "fromName": main.from_name,
        "fromAddress": { "id": FROM.0, "email": main.from_address },
        "htmlContent": null,
        "plainTextContent": null,
        "replyAction": campaign.reply_action,
        "replyToAddress": campaign.reply_to,
        "isSplitTest": campaign.is_split(),
        "status": campaign.status.word(),
        "customReplyToAddress": campaign.custom_reply_to,
    });
    if content {
        row["htmlContent"] = main.html.as_str().into();
        row["plainTextContent"] = main.text.as_str().into();
    }
    row
}

fn kind(campaign: &Campaign) -> &'static str {
    if campaign.triggered() { "Triggered" } else { "Standard" }
}

fn detailed(campaign: &Campaign, content: bool) -> Value {
    let mut row = json_of(campaign, content);
    row["type"] = kind(campaign).into();
    row["tags"] = campaign.tags.iter().map(|tag| json!({ "name": tag })).collect();
    row["splitTestOptions"] = Value::Null;
    row["sentDate"] =
        campaign.sent.map_or_else(|| Value::from("0001-01-01T00:00:00Z"), |at| moment(at).into());
    row
}

fn rows(call: &Call<'_>, which: impl Fn(&Campaign) -> bool, row: impl Fn(&Campaign) -> Value) -> Answer {
    let found = call.account.campaigns.values().filter(|campaign| which(campaign));
    ok(call.page()?.cut(found).into_iter().map(row).collect())
}

pub(super) fn all(call: &mut Call<'_>) -> Answer {
    rows(call, |_| true, |campaign| json_of(campaign, false))
}

pub(super) fn with_details(call: &mut Call<'_>) -> Answer {
    rows(call, |_| true, |campaign| detailed(campaign, false))
}

pub(super) fn filtered(call: &mut Call<'_>) -> Answer {
    let at = |name: &str| match call.query(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => date(text).map(Some).ok_or(Refusal::bad("ERROR_PARAMETER_INVALID")),
    };
    let (sent, from, to) = (at("~sentDate")?, at("~scheduledDateFrom")?, at("~scheduledDateTo")?);
    let words = |name: &str| -> Vec<&str> {
        let all = call.query.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        all.flat_map(|(_, value)| value.split(',')).filter(|word| !word.is_empty()).collect()
    };
    let (statuses, tags) = (words("~statuses"), words("~tags"));
    let wanted = call.query("~type").filter(|word| !word.is_empty());
    let which = |campaign: &Campaign| {
        wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind(campaign)))
            && (statuses.is_empty()
                || statuses.iter().any(|word| word.eq_ignore_ascii_case(campaign.status.word())))
            && (tags.is_empty() || tags.iter().any(|tag| campaign.tags.iter().any(|known| known == tag)))
            && sent.is_none_or(|since| campaign.sent.is_some_and(|sent| sent >= since))
            && from.is_none_or(|from| campaign.scheduled.is_some_and(|at| at >= from))
            && to.is_none_or(|to| campaign.scheduled.is_some_and(|at| at <= to))
    };
    rows(call, which, |campaign| {
        let mut row = json_of(campaign, false);
        row["type"] = kind(campaign).into();
        row["tags"] = campaign.tags.clone().into();
        row["sentDate"] = moment_or_null(campaign.sent);
        row["scheduledDate"] = moment_or_null(campaign.scheduled);
        row
    })
}

pub(super) fn with_activity_since(call: &mut Call<'_>) -> Answer {
    let since = call.since(0)?;
    let changed = |campaign: &Campaign| {
        campaign.sent.is_some() && campaign.report.changed.is_some_and(|changed| changed >= since)
    };
    rows(call, changed, |campaign| json_of(campaign, false))
}

pub(super) fn of_list(call: &mut Call<'_>) -> Answer {
    let list = super::lists::list_or_segment(call, 0)?;
    rows(call, |campaign| campaign.sent_to.contains(&list), |campaign| json_of(campaign, false))
}

pub(super) fn one(call: &mut Call<'_>) -> Answer {
    ok(json_of(campaign(call, 0)?, true))
}

pub(super) fn one_with_details(call: &mut Call<'_>) -> Answer {
    ok(detailed(campaign(call, 0)?, true))
}

/// Everything that a writer says but the versions.
fn header(body: &Value) -> Result<Campaign, Refusal> {
    let invalid = || Refusal::bad("ERROR_CAMPAIGN_INVALID");
    let name = text(body, "name").filter(|name| !name.is_empty() && name.chars().count() <= LONGEST_NAME);
    let reply_action = text(body, "replyAction").unwrap_or("Unset");
    if !["Unset", "WebMailForward", "Webmail", "Delete"].contains(&reply_action) {
        return Err(invalid());
    }
    let triggered = text(body, "type") == Some("Triggered");
    Ok(Campaign {
        name: name.ok_or_else(invalid)?.to_owned(),
        reply_action: reply_action.to_owned(),
        reply_to: text(body, "replyToAddress").map(str::to_owned),
        custom_reply_to: text(body, "customReplyToAddress").map(str::to_owned),
        status: if triggered { CampaignStatus::Triggered } else { CampaignStatus::Unsent },
        ..Campaign::default()
    })
}

fn read(body: &Value) -> Result<Campaign, Refusal> {
    let invalid = || Refusal::bad("ERROR_CAMPAIGN_INVALID");
    let need = |name: &str| text(body, name).filter(|text| !text.is_empty()).map(str::to_owned);
    let from = member(body, "fromAddress").and_then(|from| text(from, "email"));
    let version = Version {
        subject: need("subject").ok_or_else(invalid)?,
        from_name: need("fromName").ok_or_else(invalid)?,
        from_address: from.unwrap_or(FROM.1).to_owned(),
        html: need("htmlContent").ok_or_else(invalid)?,
        text: need("plainTextContent").ok_or_else(invalid)?,
    };
    Ok(Campaign { versions: vec![version], ..header(body)? })
}

fn add(call: &mut Call<'_>, mut campaign: Campaign) -> i32 {
    let id = call.account.next_id();
    campaign.id = id;
    call.account.campaigns.insert(id, campaign);
    id
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let campaign = read(&call.object()?)?;
    let id = add(call, campaign);
    let campaign = &call.account.campaigns[&id];
    let mut row = json_of(campaign, true);
    row["type"] = kind(campaign).into();
    created(row)
}

/// Not once it was sent.
pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let wanted = read(&call.object()?)?;
    let known = campaign_mut(call, 0)?;
    if !matches!(known.status, CampaignStatus::Unsent | CampaignStatus::Triggered) {
        return Err(Refusal::bad("ERROR_CAMPAIGN_READONLY"));
    }
    *known = Campaign {
        id: known.id,
        status: known.status,
        tags: std::mem::take(&mut known.tags),
        report: std::mem::take(&mut known.report),
        ..wanted
    };
    ok(json_of(known, true))
}

/// The reports go along.
pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = campaign(call, 0)?.id;
    call.account.campaigns.remove(&id);
    call.account.sends.retain(|_, send| send.campaign != id);
    no_content()
}

pub(super) fn copy(call: &mut Call<'_>) -> Answer {
    let known = campaign(call, 0)?;
    let name: String = format!("Copy of {}", known.name).chars().take(LONGEST_NAME).collect();
    let status = if known.triggered() { CampaignStatus::Triggered } else { CampaignStatus::Unsent };
    let copy = Campaign {
        name,
        status,
        versions: known.versions.clone(),
        reply_action: known.reply_action.clone(),
        reply_to: known.reply_to.clone(),
        custom_reply_to: known.custom_reply_to.clone(),
        tags: known.tags.clone(),
        ..Campaign::default()
    };
    let id = add(call, copy);
    created(json_of(&call.account.campaigns[&id], true))
}

pub(super) fn create_split(call: &mut Call<'_>) -> Answer {
    let body = call.object()?;
    let texts = |name: &str| -> Vec<String> {
        let all = member(&body, name).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let from = member(&body, "fromAddresses").and_then(Value::as_array).into_iter().flatten();
    let from: Vec<_> = from.filter_map(|from| text(from, "email")).map(str::to_owned).collect();
    let (subjects, names) = (texts("subjects"), texts("fromNames"));
    let (htmls, plains) = (texts("htmlContents"), texts("plainTextContents"));
    let count =
        [subjects.len(), names.len(), from.len(), htmls.len(), plains.len()].into_iter().max().unwrap_or(0);
    if count < 2 || plains.is_empty() {
        return Err(Refusal::bad("ERROR_CAMPAIGN_INVALID"));
    }
    // What has fewer values than versions repeats its last.
    let nth = |all: &[String], n: usize| all.get(n).or(all.last()).cloned().unwrap_or_default();
    let versions = (0..count).map(|n| Version {
        subject: nth(&subjects, n),
        from_name: nth(&names, n),
        from_address: if from.is_empty() { FROM.1.to_owned() } else { nth(&from, n) },
        html: nth(&htmls, n),
        text: nth(&plains, n),
    });
    let versions: Vec<Version> = versions.collect();
    let full = |version: &Version| {
        let parts = [&version.subject, &version.from_name, &version.html, &version.text];
        parts.iter().all(|part| !part.is_empty())
    };
    if !versions.iter().all(full) {
        return Err(Refusal::bad("ERROR_CAMPAIGN_INVALID"));
    }
    let campaign = Campaign { versions, ..header(&body)? };
    let id = add(call, campaign);
    let campaign = &call.account.campaigns[&id];
    let all = |get: fn(&Version) -> &String| {
        campaign.versions.iter().map(|one| get(one).as_str()).collect::<Value>()
    };
    created(json!({
        "id": id,
        "name": campaign.name,
        "subjects": all(|version| &version.subject),
        "fromNames": all(|version| &version.from_name),
        "fromAddresses": campaign.versions.iter()
            .map(|version| json!({ "id": FROM.0, "email": version.from_address })).collect::<Value>(),
        "htmlContents": all(|version| &version.html),
        "plainTextContents": all(|version| &version.text),
        "replyAction": campaign.reply_action,
        "replyToAddress": campaign.reply_to,
        "status": campaign.status.word(),
        "customReplyToAddress": campaign.custom_reply_to,
    }))
}

pub(super) fn split(call: &mut Call<'_>) -> Answer {
    let campaign = campaign(call, 0)?;
    if !campaign.is_split() {
        return Err(Refusal::bad("ERROR_CAMPAIGN_INVALID"));
    }
    let versions = campaign.versions.iter().enumerate().map(|(number, version)| {
        let number = number as u8;
        let sent = campaign.report.recipients.iter().filter(|row| row.version == number).count();
        let result = campaign.result(number);
        json!({
            "subjectLine": version.subject,
            "fromName": version.from_name,
            "fromAddress": version.from_address,
            "htmlContent": version.html,
            "plainTextContent": version.text,
            "version": char::from(b'A' + number % 26).to_string(),
            "winningVersion": campaign.winner == Some(number),
            "resultsActual": result,
            "resultsPercentage": if sent == 0 { 0.0 } else { f64::from(result) * 100.0 / sent as f64 },
        })
    });
    ok(json!({ "versions": versions.collect::<Value>(), "splitTestWinnerMetric": campaign.metric.word() }))
}

pub(super) fn from_addresses(call: &mut Call<'_>) -> Answer {
    ok(call.page()?.cut([json!({ "id": FROM.0, "email": FROM.1 })]).into())
}

/// A campaign as one contact would see it.
pub(super) fn prepared(call: &mut Call<'_>) -> Answer {
    let campaign = campaign(call, 0)?;
    let key = crate::dotdigital::account::contact::Key::Email(call.capture(1).to_owned());
    let person = call.account.contacts.find(&key).and_then(|id| call.account.contacts.get(id));
    let merged = |content: &str| {
        let fields = call.account.fields.iter();
        fields.fold(content.to_owned(), |content, (number, field)| {
            let cell = person.and_then(|person| person.cells.get(number)).map(|cell| cell.json());
            let value = cell.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            content.replace(&format!("@{}@", field.name), &value.unwrap_or_default())
        })
    };
    let mut row = json_of(campaign, true);
    row["processedHtmlContent"] = merged(&campaign.main().html).into();
    row["processedPlainTextContent"] = merged(&campaign.main().text).into();
    ok(row)
}

pub(super) fn id_of(body: &Value, name: &str) -> Result<i32, Refusal> {
    int(body, name).ok_or(Refusal::bad("ERROR_CAMPAIGN_NOT_FOUND"))
}
