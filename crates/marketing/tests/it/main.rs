//! The marketing half's rules, tested from outside, with the embedded CRM on both databases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

mod bench;
mod install;
mod solution;
