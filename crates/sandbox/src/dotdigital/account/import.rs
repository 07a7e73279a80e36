//! Imports and bulk deletions: jobs that are accepted at once and take effect later. Source: dotdigital.md A12, A7.
//!
//! `NotFinished` → `Finished` | `RejectedByWatchdog` | `InvalidFileFormat` | `Failed` | `ExceedsAllowedContactLimit`. A
//! job finishes when it was asked for often enough and its time has come, or when nobody asked for ten minutes. Its rows
//! take effect in that moment and not before. The fault report lives a week.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Account;
use super::contact::{Key, Status, folded};
use super::writing::{Gate, Merge, Wanted, WriteFault};

/// Imports that may run at once.
pub const MOST_ACTIVE: usize = 25;
/// How long faults can be read.
const REPORT_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A job that nobody asks for finishes after this.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// How long jobs take.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Questions that are answered "not finished" first.
    pub polls: u32,
    /// Time of the service's clock that must pass, too.
    pub time: SignedDuration,
    /// A send's time from its first mail to `Sent`.
    pub sending: SignedDuration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { polls: 2, time: SignedDuration::ZERO, sending: SignedDuration::ZERO }
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    NotFinished,
    Finished,
    RejectedByWatchdog,
    InvalidFileFormat,
    Failed,
    ExceedsAllowedContactLimit,
}

impl Phase {
    pub fn word(self) -> &'static str {
        match self {
            Phase::NotFinished => "NotFinished",
            Phase::Finished => "Finished",
            Phase::RejectedByWatchdog => "RejectedByWatchdog",
            Phase::InvalidFileFormat => "InvalidFileFormat",
            Phase::Failed => "Failed",
            Phase::ExceedsAllowedContactLimit => "ExceedsAllowedContactLimit",
        }
    }
}

/// A row as it came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// The name of the identifier to match by.
    pub matches: String,
    pub id: Option<i32>,
    pub wanted: Wanted,
    /// For the fault report of v2: the cells of the file, in its order.
    pub cells: Vec<String>,
}

/// A row that was refused, whole or in part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    pub row: Row,
    pub contact: Option<i32>,
    /// Code and description of v3.
    pub faults: Vec<(String, String)>,
    /// The reason of v2.
    pub reason: String,
}

/// A contact that was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Done {
    pub contact: i32,
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub custom: std::collections::BTreeMap<String, String>,
}

/// An import.
#[derive(Debug, Serialize, Deserialize)]
pub struct Import {
    pub id: Uuid,
    pub phase: Phase,
    pub polls: u32,
    pub submitted: Timestamp,
    pub finished: Option<Timestamp>,
    /// Where it will end, when it is fit to begin.
    pub fate: Phase,
    /// Never ends.
    pub stuck: bool,
    pub merge: Merge,
    pub header: Vec<String>,
    pub rows: Vec<Row>,
    pub created: Vec<Done>,
    pub updated: Vec<Done>,
    pub refused: Vec<Refused>,
    pub duplicates: u32,
    pub invalid: u32,
    pub suppressed: u32,
}

impl Import {
    pub fn new(id: Uuid, merge: Merge, header: Vec<String>, rows: Vec<Row>, at: Timestamp) -> Self {
        Import {
            id,
            phase: Phase::NotFinished,
            polls: 0,
            submitted: at,
            finished: None,
            fate: Phase::Finished,
            stuck: false,
            merge,
            header,
            rows,
            created: Vec::new(),
            updated: Vec::new(),
            refused: Vec::new(),
            duplicates: 0,
            invalid: 0,
            suppressed: 0,
        }
    }

    /// Whether the faults can still be read.
    pub fn has_report(&self, now: Timestamp) -> bool {
        self.finished.is_some_and(|finished| now.duration_since(finished) < REPORT_LIFE)
    }

