//! IMAP (RFC 3501 and what servers make of it): reading other servers' mailboxes. Start reading at [`Watcher`]; its rooms:
//!
//! | module | holds |
//! | --- | --- |
//! | `account` | where a mailbox is, how one gets in, what may be done to its mail |
//! | `wire` | the server's bytes to responses; no socket |
//! | `data`, `date`, `utf7` | what responses say; dates and folder names |
//! | `command` | commands to bytes; the only place where our text meets their syntax |
//! | `client`, `session` | one connection; its commands |
//! | `dial`, `certificate` | TCP and TLS, and a clear word for servers too old for it |
//! | `folders` | which folder is meant |
//! | `incoming` | a message as the store wants it |
//! | `watcher` | many mailboxes, their cursors and failures |
//! | `probe`, `guess` | the test of one mailbox, and where it may be |
//! | `append` | copies into Sent |
//!
//! Why a client of our own and not async-imap: its parser follows the grammar, so Domino's extra parentheses and dates of
//! the year 0 end the connection instead of being passed over; it puts no bound on a literal; and it has no time limit on
//! a command. We need some fifteen commands, and their answers can be found without a grammar.

mod account;
mod append;
mod client;
mod command;
mod data;
mod date;
mod dial;
mod error;
mod folders;
mod guess;
mod incoming;
mod probe;
mod session;
mod utf7;
mod watcher;
pub mod wire;

pub use account::{Account, Auth, FolderName, FolderRule, Start, Tls, TlsMode, Touch, Watched};
pub use append::append;
pub use client::{Client, Patience};
pub use data::{Fetched, Listed, Namespace, Namespaces, Standing, fetched, listed, namespaces, status};
pub use dial::{Dialer, Stream};
pub use error::{Error, Remedy};
pub use folders::Tree;
pub use guess::{Candidate, Names, Pages, Srv, SystemNames, SystemPages, guess};
pub use postroom_core::{Fingerprint, NotAFingerprint};
pub use postroom_formats::x509::Certificate;
pub use probe::{Sent, Step, probe};
pub use session::{Criterion, Known};
pub use watcher::{Options, Pauses, Watcher};
