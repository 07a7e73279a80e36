//! The vocabulary that every other crate speaks: ids, records, queries, messages, decisions, and the ports
//! through which the rules reach the world.
//!
//! # Design
//!
//! * **No IO, no runtime, no database.** A port is a trait with async methods; who implements it is wired in the binary.
//! * **Ids** ([`id`]): UUIDv7 of our own rows, shown as `msg_…`; UUIDv5 of a natural key for rows made in a peer, so a
//!   repeat is a duplicate-key answer and means success.
//! * **Time, ids and randomness are injected** ([`Clock`], [`Ids`]); clippy bans the originals elsewhere.
//! * **A failure answers one question: what now?** ([`Fault`], [`Verdict`]). Adapters decide, the job machinery obeys.
//! * **Bodies are handles** ([`Content`]): a mail is stored once, and the CRM's rows refer to it.
//! * **Kill points** ([`kill`]): every durable step can be made to die before and after it, by name.
//!
//! The ports of the mail half: [`Inbox`] (raw mail in; `Ok` means durable), [`WatchBook`] (where a watcher stands),
//! [`MailSender`] (finished mail out) and [`Crm`] (tables, keys, change sets). The embedded CRM answers programs of others
//! behind [`CrmDoors`]. The port of the marketing half is [`marketing::Marketing`].

pub mod address;
mod clock;
pub mod code;
mod content;
mod crm;
pub mod decision;
pub mod deliver;
mod directory;
mod door;
mod fault;
mod fingerprint;
pub mod id;
mod inbox;
pub mod kill;
pub mod mail;
pub mod marketing;
pub mod metadata;
pub mod query;
pub mod record;
mod secret;
mod sender;
mod stamp;
mod watch;

pub use address::Address;
pub use clock::{Clock, Ids};
pub use code::Code;
pub use content::{BodyHash, Content};
pub use crm::{
    AddressHit, Capabilities, Change, ChangeSet, ChangesAsk, Crm, CrmChanges, CrmPage, Imported, Outcome,
};
pub use decision::{Decision, Signal, SignalKind};
pub use deliver::{Delivered, Delivery, Importance, IncomingMail, ReasonCode};
pub use directory::Directory;
pub use door::{CrmDoors, DoorKind, DoorRefusal, DoorReply, DoorRequest};
pub use fault::{Fault, PeerAnswer, Verdict};
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use id::{DecisionId, JobId, MailId, RunId, SightingId, TokenId};
pub use inbox::{Accepted, Inbox};
pub use mail::{Class, Direction, Envelope, Incoming, MailState, Method, Source};
pub use query::{Filter, Query};
pub use record::{ColumnName, Record, RecordRef, Value};
pub use secret::Secret;
pub use sender::{Answer, Fate, Handed, MailSender, Outgoing};
pub use stamp::{Stamp, StampAsk, Stamper};
pub use watch::{Cursor, Folder, Orders, Waiting, WatchBook, WatchReport, WatchState};
