//! The kit tests itself: each suite passes on a right model and fails on every wrong one, each starter leaves nothing
//! behind.

#![expect(clippy::unwrap_used, reason = "clippy counts only functions marked as tests as such")]

mod chaos;
mod corpus;
mod crm;
mod dovecot;
mod guard;
mod inbox;
mod mailer;
mod model;
mod postfix;
mod postgres;
mod process;
mod slapd;
