//! The account itself: where it lives, what it may do, how much is left.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::Fault;

/// What the service says of the account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    pub id: i64,
    pub name: String,
    /// Where its API answers, without a path. Worth remembering: it saves a call and a refusal at each start.
    pub endpoint: String,
    /// IANA name, when the service says one.
    pub time_zone: Option<String>,
    /// Calls left in this hour; only accounts with a flat limit say so.
    pub calls_left: Option<u64>,
    pub calls_in_last_hour: Option<u64>,
    /// Marketing mails that the plan still allows.
    pub sends_left: Option<i64>,
    /// Everything that was said, by name.
    pub properties: BTreeMap<String, String>,
}

/// A part of the service that an account may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    Programs,
    Forms,
    Preferences,
    Scores,
}

/// What this account can.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// People have identifiers besides the address, and imports answer who is who (v3).
    pub identifiers: bool,
    /// The identifiers of the account besides address and mobile number.
    pub custom_identifiers: Vec<String>,
    /// What it lacks; tried, not guessed.
    pub missing: Vec<Feature>,
    /// Bytes of one import at most.
    pub import_bytes: usize,
    /// Imports that may run at once.
    pub imports_at_once: usize,
}

/// The account.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// One call, made anew each time: figures of what is left are as of now.
    async fn account(&self) -> Result<Account, Fault>;

    /// The service's clock. Watermarks are taken from it, never from ours.
    async fn server_time(&self) -> Result<Timestamp, Fault>;

    /// One call for each feature; ask once and keep it.
    async fn capabilities(&self) -> Result<Capabilities, Fault>;

    /// Makes an identifier (`[-A-Za-z0-9_]`, 50 characters at most). One that is there already is success; repeating does no
    /// harm.
    ///
    /// # Errors
    /// [`crate::Code::MARKETING_FEATURE`] on accounts without identifiers, [`crate::Code::MARKETING_QUOTA`].
    async fn create_identifier(&self, name: &str) -> Result<(), Fault>;

    /// Proves that the account can be reached and signed in to; the text says as which account, and where.
    async fn check(&self) -> Result<String, Fault>;

    /// Requests that have gone out since the start, repeats among them.
    fn calls(&self) -> u64;
}
