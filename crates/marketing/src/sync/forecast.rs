//! What a dry run shows beside its counts: examples of what would be written, and what it would cost.
//!
//! A flow says so where it would write ([`Turn::foresee`], [`Turn::foresee_calls`]); in a real run nothing is kept. The calls
//! that a real run makes to read are those that the dry one made.

use postroom_core::marketing::FieldValue;
use postroom_core::{ColumnName, Record, Value};

use super::Turn;
use super::run::Counts;
use crate::fields::Field;
use crate::undo::written::Columns;

/// Examples of one act on one side.
const SHOWN: usize = 5;
/// Seconds that an answer takes, roughly: two calls in one.
const CALLS_IN_A_SECOND: u64 = 2;

/// The side that would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    Crm,
    Service,
}

/// What would be done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Create,
    Change,
    Delete,
    /// Onto a list, or off it.
    Join,
    Leave,
    OptOut,
    LetBack,
}

impl Act {
    pub fn as_str(self) -> &'static str {
        match self {
            Act::Create => "create",
            Act::Change => "change",
            Act::Delete => "delete",
            Act::Join => "join",
            Act::Leave => "leave",
            Act::OptOut => "opt_out",
            Act::LetBack => "let_back",
        }
    }
}

/// What stands in a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Column(Value),
    Label(FieldValue),
    Word(String),
}

/// One field of an example: what stands there, as far as it is known here, and what would.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    pub name: String,
    pub before: Option<Cell>,
    pub after: Option<Cell>,
}

/// One row that would be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub to: To,
    pub act: Act,
    /// A record (`contact/GUID`), an address, or the name of a list.
    pub subject: String,
    pub fields: Vec<FieldChange>,
}

impl Sample {
    pub fn of(to: To, act: Act, subject: impl ToString) -> Self {
        Sample { to, act, subject: subject.to_string(), fields: Vec::new() }
    }

    /// A record of the CRM, with what its columns were when they were read.
    fn record(act: Act, record: &Record, was: Option<&Columns>) -> Self {
        let change = |(column, value): &(ColumnName, Value)| FieldChange {
            name: column.to_string(),
            before: was.and_then(|was| was.get(column.as_str())).cloned().map(Cell::Column),
            after: Some(Cell::Column(value.clone())),
        };
        Sample::of(To::Crm, act, &record.at).with(record.columns.iter().map(change))
    }

    pub fn with(mut self, fields: impl IntoIterator<Item = FieldChange>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// A word that a side gets: the list's name, the status.
    pub fn word(self, name: &str, after: impl Into<String>) -> Self {
        let after = Some(Cell::Word(after.into()));
        self.with([FieldChange { name: name.to_owned(), before: None, after }])
    }
}

impl FieldChange {
    /// A data label of the service, with what both sides agreed on before.
    pub fn label(name: &str, before: Option<&Field>, after: &FieldValue) -> Self {
        FieldChange {
            name: name.to_owned(),
            before: before.map(|before| Cell::Label(before.into())),
            after: Some(Cell::Label(after.clone())),
        }
    }
}

/// Examples, and the calls of the service that would be made to write.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Forecast {
    pub samples: Vec<Sample>,
    /// What a real run would ask; it stops at each.
    pub questions: Vec<String>,
    pub calls: u64,
    /// Imports for which the run would wait.
    pub imports: u64,
}

impl Forecast {
    fn keep(&mut self, (to, act): (To, Act), sample: impl FnOnce() -> Sample) {
        let alike = self.samples.iter().filter(|known| (known.to, known.act) == (to, act));
        if alike.count() < SHOWN {
            self.samples.push(sample());
        }
    }
}

/// What a page that was read and taken back would make a side hear of.
#[derive(Debug, Default)]
pub struct Foretold(Vec<Sample>);

impl Foretold {
    /// Counts rows that a side would be told, and keeps examples of them.
    pub fn count(&mut self, counts: &mut Counts, samples: impl IntoIterator<Item = Sample>) {
        for sample in samples {
            let side = match sample.to {
                To::Crm => &mut counts.to_crm,
                To::Service => &mut counts.to_service,
            };
            (side.sent, side.changed) = (side.sent + 1, side.changed + 1);
            let alike = self.0.iter().filter(|known| (known.to, known.act) == (sample.to, sample.act));
            if alike.count() < SHOWN {
                self.0.push(sample);
            }
        }
    }
}

/// What a run would come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    pub counts: Counts,
    /// What it would ask before it goes on.
    pub question: Option<String>,
    pub samples: Vec<Sample>,
    /// Calls of the service, those that read among them.
    pub calls: u64,
    /// The time that it takes at least, while no limit of the service is reached.
    pub seconds: u64,
}

impl Turn {
    /// In a dry run, keeps examples of what would be done with these; the first few of each kind.
    pub fn foresee(&mut self, samples: impl IntoIterator<Item = Sample>) {
        if self.dry {
            samples.into_iter().for_each(|sample| self.forecast.keep((sample.to, sample.act), || sample));
        }
    }

    /// Keeps the examples of a page that was taken back; each row that the service would be told is a call.
    pub fn foresee_told(&mut self, foretold: Foretold, before: &Counts) {
        self.foresee(foretold.0);
        self.foresee_calls(self.counts.to_service.sent - before.to_service.sent);
    }

    /// In a dry run, keeps examples of records that the CRM would get, each with what its columns were.
    pub fn foresee_records<'r>(
        &mut self,
        act: Act,
        records: impl IntoIterator<Item = (&'r Record, Option<&'r Columns>)>,
    ) {
        if self.dry {
            for (record, was) in records.into_iter().take(SHOWN) {
                self.forecast.keep((To::Crm, act), || Sample::record(act, record, was));
            }
        }
    }

    /// In a dry run, counts calls of the service that would write.
    pub fn foresee_calls(&mut self, calls: u64) {
        if self.dry {
            self.forecast.calls += calls;
        }
    }

    /// In a dry run, counts an import: it is begun, asked about, and its report is read.
    pub fn foresee_import(&mut self) {
        if self.dry {
            self.forecast.calls += 3;
            self.forecast.imports += 1;
        }
    }

    /// What the dry run came to. `read` are the calls that it made.
    pub(super) fn told(self, read: u64, question: Option<String>) -> Trial {
        let wait = u64::try_from(self.engine.rules.polling.wait(0).as_secs()).unwrap_or(0);
        let calls = read + self.forecast.calls;
        Trial {
            counts: self.counts,
            question: Some(
                self.forecast.questions.into_iter().chain(question).collect::<Vec<_>>().join("; "),
            )
            .filter(|text| !text.is_empty()),
            samples: self.forecast.samples,
            calls,
            seconds: calls.div_ceil(CALLS_IN_A_SECOND) + self.forecast.imports * wait,
        }
    }
}
