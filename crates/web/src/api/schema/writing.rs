//! Mail that is written here, and records looked up for mail.

use utoipa::ToSchema;

use super::{Message, RecordRef};

/// A record with what people call it.
#[derive(ToSchema)]
pub struct NamedRecord {
    record: RecordRef,
    /// Empty when it has none.
    name: String,
    /// A number or an address, to tell it from others of the same name.
    more: String,
}

/// Records that were found.
#[derive(ToSchema)]
pub struct NamedRecords {
    items: Vec<NamedRecord>,
}

/// A record that a mail may belong to.
#[derive(ToSchema)]
pub struct Candidate {
    #[serde(flatten)]
    named: NamedRecord,
    /// One clause.
    why: String,
}

/// A mail that waits for a person.
#[derive(ToSchema)]
pub struct ReviewItem {
    #[serde(flatten)]
    message: Message,
    /// Where it may belong, the likeliest first; at most three.
    candidates: Vec<Candidate>,
}

/// A page of mail in review, newest first.
#[derive(ToSchema)]
pub struct Review {
    items: Vec<ReviewItem>,
    /// The cursor of the next, older page; null on the last.
    #[schema(required)]
    next: Option<String>,
}

/// A mail that was written, or with `dry_run` would be.
#[derive(ToSchema)]
pub struct Written {
    email: RecordRef,
    /// False when it was written before.
    new: bool,
    dry_run: bool,
    from: String,
    to: String,
    cc: String,
    subject: String,
    #[schema(required)]
    regarding: Option<RecordRef>,
    /// GUID of the e-mail that it answers.
    #[schema(required)]
    answers: Option<String>,
    /// Names of the files with it.
    files: Vec<String>,
}
