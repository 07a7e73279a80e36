//! What is shown of the marketing half: the same values in pages, API and commands.

use jiff::Timestamp;
use postroom_core::RunId;
use postroom_marketing::suppressions::rows::Row;
use postroom_marketing::sync::run::Rejected;
use postroom_marketing::sync::{Cell, Counts, Run, RunState, Sample, Side, To};
use serde::Serialize;
use uuid::Uuid;

use super::mapping::{shown, text};

/// An account of the marketing service.
#[derive(Debug, Clone, Serialize)]
pub struct AccountView {
    pub name: String,
    /// `healthy`, `waiting` (nothing was exchanged yet), `paused`, `failing` (tried again by itself), `needs_you`.
    pub state: &'static str,
    /// One sentence.
    pub text: String,
    pub region: Option<String>,
    /// The account's number at the service.
    pub service_id: Option<i64>,
    pub endpoint: Option<String>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// When all opt-outs of both sides had been read for the first time: before that nothing is sent.
    pub first_exchange: Option<Timestamp>,
    /// When the last whole exchange of opt-outs began.
    pub exchanged: Option<Timestamp>,
    /// Whether that is recent enough to send.
    pub fresh: bool,
}

/// A sync type of an account.
#[derive(Debug, Clone, Serialize)]
pub struct SyncView {
    pub account: String,
    #[serde(rename = "type")]
    pub sync_type: &'static str,
    /// `healthy`, `catching_up` (it runs), `waiting` (nothing ran yet), `paused`, `failing`, `needs_you`.
    pub state: &'static str,
    /// One sentence.
    pub text: String,
    /// Seconds between two runs; null when it runs only when asked.
    pub every_seconds: Option<i64>,
    /// Who asked for a run that has not begun.
    pub asked_by: Option<String>,
    pub last_run: Option<RunView>,
    pub last_success: Option<Timestamp>,
    /// Null when it does not run by itself, or is paused.
    pub next_due: Option<Timestamp>,
    /// Rejected rows that nobody settled.
    pub open_rejected: u64,
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct RunView {
    pub id: RunId,
    pub account: String,
    #[serde(rename = "type")]
    pub sync_type: &'static str,
    /// A user, or `schedule`.
    pub asked_by: String,
    /// A person said yes to what the run before asked.
    pub confirmed: bool,
    /// `running`, `done`, `partly` (some rows were rejected), `failed`, `held` (it asks a question).
    pub state: &'static str,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub counts: CountsView,
    pub code: Option<String>,
    /// Why it failed; of a held run, the question.
    pub reason: Option<String>,
    /// The run that this one takes back.
    pub undoes: Option<RunId>,
}

/// What a run counted.
#[derive(Debug, Clone, Serialize)]
pub struct CountsView {
    /// Rows looked at.
    pub read: u64,
    pub to_crm: SideView,
    pub to_service: SideView,
    pub removed: u64,
    /// Fields on which both sides differed.
    pub conflicts: u64,
    pub skipped: Vec<Skipped>,
    /// Whether every row that was sent is accounted for.
    pub balances: bool,
}

/// What became of the rows that went to one side: `sent` is the sum of the others.
#[derive(Debug, Clone, Serialize)]
pub struct SideView {
    pub sent: u64,
    pub new: u64,
    pub changed: u64,
    pub same: u64,
    pub rejected: u64,
    pub suppressed: u64,
    /// Rows that nobody accounts for.
    pub missing: i64,
}

/// Rows that were left alone, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Skipped {
    pub reason: String,
    pub number: u64,
}

/// What a run would do.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    pub account: String,
    #[serde(rename = "type")]
    pub sync_type: &'static str,
    pub counts: CountsView,
    /// What the run would ask before it goes on.
    pub question: Option<String>,
    /// The first few rows of each kind that would be written.
    pub samples: Vec<ForeseenView>,
    /// Calls of the service that the run would take, those that read among them.
    pub calls: u64,
    /// How long the run would take at least, while no limit of the service is reached.
    pub minutes: u64,
}

/// A row that a run would write.
#[derive(Debug, Clone, Serialize)]
pub struct ForeseenView {
    /// `crm` or `service`.
    pub to: &'static str,
    /// `create`, `change`, `delete`, `join`, `leave`, `opt_out`, `let_back`.
    pub act: &'static str,
    pub subject: String,
    pub fields: Vec<FieldChangeView>,
}

/// A field that a run would write; nothing is shown of an empty one.
#[derive(Debug, Clone, Serialize)]
pub struct FieldChangeView {
    pub name: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl From<Sample> for ForeseenView {
    fn from(sample: Sample) -> Self {
        let to = match sample.to {
            To::Crm => "crm",
            To::Service => "service",
        };
        let fields = sample.fields.into_iter().map(|field| FieldChangeView {
            name: field.name,
            before: field.before.as_ref().and_then(cell),
            after: field.after.as_ref().and_then(cell),
        });
        ForeseenView { to, act: sample.act.as_str(), subject: sample.subject, fields: fields.collect() }
    }
}

fn cell(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Column(value) => Some(shown(value)).filter(|text| !text.is_empty()),
        Cell::Label(value) => text(value),
        Cell::Word(word) => Some(word.clone()).filter(|word| !word.is_empty()),
    }
}

