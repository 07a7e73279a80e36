//! A contact of v3 as a writer sends it. Source: dotdigital.md A11, the request schemas of the OpenAPI file.

use jiff::Timestamp;
use serde_json::Value;

use crate::dotdigital::account::contact::{Consent, EmailType, OptIn};
use crate::dotdigital::account::field::date;
use crate::dotdigital::account::writing::{Wanted, Wish};

/// What is to be written, and the service's own id if the writer named it.
pub(super) struct Named {
    pub id: Option<i32>,
    pub wanted: Wanted,
}

/// Reads a contact. An error says which member is wrong.
pub(super) fn read(body: &Value, now: Timestamp) -> Result<Named, String> {
    let body = body.as_object().ok_or("A contact must be an object")?;
    let mut named = Named { id: None, wanted: Wanted::default() };
    if let Some(identifiers) = body.get("identifiers") {
        read_identifiers(identifiers, &mut named)?;
    }
    let wanted = &mut named.wanted;
    if let Some(fields) = body.get("dataFields") {
        let fields = fields.as_object().ok_or("dataFields must be an object")?;
        wanted.fields = fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    }
    if let Some(channels) = body.get("channelProperties") {
        let channels = channels.as_object().ok_or("channelProperties must be an object")?;
        if let Some(email) = channels.get("email") {
            read_channel(email, wanted)?;
        }
    }
    if let Some(lists) = body.get("lists") {
        let ids = lists.as_array().ok_or("lists must be an array")?.iter();
        let ids =
            ids.map(|id| id.as_i64().and_then(|id| i32::try_from(id).ok()).ok_or("lists must hold ids"));
        wanted.lists = ids.collect::<Result<_, _>>()?;
    }
    for preference in array(body.get("preferences"), "preferences")? {
        let id = preference.get("id").and_then(Value::as_i64).and_then(|id| i32::try_from(id).ok());
        let yes = preference.get("isOptedIn").and_then(Value::as_bool);
        wanted.preferences.push(id.zip(yes).ok_or("A preference needs id and isOptedIn")?);
    }
    for consent in array(body.get("consentRecords"), "consentRecords")? {
        wanted.consents.push(read_consent(consent, now).ok_or("A consent record is incomplete")?);
    }
    Ok(named)
}

fn array<'a>(value: Option<&'a Value>, name: &str) -> Result<&'a [Value], String> {
    match value {
        None => Ok(&[]),
        Some(value) => value.as_array().map(Vec::as_slice).ok_or(format!("{name} must be an array")),
    }
}

fn read_identifiers(identifiers: &Value, named: &mut Named) -> Result<(), String> {
    for (name, value) in identifiers.as_object().ok_or("identifiers must be an object")? {
        if name == "contactId" {
            let id = value.as_i64().and_then(|id| i32::try_from(id).ok());
            named.id = Some(id.ok_or("contactId must be a number")?);
            continue;
        }
        let text = value.as_str().ok_or(format!("'{name}' must be a text"))?.trim().to_owned();
        match name.as_str() {
            "email" => named.wanted.email = Some(text),
            "mobileNumber" => named.wanted.mobile = Some(text.trim_start_matches('+').to_owned()),
            _ => drop(named.wanted.custom.insert(name.clone(), text)),
        }
    }
    Ok(())
}

fn read_channel(email: &Value, wanted: &mut Wanted) -> Result<(), String> {
    let email = email.as_object().ok_or("channelProperties.email must be an object")?;
    let word = |name: &str| email.get(name).map(|word| word.as_str().unwrap_or_default());
    if let Some(word) = word("emailType") {
        wanted.email_type = Some(EmailType::of(word).ok_or("emailType is plainText or html")?);
    }
    if let Some(word) = word("optInType") {
        wanted.opt_in =
            Some(OptIn::of(word).ok_or("optInType is unknown, single, double or verifiedDouble")?);
    }
    let options = email.get("resubscribeOptions");
    let unchallenged = options.and_then(|options| options.get("resubscribeWithNoChallenge"));
    let challenge = !unchallenged.and_then(Value::as_bool).unwrap_or(true);
    wanted.status = match word("status") {
        None => options.map(|_| Wish::Subscribe { challenge }),
        Some("subscribed") => Some(Wish::Subscribe { challenge }),
        Some("unsubscribed") => Some(Wish::Unsubscribe),
        Some("suppressed") => Some(Wish::Suppress),
        Some(_) => return Err("status is subscribed, unsubscribed or suppressed".to_owned()),
    };
    Ok(())
}

fn read_consent(consent: &Value, now: Timestamp) -> Option<Consent> {
    let text = |name: &str| consent.get(name)?.as_str().map(str::to_owned);
    Some(Consent {
        text: text("text").filter(|text| !text.is_empty())?,
        consented: date(&text("dateTimeConsented")?)?,
        url: text("url")?,
        ip: text("ipAddress").filter(|ip| ip.parse::<std::net::IpAddr>().is_ok())?,
        agent: text("userAgent").filter(|agent| !agent.is_empty())?,
        created: now,
    })
}
