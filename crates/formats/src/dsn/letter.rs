//! What the report readers need of a mail: a few headers, the words for humans, the machine-readable parts and the
//! returned message. Nothing inside an attached message is looked at: a report forwarded as attachment is no report.

use crate::mime::{Mail, Part, PartKind};

/// Readers look at no more of any text than this; a bounce says what it has to say at its head.
const TEXT_LIMIT: usize = 256 * 1024;

/// A mail, reduced to what reports are made of.
#[derive(Debug, Default)]
pub(super) struct Letter {
    pub subject: String,
    /// `Return-Path` as written, if there is one.
    pub return_path: Option<String>,
    /// `From` as written.
    pub from: String,
    /// `To` as written, all of them.
    pub to: String,
    /// `X-Failed-Recipients`, Exim's and Google's.
    pub failed_recipients: Option<String>,
    /// KDDI's filter refused the mail (`X-SPASIGN: NG`); the words beside it are those of an unknown user.
    pub is_filtered: bool,
    /// The mail says of itself that it answers automatically (RFC 3834, and what was used before it).
    pub is_auto_reply: bool,
    /// The id this mail answers, by its own headers.
    pub answers: Option<String>,
    /// `report-type` of a multipart/report that is the whole mail or its only content.
    pub report_type: Option<String>,
    /// The text/plain parts (else the HTML, else the bare body) outside of attached messages.
    pub text: String,
    /// Parts of type message/delivery-status, message/feedback-report, message/disposition-notification.
    pub status_parts: Vec<String>,
    pub feedback_parts: Vec<String>,
    pub disposition_parts: Vec<String>,
    /// The returned message or its headers.
    pub returned: Option<Vec<u8>>,
}

impl Letter {
    /// The headers alone: enough to see that most mails are no report.
    pub(super) fn heads(mail: &Mail<'_>) -> Letter {
        Letter {
            subject: mail.subject.clone(),
            return_path: mail.header("Return-Path"),
            from: mail.header("From").unwrap_or_default(),
            answers: mail.in_reply_to.first().or(mail.references.last()).cloned(),
            failed_recipients: joined(mail, "X-Failed-Recipients"),
            ..Letter::default()
        }
    }

    /// Whether a part is of a kind that reports are made of.
    pub(super) fn has_report_parts(mail: &Mail<'_>) -> bool {
        let telling = |part: &Part<'_>| {
            let kind = part.content_type.as_str();
            kind == "multipart/report" || kind == "text/rfc822-headers" || kind.starts_with("message/")
        };
        mail.parts.iter().any(telling)
    }

    /// Adds what stands in the parts, and the headers that only a report is asked for.
    pub(super) fn with_parts(mut self, mail: &Mail<'_>) -> Letter {
        self.to = joined(mail, "To").unwrap_or_default();
        self.is_filtered = mail.header("X-SPASIGN").is_some_and(|sign| sign.trim() == "NG");
        self.is_auto_reply = is_auto_reply(mail);
        let mut html = Vec::new();
        for part in mail.parts.iter().filter(|part| !inside_message(mail, part)) {
            self.take(mail, part, &mut html);
        }
        if self.text.trim().is_empty() {
            for part in &html {
                append(&mut self.text, &crate::html::to_text(&mail.part_text(*part)));
            }
        }
        if self.text.trim().is_empty() && html.is_empty() {
            self.text = bare_body(mail);
        }
        self
    }

    fn take(&mut self, mail: &Mail<'_>, part: &Part<'_>, html: &mut Vec<u32>) {
        match (part.kind, part.content_type.as_str()) {
            (_, "multipart/report") => self.take_report(part),
            (_, "message/delivery-status" | "message/global-delivery-status") => {
                self.status_parts.push(text_of(&part.body));
            }
            (_, "message/feedback-report") => self.feedback_parts.push(text_of(&part.body)),
            (_, "message/disposition-notification" | "message/global-disposition-notification") => {
                self.disposition_parts.push(text_of(&part.body));
            }
            (_, "text/rfc822-headers" | "message/rfc822-headers" | "message/global-headers") => {
                self.returned.get_or_insert_with(|| capped(&part.body).to_vec());
            }
            (PartKind::Message, _) => {
                let raw = mail.embedded(part.index).unwrap_or(&part.body);
                self.returned.get_or_insert_with(|| capped(raw).to_vec());
            }
            (PartKind::Leaf, "text/plain") => append(&mut self.text, &mail.part_text(part.index)),
            (PartKind::Leaf, "text/html") => html.push(part.index),
            _ => {}
        }
    }

    /// A report counts as the mail itself when no other text stands before it: relays wrap reports to add a footer,
    /// people who pass a report on write above it.
    fn take_report(&mut self, part: &Part<'_>) {
        let first_words = part.index == 0 || self.text.trim().is_empty();
        let named = part.params.iter().find(|(name, _)| name == "report-type");
        let kind = named.map(|(_, value)| value.trim().to_lowercase()).unwrap_or_default();
        if first_words && self.report_type.is_none() {
            self.report_type = Some(kind);
        }
    }
}

fn is_auto_reply(mail: &Mail<'_>) -> bool {
    let is = |name: &str, start: &str| {
        mail.header(name).is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with(start))
    };
    is("Auto-Submitted", "auto-replied")
        || is("Precedence", "auto_reply")
        || is("X-Autoreply", "")
        || is("X-Autorespond", "")
}

fn joined(mail: &Mail<'_>, name: &str) -> Option<String> {
    let all: Vec<String> = mail.headers_named(name).collect();
    Some(all.join(", ")).filter(|text| !text.trim().is_empty())
}

fn inside_message(mail: &Mail<'_>, part: &Part<'_>) -> bool {
    let mut parent = part.parent;
    while let Some(above) = parent.and_then(|index| mail.parts.get(index as usize)) {
        if matches!(above.kind, PartKind::Message) && is_returned_type(&above.content_type) {
            return true;
        }
        // The parent of a part stands before it; anything else would be a ring.
        parent = above.parent.filter(|next| *next < above.index);
    }
    false
}

fn is_returned_type(content_type: &str) -> bool {
    !content_type.ends_with("delivery-status") && !content_type.ends_with("disposition-notification")
}

/// The body of a mail whose multipart structure is broken: everything stands in the first part.
fn bare_body(mail: &Mail<'_>) -> String {
    mail.parts.first().map(|part| text_of(&part.body)).unwrap_or_default()
}

fn capped(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(TEXT_LIMIT)]
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(capped(bytes)).into_owned()
}

fn append(text: &mut String, more: &str) {
    let room = TEXT_LIMIT.saturating_sub(text.len());
    let end = (0..=more.len().min(room)).rev().find(|end| more.is_char_boundary(*end)).unwrap_or(0);
    text.push_str(&more[..end]);
    text.push('\n');
}