    fn due(&self, pace: &Pace, now: Timestamp) -> bool {
        let age = now.duration_since(self.submitted);
        let asked = self.polls >= pace.polls && age >= pace.time;
        self.phase == Phase::NotFinished && !self.stuck && (asked || age >= pace.time.max(PATIENCE))
    }
}

/// A bulk deletion of contacts, or a removal from a list.
#[derive(Debug, Serialize, Deserialize)]
pub struct Deletion {
    pub id: Uuid,
    pub polls: u32,
    pub submitted: Timestamp,
    pub done: bool,
    /// A removal from this list only.
    pub list: Option<i32>,
    pub contacts: Vec<i32>,
    /// v3: what was asked for and not found.
    pub unknown: Vec<(String, String)>,
}

impl Deletion {
    fn due(&self, pace: &Pace, now: Timestamp) -> bool {
        let age = now.duration_since(self.submitted);
        !self.done && ((self.polls >= pace.polls && age >= pace.time) || age >= pace.time.max(PATIENCE))
    }
}

impl WriteFault {
    /// Code and sentence of v3. `invalidEmail`, `duplicateIdentifier` and `contactNotFound` are documented, the others
    /// are inferred.
    pub fn v3(&self) -> (String, String) {
        let (code, text) = match self {
            WriteFault::Suppressed(status) => {
                ("globallySuppressed", format!("The contact is suppressed: {}", status.v3_channel()))
            }
            WriteFault::SuppressedForList(list) => {
                ("suppressedForList", format!("The contact is suppressed for list {list}"))
            }
            WriteFault::ListNotFound(list) => ("listNotFound", format!("List {list} does not exist")),
            WriteFault::ListReadOnly(list) => ("listNotWritable", format!("List {list} can't be written")),
            WriteFault::Field(_, name) => ("invalidDataField", format!("Invalid value for '{name}'")),
            WriteFault::InvalidEmail(_) => ("invalidEmail", "Invalid value for 'email'".to_owned()),
            WriteFault::InvalidMobile(_) => {
                ("invalidMobileNumber", "Invalid value for 'mobileNumber'".to_owned())
            }
            WriteFault::Taken(name) => {
                ("duplicateIdentifier", format!("Duplicate identifier detected for {name}"))
            }
            WriteFault::UnknownIdentifier(name) => {
                ("invalidIdentifier", format!("'{name}' is no identifier of this account"))
            }
            WriteFault::PreferenceNotFound(id) => {
                ("preferenceNotFound", format!("Preference {id} does not exist"))
            }
            WriteFault::NoIdentifier => ("invalidIdentifier", "No identifier was given".to_owned()),
            WriteFault::NotFound => ("contactNotFound", "The contact could not be found".to_owned()),
        };
        (code.to_owned(), text)
    }

    /// The `Reason` column of v2.
    fn reason(&self) -> &'static str {
        match self {
            WriteFault::Suppressed(status) => status.fault_reason(),
            WriteFault::SuppressedForList(_) => "Unsubscribed",
            WriteFault::Field(..) | WriteFault::InvalidEmail(_) => "Invalid Entries",
            WriteFault::Taken(_) => "Duplicate",
            _ => "Failures",
        }
    }
}

impl Account {
    pub fn active_imports(&self) -> usize {
        self.imports.values().filter(|import| import.phase == Phase::NotFinished).count()
    }

    /// Finishes what is due.
    pub fn settle_jobs(&mut self, pace: &Pace, now: Timestamp) {
        let due: Vec<Uuid> =
            self.imports.values().filter(|import| import.due(pace, now)).map(|import| import.id).collect();
        for id in due {
            if let Some(mut import) = self.imports.remove(&id) {
                self.run(&mut import, now);
                self.imports.insert(id, import);
            }
        }
        let due: Vec<Uuid> =
            self.deletions.values().filter(|deletion| deletion.due(pace, now)).map(|job| job.id).collect();
        for id in due {
            if let Some(mut deletion) = self.deletions.remove(&id) {
                self.run_deletion(&mut deletion);
                self.deletions.insert(id, deletion);
            }
        }
    }

