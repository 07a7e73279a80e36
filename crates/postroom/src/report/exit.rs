//! Exit codes: the whole list, and how a failure finds its own.

use std::process::ExitCode;

use postroom_core::{Code, Fault, Verdict};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or yes.
    Done,
    /// Failed, no better code.
    Failed,
    Usage,
    ConfigInvalid,
    /// Not allowed, or not signed in.
    NotAllowed,
    NotFound,
    /// Conflict, or a precondition failed.
    Conflict,
    /// A peer is away, throttles or timed out: try later.
    Unreachable,
    /// Some were rejected; the counts are printed.
    PartlyDone,
    /// A safety gate said no.
    Refused,
    /// Nobody knows whether it happened.
    Unknown,
    /// The check answered no.
    No,
    Interrupted,
}

impl Exit {
    pub const ALL: &[Exit] = &[
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::ConfigInvalid,
        Exit::NotAllowed,
        Exit::NotFound,
        Exit::Conflict,
        Exit::Unreachable,
        Exit::PartlyDone,
        Exit::Refused,
        Exit::Unknown,
        Exit::No,
        Exit::Interrupted,
    ];

    /// The number that the shell sees.
    pub fn number(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::ConfigInvalid => 3,
            Exit::NotAllowed => 4,
            Exit::NotFound => 5,
            Exit::Conflict => 6,
            Exit::Unreachable => 7,
            Exit::PartlyDone => 8,
            Exit::Refused => 9,
            Exit::Unknown => 10,
            Exit::No => 20,
            Exit::Interrupted => 130,
        }
    }

    /// What the number means, for the help texts.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Failed => "failed, no better code",
            Exit::Usage => "wrong usage",
            Exit::ConfigInvalid => "configuration invalid",
            Exit::NotAllowed => "not allowed, or not signed in",
            Exit::NotFound => "not found",
            Exit::Conflict => "conflict, or a precondition failed",
            Exit::Unreachable => "a peer is away, throttles or timed out: try later",
            Exit::PartlyDone => "partly done: some were rejected",
            Exit::Refused => "refused by a safety gate",
            Exit::Unknown => "outcome unknown",
            Exit::No => "the check answered no",
            Exit::Interrupted => "interrupted",
        }
    }

    /// The exit code of a documented error, where the code alone says enough.
    pub fn of_code(code: Code) -> Option<Exit> {
        match code {
            Code::API_INPUT => Some(Exit::Usage),
            Code::API_TOKEN | Code::API_DENIED => Some(Exit::NotAllowed),
            Code::API_NOT_FOUND | Code::CRM_NOT_FOUND | Code::MAIL_SOURCE => Some(Exit::NotFound),
            Code::API_CONFLICT
            | Code::STORE_CONFLICT
            | Code::CRM_OTHER
            | Code::CRM_SOLUTION
            | Code::MARKETING_STATE => Some(Exit::Conflict),
            Code::SAFE_MODE | Code::MARKETING_AUDIENCE => Some(Exit::Refused),
            Code::CRM_AWAY | Code::STORE_AWAY => Some(Exit::Unreachable),
            Code::CONFIG_INVALID | Code::CONFIG_MISSING | Code::SECRET_FILE | Code::LISTEN_OPEN => {
                Some(Exit::ConfigInvalid)
            }
            _ => None,
        }
    }

    /// The exit code of a failure at a port: its code's own, else its verdict's.
    pub fn of_fault(fault: &Fault) -> Exit {
        if fault.verdict == Verdict::Unknown {
            return Exit::Unknown;
        }
        Exit::of_code(fault.code).unwrap_or(match fault.verdict {
            Verdict::Retry { .. } => Exit::Unreachable,
            Verdict::Unknown => Exit::Unknown,
            Verdict::Reject | Verdict::Hold | Verdict::Bug => Exit::Failed,
        })
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fault: Fault, exit: Exit) {
        assert_eq!(Exit::of_fault(&fault), exit, "{fault}");
    }

    #[test]
    fn faults_find_their_exit() {
        check(Fault::retry(Code::STORE_FULL, "short"), Exit::Unreachable);
        check(Fault::retry(Code::STORE_CONFLICT, "first"), Exit::Conflict);
        check(Fault::reject(Code::CRM_NOT_FOUND, "gone"), Exit::NotFound);
        check(Fault::reject(Code::CRM_REFUSED, "no"), Exit::Failed);
        check(Fault::new(Verdict::Unknown, Code::CRM_AWAY, "lost"), Exit::Unknown);
        check(Fault::new(Verdict::Hold, Code::API_DENIED, "no"), Exit::NotAllowed);
        check(Fault::bug("odd"), Exit::Failed);
    }

    #[test]
    fn numbers_differ() {
        let mut numbers: Vec<u8> = Exit::ALL.iter().map(|exit| exit.number()).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), Exit::ALL.len());
    }
}
