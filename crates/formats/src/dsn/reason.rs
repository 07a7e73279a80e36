//! Why a delivery failed, in one word, and whether trying again is of any use.
//!
//! The words are those of sisimai, so that its documentation can be read for them (libsisimai.org, "Bounce reasons").
//!
//! **Hard** means what it means there: the address itself is no good and stays so. It does not exist (`userunknown`), its
//! host does not (`hostunknown`), it moved (`hasmoved`), or its host takes no mail at all and says so for good
//! (`notaccept` with a 5yz code). Everything else is soft, however final this one mail's failure was: a full or
//! suspended mailbox, a filter, a blocked sender, a policy. In doubt it is soft, because a hard bounce gives an address up.
//!
//! Where words, codes and circumstances disagree:
//! 1. A label of one known server ([`LABELS`]) wins over everything.
//! 2. Words that say something plainly ([`super::causes::EXACT`]) win over the status code, except that a code of
//!    RFC 3463 that names the cause itself (X.2.2 mailbox full, X.1.1 bad mailbox) stands unless the words name a cause
//!    of another kind.
//! 3. "User unknown" in answer to RCPT is a fact about the address. In answer to DATA, or when nobody says to what, it is
//!    what content filters answer too: `filtered`, soft, unless the status code says the same.
//! 4. Codes so general that servers use them for anything (5.3.x, 5.7.1) come last, after the loose words.

use super::causes::{LABELS, LOOSE, matches, says};
use super::verdict::{Stage, stage};

/// A server's reason is short; further words are explanations for humans.
const WORDS_LIMIT: usize = 16 * 1024;

/// What is known about a failure.
pub(super) struct Reading<'a> {
    /// The server's words: the comment in the status, its reply, then what is said to humans; each is tried alone.
    pub words: [&'a str; 5],
    /// Further words that show the SMTP dialogue, asked for the command only.
    pub dialogue: &'a str,
    pub status: Option<&'a str>,
    pub code: Option<u16>,
    /// The category that the reporting server put the failure in: PowerMTA's `bad-mailbox` …
    pub category: Option<&'a str>,
    /// The server is still trying, or gave up because of time.
    pub late: bool,
}

/// Reasons that words about systems say; asked after all that is said about the mailbox, the sender and the mail.
const SYSTEMS: [&str; 13] = [
    "virusdetected",
    "policyviolation",
    "systemerror",
    "networkerror",
    "systemfull",
    "notaccept",
    "expired",
    "failedstarttls",
    "securityerror",
    "suppressed",
    "mailererror",
    "syntaxerror",
    "spamdetected",
];

/// What so general a status names is believed last: servers use it for anything.
const GENERAL: [&str; 6] =
    ["systemerror", "securityerror", "expired", "networkerror", "hostunknown", "userunknown"];

/// What the rules look at: one text of the server in lower case, the codes, and the command that was refused.
struct Case<'a> {
    text: &'a str,
    named: Option<&'static str>,
    status: Option<&'a str>,
    code: Option<u16>,
    stage: Option<Stage>,
}

