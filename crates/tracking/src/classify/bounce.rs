//! Reports that the reader of reports did not take: broken ones, and bounces without structure.
//!
//! Only whether it is one. What it says, and about which mail, is read by `postroom_formats::dsn`.

use postroom_core::Class;
use postroom_formats::mime::{Mail, Part, PartKind};

use super::senders::{Daemon, Sender};
use crate::token::plain;

/// How subjects of bounces begin, in plain lower case.
const SUBJECTS: &[&str] = &[
    "delivery failure", // Domino
    "delivery_failure",
    "undelivered mail",      // Postfix
    "undeliverable",         // Exchange
    "undeliverable message", // old Lotus SMTP MTA
    "unzustellbar",
    "non remis",
    "no se puede entregar",
    "non recapitabile",
    "onbestelbaar",
    "mail delivery failed", // Exim
    "mail delivery failure",
    "mail delivery system",
    "message delivery failure",
    "warning: message",
    "delivery status notification", // Microsoft, Google
    "delivery notification",
    "delivery report",
    "failure notice", // qmail
    "failed delivery",
    "mail failure",
    "returned mail", // sendmail
    "returned to sender",
    "warning: could not send message",
    "delayed mail",
    "nondeliverable mail",
    "mail could not be delivered",
];

/// By the type of a `multipart/report` (RFC 6522): the mail itself, or, when the sender is a mail system, one that a relay
/// wrapped. Inside an attached mail it is somebody else's.
pub(super) fn by_type(mail: &Mail<'_>, sender: &Sender) -> Option<(Class, String)> {
    let system = sender.null || sender.daemon != Daemon::No;
    let own = |part: &&Part<'_>| part.parent.is_none() || system && !in_attached_mail(mail, part);
    let reports = mail.parts.iter().filter(own).filter(|part| part.content_type == "multipart/report");
    reports.filter_map(|part| part.params.iter().find(|(name, _)| name == "report-type")).find_map(
        |(_, value)| {
            let class = match value.to_ascii_lowercase().as_str() {
                "delivery-status" => Class::Bounce,
                "disposition-notification" => Class::Receipt,
                "feedback-report" => Class::Feedback,
                _ => return None,
            };
            Some((class, format!("report-type={}", value.to_ascii_lowercase())))
        },
    )
}

/// Whether a part belongs to a mail in the mail.
pub(super) fn in_attached_mail(mail: &Mail<'_>, part: &Part<'_>) -> bool {
    let mut above = part.parent;
    // A parent stands before its children, so this ends.
    while let Some(parent) = above.and_then(|index| mail.parts.get(index as usize)) {
        if parent.kind == PartKind::Message {
            return true;
        }
        above = parent.parent.filter(|next| *next < parent.index);
    }
    false
}

/// By header, sender and subject. A postmaster may be a person, so it takes two signs.
pub(super) fn by_looks(mail: &Mail<'_>, sender: &Sender) -> Option<String> {
    if let Some(failed) = mail.header("X-Failed-Recipients") {
        return Some(format!("X-Failed-Recipients: {}", failed.chars().take(60).collect::<String>()));
    }
    let subject = plain(&mail.subject);
    let phrase = SUBJECTS.iter().find(|phrase| subject.starts_with(**phrase));
    match (sender.daemon, phrase) {
        (Daemon::Mailer, _) => Some("from mailer-daemon".to_owned()),
        (Daemon::Postmaster, _) if sender.null => {
            Some("from postmaster with an empty return path".to_owned())
        }
        (Daemon::Postmaster, Some(phrase)) => Some(format!("from postmaster, subject {phrase:?}")),
        (Daemon::No, Some(phrase)) if sender.null || sender.nobody => {
            Some(format!("empty return path, subject {phrase:?}"))
        }
        _ => None,
    }
}
