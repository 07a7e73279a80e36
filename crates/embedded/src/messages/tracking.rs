//! The platform's own tracking tokens (`CRM:0001001`) and the correlation of mails (dataverse.md B7).
//!
//! Prefix, digits and base are the organisation's settings. The counter is the store's and wraps as the platform's does; it
//! rises when a token is made, also when the mail is not sent in the end.

use futures_util::FutureExt;
use postroom_core::{Filter, Query, Record, Value};
use postroom_store::Error;

use super::ask::Ask;
use super::{Parameter, Prepared};
use crate::failure::Failure;

/// Digits of the counter behind the user's number.
const COUNTER_DIGITS: usize = 3;
/// The longest subject that every mail server takes.
const SUBJECT: usize = 255;
const PREFIX: &str = "CRM:";

/// What the organisation says of tokens.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// Mails are correlated and get tokens.
    pub enabled: bool,
    prefix: String,
    base: i64,
    digits: usize,
}

impl Settings {
    pub(super) async fn read(ask: &Ask<'_>) -> Result<Self, Failure> {
        let columns =
            ["emailcorrelationenabled", "trackingprefix", "trackingtokenidbase", "trackingtokeniddigits"];
        let row = ask.organization(&columns).await?;
        // A list of all prefixes that there ever were; the first is the one in use.
        let prefix = row.text("trackingprefix").and_then(|all| all.split(';').next()).map(str::trim);
        Ok(Settings {
            enabled: row.get("emailcorrelationenabled").and_then(Value::as_bool).unwrap_or(true),
            prefix: prefix.filter(|prefix| !prefix.is_empty()).unwrap_or(PREFIX).to_owned(),
            base: row.int("trackingtokenidbase").unwrap_or(0),
            digits: row.int("trackingtokeniddigits").map_or(3, |digits| digits.clamp(1, 10) as usize),
        })
    }

    /// The token in a subject: the prefix and the digits behind it. The last one counts: it was added last.
    pub(super) fn find<'s>(&self, subject: &'s str) -> Option<&'s str> {
        let (lower, prefix) = (subject.to_ascii_lowercase(), self.prefix.to_ascii_lowercase());
        let at = lower.rfind(&prefix)?;
        let rest = &subject[at + prefix.len()..];
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        let digits = rest[spaces..].bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then(|| &subject[at..at + prefix.len() + spaces + digits])
    }
}

/// A fresh token for the caller's mails.
pub(super) async fn make(ask: &Ask<'_>, settings: &Settings) -> Result<String, Failure> {
    let user = ask.session.user();
    let query =
        Query::of("usersettings").select(&["trackingtokenid"]).filter(Filter::eq("systemuserid", user));
    let number = ask.system(query).await?.first().and_then(|row| row.int("trackingtokenid")).unwrap_or(1);
    let number = settings.base + number;
    // By the number in the token, not by the user: two users with one number must not make the same tokens.
    let counter = format!("crm_tracking:{number}");
    let next = ask.session.crm().change(move |tx| async move { tx.next_numbers(&counter, 1).await }.boxed());
    let next: Result<i64, Error> = next.await;
    Ok(token(settings, number, next?))
}

fn token(settings: &Settings, number: i64, counter: i64) -> String {
    let counter = counter % 10_i64.pow(COUNTER_DIGITS as u32);
    format!("{}0{number:0width$}{counter:0COUNTER_DIGITS$}", settings.prefix, width = settings.digits)
}

/// GetTrackingTokenEmail: the one that the subject has already, else a fresh one.
pub(super) async fn token_email(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let settings = Settings::read(ask).await?;
    let known = settings.find(ask.text("Subject")?.unwrap_or_default());
    let token = match known {
        Some(token) => token.to_owned(),
        None => make(ask, &settings).await?,
    };
    Ok(Prepared::answer(vec![("TrackingToken", Parameter::Text(token))]))
}

/// The subject with the token at its end, cut to make room; a token that would leave no room is left out.
pub(super) fn stamped(subject: &str, token: &str) -> String {
    if token.is_empty() || subject.contains(token) {
        return subject.to_owned();
    }
    let room = SUBJECT.saturating_sub(token.encode_utf16().count() + 1);
    if room == 0 {
        return subject.to_owned();
    }
    let mut used = 0;
    let kept: String = subject
        .chars()
        .take_while(|letter| {
            used += letter.len_utf16();
            used <= room
        })
        .collect();
    format!("{} {token}", kept.trim_end()).trim_start().to_owned()
}

/// How a mail was matched to an earlier one.
#[derive(Debug, Clone)]
pub(super) struct Match {
    pub mail: Record,
    /// Matched by In-Reply-To, not by a token: then the earlier mail is its parent.
    pub reply: bool,
}

/// The mail that this one answers: by In-Reply-To, then by the token in its subject.
pub(super) async fn correlate(
    ask: &Ask<'_>,
    settings: &Settings,
    subject: &str,
    in_reply_to: Option<&str>,
) -> Result<Option<Match>, Failure> {
    if !settings.enabled {
        return Ok(None);
    }
    if let Some(id) = in_reply_to.map(str::trim).filter(|id| !id.is_empty())
        && let Some(mail) = newest(ask, "messageid", id).await?
    {
        return Ok(Some(Match { mail, reply: true }));
    }
    let Some(token) = settings.find(subject) else { return Ok(None) };
    Ok(newest(ask, "trackingtoken", token).await?.map(|mail| Match { mail, reply: false }))
}

async fn newest(ask: &Ask<'_>, column: &str, text: &str) -> Result<Option<Record>, Failure> {
    let query = Query::of("email")
        .select(&["regardingobjectid", column])
        .filter(Filter::eq(column, text))
        .order_by("createdon", true)
        .top(1);
    Ok(ask.system(query).await?.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { enabled: true, prefix: PREFIX.into(), base: 0, digits: 3 }
    }

    #[test]
    fn tokens_are_made_and_found() {
        assert_eq!(token(&settings(), 1, 1), "CRM:0001001");
        assert_eq!(token(&settings(), 1, 1007), "CRM:0001007");
        for (subject, expected) in [
            ("RE: Offer CRM:0001001", Some("CRM:0001001")),
            ("CRM:0001001 and crm: 0001002 again", Some("crm: 0001002")),
            ("CRM: none", None),
            ("", None),
            ("Grüße CRM:7", Some("CRM:7")),
        ] {
            assert_eq!(settings().find(subject), expected, "{subject}");
        }
    }

    #[test]
    fn subjects_make_room_for_the_token() {
        assert_eq!(stamped("Offer", "CRM:0001001"), "Offer CRM:0001001");
        assert_eq!(stamped("Offer CRM:0001001", "CRM:0001001"), "Offer CRM:0001001");
        assert_eq!(stamped("", "CRM:0001001"), "CRM:0001001");
        assert_eq!(stamped("Offer", ""), "Offer");
        assert_eq!(stamped("Offer", &"x".repeat(300)), "Offer");
        let long = stamped(&"ä".repeat(400), "CRM:0001001");
        assert_eq!(long.encode_utf16().count(), SUBJECT);
        assert!(long.ends_with("ä CRM:0001001"));
    }
}
