//! Which subject should a mail carry that a user is sending? The same signals and rules that will decide about the mail
//! when it is filed, asked before it leaves: so the stamp and the filing agree.
//!
//! Safe by construction: an error, a CRM that is away, a doubt, or no answer in time leave the subject as it is.

use std::time::Duration;

use async_trait::async_trait;
use postroom_core::{Direction, Fault, MailState, Method, RecordRef, Stamp, StampAsk, Stamper};

use crate::filing::Filing;
use crate::{token, why};

/// The longest subject in UTF-16 units: what Dataverse's `email.subject` holds is 800, what mail servers keep is less
/// (mail-tracking.md, 2.14).
const LONGEST: usize = 255;

/// The make of [`Stamper`] on the rules and the CRM.
#[derive(Clone)]
pub struct Stamping {
    pub filing: Filing,
    /// After this long the mail goes as it is.
    pub patience: Duration,
}

#[async_trait]
impl Stamper for Stamping {
    async fn stamp(&self, ask: StampAsk) -> Stamp {
        let subject = ask.subject.clone();
        let unchanged = |reason: String| Stamp { subject: subject.clone(), record: None, reason };
        match tokio::time::timeout(self.patience, self.find(&ask)).await {
            Ok(Ok(Found::Record(record, reason))) => {
                Stamp { subject: token::stamp(&subject, record.id, LONGEST), record: Some(record), reason }
            }
            Ok(Ok(Found::Nothing(reason))) => unchanged(reason),
            Ok(Err(fault)) => {
                tracing::warn!(event = "stamp.failed", code = %fault.code, "A subject stays unstamped: {fault}");
                unchanged("It could not be looked up now; the subject stays as it is.".into())
            }
            Err(_) => unchanged("There was no answer in time; the subject stays as it is.".into()),
        }
    }
}

enum Found {
    Record(RecordRef, String),
    Nothing(String),
}

impl Stamping {
    async fn find(&self, ask: &StampAsk) -> Result<Found, Fault> {
        let why = why::explain(&self.filing, &head(ask), Direction::Outgoing, None).await?;
        if why.automatic {
            return Ok(Found::Nothing("Automatic mail is not stamped.".into()));
        }
        Ok(match (why.state, why.record) {
            (MailState::Tracked, Some(record)) => Found::Record(record, why.reason),
            (MailState::Tracked | MailState::Review, None) if why.method == Method::None => {
                Found::Nothing("Neither its recipients nor its thread name exactly one record.".into())
            }
            (..) => Found::Nothing(why.reason),
        })
    }
}

/// A mail of nothing but this head.
fn head(ask: &StampAsk) -> Vec<u8> {
    let mut head = String::new();
    let mut field = |name: &str, value: &str| {
        let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if !value.trim().is_empty() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    };
    field("From", &ask.from);
    field("To", &ask.to.join(", "));
    field("Subject", &ask.subject);
    field("Message-ID", ask.message_id.as_deref().unwrap_or_default());
    field("In-Reply-To", ask.in_reply_to.as_deref().unwrap_or_default());
    field("References", &ask.references.join(" "));
    head.push_str("\r\n");
    head.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_cannot_be_extended() {
        let ask = StampAsk {
            subject: "Offer\r\nBcc: victim@example.org".into(),
            from: "ines@demo.example".into(),
            to: vec!["a@b.example".into(), "c@d.example".into()],
            references: vec!["<1@b>".into(), "<2@b>".into()],
            ..StampAsk::default()
        };
        let head = String::from_utf8(head(&ask)).expect("made of text");
        let lines: Vec<&str> = head.lines().collect();
        assert_eq!(
            lines,
            [
                "From: ines@demo.example",
                "To: a@b.example, c@d.example",
                "Subject: Offer  Bcc: victim@example.org",
                "References: <1@b> <2@b>",
                ""
            ]
        );
    }
}
