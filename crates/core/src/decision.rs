//! Why a mail was tracked, or not: the signals found, the one that won, the ones that lost. Immutable once stored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{DecisionId, MailState, Method, RecordRef};

/// One thing found in a mail that names a record, or tries to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    pub kind: SignalKind,
    /// What was found, as found: a Message-ID, a token, a folder. Never body text.
    pub value: String,
    /// Where it was found: `References[3]`, `Subject`, `returned Subject`.
    pub place: String,
    /// The record it leads to, or `None` when it names nothing that exists.
    pub record: Option<RecordRef>,
    /// One clause for a person: why it leads there, or why it counts for nothing.
    pub note: String,
}

/// The kinds of signal in order of strength, strongest first (design.md 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    SignedId,
    SignedAddress,
    Folder,
    Thread,
    Token,
    Header,
    MicrosoftToken,
    ConversationIndex,
}

impl SignalKind {
    /// Kinds of one rank do not outrank each other: if they disagree, a person decides.
    pub fn rank(self) -> u8 {
        match self {
            SignalKind::SignedId | SignalKind::SignedAddress => 1,
            SignalKind::Folder => 2,
            SignalKind::Thread => 3,
            SignalKind::Token | SignalKind::Header => 4,
            SignalKind::MicrosoftToken => 5,
            SignalKind::ConversationIndex => 6,
        }
    }

    pub fn method(self) -> Method {
        match self {
            SignalKind::SignedId => Method::SignedId,
            SignalKind::SignedAddress => Method::SignedAddress,
            SignalKind::Folder => Method::Folder,
            SignalKind::Thread => Method::Thread,
            SignalKind::Token => Method::Token,
            SignalKind::Header => Method::Header,
            SignalKind::MicrosoftToken => Method::MicrosoftToken,
            SignalKind::ConversationIndex => Method::ConversationIndex,
        }
    }
}

/// What was decided about a mail, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub id: DecisionId,
    pub at: Timestamp,
    /// The version of the rules that decided.
    pub rules: u32,
    pub state: MailState,
    pub method: Method,
    pub record: Option<RecordRef>,
    /// One sentence for a person.
    pub reason: String,
    /// Every signal found, the winner first.
    pub signals: Vec<Signal>,
    /// Things worth a look that changed nothing: `unknown_sender`, `message_id_reused`, …
    pub flags: Vec<String>,
    /// Why it is of its class: the headers and parts that say so.
    #[serde(default)]
    pub class_evidence: Vec<String>,
}
