//! The outgoing connector's rules: from a CRM e-mail in *Pending Send* to an answer for each recipient.
//!
//! # Flow
//!
//! 1. [`scan`]: asks the CRM for e-mails to send and claims each with a row of ours under a unique index, which holds the
//!    job to send it ([`KIND`]) in the same unit.
//! 2. [`prepare`]: a lot of jobs reads its activities ([`gather`]), leaves those of senders that others serve ([`foreign`]), sets
//!    the rest to *Sending*, passes the [`guard`]s, renders each
//!    once ([`render`]) and freezes the bytes with their Message-ID and recipients ([`freeze`]), in one unit with the first
//!    intent to hand them over.
//! 3. [`attempt`]: each intent is durable before the wire is touched, the answer after, even if it must wait for the
//!    disk or the database. Whoever was accepted or refused is
//!    never asked for again; 4yz waits by [`schedule`]. What each attempt brought stays for a while ([`history`]).
//! 4. [`doubt`]: an intent without an answer is *unknown* (promise P5): visible, looked for in the sightings and reports,
//!    then sent again with the same Message-ID after a stated time, or left to a person.
//! 5. [`tell`]: the CRM learns the state, its number of attempts, and the reasons in notes.
//!
//! The job is a state machine over the `outgoing` row: whatever it is when a job starts says what to do next ([`worker`]), so
//! a job may be repeated at any point. Each step does a whole [`lot`]: one call to the CRM, one unit of ours. A lane per activity
//! keeps two jobs apart; a guard on `state` and `attempts` in every write keeps out a worker whose lease was lost; the version of
//! the e-mail, where the CRM has one, keeps out everybody else: two installations on one CRM never both send a mail.
//!
//! What is absent: sockets (the `MailSender` port), DKIM keys and IMAP (hooks given at construction).

mod attempt;
mod doubt;
mod entry;
mod events;
mod foreign;
mod freeze;
mod gather;
mod guard;
pub mod history;
mod ledger;
mod lot;
mod options;
mod prepare;
mod rates;
mod render;
pub mod reports;
pub mod scan;
mod schedule;
pub(crate) mod schema;
mod tally;
mod tell;
pub mod verbs;
mod worker;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::{Clock, Crm, Fault, Ids, MailSender};
use postroom_store::Store;

pub(crate) use entry::lane;
pub use entry::{Entry, Hold, Recipient, Role, Standing};
pub use options::Options;
pub use scan::Scan;
pub use tally::{Tally, tally};

use crate::rules::Rules;
use crate::token::Signer;

/// The job kind.
pub const KIND: &str = "mail.send";

/// Signs a finished mail (DKIM): answers it with the field added. Called once, before the bytes are frozen.
pub type Sign = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>, Fault> + Send + Sync>;

/// Puts a copy of a sent mail where its sender looks for it. May be called again for the same mail after a crash.
#[async_trait]
pub trait SentCopy: Send + Sync {
    /// `from` is the sender's address in normal form. An error is tried again a few times and then left: the mail is sent.
    async fn keep(&self, from: &str, raw: Bytes) -> Result<(), Fault>;
}

/// Sends the CRM's mail. One per process; cheap to clone.
#[derive(Clone)]
pub struct Sending {
    pub store: Store,
    pub clock: Clock,
    pub ids: Ids,
    pub crm: Arc<dyn Crm>,
    pub sender: Arc<dyn MailSender>,
    pub rules: Arc<Rules>,
    pub signer: Arc<Signer>,
    pub options: Arc<Options>,
    pub sign: Option<Sign>,
    pub copy: Option<Arc<dyn SentCopy>>,
}
