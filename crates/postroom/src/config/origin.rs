//! Where a value came from, and what is wrong with it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use postroom_core::Code;

/// A position in a configuration file; line and column count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<Path>,
    pub line: usize,
    pub column: usize,
}

/// Where an effective value came from, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(Place),
    /// The name of the variable.
    Environment(String),
    /// The flag as typed, without its value.
    Flag(String),
}

impl Origin {
    /// Whether the value is text typed into a variable or flag, where a number and a word look alike.
    pub fn is_loose(&self) -> bool {
        matches!(self, Origin::Environment(_) | Origin::Flag(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(place) => write!(f, "{}:{}:{}", place.file.display(), place.line, place.column),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One thing wrong with the configuration, or worth a look in it. Its text never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    /// The full key: `http.listen`; empty when no key is concerned.
    pub key: String,
    pub origin: Origin,
    /// One sentence; says what to write instead.
    pub message: String,
}

impl Problem {
    pub fn new(key: impl Into<String>, origin: Origin, message: impl Into<String>) -> Self {
        Problem { code: Code::CONFIG_INVALID, key: key.into(), origin, message: message.into() }
    }

    /// The same problem under another code.
    pub fn with_code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Default => f.write_str(&self.message),
            _ => write!(f, "{}: {}", self.origin, self.message),
        }
    }
}

impl std::error::Error for Problem {}
