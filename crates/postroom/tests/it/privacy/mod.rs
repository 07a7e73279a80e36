//! What is not kept for ever: bodies that age out, people who asked to be erased. On both databases, with the embedded CRM.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

pub mod bench;
mod commands;
pub mod crash;
mod erase;
mod outgoing;
mod purge;
mod traces;
