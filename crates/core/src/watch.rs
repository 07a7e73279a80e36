//! The port through which a watcher of mailboxes keeps its books: where it stands in each folder, and how it fares.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Accepted, Fault, Incoming};

/// One folder of one mailbox on one server. Positions of another server or replica mean nothing here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folder {
    /// The mailbox's configured name.
    pub mailbox: String,
    /// `host:port`, with the replica's name when the server tells one.
    pub server: String,
    /// The folder's name on the server, decoded.
    pub name: String,
}

/// Where a watcher stands in a folder (RFC 3501 2.3.1.1). Never a date, never a flag.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    pub uid_validity: u32,
    /// Every message up to this UID is stored, or listed in `waiting`.
    pub uid: u32,
    /// RFC 7162, when the server has it.
    pub mod_seq: Option<u64>,
    /// Messages at or below `uid` that could not be read yet.
    pub waiting: Vec<Waiting>,
    /// The identity of the message at `uid`: a hash of its headers, to notice a server that numbers anew in silence.
    pub mark: Option<String>,
}

/// A message that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub uid: u32,
    pub tries: u32,
    /// When to try again; `None` when it was given up and waits for a person.
    pub due: Option<Timestamp>,
    /// Why, in one clause.
    pub error: String,
}

/// What people want of a mailbox, whatever its configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Orders {
    pub paused: bool,
    /// Read again what arrived since then (by INTERNALDATE): nothing is added twice. The text names the order, for
    /// [`WatchBook::done`].
    pub rescan: Option<(String, Timestamp)>,
}

/// How a mailbox fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchReport {
    pub state: WatchState,
    /// One sentence: what it does, or what fails and what to do about it.
    pub text: String,
    /// The documented error, when one stands in the way (`PR-nnnn`).
    pub code: Option<String>,
    /// Messages known to be on the server and not stored yet.
    pub behind: u64,
    /// What the server can, and what it does otherwise than the standard says.
    pub quirks: Vec<String>,
}

/// The states of a watched mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchState {
    Connecting,
    /// Reads, or waits for news.
    Watching,
    /// Failed, and will try again by itself.
    BackingOff,
    Paused,
    /// Needs a person: sign-in refused, a folder is gone.
    Stopped,
}

/// Where a watcher keeps its books.
#[async_trait]
pub trait WatchBook: Send + Sync {
    /// Where it stands, or `None` before first contact.
    async fn cursor(&self, folder: &Folder) -> Result<Option<Cursor>, Fault>;

    /// Stores these mails and the cursor in one transaction: both are durable when this returns `Ok`, or neither. An
    /// empty list only moves the cursor. Mails that are known add a sighting at most.
    async fn take(
        &self,
        folder: &Folder,
        mails: Vec<Incoming>,
        cursor: &Cursor,
    ) -> Result<Vec<Accepted>, Fault>;

    /// What people want of this mailbox now. Asked before each pass; cheap.
    async fn orders(&self, mailbox: &str) -> Result<Orders, Fault>;

    /// An order to rescan was carried out.
    async fn done(&self, mailbox: &str, order: &str) -> Result<(), Fault>;

    /// Replaces what was reported before.
    async fn report(&self, mailbox: &str, report: &WatchReport) -> Result<(), Fault>;
}
