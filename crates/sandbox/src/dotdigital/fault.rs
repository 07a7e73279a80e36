//! Switches: what goes wrong, for which calls, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::import::Phase;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// Everything happens, and the connection ends without an answer.
    LoseAnswer,
    /// Everything happens, and the answer breaks off in its middle.
    CutAnswer,
    /// Nothing happens, and the connection ends.
    Drop,
    /// 429, with the time of the next minute.
    TooMany,
    /// 400 with `ERROR_APIUSAGE_EXCEEDED`.
    FlatLimit,
    /// 503 with `ERROR_SYSTEM_SERVICETEMPORARILYUNAVAILABLE`.
    Unavailable,
    /// 500 with `ERROR_UNKNOWN`; nothing happens.
    Broken,
    /// Any status, with a constant of v2.
    Refuse { status: u16, code: String },
    /// The answer takes this long.
    Slow { milliseconds: u64 },
    /// Each page of v2 begins this many rows later than it should: rows in front of it went away meanwhile.
    ShiftingPages { rows: usize },
    /// Enumerations of v2 hold `NotAvailableInThisVersion`, and objects a member that nobody knows.
    UnknownValues,
    /// Moments are spelled in every way that was seen: with milliseconds, with less, without a zone.
    DateSpellings,
    /// Imports that begin now end like this.
    ImportEnds { phase: ImportEnd },
    /// Imports that begin now never end.
    ImportStuck,
}

/// A bad end of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportEnd {
    RejectedByWatchdog,
    InvalidFileFormat,
    Failed,
    ExceedsAllowedContactLimit,
}

impl ImportEnd {
    fn phase(self) -> Phase {
        match self {
            ImportEnd::RejectedByWatchdog => Phase::RejectedByWatchdog,
            ImportEnd::InvalidFileFormat => Phase::InvalidFileFormat,
            ImportEnd::Failed => Phase::Failed,
            ImportEnd::ExceedsAllowedContactLimit => Phase::ExceedsAllowedContactLimit,
        }
    }
}

/// A fault that is switched on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    #[serde(flatten)]
    pub fault: Fault,
    /// `GET`, `POST`, …; empty for all.
    #[serde(default)]
    pub method: String,
    /// What the path contains; empty for all.
    #[serde(default)]
    pub path: String,
    /// The account; none for all.
    #[serde(default)]
    pub account: Option<i32>,
    /// Calls that are left alone first.
    #[serde(default)]
    pub after: u32,
    /// How often; none until the switches are cleared.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Switch {
    /// For every call, until cleared.
    pub fn always(fault: Fault) -> Self {
        Switch { fault, method: String::new(), path: String::new(), account: None, after: 0, times: None }
    }

    /// Once, for the next call of this method whose path contains this.
    pub fn once(fault: Fault, method: &str, path: &str) -> Self {
        Switch { method: method.to_owned(), path: path.to_owned(), times: Some(1), ..Switch::always(fault) }
    }

    fn meant(&self, method: &str, path: &str, account: i32) -> bool {
        (self.method.is_empty() || self.method.eq_ignore_ascii_case(method))
            && path.contains(&self.path)
            && self.account.is_none_or(|meant| meant == account)
    }
}

/// What one call has to go through.
#[derive(Debug)]
pub(super) struct Ordeal {
    pub refuse: Option<(u16, String)>,
    pub drop: bool,
    pub lose: bool,
    pub cut: bool,
    pub slow: Duration,
    pub shift: usize,
    pub unknown: bool,
    pub dates: bool,
    /// None: imports that begin now never end.
    pub import_fate: Option<Phase>,
}

