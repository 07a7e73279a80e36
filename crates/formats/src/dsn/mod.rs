//! Reports about mail we sent: delivery status notifications, bounces in plain words, abuse feedback, read receipts.
//!
//! [`read`] answers two questions about a parsed mail: is it such a report, and what does it say about whom. It does not
//! decide whether the report concerns us (that needs our ids) and never looks at automatic replies, which are no reports.
//!
//! Sources: RFC 3464 (delivery status), RFC 6522 (multipart/report), RFC 3463 (status codes), RFC 5965 (feedback),
//! RFC 8098 (receipts); the words of servers that follow none of these come from their manuals and from real bounces.
//! [`reason`] says what a hard bounce is. `tests/it/dsn.rs` counts how much of a set of real bounces is read right.

mod causes;
mod evidence;
mod fields;
mod letter;
mod phrases;
mod prose;
mod reason;
mod returned;
mod ses;
mod structured;
mod verdict;

use crate::mime::Mail;
use letter::Letter;

/// What a mail reports about an earlier mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub kind: ReportKind,
    /// Message-ID of the mail reported about, normalised as [`crate::mime::normal_message_id`] does.
    pub original_message_id: Option<String>,
    /// Its subject, decoded.
    pub original_subject: Option<String>,
    /// The `ENVID` we gave when we sent it (RFC 3461), as the report repeats it.
    pub original_envelope_id: Option<String>,
    /// One entry per address reported about; empty when the report names none.
    pub recipients: Vec<Recipient>,
}

/// The kind of a report: for several recipients the worst one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReportKind {
    /// Not delivered, and nobody will try again.
    Failure,
    /// Not delivered yet; the server goes on trying.
    Delay,
    /// Delivered.
    Success,
    /// Handed to a server that gives no further reports, or spread to several addresses.
    Relayed,
    /// A complaint, or another abuse report (RFC 5965).
    Feedback,
    /// A message disposition notification: read, deleted, and so on (RFC 8098).
    Receipt,
}

/// What the report says about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// What became of the mail for this one: a report may tell of one who has it and of one who has not.
    pub kind: ReportKind,
    /// The address at which delivery ended (`Final-Recipient`), as written there.
    pub address: String,
    /// The address that we wrote to (`Original-Recipient`), when it is given and another one.
    pub original_address: Option<String>,
    /// The address or its host does not exist or takes no mail: sending again is of no use.
    pub hard: bool,
    /// Enhanced status code (RFC 3463) as the servers gave it, the most precise one: `5.1.1`.
    pub status: Option<String>,
    /// SMTP reply code: 550.
    pub code: Option<u16>,
    /// One short word: `userunknown`, `mailboxfull`, … (the vocabulary of sisimai); for receipts the disposition.
    pub reason: String,
    /// The server's words, white space folded, at most 2000 characters.
    pub diagnostic: Option<String>,
}

/// Reads a report out of a mail; `None` when the mail is none, or when that rests on quoted text alone.
pub fn read(mail: &Mail<'_>) -> Option<Report> {
    let letter = Letter::heads(mail);
    if !Letter::has_report_parts(mail) && !evidence::may_be_bounce(&letter) {
        return None; // nearly every mail ends here, before any text is looked at
    }
    let letter = letter.with_parts(mail);
    structured::feedback(&letter)
        .or_else(|| structured::complaint(&letter))
        .or_else(|| ses::notification(&letter))
        .or_else(|| structured::receipt(&letter))
        .or_else(|| structured::delivery(&letter))
        .or_else(|| prose::bounce(&letter))
}
