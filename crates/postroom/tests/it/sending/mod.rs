//! Outgoing mail from end to end: the embedded CRM, the rules, and a mail server that keeps books in place of a real one.

#![expect(clippy::unwrap_used, reason = "tests, with helpers of their own: a failure is a failed test")]

pub mod bench;
pub mod crash;
mod doubt;
mod foreign;
mod guards;
mod history;
mod letter;
mod lots;
mod people;
mod returns;
mod server;
pub mod tls;
mod way;