/// The reason: from the words and codes together, else from the circumstances.
pub(super) fn of(reading: &Reading<'_>) -> &'static str {
    let texts: Vec<String> =
        reading.words.iter().map(|words| normal(words)).filter(|text| !text.is_empty()).collect();
    let told_stage = texts.iter().find_map(|text| stage(text)).or_else(|| stage(&normal(reading.dialogue)));
    let sorted = reading.category.and_then(category);
    if let Some(reason) = sorted.filter(|reason| !GENERAL.contains(reason)) {
        return reason;
    }
    let named = sorted.or_else(|| reading.status.and_then(named));
    let case =
        |text, named| Case { text, named, status: reading.status, code: reading.code, stage: told_stage };
    // The most exact words are read together with the status code, longer texts only for what the two leave open.
    let mut cases: Vec<Case<'_>> = texts.iter().map(|text| case(text.as_str(), None)).collect();
    if let Some(first) = cases.first_mut() {
        first.named = named;
    }
    let bare = case("", named);
    let exact = reading.words[..2].iter().filter(|words| !words.trim().is_empty()).count();
    cases
        .iter()
        .find_map(labelled)
        .or_else(|| cases.iter().take(exact).find_map(said))
        .or_else(|| named.filter(|reason| !GENERAL.contains(reason)))
        .or_else(|| cases.iter().skip(exact).find_map(said))
        .or_else(|| cases.iter().find_map(hinted))
        .or(named)
        .unwrap_or_else(|| from_circumstances(reading, &bare, !cases.is_empty()))
}

/// What the words of one text say: of the mailbox and the mail, else of systems.
fn said(case: &Case<'_>) -> Option<&'static str> {
    plain(case).or_else(|| SYSTEMS.iter().copied().find(|reason| says(reason, case.text)))
}

fn hinted(case: &Case<'_>) -> Option<&'static str> {
    LOOSE.iter().find(|row| matches(row, case.text)).map(|(reason, _)| *reason)
}

fn normal(words: &str) -> String {
    let end = (0..=words.len().min(WORDS_LIMIT)).rev().find(|end| words.is_char_boundary(*end)).unwrap_or(0);
    words[..end].to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
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

/// PowerMTA's bounce categories (user's guide, "Bounce categories"); others are made by each site for itself.
fn category(name: &str) -> Option<&'static str> {
    Some(match name.trim() {
        "bad-mailbox" => "userunknown",
        "bad-domain" => "hostunknown",
        "inactive-mailbox" => "suspend",
        "quota-issues" => "mailboxfull",
        "policy-related" => "policyviolation",
        "spam-related" | "spam-block" | "spam-content" => "spamdetected",
        "virus-related" => "virusdetected",
        "message-expired" => "expired",
        "no-answer-from-host" | "bad-connection" => "networkerror",
        "routing-errors" => "systemerror",
        "relaying-issues" => "norelaying",
        _ => return None,
    })
}

/// The label of one known server, with the status it comes with.
fn labelled(case: &Case<'_>) -> Option<&'static str> {
    let fits = |head: &str| head.is_empty() || case.status.is_some_and(|status| status.starts_with(head));
    let rows = LABELS.iter().filter(|(head, ..)| fits(head));
    let said = rows.map(|(_, reason, words)| (*reason, *words)).find(|row| matches(row, case.text));
    said.map(|(reason, _)| reason).or_else(|| orange(case.text)).or_else(|| google_state(case))
}

/// Google's old bounces end with the state of the session; a precise status says more.
fn google_state(case: &Case<'_>) -> Option<&'static str> {
    let place = case.text.rfind("(state ")? + "(state ".len();
    let number = case.text[place..].split(')').next()?;
    let is_free = case.status.is_none_or(|status| status.ends_with(".0.0"));
    match number {
        "6" | "9" => Some("failedstarttls"),
        "13" => Some("blocked"),
        "15" | "17" | "18" if is_free => Some("filtered"),
        _ => None,
    }
}

/// Orange, Wanadoo and La Poste end their replies with a number behind a host's label: `OFR_416`, `LPN007_510`.
/// Source: their postmaster pages, "Codes d'erreur".
fn orange(text: &str) -> Option<&'static str> {
    let label = ["ofr", "lpn", "ouk"].iter().filter_map(|label| text.rfind(label)).max()?;
    let word =
        text[label..].split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
    let (_, number) = word.into_iter().next()?.rsplit_once(['_', '-'])?;
    Some(match number {
        "101" | "102" | "103" | "510" | "999" => "blocked",
        "104" => "toomanyconn",
        "305" | "402" => "securityerror",
        "401" | "517" => "authfailure",
        "403" | "405" | "415" | "421" => "rejected",
        "416" | "418" => "userunknown",
        "417" => "mailboxfull",
        "420" | "426" => "suspend",
        "505" => "systemerror",
        "506" => "spamdetected",
        "514" => "mesgtoobig",
        "630" => "policyviolation",
        _ => return None,
    })
}

/// Reasons that the words say plainly, or a telling status code, in the order in which they exclude one another:
/// what is said of the mailbox comes before what is said of the sender, and that before the loose talk of blocking.
fn plain(case: &Case<'_>) -> Option<&'static str> {
    const ORDER: [&str; 19] = [
        "mailboxfull",
        "mesgtoobig",
        "exceedlimit",
        "suspend",
        "hasmoved",
        "norelaying",
        "authfailure",
        "userunknown",
        "filtered",
        "requireptr",
        "notcompliantrfc",
        "badreputation",
        "contenterror",
        "rejected",
        "hostunknown",
        "spamdetected",
        "speeding",
        "toomanyconn",
        "blocked",
    ];
    ORDER.iter().copied().find(|reason| holds(reason, case)).map(|reason| match reason {
        // A name server's trouble passes; a name that does not exist is reported with 5.x.x.
        "hostunknown" if case.status.is_some_and(|status| status.starts_with('4')) => "networkerror",
        reason => reason,
    })
}

fn holds(reason: &str, case: &Case<'_>) -> bool {
    let is_named = case.named == Some(reason);
    let is_said = || says(reason, case.text);
    match reason {
        "mesgtoobig" => is_named || case.named != Some("exceedlimit") && is_said(),
        "suspend" => case.code == Some(525) || is_said(),
        "hasmoved" | "notcompliantrfc" | "badreputation" | "speeding" => is_said(),
        "norelaying" => case.stage != Some(Stage::Connection) && is_said(),
        "userunknown" => is_unknown(case),
        "filtered" => is_filtered(case),
        "contenterror" => is_named && !holds("spamdetected", case) || is_said(),
        "rejected" => is_named || is_sender_refused(case),
        "hostunknown" => (is_named || is_said()) && !says("networkerror", case.text),
        "spamdetected" => is_named || case.reached_content() && is_said(),
        _ => is_named || is_said(),
    }
}

/// A bad-mailbox status stands unless the words name another kind of cause; without one, RCPT must have been refused.
fn is_unknown(case: &Case<'_>) -> bool {
    const OTHERS: [&str; 6] = ["norelaying", "blocked", "mailboxfull", "hasmoved", "rejected", "notaccept"];
    if case.named == Some("userunknown") {
        let is_echo = echoes(case.text);
        return is_echo || !OTHERS.iter().any(|other| says(other, case.text));
    }
    let is_rcpt = case.stage == Some(Stage::Recipient) || echoes(case.text);
    is_rcpt && case.named != Some("suspend") && says("userunknown", case.text)
}

/// A filter's answer: words about the user where RCPT was not what was refused.
fn is_filtered(case: &Case<'_>) -> bool {
    let is_said = || says("filtered", case.text) || says("userunknown", case.text);
    match case.named {
        Some("filtered") => is_said(),
        Some("suspend" | "hostunknown") => false,
        _ => case.reached_content() && is_said(),
    }
}

/// `550 <a@b>: User unknown`, `550 5.1.1 <a@b>... User unknown`: only RCPT is answered with the address.
fn echoes(text: &str) -> bool {
    [">: user unknown", ">... user unknown", ">, user unknown", ">... addressee unknown"]
        .iter()
        .any(|echo| text.contains(echo))
}

fn is_sender_refused(case: &Case<'_>) -> bool {
    let is_vague = matches!(case.named, None | Some("securityerror" | "systemerror"));
    let is_due = match case.stage {
        Some(Stage::Sender) => true,
        Some(Stage::Content) => case.named != Some("userunknown"),
        _ => is_vague,
    };
    let refused_address = case.stage == Some(Stage::Sender) && case.text.contains("... access denied");
    is_due && (refused_address || says("rejected", case.text))
}

impl Case<'_> {
    /// The dialogue went on to the content, or nothing is known of it.
    fn reached_content(&self) -> bool {
        matches!(self.stage, None | Some(Stage::Content))
    }
}

/// Neither words nor a known status: the class of the status, the reply code, the moment.
fn from_circumstances(reading: &Reading<'_>, bare: &Case<'_>, told: bool) -> &'static str {
    let subject = reading.status.and_then(|status| status.get(2..3));
    match (subject, reading.code) {
        (Some("6"), _) => "contenterror",
        (Some("7"), _) => "securityerror",
        (_, Some(401..=407 | 501..=507)) => "syntaxerror",
        (_, Some(521 | 556)) => "notaccept",
        (_, Some(551)) => "hasmoved",
        _ if reading.late => "expired",
        _ if bare.stage == Some(Stage::Connection) => "blocked",
        _ if told && (reading.status.is_some() || reading.code.is_some()) => "onhold",
        _ => "undefined",
    }
}

/// The reason that a status code names (RFC 3463, RFC 7372, RFC 7505 and the registry of enhanced status codes).
fn named(status: &str) -> Option<&'static str> {
    let (class, detail) = status.split_once('.')?;
    let passing = class == "4";
    Some(match detail {
        "1.0" | "1.1" | "1.3" if !passing => "userunknown",
        "1.2" | "4.4" if !passing => "hostunknown",
        "1.4" if !passing => "filtered",
        "1.6" => "hasmoved",
        "1.7" | "1.8" => "rejected",
        "1.9" => "systemerror",
        // RFC 7505: the recipient's domain has a null MX.
        "1.10" | "7.27" if !passing => "notaccept",
        "2.1" if passing => "blocked",
        "2.0" | "2.1" if !passing => "filtered",
        "2.4" => "filtered",
        "2.2" => "mailboxfull",
        "2.3" => "exceedlimit",
        "3.0" if !passing => "systemerror",
        "3.1" => "systemfull",
        "3.2" => "notaccept",
        "3.3" | "3.5" => "systemerror",
        "3.4" if !passing => "mesgtoobig",
        "4.1" | "4.7" if passing => "expired",
        "4.2" | "4.4" | "4.6" | "4.8" if passing => "networkerror",
        "4.0" if !passing => "networkerror",
        "4.3" => "systemerror",
        "4.5" if passing => "systemfull",
        "5.3" if !passing => "toomanyconn",
        "5.3" | "5.4" | "5.5" => "systemerror",
        "5.2" | "5.6" if !passing => "syntaxerror",
        "6.0" | "6.1" | "6.2" | "6.3" | "6.5" | "6.6" | "6.7" | "6.8" | "6.9" => "contenterror",
        "7.1" | "7.2" if passing => "blocked",
        "7.13" => "suspend",
        "7.16" => "mesgtoobig",
        "7.17" | "7.18" => "hasmoved",
        "7.20" | "7.21" | "7.22" | "7.23" | "7.24" | "7.26" | "7.29" => "authfailure",
        "7.25" => "requireptr",
        "7.28" => "spamdetected",
        "7.30" => "failedstarttls",
        "7.0" | "7.1" | "7.2" | "7.3" | "7.4" if !passing => "securityerror",
        "7.5" | "7.6" | "7.7" | "7.8" | "7.9" | "7.10" | "7.11" | "7.12" | "7.14" | "7.15" | "7.19" => {
            "securityerror"
        }
        _ => return None,
    })
}
