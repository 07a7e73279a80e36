//! Ways in and out for mail: SMTP and LMTP in both directions, and IMAP.
//!
//! * [`listener`]: takes mail for our own domains and mailboxes, or from named clients for anybody. It knows no store: it hands raw bytes
//!   to the [`Inbox`](postroom_core::Inbox) port and answers 250 only after its `Ok`.
//! * [`sender`]: hands finished mail to the organisation's mail server, an answer for each recipient.
//! * [`relay`]: stamps what users send, behind a listener that takes their mail server's mail for anybody.
//! * [`trust`]: who really sent a mail (SPF, DKIM, DMARC, ARC), and DKIM signing.
//! * [`imap`]: watches other servers' mailboxes, for a [`WatchBook`](postroom_core::WatchBook).
//! * [`oauth`]: access tokens to sign in with, renewed before they end.
//! * [`directory`]: internet addresses of Notes names, from a table or by LDAP.
//! * [`client`]: a small SMTP and LMTP client for loopback, for the demo and the tests.
//!
//! What this crate does not do: parse a message (`postroom-formats`), decide anything about it (`postroom-tracking`), or
//! keep it (`postroom-store`).

pub mod client;
pub mod directory;
mod http;
pub mod imap;
pub mod listener;
pub mod oauth;
pub mod relay;
pub mod sender;
mod tls;
pub mod trust;
