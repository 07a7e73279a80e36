//! What went wrong at a port, and what to do about it.
//!
//! Which error type belongs where: each crate has its own `Error` (thiserror) for its own operations; at a port it
//! becomes a [`Fault`], which the job machinery, the SMTP answers and the pages read. `anyhow` stays in the binary.

use std::fmt;

use jiff::SignedDuration;

use crate::Code;

/// What the caller should do about a failure. Adapters decide, jobs obey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again, after the peer's own wait when it named one: network, 5xx, 429, SMTP 4yz, a full disk.
    Retry { after: Option<SignedDuration> },
    /// The peer will never take this: 4xx, SMTP 5yz. Straight to the shelf.
    Reject,
    /// Credentials or configuration: stop the lane and tell someone; trying the next item would fail too.
    Hold,
    /// The peer may or may not have done it: look for evidence, never repeat blindly.
    Unknown,
    /// Our own fault: keep the payload, put it on the shelf, alert.
    Bug,
}

/// A failure at a port: a verdict, a documented code, and one sentence for a person.
#[derive(Debug)]
pub struct Fault {
    pub verdict: Verdict,
    pub code: Code,
    /// One sentence, no secrets, no bodies.
    pub message: String,
    /// The error underneath, for the log.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// What the other side answered, for whoever mends the item.
    pub answer: Option<PeerAnswer>,
}

/// The other side's own words, as far as [`PeerAnswer::MOST`]. They repeat values of people, so no log has them.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerAnswer(Box<str>);

impl PeerAnswer {
    /// The longest that is kept, in characters.
    pub const MOST: usize = 4096;

    /// Of bytes as they came.
    pub fn of(body: &[u8]) -> Self {
        let most = &body[..body.len().min(4 * Self::MOST)];
        PeerAnswer(String::from_utf8_lossy(most).chars().take(Self::MOST).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PeerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerAnswer of {} bytes", self.0.len())
    }
}

impl Fault {
    pub fn new(verdict: Verdict, code: Code, message: impl Into<String>) -> Self {
        Fault { verdict, code, message: message.into(), source: None, answer: None }
    }

    /// Try again when the machinery sees fit.
    pub fn retry(code: Code, message: impl Into<String>) -> Self {
        Fault::new(Verdict::Retry { after: None }, code, message)
    }

    /// Never try this item again.
    pub fn reject(code: Code, message: impl Into<String>) -> Self {
        Fault::new(Verdict::Reject, code, message)
    }

    /// A bug of ours.
    pub fn bug(message: impl Into<String>) -> Self {
        Fault::new(Verdict::Bug, Code::INTERNAL, message)
    }

    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub fn with_answer(mut self, answer: PeerAnswer) -> Self {
        self.answer = Some(answer);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}
