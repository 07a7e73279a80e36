//! The port through which finished mail leaves: one mail, many recipients, an answer for each.

use async_trait::async_trait;
use bytes::Bytes;

use crate::Fault;

/// A mail whose bytes are final, and where it goes.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The reverse-path; empty for a report.
    pub from: String,
    /// The forward-paths that still need an answer, each once.
    pub to: Vec<String>,
    /// The ENVID of RFC 3461: comes back as Original-Envelope-Id. Letters, digits, `.` and `-`.
    pub envelope_id: Option<String>,
    /// Its delivery is to be reported too (RFC 3461), not only its failure.
    pub receipt: bool,
    /// The mail with CRLF line ends. The same bytes, Message-ID and all, at every try.
    pub raw: Bytes,
}

/// What a mail server said: three digits, the enhanced code when it gave one (RFC 3463), the text on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    pub status: Option<String>,
    pub text: String,
}

/// What an [`Answer`] means for the recipient it was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// 2yz: the server has it and answers for it.
    Accepted,
    /// 4yz: may be tried again.
    Later,
    /// 5yz: this mail will not go to this recipient.
    Refused,
}

impl Answer {
    pub fn fate(&self) -> Fate {
        match self.code {
            200..=299 => Fate::Accepted,
            500..=599 => Fate::Refused,
            _ => Fate::Later,
        }
    }
}

/// Each recipient of an [`Outgoing`] with its answer, in the same order.
pub type Handed = Vec<(String, Answer)>;

/// Hands mail to a mail server. May keep connections open between calls; calls may run at once.
///
/// `Ok` means that every recipient has an answer, be it a refusal. Errors mean that nobody has the mail, and carry the
/// verdict: `Retry` (no connection, a greeting or TLS that failed for now), `Hold` (sign-in or TLS refused: our
/// configuration, the next mail would fail too), and `Unknown`: the mail was on its way and the answer is lost, so
/// somebody may have it.
#[async_trait]
pub trait MailSender: Send + Sync {
    async fn send(&self, mail: Outgoing) -> Result<Handed, Fault>;

    /// The mail server's name, for the history of attempts; empty where there is none.
    fn host(&self) -> String {
        String::new()
    }

    /// Connects, secures, signs in, and quits; the text says where and as whom, and what the server offers.
    async fn check(&self) -> Result<String, Fault>;
}
