//! Why a change, query or description is refused. Each text names the table and column and says what would be taken.

use postroom_core::{Code, Fault, RecordRef};

use crate::definitions::Problem;

/// One refusal. It never carries a value of a mail, only names, lengths and numbers.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("this CRM has no table {table}{}", meant(.nearest))]
    UnknownTable { table: String, nearest: Option<String> },
    #[error("{table} has no column {column}{}", meant(.nearest))]
    UnknownColumn { table: String, column: String, nearest: Option<String> },
    #[error("{table}.{column} is kept by the server; leave it out")]
    ReadOnly { table: String, column: String },
    #[error("{table}.{column} takes {wanted}, not {got}")]
    Type { table: String, column: String, wanted: &'static str, got: &'static str },
    #[error("{table}.{column} holds at most {max} characters (UTF-16 units); this has {length}")]
    TooLong { table: String, column: String, length: usize, max: u32 },
    #[error("{table}.{column} must be {bound}; this is {got}")]
    Range { table: String, column: String, bound: String, got: String },
    #[error("{table}.{column} has no choice {got}; it has {known}")]
    Choice { table: String, column: String, got: String, known: String },
    #[error("{table}.{column} cannot name a row of {target}; it takes {known}")]
    Target { table: String, column: String, target: String, known: String },
    #[error("{table}.{column} names {target}, which does not exist")]
    Reference { table: String, column: String, target: RecordRef },
    #[error("{table}.statuscode {status} does not go with statecode {state}; the pairs are {pairs}")]
    State { table: String, state: i64, status: String, pairs: String },
    #[error("{table}.{column} needs a value")]
    Required { table: String, column: String },
    #[error("{0} does not exist")]
    NotFound(RecordRef),
    #[error(
        "{row} cannot be deleted: {by} names it, and the relationship {relationship} restricts deleting; delete or change \
         {by} first"
    )]
    Restricted { row: RecordRef, by: RecordRef, relationship: String },
    #[error(
        "more than {most} rows hang on {at}, which is more than one change takes: begin with the rows below it"
    )]
    Family { at: RecordRef, most: usize },
    #[error("{0} was changed since it was read")]
    Version(RecordRef),
    #[error("{0} exists already")]
    Duplicate(RecordRef),
    #[error("{table} has a row with the same {columns} already (key {key})")]
    DuplicateKey { table: String, key: String, columns: String },
    #[error(
        "{table}.{column} names {target}, which is completed: its attachments come in the change set that creates it"
    )]
    Completed { table: String, column: String, target: RecordRef },
    #[error("files of this kind are blocked by the organization (blockedattachments)")]
    FileBlocked,
    #[error("the file is too large: the organization takes at most {kilobytes} KB (maxuploadfilesize)")]
    FileTooLarge { kilobytes: i64 },
    #[error("the query names {0:?}, which is none of its aliases, or names it twice")]
    Alias(String),
    #[error("the page asked for does not belong to this query; begin again with the first page")]
    Cookie,
    #[error("changes of {0} are told only to those who may read all its rows")]
    Tracking(String),
    #[error("the query has more than {most} {what}; ask for less at once")]
    Size { what: &'static str, most: usize },
    #[error("a text holds a NUL character, which no column can; leave it out")]
    Nul,
    #[error("{table}.{column} cannot be {what}")]
    Use { table: String, column: String, what: &'static str },
    /// A definition that cannot be made, changed or deleted so.
    #[error(transparent)]
    Definition(#[from] Problem),
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

impl Refusal {
    pub fn code(&self) -> Code {
        match self {
            Refusal::UnknownTable { .. } | Refusal::UnknownColumn { .. } => Code::CRM_UNKNOWN_COLUMN,
            Refusal::Reference { .. } => Code::CRM_REFERENCE,
            Refusal::State { .. } => Code::CRM_STATE,
            Refusal::Required { .. } => Code::CRM_REQUIRED,
            Refusal::NotFound(_) | Refusal::Definition(Problem::Missing { .. }) => Code::CRM_NOT_FOUND,
            Refusal::Version(_) => Code::CRM_VERSION,
            Refusal::Duplicate(_)
            | Refusal::DuplicateKey { .. }
            | Refusal::Definition(Problem::Taken { .. } | Problem::Duplicates { .. }) => Code::CRM_DUPLICATE,
            Refusal::ReadOnly { .. }
            | Refusal::Restricted { .. }
            | Refusal::Family { .. }
            | Refusal::Type { .. }
            | Refusal::TooLong { .. }
            | Refusal::Range { .. }
            | Refusal::Choice { .. }
            | Refusal::Target { .. }
            | Refusal::Completed { .. }
            | Refusal::FileBlocked
            | Refusal::FileTooLarge { .. }
            | Refusal::Alias(_)
            | Refusal::Cookie
            | Refusal::Size { .. }
            | Refusal::Nul
            | Refusal::Tracking(_)
            | Refusal::Definition(_)
            | Refusal::Use { .. } => Code::CRM_REFUSED,
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Fault::reject(refusal.code(), refusal.to_string())
    }
}
