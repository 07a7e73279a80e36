//! The port that answers which subject a mail should carry that a user is sending.

use async_trait::async_trait;

use crate::RecordRef;

/// The head of a mail on its way out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StampAsk {
    /// Decoded.
    pub subject: String,
    /// The author's address.
    pub from: String,
    /// Every recipient, by envelope and headers.
    pub to: Vec<String>,
    pub message_id: Option<String>,
    pub in_reply_to: Option<String>,
    /// Oldest first.
    pub references: Vec<String>,
}

/// The subject it should carry, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// As it was asked about, unless recipients or thread name exactly one record.
    pub subject: String,
    pub record: Option<RecordRef>,
    /// One sentence for a person.
    pub reason: String,
}

/// Never fails and never waits long: when in doubt, the subject stays as it is.
#[async_trait]
pub trait Stamper: Send + Sync {
    async fn stamp(&self, ask: StampAsk) -> Stamp;
}
