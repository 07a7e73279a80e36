//! Reports with machine-readable parts: RFC 3464 delivery status, RFC 5965 feedback, RFC 8098 receipts.

use super::fields::{Group, groups, groups_in_text};
use super::letter::Letter;
use super::verdict::{Codes, codes, is_precise, prefer, reply_code, status_field};
use super::{Recipient, Report, ReportKind, evidence, prose, reason, returned};

/// An abuse report; the recipients are those the reporter named, else those of the returned message.
pub(super) fn feedback(letter: &Letter) -> Option<Report> {
    let is_report =
        letter.report_type.as_deref() == Some("feedback-report") || evidence::from_machine(letter);
    let groups: Vec<Group> = letter.feedback_parts.iter().flat_map(|part| groups(part)).collect();
    if groups.is_empty() || !is_report {
        return None;
    }
    let mut addresses: Vec<String> = Vec::new();
    for group in &groups {
        let named = group.all("original-rcpt-to").chain(group.all("removal-recipient"));
        addresses.extend(named.filter_map(super::fields::address_value));
    }
    let original = returned::headers(letter);
    if addresses.is_empty() {
        addresses = original.to.clone();
    }
    let kind = groups.iter().find_map(|group| group.get("feedback-type")).unwrap_or("abuse").to_lowercase();
    let recipients = distinct(addresses)
        .map(|address| plain(ReportKind::Feedback, address, "feedback", Some(kind.clone())));
    Some(Report {
        kind: ReportKind::Feedback,
        original_message_id: original.message_id,
        original_subject: original.subject,
        original_envelope_id: first(&groups, "original-envelope-id"),
        recipients: recipients.collect(),
    })
}

/// A complaint of Outlook.com's Junk Mail Reporting Program before it used RFC 5965: the mail attached, the recipient in a
/// header of its own. Source: postmaster pages of Outlook.com, "JMRP".
pub(super) fn complaint(letter: &Letter) -> Option<Report> {
    if !letter.subject.trim_start().to_lowercase().starts_with("complaint about message from") {
        return None;
    }
    let head = returned::head(letter)?;
    let named = head.lines().find_map(|line| line.strip_prefix("X-HmXmrOriginalRecipient:"))?;
    let original = returned::headers(letter);
    let address = super::fields::address_value(named).or_else(|| original.to.first().cloned())?;
    Some(Report {
        kind: ReportKind::Feedback,
        original_message_id: original.message_id,
        original_subject: original.subject,
        original_envelope_id: None,
        recipients: vec![plain(ReportKind::Feedback, address, "feedback", Some("abuse".to_owned()))],
    })
}

/// A read receipt; the reason is the disposition: `displayed`, `deleted`, …
pub(super) fn receipt(letter: &Letter) -> Option<Report> {
    let is_report = letter.report_type.as_deref() == Some("disposition-notification");
    let groups: Vec<Group> = letter.disposition_parts.iter().flat_map(|part| groups(part)).collect();
    if groups.is_empty() || !is_report {
        return None;
    }
    let disposition = first(&groups, "disposition").unwrap_or_default();
    let word =
        disposition.rsplit(';').next().unwrap_or_default().split(['/', ',']).next().unwrap_or_default();
    let word = word.trim().to_lowercase();
    let address = groups.iter().find_map(|group| group.address(&["final-recipient", "original-recipient"]));
    let original = returned::headers(letter);
    let named = first(&groups, "original-message-id").and_then(|id| crate::mime::normal_message_id(&id));
    Some(Report {
        kind: ReportKind::Receipt,
        original_message_id: named.or(original.message_id),
        original_subject: original.subject,
        original_envelope_id: first(&groups, "original-envelope-id"),
        recipients: address
            .map(|address| plain(ReportKind::Receipt, address, &word, Some(disposition)))
            .into_iter()
            .collect(),
    })
}

/// A delivery status notification, in its own part or with its fields in the text.
pub(super) fn delivery(letter: &Letter) -> Option<Report> {
    let mut groups: Vec<Group> = letter.status_parts.iter().flat_map(|part| groups(part)).collect();
    let is_report = matches!(letter.report_type.as_deref(), Some("delivery-status" | ""));
    if !is_report && !evidence::from_machine(letter) {
        return None;
    }
    if !groups.iter().any(Group::names_recipient) {
        groups.extend(groups_in_text(prose::before_fold(&letter.text)));
    }
    if letter.status_parts.is_empty() && !groups.iter().any(Group::names_recipient) {
        // A server that passes on another one's report as text (OCN does).
        groups.extend(groups_in_text(&letter.text));
    }
    let about: Vec<&Group> = groups.iter().filter(|group| group.names_recipient()).collect();
    if about.is_empty() || !about.iter().any(|group| says_what_happened(group)) {
        return None;
    }
    let words = prose::Words::of(letter);
    let mut recipients: Vec<Recipient> = Vec::new();
    for group in &about {
        let read = recipient(letter, &words, group, about.len() == 1);
        if let Some(read) = read.filter(|read| !recipients.iter().any(|known| known.address == read.address))
        {
            recipients.push(read);
        }
    }
    if recipients.is_empty() {
        return None;
    }
    let original = returned::headers(letter);
    Some(Report {
        kind: worst(recipients.iter().map(|recipient| recipient.kind)),
        original_message_id: original.message_id,
        original_subject: original.subject,
        original_envelope_id: first(&groups, "original-envelope-id"),
        recipients,
    })
}

fn says_what_happened(group: &Group) -> bool {
    ["action", "status", "diagnostic-code"].iter().any(|name| group.get(name).is_some())
}

