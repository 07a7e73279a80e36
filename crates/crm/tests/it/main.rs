//! The CRM crate against servers of the sandbox and of others.

mod sign_in;
