//! The marketing half's answers.

use utoipa::ToSchema;

use super::RecordRef;

/// All accounts.
#[derive(ToSchema)]
pub struct MarketingAccounts {
    items: Vec<MarketingAccount>,
}

/// An account of the marketing service.
#[derive(ToSchema)]
pub struct MarketingAccount {
    name: String,
    /// `healthy`, `catching_up`, `waiting`, `paused`, `failing`, `needs_you`.
    state: String,
    /// One sentence.
    text: String,
    #[schema(required)]
    region: Option<String>,
    /// The account's number at the service.
    #[schema(required)]
    service_id: Option<i64>,
    #[schema(required)]
    endpoint: Option<String>,
    #[schema(required)]
    paused_by: Option<String>,
    /// When all opt-outs of both sides had been read for the first time: before that nothing is sent.
    #[schema(required)]
    first_exchange: Option<String>,
    /// When the last whole exchange of opt-outs began.
    #[schema(required)]
    exchanged: Option<String>,
    /// Whether that is recent enough to send.
    fresh: bool,
}

/// How an account was found.
#[derive(ToSchema)]
pub struct AccountCheck {
    name: String,
    ok: bool,
    /// Whether it failed only because nobody answered.
    away: bool,
    steps: Vec<CheckStep>,
}

/// One step of a check.
#[derive(ToSchema)]
pub struct CheckStep {
    name: String,
    ok: bool,
    text: String,
    /// What to do.
    #[schema(required)]
    r#do: Option<String>,
    #[schema(required)]
    code: Option<String>,
}

/// What was ordered of an account.
#[derive(ToSchema)]
pub struct AccountOrder {
    name: String,
    /// `pause`, `resume`.
    order: String,
    changed: bool,
    dry_run: bool,
}

/// The sync types of the accounts.
#[derive(ToSchema)]
pub struct SyncTypes {
    items: Vec<SyncOfAccount>,
}

/// A sync type of an account.
#[derive(ToSchema)]
pub struct SyncOfAccount {
    account: String,
    r#type: String,
    /// `healthy`, `catching_up`, `waiting`, `paused`, `failing`, `needs_you`.
    state: String,
    text: String,
    /// Null when it runs only when asked.
    #[schema(required)]
    every_seconds: Option<i64>,
    /// Who asked for a run that has not begun.
    #[schema(required)]
    asked_by: Option<String>,
    #[schema(required)]
    last_run: Option<Run>,
    #[schema(required)]
    last_success: Option<String>,
    #[schema(required)]
    next_due: Option<String>,
    /// Rejected rows that nobody settled.
    open_rejected: u64,
}

/// A page of runs, newest first.
#[derive(ToSchema)]
pub struct Runs {
    items: Vec<Run>,
    #[schema(required)]
    next: Option<String>,
}

/// One run.
#[derive(ToSchema)]
pub struct Run {
    /// `run_…`
    id: String,
    account: String,
    r#type: String,
    /// A user, or `schedule`.
    asked_by: String,
    confirmed: bool,
    /// `running`, `done`, `partly`, `failed`, `held`.
    state: String,
    started: String,
    #[schema(required)]
    ended: Option<String>,
    counts: RunCounts,
    #[schema(required)]
    code: Option<String>,
    /// Why it failed; of a held run, the question.
    #[schema(required)]
    reason: Option<String>,
    /// The run that this one takes back.
    #[schema(required)]
    undoes: Option<String>,
}

/// What taking back a run came to, or would.
#[derive(ToSchema)]
pub struct Undo {
    /// The run that is taken back: `run_…`
    run: String,
    account: String,
    r#type: String,
    /// The run that takes it back; null while nobody ordered one.
    #[schema(required)]
    undo: Option<String>,
    /// The state of that run.
    #[schema(required)]
    state: Option<String>,
    /// Writes of the run that are kept; 0 when nothing can be taken back.
    kept: u64,
    /// False when the run wrote more than is kept.
    whole: bool,
    /// Null while nobody looked.
    #[schema(required)]
    counts: Option<RunCounts>,
    /// Writes that stay as they are, at most 200.
    left: Vec<LeftWrite>,
    /// What no undo takes back, in sentences.
    stays: Vec<String>,
    dry_run: bool,
}

/// A write that stays as it is.
#[derive(ToSchema)]
pub struct LeftWrite {
    record: RecordRef,
    why: String,
}

/// What a run counted.
#[derive(ToSchema)]
pub struct RunCounts {
    /// Rows looked at.
    read: u64,
    to_crm: SideCounts,
    to_service: SideCounts,
    removed: u64,
    conflicts: u64,
    skipped: Vec<SkippedRows>,
    /// Whether every row that was sent is accounted for.
    balances: bool,
}

