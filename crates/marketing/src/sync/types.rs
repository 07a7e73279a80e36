//! The sync types: names, and how often each runs unless somebody says otherwise.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

macro_rules! types {
    ($($(#[$doc:meta])* $name:ident $text:literal $minutes:literal)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum SyncType { $($(#[$doc])* $name,)+ }

        impl SyncType {
            /// In the order in which they are begun when several are due: opt-outs before everything else.
            pub const ALL: &[SyncType] = &[$(SyncType::$name),+];

            pub fn as_str(self) -> &'static str {
                match self { $(SyncType::$name => $text),+ }
            }

            /// Opt-outs keep no hours.
            pub fn is_of_opt_outs(self) -> bool {
                matches!(self, SyncType::Suppressions | SyncType::Unsubscribes | SyncType::Preferences)
            }

            /// Between two runs by itself; `None` is only when asked.
            pub fn every(self) -> Option<SignedDuration> {
                let minutes: i64 = match self { $(SyncType::$name => $minutes),+ };
                (minutes > 0).then(|| SignedDuration::from_mins(minutes))
            }
        }
    };
}

types! {
    /// Opt-outs from all of an account, both ways.
    Suppressions "suppressions" 5
    /// Who left one list, both ways.
    Unsubscribes "unsubscribes" 5
    /// Marketing preferences, both ways.
    Preferences "preferences" 15
    /// Data labels and what is mapped to them.
    Labels "labels" 1440
    /// Contacts, leads and accounts with their mapped fields, both ways.
    Contacts "contacts" 15
    /// Marketing lists and their members.
    Lists "lists" 15
    /// The service's campaigns and their totals, which are young for a few days.
    Campaigns "campaigns" 15
    /// Send requests of the CRM: to lists, and to single people.
    Sends "sends" 1
    /// What people did with what was sent: recipients, clicks, opens, page views, replies.
    Events "events" 15
    /// Purchases and other marks.
    Roi "roi" 60
    /// Forms, their questions, and what was answered.
    Forms "forms" 60
    Programs "programs" 0
    Scores "scores" 0
    /// Whole sets compared: what the others missed.
    Deletions "deletions" 1440
}

impl fmt::Display for SyncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no sync type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no sync type; write one of: {names}", names = names())]
pub struct NoSyncType(String);

fn names() -> String {
    SyncType::ALL.iter().map(|sync_type| sync_type.as_str()).collect::<Vec<_>>().join(", ")
}

impl FromStr for SyncType {
    type Err = NoSyncType;

    fn from_str(text: &str) -> Result<Self, NoSyncType> {
        let found = SyncType::ALL.iter().copied().find(|sync_type| sync_type.as_str() == text);
        found.ok_or_else(|| NoSyncType(text.chars().take(60).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for sync_type in SyncType::ALL {
            assert_eq!(sync_type.as_str().parse(), Ok(*sync_type));
        }
        let wrong = "contact".parse::<SyncType>().unwrap_err().to_string();
        assert!(wrong.contains("contacts, lists"), "{wrong}");
    }

    #[test]
    fn opt_outs_come_first() {
        assert_eq!(SyncType::ALL[0], SyncType::Suppressions);
        assert!(SyncType::Suppressions < SyncType::Lists && SyncType::Unsubscribes < SyncType::Sends);
    }
}
