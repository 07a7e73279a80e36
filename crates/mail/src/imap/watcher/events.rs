//! What the watcher tells its operators: each event writes its log line and moves its metric together.
//!
//! Never here: users, addresses, subjects. Mailboxes are named as they are configured, folders as the server names them.

use std::time::Duration;

use jiff::Timestamp;
use metrics::{counter, gauge};
use postroom_core::Fault;
use tracing::{debug, error, info, warn};

use super::super::error::{Error, Remedy};
use super::ledger::Anew;

/// Signed in.
pub struct Connected<'a> {
    pub mailbox: &'a str,
    pub server: &'a str,
}

impl Connected<'_> {
    pub fn emit(self) {
        let Connected { mailbox, server } = self;
        counter!("postroom_imap_connections_total", "mailbox" => mailbox.to_owned(), "result" => "signed_in")
            .increment(1);
        debug!(event = "imap.connected", mailbox, server, "Signed in to {server}");
    }
}

/// No connection, or none any more.
pub struct Failed<'a> {
    pub mailbox: &'a str,
    pub error: &'a Error,
    pub pause: Duration,
}

impl Failed<'_> {
    pub fn emit(self) {
        let Failed { mailbox, error, pause } = self;
        let (code, wait) = (error.code(), pause.as_secs());
        counter!("postroom_imap_connections_total", "mailbox" => mailbox.to_owned(), "result" => "failed")
            .increment(1);
        let text = error.sentence();
        match error.remedy() {
            Remedy::SignIn | Remedy::Person => {
                error!(event = "imap.failed", mailbox, code = %code, wait_s = wait, "Mailbox {mailbox} is not read: {text}");
            }
            Remedy::Reconnect | Remedy::GoOn => {
                warn!(event = "imap.failed", mailbox, code = %code, wait_s = wait, "Mailbox {mailbox} waits: {text}");
            }
        }
    }
}

/// One folder cannot be read; the others go on.
pub struct FolderFailed<'a> {
    pub mailbox: &'a str,
    pub error: &'a Error,
}

impl FolderFailed<'_> {
    pub fn emit(self) {
        let FolderFailed { mailbox, error } = self;
        warn!(event = "imap.folder_failed", mailbox, code = %error.code(), "A folder of {mailbox}: {}", error.sentence());
    }
}

/// A folder is read from its beginning.
pub struct ReadAnew<'a> {
    pub mailbox: &'a str,
    pub folder: &'a str,
    pub why: Anew,
}

impl ReadAnew<'_> {
    pub fn emit(self) {
        let ReadAnew { mailbox, folder, why } = self;
        counter!("postroom_imap_uidvalidity_changes_total", "mailbox" => mailbox.to_owned()).increment(1);
        let how = match why {
            Anew::UidValidity => "with another UIDVALIDITY",
            Anew::Silent => "and did not say so",
        };
        warn!(
            event = "imap.uidvalidity",
            mailbox, folder, "The server numbered {folder} anew {how}: reading all of it again"
        );
    }
}

/// Mails are stored.
pub struct Took<'a> {
    pub mailbox: &'a str,
    pub folder: &'a str,
    pub new: usize,
    pub known: usize,
    /// How long the last of them was on the server.
    pub lag: Option<Duration>,
}

impl Took<'_> {
    pub fn emit(self) {
        let Took { mailbox, folder, new, known, lag } = self;
        let count = |result, by: usize| {
            counter!("postroom_imap_mails_total", "mailbox" => mailbox.to_owned(), "result" => result)
                .increment(by as u64);
        };
        count("new", new);
        count("known", known);
        if let Some(lag) = lag {
            gauge!("postroom_imap_lag_seconds", "mailbox" => mailbox.to_owned()).set(lag.as_secs_f64());
        }
        info!(event = "imap.took", mailbox, folder, new, known, "Took {new} new mails from {folder}");
    }
}

/// Everything on the server is stored.
pub struct CaughtUp<'a> {
    pub mailbox: &'a str,
}

impl CaughtUp<'_> {
    pub fn emit(self) {
        gauge!("postroom_imap_lag_seconds", "mailbox" => self.mailbox.to_owned()).set(0.0);
    }
}

/// A message cannot be read.
pub struct SetAside<'a> {
    pub mailbox: &'a str,
    pub folder: &'a str,
    pub uid: u32,
    pub why: &'a str,
    pub given_up: bool,
}

impl SetAside<'_> {
    pub fn emit(self) {
        let SetAside { mailbox, folder, uid, why, given_up } = self;
        let result = if given_up { "given_up" } else { "later" };
        counter!("postroom_imap_set_aside_total", "mailbox" => mailbox.to_owned(), "result" => result)
            .increment(1);
        warn!(
            event = "imap.set_aside",
            mailbox, folder, uid, given_up, "A message in {folder} cannot be read: {why}"
        );
    }
}

/// A stored mail could not be marked or moved.
pub struct NotTouched<'a> {
    pub mailbox: &'a str,
    pub folder: &'a str,
    pub error: &'a Error,
}

impl NotTouched<'_> {
    pub fn emit(self) {
        let NotTouched { mailbox, folder, error } = self;
        warn!(
            event = "imap.not_touched",
            mailbox,
            folder,
            "Stored mail in {folder} was left as it is: {}",
            error.sentence()
        );
    }
}

/// The store did not take mail.
pub struct NotStored<'a> {
    pub mailbox: &'a str,
    pub fault: &'a Fault,
    pub pause: Duration,
}

impl NotStored<'_> {
    pub fn emit(self) {
        let NotStored { mailbox, fault, pause } = self;
        warn!(
            event = "imap.not_stored", mailbox, code = %fault.code, wait_s = pause.as_secs(),
            "Mailbox {mailbox} waits for the store: {}", fault.message
        );
    }
}

/// A task ended by a bug of ours.
pub struct Broke;

impl Broke {
    pub fn emit(self) {
        error!(event = "imap.bug", code = %postroom_core::Code::INTERNAL, "Watching a mailbox ended by a bug; it begins again");
    }
}

/// The time a message spent on the server.
pub fn lag(now: Timestamp, date: Option<Timestamp>) -> Option<Duration> {
    Duration::try_from(now.duration_since(date?)).ok()
}
