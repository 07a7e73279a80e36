//! What can go wrong with the database, and what it means to a caller.

use postroom_core::{Code, Fault, Verdict};

/// A failure of the store. The unit that met it was rolled back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open the database {url}: {reason}; check [storage] url")]
    Open { url: String, reason: String },
    #[error("the database was written by a newer postroom (step {area}/{number} is unknown here)")]
    Newer { area: String, number: u32 },
    #[error("migration {area}/{number} was changed after it ran; restore the released version of it")]
    Changed { area: String, number: u32 },
    #[error("the disk is full")]
    Full,
    #[error("the database cannot be reached: {0}")]
    Away(String),
    #[error("another transaction got there first: {0}")]
    Conflict(String),
    #[error("a statement failed: {reason} in {sql}")]
    Statement { sql: String, reason: String },
    #[error("column {column} of the answer is not a {wanted}")]
    Cell { column: String, wanted: &'static str },
    #[error("body {0} is not in the store")]
    NoBody(String),
    #[error("body {0} does not match its own hash; the database file is damaged")]
    DamagedBody(String),
    #[error("the store is stopping")]
    Stopped,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Open { .. } | Error::Away(_) | Error::Stopped => Code::STORE_AWAY,
            Error::Newer { .. } | Error::Changed { .. } => Code::STORE_NEWER,
            Error::Full => Code::STORE_FULL,
            Error::Conflict(_) => Code::STORE_CONFLICT,
            Error::Statement { .. } | Error::Cell { .. } => Code::STORE_QUERY,
            Error::NoBody(_) | Error::DamagedBody(_) => Code::STORE_FAILED,
        };
        let verdict = match code {
            Code::STORE_AWAY | Code::STORE_FULL | Code::STORE_CONFLICT => Verdict::Retry { after: None },
            _ => Verdict::Bug,
        };
        Fault::new(verdict, code, error.to_string()).with_source(error)
    }
}
