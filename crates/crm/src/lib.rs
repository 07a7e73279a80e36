//! The CRM outside: signing in to every generation of it.

pub mod sign_in;
