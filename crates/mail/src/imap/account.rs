//! Where a mailbox is and how one gets in: server, security, sign-in, folders, and what may be done to its mail.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use postroom_core::{Direction, Secret};

use crate::oauth::Tokens;
use postroom_core::Fingerprint;

/// A server and an identity on it.
#[derive(Debug, Clone)]
pub struct Account {
    /// A name or an IP address.
    pub host: String,
    /// 993 for TLS from the start, else 143.
    pub port: u16,
    pub tls: Tls,
    pub auth: Auth,
    /// The namespace of another user's mailbox, as the server lists it: `Other\anna`, `user/anna`, `Shared/desk`. Folder
    /// names are looked for below it.
    pub below: Option<String>,
}

impl Account {
    /// `host:port`: the server's name in cursors, limits and logs.
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// How the connection is protected. There is no "if offered": a connection that is to be safe is safe or fails.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tls {
    pub mode: TlsMode,
    /// The SHA-256 of the server's certificate. With it, neither name, issuer nor age are looked at, only this.
    pub pin: Option<Fingerprint>,
    /// PEM file with issuers to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

impl Tls {
    /// TLS from the first byte, certificates as the system trusts them.
    pub fn implicit() -> Self {
        Tls { mode: TlsMode::Implicit, pin: None, ca_file: None }
    }

    /// STARTTLS before anything else.
    pub fn starttls() -> Self {
        Tls { mode: TlsMode::StartTls, ..Tls::implicit() }
    }

    /// In the clear; refused unless the server is this machine.
    pub fn none() -> Self {
        Tls { mode: TlsMode::None, ..Tls::implicit() }
    }
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsMode {
    Implicit,
    /// RFC 3501 6.2.1; a server without it is refused.
    StartTls,
    /// For loopback only.
    None,
}

/// How one signs in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// The mailbox's own user, or one that may read others' mailboxes (with [`Account::below`]). PLAIN, else LOGIN.
    Password { user: String, password: Secret },
    /// Dovecot's master user: signs in as `user*master` with the master's password and is then that user.
    Master { user: String, master: String, password: Secret },
    /// XOAUTH2 with an access token.
    Token { user: String, tokens: Arc<dyn Tokens> },
}

impl Auth {
    /// The name to sign in with.
    pub fn login(&self) -> String {
        match self {
            Auth::Password { user, .. } | Auth::Token { user, .. } => user.clone(),
            Auth::Master { user, master, .. } => format!("{user}*{master}"),
        }
    }
}

/// A mailbox to watch.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The configured name: in cursors, reports, metrics, and in [`Incoming::mailbox`](postroom_core::Incoming).
    pub name: String,
    pub account: Account,
    pub folders: Vec<FolderRule>,
    pub start: Start,
}

impl Watched {
    /// Inbox and Sent, from now on, left as they are.
    pub fn new(name: impl Into<String>, account: Account) -> Self {
        let folders = vec![FolderRule::new(FolderName::Inbox), FolderRule::new(FolderName::Sent)];
        Watched { name: name.into(), account, folders, start: Start::Now }
    }

    /// A journal mailbox: only what is delivered to it counts, so its Sent folder is left out. Copies are handed over as
    /// they are.
    pub fn journal(name: impl Into<String>, account: Account) -> Self {
        Watched { folders: vec![FolderRule::new(FolderName::Inbox)], ..Watched::new(name, account) }
    }
}

/// Where reading begins at first contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the next mail; what is there stays unread.
    Now,
    /// With mail of this INTERNALDATE.
    Since(Timestamp),
}

/// A folder to watch, and what happens to mail that was taken from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderRule {
    pub folder: FolderName,
    pub direction: Direction,
    pub touch: Touch,
    /// What people move into it belongs to a record, however old it is: when the folder turns up later than the mailbox,
    /// all of it is read.
    pub tied: bool,
}

impl FolderRule {
    /// Sent holds outgoing mail, the others incoming; nothing is touched.
    pub fn new(folder: FolderName) -> Self {
        let direction = match folder {
            FolderName::Sent => Direction::Outgoing,
            FolderName::Inbox | FolderName::Named(_) => Direction::Incoming,
        };
        FolderRule { folder, direction, touch: Touch::Nothing, tied: false }
    }
}

/// Which folder is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FolderName {
    Inbox,
    /// The one marked \Sent (RFC 6154), else the first with one of the usual names.
    Sent,
    /// By its name; `/` stands for the server's own delimiter unless a folder has that very name.
    Named(String),
}

impl FolderName {
    /// As it is configured, and handed over with its mail: the server may call it otherwise.
    pub fn configured(&self) -> &str {
        match self {
            FolderName::Inbox => "INBOX",
            FolderName::Sent => "Sent",
            FolderName::Named(name) => name,
        }
    }
}

impl fmt::Display for FolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FolderName::Inbox => "Inbox",
            FolderName::Sent => "Sent",
            FolderName::Named(name) => name,
        })
    }
}

/// What is done on the server to a mail that is stored. A courtesy to people: it is done once, and not made up for after
/// a crash in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touch {
    Nothing,
    MarkSeen,
    /// Moves it to this folder; without MOVE it is copied and marked \Deleted. Nothing is ever expunged.
    Move(FolderName),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_signs_in_for_a_user() {
        let password = Secret::new("x");
        let auth = Auth::Master { user: "anna".into(), master: "postroom".into(), password };
        assert_eq!(auth.login(), "anna*postroom");
    }
}
