//! The listener from outside: without a socket (`session`), over a stream in memory (`transcript`, `smuggling`, `limits`,
//! `lmtp`, `tls`), over TCP (`server`), and with real peers (`swaks`, `postfix`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there and then")]

mod directory;
mod harness;
mod imap;
mod limits;
mod lmtp;
mod postfix;
mod relay;
mod sender;
mod server;
mod session;
mod smuggling;
mod swaks;
mod tls;
mod tls_proxy;
mod transcript;
mod trust;
