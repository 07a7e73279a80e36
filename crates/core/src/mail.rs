//! Words for mail: how it came, what it is, where it stands. The text forms are those of the JSON interface.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use jiff::Timestamp;

/// A closed set of words with one text form each, used in JSON, SQL and on the pages alike.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                $name::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| UnknownWord {
                    text: text.chars().take(40).collect(),
                    known: concat!($($text, " "),+),
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A text that is none of the known words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not one of: {known}")]
pub struct UnknownWord {
    text: String,
    known: &'static str,
}

words!(/// Which way a mail went, seen from the organisation.
    Direction { Incoming = "incoming", Outgoing = "outgoing" });

words!(/// What kind of mail it is (`interfaces.md`, "A message in JSON").
Class {
    Normal = "normal",
    Reply = "reply",
    /// Out of office and other answers of machines (RFC 3834).
    AutoReply = "auto_reply",
    /// A delivery status report (RFC 3464) or an unstructured bounce.
    Bounce = "bounce",
    /// An abuse report (RFC 5965).
    Feedback = "feedback",
    /// A read receipt (RFC 8098).
    Receipt = "receipt",
    /// A mailing list or bulk mail.
    List = "list",
    /// An invitation or its answer (RFC 6047).
    Calendar = "calendar",
    /// Our own mail, come back.
    Echo = "echo",
});

words!(/// Where a mail stands.
MailState {
    Received = "received",
    Parsed = "parsed",
    Tracked = "tracked",
    NotTracked = "not_tracked",
    Review = "review",
    Shelf = "shelf",
    Queued = "queued",
    Held = "held",
    Sending = "sending",
    Sent = "sent",
    Unknown = "unknown",
    Bounced = "bounced",
    Failed = "failed",
    Suppressed = "suppressed",
});

words!(/// What tied a mail to its record.
Method {
    SignedId = "signed_id",
    SignedAddress = "signed_address",
    Folder = "folder",
    Thread = "thread",
    Token = "token",
    Header = "header",
    MicrosoftToken = "microsoft_token",
    ConversationIndex = "conversation_index",
    /// Attached by hand.
    Person = "person",
    None = "none",
});

words!(/// The door a mail came through.
    Source { Smtp = "smtp", Lmtp = "lmtp", Http = "http", File = "file", Imap = "imap" });

words!(/// A verdict of sender authentication. Computing it is not this crate's business.
    Authentication { Pass = "pass", Fail = "fail", Unknown = "unknown" });

/// What the transport knew, as opposed to what the headers say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// The reverse-path; empty for a bounce, `None` when the way in has none.
    pub from: Option<String>,
    /// The forward-paths, as given.
    pub to: Vec<String>,
}

/// A raw mail on its way into the store.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub source: Source,
    pub direction: Direction,
    /// The configured mailbox it was seen in, when the way in names one; else the recipients say.
    pub mailbox: Option<String>,
    /// The folder it was seen in, when the way in has folders: an administrator may have tied one to a record.
    pub folder: Option<String>,
    pub envelope: Envelope,
    /// What names this sighting at its source (an SMTP session and transaction, replica id and UNID, a file and offset).
    pub source_id: Option<String>,
    /// Who handed it over: the client's address and HELO name, for the hop list.
    pub peer: Option<String>,
    pub authentication: Authentication,
    /// When the way in took it.
    pub received_at: Timestamp,
    /// The bytes exactly as they came, CRLF or not.
    pub raw: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for state in MailState::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
        assert!("sleeping".parse::<MailState>().unwrap_err().to_string().contains("not_tracked"));
    }
}
