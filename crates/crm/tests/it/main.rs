//! The makes of the CRM port against the embedded CRM's doors, and signing in against servers of the sandbox and of others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

mod attachments;
mod calls;
mod conformance;
mod delivering;
mod every_call;
mod faults;
mod road;
mod server;
mod sign_in;
mod soap;
