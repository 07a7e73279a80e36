//! The marketing half's rules, tested from outside, with the embedded CRM on both databases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

mod bench;
mod campaigns;
mod columns;
mod consent_model;
mod contacts;
mod defects;
mod door;
mod events;
mod first_day;
mod forms;
mod imports;
mod install;
mod lab;
mod lists;
mod office;
mod package;
mod person;
mod plan;
mod points;
mod preferences;
mod sends;
mod singles;
mod soap;
mod solution;
mod suppressions;
mod sweep;
mod unsubscribes;
