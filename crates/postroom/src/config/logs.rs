//! `[logs]`: what is logged, and how much of a person.

use std::fmt;

use jiff::Timestamp;

use super::origin::Origin;
use super::setting::{Check, Reading, Setting, optional, section};
use super::tree::{Node, Table, Value};
use super::values::quoted;
use super::words::words;

words!(/// The least weighty events that are logged.
    Level { Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace" });

words!(/// How an e-mail address appears in the log.
Pii {
    /// A keyed hash: the same person is the same word, and nobody can tell who.
    Hash = "hash",
    /// `a***@example.org`.
    Mask = "mask",
    /// As it is, until `pii_until`.
    Full = "full",
});

section! {
    /// What is logged (to stderr), and how much of a person. Bodies, subjects and secrets never are.
    pub struct Logs {
        /// "error", "warn", "info", "debug" or "trace".
        pub level: Level = Some(Level::Info), "\"info\"";
        /// E-mail addresses in the log: "hash" (same person, same word), "mask" (a***@example.org), "full".
        pub pii: Pii = Some(Pii::Hash), "\"hash\"";
        /// When pii = "full" ends; after it addresses are hashed again. "full" needs it.
        pub pii_until: Option<Moment> = optional(), "2027-01-31T18:00:00Z";
    }
}

/// What is logged where there is no configuration.
impl Default for Logs {
    fn default() -> Self {
        let empty = Node::loose(Value::Table(Table::new()), Origin::Default);
        Logs::read(&empty, "logs", &mut Reading::default()).expect("every key of [logs] has a default")
    }
}

impl Check for Logs {
    fn check(&self, cx: &mut Reading) {
        match (self.pii, self.pii_until) {
            (Pii::Full, None) => {
                cx.refuse("logs.pii", "logs.pii = \"full\" needs an end: set logs.pii_until")
            }
            (Pii::Full, Some(_)) => {
                cx.warn("logs.pii", "logs.pii = \"full\" writes e-mail addresses into the log")
            }
            _ => {}
        }
    }
}

/// A moment with its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Setting for Moment {
    fn expects() -> String {
        "a time with its zone such as 2027-01-31T18:00:00Z".to_owned()
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        let parsed = match &node.value {
            Value::Text(text) | Value::Moment(text) => text.parse().ok().map(Moment),
            _ => None,
        };
        if parsed.is_none() {
            cx.mismatch(node, key, &Self::expects());
        }
        parsed
    }

    fn literal(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}
