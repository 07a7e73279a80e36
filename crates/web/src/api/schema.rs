//! What the answers look like, for the OpenAPI document. The values themselves are written by the operations; the test
//! `answers_are_as_described` reads real ones against this.
#![expect(dead_code, reason = "these types describe JSON and are never made")]

mod campaigns;
mod mailflow;
mod marketing;
mod people;
mod solution;
mod writing;

use std::collections::BTreeMap;

use utoipa::ToSchema;

pub use campaigns::*;
pub use mailflow::*;
pub use marketing::*;
pub use people::*;
pub use solution::*;
pub use writing::*;

/// A row of the CRM.
#[derive(ToSchema)]
pub struct RecordRef {
    /// Logical name of the table.
    table: String,
    /// GUID.
    id: String,
}

/// One message (`interfaces.md`, "A message in JSON").
#[derive(ToSchema)]
pub struct Message {
    /// `msg_…`
    id: String,
    /// As in the header, or null.
    #[schema(required)]
    message_id: Option<String>,
    /// Decoded.
    subject: String,
    from: String,
    from_name: String,
    /// `incoming` or `outgoing`.
    direction: String,
    /// `normal`, `reply`, `auto_reply`, `bounce`, `feedback`, `receipt`, `list`, `calendar`, `echo`; null until it is read.
    #[schema(required)]
    class: Option<String>,
    automatic: bool,
    /// `received`, `parsed`, `tracked`, `not_tracked`, `review`, `shelf`; outgoing also `queued`, `held`, `sending`, `sent`,
    /// `unknown`, `bounced`, `failed`, `suppressed`.
    state: String,
    /// `signed_id`, `signed_address`, `folder`, `thread`, `token`, `header`, `microsoft_token`, `conversation_index`, `person`,
    /// `none`.
    method: String,
    #[schema(required)]
    record: Option<RecordRef>,
    /// GUID of the CRM activity.
    #[schema(required)]
    activity_id: Option<String>,
    /// One sentence.
    reason: String,
    sightings: i64,
    /// RFC 3339, UTC.
    received_at: String,
    mailbox: String,
    flags: Vec<String>,
    /// Bytes that it came with.
    size: u64,
    /// When all but the headers was purged, because it is not tracked or was erased.
    purged_at: Option<String>,
    /// When it was erased on request.
    erased_at: Option<String>,
}

/// A page of messages, newest first.
#[derive(ToSchema)]
pub struct Messages {
    items: Vec<Message>,
    /// The cursor of the next, older page; null on the last.
    #[schema(required)]
    next: Option<String>,
}

/// A message with everything known about it.
#[derive(ToSchema)]
pub struct Detail {
    #[serde(flatten)]
    message: Message,
    /// Of a delivery report only.
    bounce: Option<Bounce>,
    /// The decision that stands.
    #[schema(required)]
    decision: Option<Decision>,
    /// All of them, oldest first.
    decisions: Vec<Decision>,
    sightings_seen: Vec<Sighting>,
    #[schema(required)]
    decided_at: Option<String>,
}

/// What a delivery report says.
#[derive(ToSchema)]
pub struct Bounce {
    #[schema(required)]
    message_id: Option<String>,
    recipients: Vec<BouncedRecipient>,
}

/// One recipient of a delivery report.
#[derive(ToSchema)]
pub struct BouncedRecipient {
    address: String,
    hard: bool,
    #[schema(required)]
    status: Option<String>,
    #[schema(required)]
    code: Option<u16>,
    reason: String,
}

/// Why a message was tracked, or not. Never changes.
#[derive(ToSchema)]
pub struct Decision {
    id: String,
    at: String,
    /// The version of the rules.
    rules: u32,
    state: String,
    method: String,
    #[schema(required)]
    record: Option<RecordRef>,
    reason: String,
    /// Everything found, the winner first.
    signals: Vec<Signal>,
    flags: Vec<String>,
    /// Why it has its class, in words.
    class_evidence: Vec<String>,
}

