//! Imports: jobs of the service that write many people, their states, counts and faults.
//!
//! ```text
//! rows -> Started(id) -> NotFinished ... -> Finished(report) | RejectedByWatchdog | Failed | ExceedsAllowedContactLimit
//! ```
//!
//! The id is stored before anything else is done with it. A report's counts must add up with what was sent
//! ([`ImportCounts::settle`]); what does not is shown, not guessed.

use std::fs::File;

use jiff::SignedDuration;

use super::contact::{ContactRow, Names};
use super::page::{ContactId, ImportId};
use super::word::words;

/// What happens to values that are there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Merge {
    #[default]
    Overwrite,
    /// Only with values that are not empty.
    OverwriteIfNotEmpty,
    /// Only where nothing is.
    FillEmpty,
}

/// Rows for an import.
#[derive(Debug, Clone, Copy)]
pub struct ImportOrder<'r> {
    pub rows: &'r [ContactRow],
    pub merge: Merge,
}

/// Rows of one import in the words of the service's API: as rows they would be many times as large. Made by
/// [`super::Contacts::pack`], and for the make that packed it alone.
#[derive(Debug, Default)]
pub struct Parcel {
    pub merge: Merge,
    /// How many rows are in it.
    pub rows: usize,
    /// What goes out behind what was put away, without its end.
    pub body: Vec<u8>,
    /// The file in which the begin lies, and how many bytes of it.
    pub put_away: Option<(File, u64)>,
    /// The first row: what all rows of a call have in common.
    pub first: Option<Box<ContactRow>>,
    /// A row carries consents, which a repeat would add again.
    pub consents: bool,
}

/// An import that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    pub id: ImportId,
    /// So many of the first rows are in it; the others want another one.
    pub taken: usize,
}

words! {
    /// Where an import stands.
    ImportStatus {
        NotFinished = "NotFinished",
        Finished = "Finished",
        /// The service's filter against abuse refused all of it: a person must look.
        RejectedByWatchdog = "RejectedByWatchdog",
        InvalidFileFormat = "InvalidFileFormat",
        Failed = "Failed",
        /// The plan has no room for so many people.
        ExceedsAllowedContactLimit = "ExceedsAllowedContactLimit",
    }
}

/// Where an import stands, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    pub status: ImportStatus,
    /// With [`ImportStatus::Finished`] only.
    pub report: Option<ImportReport>,
}

/// What came of the rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportReport {
    pub counts: ImportCounts,
    /// New people, when the account's API says who.
    pub created: Vec<Settled>,
    /// People that were there.
    pub updated: Vec<Settled>,
    pub faults: Vec<ImportFault>,
}

/// A person that an import wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub id: ContactId,
    /// As the service writes it. Of the other identifiers a report of many people would fill the memory.
    pub email: Option<String>,
}

/// Figures of a report. A figure that the account's API does not have is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    pub created: u64,
    pub updated: u64,
    pub suppressed: u64,
    pub invalid: u64,
    pub duplicates: u64,
    /// Whatever else was refused: bounces, complaints, blocks, failures.
    pub refused: u64,
}

impl ImportCounts {
    pub fn total(&self) -> u64 {
        self.created + self.updated + self.suppressed + self.invalid + self.duplicates + self.refused
    }

    /// Rows sent less rows that the report accounts for: 0 when the books balance. A row that was written although a part of
    /// it failed counts twice, so less than 0 occurs.
    pub fn settle(&self, sent: u64) -> i64 {
        i64::try_from(sent).unwrap_or(i64::MAX) - i64::try_from(self.total()).unwrap_or(i64::MAX)
    }
}

/// A row that was refused, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportFault {
    /// As the service wrote it.
    pub reason: String,
    pub class: FaultClass,
    pub id: Option<ContactId>,
    pub names: Names,
    /// What else the service said.
    pub detail: String,
}

/// What a reason is about. Only [`FaultClass::Consent`] and [`FaultClass::Deliverability`] change what is known of a
/// person; a bad date never opts anybody out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultClass {
    /// The person does not want mail.
    Consent,
    /// The address takes none: bounced, blocked.
    Deliverability,
    /// A value cannot be used: correct it and try again.
    Data,
    /// Two rows of one import are the same person.
    Duplicate,
    /// A word that this version does not know: shown, and nothing else.
    Unknown,
}

/// When a running import is asked about again: ten seconds after it began, then at growing intervals up to five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polling {
    pub first: SignedDuration,
    pub longest: SignedDuration,
}

impl Default for Polling {
    fn default() -> Self {
        Polling { first: SignedDuration::from_secs(10), longest: SignedDuration::from_mins(5) }
    }
}

impl Polling {
    /// The wait before the next question, after so many questions.
    pub fn wait(&self, asked: u32) -> SignedDuration {
        let doubled = 1_i32.checked_shl(asked.min(20)).unwrap_or(i32::MAX);
        self.first.checked_mul(doubled).unwrap_or(self.longest).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_grow_rare() {
        let waits = [0, 1, 2, 3, 4, 5, 40].map(|asked| Polling::default().wait(asked).as_secs());
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn books_balance_or_say_so() {
        let counts = ImportCounts { created: 3, updated: 4, suppressed: 1, ..ImportCounts::default() };
        assert_eq!((counts.settle(8), counts.settle(10), counts.settle(7)), (0, 2, -1));
    }
}
