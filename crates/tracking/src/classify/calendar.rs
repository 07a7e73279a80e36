//! Invitations and their answers (RFC 6047): a `text/calendar` part with a method.
//!
//! A file of dates that somebody attached is an attachment. The calendar itself is not read here.

use postroom_formats::mime::{Mail, Part};

use super::bounce::in_attached_mail;

/// Where `METHOD:` stands when the Content-Type lacks it: in the first lines, before the events.
const HEAD_BYTES: usize = 2048;

/// The method of the mail's calendar part, upper case: `REQUEST`, `REPLY`, `CANCEL`, …
pub(super) fn method(mail: &Mail<'_>) -> Option<String> {
    let parts = mail.parts.iter().filter(|part| part.content_type == "text/calendar");
    parts.filter(|part| !in_attached_mail(mail, part)).find_map(method_of)
}

fn method_of(part: &Part<'_>) -> Option<String> {
    let named =
        part.params.iter().find(|(name, _)| name == "method").map(|(_, value)| value.trim().to_owned());
    let method = named
        .filter(|method| !method.is_empty())
        .or_else(|| written_method(&part.body))?
        .to_ascii_uppercase();
    // Tickets and newsletters attach dates with PUBLISH; that asks nobody for anything.
    let attached = part.disposition.as_deref() == Some("attachment");
    (!(attached && method == "PUBLISH")).then(|| method.chars().take(20).collect())
}

fn written_method(body: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&body[..body.len().min(HEAD_BYTES)]);
    let head = head.split("BEGIN:VEVENT").next()?;
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim().eq_ignore_ascii_case("METHOD") && !value.trim().is_empty())
            .then(|| value.trim().to_owned())
    })
}
