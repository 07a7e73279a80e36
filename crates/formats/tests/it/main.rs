//! Integration tests of the formats: fixtures of real mail, and every parser against arbitrary bytes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

mod dsn;
mod enmime;
mod fetchxml;
mod hostile;
mod html;
mod mime;
mod mime4j;
mod soap;
mod solution;
mod tnef;
