//! A row of the queue and its life.
//!
//! ```text
//! Pending → InProgress → Complete
//!                      → Failed     what it says cannot be done, or went wrong; a new row is another try
//!                      → Dead       taken TRIES times, and whoever took it never came to an end
//! ```
//!
//! While *InProgress* it is either locked, by the run that is beginning it and until the lease ends, or free: begun, and
//! followed by every look.

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Change, Code, Record, RecordRef, Value, Verdict};
use uuid::Uuid;

use super::Standing;
use super::payload::{self, Asked};
use crate::sends::request::{choice, moment};
use crate::sends::{cut, one};
use crate::solution::options::Set;
use crate::sync::{Halt, Turn};

pub(super) const COLUMNS: [&str; 13] = [
    "esc_messagetype",
    "esc_payload",
    "esc_scheduledon",
    "esc_startedon",
    "esc_status",
    "esc_attempts",
    "esc_lockedby",
    "esc_lockeduntil",
    "esc_error",
    "esc_emailaccountid",
    "createdby",
    "createdon",
    "versionnumber",
];
/// How long whoever took a row has to begin it.
const LEASE: SignedDuration = SignedDuration::from_mins(5);
/// How often a row is taken.
const TRIES: i64 = 5;
/// Text of `esc_error`, in UTF-16 units.
const ERROR: usize = 4000;

/// A row that has not ended.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub at: RecordRef,
    /// Who wrote it.
    pub maker: Option<Uuid>,
    pub account: Option<Uuid>,
    pub due: Option<Timestamp>,
    /// When it was first taken, in whole seconds: what is begun for it begins no earlier.
    pub started: Option<Timestamp>,
    pub attempts: i64,
    kind: Option<&'static str>,
    payload: String,
    made: Option<Timestamp>,
    version: Option<i64>,
    pending: bool,
    lock: Option<(String, Option<Timestamp>)>,
    error: Option<String>,
}

/// What came of taking a row.
#[derive(Debug)]
pub(super) enum Taken {
    /// Ours. `fresh` says that it is to be begun, or begun again; else it is only followed.
    Yes {
        item: Item,
        fresh: bool,
    },
    /// Somebody else has it.
    Others,
    TooOften(Item),
}

impl Item {
    pub fn of(row: Record) -> Item {
        let text = |column: &str| row.text(column).filter(|text| !text.is_empty()).map(str::to_owned);
        Item {
            maker: row.lookup("createdby").map(|at| at.id),
            account: row.lookup("esc_emailaccountid").map(|at| at.id),
            due: moment(&row, "esc_scheduledon"),
            started: moment(&row, "esc_startedon"),
            attempts: row.int("esc_attempts").unwrap_or(0),
            kind: choice(&row, "esc_messagetype", Set::MessageType),
            payload: text("esc_payload").unwrap_or_default(),
            made: moment(&row, "createdon"),
            version: row.int("versionnumber"),
            pending: choice(&row, "esc_status", Set::QueueStatus) == Some("Pending"),
            lock: text("esc_lockedby").map(|by| (by, moment(&row, "esc_lockeduntil"))),
            error: text("esc_error"),
            at: row.at,
        }
    }

    /// Where it stands among the others: what has waited longest goes first.
    pub fn place(&self) -> (Option<Timestamp>, Option<Timestamp>, Uuid) {
        (self.due, self.made, self.at.id)
    }

    /// What it asks for; else what is to be written instead.
    pub fn asked(&self) -> Result<Asked, String> {
        match self.kind {
            Some(kind) => payload::read(kind, &self.payload),
            None => Err("the row has no message type that is known: choose one, in a new row".to_owned()),
        }
    }

    /// Takes it for this run, unless somebody else has it, or took it since it was read. A row that was begun needs no taking.
    pub async fn take(mut self, turn: &Turn) -> Result<Taken, Halt> {
        let (me, now) = (format!("postroom run {}", turn.run), whole(turn.now()));
        match &self.lock {
            None if !self.pending => return Ok(Taken::Yes { item: self, fresh: false }),
            // This run took it, and was cut.
            Some((by, _)) if !self.pending && *by == me => return Ok(Taken::Yes { item: self, fresh: true }),
            Some((_, Some(until))) if !self.pending && *until > now => return Ok(Taken::Others),
            _ if self.attempts >= TRIES => return Ok(Taken::TooOften(self)),
            _ => {}
        }
        (self.attempts, self.started) =
            (self.attempts + 1, self.started.filter(|_| !self.pending).or(Some(now)));
        let row = Record::new(self.at.clone())
            .with("esc_status", status("InProgress"))
            .with("esc_startedon", self.started)
            .with("esc_attempts", self.attempts)
            .with("esc_lockedby", me)
            .with("esc_lockeduntil", now.checked_add(LEASE).unwrap_or(now))
            .with("esc_error", Value::Null);
        let change = match self.version {
            Some(version) => Change::UpdateIf(row, version),
            None => Change::Update(row),
        };
        match one(turn.engine.crm.as_ref(), change).await {
            Ok(()) => {}
            // Another connector was quicker, or a user changed it: the next look sees.
            Err(fault) if fault.code == Code::CRM_VERSION || fault.code == Code::CRM_NOT_FOUND => {
                return Ok(Taken::Others);
            }
            Err(fault) => return Err(fault.into()),
        }
        (self.pending, self.lock, self.error) = (false, Some((String::new(), None)), None);
        Ok(Taken::Yes { item: self, fresh: true })
    }

    /// Writes how it stands, unless it says so.
    pub async fn settle(self, turn: &mut Turn, standing: Standing) -> Result<(), Halt> {
        let (label, error) = match standing {
            Standing::Waits(why) => {
                let why = why.map(|text| cut(&text, ERROR));
                if self.lock.is_none() && why == self.error {
                    return Ok(());
                }
                (None, why)
            }
            Standing::Complete => (Some("Complete"), None),
            Standing::Failed(text) => (Some("Failed"), Some(cut(&text, ERROR))),
            Standing::Dead(text) => (Some("Dead"), Some(cut(&text, ERROR))),
        };
        let mut row = Record::new(self.at.clone())
            .with("esc_lockedby", Value::Null)
            .with("esc_lockeduntil", Value::Null)
            .with("esc_error", error);
        if let Some(label) = label {
            row = row.with("esc_status", status(label)).with("esc_completedon", turn.now());
        }
        match one(turn.engine.crm.as_ref(), Change::Update(row)).await {
            Ok(()) => {
                turn.counts.to_crm.sent += 1;
                turn.counts.to_crm.changed += 1;
                Ok(())
            }
            // A row that was deleted has nobody who reads it.
            Err(fault) if fault.verdict == Verdict::Reject => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// As the CRM keeps moments.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn status(label: &str) -> Value {
    Set::QueueStatus.value(label).map_or(Value::Null, Value::from)
}