/// Takes what is meant for a call, and strikes it off.
pub(super) fn take(switches: &mut Vec<Switch>, method: &str, path: &str, account: i32) -> Ordeal {
    let mut ordeal = Ordeal {
        refuse: None,
        drop: false,
        lose: false,
        cut: false,
        slow: Duration::ZERO,
        shift: 0,
        unknown: false,
        dates: false,
        import_fate: Some(Phase::Finished),
    };
    for switch in switches.iter_mut().filter(|switch| switch.meant(method, path, account)) {
        if switch.after > 0 {
            switch.after -= 1;
            continue;
        }
        if let Some(times) = &mut switch.times {
            *times = times.saturating_sub(1);
        }
        let code = |status, code: &str| Some((status, code.to_owned()));
        match &switch.fault {
            Fault::LoseAnswer => ordeal.lose = true,
            Fault::CutAnswer => ordeal.cut = true,
            Fault::Drop => ordeal.drop = true,
            Fault::TooMany => ordeal.refuse = code(429, "ERROR_TOO_MANY_REQUESTS"),
            Fault::FlatLimit => ordeal.refuse = code(400, "ERROR_APIUSAGE_EXCEEDED"),
            Fault::Unavailable => ordeal.refuse = code(503, "ERROR_SYSTEM_SERVICETEMPORARILYUNAVAILABLE"),
            Fault::Broken => ordeal.refuse = code(500, "ERROR_UNKNOWN"),
            Fault::Refuse { status, code } => ordeal.refuse = Some((*status, code.clone())),
            Fault::Slow { milliseconds } => ordeal.slow = Duration::from_millis(*milliseconds),
            Fault::ShiftingPages { rows } => ordeal.shift = *rows,
            Fault::UnknownValues => ordeal.unknown = true,
            Fault::DateSpellings => ordeal.dates = true,
            Fault::ImportEnds { phase } => ordeal.import_fate = Some(phase.phase()),
            Fault::ImportStuck => ordeal.import_fate = None,
        }
    }
    switches.retain(|switch| switch.times != Some(0));
    ordeal
}

/// Members that hold words of an enumeration in v2.
const ENUMERATED: &[&str] = &[
    "status",
    "optInType",
    "emailType",
    "reason",
    "replyAction",
    "visibility",
    "replyType",
    "dataType",
    "state",
];

/// Puts a word from the future into every second enumeration, and a member from the future into every object.
pub(super) fn estrange(body: &mut Value, seen: &mut usize) {
    match body {
        Value::Array(rows) => rows.iter_mut().for_each(|row| estrange(row, seen)),
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                if value.is_string() && ENUMERATED.contains(&name.as_str()) {
                    *seen += 1;
                    if *seen % 2 == 1 {
                        *value = Value::from("NotAvailableInThisVersion");
                    }
                } else {
                    estrange(value, seen);
                }
            }
            members.insert("addedInALaterVersion".to_owned(), Value::from(1));
        }
        _ => {}
    }
}

/// Spells every moment in another way than the one before (dotdigital.md A5).
pub(super) fn respell(body: &mut Value, seen: &mut usize) {
    match body {
        Value::Array(rows) => rows.iter_mut().for_each(|row| respell(row, seen)),
        Value::Object(members) => members.values_mut().for_each(|value| respell(value, seen)),
        Value::String(text) => {
            let Some(start) = text.strip_suffix(".000Z").filter(|_| text.len() == 24).map(str::to_owned)
            else {
                return;
            };
            *seen += 1;
            *text = match *seen % 3 {
                0 => text.clone(),
                1 => start,
                _ => format!("{start}.00Z"),
            };
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_waits_and_wears_out() {
        let mut switches = vec![Switch { after: 1, ..Switch::once(Fault::Unavailable, "POST", "/send") }];
        let mut refused = |method: &str, path: &str| take(&mut switches, method, path, 1).refuse.is_some();
        assert!(!refused("GET", "/v2/campaigns/send"));
        assert!(!refused("POST", "/v2/campaigns/send"), "the first is left alone");
        assert!(refused("POST", "/v2/campaigns/send"));
        assert!(!refused("POST", "/v2/campaigns/send"), "once only");
    }

    #[test]
    fn switches_are_read_from_json() {
        let text = r#"{"fault":"import_ends","phase":"RejectedByWatchdog","path":"/import","times":1}"#;
        let switch: Switch = serde_json::from_str(text).unwrap();
        assert_eq!(switch.fault, Fault::ImportEnds { phase: ImportEnd::RejectedByWatchdog });
        assert_eq!(switch.times, Some(1));
    }
}
