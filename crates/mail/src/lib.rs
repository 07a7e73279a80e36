//! Ways in and out for mail: SMTP and LMTP today, in both directions.
//!
//! * [`listener`]: takes mail for our own domains and mailboxes, never as a relay. It knows no store: it hands raw bytes
//!   to the [`Inbox`](postroom_core::Inbox) port and answers 250 only after its `Ok`.
//! * [`client`]: a small SMTP and LMTP client for loopback, for the demo and the tests.
//!
//! What this crate does not do: parse a message (`postroom-formats`), decide anything about it (`postroom-tracking`), or
//! keep it (`postroom-store`).

pub mod client;
pub mod listener;