/// One thing found in a mail that names a record, or tries to.
#[derive(ToSchema)]
pub struct Signal {
    kind: String,
    value: String,
    /// Where it was found.
    place: String,
    #[schema(required)]
    record: Option<RecordRef>,
    note: String,
}

/// One time a message was seen.
#[derive(ToSchema)]
pub struct Sighting {
    id: String,
    source: String,
    direction: String,
    #[schema(required)]
    mailbox: Option<String>,
    #[schema(required)]
    envelope_from: Option<String>,
    envelope_to: Vec<String>,
    #[schema(required)]
    source_id: Option<String>,
    #[schema(required)]
    peer: Option<String>,
    received_at: String,
}

/// What would become of a mail.
#[derive(ToSchema)]
pub struct Why {
    #[schema(required)]
    message_id: Option<String>,
    subject: String,
    from: String,
    direction: String,
    class: String,
    automatic: bool,
    state: String,
    method: String,
    #[schema(required)]
    record: Option<RecordRef>,
    reason: String,
    bounce: Option<Bounce>,
    signals: Vec<Signal>,
    flags: Vec<String>,
    crm_asked: bool,
}

/// The id of a mail that is stored.
#[derive(ToSchema)]
pub struct Accepted {
    id: String,
    /// False when the mail was known already.
    new: bool,
}

/// What a change did, or with `dry_run` would do.
#[derive(ToSchema)]
pub struct Bulk {
    changed: Vec<String>,
    dry_run: bool,
}

/// A record.
#[derive(ToSchema)]
pub struct Record {
    table: String,
    id: String,
    columns: BTreeMap<String, serde_json::Value>,
}

/// Records, newest first.
#[derive(ToSchema)]
pub struct Records {
    items: Vec<Record>,
}

/// What an import did, or with `dry_run` would do.
#[derive(ToSchema)]
pub struct ImportReport {
    created: u64,
    updated: u64,
    unchanged: u64,
    rejected: Vec<Rejected>,
    dry_run: bool,
}

/// One line that was not taken.
#[derive(ToSchema)]
pub struct Rejected {
    /// Counted from 1.
    line: u64,
    #[schema(required)]
    record: Option<String>,
    reason: String,
}

/// A record with its activities.
#[derive(ToSchema)]
pub struct RecordView {
    table: String,
    id: String,
    columns: BTreeMap<String, serde_json::Value>,
    activities: Vec<Activity>,
}

/// One activity on a record's timeline.
#[derive(ToSchema)]
pub struct Activity {
    id: String,
    #[schema(rename = "type")]
    kind: String,
    subject: String,
    direction: String,
    /// `open`, `completed`, `canceled`.
    state: String,
    status: i64,
    #[schema(required)]
    at: Option<String>,
    parties: Vec<Party>,
    attachments: Vec<Attachment>,
}

/// A party of an activity.
#[derive(ToSchema)]
pub struct Party {
    /// `from`, `to`, `cc`, `bcc`, `regarding`, `owner`.
    role: String,
    #[schema(required)]
    address: Option<String>,
    #[schema(required)]
    record: Option<String>,
}

/// An attachment of an activity.
#[derive(ToSchema)]
pub struct Attachment {
    id: String,
    name: String,
    #[schema(rename = "type")]
    kind: String,
    #[schema(required)]
    size: Option<i64>,
    #[schema(required)]
    content_id: Option<String>,
}

/// Work that stopped after its tries.
#[derive(ToSchema)]
pub struct ShelfItem {
    /// `job_…`
    id: String,
    kind: String,
    /// The message it is about.
    subject: String,
    #[schema(required)]
    code: Option<String>,
    reason: String,
    attempts: u32,
    first_at: String,
    history: Vec<serde_json::Value>,
}

/// The shelf.
#[derive(ToSchema)]
pub struct Shelf {
    items: Vec<ShelfItem>,
}

/// What is tried again, or with `dry_run` would be.
#[derive(ToSchema)]
pub struct ShelfReplayed {
    /// `job_…`
    changed: Vec<String>,
    dry_run: bool,
}

