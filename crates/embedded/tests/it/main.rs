//! The embedded CRM on both databases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

mod access;
mod bench;
mod bodies;
mod cascades;
mod conformance;
mod definitions;
mod delivering;
mod demo;
mod door;
mod filters;
mod imports;
mod inherit;
mod injection;
mod installed;
mod joins;
mod late_commits;
mod mails;
mod messages;
mod model;
mod queries;
mod rules;
mod shared;
mod soapdoor;
mod solutions;
mod speed;
mod tables;
mod writes;
