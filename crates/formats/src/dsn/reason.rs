//! Why a delivery failed, in one word, and whether trying again is of any use.
//!
//! The words are those of sisimai, so that its documentation can be read for them. The table ([`super::causes`]) is tried from the top: exact
//! phrases about the sending side come before the loose ones about the recipient.

use super::causes::{ROWS, matches};
use super::verdict::{Stage, stage};

/// What is known about a failure.
pub(super) struct Reading<'a> {
    /// The server's words, the most exact first; each is tried alone.
    pub words: [&'a str; 5],
    pub status: Option<&'a str>,
    pub code: Option<u16>,
    /// The server is still trying, or gave up because of time.
    pub late: bool,
}

/// The reason: from the words, else from the codes, else from the circumstances.
pub(super) fn of(reading: &Reading<'_>) -> &'static str {
    if let Some(reason) = reading.status.and_then(by_exact_status) {
        return reason;
    }
    let told = reading.words.iter().find_map(|words| by_words(words, reading));
    let on_the_way = reading.status.is_some_and(|status| status.starts_with("4.4."));
    told.or((reading.late && on_the_way).then_some("expired"))
        .or_else(|| reading.status.and_then(by_status))
        .or_else(|| reading.code.and_then(by_code))
        .unwrap_or_else(|| without_words(reading))
}

/// Sending to this address again is of no use: it does not exist, moved, or takes no mail.
pub(super) fn is_hard(reason: &str, status: Option<&str>, code: Option<u16>) -> bool {
    let passing = status.map_or(code.is_some_and(|code| code < 500), |status| status.starts_with('4'));
    match reason {
        "userunknown" | "hostunknown" | "hasmoved" => true,
        "notaccept" => !passing,
        _ => false,
    }
}

fn without_words(reading: &Reading<'_>) -> &'static str {
    let told = reading.words.iter().any(|words| !words.trim().is_empty());
    match (reading.late, told && (reading.status.is_some() || reading.code.is_some())) {
        (true, _) => "expired",
        (false, true) => "onhold",
        (false, false) => "undefined",
    }
}

/// Codes that mean one thing whatever the words beside them.
fn by_exact_status(status: &str) -> Option<&'static str> {
    match &status[1..] {
        ".7.26" => Some("authfailure"),
        ".7.25" => Some("requireptr"),
        ".7.27" => Some("notaccept"),
        ".7.606" => Some("blocked"),
        _ => None,
    }
}

fn by_words(words: &str, reading: &Reading<'_>) -> Option<&'static str> {
    let text = words.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return None;
    }
    let (reason, _) = ROWS.iter().find(|row| matches(row, &text))?;
    Some(match *reason {
        "userunknown" => user_unknown(&text, reading),
        // A name server's trouble passes; a name that does not exist is reported with 5.x.x.
        "hostunknown" if reading.status.is_some_and(|status| status.starts_with('4')) => "networkerror",
        // A sender's address that was refused says nothing about the recipient.
        "blocked" if stage(&text) == Some(Stage::Sender) && text.contains("... access denied") => "rejected",
        reason => reason,
    })
}

/// "No such user" in answer to RCPT is a fact about the address. In answer to DATA, or with a code that does not say so,
/// it is what content filters answer too; then the address is not given up.
fn user_unknown(text: &str, reading: &Reading<'_>) -> &'static str {
    let by_status = reading.status.map(|status| &status[1..]);
    match by_status {
        Some(".1.1" | ".1.0" | ".1.3" | ".1.10") => return "userunknown",
        Some(".2.0" | ".7.1") if stage(text) != Some(Stage::Recipient) => return "filtered",
        _ => {}
    }
    let after_reply = reading.code.is_some() && reading.status.is_none_or(|status| status.ends_with(".0.0"));
    let echoes =
        [">: user unknown", ">... user unknown", ">, user unknown", "doesn't have a yahoo.com account"];
    match stage(text) {
        Some(Stage::Content) => "filtered",
        None if after_reply && !echoes.iter().any(|echo| text.contains(echo)) => "filtered",
        _ => "userunknown",
    }
}

/// RFC 3463 codes, where the words say nothing.
fn by_status(status: &str) -> Option<&'static str> {
    let detail = status.get(2..)?;
    Some(match detail {
        "1.1" | "1.0" | "1.3" | "1.10" => "userunknown",
        "1.2" | "1.4" | "4.4" if !status.starts_with('4') => "hostunknown",
        "1.6" => "hasmoved",
        "1.7" | "1.8" | "1.9" => "rejected",
        "2.0" => "filtered",
        "2.1" => "suspend",
        "2.2" => "mailboxfull",
        "2.3" | "3.4" => "mesgtoobig",
        "3.1" => "systemfull",
        "4.1" | "4.2" | "4.7" => "expired",
        "4.3" | "4.4" | "4.5" | "4.6" => "networkerror",
        "7.7" | "7.8" | "7.9" => "policyviolation",
        "7.20" | "7.21" | "7.22" | "7.23" | "7.24" => "authfailure",
        _ => match &detail[..1] {
            "3" => "systemerror",
            "4" => "networkerror",
            "5" => "syntaxerror",
            "6" => "contenterror",
            "7" => "securityerror",
            _ => return None,
        },
    })
}

fn by_code(code: u16) -> Option<&'static str> {
    Some(match code {
        421 => "blocked",
        450 | 451 => return None,
        452 => "systemfull",
        500..=504 => "syntaxerror",
        521 | 556 => "notaccept",
        525 | 535 => "securityerror",
        551 => "hasmoved",
        552 => "mesgtoobig",
        _ => return None,
    })
}