    fn run_deletion(&mut self, deletion: &mut Deletion) {
        for contact in &deletion.contacts {
            match deletion.list {
                Some(list) => drop(self.leave(*contact, list)),
                None => drop(self.erase(*contact)),
            }
        }
        deletion.done = true;
    }

    fn run(&mut self, import: &mut Import, now: Timestamp) {
        import.finished = Some(now);
        import.phase = import.fate;
        let rows = std::mem::take(&mut import.rows);
        if import.fate != Phase::Finished {
            return;
        }
        if let Some(most) = self.most_contacts
            && self.contacts.len() + rows.len() > most
        {
            import.phase = Phase::ExceedsAllowedContactLimit;
            return;
        }
        let mut seen = HashSet::new();
        for row in rows {
            self.import_row(import, row, &mut seen, now);
        }
    }

    fn import_row(&mut self, import: &mut Import, row: Row, seen: &mut HashSet<String>, now: Timestamp) {
        let fault = match row.wanted.email.as_deref() {
            Some(email) if !seen.insert(folded(email)) => Some(WriteFault::Taken("email".to_owned())),
            _ => None,
        };
        let written = match fault {
            Some(fault) => Err(fault),
            None => self
                .matched(&row)
                .and_then(|matched| self.write(matched, &row.wanted, import.merge, Gate::Closed, now)),
        };
        match written {
            Ok(written) => {
                if let Some(contact) = self.contacts.get(written.id) {
                    let done = Done {
                        contact: written.id,
                        email: contact.email.as_deref().map(str::to_owned),
                        mobile: contact.mobile.clone(),
                        custom: contact.custom.clone(),
                    };
                    let to = if written.created { &mut import.created } else { &mut import.updated };
                    to.push(done);
                }
                if let Some(first) = written.faults.first() {
                    let reason = first.reason().to_owned();
                    let faults = written.faults.iter().map(WriteFault::v3).collect();
                    import.refused.push(Refused { row, contact: Some(written.id), faults, reason });
                }
            }
            Err(fault) => {
                match fault {
                    WriteFault::Suppressed(_) => import.suppressed += 1,
                    WriteFault::Taken(_) => import.duplicates += 1,
                    _ => import.invalid += 1,
                }
                let (faults, reason) = (vec![fault.v3()], fault.reason().to_owned());
                import.refused.push(Refused { row, contact: None, faults, reason });
            }
        }
    }

    /// The contact that a row means, none when it is new.
    fn matched(&self, row: &Row) -> Result<Option<i32>, WriteFault> {
        let wanted = &row.wanted;
        match row.matches.as_str() {
            "contactId" => {
                let id = row.id.ok_or(WriteFault::NoIdentifier)?;
                self.contacts.get(id).map(|known| Some(known.id)).ok_or(WriteFault::NotFound)
            }
            "email" => {
                let email = wanted.email.clone().ok_or(WriteFault::NoIdentifier)?;
                Ok(self.contacts.find(&Key::Email(email)))
            }
            "mobileNumber" => {
                let mobile = wanted.mobile.clone().ok_or(WriteFault::NoIdentifier)?;
                Ok(self.contacts.find(&Key::Mobile(mobile)))
            }
            name => {
                if !self.identifiers.iter().any(|known| known.name == name) {
                    return Err(WriteFault::UnknownIdentifier(name.to_owned()));
                }
                let value = wanted.custom.get(name).cloned().ok_or(WriteFault::NoIdentifier)?;
                Ok(self.contacts.find(&Key::Custom(name.to_owned(), value)))
            }
        }
    }
}

impl Import {
    /// How many rows were refused for each state of their address.
    pub fn refused_as(&self, status: Status) -> usize {
        self.refused.iter().filter(|refused| refused.reason == status.fault_reason()).count()
    }
}
