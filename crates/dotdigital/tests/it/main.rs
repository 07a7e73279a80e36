//! The client against servers that answer as the service's documents say, and against what goes wrong on the way.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

mod calls;
mod contract;
mod described;
mod faults;
mod imports;
mod server;
mod soap;
mod stand_in;
mod story;