/// A run that was asked for, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct SyncOrder {
    pub account: String,
    #[serde(rename = "type")]
    pub sync_type: &'static str,
    /// The run that goes on after a confirmation.
    pub run: Option<RunId>,
    pub dry_run: bool,
}

/// A row that one side did not take.
#[derive(Debug, Clone, Serialize)]
pub struct RejectedView {
    pub id: Uuid,
    pub run: RunId,
    pub account: String,
    #[serde(rename = "type")]
    pub sync_type: &'static str,
    /// A record (`contact/GUID`) or an address.
    pub subject: String,
    pub code: Option<String>,
    pub reason: String,
    /// What was to be written.
    pub sent: String,
    /// What the other side said.
    pub received: String,
    pub at: Timestamp,
    pub settled: Option<Timestamp>,
    pub settled_how: Option<String>,
}

/// What a replay puts back.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// The rejected rows.
    pub changed: Vec<Uuid>,
    pub dry_run: bool,
}

/// What was ordered of an account.
#[derive(Debug, Clone, Serialize)]
pub struct AccountOrder {
    pub name: String,
    /// `pause`, `resume`.
    pub order: &'static str,
    pub changed: bool,
    pub dry_run: bool,
}

/// Somebody who gets no marketing mail from an account, or did not once.
#[derive(Debug, Clone, Serialize)]
pub struct SuppressionView {
    pub account: String,
    pub address: String,
    /// False when it was lifted.
    pub active: bool,
    /// The service's word: `Unsubscribed`, `HardBounced`, …
    pub reason: String,
    pub since: Timestamp,
    /// When it came to be known here.
    pub known: Timestamp,
    /// Where it was said first: `crm`, `service`, `here`.
    pub origin: &'static str,
    pub told_crm: bool,
    pub told_service: bool,
}

/// Whether an address may be mailed, and why not.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    pub address: String,
    /// Whether mail to it is held back in any account asked for.
    pub suppressed: bool,
    pub reasons: Vec<Reason>,
    /// What was said about it, oldest first.
    pub entries: Vec<EntryView>,
}

/// One reason why no mail goes there.
#[derive(Debug, Clone, Serialize)]
pub struct Reason {
    pub account: String,
    pub text: String,
}

/// An entry of the consent ledger.
#[derive(Debug, Clone, Serialize)]
pub struct EntryView {
    /// Empty for what was said to all accounts.
    pub account: String,
    /// `account`, `list 12`, `preference 3`.
    pub scope: String,
    /// `opted in`, or the service's word.
    pub said: String,
    pub at: Timestamp,
    pub known: Timestamp,
    pub source: String,
    pub actor: String,
    pub proof: String,
}

/// A line of a file that could not be used.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedLine {
    pub line: usize,
    pub reason: String,
}

impl From<&Side> for SideView {
    fn from(side: &Side) -> Self {
        SideView {
            sent: side.sent,
            new: side.new,
            changed: side.changed,
            same: side.same,
            rejected: side.rejected,
            suppressed: side.suppressed,
            missing: side.missing(),
        }
    }
}

impl From<&Counts> for CountsView {
    fn from(counts: &Counts) -> Self {
        let skipped = counts.skipped.iter();
        CountsView {
            read: counts.read,
            to_crm: SideView::from(&counts.to_crm),
            to_service: SideView::from(&counts.to_service),
            removed: counts.removed,
            conflicts: counts.conflicts,
            skipped: skipped
                .map(|(reason, number)| Skipped { reason: reason.clone(), number: *number })
                .collect(),
            balances: counts.balances(),
        }
    }
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        RunView {
            id: run.id,
            account: run.account,
            sync_type: run.sync_type.as_str(),
            asked_by: run.asked,
            confirmed: run.confirmed,
            state: run.state.as_str(),
            started: run.started,
            ended: run.ended,
            counts: CountsView::from(&run.counts),
            code: run.code.map(|code| code.to_string()),
            reason: run.reason,
            undoes: run.undoes,
        }
    }
}

impl RunView {
    pub fn is_held(&self) -> bool {
        self.state == RunState::Held.as_str()
    }
}

impl From<Rejected> for RejectedView {
    fn from(row: Rejected) -> Self {
        RejectedView {
            id: row.id,
            run: row.run,
            account: row.account,
            sync_type: row.sync_type.as_str(),
            subject: row.reject.subject,
            code: row.reject.code.map(|code| code.to_string()),
            reason: row.reject.reason,
            sent: row.reject.sent,
            received: row.reject.received,
            at: row.at,
            settled: row.settled,
            settled_how: row.settled_how,
        }
    }
}

impl From<Row> for SuppressionView {
    fn from(row: Row) -> Self {
        SuppressionView {
            account: row.account,
            address: row.address,
            active: row.active,
            reason: row.status.to_string(),
            since: row.since,
            known: row.known,
            origin: row.origin.as_str(),
            told_crm: row.told_crm,
            told_service: row.told_service,
        }
    }
}
