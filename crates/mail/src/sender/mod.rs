//! Hands finished mail to one mail server: SMTP submission (RFC 6409) or a relay, as [`MailSender`].
//! Start reading at [`SmtpSender`]; its rooms:
//!
//! | module | holds |
//! | --- | --- |
//! | `options` | what can be set, and the limits with their defaults |
//! | `wire` | answers read, mail dot-stuffed, addresses and xtext written; no socket |
//! | `offers` | what the server's EHLO promises |
//! | `envelope` | which recipients are asked for, with which parameters, and their answers in order; no socket |
//! | `tls` | which certificate is believed, and what to say to servers too old for TLS 1.2 |
//! | `stream` | one connection's bytes, each step with its time limit |
//! | `connection` | greeting, STARTTLS, sign-in |
//! | `transaction` | one mail over a ready connection |
//! | `pool` | connections kept for the next mail |
//! | `fault` | what went wrong, and its verdict |
//! | `events` | log lines and metrics |
//!
//! Why not `mail-send`: it sends DATA without an answer for each recipient, joins writing and waiting so that "the
//! answer is lost" cannot be told from "nobody has it", and rewrites line ends. A driver of our own over tokio-rustls is
//! short, and these three are the heart of the matter.
//!
//! Invariants: the bytes of a mail are never changed (a bare CR or LF is our bug, not the server's guess); DATA is not
//! pipelined, so a mail whose sign-in is refused at RCPT is never on its way; after the last byte of a mail may have
//! left, no answer means `Unknown` and never `Retry`; a password crosses the wire only inside TLS or on this machine.
//!
//! Deliberately absent: MX look-up and delivery into the world (the organisation's server does that), retry schedules and
//! limits per domain (the queue's business), CHUNKING (a smart host that has it takes DATA as well), rewriting 8-bit
//! mail for a server without 8BITMIME (it would break signatures; such a server gets the bytes as they are).

mod connection;
mod envelope;
mod events;
mod fault;
mod offers;
mod options;
mod pool;
mod stream;
pub(crate) mod tls;
mod transaction;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use postroom_core::{Fault, Handed, MailSender, Outgoing};

pub use fault::Error;
pub use options::{Auth, Limits, Mechanism, Options, Security};
pub use postroom_core::{Fingerprint, NotAFingerprint};

use pool::Pool;

/// Sends through one mail server. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct SmtpSender {
    pool: Arc<Pool>,
}

impl SmtpSender {
    /// Fails when the options contradict each other or the system's certificates cannot be read. Connects to nothing.
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(SmtpSender { pool: Arc::new(Pool::new(options)?) })
    }

    /// Takes leave of the server on every connection that is not in use.
    pub async fn close(&self) {
        self.pool.close_idle().await;
    }
}

#[async_trait]
impl MailSender for SmtpSender {
    async fn send(&self, mail: Outgoing) -> Result<Handed, Fault> {
        let recipients = mail.to.len();
        let outcome = self.pool.send(mail).await.map_err(Fault::from);
        events::Sent { host: &self.pool.options().host, recipients, outcome: &outcome }.emit();
        outcome
    }

    fn host(&self) -> String {
        self.pool.options().host.clone()
    }

    async fn check(&self) -> Result<String, Fault> {
        Ok(self.pool.check().await?)
    }
}