/// What became of the rows that went to one side: `sent` is the sum of the others.
#[derive(ToSchema)]
pub struct SideCounts {
    sent: u64,
    new: u64,
    changed: u64,
    same: u64,
    rejected: u64,
    suppressed: u64,
    missing: i64,
}

/// Rows that were left alone, and why.
#[derive(ToSchema)]
pub struct SkippedRows {
    reason: String,
    number: u64,
}

/// What a run would do.
#[derive(ToSchema)]
pub struct SyncDryRun {
    account: String,
    r#type: String,
    counts: RunCounts,
    #[schema(required)]
    question: Option<String>,
    /// The first few rows of each kind that would be written.
    samples: Vec<SyncSample>,
    /// Calls of the service that the run would take, those that read among them.
    calls: u64,
    /// How long the run would take at least, while no limit of the service is reached.
    minutes: u64,
}

/// A row that a run would write.
#[derive(ToSchema)]
pub struct SyncSample {
    /// `crm` or `service`.
    to: String,
    /// `create`, `change`, `delete`, `join`, `leave`, `opt_out`, `let_back`.
    act: String,
    /// A record, an address, or a list.
    subject: String,
    fields: Vec<FieldChange>,
}

/// A field that a run would write; null where it is empty, or where it is not known what stands there.
#[derive(ToSchema)]
pub struct FieldChange {
    name: String,
    #[schema(required)]
    before: Option<String>,
    #[schema(required)]
    after: Option<String>,
}

/// A run that was asked for.
#[derive(ToSchema)]
pub struct SyncOrder {
    account: String,
    r#type: String,
    /// After a confirmation, the run that goes on.
    #[schema(required)]
    run: Option<String>,
    dry_run: bool,
}

/// A page of rejected rows, newest first.
#[derive(ToSchema)]
pub struct RejectedRows {
    items: Vec<RejectedRow>,
    #[schema(required)]
    next: Option<String>,
}

/// A row that one side did not take.
#[derive(ToSchema)]
pub struct RejectedRow {
    id: String,
    run: String,
    account: String,
    r#type: String,
    /// A record (`contact/GUID`) or an address.
    subject: String,
    #[schema(required)]
    code: Option<String>,
    reason: String,
    /// What was to be written.
    sent: String,
    /// What the other side said.
    received: String,
    at: String,
    #[schema(required)]
    settled: Option<String>,
    #[schema(required)]
    settled_how: Option<String>,
}

/// What a replay puts back.
#[derive(ToSchema)]
pub struct Replayed {
    changed: Vec<String>,
    dry_run: bool,
}

/// A page of suppressions, by address.
#[derive(ToSchema)]
pub struct Suppressions {
    items: Vec<Suppression>,
    #[schema(required)]
    next: Option<String>,
}

/// Somebody who gets no marketing mail from an account, or did not once.
#[derive(ToSchema)]
pub struct Suppression {
    account: String,
    address: String,
    /// False when it was lifted.
    active: bool,
    /// The service's word: `Unsubscribed`, `HardBounced`, …
    reason: String,
    since: String,
    /// When it came to be known here.
    known: String,
    /// Where it was said first: `crm`, `service`, `here`.
    origin: String,
    told_crm: bool,
    told_service: bool,
}

/// What was written, or would be.
#[derive(ToSchema)]
pub struct SuppressReport {
    accounts: Vec<String>,
    new: u64,
    changed: u64,
    same: u64,
    rejected: Vec<RefusedLine>,
    dry_run: bool,
}

/// A line of a file that could not be used.
#[derive(ToSchema)]
pub struct RefusedLine {
    line: u64,
    reason: String,
}

/// What lifting did, or would do.
#[derive(ToSchema)]
pub struct LiftReport {
    address: String,
    /// The accounts in which it was lifted.
    lifted: Vec<String>,
    /// Why no mail goes there all the same.
    still: Vec<BlockReason>,
    dry_run: bool,
}

/// One reason why no mail goes there.
#[derive(ToSchema)]
pub struct BlockReason {
    account: String,
    text: String,
}

/// Whether an address may be mailed, and why not.
#[derive(ToSchema)]
pub struct SuppressionCheck {
    address: String,
    suppressed: bool,
    reasons: Vec<BlockReason>,
    /// What was said about it, oldest first.
    entries: Vec<ConsentEntry>,
}

/// An entry of the consent ledger.
#[derive(ToSchema)]
pub struct ConsentEntry {
    account: String,
    /// `account`, `list 12`, `preference 3`.
    scope: String,
    /// `opted in`, or the service's word.
    said: String,
    at: String,
    known: String,
    source: String,
    actor: String,
    proof: String,
}
