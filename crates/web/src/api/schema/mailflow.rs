//! Mailboxes that are read, outgoing mail, and what people order of them.

use utoipa::ToSchema;

use super::{Message, RecordRef};

/// A mailbox.
#[derive(ToSchema)]
pub struct Mailbox {
    name: String,
    addresses: Vec<String>,
    track: String,
    on_unmatched: String,
    #[schema(required)]
    record: Option<String>,
    /// `healthy`, `waiting`, `catching_up`, `paused`, `failing`, `needs_you`, `not_running`, `stopped`.
    state: String,
    /// One sentence.
    text: String,
    /// The documented error that stands in the way.
    #[schema(required)]
    code: Option<String>,
    messages: u64,
    #[schema(required)]
    last_received_at: Option<String>,
    /// Whether it is read on its server, rather than sent to us.
    watched: bool,
    /// Messages known to be on the server and not stored yet.
    behind: u64,
    /// For how long it has not been up to date; 0 when it is. Null when it is not watched.
    #[schema(required)]
    lag_seconds: Option<i64>,
    /// For how long postroom serve has given no sign of life. Null when it is not watched, or never was.
    #[schema(required)]
    heartbeat_age_seconds: Option<i64>,
    #[schema(required)]
    state_since: Option<String>,
    /// Mail since then is being read again.
    #[schema(required)]
    rescan_since: Option<String>,
    /// What the server lacks, and what it does otherwise than the standard says.
    quirks: Vec<String>,
    folders: Vec<FolderPlace>,
}

/// Where the watcher stands in a folder.
#[derive(ToSchema)]
pub struct FolderPlace {
    /// `host:port`.
    server: String,
    folder: String,
    cursor: Cursor,
    /// When the cursor moved last.
    at: String,
}

/// Every message up to `uid` is stored, or waits.
#[derive(ToSchema)]
pub struct Cursor {
    uid_validity: u32,
    uid: u32,
    #[schema(required)]
    mod_seq: Option<u64>,
    waiting: Vec<WaitingMail>,
    #[schema(required)]
    mark: Option<String>,
}

/// A message on the server that could not be read.
#[derive(ToSchema)]
pub struct WaitingMail {
    uid: u32,
    tries: u32,
    /// Null when it was given up.
    #[schema(required)]
    due: Option<String>,
    error: String,
}

/// A mailbox with what was decided about its mail last.
#[derive(ToSchema)]
pub struct MailboxDetail {
    #[serde(flatten)]
    mailbox: Mailbox,
    last_decisions: Vec<Message>,
}

/// What was ordered of a mailbox.
#[derive(ToSchema)]
pub struct MailboxOrder {
    name: String,
    /// `pause`, `resume`, `rescan`.
    order: String,
    changed: bool,
    dry_run: bool,
    /// Of a rescan.
    since: Option<String>,
    /// Of a rescan: how many messages since then are stored already.
    stored: Option<u64>,
}

/// What was forgotten about a mailbox, or would be.
#[derive(ToSchema)]
pub struct MailboxForgotten {
    name: String,
    /// Folders in which it is not known any more what was read.
    folders: Vec<String>,
    /// Messages that came through it. They stay.
    messages: u64,
    /// Whether it still stands in the configuration.
    configured: bool,
    dry_run: bool,
}

/// What a purge did, or would do.
#[derive(ToSchema)]
pub struct Purged {
    /// Mails that lost their body.
    messages: u64,
    /// What they had behind their headers.
    bytes: u64,
    bodies_removed: u64,
    /// Bodies that somebody else still refers to.
    bodies_kept: u64,
    /// Attempts to send whose history is no longer kept.
    attempts: u64,
    dry_run: bool,
}

/// One outgoing mail.
#[derive(ToSchema)]
pub struct Outgoing {
    /// `msg_…`
    id: String,
    /// GUID of the CRM's e-mail.
    activity_id: String,
    /// `queued`, `held`, `sending`, `sent`, `unknown`, `bounced`, `failed`, `suppressed`.
    state: String,
    reason: String,
    #[schema(required)]
    code: Option<String>,
    /// `rule`, `safe_mode`, `person`; `foreign` when its sender is none of ours and it is left to others.
    #[schema(required)]
    hold: Option<String>,
    #[schema(required)]
    message_id: Option<String>,
    subject: String,
    #[schema(required)]
    record: Option<RecordRef>,
    recipients: Vec<Recipient>,
    attempts: u32,
    #[schema(required)]
    next_try: Option<String>,
    first_at: String,
    #[schema(required)]
    finished_at: Option<String>,
    /// The attempts to hand it over, newest first, as far as they are kept (90 days); only when one mail is asked for.
    history: Option<Vec<Attempt>>,
}

/// One attempt to hand a mail over.
#[derive(ToSchema)]
pub struct Attempt {
    /// From 1.
    number: u32,
    started: String,
    /// Null while it runs, or when nobody knows.
    #[schema(required)]
    ended: Option<String>,
    /// The mail server.
    host: String,
    /// `answered`, `failed` (nobody has it), `unknown` (somebody may have it); null while it runs.
    #[schema(required)]
    outcome: Option<String>,
    /// What went wrong, when no recipient was answered.
    text: String,
    answers: Vec<AttemptAnswer>,
}

/// What one recipient was answered in one attempt.
#[derive(ToSchema)]
pub struct AttemptAnswer {
    address: String,
    /// SMTP reply code.
    #[schema(required)]
    code: Option<u16>,
    /// RFC 3463.
    #[schema(required)]
    status: Option<String>,
    text: String,
}

/// One recipient with the last word about it.
#[derive(ToSchema)]
pub struct Recipient {
    address: String,
    /// `to`, `cc`, `bcc`.
    role: String,
    /// `waiting`, `later`, `accepted`, `refused`, `expired`, `delayed`, `bounced`, `delivered`, `read`.
    state: String,
    /// SMTP reply code.
    #[schema(required)]
    code: Option<u16>,
    /// RFC 3463.
    #[schema(required)]
    status: Option<String>,
    /// Of one that came back: whether sending again is of no use.
    #[schema(required)]
    hard: Option<bool>,
    /// What the mail server said; of one that came back, why in a word before it.
    text: String,
    at: String,
}

/// A page of outgoing mail, newest first.
#[derive(ToSchema)]
pub struct OutgoingMails {
    items: Vec<Outgoing>,
    /// The `cursor` of the next page.
    #[schema(required)]
    next: Option<String>,
}

/// What a change to an outgoing mail did.
#[derive(ToSchema)]
pub struct OutgoingChange {
    id: String,
    from: String,
    to: String,
    dry_run: bool,
}

/// What deciding again does.
#[derive(ToSchema)]
pub struct Replay {
    /// Those that are decided otherwise.
    changed: Vec<String>,
    dry_run: bool,
    changes: Vec<Turn>,
    looked_at: u64,
}

/// A message that is decided otherwise.
#[derive(ToSchema)]
pub struct Turn {
    id: String,
    subject: String,
    from: Standing,
    to: Standing,
}

/// How a message stands.
#[derive(ToSchema)]
pub struct Standing {
    state: String,
    method: String,
    #[schema(required)]
    record: Option<RecordRef>,
    reason: String,
}

/// All mailboxes.
#[derive(ToSchema)]
pub struct Mailboxes {
    items: Vec<Mailbox>,
}
