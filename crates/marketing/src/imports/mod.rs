//! Writing many people at once: the service's imports, from the rows to what became of each (marketing-sync.md 4.5 and 11).
//!
//! # Design
//!
//! An import is an effect outside that ends later. [`ledger`] keeps it so that a crash at any point is no loss:
//!
//! 1. *planned*: who is in it is committed, with what is to be remembered of each when the service has taken it.
//! 2. The call, when the import is as large as the service allows; some are under way at once ([`flight`]).
//! 3. *running*: the import's id is committed before anything else is done. A plan without an id after a crash is dropped:
//!    nobody knows whether it was taken, and its people are sent again, which does no harm.
//! 4. [`wait`]: it is asked about at growing intervals. One that does not end in this run is settled by the next
//!    ([`resume`]); one of which nothing is heard for a day is given up.
//! 5. [`settle`]: its report is read, and units of some thousand rows write what each came to: the link
//!    ([`crate::people::links`]), an opt-out that the service told of, a rejected row, the counts. A row leaves the ledger in the
//!    unit that settles it, so one that was cut goes on behind it.
//!
//! An import that the service's filter against abuse refuses is not sent again as it was ([`brake`]); others that are refused
//! whole are.
//!
//! Only what is about consent or deliverability opts anybody out; a bad value is a rejected row, which is not sent again until
//! the person changes. A report that does not account for everybody is flagged ([`ledger::Settled::missing`]).
//!
//! What is absent: consents. They are added at each repeat, so they are written one by one (`patch_contact`).

pub(crate) mod brake;
pub(crate) mod flight;
pub mod ledger;
mod lot;
pub mod settle;
mod wait;

use postroom_core::marketing::{ContactRow, ImportId};
use postroom_core::{Code, RecordRef};

use crate::sync::{Counts, Halt, Turn};
use flight::Flight;
use ledger::Job;

/// One person to be written. `digest` and `base` are kept in person_link when the service has taken the row.
#[derive(Debug, Clone)]
pub struct Row {
    pub record: RecordRef,
    /// The address that the person has at the service from now on.
    pub address: String,
    pub contact: ContactRow,
    /// Of what is sent; none leaves what is known of the person's fields alone.
    pub digest: Option<[u8; 32]>,
    pub base: Option<String>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    New,
    Changed,
    /// Another row of the same lot had the address, and spoke for it.
    Same,
    /// The service does not write this person, or not onto this list; why.
    Suppressed(String),
    Rejected(String),
}

/// What is said of a row that is not sent again.
const STOPPED: &str = "the service's filter against abuse stopped this row before; change the record, or replay the rejected row";

/// What an import is for: its rows are settled under this name after a crash, too ("contacts", "list:GUID", "send:GUID").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose(pub String);

/// Writes the rows: begins as few imports as the service takes, stores each id before anything else, waits for each
/// ([`crate::engine::Rules::polling`]), settles each row, and answers for each, in their order. Values that are there are overwritten; an
/// address that comes twice is sent once, with the first row's fields.
///
/// The counts of `to_service` are kept here. A dry run foretells, and asks nothing.
///
/// # Errors
/// The service's; what was settled until then stays. An import that was refused whole ([`Code::MARKETING_WATCHDOG`],
/// [`Code::MARKETING_QUOTA`]), or that has not ended ([`Code::MARKETING_BUSY`]; [`resume`] goes on with it).
pub async fn write(turn: &mut Turn, purpose: &Purpose, rows: Vec<Row>) -> Result<Vec<Outcome>, Halt> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; rows.len()];
    let mut flight = Flight::new(purpose);
    let mut landed = flight.add(turn, rows).await?;
    landed.extend(flight.land(turn).await?);
    for (number, outcome) in landed {
        outcomes[number] = Some(outcome);
    }
    Ok(outcomes.into_iter().map(|outcome| outcome.expect("each row lands once")).collect())
}

/// Settles what a killed run left behind. Call it at the begin of a flow that imports.
///
/// # Errors
/// As for [`write()`].
pub async fn resume(turn: &mut Turn, purpose: &Purpose) -> Result<(), Halt> {
    if turn.dry {
        return Ok(());
    }
    for job in ledger::open(turn, purpose).await? {
        if job.service.is_none() {
            ledger::drop_plan(turn, job.id).await?;
            continue;
        }
        let age = turn.now().duration_since(job.begun);
        let import = match wait::until_ended(turn, &job).await {
            Err(Halt::Fault(fault)) if age > turn.engine.rules.import_age && wait::is_vain(&fault) => {
                tracing::warn!(event = "marketing.import_lost", import = %job, code = %fault.code, "An import is given up, its people are sent again: {fault}");
                ledger::give_up(turn, job.id).await?;
                continue;
            }
            other => other?,
        };
        settle::settle(turn, &job, import).await?;
    }
    Ok(())
}

/// Rows by which the service finds nobody.
async fn refuse_nameless(turn: &mut Turn, lot: &lot::Lot) -> Result<(), Halt> {
    let side = &mut turn.counts.to_service;
    side.sent += lot.nameless.len() as u64;
    side.rejected += lot.nameless.len() as u64;
    let rejects = lot.nameless_records.iter().map(|record| crate::sync::Reject {
        subject: record.to_string(),
        code: Some(Code::MARKETING_DATA),
        reason: lot::NAMELESS.to_owned(),
        sent: String::new(),
        received: String::new(),
    });
    let rejects = rejects.collect();
    Ok(turn.reject(rejects).await?)
}

/// What is shown of a row that was sent.
fn payload(entry: &ledger::Entry) -> String {
    serde_json::json!({
        "email": entry.address,
        "contact": entry.contact.as_ref().map(|contact| contact.0),
        "fields": entry.base.as_deref().and_then(|base| serde_json::from_str::<serde_json::Value>(base).ok()),
    })
    .to_string()
}

fn count(counts: &mut Counts, outcome: &Outcome) {
    let side = &mut counts.to_service;
    side.sent += 1;
    *match outcome {
        Outcome::New => &mut side.new,
        Outcome::Changed => &mut side.changed,
        Outcome::Same => &mut side.same,
        Outcome::Suppressed(_) => &mut side.suppressed,
        Outcome::Rejected(_) => &mut side.rejected,
    } += 1;
}

impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.service {
            Some(ImportId(id)) => f.write_str(id),
            None => self.id.fmt(f),
        }
    }
}