/// How the database stands after a restore.
#[derive(ToSchema)]
pub struct Reconciled {
    /// Whether it is in safe mode now.
    safe_mode: bool,
    books: Books,
    dry_run: bool,
}

/// A token at its birth: the only time its text is shown.
#[derive(ToSchema)]
pub struct NewToken {
    id: String,
    token: String,
    scope: String,
    /// The user of the CRM that it acts as.
    #[schema(required)]
    user: Option<String>,
    expires_at: String,
}

/// A token in a list.
#[derive(ToSchema)]
pub struct Token {
    id: String,
    name: String,
    scope: String,
    /// The user of the CRM that it acts as.
    #[schema(required)]
    user: Option<String>,
    created_at: String,
    expires_at: String,
    #[schema(required)]
    last_used: Option<String>,
    #[schema(required)]
    revoked_at: Option<String>,
}

/// All tokens.
#[derive(ToSchema)]
pub struct Tokens {
    items: Vec<Token>,
}

/// How things stand.
#[derive(ToSchema)]
pub struct Today {
    /// `healthy`, `catching_up`, `needs_you`.
    state: String,
    sentence: String,
    /// Messages by state.
    counts: BTreeMap<String, u64>,
    shelf: u64,
    review: u64,
    waiting: u64,
    outgoing: OutgoingTally,
    /// Names of mailboxes on servers that are not read now, though they should be.
    unread: Vec<String>,
    safe_mode: bool,
}

/// The outgoing mails that are not at their end, and those that ended badly within a day.
#[derive(ToSchema)]
pub struct OutgoingTally {
    queued: u64,
    /// Until a person releases them, or safe mode ends.
    held: u64,
    /// Left to whoever serves their senders.
    foreign: u64,
    sending: u64,
    /// Whether they arrived is not known.
    unknown: u64,
    /// Within a day.
    failed: u64,
    /// Within a day after they were sent: every recipient bounced.
    bounced: u64,
}

/// Whether the books balance.
#[derive(ToSchema)]
pub struct Books {
    messages: u64,
    sightings: u64,
    received: u64,
    tracked: u64,
    not_tracked: u64,
    review: u64,
    shelf: u64,
    other: u64,
    activities: u64,
    jobs: u64,
    /// Mails that the CRM wanted sent.
    outgoing: u64,
    /// Mails that a watcher could not read yet, or gave up: the first fifty.
    unread: Vec<String>,
    unread_count: u64,
    /// What does not balance: the first fifty.
    findings: Vec<String>,
    finding_count: u64,
}

/// One thing that was done.
#[derive(ToSchema)]
pub struct AuditEntry {
    at: String,
    actor: String,
    door: String,
    action: String,
    object: String,
    detail: String,
}

/// What was done to an object, newest first.
#[derive(ToSchema)]
pub struct Audit {
    items: Vec<AuditEntry>,
}

/// What was erased of a person, in numbers.
#[derive(ToSchema)]
pub struct Erasure {
    id: String,
    at: String,
    /// Null while some of it is left to do.
    #[schema(required)]
    finished_at: Option<String>,
    /// SHA-256 of the 16 bytes of `salt` and the address in lower case.
    address_hash: String,
    salt: String,
    /// Nothing was done: the numbers say what would be.
    dry_run: bool,
    messages: u64,
    sightings: u64,
    /// Those of the messages that the CRM sent, or wanted to.
    outgoing: u64,
    /// Those of the messages that waited for a person.
    review_closed: u64,
    activities: u64,
    attachments: u64,
    bodies_removed: u64,
    /// Bodies that other mail or other CRM rows refer to.
    bodies_kept: u64,
    /// What the CRM did not let go.
    refusals: Vec<ErasureRefusal>,
    /// Null where no account of the marketing service is configured.
    #[schema(required)]
    marketing: Option<MarketingErasure>,
}

/// A change that the CRM refused.
#[derive(ToSchema)]
pub struct ErasureRefusal {
    /// GUID.
    activity: String,
    /// `attachments`, `text`, `addresses`, `parties`, `queue items`, `notes`.
    what: String,
    /// `PR-nnnn`.
    code: String,
}
