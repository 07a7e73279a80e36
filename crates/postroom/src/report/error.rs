//! A failure of a command: four lines for a person, one JSON object for a program.

use std::io;

use postroom_core::code::{self, Code, Owner};
use postroom_core::{Fault, id, record};
use serde_json::json;

use super::exit::Exit;
use super::text::one_line;
use crate::config::Problem;

/// Why a command failed. What it means and what to do come from the code's entry unless something better is known.
#[derive(Debug)]
pub struct CliError {
    pub code: Code,
    pub exit: Exit,
    /// What happened, one sentence, no secrets.
    pub what: String,
    pub meaning: Option<String>,
    /// The next step.
    pub action: Option<String>,
    /// The trace in the logs, when there is one.
    trace: Option<String>,
    /// The reader of our output went away: not a failure, and nothing is to be said.
    quiet: bool,
}

impl CliError {
    /// A failure whose exit code follows from its code.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        let exit = Exit::of_code(code).unwrap_or(Exit::Failed);
        CliError { code, exit, what: what.into(), meaning: None, action: None, trace: None, quiet: false }
    }

    /// Wrong usage that clap could not see.
    pub fn usage(what: impl Into<String>) -> Self {
        CliError::new(Code::API_INPUT, what).with_exit(Exit::Usage)
    }

    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// A next step that fits better than the code's own.
    pub fn with_action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// A meaning that fits better than the code's own.
    pub fn with_meaning(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = Some(meaning.into());
        self
    }

    /// Where in the logs more of it stands.
    pub fn with_trace(mut self, trace: impl Into<String>) -> Self {
        self.trace = Some(trace.into());
        self
    }

    /// Whether there is nothing to say.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    fn meaning(&self) -> &str {
        let documented = code::entry(self.code).map_or("", |entry| entry.meaning);
        self.meaning.as_deref().unwrap_or(documented)
    }

    fn action(&self) -> &str {
        let documented = code::entry(self.code).map_or("", |entry| entry.action);
        self.action.as_deref().unwrap_or(documented)
    }

    /// The four lines, without the last line's end.
    pub fn lines(&self) -> String {
        let trace =
            self.trace.as_ref().map(|trace| format!("   trace {}", one_line(trace))).unwrap_or_default();
        format!(
            "error {code}: {what}\n  meaning: {meaning}\n  do: {action}\n  more: postroom explain {code}{trace}",
            code = self.code,
            what = one_line(&self.what),
            meaning = one_line(self.meaning()),
            action = one_line(self.action()),
        )
    }

    /// One object on one line: `{"error":{…}}`.
    pub fn json(&self) -> String {
        let entry = code::entry(self.code);
        json!({ "error": {
            "code": self.code.to_string(),
            "exit": self.exit.number(),
            "title": entry.map(|entry| entry.title),
            "what": self.what,
            "meaning": self.meaning(),
            "do": self.action(),
            "owner": entry.map_or(Owner::Developers.as_str(), |entry| entry.owner.as_str()),
            "retryable": entry.is_some_and(|entry| entry.retryable),
            "trace_id": self.trace,
        }})
        .to_string()
    }
}

impl From<Fault> for CliError {
    fn from(fault: Fault) -> Self {
        CliError::new(fault.code, &fault.message).with_exit(Exit::of_fault(&fault))
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let quiet = error.kind() == io::ErrorKind::BrokenPipe;
        let exit = if quiet { Exit::Done } else { Exit::Failed };
        let failed = CliError::new(Code::INTERNAL, format!("the output could not be written: {error}"));
        CliError { quiet, ..failed.with_exit(exit) }
    }
}

impl From<id::IdError> for CliError {
    fn from(error: id::IdError) -> Self {
        CliError::usage(error.to_string())
    }
}

impl From<record::RecordRefError> for CliError {
    fn from(error: record::RecordRefError) -> Self {
        CliError::usage(error.to_string())
    }
}

impl From<Vec<Problem>> for CliError {
    /// The first problem stands for all; `config validate` tells the others.
    fn from(problems: Vec<Problem>) -> Self {
        let Some(first) = problems.first() else {
            return CliError::new(Code::INTERNAL, "a configuration was refused without a reason");
        };
        let more = match problems.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more: postroom config validate)"),
        };
        CliError::new(first.code, format!("{first}{more}")).with_exit(Exit::ConfigInvalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_four_lines_whatever_is_in_it() {
        let said = "the CRM said \"no\nerror PR-0000: forged\u{1b}[2J\"";
        let error = CliError::new(Code::CRM_REFUSED, said).with_trace("4f2c");
        let lines = error.lines();
        assert_eq!(lines.lines().count(), 4, "{lines}");
        assert!(lines.starts_with("error PR-2002: the CRM said"), "{lines}");
        assert!(lines.ends_with("more: postroom explain PR-2002   trace 4f2c"), "{lines}");
        assert!(!lines.contains('\u{1b}'));
    }

    #[test]
    fn json_is_one_line_with_the_same_words() {
        let json = CliError::new(Code::API_NOT_FOUND, "no\nsuch").json();
        assert_eq!(json.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["error"]["exit"], 5);
        assert_eq!(value["error"]["code"], "PR-8004");
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let error = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(error.is_quiet() && error.exit == Exit::Done);
    }
}