fn recipient(letter: &Letter, words: &prose::Words, group: &Group, only: bool) -> Option<Recipient> {
    let finally = group.address(&["final-recipient"]);
    let original = group.address(&["original-recipient"]);
    let actual = group.address(&["x-actual-recipient"]);
    let fallback = || words.addresses.first().filter(|_| only).cloned();
    let address = finally.or_else(|| original.clone()).or(actual).or_else(fallback)?;
    let status_text = group.get("status").unwrap_or_default();
    let diagnostic = group.get("diagnostic-code").map(without_type).filter(|text| !text.is_empty());
    let section = words.about(&address, only);
    let codes = choose(diagnostic, status_text, &section);
    let kind = action_kind(group.get("action"), codes.status.as_deref());
    let reading = reason::Reading {
        words: [
            comment(status_text),
            diagnostic.unwrap_or_default(),
            &section,
            words.whole(only),
            &letter.subject,
        ],
        dialogue: words.dialogue(),
        category: group.get("x-powermta-bouncecategory"),
        status: codes.status.as_deref(),
        code: codes.code,
        late: kind == ReportKind::Delay || action_is(group, "expired"),
    };
    let reason = match kind {
        ReportKind::Success => "delivered",
        ReportKind::Relayed => "relayed",
        _ => reason::of(&reading),
    };
    Some(Recipient {
        kind,
        hard: reason::is_hard(reason, codes.status.as_deref(), codes.code),
        original_address: original.filter(|other| !other.eq_ignore_ascii_case(&address)),
        address,
        reason: reason.to_owned(),
        diagnostic: diagnostic
            .map(str::to_owned)
            .or(Some(section).filter(|text| !text.is_empty()))
            .map(short),
        status: codes.status,
        code: codes.code,
    })
}

/// `smtp; 550 …`: the words behind the type; without a type all of them.
fn without_type(value: &str) -> &str {
    match value.split_once(';') {
        Some((kind, words)) if !kind.trim().contains(' ') => words.trim(),
        _ => value.trim(),
    }
}

/// The comment of `Status: 5.2.1 (mailbox disabled)`: the most exact words some servers give.
fn comment(status: &str) -> &str {
    let inner = status.split_once('(').map(|(_, inner)| inner.trim_end_matches(')')).unwrap_or_default();
    let says_little = ["permanent failure", "temporary failure", "other or undefined", "bad destination"];
    if says_little.iter().any(|little| inner.starts_with(little)) { "" } else { inner }
}

/// The most precise codes: the fields and the server's own words, then the words for humans.
fn choose(diagnostic: Option<&str>, status: &str, section: &str) -> Codes {
    let told = diagnostic.map(codes).unwrap_or_default();
    let human = codes(section);
    let field = status_field(status);
    let both = match (field, told.status) {
        (Some(field), Some(told_status)) => Some(prefer(field, told_status, told.code)),
        (field, told_status) => field.or(told_status),
    };
    let agrees = |other: &String| both.as_deref().is_none_or(|status| status[..1] == other[..1]);
    let precise = |status: &Option<String>| status.clone().filter(|status| is_precise(status));
    let status = precise(&both).or_else(|| precise(&human.status).filter(agrees)).or(both).or(human.status);
    let of_class = |text| reply_code(text, status.as_deref());
    let code = diagnostic.and_then(of_class).or_else(|| of_class(section));
    Codes { code, status }
}

fn action_is(group: &Group, word: &str) -> bool {
    group.get("action").is_some_and(|action| action.trim().eq_ignore_ascii_case(word))
}

fn action_kind(action: Option<&str>, status: Option<&str>) -> ReportKind {
    let action = action.unwrap_or_default().trim().to_lowercase();
    let word = action.split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
    match (word, status.and_then(|status| status.chars().next())) {
        ("failed" | "failure" | "expired", _) => ReportKind::Failure,
        ("delayed" | "deferred", _) => ReportKind::Delay,
        ("delivered" | "deliverable", _) => ReportKind::Success,
        ("relayed" | "expanded", _) => ReportKind::Relayed,
        (_, Some('2')) => ReportKind::Success,
        (_, Some('4')) => ReportKind::Delay,
        _ => ReportKind::Failure,
    }
}

fn worst(kinds: impl Iterator<Item = ReportKind>) -> ReportKind {
    let rank = |kind: &ReportKind| match kind {
        ReportKind::Failure => 3,
        ReportKind::Delay => 2,
        ReportKind::Relayed => 1,
        _ => 0,
    };
    kinds.max_by_key(rank).unwrap_or(ReportKind::Failure)
}

fn first(groups: &[Group], name: &str) -> Option<String> {
    groups.iter().find_map(|group| group.get(name)).map(str::to_owned)
}

fn distinct(addresses: Vec<String>) -> impl Iterator<Item = String> {
    let mut seen = std::collections::HashSet::new();
    addresses.into_iter().filter(move |address| seen.insert(address.to_lowercase()))
}

pub(super) fn plain(
    kind: ReportKind,
    address: String,
    reason: &str,
    diagnostic: Option<String>,
) -> Recipient {
    let reason = reason.to_owned();
    let diagnostic = diagnostic.map(short);
    Recipient {
        kind,
        address,
        original_address: None,
        hard: false,
        status: None,
        code: None,
        reason,
        diagnostic,
    }
}

/// White space folded, at most 2000 characters.
pub(super) fn short(text: impl AsRef<str>) -> String {
    let folded = text.as_ref().split_whitespace().collect::<Vec<_>>().join(" ");
    folded.chars().take(2000).collect()
}
