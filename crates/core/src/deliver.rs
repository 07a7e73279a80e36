//! Delivery by the CRM server itself: a mail in the terms of Microsoft's `DeliverIncomingEmail`, and why a server takes one
//! or not (`CheckIncomingEmail`; dataverse.md B6 to B8).
//!
//! The method is [`crate::Crm::deliver`]. Not here: any wire form, and what becomes of a mail that is refused.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Content, Record, address};

/// A mail as the server's own message describes it. Addresses are bare, without names.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingMail {
    /// In angle brackets, never empty, at most 320 characters: by it a mail that was delivered is found again.
    pub message_id: String,
    pub subject: String,
    pub from: String,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub bcc: Vec<String>,
    pub received_on: Timestamp,
    /// Who handed the mail in: the sender of its envelope.
    pub submitted_by: String,
    pub importance: Importance,
    /// HTML.
    pub body: Content,
    /// Rows of `activitymimeattachment`; their ids, and what they hang on, count for nothing.
    pub attachments: Vec<Record>,
    /// The Message-ID that it answers, in angle brackets. Servers that know nothing of it are not told.
    pub in_reply_to: Option<String>,
}

/// The columns of `email` that [`IncomingMail::is`] reads.
pub const LOOKED_AT: [&str; 4] = ["messageid", "subject", "sender", "torecipients"];

impl IncomingMail {
    /// Whether a row of `email` with this Message-ID is this very mail. Another mail may have used the id: then the sender, the
    /// subject or the recipients differ. What a row leaves empty says nothing, and servers cut long subjects.
    pub fn is(&self, row: &Record) -> bool {
        let text = |column: &str| row.text(column).map(str::trim).unwrap_or_default();
        let id = text("messageid").eq_ignore_ascii_case(self.message_id.trim());
        let sender = address::normal(text("sender"));
        let sender = sender.is_empty() || sender == address::normal(&self.from);
        id && sender && same_subject(text("subject"), &self.subject) && self.shares(text("torecipients"))
    }

    /// Whether one of these recipients, `a@x;b@y;`, is one of the mail's.
    fn shares(&self, recipients: &str) -> bool {
        let own: Vec<String> =
            [&self.to, &self.cc, &self.bcc].into_iter().flatten().map(|to| address::normal(to)).collect();
        let mut known = recipients.split(';').map(address::normal).filter(|to| !to.is_empty()).peekable();
        known.peek().is_none() || own.is_empty() || known.any(|to| own.contains(&to))
    }
}

/// The shortest length at which a server cuts subjects (dataverse.md B1).
const CUT: usize = 200;

fn same_subject(kept: &str, whole: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (kept, whole) = (words(kept), words(whole));
    kept == whole || kept.chars().count() + 1 >= CUT && whole.starts_with(&kept)
}

/// The header of that name (RFC 2156 5.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Importance {
    Low,
    #[default]
    Normal,
    High,
}

impl Importance {
    /// The message's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Importance::Low => "low",
            Importance::Normal => "normal",
            Importance::High => "high",
        }
    }

    /// What a mail's header says; anything unknown is normal.
    pub fn of(header: &str) -> Importance {
        match header.trim().to_ascii_lowercase().as_str() {
            "low" => Importance::Low,
            "high" => Importance::High,
            _ => Importance::Normal,
        }
    }
}

/// What became of a mail that was handed to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It is in the CRM.
    Delivered(Delivered),
    /// It would be taken: the answer to a question, nothing was written.
    Accepted(ReasonCode),
    /// By its own rules the server does not take it.
    Refused(ReasonCode),
}

/// A mail that is in the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The activity: the server chose its id.
    pub email: Uuid,
    /// False when it was there already.
    pub new: bool,
    /// Attachments stayed behind, as the organisation takes none of that size or kind, and the row does not say so yet
    /// (`notifications`).
    pub shortened: bool,
}

/// Why a server takes a mail or not: `CheckIncomingEmailResponse.ReasonCode`, by Microsoft's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReasonCode {
    Unknown,
    Duplicate,
    NoCorrelationMatch,
    CorrelationMatch,
    NoRecipientMatch,
    InternalEmailReject,
    SenderMatch,
    AcceptAll,
    InvalidSender,
}

impl ReasonCode {
    pub const ALL: [ReasonCode; 9] = [
        ReasonCode::Unknown,
        ReasonCode::Duplicate,
        ReasonCode::NoCorrelationMatch,
        ReasonCode::CorrelationMatch,
        ReasonCode::NoRecipientMatch,
        ReasonCode::InternalEmailReject,
        ReasonCode::SenderMatch,
        ReasonCode::AcceptAll,
        ReasonCode::InvalidSender,
    ];

    /// The number on the wire, -1 to 7.
    pub fn number(self) -> i64 {
        match self {
            ReasonCode::Unknown => -1,
            ReasonCode::Duplicate => 0,
            ReasonCode::NoCorrelationMatch => 1,
            ReasonCode::CorrelationMatch => 2,
            ReasonCode::NoRecipientMatch => 3,
            ReasonCode::InternalEmailReject => 4,
            ReasonCode::SenderMatch => 5,
            ReasonCode::AcceptAll => 6,
            ReasonCode::InvalidSender => 7,
        }
    }

