//! The makes of the CRM port against the embedded CRM's doors, and the sign-in against servers of the sandbox and of others,
//! over real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

mod conformance;
mod faults;
mod server;
mod sign_in;
