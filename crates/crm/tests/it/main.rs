//! The CRM crate against servers of the sandbox and of others.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there and then")]

mod sign_in;