    /// Numbers that nobody documented are [`ReasonCode::Unknown`].
    pub fn of(number: i64) -> ReasonCode {
        Self::ALL.into_iter().find(|code| code.number() == number).unwrap_or(ReasonCode::Unknown)
    }

    pub fn name(self) -> &'static str {
        match self {
            ReasonCode::Unknown => "Unknown",
            ReasonCode::Duplicate => "Duplicate",
            ReasonCode::NoCorrelationMatch => "NoCorrelationMatch",
            ReasonCode::CorrelationMatch => "CorrelationMatch",
            ReasonCode::NoRecipientMatch => "NoRecipientMatch",
            ReasonCode::InternalEmailReject => "InternalEmailReject",
            ReasonCode::SenderMatch => "SenderMatch",
            ReasonCode::AcceptAll => "AcceptAll",
            ReasonCode::InvalidSender => "InvalidSender",
        }
    }

    /// What it means and, of a refusal, what to change so that such mail is taken.
    pub fn explanation(self) -> &'static str {
        match self {
            ReasonCode::Unknown => {
                "The CRM names no reason that is documented: look into its trace, or attach the mail by hand."
            }
            ReasonCode::Duplicate => {
                "The CRM says that it has a mail with this Message-ID, but shows none with this sender, subject and \
                 recipients: either postroom's user may not read that e-mail (give its role Read on Activity for the whole \
                 organisation), or another mail used the same Message-ID; then attach this one by hand."
            }
            ReasonCode::NoCorrelationMatch => {
                "It carries a tracking token that no e-mail of the CRM has, and its recipients take replies to CRM mail \
                 only: in the recipient's personal options (Email, Track) choose All email messages or messages from \
                 contacts, or attach the mail by hand."
            }
            ReasonCode::CorrelationMatch => "It answers a mail that the CRM knows.",
            ReasonCode::NoRecipientMatch => {
                "No user or queue among its recipients takes it. Check that one has this address and is active, that the \
                 address is approved (Approve Email on the mailbox, user or queue, where the organisation asks for it), and \
                 which mail it takes: a user's personal options (Email, Track), a queue's Convert Incoming Email to \
                 Activities."
            }
            ReasonCode::InternalEmailReject => {
                "It goes from one user to another, and the organisation does not track such mail: System Settings, Email, \
                 Track emails sent between Dynamics 365 users as two activities; or add a queue to its recipients."
            }
            ReasonCode::SenderMatch => "Its sender is a record of the CRM.",
            ReasonCode::AcceptAll => "One of its recipients takes all mail.",
            ReasonCode::InvalidSender => {
                "Its From has no address, or more than one, that the CRM understands: attach the mail by hand."
            }
        }
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name(), self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_unknown_ones_are_unknown() {
        for code in ReasonCode::ALL {
            assert_eq!(ReasonCode::of(code.number()), code);
        }
        assert_eq!((ReasonCode::of(8), ReasonCode::of(-2)), (ReasonCode::Unknown, ReasonCode::Unknown));
        assert_eq!(ReasonCode::NoRecipientMatch.to_string(), "NoRecipientMatch (3)");
    }

    #[track_caller]
    fn check(row: &[(&str, &str)], expected: bool) {
        let mail = IncomingMail {
            message_id: "<a@x>".into(),
            subject: format!("Offer  {}", "x".repeat(250)),
            from: "Anna@x.example".into(),
            to: vec!["desk@ours.example".into()],
            cc: Vec::new(),
            bcc: Vec::new(),
            received_on: Timestamp::UNIX_EPOCH,
            submitted_by: String::new(),
            importance: Importance::Normal,
            body: Content::Bytes(Default::default()),
            attachments: Vec::new(),
            in_reply_to: None,
        };
        let subject = mail.subject.clone();
        let mut all =
            vec![("messageid", "<A@x>"), ("sender", "anna@X.example"), ("subject", subject.as_str())];
        all.push(("torecipients", "who@else.example;DESK@ours.example;"));
        all.retain(|(name, _)| !row.iter().any(|(known, _)| known == name));
        let mut record = Record::new(crate::RecordRef::new("email", Uuid::nil()));
        for (name, text) in all.iter().chain(row) {
            record = record.with(*name, *text);
        }
        assert_eq!(mail.is(&record), expected, "{row:?}");
    }

    #[test]
    fn a_row_of_this_very_mail() {
        check(&[], true);
        check(&[("sender", ""), ("torecipients", "")], true);
        check(&[("subject", &format!("Offer {}", "x".repeat(194)))], true);
        check(&[("subject", "Offer")], false);
        check(&[("messageid", "<b@x>")], false);
        check(&[("sender", "ben@x.example")], false);
        check(&[("torecipients", "who@else.example;")], false);
    }

    #[test]
    fn importance_by_its_header() {
        for (header, expected) in
            [("High", Importance::High), (" low ", Importance::Low), ("5", Importance::Normal)]
        {
            assert_eq!(Importance::of(header), expected, "{header}");
        }
    }
}
