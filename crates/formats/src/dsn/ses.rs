//! Amazon SES as reported by Amazon SNS: a mail whose body is a JSON notification about a bounce, a complaint or a
//! delivery. Source: Amazon SES developer guide, "Amazon SNS notification contents for Amazon SES".

use serde::Deserialize;

use super::letter::Letter;
use super::structured::{plain, short};
use super::verdict::{codes, status_field};
use super::{Recipient, Report, ReportKind, reason};
use crate::mime::normal_message_id;

/// The sender of every notification that SNS mails.
const SENDER: &str = "@sns.amazonaws.com";

/// The mail comes from SNS.
pub(super) fn is_notification(letter: &Letter) -> bool {
    letter.from.to_ascii_lowercase().contains(SENDER)
}

/// What SNS wraps around the notification, unless "raw message delivery" is on.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Message")]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
    delivery: Option<Delivery>,
    #[serde(default)]
    mail: Sent,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    #[serde(default)]
    bounce_sub_type: String,
    bounced_recipients: Vec<Bounced>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounced {
    email_address: String,
    status: Option<String>,
    diagnostic_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complained_recipients: Vec<Complained>,
    complaint_feedback_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complained {
    email_address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    recipients: Vec<String>,
    smtp_response: Option<String>,
}

/// The mail reported about; its headers are there when the identity is set to include them.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Sent {
    common_headers: Headers,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Headers {
    message_id: Option<String>,
    subject: Option<String>,
}

/// Reads the notification; `None` when the body holds none.
pub(super) fn notification(letter: &Letter) -> Option<Report> {
    if !is_notification(letter) {
        return None;
    }
    let body = &letter.text[letter.text.find('{')?..];
    // Mail systems fold long lines as `!`, line end, blank.
    let unfolded = || body.replace("!\r\n ", "").replace("!\n ", "").replace(['\r', '\n'], "");
    let told = first_value::<Notification>(body).filter(Notification::says_something);
    let wrapped = || {
        let envelope = first_value::<Envelope>(body).or_else(|| first_value::<Envelope>(&unfolded()))?;
        first_value::<Notification>(&envelope.message)
    };
    let told = told.or_else(wrapped)?;
    let (kind, recipients) = told.recipients()?;
    let headers = told.mail.common_headers;
    Some(Report {
        kind,
        original_message_id: headers.message_id.as_deref().and_then(normal_message_id),
        original_subject: headers.subject,
        original_envelope_id: None,
        recipients,
    })
}

/// The first JSON value of a text; SNS writes a footer below it.
fn first_value<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
}

impl Notification {
    fn says_something(&self) -> bool {
        self.bounce.is_some() || self.complaint.is_some() || self.delivery.is_some()
    }

    fn recipients(&self) -> Option<(ReportKind, Vec<Recipient>)> {
        if let Some(bounce) = &self.bounce {
            let failed = bounce.bounced_recipients.iter().map(|one| bounce.failed(one)).collect();
            return Some((ReportKind::Failure, failed));
        }
        if let Some(complaint) = &self.complaint {
            let about = &complaint.complained_recipients;
            let kind = &complaint.complaint_feedback_type;
            let one = |one: &Complained| {
                plain(ReportKind::Feedback, one.email_address.clone(), "feedback", kind.clone())
            };
            return Some((ReportKind::Feedback, about.iter().map(one).collect()));
        }
        let delivery = self.delivery.as_ref()?;
        let one = |address: &String| {
            let found = codes(delivery.smtp_response.as_deref().unwrap_or_default());
            let recipient =
                plain(ReportKind::Success, address.clone(), "delivered", delivery.smtp_response.clone());
            Recipient { status: found.status, code: found.code, ..recipient }
        };
        Some((ReportKind::Success, delivery.recipients.iter().map(one).collect()))
    }
}

impl Bounce {
    fn failed(&self, one: &Bounced) -> Recipient {
        let words = one.diagnostic_code.as_deref().unwrap_or_default();
        let told = codes(words);
        let field = one.status.as_deref().and_then(status_field);
        let status = field.or(told.status);
        let reason = self.sub_type().unwrap_or_else(|| {
            reason::of(&reason::Reading {
                words: ["", words, "", "", ""],
                dialogue: "",
                category: None,
                status: status.as_deref(),
                code: told.code,
                late: false,
            })
        });
        Recipient {
            kind: ReportKind::Failure,
            hard: reason::is_hard(reason, status.as_deref(), told.code),
            address: one.email_address.clone(),
            original_address: None,
            reason: reason.to_owned(),
            diagnostic: Some(short(words)).filter(|text| !text.is_empty()),
            status,
            code: told.code,
        }
    }

    /// What the sub-type says by itself; `General` and `Undetermined` say nothing.
    fn sub_type(&self) -> Option<&'static str> {
        Some(match self.bounce_sub_type.as_str() {
            "NoEmail" => "userunknown",
            "Suppressed" | "OnAccountSuppressionList" => "suppressed",
            "MailboxFull" => "mailboxfull",
            "MessageTooLarge" => "mesgtoobig",
            "ContentRejected" => "contenterror",
            "AttachmentRejected" => "securityerror",
            _ => return None,
        })
    }
}
