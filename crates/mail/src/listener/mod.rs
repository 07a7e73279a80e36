//! The SMTP and LMTP listener (RFC 5321, RFC 2033). Start reading at [`Session`]; its rooms:
//!
//! | module | holds |
//! | --- | --- |
//! | `command` | one command line to a value; strict, no socket |
//! | `path` | the mailbox inside the angle brackets |
//! | `recipients` | which of them are ours; everything else is refused |
//! | `clients` | who may hand over mail for anybody, where that is wanted |
//! | `session` | the state machine: a command in, a [`Step`] out; no socket, no clock, no store |
//! | `reply` | answers and their enhanced codes (RFC 3463) |
//! | `wire` | command lines, the end of DATA, dot-stuffing; no socket |
//! | `connection` | drives one session over one stream |
//! | `delivery` | one received mail to the `Inbox`, and its outcome to answers |
//! | `server` | binds, admits connections, stops |
//! | `memory`, `disk` | how much mail may be in flight, and whether it can be kept |
//! | `tls` | the certificate for STARTTLS |
//! | `events` | log lines and metrics |
//!
//! Invariants: a 250 for a mail is written only after `Inbox::accept` returned `Ok`; only CRLF ends a line and only
//! CRLF.CRLF ends DATA; a recipient that is not ours is accepted only by a listener with named clients, and only from them;
//! nothing that identifies a person is logged.
//!
//! Deliberately absent: AUTH (this is no submission server), DSN and BINARYMIME (not honoured, so not announced), header
//! rewriting (the bytes are evidence; what the transport knew travels beside them).

mod clients;
mod command;
mod connection;
mod delivery;
mod disk;
mod events;
mod memory;
mod options;
mod path;
mod recipients;
mod reply;
mod server;
mod session;
mod tls;
mod wire;

pub use clients::{Clients, NotAClient};
pub use command::{Command, Malformed};
pub use connection::{Connection, Door};
pub use disk::{DataFolder, DiskRoom};
pub use memory::{Budget, Lease};
pub use options::{Limits, Options, Protocol};
pub use recipients::{Recipients, Refusal};
pub use reply::{Enhanced, Reply, Said, Why};
pub use server::{Error, Listener, Ports};
pub use session::{Session, Shortage, Step, Transaction};
pub use tls::{TlsError, server_config};
pub use wire::{DataEnd, DataReader, Line, take_line};
